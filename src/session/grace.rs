//! How long live sessions go on while the store cannot be reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Notes when the store last confirmed that this replica is up to date. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct StoreGrace {
    // All in milliseconds.
    confirmed: Arc<AtomicI64>,
    grace: i64,
    late: i64,
}

/// Without a confirmation for this long a replica is not ready: three polls missed and a little more.
const LATE_MS: i64 = 1_000;

impl StoreGrace {
    /// Confirmed now; sessions go on for `grace` after the last confirmation.
    pub fn new(grace: Duration, now_ms: i64) -> Self {
        Self {
            confirmed: Arc::new(AtomicI64::new(now_ms)),
            grace: i64::try_from(grace.as_millis()).unwrap_or(i64::MAX),
            late: LATE_MS,
        }
    }

    /// The store has answered and this replica knows all it said.
    pub fn confirm(&self, now_ms: i64) {
        self.confirmed.store(now_ms, Ordering::Relaxed);
    }

    /// Milliseconds since the last confirmation: the feed's lag.
    pub fn lag_ms(&self, now_ms: i64) -> i64 {
        now_ms
            .saturating_sub(self.confirmed.load(Ordering::Relaxed))
            .max(0)
    }

    /// Whether the store has answered lately: what readiness says.
    pub fn store_answers(&self, now_ms: i64) -> bool {
        self.lag_ms(now_ms) <= self.late
    }

    /// Whether the grace is over: sessions of this replica may no longer be relied upon.
    pub fn is_over(&self, now_ms: i64) -> bool {
        let lag = self.lag_ms(now_ms);
        lag > self.late && lag > self.grace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_ends_when_it_is_over_and_begins_anew_with_the_store() {
        let grace = StoreGrace::new(Duration::from_mins(15), 0);
        assert!(grace.store_answers(1_000) && !grace.is_over(1_000));
        assert!(!grace.store_answers(2_000) && !grace.is_over(900_000));
        assert!(grace.is_over(900_001));
        grace.confirm(900_001);
        assert!(!grace.is_over(900_002) && grace.store_answers(900_002));
    }

    #[test]
    fn no_grace_still_survives_the_moment_between_two_polls() {
        let grace = StoreGrace::new(Duration::ZERO, 0);
        assert!(!grace.is_over(1_000));
        assert!(grace.is_over(1_001));
    }
}
