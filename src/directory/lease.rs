//! One gateway of several reads a directory: it holds a row of the store for as long as it does.
//!
//! Whoever loses it writes nothing any more: what it would still do may be older than what another has done since. The
//! store sees to that in each write ([`ScimRules::round`](crate::store::ScimRules::round)); by its own clock a gateway
//! stops before it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::model::ids::IdpId;
use crate::store::{DirectorySync, RoundEnd, Store, StoreError};

/// For how long it is taken, in milliseconds: a gateway that died holds the others up for so long.
const LENGTH_MS: i64 = 120_000;
/// Between two renewals.
const RENEW: Duration = Duration::from_secs(20);
/// After one that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// The right to read a directory.
#[derive(Debug)]
pub(super) struct Lease {
    store: Store,
    clock: Clock,
    provider: IdpId,
    round: Uuid,
    /// The same, for logs.
    id: String,
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
        let round = Uuid::new_v4();
        let until_ms = clock.now_ms().saturating_add(LENGTH_MS);
        let taken = store.take_directory_sync(provider, round, seen, until_ms).await?;
        Ok(taken.then(|| Self {
            store: store.clone(),
            clock: clock.clone(),
            provider,
            round,
            id: round.to_string(),
            until_ms: AtomicI64::new(until_ms),
            lost: CancellationToken::new(),
        }))
    }

    /// By which id the round is known in logs.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The round that holds it in the store.
    pub(super) fn round(&self) -> Uuid {
        self.round
    }

    /// Whether it still is ours by our own clock, and nobody has said otherwise.
    pub(super) fn stands(&self) -> bool {
        !self.lost.is_cancelled() && self.clock.now_ms() < self.until_ms.load(Ordering::Relaxed)
    }

    /// Keeps it, and ends when it is lost.
    pub(super) async fn keep(&self) {
        let mut pause = RENEW;
        loop {
            tokio::time::sleep(pause).await;
            let until_ms = self.clock.now_ms().saturating_add(LENGTH_MS);
            match self
                .store
                .hold_directory_sync(self.provider, self.round, until_ms)
                .await
            {
                Ok(true) => {
                    self.until_ms.store(until_ms, Ordering::Relaxed);
                    pause = RENEW;
                }
                // It may still be ours, until it has run out: a long write of the round itself stands in the way, too.
                Err(_) if self.stands() => pause = AGAIN,
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
            .end_directory_sync(self.provider, self.round, end)
            .await?;
        if !ours {
            tracing::warn!(provider.id = %self.provider, "Another gateway took over the reading of the directory");
        }
        Ok(())
    }
}
