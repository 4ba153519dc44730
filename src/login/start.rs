//! The login page: `GET auth/cdn-cgi/access/login[/<host>[/<path>]]`.
//!
//! It believes `meta` and nothing else; `kid` and `redirect_url` are for cloudflared, which reads them out of the
//! address. A browser with a live session that the application takes is handed over without a page.

use std::sync::Arc;

use super::answer::{Answer, redirect, set_cookie};
use super::bounce::{self, Bounces};
use super::call::{Call, label};
use super::command_line;
use super::evaluate::MaxAge;
use super::failure::{Ended, Why};
use super::hand_over::{Judged, hand_over, judge_anew, refuse};
use super::landing::Landing;
use super::meta::{self, Opened};
use super::provider::{Choosing, wants_another_account};
use super::return_path::ReturnPath;
use super::state::LoginPurpose;
use super::step_up::{Station, step_up};
use crate::model::host::Host;
use crate::pages::person::{Failure, Stop};
use crate::router::Found;
use crate::session::cookies;
use crate::snapshot::ProtectedApplication;

/// Answers the login page. `address` is what follows `/login/`: the host, and perhaps a path, that was asked for.
pub(super) async fn answer(call: &Call<'_>, address: &str) -> Result<Answer, Ended> {
    let login = call.login;
    let landing = match meta::open(call.query.value("meta"), &login.sealer, &login.clock) {
        Opened::Fresh(landing) => landing,
        Opened::Stale(landing) => {
            return Ok(start_anew(
                call,
                &landing.address(call.auth()),
                "meta is older than five minutes",
            ));
        }
        Opened::Foreign => {
            let address = own_address(call, address).ok_or(Why::NoApplication)?;
            return Ok(start_anew(call, &address, "meta is missing or was not made here"));
        }
    };
    let ended = |why: Ended| why.on_the_way_to(&landing);
    let application = call
        .application_at(&landing)
        .ok_or(Why::NoApplication)
        .map_err(Ended::from)?;
    let mut answer = sign_in(call, &application, &landing).await.map_err(ended)?;
    name_application(&mut answer, &application);
    Ok(answer)
}

async fn sign_in(
    call: &Call<'_>,
    application: &Arc<ProtectedApplication>,
    landing: &Landing,
) -> Result<Answer, Ended> {
    if landing.bounces.is_loop() {
        return Ok(call.page(&Stop {
            app: label(application, landing),
            again: &landing.address(call.auth()),
        }));
    }
    let another_account = wants_another_account(call);
    let session = match call.organization_session().await? {
        None => command_line::session(call).await?,
        known => known,
    };
    if !another_account && let Some(session) = &session {
        match judge_anew(call, application, session, landing, MaxAge::Beginning).await? {
            Judged::Enters(_) => return Ok(hand_over(call, session, landing.clone()).await),
            Judged::Open => return Ok(redirect(&landing.address(call.auth()))),
            Judged::Refused(refusal) => {
                return Ok(refuse(call, application, session, landing, &refusal).await);
            }
            Judged::Needs(need) => {
                let station = Station::LoginPage;
                let step = step_up(call, application, session, landing, &need, station).await?;
                return Ok(step.answer());
            }
            Judged::OtherProvider => {}
        }
    }
    let providers = call.providers_of(application);
    let choosing = Choosing {
        app: Some(label(application, landing)),
        providers: &providers,
        straight_on: goes_straight_on(call, application),
        last: session.map(|session| session.provider()),
        purpose: LoginPurpose::Open(landing.clone()),
    };
    choosing
        .go(call, |choice| call.login_address(landing, &format!("&{choice}")))
        .await
}

/// What the application says, else the organization; where neither does, a choice of one is no choice.
pub(super) fn goes_straight_on(call: &Call<'_>, application: &ProtectedApplication) -> bool {
    let said = application.app.auto_redirect_to_identity;
    said.or(call.organization().auto_redirect_to_identity) != Some(false)
}

/// Back to the application's own address, which starts anew.
///
/// Where `meta` is unreadable every time (replicas with different keys, a proxy that cuts queries) that would go round
/// for ever. So only a browser that shows that it keeps cookies is redirected, counted by one; all others, and the one
/// that has been round too often, get a page with the same address as a link.
fn start_anew(call: &Call<'_>, address: &str, why: &str) -> Answer {
    let headers = &call.parts.headers;
    let names = [
        cookies::session_name(call.auth()),
        cookies::organization_name(call.auth()),
        bounce::COOKIE,
    ];
    tracing::info!(request.id = %call.request_id, "Login starts anew: {why}");
    let keeps_cookies = names
        .iter()
        .any(|name| cookies::values(headers, name).next().is_some());
    let now = call.login.clock.now_seconds();
    let bounces = Bounces::of(headers, now);
    if !keeps_cookies || bounces.is_loop() {
        return call.page(&Failure::invalid_login_session(Some(address)));
    }
    let mut answer = redirect(address);
    set_cookie(&mut answer, bounces.handed_over(call.auth(), now));
    answer
}

/// The address that the login page's own path names, if it is one of an application: rebuilt from its parts.
fn own_address(call: &Call<'_>, address: &str) -> Option<String> {
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let host: Host = host.parse().ok()?;
    if host == *call.auth().host() {
        // The launcher's, which asked for something on the way.
        return Some(call.auth().address("/"));
    }
    let path = ReturnPath::parse(&format!("/{path}")).unwrap_or_else(|_| ReturnPath::root());
    match call.snapshot.routes.find(&host, path.path()) {
        Found::None => None,
        Found::Match(_) | Found::HostOnly => Some(format!("{}{path}", call.auth().origin_of(&host))),
    }
}

/// What older cloudflared reads from the login page.
fn name_application(answer: &mut Answer, application: &ProtectedApplication) {
    super::challenge::name_application(answer.headers_mut(), application);
}
