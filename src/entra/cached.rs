//! Remembers a document of Microsoft's: metadata, key set.
//!
//! Fresh for an hour, or as long as its owner says. Older than that it is still used, and fetched again behind the back of whoever uses it. Older than
//! a day it is fetched before use; where that fails the last good one stays, since a login that the rest of Microsoft
//! lets pass need not fail on it (<https://learn.microsoft.com/entra/identity-platform/signing-key-rollover>).

use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;

use super::errors::EntraError;

const FRESH_MS: i64 = 60 * 60 * 1000;
const KEPT_MS: i64 = 24 * FRESH_MS;
/// After a failed refresh the next one waits this long, so that an outage does not slow every login down.
const PAUSE_MS: i64 = 60 * 1000;

/// One remembered document.
pub(super) struct Cached<T> {
    held: ArcSwapOption<Held<T>>,
    fresh_ms: i64,
    /// One fetch at a time. It guards no data: whoever is content with what is held never waits for it.
    turn: Semaphore,
    fetches: AtomicU64,
    last_failure: Mutex<Option<EntraError>>,
    last_refresh_ms: AtomicI64,
    last_renewal_ms: AtomicI64,
}

struct Held<T> {
    document: Arc<T>,
    fetched_ms: i64,
}

impl<T: Send + Sync + 'static> Cached<T> {
    pub(super) fn new() -> Self {
        Self::fresh_for(FRESH_MS)
    }

    /// One that counts as fresh for so long.
    pub(super) fn fresh_for(fresh_ms: i64) -> Self {
        Self {
            held: ArcSwapOption::empty(),
            fresh_ms,
            turn: Semaphore::new(1),
            fetches: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            last_refresh_ms: AtomicI64::new(i64::MIN),
            last_renewal_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// The document as remembered, however old.
    pub(super) fn held(&self) -> Option<Arc<T>> {
        self.held.load().as_ref().map(|held| Arc::clone(&held.document))
    }

    /// The document, fetched where there is none or only an old one.
    pub(super) async fn get<F>(
        self: &Arc<Self>,
        now_ms: i64,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, EntraError>
    where
        F: Future<Output = Result<T, EntraError>> + Send + 'static,
    {
        let Some(held) = self.held.load_full() else {
            return self.fetch_once(now_ms, fetch()).await;
        };
        let age = now_ms.saturating_sub(held.fetched_ms);
        if age < self.fresh_ms || !self.refresh_is_due(now_ms) {
            return Ok(Arc::clone(&held.document));
        }
        if age < KEPT_MS {
            let (cached, fetching) = (Arc::clone(self), fetch());
            tokio::spawn(async move {
                if let Err(error) = cached.fetch_once(now_ms, fetching).await {
                    tracing::warn!(%error, "Keeping an older document of Microsoft's");
                }
            });
            return Ok(Arc::clone(&held.document));
        }
        self.fetch_once(now_ms, fetch()).await.or_else(|error| {
            tracing::warn!(%error, "Keeping a document of Microsoft's that is older than a day");
            Ok(Arc::clone(&held.document))
        })
    }

    /// A newer document than `seen`, or `None` where the last renewal is less than `pause_ms` ago.
    pub(super) async fn renew<F>(
        &self,
        seen: &Arc<T>,
        now_ms: i64,
        pause_ms: i64,
        fetch: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, EntraError>
    where
        F: Future<Output = Result<T, EntraError>>,
    {
        let _turn = self.turn.acquire().await;
        if let Some(newer) = self.held().filter(|held| !Arc::ptr_eq(held, seen)) {
            return Ok(Some(newer));
        }
        let since = now_ms.saturating_sub(self.last_renewal_ms.load(Ordering::Relaxed));
        if since < pause_ms {
            return Ok(None);
        }
        self.last_renewal_ms.store(now_ms, Ordering::Relaxed);
        let document = fetch().await?;
        Ok(Some(self.remember(document, now_ms)))
    }

    /// Fetches unless somebody else did while this one waited for its turn: then their result is this one's too.
    async fn fetch_once<F>(&self, now_ms: i64, fetching: F) -> Result<Arc<T>, EntraError>
    where
        F: Future<Output = Result<T, EntraError>>,
    {
        let before = self.fetches.load(Ordering::Acquire);
        let _turn = self.turn.acquire().await;
        if self.fetches.load(Ordering::Acquire) != before {
            let failure = self
                .last_failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            match (failure, self.held()) {
                (Some(error), _) => return Err(error),
                (None, Some(document)) => return Ok(document),
                (None, None) => {}
            }
        }
        let fetched = fetching.await;
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = fetched.as_ref().err().cloned();
        let result = fetched.map(|document| self.remember(document, now_ms));
        self.fetches.fetch_add(1, Ordering::Release);
        result
    }

    fn remember(&self, document: T, now_ms: i64) -> Arc<T> {
        let document = Arc::new(document);
        self.held.store(Some(Arc::new(Held {
            document: Arc::clone(&document),
            fetched_ms: now_ms,
        })));
        document
    }

    /// Whether this caller is the one to refresh now; the others go on with what is held.
    fn refresh_is_due(&self, now_ms: i64) -> bool {
        let last = self.last_refresh_ms.load(Ordering::Relaxed);
        now_ms.saturating_sub(last) >= PAUSE_MS
            && self
                .last_refresh_ms
                .compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    /// Hands out 1, 2, 3 … or fails.
    #[derive(Default)]
    struct Source {
        asked: AtomicUsize,
        down: std::sync::atomic::AtomicBool,
    }

    impl Source {
        fn fetch(self: &Arc<Self>) -> impl Future<Output = Result<usize, EntraError>> + Send + use<> {
            let source = Arc::clone(self);
            async move {
                let number = source.asked.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
                if source.down.load(Ordering::SeqCst) {
                    return Err(EntraError::Misconfigured("down".to_owned()));
                }
                Ok(number)
            }
        }
    }

    fn asked(source: &Source) -> usize {
        source.asked.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn many_at_once_fetch_once() {
        let (cached, source) = (Arc::new(Cached::new()), Arc::new(Source::default()));
        let (a, b, c) = tokio::join!(
            cached.get(0, || source.fetch()),
            cached.get(0, || source.fetch()),
            cached.get(0, || source.fetch()),
        );
        assert_eq!([*a.unwrap(), *b.unwrap(), *c.unwrap()], [1, 1, 1]);
        assert_eq!(asked(&source), 1);
    }

    #[tokio::test]
    async fn many_at_once_share_one_failure() {
        let (cached, source) = (Arc::new(Cached::new()), Arc::new(Source::default()));
        source.down.store(true, Ordering::SeqCst);
        let (a, b) = tokio::join!(cached.get(0, || source.fetch()), cached.get(0, || source.fetch()));
        assert!(a.is_err() && b.is_err());
        assert_eq!(asked(&source), 1);
        source.down.store(false, Ordering::SeqCst);
        assert_eq!(*cached.get(0, || source.fetch()).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn after_an_hour_the_old_one_is_used_while_the_new_one_comes() {
        let (cached, source) = (Arc::new(Cached::new()), Arc::new(Source::default()));
        cached.get(0, || source.fetch()).await.unwrap();
        assert_eq!(*cached.get(FRESH_MS - 1, || source.fetch()).await.unwrap(), 1);
        assert_eq!(*cached.get(FRESH_MS, || source.fetch()).await.unwrap(), 1);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(*cached.get(FRESH_MS + 1, || source.fetch()).await.unwrap(), 2);
        assert_eq!(asked(&source), 2);
    }

    #[tokio::test]
    async fn after_a_day_it_is_fetched_before_use_and_kept_where_that_fails() {
        let (cached, source) = (Arc::new(Cached::new()), Arc::new(Source::default()));
        cached.get(0, || source.fetch()).await.unwrap();
        assert_eq!(*cached.get(KEPT_MS, || source.fetch()).await.unwrap(), 2);
        source.down.store(true, Ordering::SeqCst);
        assert_eq!(*cached.get(3 * KEPT_MS, || source.fetch()).await.unwrap(), 2);
        assert_eq!(*cached.get(3 * KEPT_MS + 1, || source.fetch()).await.unwrap(), 2);
        assert_eq!(asked(&source), 3, "an outage is not asked about at every login");
    }

    #[tokio::test]
    async fn a_renewal_waits_out_its_pause() {
        let (cached, source) = (Arc::new(Cached::new()), Arc::new(Source::default()));
        let first = cached.get(0, || source.fetch()).await.unwrap();
        let second = cached
            .renew(&first, 0, 1000, || source.fetch())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(*second, 2);
        let seen_meanwhile = cached.renew(&first, 1, 1000, || source.fetch()).await.unwrap();
        assert_eq!(seen_meanwhile.as_deref(), Some(&2));
        assert_eq!(
            cached.renew(&second, 999, 1000, || source.fetch()).await.unwrap(),
            None
        );
        assert!(
            cached
                .renew(&second, 1000, 1000, || source.fetch())
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!(asked(&source), 3);
    }
}
