//! `GET|POST /{tenant}/oauth2/v2.0/logout`: ends the session at the sign-in page and tells the applications.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc#send-a-sign-out-request>

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;

use crate::aadsts::Refusal;
use crate::authorize::{cookie, cookie_name};
use crate::directory::Tenant;
use crate::discovery::is_alias;
use crate::faults::Endpoint;
use crate::grants::BrowserSession;
use crate::pages;
use crate::params::Params;
use crate::recorded::Recorded;
use crate::server::Context;

/// The handler of both methods.
pub(crate) async fn logout(
    State(context): State<Context>,
    Path(segment): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let recorded = Recorded::new(Endpoint::Logout, &method, &uri);
    context.directory.arrived(recorded).await;
    let mut params = Params::parse(uri.query().unwrap_or_default());
    params.add(&String::from_utf8_lossy(&body));
    let tenants = if is_alias(&segment) {
        context.directory.tenants()
    } else {
        context.directory.find_tenant(&segment).into_iter().collect()
    };
    if tenants.is_empty() {
        return pages::refusal(&Refusal::new(90002).tenant(&segment), context.directory.now());
    }
    let ended = end_sessions(&context, &tenants, &headers);
    let frames: Vec<String> = ended
        .iter()
        .flat_map(|session| frames(&context, session))
        .collect();
    let mut response = pages::signed_out(&frames, onward(&tenants, &params).as_deref());
    for tenant in &tenants {
        pages::set_cookie(&mut response, &cookie_name(tenant), "");
    }
    response
}

fn end_sessions(context: &Context, tenants: &[Arc<Tenant>], headers: &HeaderMap) -> Vec<BrowserSession> {
    let cookies = tenants
        .iter()
        .filter_map(|tenant| cookie(headers, &cookie_name(tenant)));
    let mut state = context.directory.lock();
    cookies
        .filter_map(|cookie| state.grants.sessions.remove(&cookie))
        .collect()
}

/// The front-channel addresses of the session's applications. Microsoft sends `sid` and, against the specification
/// it announces, no `iss`.
fn frames(context: &Context, session: &BrowserSession) -> Vec<String> {
    let tenant = context.directory.find_tenant(&session.tenant);
    let apps = session
        .apps
        .iter()
        .filter_map(|id| context.directory.app_in(tenant.as_deref(), id));
    let urls = apps.filter_map(|app| app.front_channel_logout);
    urls.map(|url| {
        let joint = if url.contains('?') { '&' } else { '?' };
        format!("{url}{joint}sid={}", session.sid)
    })
    .collect()
}

/// Where the browser goes then: only to a redirect address registered in the tenant, else it stays here.
fn onward(tenants: &[Arc<Tenant>], params: &Params) -> Option<String> {
    let asked = params.find("post_logout_redirect_uri")?;
    let mut apps = tenants.iter().flat_map(|tenant| tenant.apps.values());
    if !apps.any(|app| app.redirect_uris.contains(asked)) {
        return None;
    }
    let Some(state) = params.find("state") else {
        return Some(asked.to_owned());
    };
    let state: String = url::form_urlencoded::byte_serialize(state.as_bytes()).collect();
    let joint = if asked.contains('?') { '&' } else { '?' };
    Some(format!("{asked}{joint}state={state}"))
}
