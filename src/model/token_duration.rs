//! How long tokens of applications live, as applications and policies write it: one rule for the file and the API.

use std::str::FromStr;
use std::time::Duration;

use super::duration::{DurationMalformed, GoDuration};

/// A token lives at least so long: what Access's tools may write below that is a minute. One that "expires immediately"
/// (a duration of 0) is good for one navigation, which the gate sees to; what the page fetches of its own may come for
/// this long.
pub const SHORTEST: Duration = Duration::from_mins(1);
/// No organization session lasts longer, and no token of a person outlives its session.
pub const LONGEST_SESSION: Duration = Duration::from_hours(720);
/// Access takes up to a month.
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// `session_duration` of an application or a policy. Zero is "expires immediately": good for one navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDuration(pub GoDuration);

/// The text says no duration that a token may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenDurationRefused {
    /// It says no duration.
    #[error(transparent)]
    Malformed(#[from] DurationMalformed),
    /// It is longer than a month.
    #[error("at most 744h is needed")]
    TooLong,
}

impl TokenDuration {
    /// What whoever writes it is told, where tokens live otherwise than it says.
    pub fn warning(&self) -> Option<&'static str> {
        let length = self.0.length();
        if length.is_zero() {
            return None;
        }
        if length < SHORTEST {
            return Some("a token lives at least a minute: this means 1m");
        }
        let cut = length > LONGEST_SESSION;
        cut.then_some("a session ends after 720h at the latest, and its tokens with it")
    }
}

impl FromStr for TokenDuration {
    type Err = TokenDurationRefused;

    fn from_str(text: &str) -> Result<Self, TokenDurationRefused> {
        let duration: GoDuration = text.parse()?;
        if duration.length() > LONGEST {
            return Err(TokenDurationRefused::TooLong);
        }
        Ok(Self(duration))
    }
}
