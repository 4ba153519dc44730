//! Countries by their two letters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A country as ISO 3166-1 alpha-2 names it, in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CountryCode([u8; 2]);

/// The text is not two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two letters, such as SE (ISO 3166-1 alpha-2)")]
pub struct CountryMalformed;

impl CountryCode {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        // Made of capitals only; the fallback names no country.
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl FromStr for CountryCode {
    type Err = CountryMalformed;

    fn from_str(text: &str) -> Result<Self, CountryMalformed> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(CountryMalformed),
        }
    }
}

impl TryFrom<String> for CountryCode {
    type Error = CountryMalformed;

    fn try_from(text: String) -> Result<Self, CountryMalformed> {
        text.parse()
    }
}

impl From<CountryCode> for String {
    fn from(code: CountryCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
