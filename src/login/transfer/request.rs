//! What a program wants, sealed, on its way to the person who may approve it; and the approval.

use serde::{Deserialize, Serialize};

use super::NAME;
use crate::clock::Clock;
use crate::crypto::digest::{Sha256, sha256};
use crate::crypto::seal::{NotSealedHere, Purpose, Sealer};
use crate::crypto::transfer::TransferKey;
use crate::login::call::Call;
use crate::login::landing::Landing;
use crate::model::ids::SessionNonce;

/// How long a request may take until it is approved, a login included. cloudflared waits for ten minutes.
pub(super) const LIFE_SECONDS: i64 = 600;

/// What programs call themselves that do not say.
const CLOUDFLARED: &str = "cloudflared";
/// The longest name of a program, in characters: a host's name fits.
const LONGEST_AGENT: usize = 80;

/// A request for tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferRequest {
    /// The key that the tokens are sealed for.
    #[serde(rename = "k")]
    pub key: TransferKey,
    /// The application, and where in it the program wanted to go.
    #[serde(rename = "l")]
    pub landing: Landing,
    /// Whether the program asks for an organization token too.
    #[serde(rename = "o")]
    pub organization: bool,
    /// What the program calls itself.
    #[serde(rename = "a")]
    pub agent: Box<str>,
    /// When it began, seconds since 1970.
    #[serde(rename = "i")]
    pub issued: i64,
    /// The session that a login behind this very request made.
    #[serde(rename = "f")]
    pub fresh: Option<SessionNonce>,
}

/// Why a request or an approval is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferRefused {
    /// `token` is not a public key.
    #[error("token is not a public key")]
    Key,
    /// `aud` names no application on this host.
    #[error("aud names no application here")]
    Audience,
    /// `redirect_url` leads to another host.
    #[error("redirect_url leads elsewhere")]
    Elsewhere,
    /// Missing, forged, cut, of another gateway, or shown to another session.
    #[error("the request was not made here")]
    Foreign,
    /// Older than [`LIFE_SECONDS`].
    #[error("the request is older than ten minutes")]
    Expired,
    /// Approved before.
    #[error("the request was approved already")]
    Used,
    /// More tokens wait to be fetched than people could have asked for.
    #[error("too many transfers are under way")]
    TooMany,
}

impl TransferRequest {
    /// The page on the auth host that asks the person.
    pub(in crate::login) fn address(&self, call: &Call<'_>) -> String {
        let text = self.seal(&call.login.sealer, &call.login.clock);
        call.auth()
            .address(&format!("/cdn-cgi/access/{NAME}?request={text}"))
    }

    /// The same request once somebody has signed in for it.
    pub(in crate::login) fn after_login(&self, session: &SessionNonce) -> Self {
        Self {
            fresh: Some(session.clone()),
            ..self.clone()
        }
    }

    /// What is spent when it is approved: a key gets tokens once.
    pub(super) fn spent_key(&self) -> Sha256 {
        sha256(format!("transfer\n{}", self.key).as_bytes())
    }

    fn seal(&self, sealer: &Sealer, clock: &Clock) -> String {
        // A struct of texts and numbers always has a JSON form.
        let plain = serde_json::to_vec(self).unwrap_or_default();
        sealer.seal_text(Purpose::Transfer, b"", &plain, clock.now_ms())
    }

    /// Opens what [`TransferRequest::address`] holds.
    pub(super) fn open(text: &str, sealer: &Sealer, clock: &Clock) -> Result<Self, TransferRefused> {
        let plain = sealer.open_text(Purpose::Transfer, b"", text, clock.now_ms());
        let request: Self = plain
            .and_then(|plain| serde_json::from_slice(&plain).map_err(|_| NotSealedHere))
            .map_err(|_| TransferRefused::Foreign)?;
        request.within_life(clock)
    }

    fn within_life(self, clock: &Clock) -> Result<Self, TransferRefused> {
        if clock.now_seconds().saturating_sub(self.issued) < LIFE_SECONDS {
            Ok(self)
        } else {
            Err(TransferRefused::Expired)
        }
    }
}

/// What a program calls itself: letters, digits and a few marks, so that it reads as a name and as nothing else. Anybody
/// may have written it.
pub(super) fn agent(written: Option<&str>) -> Box<str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-".contains(c);
    let name: String = written
        .unwrap_or_default()
        .chars()
        .filter(|c| plain(*c))
        .take(LONGEST_AGENT)
        .collect();
    let name = name.trim();
    if name.is_empty() { CLOUDFLARED } else { name }.into()
}

/// What the form of the page sends back: the request, and the session that it was shown to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Consent {
    #[serde(rename = "r")]
    pub(super) request: TransferRequest,
    #[serde(rename = "s")]
    pub(super) session: SessionNonce,
}

impl Consent {
    pub(super) fn seal(&self, sealer: &Sealer, clock: &Clock) -> String {
        let plain = serde_json::to_vec(self).unwrap_or_default();
        sealer.seal_text(Purpose::Consent, b"", &plain, clock.now_ms())
    }

    pub(super) fn open(text: &str, sealer: &Sealer, clock: &Clock) -> Result<Self, TransferRefused> {
        let plain = sealer.open_text(Purpose::Consent, b"", text, clock.now_ms());
        let consent: Self = plain
            .and_then(|plain| serde_json::from_slice(&plain).map_err(|_| NotSealedHere))
            .map_err(|_| TransferRefused::Foreign)?;
        Ok(Self {
            request: consent.request.within_life(clock)?,
            session: consent.session,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::transfer::TransferPair;
    use crate::login::landing::example;

    fn request(clock: &Clock) -> TransferRequest {
        TransferRequest {
            key: TransferPair::generate().public().clone(),
            landing: example(),
            organization: true,
            agent: agent(None),
            issued: clock.now_seconds(),
            fresh: None,
        }
    }

    #[test]
    fn a_request_is_good_for_ten_minutes_and_is_no_consent() {
        let (sealer, clock) = (Sealer::new(vec![7; 32].into(), "o"), Clock::system());
        let asked = request(&clock);
        let text = asked.seal(&sealer, &clock);
        assert_eq!(TransferRequest::open(&text, &sealer, &clock), Ok(asked.clone()));
        assert_eq!(
            Consent::open(&text, &sealer, &clock),
            Err(TransferRefused::Foreign)
        );
        let consent = Consent {
            request: asked,
            session: "6ei69kawdKzMIAPF".parse().unwrap(),
        };
        let form = consent.seal(&sealer, &clock);
        assert_eq!(Consent::open(&form, &sealer, &clock), Ok(consent));
        assert_eq!(
            TransferRequest::open(&form, &sealer, &clock),
            Err(TransferRefused::Foreign)
        );
        clock.advance(jiff::SignedDuration::from_secs(LIFE_SECONDS));
        assert_eq!(
            TransferRequest::open(&text, &sealer, &clock),
            Err(TransferRefused::Expired)
        );
        assert_eq!(
            Consent::open(&form, &sealer, &clock),
            Err(TransferRefused::Expired)
        );
    }

    #[test]
    fn a_program_may_call_itself_what_it_likes_in_plain_letters() {
        assert_eq!(&*agent(None), "cloudflared");
        assert_eq!(
            &*agent(Some("vestibule access on lap-top.lan")),
            "vestibule access on lap-top.lan"
        );
        assert_eq!(&*agent(Some("<b>\u{202e}x</b>\n")), "bxb");
        assert_eq!(&*agent(Some(" \u{202e} ")), "cloudflared");
        assert_eq!(agent(Some(&"x".repeat(500))).len(), LONGEST_AGENT);
    }
}
