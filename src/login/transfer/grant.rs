//! The person said yes: a session of its own for the program, tokens for it, and the box that carries them.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::request::{LIFE_SECONDS, TransferRefused, TransferRequest};
use crate::login::answer::Answer;
use crate::login::call::{Call, label};
use crate::login::failure::{Ended, Why};
use crate::login::leave_to_enter::take_up;
use crate::login::sign_in::{asks, install, new_nonce};
use crate::login::{authorized, mint, record};
use crate::model::identity::Identity;
use crate::model::ids::UserId;
use crate::pages::person::Approved;
use crate::session::table::{Cause, LiveSession};
use crate::snapshot::ProtectedApplication;
use crate::store::{Ending, NewSession, Transfer};

/// How long the box waits to be fetched: 5 minutes.
const KEPT_MS: i64 = 300_000;

/// What is in the box.
#[derive(Serialize)]
struct Tokens {
    app_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_token: Option<String>,
}

/// Makes the session, seals its tokens for the program's key and keeps them for one read.
pub(super) async fn grant(
    call: &Call<'_>,
    request: &TransferRequest,
    application: &ProtectedApplication,
    person: &LiveSession,
    duration: Duration,
) -> Result<Answer, Ended> {
    let login = call.login;
    let until_ms = (request.issued + LIFE_SECONDS) * 1000;
    if !login.store.spend(&request.spent_key(), until_ms).await? {
        return Err(TransferRefused::Used.into());
    }
    let session = branch(call, request, person).await?;
    match put(call, request, application, &session, duration).await {
        Ok(()) => {}
        // Nobody will ever hold a token of it.
        Err(ended) => {
            let ending = Ending::Session(session.nonce().clone());
            login.revoker.revoke(ending, Cause::Logout).await?;
            return Err(ended);
        }
    }
    let identity = session.identity().identity.clone();
    record::transferred(call, &request.landing, &request.agent, &identity).await;
    Ok(call.page(&Approved {
        app: label(application, &request.landing),
        agent: &request.agent,
        href: &request.landing.address(call.auth()),
    }))
}

/// A session of the same person under a key of its own, so that it is listed and ended alone. It lives no longer than
/// the one it is made from: approving is not signing in, and changes nothing of what is known of the person. It gets no
/// refresh token.
async fn branch(
    call: &Call<'_>,
    request: &TransferRequest,
    person: &LiveSession,
) -> Result<Arc<LiveSession>, Ended> {
    let login = call.login;
    // As at a login: whatever ends from here on refuses the session, and what ended before shows in `may_mint`.
    let asked = login.sessions.asking();
    let began_ms = call.now_ms();
    let head = login.store.head().await?;
    if !login.store.may_mint(person.nonce()).await? {
        return Err(Why::SessionOver.into());
    }
    let identity = person.identity().identity.clone();
    // Leave is read anew: what this gateway knows may have been taken back.
    let identity_of = |user: UserId| Identity {
        user,
        approvals: Vec::new(),
        ..(*identity).clone()
    };
    let waits_at = login.transfers.waits_at(&request.key);
    let new = NewSession {
        nonce: new_nonce()?,
        signs_in: false,
        provider: person.provider(),
        person: identity.person,
        email: identity.email.as_ref().map(|email| email.address.to_string()),
        name: identity.name.clone(),
        identity_of: &identity_of,
        provider_session: identity.provider_session.clone(),
        expires_ms: person.expires_ms(),
        address: waits_at.unwrap_or(call.visit.client),
        agent: Some(request.agent.to_string()),
        refresh_token_sealed: None,
        linkable: false,
        read_at: head.seq,
        began_ms,
        asks: &asks,
    };
    let session = install(call, asked, new).await?;
    take_up(call, &session).await?;
    Ok(session)
}

async fn put(
    call: &Call<'_>,
    request: &TransferRequest,
    application: &ProtectedApplication,
    session: &LiveSession,
    duration: Duration,
) -> Result<(), Ended> {
    let login = call.login;
    let aud = &application.app.aud;
    let Some(epoch) = login.store.minted_in(session.nonce(), aud).await? else {
        return Err(Why::SessionOver.into());
    };
    authorized::note(call, session, application).await;
    let identity = session.identity().identity.clone();
    let (organization, now) = (call.organization(), login.clock.now_seconds());
    let life = mint::Life { duration, epoch, now };
    let claims = mint::application(organization, &application.app, session, &identity, life);
    let app_token = login.signer.sign(&claims).await?;
    let exp = session.expires_ms().div_euclid(1000);
    let org_claims = mint::organization(organization, session.nonce(), &identity, now, exp)
        .filter(|_| request.organization);
    let org_token = match &org_claims {
        Some(claims) => Some(login.signer.sign(claims).await?),
        None => None,
    };
    let tokens = Tokens { app_token, org_token };
    // Two texts always have a JSON form.
    let plain = serde_json::to_vec(&tokens).unwrap_or_default();
    let boxed = request.key.seal(&plain).ok_or(TransferRefused::Key)?;
    let transfer = Transfer {
        body: boxed.body,
        service_key: boxed.service_key.to_string(),
    };
    let until_ms = call.now_ms() + KEPT_MS;
    let kept = login
        .store
        .put_transfer(&request.key.digest(), &transfer, until_ms)
        .await?;
    if !kept {
        return Err(TransferRefused::TooMany.into());
    }
    login.transfers.look_again();
    Ok(())
}
