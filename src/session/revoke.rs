//! Ending sessions: one function for every cause.
//!
//! Memory ends first, so that on this replica nothing passes from this moment on, whatever becomes of the store. Then
//! the row and its change commit together, and every other replica follows. Where the store fails, memory stays
//! ended, the caller is told, and the write is tried again until it succeeds.

use std::time::Duration;

use super::table::{Cause, Owed, SessionTable, Whose};
use crate::model::ids::{AudTag, SessionNonce, UserId};
use crate::shutdown::Shutdown;
use crate::store::{Actor, Document, Ending, Store, StoreError, TokensOf, UserOrder};

/// What the store is told.
#[derive(Debug)]
enum Told {
    /// Sessions ended.
    Ended(Ending),
    /// Somebody said what is to become of a user.
    Ordered(UserId, UserOrder, Actor),
}

impl Told {
    /// Tells the store; the sessions that were live. `None` where there is no such user.
    async fn to(&self, store: &Store, cause: Cause) -> Result<Option<Vec<SessionNonce>>, StoreError> {
        match self {
            Self::Ended(ending) => store.end_sessions(ending, cause.word()).await.map(Some),
            Self::Ordered(user, order, actor) => {
                let done = store.order(*user, order, cause.word(), actor).await?;
                Ok(done.map(|done| done.ended))
            }
        }
    }

    fn whose(&self) -> Option<Whose> {
        match self {
            Self::Ended(ending) => whose(ending),
            Self::Ordered(user, ..) => Some(Whose::User(*user)),
        }
    }
}

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
        let ended = self.carry_out(Told::Ended(ending), cause).await?;
        Ok(ended.unwrap_or(0))
    }

    /// Carries out an order about a user that ends what the user has open, and has it written into the audit log; how many
    /// sessions ended. `None` where nobody in the register has this id.
    ///
    /// # Errors
    /// As [`Revoker::revoke`].
    pub async fn order(
        &self,
        user: UserId,
        order: UserOrder,
        cause: Cause,
        actor: Actor,
    ) -> Result<Option<usize>, StoreError> {
        self.carry_out(Told::Ordered(user, order, actor), cause).await
    }

    async fn carry_out(&self, told: Told, cause: Cause) -> Result<Option<usize>, StoreError> {
        let whose = told.whose();
        let owed = self.table.owe(whose.clone());
        let mut ended = whose.map_or(0, |whose| self.table.end(&whose, cause));
        match told.to(&self.store, cause).await {
            Ok(nonces) => {
                // Sessions that the store knows by other keys (the provider's `sid`) are named only now.
                for nonce in nonces.iter().flatten() {
                    ended += self.table.end(&Whose::Session(nonce.clone()), cause);
                }
                Ok(nonces.map(|nonces| ended.max(nonces.len())))
            }
            Err(error) => {
                tracing::error!(cause = cause.word(), %error, "Sessions ended here, but the store could not be told; trying again");
                self.try_again(told, cause, owed);
                Err(error)
            }
        }
    }

    /// Ends sessions in memory that the store has ended already, as part of another write.
    pub fn ended_in_store(&self, ended: &[(UserId, Vec<SessionNonce>)], cause: Cause) {
        for (user, nonces) in ended {
            self.table.end(&Whose::User(*user), cause);
            for nonce in nonces {
                self.table.end(&Whose::Session(nonce.clone()), cause);
            }
        }
    }

    /// Ends all sessions of a user, logins in flight included.
    ///
    /// # Errors
    /// As [`Revoker::revoke`].
    pub async fn revoke_user(&self, user: UserId, cause: Cause) -> Result<usize, StoreError> {
        self.revoke(Ending::User(user), cause).await
    }

    /// Revokes application tokens: all of an application (Access: `revoke_tokens`), or those of one session. Whoever
    /// has a live organization session gets a new one by the next navigation, without a sign-in.
    ///
    /// # Errors
    /// [`StoreError`] where the store could not be told; then nothing is revoked.
    pub async fn revoke_application_tokens(&self, of: &TokensOf) -> Result<(), StoreError> {
        let epoch = self.store.revoke_tokens(of).await?;
        // Other replicas hear of it by the feed; this one need not wait.
        self.table.tokens_revoked(&of.aud, of.session.as_ref(), epoch);
        Ok(())
    }

    /// The same, for all of an application on somebody's word, which is written into the audit log.
    ///
    /// # Errors
    /// As [`Revoker::revoke_application_tokens`].
    pub async fn revoke_tokens_of(
        &self,
        application: &Document,
        aud: &AudTag,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let epoch = self.store.revoke_tokens_of(application, aud, actor).await?;
        self.table.tokens_revoked(aud, None, epoch);
        Ok(())
    }

    fn try_again(&self, told: Told, cause: Cause, owed: Owed) {
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
                match told.to(&revoker.store, cause).await {
                    Ok(nonces) => {
                        for nonce in nonces.into_iter().flatten() {
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
        Ending::ProviderSession { .. } | Ending::Idle { .. } => return None,
    })
}
