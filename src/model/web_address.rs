//! Addresses on the web that operators write: of pictures, and of pages that refused people are sent to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::host::Host;

/// The longest that is taken, in bytes: what browsers and proxies agree on for an address, and more than any needs.
const LONGEST: usize = 2048;

/// An https address, or an http one on a loopback host, where development happens. No user name, no password.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebAddress(Url);

/// A text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an https address such as https://www.example.com/help is needed")]
pub struct WebAddressMalformed;

impl WebAddress {
    /// The address, in the spelling that browsers send.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme, host and port, as a Content-Security-Policy names them.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The address as a URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for WebAddress {
    type Err = WebAddressMalformed;

    fn from_str(text: &str) -> Result<Self, WebAddressMalformed> {
        if text.len() > LONGEST || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(WebAddressMalformed);
        }
        let url: Url = text.parse().map_err(|_| WebAddressMalformed)?;
        // URL parsers let `;` and `,` stand in a host, which separate things where a policy names it.
        let host: Host = url
            .host_str()
            .and_then(|host| host.parse().ok())
            .ok_or(WebAddressMalformed)?;
        let safe = url.scheme() == "https" || (url.scheme() == "http" && host.is_loopback());
        if !safe || !url.username().is_empty() || url.password().is_some() {
            return Err(WebAddressMalformed);
        }
        Ok(Self(url))
    }
}

impl TryFrom<String> for WebAddress {
    type Error = WebAddressMalformed;
    fn try_from(text: String) -> Result<Self, WebAddressMalformed> {
        text.parse()
    }
}

impl From<WebAddress> for String {
    fn from(address: WebAddress) -> String {
        address.0.into()
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_loopback() {
        for text in [
            "https://www.example.com/help?x=1#y",
            "http://wiki.localhost:8080/",
            "http://127.0.0.1/logo.png",
        ] {
            assert!(text.parse::<WebAddress>().is_ok(), "{text}");
        }
        for text in [
            "",
            "http://www.example.com/",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "//www.example.com/",
            "/help",
            "https://admin:secret@www.example.com/",
            "https://www.example.com/a b",
            "https://www.example.com/\n",
            "https:",
            "https://x;sandbox/a.png",
            "https://x,y/a.png",
            "https://x'y/a.png",
        ] {
            assert!(text.parse::<WebAddress>().is_err(), "{text:?}");
        }
        let long = format!("https://www.example.com/{}", "a".repeat(LONGEST));
        assert!(long.parse::<WebAddress>().is_err());
    }
}
