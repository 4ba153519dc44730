//! One gateway of several reads a directory: it holds a row of the store for as long as it does.
//!
//! Whoever loses it stops before the next write: what it would still do may be older than what another has done since.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::ids::IdpId;
use crate::store::{DirectorySync, RoundEnd, Store, StoreError};

/// For how long it is taken, in milliseconds: a gateway that died holds the others up for so long.
const LENGTH_MS: i64 = 120_000;
/// Between two renewals.
const RENEW: Duration = Duration::from_secs(20);

/// The right to read a directory.
#[derive(Debug)]
pub(super) struct Lease {
    store: Store,
    clock: Clock,
    provider: IdpId,
    holder: String,
    until_ms: AtomicI64,
    lost: CancellationToken,
}

impl Lease {
    /// Takes it, unless another gateway has since the row was seen.
    pub(super) async fn take(
        store: &Store,
        clock: &Clock,
        provider: IdpId,
        seen: Option<&DirectorySync>,
    ) -> Result<Option<Self>, StoreError> {
        let holder = uuid::Uuid::new_v4().to_string();
        let until_ms = clock.now_ms().saturating_add(LENGTH_MS);
        let taken = store
            .take_directory_sync(provider, &holder, seen, until_ms)
            .await?;
        Ok(taken.then(|| Self {
            store: store.clone(),
            clock: clock.clone(),
            provider,
            holder,
            until_ms: AtomicI64::new(until_ms),
            lost: CancellationToken::new(),
        }))
    }

    /// By which id the round is known in logs.
    pub(super) fn id(&self) -> &str {
        &self.holder
    }

    /// Whether it still is ours by our own clock, and nobody has said otherwise.
    pub(super) fn stands(&self) -> bool {
        !self.lost.is_cancelled() && self.clock.now_ms() < self.until_ms.load(Ordering::Relaxed)
    }

    /// Keeps it, and ends when it is lost.
    pub(super) async fn keep(&self) {
        loop {
            tokio::time::sleep(RENEW).await;
            let until_ms = self.clock.now_ms().saturating_add(LENGTH_MS);
            match self
                .store
                .hold_directory_sync(self.provider, &self.holder, until_ms)
                .await
            {
                Ok(true) => self.until_ms.store(until_ms, Ordering::Relaxed),
                // It may still be ours, until it has run out.
                Err(_) if self.stands() => {}
                Ok(false) | Err(_) => return self.lost.cancel(),
            }
        }
    }

    /// Resolves when [`Lease::keep`] finds it lost.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Lets go of it, and keeps how the round ended. Of a round that was another's by then nothing is kept.
    pub(super) async fn end(&self, end: &RoundEnd) -> Result<(), StoreError> {
        let ours = self
            .store
            .end_directory_sync(self.provider, &self.holder, end)
            .await?;
        if !ours {
            tracing::warn!(provider.id = %self.provider, "Another gateway took over the reading of the directory");
        }
        Ok(())
    }
}
