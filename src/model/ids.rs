//! Identifiers. Each is a type of its own, so that two of them cannot be exchanged by accident.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not the identifier it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be {shape}")]
pub struct IdMalformed {
    shape: &'static str,
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdMalformed;
            fn from_str(text: &str) -> Result<Self, IdMalformed> {
                // Only the hyphenated form: one spelling, one identity.
                let malformed = IdMalformed { shape: "a UUID such as 7335d417-61da-459d-899c-0a01c76a2f94" };
                if text.len() != 36 {
                    return Err(malformed);
                }
                Uuid::parse_str(text).map(Self).map_err(|_| malformed)
            }
        }
    )*};
}

uuid_id! {
    /// An application (Access: app id).
    AppId;
    /// An identity provider.
    IdpId;
    /// A policy.
    PolicyId;
    /// An access group: rules under a name, which policies refer to.
    GroupId;
    /// A list of e-mail addresses or of network addresses.
    ListId;
    /// A service token.
    ServiceTokenId;
    /// A token of the API.
    ApiTokenId;
    /// A page that an operator wrote.
    CustomPageId;
    /// A certificate authority whose client certificates are taken.
    AuthorityId;
    /// A user of this organization: the `sub` of the tokens we sign.
    UserId;
    /// A person as a directory described them by SCIM.
    ScimUserId;
    /// A group as a directory described it by SCIM.
    ScimGroupId;
    /// An Entra directory (tenant): the claim `tid`.
    TenantId;
    /// An object of an Entra directory (user or group): the claim `oid`.
    ObjectId;
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident, $shape:literal, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdMalformed;
            fn from_str(text: &str) -> Result<Self, IdMalformed> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdMalformed { shape: $shape })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdMalformed;
            fn try_from(text: String) -> Result<Self, IdMalformed> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_id! {
    /// The account of the organization in API paths: 32 lower-case hexadecimal digits.
    AccountId, "32 lower-case hexadecimal digits", |t| lower_hex(t, 32);
    /// The audience tag of an application: 64 lower-case hexadecimal digits, for life.
    AudTag, "64 lower-case hexadecimal digits", |t| lower_hex(t, 64);
    /// The key id of one of our signing keys: 64 lower-case hexadecimal digits.
    KeyId, "64 lower-case hexadecimal digits", |t| lower_hex(t, 64);
    /// What a service token is called in requests: 32 lower-case hexadecimal digits and `.access`.
    ClientId, "32 lower-case hexadecimal digits and .access",
        |t| t.strip_suffix(".access").is_some_and(|digits| lower_hex(digits, 32));
    /// The key of an organization session (`identity_nonce`): 16 letters and digits.
    SessionNonce, "16 letters and digits",
        |t| t.len() == 16 && t.bytes().all(|b| b.is_ascii_alphanumeric());
}

fn lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_one_spelling() {
        assert!("7335d417-61da-459d-899c-0a01c76a2f94".parse::<UserId>().is_ok());
        assert!("7335d41761da459d899c0a01c76a2f94".parse::<UserId>().is_err());
        assert!(
            "{7335d417-61da-459d-899c-0a01c76a2f94}"
                .parse::<UserId>()
                .is_err()
        );
    }

    #[test]
    fn an_audience_tag_is_lower_hex_only() {
        assert!("a".repeat(64).parse::<AudTag>().is_ok());
        assert!("A".repeat(64).parse::<AudTag>().is_err());
        assert!("a".repeat(63).parse::<AudTag>().is_err());
    }
}
