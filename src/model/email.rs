//! E-mail addresses as policies compare them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address in the one form in which addresses are compared: lower case, domain in ASCII (IDNA).
///
/// Refused, not repaired: more than one `@`, quoted local parts, control characters and white space,
/// local parts outside ASCII. An attacker chooses such spellings; people do not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(Box<str>);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address such as ada@example.com is needed")]
pub struct EmailMalformed;

/// RFC 5321 §4.5.3.1.3: a path has at most 256 octets, two of which are the brackets.
const MAX_LENGTH: usize = 254;

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for EmailAddress {
    type Err = EmailMalformed;

    fn from_str(text: &str) -> Result<Self, EmailMalformed> {
        if text.len() > MAX_LENGTH {
            return Err(EmailMalformed);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailMalformed)?;
        if local.is_empty() || local.len() > 64 || !local.bytes().all(is_local_byte) {
            return Err(EmailMalformed);
        }
        let domain = EmailDomain::from_str(domain).map_err(|_| EmailMalformed)?;
        Ok(Self(
            format!("{}@{}", local.to_ascii_lowercase(), domain.as_str()).into(),
        ))
    }
}

/// RFC 5322 §3.2.3 `atext` and the dot. Quoted strings are left out on purpose.
fn is_local_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&byte)
}

/// The domain of an address, in ASCII and lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailDomain(Box<str>);

impl EmailDomain {
    /// The domain, without `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no domain of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a domain such as example.com is needed, without @")]
pub struct DomainMalformed;

impl FromStr for EmailDomain {
    type Err = DomainMalformed;

    fn from_str(text: &str) -> Result<Self, DomainMalformed> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b >= 0x80;
        if text.is_empty() || !text.bytes().all(plain) {
            return Err(DomainMalformed);
        }
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| DomainMalformed)?;
        let labels_filled = ascii.split('.').all(|label| !label.is_empty());
        if ascii.is_empty() || ascii.len() > 253 || !labels_filled {
            return Err(DomainMalformed);
        }
        Ok(Self(ascii.into()))
    }
}

macro_rules! text_form {
    ($($name:ident $malformed:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = $malformed;
            fn try_from(text: String) -> Result<Self, $malformed> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0.into()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text_form!(EmailAddress EmailMalformed EmailDomain DomainMalformed);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_compared_in_lower_case_and_ascii() {
        assert_eq!(
            "Ceo@EXAMPLE.com".parse::<EmailAddress>().unwrap().as_str(),
            "ceo@example.com"
        );
        assert_eq!(
            "a@bücher.example".parse::<EmailAddress>().unwrap().domain(),
            "xn--bcher-kva.example"
        );
    }

    /// Abuse case 56.
    #[test]
    fn ambiguous_spellings_are_no_addresses() {
        for text in [
            "a@evil.com@example.com",
            "\"a@example.com\"@evil.com",
            "ceo@example.com\0",
            "ceo@example.com ",
            " ceo@example.com",
            "ceo@@example.com",
            "@example.com",
            "ceo@",
            "ceo",
            "ceo@example..com",
            "cеo@example.com", // Cyrillic е in the local part
            "a\r\nb@example.com",
        ] {
            assert!(text.parse::<EmailAddress>().is_err(), "{text:?}");
        }
        let cyrillic = "ceo@exаmple.com".parse::<EmailAddress>();
        assert!(cyrillic.is_err() || cyrillic.unwrap().domain() != "example.com");
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(text in ".{0,80}") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                let again: EmailAddress = address.as_str().parse().unwrap();
                prop_assert_eq!(address, again);
            }
        }
    }
}
