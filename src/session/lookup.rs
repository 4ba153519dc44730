//! Finding sessions that this replica does not know, in the store: bounded and once for all who ask at the same time.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::revoke::Revoker;
use super::table::{Asked, Cause, Found, LiveSession, SessionTable};
use crate::clock::Clock;
use crate::model::ids::SessionNonce;
use crate::shutdown::Shutdown;
use crate::store::{Ending, SessionRow, Store, StoreError};

/// Look-ups waiting at once. More is an attack or a store that hangs; either way 503 is the answer.
const QUEUE: usize = 1024;
/// How often a session is read again because something ended while it was read.
const READ_AGAIN: usize = 4;

/// What became of a look-up.
#[derive(Debug, Clone)]
pub enum Settled {
    /// The session is alive and in the table.
    Alive(Arc<LiveSession>),
    /// There is no such session, or it is over.
    Gone,
    /// The store cannot be asked.
    Unavailable,
}

/// Asks the control plane for sessions. Cheap to clone; usable on any runtime.
#[derive(Debug, Clone)]
pub struct SessionLookup {
    queue: mpsc::Sender<(SessionNonce, oneshot::Sender<Settled>)>,
}

impl SessionLookup {
    /// Starts the look-up task on the present (control) runtime.
    pub fn start(table: SessionTable, store: Store, clock: Clock, shutdown: &Shutdown) -> Self {
        let (queue, questions) = mpsc::channel(QUEUE);
        let revoker = Revoker::new(table.clone(), store.clone(), shutdown.clone());
        let reader = Reader {
            table,
            store,
            revoker,
            clock,
        };
        let hard = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = answer(reader, questions) => {}
                () = hard.hard() => {}
            }
        });
        Self { queue }
    }

    /// Finds a session and installs it, if it is alive.
    pub async fn settle(&self, nonce: SessionNonce) -> Settled {
        let (reply, answer) = oneshot::channel();
        if self.queue.try_send((nonce, reply)).is_err() {
            return Settled::Unavailable;
        }
        answer.await.unwrap_or(Settled::Unavailable)
    }
}

async fn answer(reader: Reader, mut questions: mpsc::Receiver<(SessionNonce, oneshot::Sender<Settled>)>) {
    let mut waiting: HashMap<SessionNonce, Vec<oneshot::Sender<Settled>>> = HashMap::new();
    let mut reads = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some((nonce, reply)) = question else { return };
                if waiting.len() >= QUEUE {
                    let _ = reply.send(Settled::Unavailable); // whoever gave up does not mind
                    continue;
                }
                let asking = waiting.entry(nonce.clone()).or_default();
                asking.push(reply);
                if asking.len() == 1 {
                    let reader = reader.clone();
                    reads.spawn(async move {
                        let settled = reader.read(&nonce).await;
                        (nonce, settled)
                    });
                }
            }
            Some(read) = reads.join_next(), if !reads.is_empty() => {
                // A read that panicked leaves its askers without an answer, which reads as `Unavailable`.
                let Ok((nonce, settled)) = read else { waiting.clear(); continue };
                for reply in waiting.remove(&nonce).unwrap_or_default() {
                    let _ = reply.send(settled.clone()); // whoever gave up does not mind
                }
            }
        }
    }
}

#[derive(Clone)]
struct Reader {
    table: SessionTable,
    store: Store,
    revoker: Revoker,
    clock: Clock,
}

impl Reader {
    async fn read(&self, nonce: &SessionNonce) -> Settled {
        for _ in 0..READ_AGAIN {
            let asked = self.table.asking();
            match self.read_once(nonce, asked).await {
                Ok(Some(settled)) => return settled,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "A session could not be looked up");
                    return Settled::Unavailable;
                }
            }
        }
        Settled::Unavailable
    }

    async fn read_once(&self, nonce: &SessionNonce, asked: Asked) -> Result<Option<Settled>, StoreError> {
        let now = self.clock.now_ms();
        let known = self.table.find(nonce);
        if let Some(known) = &known {
            if known.over(now).is_some() {
                return Ok(Some(Settled::Gone));
            }
            if !known.may_be_idle(now) {
                return Ok(Some(Settled::Alive(Arc::clone(known))));
            }
        }
        let Some(row) = self.store.session(nonce).await? else {
            return Ok(Some(Settled::Gone));
        };
        if row.ended_ms.is_some() || row.expires_ms <= now {
            return Ok(Some(Settled::Gone));
        }
        if self.is_idle(known.as_deref(), &row, now) {
            let ending = Ending::Session(nonce.clone());
            self.revoker.revoke(ending, Cause::Idle).await?;
            return Ok(Some(Settled::Gone));
        }
        if let Some(known) = known {
            // In use elsewhere, or too lately written down to say: whoever asks for it uses it now.
            known.used(now);
            return Ok(Some(Settled::Alive(known)));
        }
        let epochs = self.store.token_epochs_of(nonce).await?;
        let found = Found {
            nonce: row.nonce,
            user: row.user,
            provider: row.provider,
            expires_ms: row.expires_ms,
            last_use_ms: row.last_use_ms,
            identity: row.identity,
            identity_version: row.identity_version,
            epochs,
        };
        let session = self.table.install(asked, found).ok();
        // It is asked for because it is used.
        Ok(session.map(|session| {
            session.used(now);
            Settled::Alive(session)
        }))
    }

    /// Whether nobody used it for too long, on whichever replica.
    fn is_idle(&self, known: Option<&LiveSession>, row: &SessionRow, now: i64) -> bool {
        match known {
            // Nobody but this replica could have used it.
            Some(known) if !self.store.is_postgres() => known.may_be_idle(now),
            Some(known) => known.idle_by_store(row.last_use_ms, now),
            None => self.table.is_idle(row.last_use_ms, now),
        }
    }
}
