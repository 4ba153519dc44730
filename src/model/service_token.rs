//! Service tokens: credentials of machines, which Service Auth policies let in without a sign-in.
//!
//! The secret is 40 random letters and digits, 238 bits: nobody finds it by trying, however fast the hash. So a plain
//! SHA-256 is what is kept of it, which costs a request next to nothing; a slow hash is for what people choose.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration::GoDuration;
use super::ids::{ClientId, ServiceTokenId};

/// Among an object's secrets: SHA-256 of the secret, in hexadecimal.
pub const SECRET_HASH: &str = "client_secret_sha256";
/// Among an object's secrets: the same of the secret before it.
pub const PREVIOUS_SECRET_HASH: &str = "previous_client_secret_sha256";
/// The longest secret that is looked at, in bytes: ours have 54, older ones 64.
pub const LONGEST_SECRET: usize = 256;

/// A service token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// Its id in the API and in rules.
    pub id: ServiceTokenId,
    /// Its name, for people.
    pub name: String,
    /// What it is called in `CF-Access-Client-Id`, and in `common_name` of the JWTs made for it.
    pub client_id: ClientId,
    /// How long it was made for.
    pub duration: TokenLife,
    /// Whether its secrets are good.
    pub enabled: bool,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: i64,
    /// The version that its writer gives the secret; a higher one rotates it.
    pub secret_version: u64,
    /// The present secret.
    pub secret: SecretHash,
    /// The one before, while it is still good.
    pub previous: Option<PreviousSecret>,
}

/// A secret that another has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousSecret {
    /// The secret.
    pub secret: SecretHash,
    /// Until when it is good, milliseconds since 1970.
    pub until_ms: i64,
}

impl ServiceToken {
    /// Whether the token is good at all: neither disabled nor over.
    pub fn is_good(&self, now_ms: i64) -> bool {
        self.enabled && now_ms < self.expires_ms
    }
}

/// SHA-256 of a secret. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([hidden])")
    }
}

/// Tells one secret of a service token from another without saying anything about it: made with a key of ours, so that
/// whoever sees it (it stands in JWTs) can try no secret against it. On the wire 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretMark(pub u64);

/// A text that is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("16 lower-case hexadecimal digits are needed")]
pub struct SecretMarkMalformed;

impl TryFrom<String> for SecretMark {
    type Error = SecretMarkMalformed;
    fn try_from(text: String) -> Result<Self, SecretMarkMalformed> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(digit) {
            return Err(SecretMarkMalformed);
        }
        u64::from_str_radix(&text, 16)
            .map(Self)
            .map_err(|_| SecretMarkMalformed)
    }
}

impl From<SecretMark> for String {
    fn from(mark: SecretMark) -> String {
        format!("{:016x}", mark.0)
    }
}

/// How long a service token lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenLife {
    /// So long from when it was made, or its duration was last set.
    Lasts(GoDuration),
    /// Until somebody ends it.
    Forever,
}

/// A year, as Access gives it.
const DEFAULT_HOURS: u32 = 8760;
/// The shortest life: a token that ends before it has been deployed helps nobody.
const SHORTEST: Duration = Duration::from_mins(1);
/// How `forever` is written.
const FOREVER: &str = "forever";

/// A text that is no life of a service token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a duration of at least 1m, such as 8760h, or forever is needed")]
pub struct TokenLifeMalformed;

impl TokenLife {
    /// How it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Lasts(duration) => duration.as_str(),
            Self::Forever => FOREVER,
        }
    }
}

impl Default for TokenLife {
    fn default() -> Self {
        Self::Lasts(GoDuration::hours(DEFAULT_HOURS))
    }
}

impl FromStr for TokenLife {
    type Err = TokenLifeMalformed;

    fn from_str(text: &str) -> Result<Self, TokenLifeMalformed> {
        if text == FOREVER {
            return Ok(Self::Forever);
        }
        let duration: GoDuration = text.parse().map_err(|_| TokenLifeMalformed)?;
        if duration.length() < SHORTEST {
            return Err(TokenLifeMalformed);
        }
        Ok(Self::Lasts(duration))
    }
}

/// What becomes of tokens of this organization, and how strictly they are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTokenRules {
    /// Requests that show a service token are judged by it alone: 401 for a bad one, 403 for one that no Service Auth
    /// policy lets in, never a sign-in, and no cookie in return.
    pub strict: bool,
    /// What happens to tokens that nobody uses.
    pub inactivity: Option<Inactivity>,
}

/// What happens to tokens that nobody has used for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inactivity {
    /// After how many days, [`INACTIVITY_DAYS`].
    pub days: u16,
    /// What happens.
    pub action: InactivityAction,
}

/// What somebody says should happen to such tokens: that nothing should is said too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnusedTokens {
    /// They stay.
    Stay,
    /// They end.
    End(Inactivity),
}

impl From<UnusedTokens> for Option<Inactivity> {
    fn from(unused: UnusedTokens) -> Self {
        match unused {
            UnusedTokens::Stay => None,
            UnusedTokens::End(inactivity) => Some(inactivity),
        }
    }
}

/// The days that an organization may choose from.
pub const INACTIVITY_DAYS: std::ops::RangeInclusive<u16> = 30..=365;

/// What happens to a token that nobody uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InactivityAction {
    /// It is disabled, and can be enabled again.
    Disable,
    /// It is deleted.
    Delete,
}

/// The name of a header in which an application takes both parts of a service token, in lower case (Access:
/// `read_service_tokens_from_header`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialHeader(Box<str>);

/// A text that is no name for such a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a header is needed that nothing else uses, such as X-Service-Token; Authorization is possible too"
)]
pub struct CredentialHeaderRefused;

/// Names that mean something to the protocol, to browsers or to the gateway itself: taking them out of requests, or
/// reading them as credentials, would break what they are for.
const TAKEN: &[&str] = &[
    "accept",
    "connection",
    "cookie",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-request-id",
    "x-requested-with",
];
const TAKEN_BEGINNINGS: &[&str] = &["cf-", "access-control-", "proxy-", "sec-", "x-forwarded-", "if-"];
/// Longer names are nobody's.
const LONGEST_NAME: usize = 128;

impl CredentialHeader {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialHeader {
    type Err = CredentialHeaderRefused;

    fn from_str(text: &str) -> Result<Self, CredentialHeaderRefused> {
        let name = text.to_ascii_lowercase();
        // Letters, digits and hyphens: with other punctuation two names could be one to an upstream.
        let fine = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let taken = TAKEN.contains(&name.as_str())
            || TAKEN_BEGINNINGS
                .iter()
                .any(|beginning| name.starts_with(beginning));
        if !fine || taken {
            return Err(CredentialHeaderRefused);
        }
        Ok(Self(name.into()))
    }
}

impl TryFrom<String> for CredentialHeader {
    type Error = CredentialHeaderRefused;
    fn try_from(text: String) -> Result<Self, CredentialHeaderRefused> {
        text.parse()
    }
}

impl From<CredentialHeader> for String {
    fn from(name: CredentialHeader) -> String {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_duration_or_for_ever() {
        assert_eq!(TokenLife::default().as_str(), "8760h");
        assert_eq!("forever".parse(), Ok(TokenLife::Forever));
        assert_eq!("17520h".parse::<TokenLife>().unwrap().as_str(), "17520h");
        for text in ["", "0", "59s", "-1h", "1y", "Forever", "forever "] {
            assert!(text.parse::<TokenLife>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_header_for_credentials_is_one_that_nothing_else_needs() {
        for text in ["Authorization", "X-Service-Token", "x-api-credentials"] {
            assert!(text.parse::<CredentialHeader>().is_ok(), "{text}");
        }
        for text in [
            "",
            "Cookie",
            "HOST",
            "cf-access-token",
            "X_Token",
            "a b",
            "sec-fetch-mode",
            "Transfer-Encoding",
            "x:y",
        ] {
            assert!(text.parse::<CredentialHeader>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_hash_of_a_secret_is_not_shown() {
        assert!(!format!("{:?}", SecretHash([7; 32])).contains('7'));
    }
}
