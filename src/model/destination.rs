//! Addresses that an application covers, as Access writes them: `wiki.example.com`, `*.example.com/docs`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::own_path::is_own;

/// A host pattern with an optional path pattern, in the spelling that was accepted.
///
/// `example.com` covers the whole host, `example.com/alpha` covers `/alpha` and all below it, `example.com/alpha/*`
/// only what is below. One `*` may stand between two dots or two slashes; `*.example.com` is exactly one label
/// (Access: application paths).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    host: Box<str>,
    path: Box<str>,
}

/// Why a text is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationMalformed {
    /// The host part is no host name, or its wildcard stands where none may.
    #[error("the host must be a name such as wiki.example.com or *.example.com")]
    Host,
    /// The path part has characters a path cannot have, or two wildcards in one segment.
    #[error("the path must be plain, without query, fragment and escapes, with at most one * in a segment")]
    Path,
    /// A scheme or a port was written.
    #[error("leave out the scheme and the port: applications have those of `auth_url`")]
    SchemeOrPort,
    /// The path is one of the gateway's own, of which no request reaches an application.
    #[error("this path is the gateway's own on every host, and no application is reached there")]
    Reserved,
}

impl Destination {
    /// The host pattern: lower case, at most one `*`, in the first label only.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path pattern with a leading slash and without a trailing one; empty for the whole host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether a host is one of the pattern's.
    pub fn covers_host(&self, host: &super::host::Host) -> bool {
        let Some((before, after)) = self.host.split_once('*') else {
            return *self.host == *host.as_str();
        };
        // A `*` stands for characters of the first label.
        let middle = host.as_str().strip_prefix(before);
        let middle = middle.and_then(|rest| rest.strip_suffix(after));
        middle.is_some_and(|middle| !middle.contains('.'))
    }

    /// Whether the host pattern names one host only.
    pub fn is_exact_host(&self) -> bool {
        !self.host.contains('*')
    }
}

impl FromStr for Destination {
    type Err = DestinationMalformed;

    fn from_str(text: &str) -> Result<Self, DestinationMalformed> {
        if text.contains("://") {
            return Err(DestinationMalformed::SchemeOrPort);
        }
        let (host, path) = match text.split_once('/') {
            Some((host, path)) => (host, path),
            None => (text, ""),
        };
        if host.contains(':') && !host.starts_with('[') {
            return Err(DestinationMalformed::SchemeOrPort);
        }
        let host = host_pattern(host).ok_or(DestinationMalformed::Host)?;
        let path = path_pattern(path).ok_or(DestinationMalformed::Path)?;
        if is_own(&path) {
            return Err(DestinationMalformed::Reserved);
        }
        Ok(Self {
            host: host.into(),
            path: path.into(),
        })
    }
}

fn host_pattern(host: &str) -> Option<String> {
    // A `*` is checked as if a letter stood there; the rest must be a host name.
    let probe: super::host::Host = host.replace('*', "w").parse().ok()?;
    let lower = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let (first, rest) = lower.split_once('.').unwrap_or((&lower, ""));
    let stars = first.matches('*').count();
    let wildcard_fine = stars == 0 || (stars == 1 && !rest.is_empty());
    if rest.contains('*') || !wildcard_fine {
        return None;
    }
    Some(if stars == 0 {
        probe.as_str().to_owned()
    } else {
        lower
    })
}

fn path_pattern(path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    // `/*` is all there is, as Access reads it too: two spellings of one address are not two addresses.
    if matches!(path, "" | "*") {
        return Some(String::new());
    }
    // Patterns are written decoded; bytes that the target parser would refuse could never match.
    let plain = |b: u8| b.is_ascii_graphic() && !b"?#%\\;\"<>".contains(&b) || b >= 0x80;
    let segment_fine = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.matches('*').count() <= 1
    };
    let fine = path.bytes().all(plain) && path.split('/').all(segment_fine);
    fine.then(|| format!("/{path}"))
}

impl TryFrom<String> for Destination {
    type Error = DestinationMalformed;
    fn try_from(text: String) -> Result<Self, DestinationMalformed> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> String {
        destination.to_string()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_taken_apart() {
        for (text, host, path) in [
            ("Wiki.Example.com", "wiki.example.com", ""),
            ("wiki.example.com/", "wiki.example.com", ""),
            ("wiki.example.com/*", "wiki.example.com", ""),
            ("wiki.example.com/docs/", "wiki.example.com", "/docs"),
            ("*.example.com/a/*", "*.example.com", "/a/*"),
            ("*test.example.com", "*test.example.com", ""),
            ("localhost", "localhost", ""),
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!((destination.host(), destination.path()), (host, path), "{text}");
        }
    }

    #[test]
    fn what_is_the_gateways_own_is_refused_and_no_more() {
        for text in [
            "a.example.com/cdn-cgi/access",
            "a.example.com/cdn-cgi/access/",
            "*.example.com/CDN-cgi/Access/login",
            "a.example.com/cdn-cgi/access/*",
            "a.example.com/.well-known/cloudflare-access-protected-resource/x",
        ] {
            let refused = text.parse::<Destination>();
            assert_eq!(refused, Err(DestinationMalformed::Reserved), "{text:?}");
        }
        for text in [
            "a.example.com/cdn-cgi",
            "a.example.com/cdn-cgi/*",
            "a.example.com/cdn-cgi/access*",
            "a.example.com/cdn-cgi/accessories",
            "a.example.com/x/cdn-cgi/access",
            "a.example.com/.well-known/cloudflare-access-protected-resources",
        ] {
            assert!(text.parse::<Destination>().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for text in [
            "",
            "*",
            "a.*.example.com",
            "**.example.com",
            "https://a.example.com",
            "a.example.com:8080",
            "a.example.com/a//b",
            "a.example.com/../b",
            "a.example.com/a?x",
            "a.example.com/a#x",
            "a.example.com/%61",
            "a.example.com/a**",
            "a b.example.com",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text:?}");
        }
    }
}
