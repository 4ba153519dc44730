//! The first page: what this is, who can sign in, and how to point an application at it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{escape, page};
use crate::directory::{AppRegistration, MemberRef, Tenant, User};
use crate::server::Context;

/// How many group names a row of the table shows.
const GROUPS_SHOWN: usize = 6;

/// `GET /`
pub(crate) async fn index(State(context): State<Context>) -> Response {
    let tenants: String = context
        .directory
        .tenants()
        .iter()
        .map(|tenant| section(&context.base_url, tenant))
        .collect();
    let body = format!(
        "<h1>mock-entra</h1><p>A stand-in for Microsoft Entra ID: sign-in, tokens and Graph of the tenants below, as \
         strict as the real ones. For tests only: everybody may sign in as anybody.</p>\
         <p class=\"quiet\">Login host and Graph host are both <code>{}</code>.</p>{tenants}",
        escape(&context.base_url),
    );
    page(StatusCode::OK, "mock-entra", &body)
}

fn section(base_url: &str, tenant: &Tenant) -> String {
    let people: String = tenant.users.iter().map(|user| person(tenant, user)).collect();
    let apps: String = tenant
        .apps
        .values()
        .map(|app| application(base_url, tenant, app))
        .collect();
    format!(
        "<h2>{}</h2><p class=\"quiet\">{} · {}</p><div class=\"scroll\"><table><thead><tr><th>Person</th><th>Signs in as\
         </th><th>Kind</th><th>Groups</th></tr></thead><tbody>{people}</tbody></table></div>{apps}",
        escape(&tenant.name),
        escape(&tenant.id),
        escape(&tenant.domains.join(", ")),
    )
}

fn person(tenant: &Tenant, user: &User) -> String {
    let groups = tenant.transitive_groups(&MemberRef::User(user.oid.clone()));
    let shown: Vec<&str> = groups
        .iter()
        .take(GROUPS_SHOWN)
        .map(|group| group.name.as_str())
        .collect();
    let more = groups.len().saturating_sub(GROUPS_SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let kind = if user.guest { "guest" } else { "member" };
    let state = if user.enabled { "" } else { ", disabled" };
    format!(
        "<tr><td>{}</td><td>{}</td><td>{kind}{state}</td><td>{}{more}</td></tr>",
        escape(&user.name),
        escape(user.shown_name()),
        escape(&shown.join(", ")),
    )
}

fn application(base_url: &str, tenant: &Tenant, app: &AppRegistration) -> String {
    let redirects = app
        .redirect_uris
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    format!(
        "<h2>App: {}</h2><dl><dt>Authority</dt><dd><code>{base}/{tenant}/v2.0</code></dd>\
         <dt>Metadata</dt><dd><a href=\"/{tenant}/v2.0/.well-known/openid-configuration\">openid-configuration</a></dd>\
         <dt>Client id</dt><dd><code>{}</code></dd><dt>Redirect addresses</dt><dd>{}</dd>\
         <dt>Permissions</dt><dd>{}</dd></dl>",
        escape(&app.name),
        escape(&app.client_id),
        if redirects.is_empty() {
            "none registered".to_owned()
        } else {
            escape(&redirects)
        },
        escape(
            &app.permissions
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        ),
        base = escape(base_url),
        tenant = escape(&tenant.id),
    )
}
