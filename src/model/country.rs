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

/// A country that a rule may name: one there is. What tells where requests come from may say more, and rules about that
/// would hold for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssignedCountry(pub CountryCode);

/// The text names no country there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no country {0}: a code of ISO 3166-1 alpha-2 is needed, such as SE or GB")]
pub struct NoCountry(String);

impl FromStr for AssignedCountry {
    type Err = NoCountry;

    fn from_str(text: &str) -> Result<Self, NoCountry> {
        let known = |code: &CountryCode| {
            ASSIGNED
                .split_ascii_whitespace()
                .any(|known| known == code.as_str())
        };
        let code = text.parse().ok().filter(known);
        // The text is the operator's own, but what a message holds is bounded.
        code.map(Self)
            .ok_or_else(|| NoCountry(text.chars().take(8).collect()))
    }
}

/// The codes of ISO 3166-1 alpha-2, and `XK`, by which databases of addresses know Kosovo.
const ASSIGNED: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ \
    BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ \
    DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU \
    ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ \
    LA LB LC LI LK LR LS LT LU LV LY \
    MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ \
    NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA \
    RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ \
    TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ \
    VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_countries_there_are() {
        let codes: Vec<&str> = ASSIGNED.split_ascii_whitespace().collect();
        assert_eq!(codes.len(), 249 + 1);
        assert!(codes.is_sorted() && codes.iter().all(|code| code.parse::<AssignedCountry>().is_ok()));
        for text in ["se", "GB", "XK"] {
            assert!(text.parse::<AssignedCountry>().is_ok(), "{text}");
        }
        for text in ["UK", "ZZ", "XX", "T1", "EU", "", "SWE", "S"] {
            assert!(text.parse::<AssignedCountry>().is_err(), "{text}");
        }
        // Where a request comes from is whatever its source says.
        assert!("ZZ".parse::<CountryCode>().is_ok());
    }
}
