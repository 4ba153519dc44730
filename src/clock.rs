//! The clock. Time is asked for here and nowhere else, so that tests can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// A source of the present time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock {
    // Milliseconds added to the system's time; zero outside tests.
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self {
            offset: Arc::new(AtomicI64::new(0)),
        }
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        // The instant stays within what jiff can hold: the offset is bounded below.
        Timestamp::from_millisecond(self.now_ms()).unwrap_or(Timestamp::MAX)
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let system = Timestamp::now().as_millisecond();
        system.saturating_add(self.offset.load(Ordering::Relaxed))
    }

    /// Seconds since 1970, the unit of JWT (RFC 7519 §2, `NumericDate`).
    pub fn now_seconds(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// Moves this clock and all its clones. For tests; the product never calls it.
    pub fn advance(&self, by: jiff::SignedDuration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(0);
        self.offset.fetch_add(millis, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_move_together() {
        let clock = Clock::system();
        let other = clock.clone();
        let before = other.now_seconds();
        clock.advance(jiff::SignedDuration::from_hours(1));
        assert!(other.now_seconds() >= before + 3600);
    }
}
