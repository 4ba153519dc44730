//! `state` of the authorization request: everything the callback needs, sealed.
//!
//! The gateway keeps nothing about logins that have begun: any number of tabs need one small cookie, a restart loses
//! nobody, and any replica may answer. Once used it is spent (`store::spent`).

use serde::{Deserialize, Serialize};
use url::Url;

use super::fingerprint::Fingerprint;
use super::landing::Landing;
use super::return_path::ReturnPath;
use super::transfer::TransferRequest;
use crate::clock::Clock;
use crate::crypto::digest::{Sha256, sha256};
use crate::crypto::seal::{NotSealedHere, Purpose, Sealer};
use crate::model::ids::{IdpId, SessionNonce};

/// How long signing in may take: 10 minutes, the life of Entra's authorization codes.
pub const LIFE_SECONDS: i64 = 600;

/// The longest `state`. Entra refuses query strings beyond its limit with AADSTS90015.
const MAX_LENGTH: usize = 1500;

/// A login on its way to the provider and back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginState {
    /// The provider.
    #[serde(rename = "p")]
    pub provider: IdpId,
    /// The redirect address of the authorization request, which the code is bound to.
    #[serde(rename = "r")]
    pub redirect_uri: Url,
    /// What it is for.
    #[serde(rename = "k")]
    pub purpose: LoginPurpose,
    /// The PKCE verifier.
    #[serde(rename = "v")]
    pub verifier: Option<String>,
    /// `nonce`, which the ID token repeats; unique to this login.
    #[serde(rename = "n")]
    pub nonce: String,
    /// The browser's `CF_Session`.
    #[serde(rename = "c")]
    pub browser: Fingerprint,
    /// The session the browser had when it left, if any.
    #[serde(rename = "s")]
    pub before: Option<SessionNonce>,
    /// When it began, seconds since 1970.
    #[serde(rename = "i")]
    pub issued: i64,
    /// Whether this is the one interactive login that follows a failed silent one.
    #[serde(rename = "2")]
    pub second: bool,
    /// The name under which the browser keeps the fragment of the address for the way back, where it does.
    #[serde(rename = "f")]
    pub flow: Option<String>,
    /// Authentication contexts asked for on this way, the one of this trip last: none is asked for twice.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<String>,
}

/// A sealed state.
#[derive(Debug)]
pub struct SealedState {
    /// The `state` parameter: `[A-Za-z0-9_-]`, at most 1,500 characters.
    pub text: String,
    /// Whether the return path was too long to be taken along.
    pub path_dropped: bool,
}

/// What a login is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginPurpose {
    /// To open an application.
    #[serde(rename = "o")]
    Open(Landing),
    /// To read the identity of a live session anew.
    #[serde(rename = "r")]
    Refresh(SessionNonce),
    /// To give tokens to a program at a command line.
    #[serde(rename = "t")]
    Transfer(Box<TransferRequest>),
    /// To see a page of the auth host's own.
    #[serde(rename = "l")]
    Own(OwnPage),
    /// To see such a page by a sign-in that is new: the browser's session goes on with what it says.
    #[serde(rename = "g")]
    Again(OwnPage),
    /// To see whether the provider works. Nobody is signed in by it.
    #[serde(rename = "x")]
    Test {
        /// Whether the browser had its `CF_Session` before: one that the test made is taken back.
        #[serde(rename = "h")]
        had_cookie: bool,
    },
}

/// A page of the auth host's own that people sign in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnPage {
    /// The launcher.
    #[serde(rename = "l")]
    Launcher,
    /// What approvers see: they come from a mail.
    #[serde(rename = "a")]
    Approvals,
    /// The reference of the API.
    #[serde(rename = "r")]
    Reference,
}

/// Why a `state` is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateRefused {
    /// Missing, forged, cut, or of another gateway.
    #[error("state was not made here")]
    Foreign,
    /// Ours, but older than [`LIFE_SECONDS`]; what it says still tells where to start again.
    #[error("state is older than ten minutes")]
    Expired(Box<LoginState>),
}

impl LoginState {
    /// Seals it. A return path that does not fit becomes `root`, the application's, and the answer says so.
    pub fn seal(mut self, root: ReturnPath, sealer: &Sealer, clock: &Clock) -> SealedState {
        let text = self.sealed(sealer, clock);
        if text.len() <= MAX_LENGTH {
            return SealedState {
                text,
                path_dropped: false,
            };
        }
        match &mut self.purpose {
            LoginPurpose::Open(landing) => landing.path = root,
            LoginPurpose::Transfer(request) => request.landing.path = root,
            LoginPurpose::Refresh(_)
            | LoginPurpose::Own(_)
            | LoginPurpose::Again(_)
            | LoginPurpose::Test { .. } => {}
        }
        SealedState {
            text: self.sealed(sealer, clock),
            path_dropped: true,
        }
    }

    fn sealed(&self, sealer: &Sealer, clock: &Clock) -> String {
        // A struct of texts and numbers always has a JSON form.
        let plain = serde_json::to_vec(self).unwrap_or_default();
        sealer.seal_text(Purpose::LoginState, b"", &plain, clock.now_ms())
    }

    /// Opens a `state` that came back.
    ///
    /// # Errors
    /// [`StateRefused`], by the check that failed.
    pub fn open(text: &str, sealer: &Sealer, clock: &Clock) -> Result<Self, StateRefused> {
        if text.len() > MAX_LENGTH {
            return Err(StateRefused::Foreign);
        }
        let plain = sealer.open_text(Purpose::LoginState, b"", text, clock.now_ms());
        let state: Self = plain
            .and_then(|plain| serde_json::from_slice(&plain).map_err(|_| NotSealedHere))
            .map_err(|_| StateRefused::Foreign)?;
        let age = clock.now_seconds().saturating_sub(state.issued);
        if age < LIFE_SECONDS {
            Ok(state)
        } else {
            Err(StateRefused::Expired(Box::new(state)))
        }
    }

    /// Where it lands, if it opens an application.
    pub fn landing(&self) -> Option<&Landing> {
        match &self.purpose {
            LoginPurpose::Open(landing) => Some(landing),
            LoginPurpose::Transfer(request) => Some(&request.landing),
            LoginPurpose::Refresh(_)
            | LoginPurpose::Own(_)
            | LoginPurpose::Again(_)
            | LoginPurpose::Test { .. } => None,
        }
    }

    /// Whether nobody is to be signed in: a provider is tested.
    pub fn is_test(&self) -> bool {
        matches!(self.purpose, LoginPurpose::Test { .. })
    }

    /// What is spent when it is used.
    pub fn spent_key(&self) -> Sha256 {
        sha256(format!("login\n{}", self.nonce).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::landing::example;

    fn state(landing: Landing) -> LoginState {
        LoginState {
            provider: IdpId(uuid::Uuid::from_u128(2)),
            redirect_uri: "https://login.example.com/cdn-cgi/access/callback"
                .parse()
                .unwrap(),
            purpose: LoginPurpose::Open(landing),
            verifier: Some("v".repeat(43)),
            nonce: "n".repeat(43),
            browser: Fingerprint::of("nABCDEFGHIJKLMNOP"),
            before: Some("6ei69kawdKzMIAPF".parse().unwrap()),
            issued: Clock::system().now_seconds(),
            second: false,
            flow: Some("0123456789abcdef".to_owned()),
            contexts: vec!["c98".to_owned(), "c99".to_owned()],
        }
    }

    fn sealer() -> Sealer {
        Sealer::new(vec![7; 32].into(), "o")
    }

    #[test]
    fn a_state_opens_within_ten_minutes() {
        let clock = Clock::system();
        let sealed = state(example()).seal(ReturnPath::root(), &sealer(), &clock).text;
        let url_safe = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        assert!(sealed.bytes().all(url_safe));
        let opened = LoginState::open(&sealed, &sealer(), &clock).unwrap();
        assert_eq!(opened.purpose, LoginPurpose::Open(example()));
        clock.advance(jiff::SignedDuration::from_secs(LIFE_SECONDS + 1));
        assert!(matches!(
            LoginState::open(&sealed, &sealer(), &clock),
            Err(StateRefused::Expired(_))
        ));
    }

    #[test]
    fn a_changed_state_is_foreign() {
        let clock = Clock::system();
        let sealed = state(example()).seal(ReturnPath::root(), &sealer(), &clock).text;
        let cut = &sealed[..sealed.len() - 4];
        let changed = sealed.replacen(&sealed[20..21], if &sealed[20..21] == "A" { "B" } else { "A" }, 1);
        let endless = "A".repeat(MAX_LENGTH + 1);
        for text in [cut, &changed, &endless, ""] {
            assert_eq!(
                LoginState::open(text, &sealer(), &clock),
                Err(StateRefused::Foreign)
            );
        }
    }

    #[test]
    fn a_state_is_never_longer_than_entra_takes() {
        let clock = Clock::system();
        let host = ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60)].join(".");
        for length in [1, 100, 400, 900, 2000] {
            let mut landing = example();
            landing.host = host.parse().unwrap();
            landing.path = ReturnPath::parse(&format!("/{}", "p".repeat(length))).unwrap();
            let sealed = state(landing.clone()).seal(ReturnPath::root(), &sealer(), &clock);
            assert!(sealed.text.len() <= MAX_LENGTH, "{length}: {}", sealed.text.len());
            let opened = LoginState::open(&sealed.text, &sealer(), &clock).unwrap();
            let LoginPurpose::Open(arrived) = opened.purpose else {
                panic!("the purpose is kept")
            };
            assert_eq!(sealed.path_dropped, arrived.path != landing.path);
        }
    }
}
