//! From a live session to an application: what its policies say, and the ticket that carries the session there.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, redirect};
use super::call::{Call, label};
use super::challenge::because;
use super::denial::Denied;
use super::evaluate::{self, MaxAge};
use super::failure::Ended;
use super::landing::Landing;
use super::provider::ANOTHER_ACCOUNT;
use super::record;
use super::requirements::requirements;
use super::ticket::Ticket;
use super::visit::Place;
use crate::manage::name_groups;
use crate::pages::person::{Because, Refused};
use crate::policy::{Nature, Refusal, RequestFacts, StepUp, Verdict, explain, failing};
use crate::session::door;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// What an application says to a session.
pub(super) enum Judged {
    /// It may enter; an application token lives this long.
    Enters(Duration),
    /// No token is needed: a policy lets the request in whoever asks.
    Open,
    /// Its provider is not one of the application's: another login is needed.
    OtherProvider,
    /// It could once something more is known of the person.
    Needs(StepUp),
    /// It may not.
    Refused(Refusal),
}

/// Asks the application's policies about a session, as they stand now, once everything has been found out that can be
/// without the person. External evaluations older than `max_age` are asked for again.
pub(super) async fn judge_anew(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &LiveSession,
    landing: &Landing,
    max_age: MaxAge,
) -> Result<Judged, Ended> {
    evaluate::gather(call, application, session, max_age).await?;
    let judged = judge(call, application, session, Some(landing));
    if !matches!(judged, Judged::Needs(_)) {
        return Ok(judged);
    }
    // Before anybody is bothered: another replica may have found it out a moment ago.
    let row = call.login.store.session(session.nonce()).await?;
    match row {
        Some(row) if row.identity != *session.identity().identity => {
            call.login
                .sessions
                .replace_identity(session.nonce(), row.identity, row.identity_version);
            Ok(judge(call, application, session, Some(landing)))
        }
        _ => Ok(judged),
    }
}

/// Asks an application's policies about a session, by what is known of the person already.
pub(super) fn judge(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &LiveSession,
    landing: Option<&Landing>,
) -> Judged {
    let (provider, identity) = (session.provider(), session.identity());
    let Some(outcomes) = door::outcomes(&call.snapshot, application, provider, &identity.identity) else {
        return Judged::OtherProvider;
    };
    let facts = facts(call, landing);
    match door::decide(application, None, Some(&outcomes), &facts) {
        Verdict::Permit(permit) if permit.nature() != Nature::Identity => Judged::Open,
        Verdict::Permit(permit) => {
            let duration = permit
                .session_duration()
                .unwrap_or(&application.app.session_duration);
            Judged::Enters(duration.length())
        }
        // Policies that ask for an identity have been given one; who is still asked is let in by none of them.
        Verdict::SignIn => Judged::OtherProvider,
        Verdict::StepUp(step_up) => Judged::Needs(step_up),
        Verdict::Refuse(refusal) => Judged::Refused(refusal),
    }
}

/// What policies may ask about the request now. On the auth host nothing is known of the browser's certificate but what
/// the landing carries.
fn facts(call: &Call<'_>, landing: Option<&Landing>) -> RequestFacts {
    let mut facts = call.visit.facts(call.now_ms());
    if call.visit.place == Place::AuthHost {
        facts.certificate = landing
            .map(|landing| landing.certificate.certificate())
            .unwrap_or_default();
    }
    facts
}

/// Sends the browser to the application's host with a ticket for the session, and writes down that it enters.
pub(super) async fn hand_over(call: &Call<'_>, session: &LiveSession, landing: Landing) -> Answer {
    let identity = session.identity().identity.clone();
    record::entered(call, Some(&landing), &identity).await;
    redirect(&ticket_address(call, session, landing))
}

/// The address that [`hand_over`] sends the browser to. The launcher is where the session is already: it takes no ticket.
pub(super) fn ticket_address(call: &Call<'_>, session: &LiveSession, landing: Landing) -> String {
    if landing.host == *call.auth().host() {
        return landing.address(call.auth());
    }
    let login = call.login;
    Ticket::new(session.nonce().clone(), landing, &login.clock).address(
        call.auth(),
        &login.sealer,
        &login.clock,
    )
}

/// The page of somebody whom the policies do not let in, with the way to sign in as somebody else.
pub(super) async fn refuse(
    call: &Call<'_>,
    application: &Arc<ProtectedApplication>,
    session: &LiveSession,
    landing: &Landing,
    refusal: &Refusal,
) -> Answer {
    let because = because(application, Some(&session.identity().identity), refusal);
    refuse_because(call, application, session, landing, refusal, because).await
}

/// As [`refuse`], where it is known better what was missing.
pub(super) async fn refuse_because(
    call: &Call<'_>,
    application: &Arc<ProtectedApplication>,
    session: &LiveSession,
    landing: &Landing,
    refusal: &Refusal,
    because: Because<'_>,
) -> Answer {
    let another = call.login_address(landing, ANOTHER_ACCOUNT);
    refuse_offering(call, application, session, landing, (refusal, because), &another).await
}

/// As [`refuse_because`], with another address at which one signs in as somebody else.
pub(super) async fn refuse_offering(
    call: &Call<'_>,
    application: &Arc<ProtectedApplication>,
    session: &LiveSession,
    landing: &Landing,
    (refusal, because): (&Refusal, Because<'_>),
    another_account: &str,
) -> Answer {
    let identity = session.identity().identity.clone();
    let mut explanation = explain(
        &application.policy_docs,
        application.policies.referents(),
        Some(&identity),
        &facts(call, Some(landing)),
    );
    if let Err(error) = name_groups(&call.login.store, &mut explanation).await {
        tracing::warn!(request.id = %call.request_id, %error, "What groups are called could not be looked up");
    }
    record::refused(call, application, landing, &identity, (refusal, &explanation)).await;
    let denied = Denied {
        application,
        headers: &call.parts.headers,
        asked: &landing.address(call.auth()),
        failing: failing(&explanation, refusal),
        request_id: &call.request_id,
    };
    // What trying again may change, only our own page tells.
    if !because.may_change()
        && let Some(answer) = denied.answer()
    {
        return answer;
    }
    let again = landing.address(call.auth());
    let asked = requirements(&call.snapshot, application, refusal, || &explanation);
    call.page(&Refused {
        app: label(application, landing),
        who: Some(identity.label()),
        because,
        requirements: &asked,
        note: application.app.custom_deny_message.as_deref(),
        again: because.may_change().then_some(again.as_str()),
        another_account: Some(another_account),
    })
}
