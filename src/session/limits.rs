//! Limits on failures: whoever shows token after token that we never signed is told to wait.
//!
//! Only failures count, so that no number of honest requests is ever slowed, and they count per address (an IPv6
//! client commands a whole /64), so that nobody is locked out by somebody else.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use quick_cache::sync::Cache;

use crate::model::ids::ServiceTokenId;

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
#[derive(Default)]
pub struct FailureLimit(Limit<Prefix>);

impl std::fmt::Debug for FailureLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailureLimit").finish_non_exhaustive()
    }
}

impl FailureLimit {
    /// Whether this address has to wait.
    pub fn must_wait(&self, address: IpAddr, now_ms: i64) -> bool {
        self.0.must_wait(&Prefix::of(address), now_ms)
    }

    /// Counts a failure of this address.
    pub fn failed(&self, address: IpAddr, now_ms: i64) {
        self.0.failed(Prefix::of(address), now_ms);
    }
}

/// Counts bad secrets of service tokens: per address, and per token whatever address they come from. Both say only that
/// a *bad* one is answered 429: a good one always counts, so that nobody locks out the holder.
#[derive(Default)]
pub struct SecretFailures {
    addresses: Limit<Prefix>,
    tokens: Limit<ServiceTokenId>,
}

impl std::fmt::Debug for SecretFailures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretFailures").finish_non_exhaustive()
    }
}

/// How a bad secret stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failures {
    /// There have been few.
    Few,
    /// With this one there are too many.
    TooManyNow,
    /// There were too many already.
    TooMany,
}

impl SecretFailures {
    /// Counts a bad secret. `token` is the one that was named, if there is one; names of none are not kept.
    pub fn failed(&self, address: IpAddr, token: Option<ServiceTokenId>, now_ms: i64) -> Failures {
        let of_address = self.addresses.failed(Prefix::of(address), now_ms);
        let of_token = token.map_or(Failures::Few, |token| self.tokens.failed(token, now_ms));
        match (of_address, of_token) {
            (Failures::Few, Failures::Few) => Failures::Few,
            (Failures::TooManyNow, _) | (_, Failures::TooManyNow) => Failures::TooManyNow,
            _ => Failures::TooMany,
        }
    }
}

/// Counts failures per something.
struct Limit<K: Hash + Eq + Clone> {
    failures: DefaultKeyedRateLimiter<K>,
    waiting: Cache<K, i64>,
}

impl<K: Hash + Eq + Clone> Default for Limit<K> {
    fn default() -> Self {
        let burst = NonZeroU32::new(BURST).unwrap_or(NonZeroU32::MIN);
        let rate = NonZeroU32::new(PER_MINUTE).unwrap_or(NonZeroU32::MIN);
        Self {
            failures: RateLimiter::keyed(Quota::per_minute(rate).allow_burst(burst)),
            waiting: Cache::new(WAITING_CAPACITY),
        }
    }
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn must_wait(&self, key: &K, now_ms: i64) -> bool {
        self.waiting.get(key).is_some_and(|until| now_ms < until)
    }

    fn failed(&self, key: K, now_ms: i64) -> Failures {
        let waits = self.must_wait(&key, now_ms);
        let exceeds = self.failures.check_key(&key).is_err();
        if exceeds {
            self.waiting.insert(key, now_ms + PENALTY_MS);
        }
        if self.failures.len() > TIDY_ABOVE {
            self.failures.retain_recent();
        }
        match (waits, exceeds) {
            (true, _) => Failures::TooMany,
            (false, true) => Failures::TooManyNow,
            (false, false) => Failures::Few,
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

    /// Abuse case 86: from ever new addresses against one token, and from one network against ever new ones.
    #[test]
    fn bad_secrets_count_per_address_and_per_token() {
        let token = |number| Some(ServiceTokenId(uuid::Uuid::from_u128(number)));
        let limit = SecretFailures::default();
        let mut of_token = (0..=BURST).map(|number| {
            let address = std::net::Ipv4Addr::from_bits(number).into();
            limit.failed(address, token(1), NOW)
        });
        assert!(
            of_token
                .by_ref()
                .take(BURST as usize)
                .all(|failures| failures == Failures::Few)
        );
        assert_eq!(of_token.next(), Some(Failures::TooManyNow));
        assert_eq!(
            limit.failed("198.51.100.7".parse().unwrap(), token(1), NOW),
            Failures::TooMany
        );
        assert_eq!(
            limit.failed("198.51.100.7".parse().unwrap(), token(2), NOW),
            Failures::Few
        );

        let limit = SecretFailures::default();
        for host in 0..BURST {
            let address = std::net::Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(host)).into();
            assert_eq!(limit.failed(address, None, NOW), Failures::Few);
        }
        assert_eq!(
            limit.failed("2001:db8::ffff".parse().unwrap(), None, NOW),
            Failures::TooManyNow
        );
    }

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
