//! What other sites' scripts may do, as Access writes it (`cors_headers`).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::web_origin::WebOrigin;

/// The most entries of a list of origins or headers: beyond that an answer's headers grow past what clients take.
pub const MOST_ENTRIES: usize = 100;

/// What the gateway says for an application to browsers that ask whether another site's script may read it (Fetch
/// §3.3). Names with credentials never are `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    origins: Choice<WebOrigin>,
    methods: Choice<CorsMethod>,
    headers: Choice<CorsHeader>,
    credentials: bool,
    max_age: Option<MaxAge>,
}

/// Everything, or what is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice<T> {
    /// Everything.
    Any,
    /// These.
    Listed(Vec<T>),
}

/// The keys of `cors_headers`, each read on its own.
#[derive(Debug, Clone, Default)]
pub struct CorsParts {
    /// `allow_all_origins`.
    pub all_origins: bool,
    /// `allowed_origins`.
    pub origins: Vec<WebOrigin>,
    /// `allow_all_methods`.
    pub all_methods: bool,
    /// `allowed_methods`.
    pub methods: Vec<CorsMethod>,
    /// `allow_all_headers`.
    pub all_headers: bool,
    /// `allowed_headers`.
    pub headers: Vec<CorsHeader>,
    /// `allow_credentials`.
    pub credentials: bool,
    /// `max_age`.
    pub max_age: Option<MaxAge>,
}

/// Why keys that are fine each by itself cannot stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CorsContradiction {
    /// Every site's script could then read what a person sees.
    #[error("allow_credentials cannot stand with allow_all_origins: list the origins")]
    CredentialsForAll,
    /// Then no other site may do anything, which is so without it.
    #[error("no origin is allowed: list some in allowed_origins")]
    NoOrigin,
    /// More than an answer can carry.
    #[error("there are more than {MOST_ENTRIES} entries")]
    TooMany,
}

impl Cors {
    /// The keys taken together.
    ///
    /// # Errors
    /// [`CorsContradiction`] where they exclude each other.
    pub fn new(parts: CorsParts) -> Result<Self, CorsContradiction> {
        if parts.all_origins && parts.credentials {
            return Err(CorsContradiction::CredentialsForAll);
        }
        if !parts.all_origins && parts.origins.is_empty() {
            return Err(CorsContradiction::NoOrigin);
        }
        if parts.origins.len().max(parts.headers.len()) > MOST_ENTRIES {
            return Err(CorsContradiction::TooMany);
        }
        Ok(Self {
            origins: Choice::new(parts.all_origins, parts.origins),
            methods: Choice::new(parts.all_methods, parts.methods),
            headers: Choice::new(parts.all_headers, parts.headers),
            credentials: parts.credentials,
            max_age: parts.max_age,
        })
    }

    /// Whose scripts may ask.
    pub fn origins(&self) -> &Choice<WebOrigin> {
        &self.origins
    }

    /// What they may do.
    pub fn methods(&self) -> &Choice<CorsMethod> {
        &self.methods
    }

    /// Which headers they may send.
    pub fn headers(&self) -> &Choice<CorsHeader> {
        &self.headers
    }

    /// Whether they may do so as the person signed in.
    pub fn credentials(&self) -> bool {
        self.credentials
    }

    /// How long browsers may rely on it.
    pub fn max_age(&self) -> Option<MaxAge> {
        self.max_age
    }

    /// Whether a browser's `Origin` is one of those that may ask.
    pub fn allows(&self, origin: &[u8]) -> bool {
        match &self.origins {
            Choice::Any => true,
            Choice::Listed(listed) => listed.iter().any(|known| known.is(origin)),
        }
    }
}

impl<T> Choice<T> {
    fn new(all: bool, listed: Vec<T>) -> Self {
        if all { Self::Any } else { Self::Listed(listed) }
    }
}

/// A method that Access knows in `allowed_methods`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CorsMethod(Box<str>);

/// A text that is no such method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one of {} is needed", CorsMethod::ALL.join(", "))]
pub struct CorsMethodMalformed;

impl CorsMethod {
    /// All of them.
    pub const ALL: [&'static str; 9] = [
        "GET", "POST", "HEAD", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];

    /// The method.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CorsMethod {
    type Err = CorsMethodMalformed;

    fn from_str(text: &str) -> Result<Self, CorsMethodMalformed> {
        let known = Self::ALL.contains(&text);
        known.then(|| Self(text.into())).ok_or(CorsMethodMalformed)
    }
}

impl TryFrom<String> for CorsMethod {
    type Error = CorsMethodMalformed;
    fn try_from(text: String) -> Result<Self, CorsMethodMalformed> {
        text.parse()
    }
}

impl From<CorsMethod> for String {
    fn from(method: CorsMethod) -> String {
        method.0.into()
    }
}

/// The name of a header, in the spelling that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CorsHeader(Box<str>);

/// A text that is no name of a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of a header is needed; for all of them, write allow_all_headers = true")]
pub struct CorsHeaderMalformed;

impl CorsHeader {
    /// Longer names are no header's.
    const LONGEST: usize = 100;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CorsHeader {
    type Err = CorsHeaderMalformed;

    fn from_str(text: &str) -> Result<Self, CorsHeaderMalformed> {
        let named = http::HeaderName::from_bytes(text.as_bytes()).is_ok() && text != "*";
        let fine = named && text.len() <= Self::LONGEST;
        fine.then(|| Self(text.into())).ok_or(CorsHeaderMalformed)
    }
}

impl TryFrom<String> for CorsHeader {
    type Error = CorsHeaderMalformed;
    fn try_from(text: String) -> Result<Self, CorsHeaderMalformed> {
        text.parse()
    }
}

impl From<CorsHeader> for String {
    fn from(header: CorsHeader) -> String {
        header.0.into()
    }
}

/// Seconds that a browser may keep the answer to a preflight; -1 keeps it not at all (Fetch §4.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaxAge(i32);

/// A number outside of what Access takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a whole number of seconds from -1 to 86400 is needed")]
pub struct MaxAgeOutOfRange;

impl MaxAge {
    /// Seconds.
    pub fn seconds(self) -> i32 {
        self.0
    }
}

impl TryFrom<i64> for MaxAge {
    type Error = MaxAgeOutOfRange;

    fn try_from(seconds: i64) -> Result<Self, MaxAgeOutOfRange> {
        match i32::try_from(seconds) {
            Ok(seconds @ -1..=86_400) => Ok(Self(seconds)),
            _ => Err(MaxAgeOutOfRange),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_listed_origins_only() {
        let parts = CorsParts {
            all_origins: true,
            credentials: true,
            ..CorsParts::default()
        };
        assert_eq!(Cors::new(parts), Err(CorsContradiction::CredentialsForAll));
        assert_eq!(Cors::new(CorsParts::default()), Err(CorsContradiction::NoOrigin));
        let parts = CorsParts {
            origins: vec!["https://a.example.com".parse().unwrap()],
            credentials: true,
            ..CorsParts::default()
        };
        let cors = Cors::new(parts).unwrap();
        assert!(cors.allows(b"https://a.example.com"));
        for origin in [
            "https://b.example.com",
            "https://a.example.com.evil.example",
            "null",
            "",
        ] {
            assert!(!cors.allows(origin.as_bytes()), "{origin}");
        }
    }

    #[test]
    fn what_no_header_could_say_is_refused() {
        for text in ["", "*", "x y", "x:y", "ä"] {
            assert!(text.parse::<CorsHeader>().is_err(), "{text:?}");
        }
        for text in ["get", "*", "FOO"] {
            assert!(text.parse::<CorsMethod>().is_err(), "{text:?}");
        }
        assert!(MaxAge::try_from(-2).is_err() && MaxAge::try_from(86_401).is_err());
        assert_eq!(MaxAge::try_from(-1).unwrap().seconds(), -1);
    }
}
