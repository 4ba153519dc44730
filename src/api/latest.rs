//! Which change was written last, asked of the store once for all requests that wait for the answer.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::store::{Store, StoreError};

/// Asks for the last change of objects. A request must see whatever was written before it came, by whomever: an answer
/// serves those that came before it was asked for, and no others.
#[derive(Debug, Default)]
pub(super) struct LatestChange {
    arrived: AtomicU64,
    answer: Mutex<Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    /// The last arrival that it serves.
    serves: u64,
    /// `None` where the store did not answer.
    change: Option<i64>,
}

impl LatestChange {
    /// The last change of objects or keys that was written before this call.
    pub(super) async fn ask(&self, store: &Store) -> Result<i64, StoreError> {
        let own = self.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        // Held while the store is asked: all who come meanwhile wait here, and the first of them asks for the others.
        let mut answer = self.answer.lock().await;
        if answer.serves >= own {
            let unanswered = || StoreError::Unavailable("it did not answer others either".into());
            return answer.change.ok_or_else(unanswered);
        }
        let serves = self.arrived.load(Ordering::SeqCst);
        let asked = store.last_change_of_objects().await;
        *answer = Answer {
            serves,
            change: asked.as_ref().ok().copied(),
        };
        asked
    }
}
