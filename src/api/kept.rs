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
    state: Mutex<State<T>>,
    /// Whoever holds it finds out.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<T> {
    known: Option<(i64, T)>,
    /// How often it was said to be no longer so.
    forgotten: u64,
    /// How often it could not be found out.
    failed: u64,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        let state = State {
            known: None,
            forgotten: 0,
            failed: 0,
        };
        Self {
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<T: Clone> Kept<T> {
    /// What is known, at most a second old, and two while it is found out anew; found out now where nothing is. One asks
    /// at a time: others are given what was known before, or wait for the answer, or for the failure.
    pub(super) async fn get<F>(&self, now_ms: i64, anew: impl FnOnce(Option<T>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        if let Some(known) = self.not_older(now_ms, GOOD_MS) {
            return Ok(known);
        }
        let failed = self.state().failed;
        let _turn = match (self.turn.try_lock(), self.not_older(now_ms, SERVES_MS)) {
            (Ok(turn), _) => turn,
            (Err(_), Some(known)) => return Ok(known),
            (Err(_), None) => self.turn.lock().await,
        };
        // Somebody else may have found out meanwhile, or seen that nobody can.
        if let Some(known) = self.not_older(now_ms, GOOD_MS) {
            return Ok(known);
        }
        let forgotten = {
            let state = self.state();
            if state.failed != failed {
                return Err(StoreError::Unavailable("it did not answer others either".into()));
            }
            state.forgotten
        };
        let found = anew(self.last()).await;
        let mut state = self.state();
        match &found {
            Ok(found) if state.forgotten == forgotten => state.known = Some((now_ms, found.clone())),
            Ok(_) => {}
            Err(_) => state.failed += 1,
        }
        drop(state);
        found
    }

    /// What was found out last, however long ago.
    pub(super) fn last(&self) -> Option<T> {
        self.state().known.as_ref().map(|(_, known)| known.clone())
    }

    /// It is no longer so, and what is being found out may not be either.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.known = None;
        state.forgotten += 1;
    }

    fn not_older(&self, now_ms: i64, longest_ms: i64) -> Option<T> {
        let state = self.state();
        let (at_ms, known) = state.known.as_ref()?;
        (0..longest_ms).contains(&(now_ms - at_ms)).then(|| known.clone())
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_found_out_is_good_for_a_second_unless_it_is_no_longer_so() {
        let kept = Kept::default();
        let get = async |now_ms, found| kept.get(now_ms, |_| async move { Ok(found) }).await.unwrap();
        assert_eq!(get(0, 1).await, 1);
        assert_eq!(get(999, 2).await, 1);
        assert_eq!(get(1000, 3).await, 3);
        kept.forget();
        assert_eq!(get(1001, 4).await, 4);
        let overtaken = kept.get(3000, |before| {
            assert_eq!(before, Some(4));
            kept.forget();
            async { Ok(5) }
        });
        assert_eq!(overtaken.await.unwrap(), 5);
        assert_eq!(kept.last(), None);
    }

    #[tokio::test]
    async fn who_waits_for_the_answer_of_a_store_that_fails_fails_with_it() {
        let kept: Kept<u64> = Kept::default();
        let asked = std::sync::atomic::AtomicU64::new(0);
        let ask = async || {
            let anew = |_| async {
                asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
                Err(StoreError::Unavailable("gone".into()))
            };
            kept.get(0, anew).await.is_err()
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (true, true, true));
        assert_eq!(asked.into_inner(), 1);
    }
}
