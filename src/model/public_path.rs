//! Paths of a protected address that are open to everybody (`overrides` of a destination).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::own_path::is_own;

/// A pattern of paths below a destination that pass whoever asks.
///
/// It covers itself and nothing below (Access: no implicit subpaths). A `*`, at most one in a segment, stands for any
/// characters of that segment; it never reaches over a slash, so that no pattern opens more than it shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicPath(Box<str>);

/// The public paths of one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// The destination.
    pub destination: Destination,
    /// What of it is public.
    pub paths: Vec<PublicPath>,
}

/// A text that is no such pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicPathMalformed {
    /// No path, or one that no request could have.
    #[error("a path such as /health or /hooks/* is needed, with at most one * in a segment")]
    Path,
    /// The path is one of the gateway's own, of which no request reaches an application.
    #[error("this path is the gateway's own on every host, and nothing of an application is there")]
    Reserved,
    /// Another application's, or nobody's.
    #[error("the path must lie below the destination's own path, {0}")]
    Elsewhere(String),
}

impl PublicPath {
    /// The most patterns of a destination: each is held against every request of its application.
    pub const MOST: usize = 50;

    /// Longer paths are nobody's.
    const LONGEST: usize = 512;

    /// Whether a path, decoded and without dot segments, is one of the pattern's.
    pub fn covers(&self, path: &str) -> bool {
        let (mut given, mut asked) = (self.0.split('/'), path.split('/'));
        loop {
            match (given.next(), asked.next()) {
                (None, None) => return true,
                (Some(pattern), Some(segment)) if segment_fits(pattern, segment) => {}
                _ => return false,
            }
        }
    }

    /// The pattern for upstreams that read paths without regard to case.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_lowercase().into())
    }

    /// Whether it lies below what a destination covers.
    ///
    /// # Errors
    /// [`PublicPathMalformed::Elsewhere`] where it does not: it would open nothing, whatever was meant.
    pub fn is_below(&self, destination: &Destination) -> Result<(), PublicPathMalformed> {
        let own = destination.path();
        let fixed = own.split_once('*').map_or(own, |(fixed, _)| fixed);
        let rest = self.0.strip_prefix(fixed);
        let below = rest
            .is_some_and(|rest| fixed != own || own.is_empty() || rest.is_empty() || rest.starts_with('/'));
        if below {
            Ok(())
        } else {
            Err(PublicPathMalformed::Elsewhere(own.to_owned()))
        }
    }
}

fn segment_fits(pattern: &str, segment: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == segment;
    };
    let rest = segment.strip_prefix(before);
    rest.is_some_and(|rest| rest.ends_with(after))
}

impl FromStr for PublicPath {
    type Err = PublicPathMalformed;

    fn from_str(text: &str) -> Result<Self, PublicPathMalformed> {
        // Patterns are written decoded; bytes that the target parser would refuse could never match.
        let plain = |b: u8| b.is_ascii_graphic() && !b"?#%\\;\"<>".contains(&b) || b >= 0x80;
        let below_root = text.strip_prefix('/').ok_or(PublicPathMalformed::Path)?;
        let (head, last) = below_root
            .rsplit_once('/')
            .map_or((None, below_root), |(head, last)| (Some(head), last));
        let fine = |segment: &str| segment != "." && segment != ".." && segment.matches('*').count() <= 1;
        // Only the last segment may be empty: a slash at the end is another path.
        let inner_fine = head.is_none_or(|head| {
            head.split('/')
                .all(|segment| !segment.is_empty() && fine(segment))
        });
        if text.len() > Self::LONGEST || !text.bytes().all(plain) || !inner_fine || !fine(last) {
            return Err(PublicPathMalformed::Path);
        }
        if is_own(text) {
            return Err(PublicPathMalformed::Reserved);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for PublicPath {
    type Error = PublicPathMalformed;
    fn try_from(text: String) -> Result<Self, PublicPathMalformed> {
        text.parse()
    }
}

impl From<PublicPath> for String {
    fn from(path: PublicPath) -> String {
        path.0.into()
    }
}

impl fmt::Display for PublicPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_itself_and_nothing_below() {
        for (pattern, path, covers) in [
            ("/health", "/health", true),
            ("/health", "/health/", false),
            ("/health", "/health/deep", false),
            ("/health", "/healthy", false),
            ("/health", "/", false),
            ("/", "/", true),
            ("/", "/x", false),
            ("/hooks/*", "/hooks/a", true),
            ("/hooks/*", "/hooks/", true),
            ("/hooks/*", "/hooks", false),
            ("/hooks/*", "/hooks/a/b", false),
            ("/*/status", "/a/status", true),
            ("/*/status", "/a/b/status", false),
            ("/static/*.css", "/static/x.css", true),
            ("/static/*.css", "/static/x/y.css", false),
            ("/a*a", "/a", false),
            ("/a*a", "/aa", true),
        ] {
            let pattern: PublicPath = pattern.parse().unwrap();
            assert_eq!(pattern.covers(path), covers, "{pattern} {path}");
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for text in [
            "", "health", "/a//b", "/../b", "/./b", "/a?x", "/a#x", "/%61", "/a**", "/a b", "//",
        ] {
            assert!(text.parse::<PublicPath>().is_err(), "{text:?}");
        }
        assert!(format!("/{}", "a".repeat(600)).parse::<PublicPath>().is_err());
    }

    #[test]
    fn what_is_the_gateways_own_is_refused_and_no_more() {
        for text in [
            "/cdn-cgi/access",
            "/cdn-cgi/access/",
            "/cdn-cgi/access/*",
            "/CDN-cgi/Access/login",
            "/.well-known/cloudflare-access-protected-resource/x",
        ] {
            assert_eq!(
                text.parse::<PublicPath>(),
                Err(PublicPathMalformed::Reserved),
                "{text:?}"
            );
        }
        for text in [
            "/cdn-cgi",
            "/cdn-cgi/*",
            "/cdn-cgi/accessories",
            "/x/cdn-cgi/access",
        ] {
            assert!(text.parse::<PublicPath>().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_pattern_lies_below_its_destination() {
        for (pattern, destination, below) in [
            ("/x", "wiki.example.com", true),
            ("/docs/x", "wiki.example.com/docs", true),
            ("/docs", "wiki.example.com/docs", true),
            ("/documents", "wiki.example.com/docs", false),
            ("/x", "wiki.example.com/docs", false),
            ("/docs/a/x", "wiki.example.com/docs/*/x", true),
            ("/x", "wiki.example.com/docs/*", false),
        ] {
            let destination = destination.parse().unwrap();
            let pattern: PublicPath = pattern.parse().unwrap();
            assert_eq!(
                pattern.is_below(&destination).is_ok(),
                below,
                "{pattern} {destination}"
            );
        }
    }
}
