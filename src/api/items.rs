//! The items of lists as they are shown, taken apart once for a state of a list, not once for a request.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;
use uuid::Uuid;

use crate::store::Object;

/// How much text is kept, in bytes; what is asked for least goes first.
const CAPACITY: u64 = 32 << 20;
/// About how many lists that is.
const USUAL: usize = 500;

/// The items of a list in one of its states.
#[derive(Debug, Clone)]
struct Kept {
    serial: u64,
    items: Arc<[Arc<str>]>,
}

/// A list weighs what its items are long, and what it takes to keep them apart.
#[derive(Debug, Clone)]
struct Length;

impl Weighter<Uuid, Kept> for Length {
    fn weight(&self, _: &Uuid, kept: &Kept) -> u64 {
        let length = kept.items.iter().map(|item| item.len() + 32).sum::<usize>();
        u64::try_from(length).unwrap_or(u64::MAX).saturating_add(128)
    }
}

/// The items of the lists that were asked for last.
pub(super) struct Items(Cache<Uuid, Kept, Length>);

impl std::fmt::Debug for Items {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}

impl Default for Items {
    fn default() -> Self {
        Self(Cache::with_weighter(USUAL, CAPACITY, Length))
    }
}

impl Items {
    /// The items of a list.
    pub(super) fn of(&self, list: &Object) -> Arc<[Arc<str>]> {
        if let Some(kept) = self.0.get(&list.id)
            && kept.serial == list.serial
        {
            return kept.items;
        }
        let body = list.body();
        let items = body.get("items").and_then(Value::as_array).into_iter().flatten();
        let items: Arc<[Arc<str>]> = items.map(|item| item.to_string().into()).collect();
        let kept = Kept {
            serial: list.serial,
            items: Arc::clone(&items),
        };
        self.0.insert(list.id, kept);
        items
    }
}
