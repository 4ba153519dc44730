//! Host names as they are routed: lower case, ASCII, without trailing dot and port.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host name or IP literal in its one form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(Box<str>);

/// A text that is no host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a host name such as wiki.example.com is needed")]
pub struct HostMalformed;

impl Host {
    /// The host name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this host can only be this machine: `localhost`, a name below it, or a loopback literal.
    pub fn is_loopback(&self) -> bool {
        let name = self.as_str();
        name == "localhost"
            || name.ends_with(".localhost")
            || name
                .parse::<std::net::Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
            || name
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .and_then(|literal| literal.parse::<std::net::Ipv6Addr>().ok())
                .is_some_and(|address| address.is_loopback())
    }
}

impl FromStr for Host {
    type Err = HostMalformed;

    fn from_str(text: &str) -> Result<Self, HostMalformed> {
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        if trimmed.len() > 253 {
            return Err(HostMalformed);
        }
        if let Some(literal) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address: std::net::Ipv6Addr = literal.parse().map_err(|_| HostMalformed)?;
            return Ok(Self(format!("[{address}]").into()));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let labels_fine = trimmed
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= 63 && label.bytes().all(plain));
        if !labels_fine {
            return Err(HostMalformed);
        }
        Ok(Self(trimmed.to_ascii_lowercase().into()))
    }
}

impl TryFrom<String> for Host {
    type Error = HostMalformed;
    fn try_from(text: String) -> Result<Self, HostMalformed> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> String {
        host.0.into()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_trailing_dot_do_not_matter() {
        assert_eq!(
            "APP.Example.COM.".parse::<Host>().unwrap().as_str(),
            "app.example.com"
        );
    }

    #[test]
    fn userinfo_ports_and_empty_labels_are_refused() {
        for text in [
            "",
            ".",
            "a@app.example.com",
            "app.example.com:443",
            "a..b",
            "a b",
            "[::1",
            "a/b",
            "app.example.com..",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn loopback_is_known() {
        for (text, loopback) in [
            ("localhost", true),
            ("wiki.localhost", true),
            ("127.0.0.9", true),
            ("[::1]", true),
            ("localhost.example.com", false),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
