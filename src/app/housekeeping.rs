//! What recurs: rotating keys, writing down uses, forgetting what is over, measuring.

use std::sync::Arc;
use std::time::Duration;

use super::{directories, seats, secrets, service_tokens};
use crate::clock::Clock;
use crate::crypto::seal::Sealer;
use crate::manage::Manage;
use crate::session::grace::StoreGrace;
use crate::session::keys;
use crate::session::table::{Cause, SessionTable, Whose};
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Ending, Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// Between two measurements.
const MEASURE: Duration = Duration::from_secs(1);
/// Between two rounds of the chores that touch the store.
const ROUND: Duration = Duration::from_mins(1);
/// How long sessions and changes are kept after their end, for the operator to look at: 30 days.
const KEPT_MS: i64 = 30 * 86_400_000;
/// How long the log of logins is kept: six months, as Access keeps it.
const LOG_KEPT_MS: i64 = 183 * 86_400_000;
/// Uses written down twice do no harm; none may be missed between two rounds.
const OVERLAP_MS: i64 = 15_000;

/// What the chores work on.
pub(super) struct Chores {
    pub(super) store: Store,
    pub(super) manage: Manage,
    pub(super) sessions: SessionTable,
    pub(super) sealer: Sealer,
    pub(super) clock: Clock,
    pub(super) grace: StoreGrace,
    pub(super) metrics: Arc<Metrics>,
    pub(super) published: Arc<Published>,
    pub(super) service_tokens: service_tokens::Chores,
}

impl Chores {
    /// Does them until the process ends.
    pub(super) async fn keep_doing(self, shutdown: Shutdown) {
        let measuring = async {
            loop {
                self.measure();
                tokio::time::sleep(MEASURE).await;
            }
        };
        let rounds = async {
            let mut since_ms = self.clock.now_ms();
            let mut warned = secrets::Warned::default();
            let mut silences = directories::Silences::default();
            loop {
                // What ends is known at once, not only a minute after the start.
                let began_ms = self.clock.now_ms();
                match self
                    .round(since_ms - OVERLAP_MS, &mut warned, &mut silences)
                    .await
                {
                    Ok(()) => since_ms = began_ms,
                    Err(error) => {
                        tracing::warn!(%error, "Housekeeping failed; it is tried again in a minute");
                    }
                }
                tokio::time::sleep(ROUND).await;
            }
        };
        tokio::select! {
            () = measuring => {}
            () = rounds => {}
            () = shutdown.hard() => {}
        }
    }

    fn measure(&self) {
        let now_ms = self.clock.now_ms();
        let lag = u64::try_from(self.grace.lag_ms(now_ms)).unwrap_or(0);
        self.metrics.feed_confirmed_ago(Duration::from_millis(lag));
        self.metrics.store_is(self.grace.store_answers(now_ms));
    }

    /// Counting takes as long as there are sessions, so it is not done every second.
    fn sessions_known(&self) {
        let count = self.sessions.count(self.clock.now_ms());
        self.metrics.sessions_live("organization", count);
    }

    /// Ends what nobody uses any more, so that lists and open streams know it too. Who asks with such a session is told
    /// so at once, whether this has come to it or not.
    async fn end_idle(&self, now_ms: i64) -> Result<(), StoreError> {
        let Some(unused_since_ms) = self.sessions.unused_since_ms(now_ms) else {
            return Ok(());
        };
        let ending = Ending::Idle { unused_since_ms };
        for nonce in self.store.end_sessions(&ending, Cause::Idle.word()).await? {
            self.sessions.end(&Whose::Session(nonce), Cause::Idle);
        }
        Ok(())
    }

    async fn round(
        &self,
        since_ms: i64,
        warned: &mut secrets::Warned,
        silences: &mut directories::Silences,
    ) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        self.store
            .touch_sessions(&self.sessions.used_since(since_ms))
            .await?;
        self.end_idle(now_ms).await?;
        self.service_tokens
            .round(since_ms, &self.published.load())
            .await?;
        self.sessions.forget_over(now_ms);
        self.store.forget_expired(now_ms - KEPT_MS).await?;
        self.store.forget_access_requests(now_ms - LOG_KEPT_MS).await?;
        self.store.forget_approvals(now_ms - LOG_KEPT_MS).await?;
        let days = self.published.load().organization.key_rotation_days;
        match keys::rotate_if_due(&self.store, &self.sealer, &self.clock, days).await {
            Ok(true) => tracing::info!("The signing key was rotated"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "The signing key could not be rotated"),
        }
        let snapshot = self.published.load();
        directories::round(&self.store, &snapshot, silences, now_ms).await?;
        seats::round(&self.manage, &snapshot, now_ms).await?;
        self.sessions_known();
        secrets::announce(&snapshot, &self.metrics, warned, self.clock.now());
        let ends = snapshot.keys.keys().iter().filter_map(|key| {
            let end = key
                .retires_ms
                .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
            Some((key.kid.as_str(), end))
        });
        self.metrics.signing_keys_end(ends);
        Ok(())
    }
}
