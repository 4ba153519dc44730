//! Points in time as people read them: in UTC, and they say so, since the reader's zone is not known.

use jiff::Timestamp;

/// To the minute: `2026-03-31 07:05 UTC`.
pub fn to_the_minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The same of milliseconds since 1970, as the store keeps them. What no calendar holds is 1970.
pub fn ms_to_the_minute(ms: i64) -> String {
    to_the_minute(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// For the `datetime` of HTML's `time`, to the second.
pub fn for_machines(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
