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

    /// Follows what was committed. Says in words what it was, for whoever writes it down; `None` where nothing
    /// followed. `request` names in the log what asked for it.
    pub fn take_effect(&self, provider: IdpId, request: &str, done: Consequences) -> Option<String> {
        let mut followed = Followed::default();
        self.follow(provider, request, done, &mut followed);
        followed.in_words()
    }

    /// The same of a group that was made or changed. A new name that many sessions are to have comes to them in the
    /// background.
    pub fn take_effect_of_group(
        &self,
        provider: IdpId,
        request: &str,
        written: &mut GroupWritten,
    ) -> Option<String> {
        if written.renames_on {
            let (effects, id) = (self.clone(), written.group.id);
            self.shutdown.tasks().spawn(async move {
                tokio::select! {
                    () = effects.rename_on(provider, id) => {}
                    () = effects.shutdown.hard() => {}
                }
            });
        }
        self.take_effect(provider, request, std::mem::take(&mut written.consequences))
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

    /// Deletes a group of a directory and follows it; the group as it was, and what followed in words. `None` where there
    /// is none of this id.
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
    ) -> Result<Option<(GroupWritten, Option<String>)>, StoreError> {
        let mut followed = Followed::default();
        while let Some(done) = self.store.thin_scim_group(provider, id, telling).await? {
            self.follow(provider, request, done, &mut followed);
        }
        let Some(mut deleted) = self.store.delete_scim_group(provider, id, telling).await? else {
            return Ok(None);
        };
        let done = std::mem::take(&mut deleted.consequences);
        self.follow(provider, request, done, &mut followed);
        Ok(Some((deleted, followed.in_words())))
    }

    fn follow(&self, provider: IdpId, request: &str, done: Consequences, followed: &mut Followed) {
        followed.add(&done);
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

/// What followed, to be said in words.
#[derive(Debug, Default)]
struct Followed {
    out: Vec<String>,
    /// People whose groups changed, and how many of their sessions ended.
    regrouped: usize,
    ended: usize,
    others: Vec<String>,
    /// Sessions with another identity.
    amended: usize,
}

/// What followed from a write, in words, for whoever writes it down; `None` where nothing did.
pub fn in_words(done: &Consequences) -> Option<String> {
    let mut followed = Followed::default();
    followed.add(done);
    followed.in_words()
}

fn count(ended: &[(UserId, Vec<SessionNonce>)]) -> usize {
    ended.iter().map(|(_, nonces)| nonces.len()).sum()
}

impl Followed {
    fn add(&mut self, done: &Consequences) {
        for (user, nonces) in &done.out {
            let sessions = nonces.len();
            self.out.push(format!("{user} is out: {sessions} sessions ended"));
        }
        self.regrouped += done.reauth.len();
        self.ended += count(&done.reauth);
        for (user, nonces) in &done.passed_on {
            let sessions = nonces.len();
            self.others.push(format!(
                "the directory means somebody else than {user} now: {sessions} sessions ended"
            ));
        }
        for user in &done.readmitted {
            self.others.push(format!("{user} may sign in"));
        }
        self.amended += done.amended.len();
    }

    fn in_words(self) -> Option<String> {
        let mut words = self.out;
        if self.regrouped > 0 {
            words.push(format!(
                "groups of {} changed: {} sessions ended",
                self.regrouped, self.ended
            ));
        }
        words.extend(self.others);
        if self.amended > 0 {
            words.push(format!("{} sessions have another identity", self.amended));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}
