//! A person has signed in at the provider: the session, its cookie, and the way to the application.

use std::sync::Arc;

use http::HeaderMap;
use http::header::USER_AGENT;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::answer::{Answer, redirect, set_cookie};
use super::call::{Call, label};
use super::evaluate::MaxAge;
use super::failure::{Ended, Who, Why};
use super::hand_over::{Judged, judge_anew, refuse, ticket_address};
use super::landing::Landing;
use super::state::{LoginPurpose, LoginState};
use super::step_up::{Station, Step, step_up};
use super::{launcher, mint, record, refresh};
use crate::crypto::random;
use crate::crypto::seal::Purpose;
use crate::entra::SignedIn;
use crate::model::identity::Identity;
use crate::model::idp::IdentityProvider;
use crate::model::ids::{SessionNonce, UserId};
use crate::model::scim::{GroupChange, is_linkable};
use crate::pages::person;
use crate::session::cookies;
use crate::session::table::{Asked, Cause, Found, LiveSession};
use crate::snapshot::{ProtectedApplication, read};
use crate::store::{Ending, NewSession, Position, ScimAtLogin, SessionInserted};

/// A login whose code has been redeemed.
pub(super) struct Signing<'c> {
    pub(super) state: &'c LoginState,
    pub(super) provider: &'c IdentityProvider,
    pub(super) signed_in: SignedIn,
    /// When the table of sessions was asked for the last ending before the code was redeemed.
    pub(super) asked: Asked,
    /// The newest change before the code was redeemed.
    pub(super) head: Position,
    /// When that was read, milliseconds since 1970.
    pub(super) began_ms: i64,
    /// The session this browser had until now.
    pub(super) previous: Option<Arc<LiveSession>>,
    /// The identity under it before the code was redeemed.
    pub(super) before: Option<Arc<Identity>>,
}

/// Makes the session and answers.
pub(super) async fn finish(call: &Call<'_>, signing: Signing<'_>) -> Result<Answer, Ended> {
    let (landing, transfer) = match &signing.state.purpose {
        LoginPurpose::Open(landing) => (Some(landing), None),
        LoginPurpose::Transfer(request) => (Some(&request.landing), Some(request)),
        LoginPurpose::Own(_) | LoginPurpose::Again(_) => (None, None),
        LoginPurpose::Refresh(nonce) => return refresh::finish(call, &signing, nonce).await,
        // The callback has handed it to the test; nobody is signed in by one, whatever happens there.
        LoginPurpose::Test { .. } => return Err(Why::NoSession.into()),
    };
    if let (Some(session), Some(landing)) = (stepped_up(&signing), landing) {
        let identity = read_anew(call, &signing, session).await?;
        record::signed_in(call, &identity, &signing.signed_in.email_steps);
        return to_application(call, signing.state, session, landing).await;
    }
    if let (LoginPurpose::Again(_), Some(session)) = (&signing.state.purpose, same_session(&signing)) {
        let identity = read_anew(call, &signing, session).await?;
        record::signed_in(call, &identity, &signing.signed_in.email_steps);
        record::entered(call, None, &identity).await;
        return Ok(launcher::arrive(call, signing.state));
    }
    let session = insert(call, &signing).await?;
    end_previous(call, signing.previous.as_ref()).await?;
    let identity = session.identity().identity.clone();
    record::signed_in(call, &identity, &signing.signed_in.email_steps);
    let mut answer = match (transfer, landing) {
        (None, Some(landing)) => to_application(call, signing.state, &session, landing).await?,
        (transfer, _) => {
            record::entered(call, None, &identity).await;
            match transfer {
                Some(request) => redirect(&request.after_login(session.nonce()).address(call)),
                None => launcher::arrive(call, signing.state),
            }
        }
    };
    set_cookie(&mut answer, organization_cookie(call, &session, &identity).await?);
    Ok(answer)
}

/// The session that asked for a stronger sign-in, if the same person comes back from it.
fn stepped_up<'s>(signing: &'s Signing<'_>) -> Option<&'s Arc<LiveSession>> {
    same_session(signing).filter(|_| !signing.state.contexts.is_empty())
}

/// The session that left for the provider, if the same person comes back from there. Somebody else gets a session of
/// their own, as after any login.
fn same_session<'s>(signing: &'s Signing<'_>) -> Option<&'s Arc<LiveSession>> {
    let session = signing.previous.as_ref()?;
    let same_session = signing.state.before.as_ref() == Some(session.nonce());
    let same_provider = session.provider() == signing.provider.id;
    let same_person = session.identity().identity.person == signing.signed_in.person;
    (same_session && same_provider && same_person).then_some(session)
}

/// Puts what the provider has just said under a live session of the same person: the next request is decided by it.
pub(super) async fn read_anew(
    call: &Call<'_>,
    signing: &Signing<'_>,
    session: &LiveSession,
) -> Result<Identity, Ended> {
    let fresh = identity(call, signing, session.user());
    let taken = match signing.provider.told() {
        Some(_) => {
            call.login
                .store
                .taken_lately(session.user(), signing.began_ms)
                .await?
        }
        None => Vec::new(),
    };
    let amend = |identity: &mut Identity| {
        let mut read = fresh.clone();
        read.carry_over(identity);
        // What the directory has said of groups and the address meanwhile is not this answer's to say.
        let before = signing.before.as_ref();
        if before.is_none_or(|before| before.groups != identity.groups) {
            read.groups = identity.groups.clone();
        } else {
            let taken = GroupChange::taking(&taken, &read.groups);
            if !taken.is_empty() {
                taken.apply(&mut read.groups);
            }
        }
        if before.is_none_or(|before| before.email != identity.email) {
            read.email.clone_from(&identity.email);
        }
        *identity = read;
    };
    Ok(call.amend(session, &amend).await?.ok_or(Why::SessionOver)?)
}

async fn insert(call: &Call<'_>, signing: &Signing<'_>) -> Result<Arc<LiveSession>, Ended> {
    let login = call.login;
    let now_ms = call.now_ms();
    let nonce = new_nonce()?;
    let signed_in = &signing.signed_in;
    let length = call.organization().session_duration.length().as_millis();
    let expires_ms = now_ms.saturating_add(i64::try_from(length).unwrap_or(i64::MAX));
    let refresh_token = signed_in.refresh_token.as_ref().map(|token| {
        let token = token.expose_secret().as_bytes();
        login
            .sealer
            .seal(Purpose::RefreshToken, nonce.as_str().as_bytes(), token, now_ms)
    });
    let identity_of = |user: UserId| identity(call, signing, user);
    let new = NewSession {
        nonce,
        signs_in: true,
        provider: signing.provider.id,
        person: signed_in.person,
        email: signed_in.email.as_ref().map(|email| email.address.to_string()),
        name: signed_in.name.clone(),
        identity_of: &identity_of,
        provider_session: signed_in.provider_session.clone(),
        expires_ms,
        address: call.visit.client,
        agent: agent(&call.parts.headers),
        refresh_token_sealed: refresh_token,
        linkable: is_linkable(signed_in.guest, signed_in.email.as_ref()),
        read_at: signing.head.seq,
        began_ms: signing.began_ms,
        asks: &asks,
    };
    install(call, signing.asked, new).await
}

/// What is asked of the directory's word, by a provider as the store has it. One that cannot be read is none of this
/// gateway's snapshot any more.
pub(super) fn asks(provider: &Value) -> Option<ScimAtLogin> {
    match read::directory_settings(provider) {
        Ok(told) => told.as_ref().map(ScimAtLogin::with),
        Err(_) => Some(ScimAtLogin::STRICTEST),
    }
}

/// The key of a session to come.
pub(super) fn new_nonce() -> Result<SessionNonce, Why> {
    let nonce = random::alphanumeric(16).parse();
    nonce.map_err(|_| Why::SessionsUnavailable)
}

/// Keeps a session in the store and here, unless something ended since the table was `asked` that ends it too.
pub(super) async fn install(
    call: &Call<'_>,
    asked: Asked,
    new: NewSession<'_>,
) -> Result<Arc<LiveSession>, Ended> {
    let login = call.login;
    let user = match login.store.insert_session(&new).await? {
        SessionInserted::Yes(user) => user,
        SessionInserted::Regrouped(user) => {
            login.effects.read_again(user.id);
            // The store knows which groups are left.
            return Ok(call.session(new.nonce).await?.ok_or(Why::EndedMeanwhile)?);
        }
        SessionInserted::UserEndedMeanwhile => return Err(Why::EndedMeanwhile.into()),
        SessionInserted::Deprovisioned => {
            let known = login.store.user_of(new.provider, new.person).await?;
            let person = Who {
                user: known.map(|user| user.id),
                email: new.email,
            };
            return Err(Ended::from(Why::Deprovisioned).of(person));
        }
    };
    let found = Found {
        nonce: new.nonce.clone(),
        user: user.id,
        provider: new.provider,
        expires_ms: new.expires_ms,
        last_use_ms: call.now_ms(),
        identity: (new.identity_of)(user.id),
        identity_version: 1,
        epochs: Vec::new(),
    };
    match login.sessions.install(asked, found) {
        Ok(session) => Ok(session),
        // Something ended since: the store knows whether it was this one.
        Err(_) => Ok(call.session(new.nonce).await?.ok_or(Why::EndedMeanwhile)?),
    }
}

/// The identity of a user as this login found it.
pub(super) fn identity(call: &Call<'_>, signing: &Signing<'_>, user: UserId) -> Identity {
    let signed_in = signing.signed_in.clone();
    Identity {
        user,
        person: signed_in.person,
        provider: signing.provider.id,
        email: signed_in.email,
        name: signed_in.name,
        given_name: signed_in.given_name,
        family_name: signed_in.family_name,
        guest: signed_in.guest,
        groups: signed_in.groups,
        amr: signed_in.amr,
        contexts_asked: signed_in.contexts.is_some(),
        contexts: signed_in.contexts.unwrap_or_default(),
        claims: signed_in.claims,
        claims_asked: signing.provider.entra.claims.clone(),
        provider_session: signed_in.provider_session,
        login_hint: signed_in.login_hint,
        address: call.visit.client,
        country: call.visit.facts.country.map(String::from),
        at: call.login.clock.now(),
        evaluations: Vec::new(),
        justifications: Vec::new(),
        approvals: Vec::new(),
    }
}

/// One browser, one session: signing out must leave nothing of this browser's alive, whoever it was before.
async fn end_previous(call: &Call<'_>, previous: Option<&Arc<LiveSession>>) -> Result<(), Why> {
    if let Some(previous) = previous {
        let ending = Ending::Session(previous.nonce().clone());
        call.login.revoker.revoke(ending, Cause::Logout).await?;
    }
    Ok(())
}

async fn to_application(
    call: &Call<'_>,
    state: &LoginState,
    session: &Arc<LiveSession>,
    landing: &Landing,
) -> Result<Answer, Ended> {
    let application = call.application_at(landing).ok_or(Why::NoApplication)?;
    let judged = judge_anew(call, &application, session, landing, MaxAge::Beginning).await?;
    let identity = session.identity().identity.clone();
    match judged {
        Judged::Enters(_) => {
            record::entered(call, Some(landing), &identity).await;
            let next = ticket_address(call, session, landing.clone());
            Ok(onward(call, state, &application, landing, &next))
        }
        Judged::Open => {
            record::entered(call, Some(landing), &identity).await;
            let next = landing.address(call.auth());
            Ok(onward(call, state, &application, landing, &next))
        }
        Judged::Refused(refusal) => Ok(refuse(call, &application, session, landing, &refusal).await),
        Judged::Needs(need) => {
            let station = Station::Callback(state);
            let step = step_up(call, &application, session, landing, &need, station).await?;
            if matches!(step, Step::Asks(_)) {
                record::entered(call, None, &identity).await;
            }
            Ok(step.answer())
        }
        Judged::OtherProvider => Err(Why::NoProvider.into()),
    }
}

/// By redirect, or by the page that gives the fragment back.
fn onward(
    call: &Call<'_>,
    state: &LoginState,
    application: &ProtectedApplication,
    landing: &Landing,
    next: &str,
) -> Answer {
    let Some(flow) = &state.flow else {
        return redirect(next);
    };
    call.page(&person::Landing {
        app: Some(label(application, landing)),
        flow,
        next,
    })
}

async fn organization_cookie(
    call: &Call<'_>,
    session: &LiveSession,
    identity: &Identity,
) -> Result<Option<http::HeaderValue>, Why> {
    let now = call.login.clock.now_seconds();
    let exp = session.expires_ms().div_euclid(1000);
    let Some(claims) = mint::organization(call.organization(), session.nonce(), identity, now, exp) else {
        return Ok(None);
    };
    let token = call.login.signer.sign(&claims).await?;
    Ok(cookies::set_organization(
        call.auth(),
        &token,
        exp.saturating_sub(now),
    ))
}

/// What the browser calls itself, for the list of a person's sessions. Anything longer is no browser's name.
fn agent(headers: &HeaderMap) -> Option<String> {
    const LONGEST: usize = 256;
    let agent = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(agent.chars().take(LONGEST).collect())
}
