//! Where the present snapshot is found.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Snapshot;

/// The snapshot in force. Reading takes no lock; each request reads it once, so that it is judged by one version.
#[derive(Debug)]
pub struct Published(ArcSwap<Snapshot>);

impl Published {
    /// Publishes the first snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(snapshot))
    }

    /// The snapshot in force, to keep.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// The snapshot in force, for the length of a request: cheaper than [`Published::load`], and not to be kept.
    pub fn borrow(&self) -> Guard<Arc<Snapshot>> {
        self.0.load()
    }

    /// Puts a snapshot in force, unless it was built from an older state of the store than the present one.
    ///
    /// Positions of one store only grow; where the store was replaced (restored from a copy), `anew` says so.
    pub fn publish(&self, snapshot: Snapshot, anew: bool) {
        let snapshot = Arc::new(snapshot);
        self.0.rcu(|present| {
            if !anew && snapshot.position.seq < present.position.seq {
                Arc::clone(present)
            } else {
                Arc::clone(&snapshot)
            }
        });
    }
}
