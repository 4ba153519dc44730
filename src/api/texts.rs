//! Objects as they are shown, as text: made once for a state of an object, not once for a request.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::store::{Kind, Object};

/// How much text is kept, in bytes; what is asked for least goes first.
const CAPACITY: u64 = 32 << 20;
/// About how many texts that is.
const USUAL: usize = 20_000;

/// An object, in one of the ways to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    id: Uuid,
    listed: bool,
}

/// A text with what it was made of.
#[derive(Debug, Clone)]
struct Kept {
    serial: u64,
    rests_on: u64,
    text: Arc<str>,
}

/// A text weighs what it is long, and its place in the table.
#[derive(Debug, Clone)]
struct Length;

impl Weighter<Key, Kept> for Length {
    fn weight(&self, _: &Key, kept: &Kept) -> u64 {
        u64::try_from(kept.text.len())
            .unwrap_or(u64::MAX)
            .saturating_add(128)
    }
}

/// The texts that were asked for last.
pub(super) struct Texts(Cache<Key, Kept, Length>);

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts").finish_non_exhaustive()
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self(Cache::with_weighter(USUAL, CAPACITY, Length))
    }
}

impl Texts {
    /// The text of an object, in a list or by itself. `rests_on` is what differs between any two states of what else it
    /// is made of.
    pub(super) fn of(
        &self,
        object: &Object,
        listed: bool,
        rests_on: u64,
        make: impl FnOnce() -> String,
    ) -> Arc<str> {
        let key = Key {
            kind: object.kind,
            id: object.id,
            listed,
        };
        if let Some(kept) = self.0.get(&key)
            && kept.serial == object.serial
            && kept.rests_on == rests_on
        {
            return kept.text;
        }
        let text: Arc<str> = make().into();
        let kept = Kept {
            serial: object.serial,
            rests_on,
            text: Arc::clone(&text),
        };
        self.0.insert(key, kept);
        text
    }
}
