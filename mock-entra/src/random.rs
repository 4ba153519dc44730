//! Random values: the one place that asks for them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A value of 128 random bits nobody can guess, in base64url.
pub(crate) fn opaque() -> String {
    URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes())
}

/// A value nobody can guess, long enough to look like Microsoft's codes and tokens.
pub(crate) fn long_opaque() -> String {
    (0..6).map(|_| opaque()).collect()
}

/// A GUID as Microsoft uses for traces, correlations and sessions.
pub(crate) fn guid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A number of seconds between the two given, both included.
pub(crate) fn seconds_between(low: i64, high: i64) -> i64 {
    let spread = i128::from(high.saturating_sub(low).max(0)) + 1;
    let draw = i128::from(uuid::Uuid::new_v4().as_u64_pair().0);
    low.saturating_add(i64::try_from(draw.rem_euclid(spread)).unwrap_or(0))
}
