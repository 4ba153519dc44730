//! The page that asks the person, and what the person says: `GET` and `POST auth/cdn-cgi/access/transfer`.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::NAME;
use super::begin::opened_by_a_person;
use super::grant::grant;
use super::request::{Consent, TransferRefused, TransferRequest};
use crate::login::answer::{Answer, redirect};
use crate::login::call::{Call, label};
use crate::login::evaluate::MaxAge;
use crate::login::failure::{Ended, Why};
use crate::login::hand_over::{Judged, judge_anew, refuse};
use crate::login::own_page::sent_by_our_page;
use crate::login::provider::{ANOTHER_ACCOUNT, Choosing, wants_another_account};
use crate::login::query::Query;
use crate::login::start::goes_straight_on;
use crate::login::state::LoginPurpose;
use crate::login::step_up::{Station, step_up};
use crate::model::idp::Prompt;
use crate::pages::person::Approve;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// Characters of the key that are shown for programs without a code: 48 bits.
const KEY_START: usize = 8;

/// Asks the person, or does what the person said.
pub(in crate::login) async fn approve(call: &Call<'_>) -> Result<Answer, Ended> {
    match call.parts.method {
        Method::GET | Method::HEAD => ask(call).await,
        Method::POST => said_yes(call).await,
        _ => Err(Why::Method.into()),
    }
}

async fn ask(call: &Call<'_>) -> Result<Answer, Ended> {
    if !opened_by_a_person(&call.parts.headers) {
        return Err(Why::CrossSite.into());
    }
    let text = call.query.value("request").ok_or(TransferRefused::Foreign)?;
    let request = TransferRequest::open(text, &call.login.sealer, &call.login.clock)?;
    let landing = request.landing.clone();
    let ended = |ended: Ended| ended.on_the_way_to(&landing);
    match look(call, &request).await.map_err(ended)? {
        Standing::MayAsk {
            application, session, ..
        } => Ok(page(call, &request, &application, &session)),
        Standing::Elsewhere(answer) => Ok(answer),
    }
}

async fn said_yes(call: &Call<'_>) -> Result<Answer, Ended> {
    if !sent_by_our_page(&call.parts.headers, call.auth().origin()) {
        return Err(Why::CrossSite.into());
    }
    let form = std::str::from_utf8(call.form).map_err(|_| TransferRefused::Foreign)?;
    let form = Query::parse(Some(form))?;
    let text = form.value("consent").ok_or(TransferRefused::Foreign)?;
    let consent = Consent::open(text, &call.login.sealer, &call.login.clock)?;
    let request = consent.request;
    let landing = request.landing.clone();
    let ended = |ended: Ended| ended.on_the_way_to(&landing);
    match look(call, &request).await.map_err(ended)? {
        Standing::MayAsk {
            application,
            session,
            duration,
        } => {
            if *session.nonce() != consent.session {
                return Err(TransferRefused::Foreign.into()); // shown to another person, or before a new login
            }
            grant(call, &request, &application, &session, duration)
                .await
                .map_err(ended)
        }
        Standing::Elsewhere(answer) => Ok(answer),
    }
}

/// How a request stands in this browser.
enum Standing {
    /// The person at it may approve it; a token for the application would live this long.
    MayAsk {
        application: Arc<ProtectedApplication>,
        session: Arc<LiveSession>,
        duration: Duration,
    },
    /// Something else comes first, or instead.
    Elsewhere(Answer),
}

async fn look(call: &Call<'_>, request: &TransferRequest) -> Result<Standing, Ended> {
    let landing = &request.landing;
    let application = call
        .snapshot
        .applications
        .get(&landing.app)
        .filter(|application| call.is_on(&landing.host, application))
        .cloned()
        .ok_or(Why::NoApplication)?;
    let elsewhere = |answer| Ok(Standing::Elsewhere(answer));
    let another_account = wants_another_account(call);
    let session = call.organization_session().await?;
    let Some(session) = session.filter(|session| !another_account && is_enough(call, request, session))
    else {
        return sign_in(call, request, &application).await.and_then(elsewhere);
    };
    match judge_anew(call, &application, &session, landing, MaxAge::Beginning).await? {
        Judged::Enters(duration) => Ok(Standing::MayAsk {
            application,
            session,
            duration,
        }),
        // Nobody needs a token there.
        Judged::Open => elsewhere(redirect(&landing.address(call.auth()))),
        Judged::OtherProvider => sign_in(call, request, &application).await.and_then(elsewhere),
        // What is found out on the way is kept with the person's session; the program asks again afterwards.
        Judged::Needs(need) => {
            let step = step_up(call, &application, &session, landing, &need, Station::LoginPage).await?;
            elsewhere(step.answer())
        }
        Judged::Refused(refusal) => elsewhere(refuse(call, &application, &session, landing, &refusal).await),
    }
}

/// Whether a live session will do. A program's session is a new sign-in: where the provider is set to ask the person at
/// each of them (`prompt`), it is asked, and only the session of that very login counts.
fn is_enough(call: &Call<'_>, request: &TransferRequest, session: &LiveSession) -> bool {
    let provider = call.snapshot.providers.get(&session.provider());
    let asks_each_time = provider
        .is_some_and(|provider| matches!(provider.entra.prompt, Some(Prompt::Login | Prompt::SelectAccount)));
    !asks_each_time || request.fresh.as_ref() == Some(session.nonce())
}

async fn sign_in(
    call: &Call<'_>,
    request: &TransferRequest,
    application: &ProtectedApplication,
) -> Result<Answer, Ended> {
    let choosing = Choosing {
        app: Some(label(application, &request.landing)),
        providers: &call.providers_of(application),
        straight_on: goes_straight_on(call, application),
        last: None,
        purpose: LoginPurpose::Transfer(Box::new(request.clone())),
    };
    choosing
        .go(call, |choice| format!("{}&{choice}", request.address(call)))
        .await
}

fn page(
    call: &Call<'_>,
    request: &TransferRequest,
    application: &ProtectedApplication,
    session: &LiveSession,
) -> Answer {
    let login = call.login;
    let identity = session.identity().identity.clone();
    let consent = Consent {
        request: request.clone(),
        session: session.nonce().clone(),
    };
    let key = request.key.to_string();
    let waits_at = login
        .transfers
        .waits_at(&request.key)
        .map(|address| address.to_string());
    call.page(&Approve {
        app: label(application, &request.landing),
        who: identity.label(),
        agent: &request.agent,
        code: &request.key.code(),
        key_start: key.get(..KEY_START).unwrap_or(&key),
        here: &call.visit.client.to_string(),
        waits_at: waits_at.as_deref(),
        everything: request.organization,
        consent: &consent.seal(&login.sealer, &login.clock),
        action: &format!("/cdn-cgi/access/{NAME}"),
        another_account: &(request.address(call) + ANOTHER_ACCOUNT),
    })
}
