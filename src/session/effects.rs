//! What a directory's word does here at once.
//!
//! The store has committed a write of a directory, and what follows from it for sessions, in one transaction. Other
//! replicas hear of it by the feed; the one that made the write follows without waiting, whoever made it: SCIM, the
//! API, a task of our own.

use std::sync::Arc;
use std::time::Duration;

use super::inherited::{Inherited, Parts};
use super::revoke::Revoker;
use super::table::{Cause, SessionTable};
use crate::clock::Clock;
use crate::entra::RelyingParty;
use crate::model::ids::{IdpId, ScimGroupId, SessionNonce, UserId};
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Consequences, GroupWritten, Store, StoreError, Telling};

/// Has this replica follow what the store has committed of a directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Effects {
    store: Store,
    revoker: Revoker,
    sessions: SessionTable,
    inherited: Inherited,
    shutdown: Shutdown,
}

/// Between two attempts to put a group's name under sessions where the store does not answer, and how many there are.
const AGAIN: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 30;

impl Effects {
    /// Starts on the present (control) runtime: groups that people inherit are read again in the background.
    pub fn start(
        published: Arc<Published>,
        store: Store,
        sessions: SessionTable,
        revoker: Revoker,
        relying_party: RelyingParty,
        clock: Clock,
        shutdown: &Shutdown,
    ) -> Self {
        let parts = Parts {
            published,
            store: store.clone(),
            sessions: sessions.clone(),
            relying_party,
            clock,
        };
        Self {
            store,
            revoker,
            sessions,
            inherited: Inherited::start(parts, shutdown),
            shutdown: shutdown.clone(),
        }
    }

    /// The same of a group that was made or changed. A new name that many sessions are to have comes to them in the
    /// background.
    pub fn take_effect_of_group(&self, provider: IdpId, request: &str, written: &mut GroupWritten) {
        if written.renames_on {
            let (effects, id) = (self.clone(), written.group.id);
            self.shutdown.tasks().spawn(async move {
                tokio::select! {
                    () = effects.rename_on(provider, id) => {}
                    () = effects.shutdown.hard() => {}
                }
            });
        }
        self.take_effect(provider, request, std::mem::take(&mut written.consequences));
    }

    async fn rename_on(&self, provider: IdpId, id: ScimGroupId) {
        let (mut behind, mut attempts) = (None, ATTEMPTS);
        loop {
            match self.store.rename_in_sessions(provider, id, behind).await {
                Ok(Some((last, amended))) => {
                    self.sessions.take_over(amended);
                    behind = Some(last);
                }
                Ok(None) => return,
                Err(error) if attempts == 0 => {
                    tracing::error!(provider.id = %provider, scim.group = %id, %error, "Some who are signed in have a group under its former name, until they sign in again");
                    return;
                }
                Err(_) => {
                    attempts -= 1;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Deletes a group of a directory and follows it; the group as it was, `None` where there is none of this id.
    ///
    /// A large group loses its members first, some hundreds at a time, as if the directory had taken them out one after
    /// the other: others write in between, and whoever went first is out first. Where that stops in the middle, a smaller
    /// group is left, which is to be deleted again.
    ///
    /// # Errors
    /// [`StoreError`] where the store failed; what it had committed is followed.
    pub async fn delete_group(
        &self,
        provider: IdpId,
        id: ScimGroupId,
        telling: &dyn Telling,
        request: &str,
    ) -> Result<Option<GroupWritten>, StoreError> {
        while let Some(done) = self.store.thin_scim_group(provider, id, telling).await? {
            self.take_effect(provider, request, done);
        }
        let Some(mut deleted) = self.store.delete_scim_group(provider, id, telling).await? else {
            return Ok(None);
        };
        let done = std::mem::take(&mut deleted.consequences);
        self.take_effect(provider, request, done);
        Ok(Some(deleted))
    }

    /// Follows what was committed. `request` names in the log what asked for it.
    pub fn take_effect(&self, provider: IdpId, request: &str, done: Consequences) {
        self.revoker.ended_in_store(&done.out, Cause::Deprovisioned);
        self.revoker.ended_in_store(&done.reauth, Cause::GroupsChanged);
        self.revoker
            .ended_in_store(&done.passed_on, Cause::AddressPassedOn);
        for (user, nonces) in &done.out {
            let sessions = nonces.len();
            tracing::info!(request.id = request, provider.id = %provider, user.id = %user, sessions, "Deprovisioned by the directory");
        }
        if !done.reauth.is_empty() {
            let (people, sessions) = (done.reauth.len(), count(&done.reauth));
            tracing::info!(request.id = request, provider.id = %provider, people, sessions, "Sessions ended: groups changed in the directory");
        }
        for (user, nonces) in &done.passed_on {
            let sessions = nonces.len();
            tracing::info!(request.id = request, provider.id = %provider, user.id = %user, sessions, "The directory means somebody else now");
        }
        if !done.amended.is_empty() {
            let (sessions, regrouped) = (done.amended.len(), done.regrouped.len());
            tracing::info!(
                request.id = request,
                provider.id = %provider,
                sessions,
                regrouped,
                "Identities changed by the directory; inherited groups of those regrouped are unknown until they are read again"
            );
        }
        self.sessions.take_over(done.amended);
        for user in done.regrouped {
            self.read_again(user);
        }
    }

    /// Has the groups of somebody read again at once, where the store says that they are to be.
    pub fn read_again(&self, user: UserId) {
        self.inherited.read_again(user);
    }
}

/// What followed from a write, in words, for whoever writes it down; `None` where nothing did.
pub fn in_words(done: &Consequences) -> Option<String> {
    let mut words = Vec::new();
    for (user, nonces) in &done.out {
        let sessions = nonces.len();
        words.push(format!("{user} is out: {sessions} sessions ended"));
    }
    if !done.reauth.is_empty() {
        let (people, sessions) = (done.reauth.len(), count(&done.reauth));
        words.push(format!("groups of {people} changed: {sessions} sessions ended"));
    }
    for (user, nonces) in &done.passed_on {
        let sessions = nonces.len();
        words.push(format!(
            "the directory means somebody else than {user} now: {sessions} sessions ended"
        ));
    }
    for user in &done.readmitted {
        words.push(format!("{user} may sign in"));
    }
    if !done.amended.is_empty() {
        let sessions = done.amended.len();
        words.push(format!("{sessions} sessions have another identity"));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

fn count(ended: &[(UserId, Vec<SessionNonce>)]) -> usize {
    ended.iter().map(|(_, nonces)| nonces.len()).sum()
}
