//! How many people there are and where pages of them begin. Where there are many, the register is not gone through for
//! each request.

use std::sync::{Arc, Mutex, PoisonError};

use crate::store::{Marks, Store, StoreError, UserFilter};

/// So many are counted in less than a millisecond.
const COUNTED_EACH_TIME: u64 = 5_000;
/// How long a count of more is good, in milliseconds.
const COUNT_KEPT_MS: i64 = 1_000;
/// How long one may serve while it is taken anew.
const COUNT_SERVES_MS: i64 = 2_000;
/// How long marks are good, unless there are fewer people since.
const MARKS_KEPT_MS: i64 = 10_000;

/// What is known of the register.
#[derive(Debug, Clone)]
pub(super) struct Known {
    counted_ms: i64,
    marked_ms: i64,
    /// How many people are in it.
    pub(super) people: u64,
    /// Where its pages begin; none where there are few.
    pub(super) marks: Arc<Marks>,
}

/// What was last found out.
#[derive(Debug, Default)]
pub(super) struct Register {
    known: Mutex<Option<Known>>,
    /// Whoever holds it finds out.
    turn: tokio::sync::Mutex<()>,
}

impl Register {
    /// What is known of the register now.
    pub(super) async fn known(&self, store: &Store, now_ms: i64) -> Result<Known, StoreError> {
        if let Some(known) = self.kept(now_ms, COUNT_KEPT_MS) {
            return Ok(known);
        }
        let before = self.last();
        if before
            .as_ref()
            .is_none_or(|before| before.people <= COUNTED_EACH_TIME)
        {
            return self.find_out(before, store, now_ms).await;
        }
        let _turn = match (self.turn.try_lock(), self.kept(now_ms, COUNT_SERVES_MS)) {
            (Ok(turn), _) => turn,
            (Err(_), Some(known)) => return Ok(known),
            (Err(_), None) => self.turn.lock().await,
        };
        // Somebody else may have found out meanwhile.
        if let Some(known) = self.kept(now_ms, COUNT_KEPT_MS) {
            return Ok(known);
        }
        self.find_out(self.last(), store, now_ms).await
    }

    async fn find_out(&self, before: Option<Known>, store: &Store, now_ms: i64) -> Result<Known, StoreError> {
        let people = store.users_count(&UserFilter::default()).await?;
        let marked = before.filter(|before| {
            people >= before.people && (0..MARKS_KEPT_MS).contains(&(now_ms - before.marked_ms))
        });
        let (marked_ms, marks) = match marked {
            _ if people <= COUNTED_EACH_TIME => (i64::MIN, Arc::default()),
            Some(before) if before.people > COUNTED_EACH_TIME => (before.marked_ms, before.marks),
            _ => (now_ms, Arc::new(store.register_marks().await?)),
        };
        let known = Known {
            counted_ms: now_ms,
            marked_ms,
            people,
            marks,
        };
        *self.slot() = Some(known.clone());
        Ok(known)
    }

    /// Somebody was taken out.
    pub(super) fn forget(&self) {
        *self.slot() = None;
    }

    fn kept(&self, now_ms: i64, longest_ms: i64) -> Option<Known> {
        self.last().filter(|known| {
            known.people > COUNTED_EACH_TIME && (0..longest_ms).contains(&(now_ms - known.counted_ms))
        })
    }

    fn last(&self) -> Option<Known> {
        self.slot().clone()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
