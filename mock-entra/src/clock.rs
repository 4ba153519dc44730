//! What time it is in the mock: the clock it was given, shifted by an offset.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock of the caller: answers the time in Unix seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's clock.
pub(crate) fn system() -> Clock {
    Arc::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock every other part asks"
        )]
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        i64::try_from(seconds).unwrap_or(i64::MAX)
    })
}

/// `2026-01-01 00:10:00Z`, as error answers of the login host write it.
pub(crate) fn login_stamp(unix_seconds: i64) -> String {
    format(unix_seconds, "%Y-%m-%d %H:%M:%SZ")
}

/// `2026-01-01T00:10:00`, as Graph's `innerError.date` writes it.
pub(crate) fn graph_stamp(unix_seconds: i64) -> String {
    format(unix_seconds, "%Y-%m-%dT%H:%M:%S")
}

/// `2026-01-01T00:10:00Z`, as Graph writes points in time.
pub(crate) fn rfc3339(unix_seconds: i64) -> String {
    format(unix_seconds, "%Y-%m-%dT%H:%M:%SZ")
}

/// `Thu, 01 Jan 2026 00:10:00 GMT`, as HTTP writes it.
pub(crate) fn http_date(unix_seconds: i64) -> String {
    format(unix_seconds, "%a, %d %b %Y %H:%M:%S GMT")
}

fn format(unix_seconds: i64, pattern: &str) -> String {
    let time = jiff::Timestamp::from_second(unix_seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime(pattern).to_string()
}
