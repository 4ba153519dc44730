//! The way back from the identity provider: `GET auth/cdn-cgi/access/callback`.
//!
//! In this order: the parameters, the seal of `state`, the browser it was made for, the provider's error, and only then
//! the code. A login is spent before its code is redeemed, and what ended while it was under way refuses it.

use std::sync::Arc;

use http::Method;
use secrecy::SecretString;

use super::answer::{Answer, redirect};
use super::call::Call;
use super::evaluate::MaxAge;
use super::failure::{Ended, Why};
use super::hand_over::{Judged, hand_over, judge_anew};
use super::leave::{Leaving, leave};
use super::sign_in::{self, Signing};
use super::state::{LIFE_SECONDS, LoginPurpose, LoginState, StateRefused};
use super::{directory, launcher, test_idp};
use crate::entra::errors::{Class, EntraError, read_callback_error};
use crate::entra::{Redemption, SignedIn};
use crate::model::idp::{IdentityProvider, Prompt};
use crate::session::cookies;
use crate::session::table::LiveSession;

/// Answers the callback.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    if call.parts.method != Method::GET {
        return Err(Why::Method.into());
    }
    let state = open(call)?;
    let ended = |ended: Ended| {
        let ended = ended.at(state.provider);
        if state.is_test() {
            return ended.of_a_test(test_idp::forgets_browser(call, &state));
        }
        match state.landing() {
            Some(landing) => ended.on_the_way_to(landing),
            None => ended,
        }
    };
    come_back(call, &state).await.map_err(ended)
}

fn open(call: &Call<'_>) -> Result<LoginState, Ended> {
    let login = call.login;
    let text = call.query.value("state").ok_or(Why::StateMissing)?;
    LoginState::open(text, &login.sealer, &login.clock).map_err(|refused| {
        let StateRefused::Expired(state) = &refused else {
            return refused.into();
        };
        let (landing, is_test) = (state.landing().cloned(), state.is_test());
        let forgets_browser = is_test && test_idp::forgets_browser(call, state);
        let ended = Ended::from(refused);
        match landing {
            Some(landing) => ended.on_the_way_to(&landing),
            None if is_test => ended.of_a_test(forgets_browser),
            None => ended,
        }
    })
}

/// Whether a login comes back to the browser that began it.
pub(super) fn is_its_browser(call: &Call<'_>, state: &LoginState) -> bool {
    let name = cookies::session_name(call.auth());
    state
        .browser
        .is_of_any(cookies::values(&call.parts.headers, name))
}

async fn come_back(call: &Call<'_>, state: &LoginState) -> Result<Answer, Ended> {
    let session = call.organization_session().await?;
    if !is_its_browser(call, state) {
        return already_signed_in(call, state, session.as_ref())
            .await?
            .ok_or(Why::ForeignBrowser.into());
    }
    let provider = call
        .snapshot
        .providers
        .get(&state.provider)
        .ok_or(Why::NoProvider)?;
    // Before anything is done that a login leaves behind.
    if state.is_test() {
        return test_idp::come_back(call, state, provider).await;
    }
    if let Some(error) = call.parts.uri.query().and_then(read_callback_error) {
        return stopped(call, state, provider, error).await;
    }
    let code = code_from(call, provider)?;
    // Another tab signed in while this one was at the provider: its session serves this one too.
    if session
        .as_ref()
        .is_some_and(|session| state.before.as_ref() != Some(session.nonce()))
        && let Some(answer) = already_signed_in(call, state, session.as_ref()).await?
    {
        return Ok(answer);
    }
    // Read before the code is redeemed: whatever ends from here on refuses the session.
    let asked = call.login.sessions.asking();
    let began_ms = call.now_ms();
    let head = call.login.store.head().await?;
    let before = session
        .as_ref()
        .map(|session| Arc::clone(&session.identity().identity));
    let until_ms = (state.issued + LIFE_SECONDS) * 1000;
    if !call.login.store.spend(&state.spent_key(), until_ms).await? {
        return already_signed_in(call, state, session.as_ref())
            .await?
            .ok_or(Why::StateUsed.into());
    }
    match redeem(call, state, provider, code).await {
        Ok(mut signed_in) => {
            directory::complete(call, provider, &mut signed_in).await?;
            let signing = Signing {
                state,
                provider,
                signed_in,
                asked,
                head,
                began_ms,
                previous: session,
                before,
            };
            sign_in::finish(call, signing).await
        }
        Err(error) => stopped(call, state, provider, error).await,
    }
}

/// The authorization code of the address, if it is this provider's.
pub(super) fn code_from<'c>(call: &'c Call<'_>, provider: &IdentityProvider) -> Result<&'c str, Why> {
    let code = call.query.value("code").ok_or(Why::NoCode)?;
    let issuer = call.query.value("iss"); // RFC 9207 §2.4; Entra sends none
    if issuer.is_some_and(|issuer| issuer != issuer_of(provider)) {
        return Err(Why::OtherIssuer);
    }
    Ok(code)
}

/// Redeems the code for who signed in.
pub(super) async fn redeem(
    call: &Call<'_>,
    state: &LoginState,
    provider: &IdentityProvider,
    code: &str,
) -> Result<SignedIn, EntraError> {
    let redemption = Redemption {
        code: SecretString::from(code),
        redirect_uri: state.redirect_uri.clone(),
        nonce: state.nonce.clone(),
        pkce_verifier: state.verifier.as_deref().map(SecretString::from),
        challenge_answered: state.second,
    };
    call.login.relying_party.finish(provider, &redemption).await
}

/// The second finish of a login (reloaded, gone back to, another tab) needs no code where a session is alive that the
/// application takes. Nothing is gained by it: the session is the browser's own.
async fn already_signed_in(
    call: &Call<'_>,
    state: &LoginState,
    session: Option<&Arc<LiveSession>>,
) -> Result<Option<Answer>, Ended> {
    let Some(session) = session else {
        return Ok(None);
    };
    if let LoginPurpose::Own(_) | LoginPurpose::Again(_) = state.purpose {
        return Ok(Some(launcher::arrive(call, state)));
    }
    let Some(landing) = state.landing() else {
        return Ok(None);
    };
    if let LoginPurpose::Transfer(request) = &state.purpose {
        return Ok(Some(redirect(&request.address(call))));
    }
    let Some(application) = call.application_at(landing) else {
        return Ok(None);
    };
    Ok(
        match judge_anew(call, &application, session, landing, MaxAge::Beginning).await? {
            Judged::Enters(_) => Some(hand_over(call, session, landing.clone()).await),
            Judged::Open | Judged::Needs(_) | Judged::OtherProvider | Judged::Refused(_) => None,
        },
    )
}

/// The provider stopped the login. What a person can mend by signing in with their own hands is tried once. A stronger
/// sign-in that it stopped was already in the person's hands, and is not asked for again.
async fn stopped(
    call: &Call<'_>,
    state: &LoginState,
    provider: &Arc<IdentityProvider>,
    error: EntraError,
) -> Result<Answer, Ended> {
    match again(call, state, provider, &error) {
        Some(leaving) => leave(call, leaving).await,
        None => Err(error.into()),
    }
}

/// The one interactive login that may follow one that the provider stopped, where it may help.
pub(super) fn again<'p>(
    call: &Call<'_>,
    state: &LoginState,
    provider: &'p Arc<IdentityProvider>,
    error: &EntraError,
) -> Option<Leaving<'p>> {
    let (helps, claims) = match error {
        EntraError::ClaimsChallenge(claims) => (true, Some(claims.clone())),
        EntraError::Refused(answer) => (answer.interaction_may_help(), answer.claims.clone()),
        other => (other.class() == Class::Interactive, None),
    };
    if !helps || state.second || !state.contexts.is_empty() {
        return None;
    }
    tracing::info!(request.id = %call.request_id, provider.id = %provider.id, "One interactive login follows: {error}");
    let silent = provider.entra.prompt == Some(Prompt::None);
    Some(Leaving {
        // Anything but `none`; the picker asks for no more than the provider needs.
        prompt: silent.then_some(Prompt::SelectAccount),
        claims,
        second: true,
        flow: state.flow.clone(),
        ..Leaving::new(provider, state.purpose.clone())
    })
}

/// `iss` of the provider (OpenID Connect Discovery).
pub(super) fn issuer_of(provider: &IdentityProvider) -> String {
    let login = provider.entra.cloud.login.as_str().trim_end_matches('/');
    format!("{login}/{}/v2.0", provider.entra.directory_id)
}
