//! From a live session to an application: what its policies say, and the ticket that carries the session there.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, redirect};
use super::call::{Call, label};
use super::challenge::because;
use super::landing::Landing;
use super::record;
use super::ticket::Ticket;
use super::visit::Place;
use crate::pages::person::Refused;
use crate::policy::{Nature, Refusal, StepUp, Verdict};
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

/// Asks the application's policies about a session, as they stand now.
pub(super) fn judge(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &LiveSession,
    landing: &Landing,
) -> Judged {
    let allowed = &application.app.allowed_idps;
    let provider = session.provider();
    if !(allowed.is_empty() || allowed.contains(&provider))
        || !call.snapshot.providers.contains_key(&provider)
    {
        return Judged::OtherProvider;
    }
    let outcomes = application.policies.outcomes(&session.identity().identity);
    let mut facts = call.visit.facts(call.now_ms());
    if call.visit.place == Place::AuthHost {
        facts.certificate = landing.certificate.certificate();
    }
    match application.policies.decide(Some(&outcomes), &facts) {
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

/// Sends the browser to the application's host with a ticket for the session.
pub(super) fn hand_over(call: &Call<'_>, session: &LiveSession, landing: Landing) -> Answer {
    redirect(&ticket_address(call, session, landing))
}

/// The address that [`hand_over`] sends the browser to.
pub(super) fn ticket_address(call: &Call<'_>, session: &LiveSession, landing: Landing) -> String {
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
    let identity = session.identity().identity.clone();
    record::refused(call, application, landing, &identity, refusal).await;
    let another = call.login_address(landing, "&prompt=select_account");
    call.page(&Refused {
        app: label(application, landing),
        who: Some(identity.label()),
        because: because(application, Some(&identity), refusal),
        note: application.app.custom_deny_message.as_deref(),
        another_account: Some(&another),
    })
}
