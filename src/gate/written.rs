//! Refusals at the door, written down: rows of `access_requests` that say who was refused, why, and how the rules came
//! out.
//!
//! Whoever is refused can ask again a thousand times a second, and nobody is to fill the store with it. So of each kind
//! (who, which application, why) there is a row a minute at most; what comes in between is counted, and the next row says
//! how many there were. Strangers, who need prove nothing to be refused, are a kind by their address and share a
//! number of rows a minute.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::unsync::Cache;
use tokio::sync::mpsc;

use crate::model::ids::{AppId, ServiceTokenId, UserId};
use crate::session::limits::Prefix;
use crate::shutdown::Shutdown;
use crate::store::{AccessRequest, Store};

/// How long refusals of one kind are counted before there is another row, in milliseconds.
const APART_MS: i64 = 60_000;
/// Rows about strangers a minute, of all addresses together.
const STRANGERS: u32 = 30;
/// Kinds remembered; of one that is forgotten there may be another row early.
const KINDS: usize = 10_000;
/// Rows that wait for the store. It is slow or away where there are more, and then they are lost.
const WAITING: usize = 256;

/// Who was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// A person with a live session.
    Person(UserId),
    /// Whoever holds a service token that is good.
    Machine(ServiceTokenId),
    /// Whoever showed one that is not.
    Stranger(Prefix),
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sort {
    /// Who was refused.
    pub(super) who: Who,
    /// By which application.
    pub(super) application: AppId,
    /// Why, as a word of a fixed set.
    pub(super) reason: &'static str,
}

/// How many refusals there were since the last row of their kind that have none of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct More(u64);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" · and 1 more like it since the row before"),
            more => write!(f, " · and {more} more like it since the row before"),
        }
    }
}

/// Writes refusals down. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct WrittenRefusals {
    queue: mpsc::Sender<AccessRequest>,
    counts: Arc<Mutex<Counts>>,
}

struct Counts {
    /// When the last row was, and how many have had none since.
    sorts: Cache<Sort, (i64, u64)>,
    /// When the present minute of strangers began, and how many rows there were in it.
    strangers: (i64, u32),
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            sorts: Cache::new(KINDS),
            strangers: (i64::MIN, 0),
        }
    }
}

impl WrittenRefusals {
    /// Starts writing on the present (control) runtime.
    pub fn start(store: Store, shutdown: &Shutdown) -> Self {
        let (queue, mut rows) = mpsc::channel::<AccessRequest>(WAITING);
        let stop = shutdown.clone();
        tokio::spawn(async move {
            let write = async {
                while let Some(row) = rows.recv().await {
                    if let Err(error) = store.log_access(&row).await {
                        tracing::warn!(request.id = %row.request_id, %error, "A refusal could not be written down");
                    }
                }
            };
            tokio::select! {
                () = write => {}
                () = stop.hard() => {}
            }
        });
        Self {
            queue,
            counts: Arc::default(),
        }
    }

    /// Counts a refusal; what is to be said besides where it gets a row of its own.
    pub(super) fn due(&self, sort: Sort, now_ms: i64) -> Option<More> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.due(sort, now_ms)
    }

    /// Hands a row on to be written, on no account waiting for it.
    pub(super) fn write(&self, row: AccessRequest) {
        if let Err(error) = self.queue.try_send(row) {
            tracing::warn!(%error, "A refusal could not be written down: the store does not keep up");
        }
    }
}

impl Counts {
    fn due(&mut self, sort: Sort, now_ms: i64) -> Option<More> {
        let known = self.sorts.get(&sort).copied();
        let (last_ms, more) = known.unwrap_or((i64::MIN, 0));
        let too_soon = now_ms.saturating_sub(last_ms) < APART_MS;
        if too_soon || (matches!(sort.who, Who::Stranger(_)) && !self.stranger(now_ms)) {
            self.sorts.insert(sort, (last_ms, more.saturating_add(1)));
            return None;
        }
        self.sorts.insert(sort, (now_ms, 0));
        Some(More(more))
    }

    /// Whether there is a row left for a stranger in this minute.
    fn stranger(&mut self, now_ms: i64) -> bool {
        let (began_ms, rows) = &mut self.strangers;
        if now_ms.saturating_sub(*began_ms) >= APART_MS {
            (*began_ms, *rows) = (now_ms, 0);
        }
        *rows = rows.saturating_add(1);
        *rows <= STRANGERS
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use uuid::Uuid;

    use super::*;

    fn sort(who: Who) -> Sort {
        Sort {
            who,
            application: AppId(Uuid::from_u128(1)),
            reason: "no_policy_matched",
        }
    }

    #[test]
    fn of_each_kind_there_is_a_row_a_minute_and_the_rest_is_counted() {
        let mut counts = Counts::default();
        let machine = sort(Who::Machine(ServiceTokenId(Uuid::from_u128(7))));
        assert_eq!(counts.due(machine.clone(), 1_000), Some(More(0)));
        for now_ms in [1_000, 2_000, 60_999] {
            assert_eq!(counts.due(machine.clone(), now_ms), None);
        }
        let other = Sort {
            reason: "denied",
            ..machine.clone()
        };
        assert_eq!(counts.due(other, 2_000), Some(More(0)));
        assert_eq!(counts.due(machine.clone(), 61_000), Some(More(3)));
        assert_eq!(counts.due(machine, 130_000), Some(More(0)));
        assert_eq!(More(3).to_string(), " · and 3 more like it since the row before");
        assert_eq!(More(0).to_string(), "");
    }

    #[test]
    fn strangers_of_however_many_addresses_get_few_rows() {
        let mut counts = Counts::default();
        let stranger = |number: u32| sort(Who::Stranger(Prefix::of(Ipv4Addr::from_bits(number).into())));
        let rows = |counts: &mut Counts, now_ms| {
            let due = (0..10_000).filter(|number| counts.due(stranger(*number), now_ms).is_some());
            due.count()
        };
        assert_eq!(rows(&mut counts, 1_000), 30);
        assert_eq!(rows(&mut counts, 2_000), 0);
        assert!(
            counts
                .due(sort(Who::Person(UserId(Uuid::from_u128(1)))), 2_000)
                .is_some()
        );
        assert_eq!(rows(&mut counts, 70_000), 30);
    }
}
