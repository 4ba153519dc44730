//! Limits on failures: whoever shows token after token that we never signed is told to wait.
//!
//! Only failures count, so that no number of honest requests is ever slowed, and they count per address (an IPv6
//! client commands a whole /64), so that nobody is locked out by somebody else.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use quick_cache::sync::Cache;

/// Failures that an address may make at once.
const BURST: u32 = 60;
/// Failures that an address may make each minute after that.
const PER_MINUTE: u32 = 60;
/// How long an address waits that made too many, in milliseconds.
const PENALTY_MS: i64 = 10_000;
/// Addresses remembered as waiting; beyond that the oldest is let go early.
const WAITING_CAPACITY: usize = 10_000;
/// Addresses after which those that failed long ago are forgotten.
const TIDY_ABOVE: usize = 10_000;

/// Counts failures per address. Shared by all cores; touched only where something failed or might.
pub struct FailureLimit {
    failures: DefaultKeyedRateLimiter<Prefix>,
    waiting: Cache<Prefix, i64>,
}

impl std::fmt::Debug for FailureLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailureLimit").finish_non_exhaustive()
    }
}

impl Default for FailureLimit {
    fn default() -> Self {
        let burst = NonZeroU32::new(BURST).unwrap_or(NonZeroU32::MIN);
        let rate = NonZeroU32::new(PER_MINUTE).unwrap_or(NonZeroU32::MIN);
        Self {
            failures: RateLimiter::keyed(Quota::per_minute(rate).allow_burst(burst)),
            waiting: Cache::new(WAITING_CAPACITY),
        }
    }
}

impl FailureLimit {
    /// Whether this address has to wait.
    pub fn must_wait(&self, address: IpAddr, now_ms: i64) -> bool {
        self.waiting
            .get(&Prefix::of(address))
            .is_some_and(|until| now_ms < until)
    }

    /// Counts a failure of this address.
    pub fn failed(&self, address: IpAddr, now_ms: i64) {
        let prefix = Prefix::of(address);
        if self.failures.check_key(&prefix).is_err() {
            self.waiting.insert(prefix, now_ms + PENALTY_MS);
        }
        if self.failures.len() > TIDY_ABOVE {
            self.failures.retain_recent();
        }
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(u128);

impl Prefix {
    /// The client of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits() >> 64 << 64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_226_200_000;

    #[test]
    fn an_address_that_fails_too_often_waits_and_its_neighbours_do_not() {
        let limit = FailureLimit::default();
        let attacker: IpAddr = "2001:db8::1".parse().unwrap();
        for _ in 0..=BURST {
            assert!(!limit.must_wait(attacker, NOW));
            limit.failed(attacker, NOW);
        }
        assert!(
            limit.must_wait("2001:db8::ffff".parse().unwrap(), NOW),
            "the same /64"
        );
        assert!(!limit.must_wait("2001:db8:0:1::1".parse().unwrap(), NOW));
        assert!(!limit.must_wait("198.51.100.7".parse().unwrap(), NOW));
        assert!(!limit.must_wait(attacker, NOW + PENALTY_MS));
    }
}
