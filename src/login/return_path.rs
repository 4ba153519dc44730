//! The path a login returns to: on the application's own host, rebuilt from parts, never echoed.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::application::Application;
use crate::model::destination::Destination;
use crate::router::Target;

/// Path and query on an application's host, as they stand in a request line.
///
/// Behind an origin it can name no other host: it begins with exactly one slash and holds nothing that a browser
/// repairs into something else (tab, line break, `#`, a backslash outside the query).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnPath(Box<str>);

/// A text that is no such path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a path on an application's host")]
pub struct NotAReturnPath;

/// Longer paths are given up for `/`: with the copy in `redirect_url` they would burst the limits that browsers and
/// proxies set to addresses (RFC 9110 §4.1 asks for 8000 octets at least).
const MAX_LENGTH: usize = 2048;

/// Paths of the gateway itself are no place to return to: `/cdn-cgi/access/logout` would sign out at once.
const RESERVED: &str = "/cdn-cgi/access/";

impl ReturnPath {
    /// The root of the host.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// The first address that an application covers on its host.
    pub fn root_of(application: &Application) -> Self {
        application
            .destinations
            .first()
            .map_or_else(Self::root, Self::first_of)
    }

    /// The first address that a destination covers.
    pub fn first_of(destination: &Destination) -> Self {
        let pattern = destination.path();
        // Up to the segment with a wildcard; for `/docs/*` something below `/docs` would be needed, which only the
        // person knows.
        let fixed = pattern.split_once('*').map_or(pattern, |(fixed, _)| fixed);
        Self::parse(fixed).unwrap_or_else(|_| Self::root())
    }

    /// Where a request wanted to go; the application's root where that cannot be taken along.
    pub fn of(target: &Target, application: &Application) -> Self {
        Self::parse(target.forward().as_str()).unwrap_or_else(|_| Self::root_of(application))
    }

    /// Reads a path with its query.
    pub fn parse(text: &str) -> Result<Self, NotAReturnPath> {
        let plain = |b: u8| b.is_ascii_graphic() && !br#"#"<>"#.contains(&b);
        let (path, _) = text.split_once('?').unwrap_or((text, ""));
        // In a query browsers leave a backslash as it is (URL Standard, query state).
        if text.len() > MAX_LENGTH || !text.bytes().all(plain) || path.contains('\\') {
            return Err(NotAReturnPath);
        }
        let below_root = text.strip_prefix('/').ok_or(NotAReturnPath)?;
        if below_root.starts_with('/') || is_reserved(path) {
            return Err(NotAReturnPath);
        }
        Ok(Self(text.into()))
    }

    /// Path and query.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.0.split_once('?').map_or(&*self.0, |(path, _)| path)
    }
}

/// Whether a path may be read as one of the gateway's own: dots resolved, escapes decoded.
fn is_reserved(path: &str) -> bool {
    let resolved = Url::parse("https://host.invalid").and_then(|base| base.join(path));
    let Ok(resolved) = resolved else { return true };
    percent_decode_str(resolved.path())
        .decode_utf8_lossy()
        .starts_with(RESERVED)
}

impl TryFrom<String> for ReturnPath {
    type Error = NotAReturnPath;
    fn try_from(text: String) -> Result<Self, NotAReturnPath> {
        Self::parse(&text)
    }
}

impl From<ReturnPath> for String {
    fn from(path: ReturnPath) -> String {
        path.0.into()
    }
}

impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_paths_are_kept_byte_for_byte() {
        for text in [
            "/",
            "/deep?x=1",
            "/a%20b/%E2%82%AC?q=a+b&c=%2F",
            "/a//b",
            "/?next=//evil.example",
            r"/open?file=C:\notes",
            "/@me;v=1",
        ] {
            assert_eq!(ReturnPath::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(ReturnPath::parse("/deep?x=/1").unwrap().path(), "/deep");
    }

    #[test]
    fn our_own_paths_and_endless_ones_are_refused() {
        for text in [
            "/cdn-cgi/access/logout",
            "/%63dn-cgi/access/logout",
            "/x/../cdn-cgi/%61ccess/logout",
            "/x/%2e%2E/cdn-cgi/access/logout",
        ] {
            assert!(ReturnPath::parse(text).is_err(), "{text}");
        }
        assert!(ReturnPath::parse("/x?next=/cdn-cgi/access/logout").is_ok());
        assert!(ReturnPath::parse(&format!("/{}", "a".repeat(MAX_LENGTH))).is_err());
    }

    /// Abuse case 60: whatever is taken stays on the host it is put behind.
    #[test]
    fn no_redirect_payload_leaves_the_host() {
        let payloads = include_str!("open_redirects.txt");
        let lines = payloads.lines().filter(|line| !line.starts_with("# "));
        let mut count = 0;
        for line in lines {
            let payload: String = unescape(line);
            count += 1;
            assert_stays(&payload);
        }
        assert!(count >= 100, "the corpus has {count} payloads");
    }

    proptest! {
        #[test]
        fn no_text_at_all_leaves_the_host(text in "[/\\\\.@:%a-z09#?\t\r\n ]{0,24}") {
            assert_stays(&text);
            assert_stays(&format!("/{text}"));
        }
    }

    fn assert_stays(payload: &str) {
        let Ok(path) = ReturnPath::parse(payload) else {
            return;
        };
        let whole = Url::parse(&format!("https://wiki.example.com{path}")).unwrap();
        assert_eq!(whole.host_str(), Some("wiki.example.com"), "{payload:?}");
        // Even where something takes it for a reference of its own, it stays.
        let joined = Url::parse("https://wiki.example.com/x/")
            .unwrap()
            .join(path.as_str())
            .unwrap();
        assert_eq!(joined.host_str(), Some("wiki.example.com"), "{payload:?}");
        assert_eq!(joined.scheme(), "https", "{payload:?}");
    }

    /// The corpus writes control characters as `\t`, `\r`, `\n`, `\0` after a `␛`, so that the file stays text.
    fn unescape(line: &str) -> String {
        line.replace("␛t", "\t")
            .replace("␛r", "\r")
            .replace("␛n", "\n")
            .replace("␛0", "\0")
    }
}
