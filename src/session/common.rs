//! What all sessions of a replica have in common: how long one may go unused, and which application tokens are revoked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::ids::AudTag;

/// How far behind the store may be with what it holds of a session's last use: the chores write it down each minute, to
/// ten seconds.
pub const WRITTEN_LATE_MS: i64 = 90_000;

/// Shared by the table and every session in it.
#[derive(Debug, Default)]
pub struct Common {
    /// Milliseconds; none where sessions may go unused for as long as they last.
    idle_ms: Option<i64>,
    /// Grows with every revocation of tokens: what was worked out before holds no longer.
    version: AtomicU64,
    /// Asked once for a token after each revocation, never on the fast path.
    epochs: Mutex<HashMap<AudTag, i64>>,
}

impl Common {
    pub(super) fn new(idle: Option<Duration>) -> Self {
        Self {
            idle_ms: idle.map(|idle| i64::try_from(idle.as_millis()).unwrap_or(i64::MAX)),
            ..Self::default()
        }
    }

    /// Whether a session last used then has gone unused for too long, as far as this replica knows.
    pub(super) fn may_be_idle(&self, last_use_ms: i64, now_ms: i64) -> bool {
        self.idle_ms
            .is_some_and(|idle| now_ms.saturating_sub(last_use_ms) > idle)
    }

    /// Whether it has, as far as the store knows, which learns of uses late.
    pub(super) fn is_idle(&self, written_ms: i64, now_ms: i64) -> bool {
        self.may_be_idle(written_ms.saturating_add(WRITTEN_LATE_MS), now_ms)
    }

    /// The time since which sessions must have been used, as the store knows it.
    pub(super) fn unused_since_ms(&self, now_ms: i64) -> Option<i64> {
        let idle = self.idle_ms?;
        Some(now_ms.saturating_sub(idle).saturating_sub(WRITTEN_LATE_MS))
    }

    /// The version of what is revoked.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The epoch from which on tokens of this audience count.
    pub(super) fn epoch(&self, aud: &AudTag) -> i64 {
        self.epochs().get(aud).copied().unwrap_or(0)
    }

    /// Raises an epoch.
    pub(super) fn raise(&self, aud: &AudTag, epoch: i64) {
        raise(self.epochs().entry(aud.clone()).or_default(), epoch);
        self.changed();
    }

    /// What is revoked is another now. After the change: whoever reads the new version finds it.
    pub(super) fn changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    fn epochs(&self) -> MutexGuard<'_, HashMap<AudTag, i64>> {
        // A map that was half-written when somebody panicked is still a map of epochs that were all true.
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes may be heard of in any order; an epoch only grows.
pub(super) fn raise(known: &mut i64, epoch: i64) {
    *known = (*known).max(epoch);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_226_200_000;

    #[test]
    fn a_session_is_idle_after_the_time_and_in_the_store_a_little_later() {
        let common = Common::new(Some(Duration::from_mins(30)));
        let then = NOW - 30 * 60_000;
        assert!(!common.may_be_idle(then, NOW) && common.may_be_idle(then - 1, NOW));
        assert!(
            !common.is_idle(then - WRITTEN_LATE_MS, NOW) && common.is_idle(then - WRITTEN_LATE_MS - 1, NOW)
        );
        assert!(!Common::default().may_be_idle(0, NOW), "without a time-out");
    }

    #[test]
    fn an_epoch_only_grows_and_says_so() {
        let (common, aud) = (Common::default(), "a".repeat(64).parse().unwrap());
        let before = common.version();
        common.raise(&aud, 7);
        common.raise(&aud, 5);
        assert_eq!(common.epoch(&aud), 7);
        assert!(common.version() > before);
    }
}
