//! Durations as Go writes them (`24h`, `1h30m`, `300ms`), the spelling of Access and cloudflared.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A duration that remembers how it was written: `24h` must not come back as `24h0m0s`.
///
/// Grammar: `time.ParseDuration` of Go without sign; units ns, us, µs, ms, s, m, h.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    written: Box<str>,
    length: Duration,
}

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a duration such as 30m, 24h or 1h30m is needed")]
pub struct DurationMalformed;

impl GoDuration {
    /// A duration of whole hours.
    pub fn hours(hours: u32) -> Self {
        Self {
            written: format!("{hours}h").into(),
            length: Duration::from_secs(u64::from(hours) * 3600),
        }
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl FromStr for GoDuration {
    type Err = DurationMalformed;

    fn from_str(text: &str) -> Result<Self, DurationMalformed> {
        let length = parse(text).ok_or(DurationMalformed)?;
        Ok(Self {
            written: text.into(),
            length,
        })
    }
}

/// The longest text taken; every sensible duration is far shorter.
const MAX_LENGTH: usize = 64;

fn parse(text: &str) -> Option<Duration> {
    if text.len() > MAX_LENGTH || text.is_empty() {
        return None;
    }
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at_checked(digits)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(tail) => tail.split_at_checked(tail.bytes().take_while(u8::is_ascii_digit).count())?,
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_length = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_length)?;
        let nanos = nanos_of(unit)?;
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(nanos)?)?;
        if !fraction.is_empty() {
            // Nine digits hold every nanosecond; what lies beyond is cut as Go does.
            let kept = fraction.get(..fraction.len().min(9))?;
            let scale = 10_u128.pow(u32::try_from(kept.len()).ok()?);
            total = total.checked_add(kept.parse::<u128>().ok()?.checked_mul(nanos)? / scale)?;
        }
        rest = after;
    }
    // Go's durations end at 292 years; so do ours.
    u64::try_from(total)
        .ok()
        .filter(|&n| i64::try_from(n).is_ok())
        .map(Duration::from_nanos)
}

fn nanos_of(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

impl TryFrom<String> for GoDuration {
    type Error = DurationMalformed;
    fn try_from(text: String) -> Result<Self, DurationMalformed> {
        text.parse()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> String {
        duration.written.into()
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, millis) in [
            ("24h", 86_400_000),
            ("1h30m", 5_400_000),
            ("300ms", 300),
            ("1.5s", 1500),
            ("0", 0),
            ("0s", 0),
        ] {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!(duration.length(), Duration::from_millis(millis), "{text}");
            assert_eq!(duration.as_str(), text);
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "24",
            "h",
            "-1h",
            "1h ",
            " 1h",
            "1d",
            "1..5h",
            ".h",
            "999999999999h",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,40}") {
            if let Ok(duration) = text.parse::<GoDuration>() {
                prop_assert_eq!(duration.as_str(), text);
            }
        }
    }
}
