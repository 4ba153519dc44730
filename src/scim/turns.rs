//! How much one directory has the gateway do at once: whoever has its secret takes logins and the administration nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::ScimError;
use crate::model::ids::IdpId;

/// Requests of one directory that are worked on, or whose answers are being sent, at once. Entra sends few at a time.
/// It is fewer than the control plane has threads: what takes one whole leaves some to all others.
const AT_ONCE: usize = 3;
/// Requests of one directory that may wait for it.
const WAITING: usize = 32;
/// The longest that one waits.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Of providers that have had a good secret: there are few.
    of: Mutex<HashMap<IdpId, Line>>,
}

#[derive(Debug, Clone)]
struct Line {
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// One request's turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// Waits for the turn of a request of this directory.
    ///
    /// # Errors
    /// [`ScimError::Busy`] where too many wait already, or it takes too long.
    pub(super) async fn turn(&self, provider: IdpId) -> Result<Turn, ScimError> {
        let line = {
            let mut lines = self.of.lock().unwrap_or_else(PoisonError::into_inner);
            lines.entry(provider).or_insert_with(Line::new).clone()
        };
        let _waits = line.waiting.try_acquire().map_err(|_| ScimError::Busy)?;
        match tokio::time::timeout(LONGEST_WAIT, line.places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(Turn { _place: place }),
            _ => Err(ScimError::Busy),
        }
    }
}

impl Line {
    fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
        }
    }
}

impl Turn {
    /// The body of an answer, which keeps the turn until it is sent: long ones that nobody reads must not gather.
    pub(super) fn until_sent(self, body: Bytes) -> Bytes {
        Bytes::from_owner(Unsent { body, _turn: self })
    }
}

struct Unsent {
    body: Bytes,
    _turn: Turn,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
