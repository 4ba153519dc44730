//! Directories that are read by Graph, for tenants whose licence has no provisioning: what changed is asked for again and
//! again, and done as if the directory had told it by SCIM.
//!
//! ```text
//! every interval, or when asked   lease     one gateway of several reads
//!   what changed, to its end      round     people and groups, by delta queries ([`crate::entra::delta`])
//!   too many gone at once?        brake     then a second round has to say the same
//!   what follows                  people, groups   the store's own operations for what directories tell
//! ```
//! A round stops before its next write where another gateway reads by now, or where the provider's settings are others
//! than it began with. One that breaks off leaves the links where they were: the next one is told the same again, and
//! doing it again changes nothing. What was done until then is in force, and in the log: each row is written with what
//! it tells of. Once a day everybody is read anew, so that nothing that was missed stays missed.

mod brake;
mod groups;
mod lease;
mod log;
mod people;
mod record;
mod round;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::entra::RelyingParty;
use crate::model::idp::IdentityProvider;
use crate::model::ids::IdpId;
use crate::model::scim::SyncSettings;
use crate::session::effects::Effects;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{DirectorySync, RoundEnd, Store, StoreError};
use crate::telemetry::metrics::Metrics;
use lease::Lease;
use log::{Log, Rows};
use round::Failed;

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(1);
/// A round that failed is tried again after this long, where the interval is longer.
const AGAIN: Duration = Duration::from_mins(5);
/// Before a look is taken again where the store did not answer.
const STORE_AGAIN: Duration = Duration::from_secs(10);

/// Reads directories. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directories {
    /// The providers.
    pub published: Arc<Published>,
    /// Where what directories tell is kept.
    pub store: Store,
    /// Asks Graph.
    pub relying_party: RelyingParty,
    /// Has sessions follow.
    pub effects: Effects,
    /// The clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Directories {
    /// Reads what is due until the process ends.
    pub async fn keep_reading(self, shutdown: Shutdown) {
        let reading = async {
            let mut under_way: JoinSet<IdpId> = JoinSet::new();
            let mut busy: HashSet<IdpId> = HashSet::new();
            loop {
                while let Some(done) = under_way.try_join_next() {
                    match done {
                        Ok(provider) => {
                            busy.remove(&provider);
                        }
                        // Which one panicked is not known. Leases keep two rounds of one apart.
                        Err(_) => busy.clear(),
                    }
                }
                let snapshot = self.published.load();
                for provider in snapshot.providers.values() {
                    let Some(sync) = provider.sync.clone() else {
                        continue;
                    };
                    // One that is slow keeps the others waiting for nothing.
                    if busy.insert(provider.id) {
                        let (directories, provider) = (self.clone(), Arc::clone(provider));
                        under_way.spawn(async move {
                            // On the heap: a round is a large future.
                            Box::pin(directories.look_at(&provider, &sync)).await;
                            provider.id
                        });
                    }
                }
                drop(snapshot);
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = reading => {}
            () = shutdown.hard() => {}
        }
    }

    async fn look_at(&self, provider: &IdentityProvider, sync: &SyncSettings) {
        if let Err(error) = Box::pin(self.read_if_due(provider, sync)).await {
            tracing::warn!(provider.id = %provider.id, %error, "Whether the directory is to be read cannot be said");
            tokio::time::sleep(STORE_AGAIN).await;
        }
    }

    async fn read_if_due(&self, provider: &IdentityProvider, sync: &SyncSettings) -> Result<(), StoreError> {
        let seen = self.store.directory_sync(provider.id).await?;
        if !is_due(seen.as_ref(), sync.every, self.clock.now_ms()) {
            return Ok(());
        }
        let Some(lease) = Lease::take(&self.store, &self.clock, provider.id, seen.as_ref()).await? else {
            return Ok(());
        };
        let stands = seen.unwrap_or_default();
        let rows = Rows::new(&self.clock, provider.id, lease.id());
        let round = round::Round::new(self, (provider, sync), &lease, &stands, &rows);
        let mut log = Log::new(&self.store, &rows);
        let read = {
            let mut running = pin!(round.run(&mut log));
            tokio::select! {
                read = &mut running => read,
                // What is being written takes effect; nothing is begun any more.
                () = lease.keep() => running.await,
            }
        };
        log.write().await;
        let end = read.unwrap_or_else(Failed::into_end);
        self.tell(provider, &end);
        lease.end(&end).await
    }

    /// Says once how a round ended.
    fn tell(&self, provider: &IdentityProvider, end: &RoundEnd) {
        let (id, name) = (provider.id, provider.name.as_str());
        let result = match end {
            RoundEnd::Done { people, groups, .. } => {
                self.metrics
                    .directory_read(name, *people, *groups, self.clock.now());
                "success"
            }
            RoundEnd::Failed(why) | RoundEnd::StartOver(why) => {
                tracing::warn!(provider.id = %id, provider = name, "The directory could not be read: {why}");
                "failed"
            }
            RoundEnd::HeldBack { why, .. } => {
                tracing::error!(alarm = true, provider.id = %id, provider = name, "What the directory tells is held back: {why}");
                "held_back"
            }
        };
        self.metrics.directory_round_ended(name, result);
    }
}

/// Whether a round is to begin.
fn is_due(seen: Option<&DirectorySync>, every: Duration, now_ms: i64) -> bool {
    let Some(seen) = seen else { return true };
    if seen.held_until_ms > now_ms {
        return false;
    }
    let pause = if seen.failure.is_some() {
        every.min(AGAIN)
    } else {
        every
    };
    let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    let is_wanted = seen.wanted_ms > 0 && seen.wanted_ms >= seen.began_ms;
    is_wanted || now_ms.saturating_sub(seen.began_ms) >= pause_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_due_after_the_interval_when_asked_for_and_sooner_after_a_failure() {
        let every = Duration::from_mins(30);
        let minute = 60_000;
        let began = DirectorySync {
            began_ms: 100 * minute,
            ..DirectorySync::default()
        };
        let due = |seen: &DirectorySync, at: i64| is_due(Some(seen), every, at * minute);
        assert!(is_due(None, every, 0));
        assert!(!due(&began, 129) && due(&began, 130));
        let failed = DirectorySync {
            failure: Some("x".to_owned()),
            ..began.clone()
        };
        assert!(!due(&failed, 104) && due(&failed, 105));
        let wanted = |at: i64| DirectorySync {
            wanted_ms: at * minute,
            ..began.clone()
        };
        assert!(!due(&wanted(99), 101) && due(&wanted(100), 101) && due(&wanted(101), 101));
        let held = DirectorySync {
            held_until_ms: 140 * minute,
            ..began
        };
        assert!(!due(&held, 139) && due(&held, 140));
    }
}
