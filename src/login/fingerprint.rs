//! The hash of a cookie's value, by which sealed texts are bound to one browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::crypto::digest::{Sha256, sha256};
use crate::crypto::equal::constant_time;

/// SHA-256 of the value of `CF_Session` or `CF_AppSession`. Whoever reads it cannot make the cookie from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// The fingerprint of a cookie's value.
    pub fn of(value: &str) -> Self {
        Self(sha256(value.as_bytes()))
    }

    /// Whether one of the values is the one. A browser may send several cookies of one name.
    pub fn is_of_any<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> bool {
        values
            .into_iter()
            .any(|value| constant_time(&sha256(value.as_bytes()), &self.0))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        URL_SAFE_NO_PAD.encode(fingerprint.0)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "not base64url")?;
        bytes.try_into().map(Self).map_err(|_| "not 32 bytes long")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_value_has_the_fingerprint() {
        let fingerprint = Fingerprint::of("n0123456789abcdef");
        assert!(fingerprint.is_of_any(["planted", "n0123456789abcdef"]));
        assert!(!fingerprint.is_of_any(["n0123456789abcdee", ""]));
        assert!(!fingerprint.is_of_any([]));
    }
}
