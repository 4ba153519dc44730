//! The browser leaves for the identity provider.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use secrecy::ExposeSecret as _;

use super::answer::{Answer, redirect, set_cookie};
use super::call::{Call, label};
use super::failure::Ended;
use super::fingerprint::Fingerprint;
use super::return_path::ReturnPath;
use super::state::{LIFE_SECONDS, LoginPurpose, LoginState};
use crate::crypto::random;
use crate::entra::{AuthorizationRequest, pkce};
use crate::model::idp::{IdentityProvider, Prompt};
use crate::pages::person::Carry;
use crate::session::table::LiveSession;
use crate::session::{cookies, identify};

/// A login about to begin.
pub(super) struct Leaving<'p> {
    pub(super) provider: &'p Arc<IdentityProvider>,
    pub(super) purpose: LoginPurpose,
    /// Instead of the provider's own `prompt`.
    pub(super) prompt: Option<Prompt>,
    /// A `claims` parameter to be replayed unchanged.
    pub(super) claims: Option<String>,
    /// Authentication contexts asked for on this way, the one asked for now last.
    pub(super) contexts: Vec<String>,
    /// The live session that is to know more of its person; else the one whose token the browser shows.
    pub(super) session: Option<&'p LiveSession>,
    /// Whether this is the one interactive login that follows a failed silent one.
    pub(super) second: bool,
    /// The name under which the browser keeps the fragment already.
    pub(super) flow: Option<String>,
}

impl<'p> Leaving<'p> {
    /// A first login at a provider.
    pub(super) fn new(provider: &'p Arc<IdentityProvider>, purpose: LoginPurpose) -> Self {
        Self {
            provider,
            purpose,
            prompt: None,
            claims: None,
            contexts: Vec::new(),
            session: None,
            second: false,
            flow: None,
        }
    }
}

/// Sends the browser to the provider.
///
/// A page that a person navigated to may have a fragment, which only the browser knows and which Microsoft's page would
/// lose: there the answer is a small page that keeps it and goes on. All other clients get the redirect.
pub(super) async fn leave(call: &Call<'_>, leaving: Leaving<'_>) -> Result<Answer, Ended> {
    let login = call.login;
    let auth = call.auth();
    let provider = leaving.provider;
    let browser = browser(call);
    let challenge = provider.entra.pkce_enabled.then(pkce);
    let nonce = random::alphanumeric(32);
    let keeps_fragment = leaving.flow.is_none()
        && !matches!(
            leaving.purpose,
            LoginPurpose::Transfer(_) | LoginPurpose::Test { .. }
        )
        && navigates(&call.parts.method, &call.parts.headers);
    let flow = leaving
        .flow
        .or_else(|| keeps_fragment.then(|| random::alphanumeric(16)));
    let redirect_uri = auth.callback();
    let landing = match &leaving.purpose {
        LoginPurpose::Open(landing) => Some(landing.clone()),
        LoginPurpose::Transfer(request) => Some(request.landing.clone()),
        LoginPurpose::Refresh(_)
        | LoginPurpose::Own(_)
        | LoginPurpose::Again(_)
        | LoginPurpose::Test { .. } => None,
    };
    let asks_for_context = !leaving.contexts.is_empty();
    let cookie = match leaving.purpose {
        // A test leaves a cookie as it finds it, and none of its own behind.
        LoginPurpose::Test { had_cookie: true } => None,
        LoginPurpose::Test { had_cookie: false } => cookies::set_session(auth, &browser, LIFE_SECONDS),
        _ => bound(call, &browser),
    };
    let state = LoginState {
        provider: provider.id,
        redirect_uri: redirect_uri.clone(),
        purpose: leaving.purpose,
        verifier: challenge
            .as_ref()
            .map(|(verifier, _)| verifier.expose_secret().to_owned()),
        nonce: nonce.clone(),
        browser: Fingerprint::of(&browser),
        before: match leaving.session {
            Some(session) => Some(session.nonce().clone()),
            None => identify::organization_token(&call.snapshot, &call.parts.headers, call.now_ms())
                .ok()
                .map(|verified| verified.nonce),
        },
        issued: login.clock.now_seconds(),
        second: leaving.second,
        flow: flow.clone(),
        contexts: leaving.contexts,
    };
    let application = landing
        .as_ref()
        .and_then(|landing| call.snapshot.applications.get(&landing.app));
    let root = application.map_or_else(ReturnPath::root, |known| ReturnPath::root_of(&known.app));
    let sealed = state.seal(root, &login.sealer, &login.clock);
    let request = AuthorizationRequest {
        redirect_uri,
        state: sealed.text,
        nonce,
        pkce_challenge: challenge.map(|(_, challenge)| challenge),
        prompt: leaving.prompt,
        // A stronger sign-in takes the person's hands.
        interactive: asks_for_context,
        login_hint: leaving
            .session
            .and_then(|session| session.identity().identity.login_hint.clone()),
        claims_challenge: leaving.claims,
    };
    let next = login
        .relying_party
        .authorization(provider, &request)
        .await
        .map_err(|error| Ended::from(error).at(provider.id))?;
    let mut answer = if keeps_fragment {
        let app = application
            .zip(landing.as_ref())
            .map(|(application, landing)| label(application, landing));
        call.page(&Carry {
            provider: &provider.name,
            app,
            flow: flow.as_deref().unwrap_or_default(),
            next: next.as_str(),
            path_dropped: sealed.path_dropped,
        })
    } else {
        redirect(next.as_str())
    };
    set_cookie(&mut answer, cookie);
    Ok(answer)
}

/// What this browser's `CF_Session` is, or is to be.
pub(super) fn browser(call: &Call<'_>) -> String {
    known_browser(call).unwrap_or_else(|| format!("n{}", random::alphanumeric(16)))
}

/// `Set-Cookie` of it, as a sign-in sets it.
pub(super) fn bound(call: &Call<'_>, browser: &str) -> Option<HeaderValue> {
    cookies::set_session(call.auth(), browser, cookies::SESSION_SECONDS)
}

/// The value of this browser's `CF_Session`, which all its tabs share. It is no credential: it binds logins to the
/// browser and opens nothing.
pub(super) fn known_browser(call: &Call<'_>) -> Option<String> {
    let mut known = cookies::values(&call.parts.headers, cookies::session_name(call.auth()));
    known.find(|value| well_formed(value)).map(str::to_owned)
}

fn well_formed(value: &str) -> bool {
    value.len() == 17 && value.starts_with('n') && value.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether a person opened this in a tab or window (Fetch Metadata §2).
fn navigates(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    *method == Method::GET && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}
