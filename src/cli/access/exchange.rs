//! What is asked of the gateway with tokens: another one for the organization token, whether one is still taken, and an
//! end to the session.

use http::StatusCode;
use http::header::SET_COOKIE;
use url::Url;

use super::Access;
use super::discover::{Application, secure};
use super::trouble::Trouble;
use super::web::{Reply, Web};
use crate::model::cookie_names::{APP_SESSION, AUTHORIZATION, HOST_AUTHORIZATION};

/// The login chain has four addresses; an application's own redirect may come before.
const MOST_STEPS: usize = 8;
const LOGIN: &str = "/cdn-cgi/access/login";
const AUTHORIZED: &str = "/cdn-cgi/access/authorized";

/// Walks the login chain with an organization token. `None` where it ends without a token: a person has to sign in.
///
/// The organization token goes to the auth host's login page and nowhere else, whatever the redirects say.
pub(super) async fn exchange(
    web: &Web,
    application: &Application,
    organization: &str,
) -> Result<Option<String>, Trouble> {
    let auth: Url = application.auth.clone().into();
    let mut url = application.address.url().clone();
    let mut app_session: Option<String> = None;
    for _ in 0..MOST_STEPS {
        let at_auth = url.origin() == auth.origin();
        let at_app = url.origin() == application.address.url().origin();
        if !(at_auth || at_app) || secure(&url).is_err() {
            return Ok(None); // to the identity provider, or astray
        }
        let cookies = if at_auth && url.path().starts_with(LOGIN) {
            Some(organization_cookies(organization))
        } else if at_app && url.path() == AUTHORIZED {
            app_session.as_ref().map(|value| format!("{APP_SESSION}={value}"))
        } else {
            None
        };
        let headers: Vec<(&str, &str)> = cookies.iter().map(|value| ("cookie", value.as_str())).collect();
        let reply = web.head(&url, &headers).await?;
        if at_auth && reply.status == StatusCode::FORBIDDEN {
            return Err(not_allowed(application));
        }
        if at_app && url.path() == AUTHORIZED {
            return Ok(cookie(&reply, AUTHORIZATION).filter(|token| !token.is_empty()));
        }
        if at_app {
            app_session = cookie(&reply, APP_SESSION).or(app_session);
        }
        let Some(next) = reply.location(&url) else {
            return Ok(None);
        };
        url = next;
    }
    Ok(None)
}

/// Whether the gateway lets an application token in. Where it is the proxy it answers this itself, and nothing of the
/// application happens; behind another proxy (forward-auth) the application gets the request, once it is let in.
pub(super) async fn is_taken(web: &Web, application: &Application, token: &str) -> Result<bool, Trouble> {
    let mut url = application.address.url().clone();
    url.query_pairs_mut()
        .append_pair("cloudflared_token_check", "true");
    let reply = web.get(&url, &[("cf-access-token", token)]).await?;
    if reply.status == StatusCode::FORBIDDEN {
        return Err(not_allowed(application));
    }
    let to_login = reply
        .location(&url)
        .is_some_and(|next| next.path().starts_with(LOGIN));
    Ok(!to_login && reply.status != StatusCode::UNAUTHORIZED)
}

fn not_allowed(application: &Application) -> Trouble {
    let address = &application.address;
    Trouble::Refused(format!(
        "you are signed in, but may not open {address}; to come as somebody else, first run: vestibule access logout {address}"
    ))
}

/// Ends the kept session at its auth host; whether there was one.
pub(super) async fn end_session(access: &Access, application: &Application) -> Result<bool, Trouble> {
    let auth = &application.auth;
    let Some(token) = access.keep.token_to_end(auth)? else {
        return Ok(false);
    };
    let url: Url = auth
        .address("/cdn-cgi/access/logout")
        .parse()
        .map_err(|_| Trouble::Unavailable(format!("{} cannot be reached", auth.host())))?;
    let cookies = organization_cookies(&token);
    let reply = access.web.get(&url, &[("cookie", &cookies)]).await?;
    if reply.status.is_server_error() {
        return Err(Trouble::Unavailable(format!(
            "{} could not end the session ({}); its tokens are kept, try again",
            auth.host(),
            reply.status
        )));
    }
    Ok(true)
}

/// Under both names: ours over https is the one with the prefix, everybody else's is the plain one.
fn organization_cookies(token: &str) -> String {
    format!("{AUTHORIZATION}={token}; {HOST_AUTHORIZATION}={token}")
}

/// The value of a cookie that is set.
pub(super) fn cookie(reply: &Reply, name: &str) -> Option<String> {
    let set = reply.headers.get_all(SET_COOKIE).iter();
    set.filter_map(|line| line.to_str().ok()).find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix('=')?;
        Some(value.split(';').next().unwrap_or_default().to_owned())
    })
}
