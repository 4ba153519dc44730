//! `meta`: what the redirect to the login page says about the request, sealed.
//!
//! Access signs it with RSA; sealed it costs no signature, so that anonymous requests stay cheap, and nobody but the
//! gateway reads it.

use serde::{Deserialize, Serialize};

use super::landing::Landing;
use crate::clock::Clock;
use crate::crypto::seal::{NotSealedHere, Purpose, Sealer};

/// How long the login page believes it: 5 minutes, as Access.
const LIFE_SECONDS: i64 = 300;

/// A request that was sent to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Where it wanted to go.
    #[serde(rename = "l")]
    pub landing: Landing,
    /// When, seconds since 1970.
    #[serde(rename = "i")]
    issued: i64,
}

/// What came as `meta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Ours, and fresh.
    Fresh(Landing),
    /// Ours, but too old to be believed.
    Stale(Landing),
    /// Missing, forged, cut or of another gateway.
    Foreign,
}

/// Seals a landing as `meta`.
pub fn seal(landing: Landing, sealer: &Sealer, clock: &Clock) -> String {
    let meta = Meta {
        landing,
        issued: clock.now_seconds(),
    };
    // A struct of texts and numbers always has a JSON form.
    let plain = serde_json::to_vec(&meta).unwrap_or_default();
    sealer.seal_text(Purpose::Meta, b"", &plain, clock.now_ms())
}

/// Opens `meta`.
pub fn open(text: Option<&str>, sealer: &Sealer, clock: &Clock) -> Opened {
    let Some(text) = text else { return Opened::Foreign };
    let plain = sealer.open_text(Purpose::Meta, b"", text, clock.now_ms());
    let meta = plain.and_then(|plain| serde_json::from_slice::<Meta>(&plain).map_err(|_| NotSealedHere));
    let Ok(Meta { landing, issued }) = meta else {
        return Opened::Foreign;
    };
    let age = clock.now_seconds().saturating_sub(issued);
    if age < LIFE_SECONDS {
        Opened::Fresh(landing)
    } else {
        Opened::Stale(landing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::landing::example;

    #[test]
    fn meta_is_believed_for_five_minutes() {
        let (sealer, clock) = (Sealer::new(vec![7; 32].into(), "o"), Clock::system());
        let meta = seal(example(), &sealer, &clock);
        assert_eq!(open(Some(&meta), &sealer, &clock), Opened::Fresh(example()));
        clock.advance(jiff::SignedDuration::from_secs(301));
        assert_eq!(open(Some(&meta), &sealer, &clock), Opened::Stale(example()));
    }

    #[test]
    fn what_is_not_sealed_here_is_foreign() {
        let (sealer, clock) = (Sealer::new(vec![7; 32].into(), "o"), Clock::system());
        let of_another = seal(example(), &Sealer::new(vec![8; 32].into(), "o"), &clock);
        let other_purpose = sealer.seal_text(Purpose::HandOver, b"", b"{}", clock.now_ms());
        for text in [
            None,
            Some(""),
            Some("eyJhbGciOiJSUzI1NiJ9.e30.x"),
            Some(&of_another),
            Some(&other_purpose),
        ] {
            assert_eq!(open(text, &sealer, &clock), Opened::Foreign, "{text:?}");
        }
    }
}
