//! Temporary access: the person asks, approvers agree, and for a time the application opens (Access: temporary
//! authentication).

use std::sync::Arc;

use uuid::Uuid;

use super::answer::{Answer, see_other};
use super::approvers;
use super::call::{Call, label};
use super::failure::{Ended, Why};
use super::form;
use super::reason::{About, Asking, ask, policy_of, reason, sent};
use crate::mail::Mail;
use crate::model::identity::Identity;
use crate::model::time::ms_to_the_minute;
use crate::pages::person::{Before, LENGTHS, Waiting};
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;
use crate::store::{ApprovalRequest, ApprovalState, REQUEST_LIFE_MS};

/// The name of the form, and of its address below `/cdn-cgi/access/`.
pub(super) const NAME: &str = "approval";

/// Requests of one person in a day, over all applications.
const MOST_A_DAY: i64 = 20;
/// Leave is never given for longer than a day (Access: up to 24 hours).
const MOST_MINUTES: i64 = 24 * 60;
/// A refusal is shown for an hour; after that asking begins anew.
const REFUSAL_SHOWN_MS: i64 = 3_600_000;

/// What a person sees who needs leave: the way in, where it has been given; the page that waits; or the one that asks.
pub(super) async fn ask_or_wait(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &Arc<LiveSession>,
    about: &About,
) -> Result<Answer, Ended> {
    let known = newest(call, application, session, about).await?;
    let now_ms = call.now_ms();
    let asked = |before| ask(call, Asking::Leave, application, session, about, before, None);
    let Some(request) = known else {
        return Ok(asked(Before::Nothing));
    };
    Ok(match request.state {
        ApprovalState::Granted if request.until_ms.is_some_and(|until| until > now_ms) => {
            // It began after leave was given.
            take_up(call, session).await?;
            see_other(&call.login_address(&about.landing, ""))
        }
        ApprovalState::Waiting if now_ms - request.created_ms < REQUEST_LIFE_MS => {
            waiting(call, application, about, &request)
        }
        ApprovalState::Refused if now_ms - request.created_ms < REFUSAL_SHOWN_MS => asked(Before::Refused),
        ApprovalState::Granted | ApprovalState::Withdrawn => asked(Before::Ended),
        ApprovalState::Refused | ApprovalState::Waiting => asked(Before::Nothing),
    })
}

/// Takes the request that a person sends.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    let session = sent(call).await?;
    let (fields, about) = form::open::<About>(call, NAME, &session)?;
    let application = call.application_at(&about.landing).ok_or(Why::NoApplication)?;
    let again = |before, written| {
        ask(
            call,
            Asking::Leave,
            &application,
            &session,
            &about,
            before,
            written,
        )
    };
    let written = fields.value("reason").unwrap_or_default();
    let minutes: Option<i64> = fields.value("minutes").and_then(|minutes| minutes.parse().ok());
    // The page offers lengths to choose from: another one was not written by it.
    let minutes = minutes
        .filter(|minutes| (1..=MOST_MINUTES).contains(minutes))
        .ok_or(Why::Form)?;
    let Some(reason) = reason(written) else {
        return Ok(again(Before::Unfit, Some(written)));
    };
    let identity = session.identity().identity.clone();
    let now_ms = call.now_ms();
    let store = &call.login.store;
    let today = store.approval_requests_since(session.user(), now_ms - REQUEST_LIFE_MS);
    if today.await.map_err(Why::from)? >= MOST_A_DAY {
        return Ok(again(Before::TooOften, Some(written)));
    }
    let request = ApprovalRequest {
        id: Uuid::new_v4(),
        user: session.user(),
        person: identity.person,
        address: identity.email.as_ref().map(|email| email.address.to_string()),
        email: identity.trusted_email().map(ToString::to_string),
        name: Some(identity.label_for_others()),
        app: application.app.id,
        policy: about.policy,
        reason,
        length_ms: minutes * 60_000,
        created_ms: now_ms,
        state: ApprovalState::Waiting,
        until_ms: None,
    };
    if store.request_approval(&request).await.map_err(Why::from)? {
        tracing::info!(
            request.id = %call.request_id, user.id = %request.user, application = %application.app.name,
            approval = %request.id, minutes, "Leave to enter is asked for"
        );
        tell_approvers(call, &application, &request, &identity);
    }
    Ok(see_other(&call.login_address(&about.landing, "")))
}

fn waiting(
    call: &Call<'_>,
    application: &ProtectedApplication,
    about: &About,
    request: &ApprovalRequest,
) -> Answer {
    call.page(&Waiting {
        app: label(application, &about.landing),
        since: &ms_to_the_minute(request.created_ms),
        mailed: call.login.mailer.was_taken(request.id),
        again: &about.landing.address(call.auth()),
    })
}

async fn newest(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &LiveSession,
    about: &About,
) -> Result<Option<ApprovalRequest>, Why> {
    let store = &call.login.store;
    Ok(store
        .approval_request_of(session.user(), application.app.id, about.policy)
        .await?)
}

/// Gives a session the leave that its person has, as the store knows it at that moment.
pub(super) async fn take_up(call: &Call<'_>, session: &LiveSession) -> Result<(), Why> {
    let store = &call.login.store;
    let amended = store.take_up_leave(session.user(), session.nonce()).await?;
    call.login.sessions.take_over(amended);
    Ok(())
}

fn tell_approvers(
    call: &Call<'_>,
    application: &ProtectedApplication,
    request: &ApprovalRequest,
    identity: &Identity,
) {
    let Some(policy) = policy_of(application, request.policy) else {
        return;
    };
    let length = LENGTHS
        .iter()
        .find(|(minutes, _)| minutes * 60_000 == request.length_ms)
        .map_or_else(
            || format!("{} minutes", request.length_ms / 60_000),
            |(_, words)| (*words).to_owned(),
        );
    let who = identity.label_for_others();
    // Nobody decides about themself: in the launcher nothing waits for them.
    let others = approvers::of(&call.snapshot, policy).into_iter();
    for to in others.filter(|to| !request.is_from_address(to.as_str())) {
        call.login.mailer.send(Mail {
            to: to.to_string(),
            subject: format!("{who} asks to open {}", application.app.name),
            paragraphs: vec![
                format!("{who} asks to open {} for {length}.", application.app.name),
                format!("The reason given: {}", request.reason),
                "Sign in to agree or decline.".to_owned(),
            ],
            link: Some((
                "Requests waiting for you".to_owned(),
                call.auth()
                    .address(&format!("/cdn-cgi/access/{}", approvers::NAME)),
            )),
            about: Some(request.id),
        });
    }
}
