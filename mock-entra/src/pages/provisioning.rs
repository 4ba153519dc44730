//! The page on which people are disabled and moved, and on which the provisioning job runs at once.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::{escape, hidden, page};
use crate::directory::{Group, MemberRef, Tenant, User};
use crate::params::Params;
use crate::server::Context;

/// Groups that a person can be moved to here; a page of hundreds helps nobody.
const GROUPS_SHOWN: usize = 8;

/// `GET /provisioning`
pub(crate) async fn show(State(context): State<Context>) -> Response {
    answer(&context, "")
}

/// `POST /provisioning`: one change, then a cycle.
pub(crate) async fn act(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    // Another site's page must not move anybody: browsers say where a form was sent from.
    let from = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    if from.is_some_and(|from| from != &*context.base_url) {
        return (StatusCode::FORBIDDEN, "sent from another site\n").into_response();
    }
    let params = Params::parse(std::str::from_utf8(&body).unwrap_or_default());
    let (what, oid, group) = (params.find("what"), params.find("oid"), params.find("group"));
    let directory = &context.directory;
    let known = |tenant: &&std::sync::Arc<Tenant>| {
        tenant.users.iter().any(|user| Some(user.oid.as_str()) == oid)
            && group.is_none_or(|group| tenant.groups.contains_key(group))
    };
    if let Some(oid) = oid
        && directory.tenants().iter().any(|tenant| known(&tenant))
    {
        match (what, group) {
            (Some("disable"), _) => {
                directory.disable_user(oid);
            }
            (Some("enable"), _) => {
                directory.enable_user(oid);
            }
            (Some("join"), Some(group)) => {
                directory.add_member(group, MemberRef::user(oid));
            }
            (Some("leave"), Some(group)) => {
                directory.remove_member(group, &MemberRef::user(oid));
            }
            _ => {}
        }
    }
    let job = directory.lock().provisioning.clone();
    let Some(job) = job else {
        return Redirect::to("/provisioning").into_response();
    };
    if what == Some("restart") {
        job.restart().await;
    }
    let report = job.cycle().await;
    let mut lines: Vec<String> = report
        .requests
        .iter()
        .map(|(method, path, status)| format!("<li><code>{status} {method} {}</code></li>", escape(path)))
        .collect();
    lines.extend(
        report
            .failures
            .iter()
            .map(|failure| format!("<li class=\"error\">{}</li>", escape(failure))),
    );
    let quarantined = if report.quarantined {
        "<p class=\"error\" role=\"alert\">The job is in quarantine.</p>"
    } else {
        ""
    };
    let told = format!(
        "<h2>The cycle that followed</h2>{quarantined}<ul>{}</ul>",
        if lines.is_empty() {
            "<li>nothing to tell</li>".to_owned()
        } else {
            lines.concat()
        }
    );
    answer(&context, &told)
}

fn answer(context: &Context, told: &str) -> Response {
    let job = context.directory.lock().provisioning.is_some();
    let introduction = if job {
        let cycle = plain_button("cycle", "Run a cycle");
        let restart = plain_button("restart", "Start anew");
        format!(
            "<p>What you change here the application is told at once by SCIM; Entra itself comes about every forty \
             minutes.</p><div class=\"row\">{cycle}{restart}</div>"
        )
    } else {
        "<p>No provisioning job runs here, so nobody is told of what you change: <code>--provision-to</code> starts \
         one.</p>"
            .to_owned()
    };
    let tenants: String = context
        .directory
        .tenants()
        .iter()
        .map(|tenant| section(tenant))
        .collect();
    let body =
        format!("<h1>People and groups</h1>{introduction}{told}{tenants}<p><a href=\"/\">mock-entra</a></p>");
    page(StatusCode::OK, "People and groups", &body)
}

fn section(tenant: &Tenant) -> String {
    let people: String = tenant.users.iter().map(|user| row(tenant, user)).collect();
    format!(
        "<h2>{}</h2><div class=\"scroll\"><table><thead><tr><th>Person</th><th>Account</th><th>Groups</th></tr></thead>\
         <tbody>{people}</tbody></table></div>",
        escape(&tenant.name)
    )
}

fn row(tenant: &Tenant, user: &User) -> String {
    let account = if user.enabled {
        button("disable", "Disable", user, None)
    } else {
        format!("disabled {}", button("enable", "Enable", user, None))
    };
    let member = MemberRef::user(&user.oid);
    let groups: String = tenant
        .groups
        .values()
        .take(GROUPS_SHOWN)
        .map(|group| {
            if group.members.contains(&member) {
                button("leave", &format!("Leave {}", group.name), user, Some(group))
            } else {
                button("join", &format!("Join {}", group.name), user, Some(group))
            }
        })
        .collect();
    format!(
        "<tr><td>{}<br>{}</td><td>{account}</td><td>{groups}</td></tr>",
        escape(&user.name),
        escape(user.shown_name())
    )
}

fn button(what: &str, label: &str, user: &User, group: Option<&Group>) -> String {
    let group = group.map(|group| hidden("group", &group.id)).unwrap_or_default();
    format!(
        "<form method=\"post\" action=\"/provisioning\">{}{}{group}<button>{}</button></form>",
        hidden("what", what),
        hidden("oid", &user.oid),
        escape(label)
    )
}

fn plain_button(what: &str, label: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/provisioning\">{}<button>{}</button></form>",
        hidden("what", what),
        escape(label)
    )
}
