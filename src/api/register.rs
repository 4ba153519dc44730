//! The register of people, where there are many: how many there are, where its pages begin, and what they are called.
//! It is gone through once a second at most, and not for each request.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::kept::Kept;
use crate::store::{Called, Marks, Store, StoreError, UserFilter};

/// So many are gone through in less than a millisecond.
const FEW: u64 = 5_000;
/// Of so many, names and addresses are kept to be searched: some megabytes.
const SEARCHED: RangeInclusive<u64> = FEW + 1..=250_000;
/// How long marks are good, in milliseconds, unless there are fewer people since.
const MARKS_KEPT_MS: i64 = 10_000;

/// What is known of the register.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// How many people are in it.
    pub(super) people: u64,
    /// Where its pages begin; none where there are few.
    pub(super) marks: Arc<Marks>,
    marked_ms: i64,
}

/// What people are called, and when it was read.
#[derive(Debug, Clone)]
struct Read {
    people: u64,
    /// When somebody last came to be called otherwise.
    last_ms: i64,
    at_ms: i64,
    called: Arc<Called>,
}

/// For so long after somebody came to be called otherwise, others may have who are not seen yet: who writes takes the
/// time first, and clocks differ. In milliseconds.
const SETTLED_MS: i64 = 15_000;

impl Read {
    /// Whether it is still so.
    fn holds(&self, people: u64, last_ms: i64) -> bool {
        self.people == people && self.last_ms == last_ms && self.at_ms - last_ms >= SETTLED_MS
    }
}

/// What was last found out.
#[derive(Debug, Default)]
pub(super) struct Register {
    known: Kept<Known>,
    called: Kept<Read>,
}

impl Register {
    /// What is known of the register now.
    pub(super) async fn known(&self, store: &Store, now_ms: i64) -> Result<Known, StoreError> {
        if self.known.last().is_some_and(|known| known.people <= FEW) {
            // Few are counted each time.
            let known = counted(store, None, now_ms).await?;
            if known.people > FEW {
                self.known.forget();
            }
            return Ok(known);
        }
        self.known
            .get(now_ms, |before| counted(store, before, now_ms))
            .await
    }

    /// What people are called, where there are so many that the database would take long to search them.
    pub(super) async fn called(&self, store: &Store, now_ms: i64) -> Result<Option<Arc<Called>>, StoreError> {
        let people = self.known(store, now_ms).await?.people;
        if !SEARCHED.contains(&people) {
            return Ok(None);
        }
        let anew = async |before: Option<Read>| {
            let last_ms = store.last_called().await?;
            if let Some(before) = before
                && before.holds(people, last_ms)
            {
                return Ok(before);
            }
            Ok(Read {
                people,
                last_ms,
                at_ms: now_ms,
                called: Arc::new(store.users_called().await?),
            })
        };
        Ok(Some(self.called.get(now_ms, anew).await?.called))
    }

    /// Somebody was taken out, or is called otherwise.
    pub(super) fn forget(&self) {
        self.known.forget();
        self.called.forget();
    }
}

async fn counted(store: &Store, before: Option<Known>, now_ms: i64) -> Result<Known, StoreError> {
    let people = store.users_count(&UserFilter::default()).await?;
    let stand = before.filter(|before| {
        people >= before.people && (0..MARKS_KEPT_MS).contains(&(now_ms - before.marked_ms))
    });
    let (marked_ms, marks) = match stand {
        _ if people <= FEW => (now_ms, Arc::default()),
        Some(before) => (before.marked_ms, before.marks),
        None => (now_ms, Arc::new(store.register_marks().await?)),
    };
    Ok(Known {
        people,
        marks,
        marked_ms,
    })
}
