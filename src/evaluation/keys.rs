//! The keys of external evaluations, remembered by address.
//!
//! For an hour at most: a key that its service has withdrawn must not vouch for longer. An unknown key id leads to one
//! more look, and to no other for a minute. Where keys do not come, nobody else waits for them for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use http::Request;
use http::header::ACCEPT;
use jsonwebtoken::DecodingKey;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use super::{NotEvaluated, exchange};
use crate::clock::Clock;
use crate::entra::{KeySet, Outbound};

const KEPT_MS: i64 = 60 * 60 * 1000;
const COOL_DOWN_MS: i64 = 60 * 1000;
/// How long keys that did not come are not asked for again.
const FAILED_MS: i64 = 10 * 1000;
/// Addresses whose keys are remembered. One or two are usual.
const MAX_ADDRESSES: usize = 256;

/// The sets of keys known. Cheap to clone.
#[derive(Clone)]
pub(super) struct KeySets(Arc<Cache<String, Arc<Remembered>>>);

/// What is remembered of an address.
struct Remembered {
    held: ArcSwapOption<Held>,
    /// One fetch at a time. It guards no data.
    turn: Semaphore,
    /// When it was last asked in vain for a key, milliseconds since 1970.
    missed_ms: AtomicI64,
    failed: ArcSwapOption<Failed>,
}

/// Why the last look brought no keys.
struct Failed {
    why: NotEvaluated,
    at_ms: i64,
}

struct Held {
    keys: KeySet,
    fetched_ms: i64,
}

/// A key that verdicts are verified with.
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
}

impl KeySets {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(MAX_ADDRESSES)))
    }

    /// The key of a verdict. One that names none is verified with the only key there is.
    pub(super) async fn find(
        &self,
        keys_url: &str,
        kid: Option<&str>,
        outbound: &Outbound,
        clock: &Clock,
    ) -> Result<Key, NotEvaluated> {
        const UNKNOWN: NotEvaluated = NotEvaluated::Refused("its key is unknown");
        let remembered = self.remembered(keys_url);
        if let Some(key) = remembered.key(kid, clock.now_ms()) {
            return Ok(key);
        }
        let _turn = remembered.turn.acquire().await;
        // Somebody else may have fetched them meanwhile.
        let now_ms = clock.now_ms();
        if let Some(key) = remembered.key(kid, now_ms) {
            return Ok(key);
        }
        let since_missed = now_ms.saturating_sub(remembered.missed_ms.load(Ordering::Relaxed));
        if remembered.is_fresh(now_ms) && since_missed < COOL_DOWN_MS {
            return Err(UNKNOWN);
        }
        if let Some(failed) = &*remembered.failed.load()
            && now_ms.saturating_sub(failed.at_ms) < FAILED_MS
        {
            return Err(failed.why.clone());
        }
        let keys = match fetch(keys_url, outbound).await {
            Ok(keys) => keys,
            Err(why) => {
                let at_ms = clock.now_ms();
                let failed = Failed {
                    why: why.clone(),
                    at_ms,
                };
                remembered.failed.store(Some(Arc::new(failed)));
                return Err(why);
            }
        };
        remembered.held.store(Some(Arc::new(Held {
            keys,
            fetched_ms: now_ms,
        })));
        remembered.key(kid, now_ms).ok_or_else(|| {
            remembered.missed_ms.store(now_ms, Ordering::Relaxed);
            UNKNOWN
        })
    }

    fn remembered(&self, keys_url: &str) -> Arc<Remembered> {
        let fresh = || {
            Ok::<_, std::convert::Infallible>(Arc::new(Remembered {
                held: ArcSwapOption::empty(),
                turn: Semaphore::new(1),
                missed_ms: AtomicI64::new(i64::MIN),
                failed: ArcSwapOption::empty(),
            }))
        };
        match self.0.get_or_insert_with(keys_url, fresh) {
            Ok(remembered) => remembered,
            Err(never) => match never {},
        }
    }
}

impl Remembered {
    fn is_fresh(&self, now_ms: i64) -> bool {
        let held = self.held.load();
        held.as_ref()
            .is_some_and(|held| now_ms.saturating_sub(held.fetched_ms) < KEPT_MS)
    }

    fn key(&self, kid: Option<&str>, now_ms: i64) -> Option<Key> {
        if !self.is_fresh(now_ms) {
            return None;
        }
        let held = self.held.load_full()?;
        let key = match kid {
            Some(kid) => held.keys.find(kid),
            None => held.keys.only(),
        };
        key.map(|key| Key {
            decoding: key.decoding.clone(),
        })
    }
}

async fn fetch(keys_url: &str, outbound: &Outbound) -> Result<KeySet, NotEvaluated> {
    let request = Request::get(keys_url)
        .header(ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|_| NotEvaluated::Address("keys_url"))?;
    let body = exchange(outbound, request, "keys_url").await?;
    KeySet::parse(&body).map_err(|_| NotEvaluated::Malformed("keys_url answers without a usable RSA key"))
}
