//! Ending sessions: one function for every cause.
//!
//! Memory ends first, so that on this replica nothing passes from this moment on, whatever becomes of the store. Then
//! the row and its change commit together, and every other replica follows. Where the store fails, memory stays
//! ended, the caller is told, and the write is tried again until it succeeds.

use std::time::Duration;

use super::table::{Cause, Owed, SessionTable, Whose};
use crate::shutdown::Shutdown;
use crate::store::{Ending, Store, StoreError};

/// Ends sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revoker {
    table: SessionTable,
    store: Store,
    shutdown: Shutdown,
}

impl Revoker {
    /// A revoker over this table and store.
    pub fn new(table: SessionTable, store: Store, shutdown: Shutdown) -> Self {
        Self {
            table,
            store,
            shutdown,
        }
    }

    /// Ends sessions everywhere.
    ///
    /// # Errors
    /// [`StoreError`] where the store could not be told *yet*: this replica has ended them all the same, others
    /// follow as soon as the store is back. The caller answers 503 so that nobody believes it is done.
    pub async fn revoke(&self, ending: Ending, cause: Cause) -> Result<usize, StoreError> {
        let whose = whose(&ending);
        let owed = self.table.owe(whose.clone());
        let mut ended = whose.map_or(0, |whose| self.table.end(&whose, cause));
        match self.store.end_sessions(&ending, cause.word()).await {
            Ok(nonces) => {
                // Sessions that the store knows by other keys (the provider's `sid`) are named only now.
                for nonce in &nonces {
                    ended += self.table.end(&Whose::Session(nonce.clone()), cause);
                }
                Ok(ended.max(nonces.len()))
            }
            Err(error) => {
                tracing::error!(cause = cause.word(), %error, "Sessions ended here, but the store could not be told; trying again");
                self.try_again(ending, cause, owed);
                Err(error)
            }
        }
    }

    fn try_again(&self, ending: Ending, cause: Cause, owed: Owed) {
        const FIRST: Duration = Duration::from_millis(250);
        const LONGEST: Duration = Duration::from_secs(15);
        let revoker = self.clone();
        self.shutdown.tasks().spawn(async move {
            let _owed = owed;
            let mut wait = FIRST;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = revoker.shutdown.hard() => return,
                }
                match revoker.store.end_sessions(&ending, cause.word()).await {
                    Ok(nonces) => {
                        for nonce in nonces {
                            revoker.table.end(&Whose::Session(nonce), cause);
                        }
                        tracing::info!(
                            cause = cause.word(),
                            "The store has been told of the ended sessions"
                        );
                        return;
                    }
                    Err(_) => wait = (wait * 2).min(LONGEST),
                }
            }
        });
    }
}

fn whose(ending: &Ending) -> Option<Whose> {
    Some(match ending {
        Ending::Session(nonce) => Whose::Session(nonce.clone()),
        Ending::User(user) => Whose::User(*user),
        Ending::Provider(provider) => Whose::Provider(*provider),
        Ending::Everybody => Whose::Everybody,
        Ending::ProviderSession { .. } => return None,
    })
}
