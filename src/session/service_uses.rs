//! When service tokens were last let in, kept in memory until it is written down.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;

use crate::model::ids::ServiceTokenId;
use crate::snapshot::ServiceTokens;

type Uses = HashMap<ServiceTokenId, Arc<AtomicI64>>;

/// The last use of each service token here. Cheap to clone; all clones are one. Noting a use takes no lock.
#[derive(Debug, Clone, Default)]
pub struct ServiceUses(Arc<ArcSwap<Uses>>);

/// A use is noted at most once in so many milliseconds, so that cores do not fight for the line.
const COARSE_MS: i64 = 10_000;

impl ServiceUses {
    /// Notes that a token was let in. There are no more entries than tokens have been good.
    pub fn used(&self, id: ServiceTokenId, now_ms: i64) {
        if let Some(last) = self.0.load().get(&id) {
            if now_ms - last.load(Ordering::Relaxed) >= COARSE_MS {
                last.store(now_ms, Ordering::Relaxed);
            }
            return;
        }
        self.0.rcu(|uses| {
            let mut uses = Uses::clone(uses);
            uses.entry(id).or_insert_with(|| Arc::new(AtomicI64::new(now_ms)));
            uses
        });
    }

    /// The tokens used since `since_ms`, each with when.
    pub fn since(&self, since_ms: i64) -> Vec<(ServiceTokenId, i64)> {
        let uses = self.0.load();
        let uses = uses.iter().map(|(id, last)| (*id, last.load(Ordering::Relaxed)));
        uses.filter(|(_, last)| *last >= since_ms).collect()
    }

    /// Forgets tokens that are there no more.
    pub fn keep_only(&self, tokens: &ServiceTokens) {
        if self.0.load().keys().all(|id| tokens.find(*id).is_some()) {
            return;
        }
        self.0.rcu(|uses| {
            let known = uses.iter().filter(|(id, _)| tokens.find(**id).is_some());
            known.map(|(id, last)| (*id, Arc::clone(last))).collect::<Uses>()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_to_ten_seconds() {
        let (uses, id) = (ServiceUses::default(), ServiceTokenId(uuid::Uuid::from_u128(1)));
        for now in [100_000, 105_000, 112_000, 113_000] {
            uses.used(id, now);
        }
        assert_eq!(uses.since(0), [(id, 112_000)]);
        assert!(uses.since(112_001).is_empty());
        uses.keep_only(&ServiceTokens::default());
        assert!(uses.since(0).is_empty());
    }
}
