//! Reusable policies as they are shown in applications, kept while nothing changes: a page of applications names more
//! of them than it has rows.

use std::collections::HashSet;
use std::sync::Arc;

use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::app_policies::Reusable;
use super::policies;
use crate::snapshot::Published;
use crate::store::{Kind, Store, StoreError};

/// Policies kept; those asked for least go first.
const CAPACITY: usize = 2_000;

/// A policy as it was at a version of the snapshot.
type Kept = (u64, Arc<Map<String, Value>>);

/// The policies that were shown last.
pub(super) struct Linked(Cache<Uuid, Kept>);

impl std::fmt::Debug for Linked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linked").finish_non_exhaustive()
    }
}

impl Default for Linked {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl Linked {
    /// These policies; those that there are not are left out.
    pub(super) async fn read(
        &self,
        ids: HashSet<Uuid>,
        published: &Published,
        store: &Store,
    ) -> Result<Reusable, StoreError> {
        // Before the store is read: what is read is this version's or newer, and the next version reads anew.
        let version = published.borrow().version;
        let mut read = Reusable::new();
        let mut missing = Vec::new();
        for id in ids {
            match self.0.get(&id) {
                Some((kept, policy)) if kept == version => {
                    read.insert(id, policy);
                }
                _ => missing.push(id),
            }
        }
        for document in store.documents_with_ids(Kind::Policy, &missing).await? {
            let policy = Arc::new(policies::reusable(&document));
            self.0.insert(document.id, (version, Arc::clone(&policy)));
            read.insert(document.id, policy);
        }
        Ok(read)
    }
}
