//! What a directory's word does here at once.
//!
//! The store has committed a write of a directory, and what follows from it for sessions, in one transaction. Other
//! replicas hear of it by the feed; the one that made the write follows without waiting, whoever made it: SCIM, the
//! API, a task of our own.

use std::sync::Arc;

use super::inherited::{Inherited, Parts};
use super::revoke::Revoker;
use super::table::{Cause, SessionTable};
use crate::clock::Clock;
use crate::entra::RelyingParty;
use crate::model::ids::{IdpId, UserId};
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Consequences, Store};

/// Has this replica follow what the store has committed of a directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Effects {
    revoker: Revoker,
    sessions: SessionTable,
    inherited: Inherited,
}

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
            store,
            sessions: sessions.clone(),
            relying_party,
            clock,
        };
        Self {
            revoker,
            sessions,
            inherited: Inherited::start(parts, shutdown),
        }
    }

    /// Follows what was committed. Says in words what it was, for whoever writes it down; `None` where nothing
    /// followed. `request` names in the log what asked for it.
    pub fn take_effect(&self, provider: IdpId, request: &str, done: Consequences) -> Option<String> {
        self.revoker.ended_in_store(&done.out, Cause::Deprovisioned);
        self.revoker.ended_in_store(&done.reauth, Cause::GroupsChanged);
        self.revoker
            .ended_in_store(&done.passed_on, Cause::AddressPassedOn);
        let count = |ended: &[(_, Vec<_>)]| ended.iter().map(|(_, nonces)| nonces.len()).sum::<usize>();
        let mut words = Vec::new();
        for (user, nonces) in &done.out {
            let sessions = nonces.len();
            tracing::info!(request.id = request, provider.id = %provider, user.id = %user, sessions, "Deprovisioned by the directory");
            words.push(format!("{user} is out: {sessions} sessions ended"));
        }
        if !done.reauth.is_empty() {
            let (people, sessions) = (done.reauth.len(), count(&done.reauth));
            tracing::info!(request.id = request, provider.id = %provider, people, sessions, "Sessions ended: groups changed in the directory");
            words.push(format!("groups of {people} changed: {sessions} sessions ended"));
        }
        for (user, nonces) in &done.passed_on {
            let sessions = nonces.len();
            tracing::info!(request.id = request, provider.id = %provider, user.id = %user, sessions, "The directory means somebody else by an address");
            words.push(format!(
                "the address of {user} is somebody else's: {sessions} sessions ended"
            ));
        }
        for user in &done.readmitted {
            words.push(format!("{user} may sign in"));
        }
        if !done.amended.is_empty() {
            let sessions = done.amended.len();
            tracing::info!(
                request.id = request,
                provider.id = %provider,
                sessions,
                "Identities changed by the directory; inherited groups are unknown until they are read again"
            );
            words.push(format!("{sessions} sessions have another identity"));
        }
        self.sessions.take_over(done.amended);
        for user in done.regrouped {
            self.read_again(user);
        }
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Has the groups of somebody read again at once, where the store says that they are to be.
    pub fn read_again(&self, user: UserId) {
        self.inherited.read_again(user);
    }
}
