//! Where the present snapshot is found.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::Snapshot;

/// The longest that somebody waits for a change to be in force: the feed is gone over more often than that.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The snapshot in force. Reading takes no lock; each request reads it once, so that it is judged by one version.
#[derive(Debug)]
pub struct Published {
    snapshot: ArcSwap<Snapshot>,
    /// The newest change that is in force.
    seq: watch::Sender<i64>,
}

impl Published {
    /// Publishes the first snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            seq: watch::Sender::new(snapshot.position.seq),
            snapshot: ArcSwap::from_pointee(snapshot),
        }
    }

    /// The snapshot in force, to keep.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The snapshot in force, for the length of a request: cheaper than [`Published::load`], and not to be kept.
    pub fn borrow(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Puts a snapshot in force, unless it was built from an older state of the store than the present one.
    ///
    /// Positions of one store only grow; where the store was replaced (restored from a copy), `anew` says so.
    pub fn publish(&self, snapshot: Snapshot, anew: bool) {
        let snapshot = Arc::new(snapshot);
        self.snapshot.rcu(|present| {
            if !anew && snapshot.position.seq < present.position.seq {
                Arc::clone(present)
            } else {
                Arc::clone(&snapshot)
            }
        });
        self.seq.send_replace(self.snapshot.load().position.seq);
    }

    /// Waits until a change of objects or keys, by its number, is in force here; not for ever.
    pub async fn reached(&self, change: i64) {
        let mut seq = self.seq.subscribe();
        let reached = seq.wait_for(|seq| *seq >= change);
        // Whether it came or not, the change is written and will be followed.
        let _ = tokio::time::timeout(LONGEST_WAIT, reached).await;
    }
}
