//! `GET app/cdn-cgi/access/cli?token=<public key>&aud=&redirect_url=&send_org_token=…`, which the program opens in the
//! person's browser: on to the auth host with what it wants, sealed.

use std::sync::Arc;

use url::Url;

use super::request::{TransferRefused, TransferRequest, agent};
use crate::login::answer::{Answer, redirect, set_cookie};
use crate::login::bounce::Bounces;
use crate::login::call::Call;
use crate::login::challenge::app_session;
use crate::login::failure::{Ended, Why};
use crate::login::fingerprint::Fingerprint;
use crate::login::landing::Landing;
use crate::login::return_path::ReturnPath;
use crate::session::cookies;
use crate::snapshot::ProtectedApplication;

/// Sends the browser to the page that asks the person.
pub(in crate::login) fn begin(call: &Call<'_>) -> Result<Answer, Ended> {
    if !opened_by_a_person(&call.parts.headers) {
        return Err(Why::CrossSite.into());
    }
    let key = call
        .query
        .value("token")
        .and_then(|token| token.parse().ok())
        .ok_or(TransferRefused::Key)?;
    let application = call
        .query
        .value("aud")
        .and_then(|aud| aud.parse().ok())
        .and_then(|aud| call.snapshot.by_aud.get(&aud))
        .filter(|application| call.is_on_this_host(application))
        .ok_or(TransferRefused::Audience)?;
    let session = app_session(&call.parts.headers);
    let request = TransferRequest {
        key,
        landing: Landing {
            app: application.app.id,
            host: call.visit.target.host().clone(),
            path: path(call, application)?,
            app_session: Fingerprint::of(&session),
            bounces: Bounces::default(),
            certificate: (&call.visit.facts(call.now_ms()).certificate).into(),
        },
        organization: call.query.value("send_org_token") == Some("true"),
        agent: agent(call.query.value("agent")),
        issued: call.login.clock.now_seconds(),
        fresh: None,
    };
    let mut answer = redirect(&request.address(call));
    set_cookie(&mut answer, cookies::set_app_session(call.auth(), &session));
    Ok(answer)
}

/// Only what a person opened in a tab or window goes on (Fetch Metadata §2); clients that do not say are old browsers.
pub(super) fn opened_by_a_person(headers: &http::HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_none_or(|sent| sent == value);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

/// Where the program wanted to go on the host asked, without what cloudflared adds to the address.
fn path(call: &Call<'_>, application: &Arc<ProtectedApplication>) -> Result<ReturnPath, TransferRefused> {
    let root = || ReturnPath::root_of(&application.app);
    let Some(written) = call.query.value("redirect_url") else {
        return Ok(root());
    };
    let url: Url = written.parse().map_err(|_| TransferRefused::Elsewhere)?;
    let own: Url = call
        .auth()
        .origin_of(call.visit.target.host())
        .parse()
        .map_err(|_| TransferRefused::Elsewhere)?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.origin() != own.origin() {
        return Err(TransferRefused::Elsewhere);
    }
    let kept = url
        .query_pairs()
        .filter(|(name, _)| name != "token" && name != "aud");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .finish();
    let whole = if query.is_empty() {
        url.path().to_owned()
    } else {
        format!("{}?{query}", url.path())
    };
    Ok(ReturnPath::parse(&whole).unwrap_or_else(|_| root()))
}
