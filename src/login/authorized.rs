//! The end of the hand-over: `GET app/cdn-cgi/access/authorized?nonce=…&state=<ticket>`.
//!
//! Where application tokens are minted; [`super::renew`] only replaces them. The ticket must be ours, fresh, unused, for this host and for the
//! browser that asked; the session must be alive in the store, and the application's policies must let it in *now*.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, redirect, set_cookie};
use super::call::{Call, with_cookie_path};
use super::eager;
use super::evaluate::MaxAge;
use super::failure::{Ended, Why};
use super::hand_over::{Judged, judge_anew, refuse};
use super::mint;
use super::step_up::{Station, step_up};
use super::ticket::{self, LIFE_SECONDS, Ticket, TicketRefused};
use crate::session::table::LiveSession;
use crate::session::{binding, cookies};
use crate::snapshot::ProtectedApplication;

/// Honours a ticket.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    let login = call.login;
    let nonce = call.query.value("nonce").unwrap_or_default();
    let state = call.query.value("state").unwrap_or_default();
    if let Some(round) = call.query.value("eager") {
        return eager::visit(call, round).await;
    }
    let ticket = Ticket::read(nonce, state, &login.sealer, &login.clock)?;
    if let Some(round) = &ticket.round {
        // The person has been let in already; what fails on the way round concerns nobody.
        let honoured = honour_fresh(call, &ticket, nonce).await;
        return Ok(honoured.unwrap_or_else(|_| eager::go_home(call, round)));
    }
    honour_fresh(call, &ticket, nonce).await
}

async fn honour_fresh(call: &Call<'_>, ticket: &Ticket, nonce: &str) -> Result<Answer, Ended> {
    if !ticket.is_fresh(&call.login.clock) {
        return Err(Why::Ticket(TicketRefused::Expired).into());
    }
    if ticket.landing.host != *call.visit.target.host() {
        return Err(Why::TicketElsewhere.into()); // an address on another host is not told either
    }
    let landing = &ticket.landing;
    honour(call, ticket, nonce)
        .await
        .map_err(|ended: Ended| ended.on_the_way_to(landing))
}

async fn honour(call: &Call<'_>, ticket: &Ticket, nonce: &str) -> Result<Answer, Ended> {
    let login = call.login;
    let landing = &ticket.landing;
    let application = call.application_at(landing).ok_or(Why::TicketElsewhere)?;
    let app_sessions = cookies::values(&call.parts.headers, cookies::APP_SESSION);
    let rightful = landing.app_session.is_of_any(app_sessions);
    // Whoever shows it spends it. A ticket in the wrong browser is known to two, and one of them may have begun the
    // login that the other finished: what stood in that address must be worth nothing afterwards.
    let until_ms = call.now_ms() + LIFE_SECONDS * 1000;
    let first = login.store.spend(&ticket::spent_key(nonce), until_ms).await?;
    if !rightful {
        return already_inside(call, &application, ticket)
            .await?
            .ok_or(Why::TicketForeignBrowser.into());
    }
    if !first {
        return already_inside(call, &application, ticket)
            .await?
            .ok_or(Why::TicketUsed.into());
    }
    let Some(session) = call.session(ticket.session.clone()).await? else {
        return Err(call.why_over(&ticket.session).await?);
    };
    let judged = judge_anew(call, &application, &session, landing, MaxAge::End).await?;
    if let Some(round) = &ticket.round
        && !matches!(judged, Judged::Enters(_))
    {
        return Ok(eager::go_home(call, round));
    }
    match judged {
        Judged::Enters(duration) => let_in(call, &application, &session, ticket, duration).await,
        Judged::Open => Ok(redirect(&landing.address(call.auth()))),
        Judged::Needs(need) => {
            let step = step_up(call, &application, &session, landing, &need, Station::HandOver).await?;
            Ok(step.answer())
        }
        Judged::OtherProvider => Err(Why::SessionOver.into()),
        Judged::Refused(refusal) => Ok(refuse(call, &application, &session, landing, &refusal).await),
    }
}

async fn let_in(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &LiveSession,
    ticket: &Ticket,
    duration: Duration,
) -> Result<Answer, Ended> {
    let login = call.login;
    let landing = &ticket.landing;
    // Conditional on the user's generation: no mint outlives a revocation that another replica has committed.
    let Some(epoch) = login
        .store
        .minted_in(session.nonce(), &application.app.aud)
        .await?
    else {
        return Err(call.why_over(session.nonce()).await?);
    };
    note(call, session, application).await;
    let now = login.clock.now_seconds();
    let identity = session.identity().identity.clone();
    let app = &application.app;
    let life = mint::Life { duration, epoch, now };
    let claims = mint::application(call.organization(), app, session, &identity, life);
    let seconds = mint::cookie_seconds(session, duration, now);
    let token = login.signer.sign(&claims).await.map_err(Why::from)?;
    let mut answer = eager::onward(call, application, session, landing, ticket.round.as_deref());
    let (app, place) = (
        with_cookie_path(&call.snapshot, app),
        (&landing.host, landing.path.path()),
    );
    set_cookie(
        &mut answer,
        cookies::set_application(&app, call.auth(), place, &token, login.clock.now(), seconds),
    );
    if app.enable_binding_cookie {
        let value = binding::value(&login.sealer, session.nonce(), &app.aud);
        let cookie = cookies::set_binding(&app, call.auth(), place, &value, seconds);
        set_cookie(&mut answer, cookie);
    }
    set_cookie(&mut answer, landing.bounces.handed_over(call.auth(), now));
    Ok(answer)
}

/// Writes down that a session has a token of an application, for whoever looks at the session. It opens nothing, so that
/// nobody is kept out where it cannot be written.
pub(super) async fn note(call: &Call<'_>, session: &LiveSession, application: &ProtectedApplication) {
    let aud = &application.app.aud;
    if let Err(error) = call.login.store.note_application(session.nonce(), aud).await {
        tracing::warn!(
            request.id = %call.request_id, application = %application.app.name, %error,
            "The application of a session could not be written down"
        );
    }
}

/// A ticket that cannot be honoured (gone back to, or one of many tabs whose cookie another tab replaced) does no harm
/// where the browser already holds a token of the same session for the application: it goes where it wanted to.
async fn already_inside(
    call: &Call<'_>,
    application: &Arc<ProtectedApplication>,
    ticket: &Ticket,
) -> Result<Option<Answer>, Why> {
    let session = call
        .application_session(|shown| shown.app.id == application.app.id)
        .await?;
    let same = session.is_some_and(|shown| *shown.session.nonce() == ticket.session);
    Ok(same.then(|| redirect(&ticket.landing.address(call.auth()))))
}
