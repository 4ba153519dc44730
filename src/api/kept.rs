//! What is slow to find out, kept for a moment.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::StoreError;

/// How long what was found out is good, in milliseconds.
const GOOD_MS: i64 = 1_000;
/// How long it may serve while it is found out anew.
const SERVES_MS: i64 = 2_000;

/// What was last found out, and when.
#[derive(Debug)]
pub(super) struct Kept<T> {
    last: Mutex<Option<(i64, T)>>,
    /// Whoever holds it finds out.
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            last: Mutex::new(None),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<T: Clone> Kept<T> {
    /// What is known, at most a second old, and two while it is found out anew; found out now where nothing is. One asks
    /// at a time, and is given what was known before.
    pub(super) async fn get<F>(&self, now_ms: i64, anew: impl FnOnce(Option<T>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        if let Some(known) = self.not_older(now_ms, GOOD_MS) {
            return Ok(known);
        }
        let _turn = match (self.turn.try_lock(), self.not_older(now_ms, SERVES_MS)) {
            (Ok(turn), _) => turn,
            (Err(_), Some(known)) => return Ok(known),
            (Err(_), None) => self.turn.lock().await,
        };
        // Somebody else may have found out meanwhile.
        if let Some(known) = self.not_older(now_ms, GOOD_MS) {
            return Ok(known);
        }
        let found = anew(self.last()).await?;
        *self.slot() = Some((now_ms, found.clone()));
        Ok(found)
    }

    /// What was found out last, however long ago.
    pub(super) fn last(&self) -> Option<T> {
        self.slot().as_ref().map(|(_, known)| known.clone())
    }

    /// It is no longer so.
    pub(super) fn forget(&self) {
        *self.slot() = None;
    }

    fn not_older(&self, now_ms: i64, longest_ms: i64) -> Option<T> {
        let slot = self.slot();
        let (at_ms, known) = slot.as_ref()?;
        (0..longest_ms).contains(&(now_ms - at_ms)).then(|| known.clone())
    }

    fn slot(&self) -> MutexGuard<'_, Option<(i64, T)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
