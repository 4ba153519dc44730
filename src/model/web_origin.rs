//! Origins as browsers send them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// Scheme, host and port of a site, spelt as browsers spell it in `Origin` (RFC 6454 §6.2). Never `null`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebOrigin(Box<str>);

/// A text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an origin is https://host, with a port unless it is the scheme's own, and nothing after it")]
pub struct WebOriginMalformed;

impl WebOrigin {
    /// The origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a browser's `Origin` is this one.
    pub fn is(&self, sent: &[u8]) -> bool {
        sent.eq_ignore_ascii_case(self.0.as_bytes())
    }
}

impl FromStr for WebOrigin {
    type Err = WebOriginMalformed;

    fn from_str(text: &str) -> Result<Self, WebOriginMalformed> {
        let url: Url = text.parse().map_err(|_| WebOriginMalformed)?;
        let spelt = matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
        // The URL parser takes a `*` in a host; no browser's origin has one.
        let fine = spelt && !text.contains('*');
        fine.then(|| Self(text.into())).ok_or(WebOriginMalformed)
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = WebOriginMalformed;
    fn try_from(text: String) -> Result<Self, WebOriginMalformed> {
        text.parse()
    }
}

impl From<WebOrigin> for String {
    fn from(origin: WebOrigin) -> String {
        origin.0.into()
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_spelt_as_browsers_spell_it() {
        for text in ["https://a.example.com", "http://a.localhost:8080"] {
            assert!(text.parse::<WebOrigin>().is_ok(), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "https://a.example.com/",
            "https://a.example.com:443",
            "https://A.example.com",
            "a.example.com",
            "ftp://a.example.com",
            "https://*.example.com",
            "https://u@a.example.com",
        ] {
            assert!(text.parse::<WebOrigin>().is_err(), "{text:?}");
        }
    }
}
