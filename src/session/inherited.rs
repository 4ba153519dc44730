//! Groups that people inherit: no directory tells of them, so after a change they are read again from Graph.
//!
//! Until then, what a person held is held, and what was not is unknown. Where Graph cannot be asked (it takes the
//! application permission `GroupMember.Read.All`), whatever may have been inherited from a group that was taken is held
//! no longer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::table::SessionTable;
use crate::entra::RelyingParty;
use crate::model::identity::{Groups, Identity, PersonKey};
use crate::model::ids::{IdpId, UserId};
use crate::model::scim::GroupChange;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Amended, AmendedSession, Store, StoreError};

/// People who may wait to be asked about; a directory that tells of more waits with its answer.
const WAITING: usize = 4096;
/// People asked about at once. Graph answers several thousand requests in ten seconds
/// (<https://learn.microsoft.com/graph/throttling-limits>), but other applications of the tenant share them.
const AT_ONCE: usize = 4;
/// Between two attempts where the store does not answer, and how many.
const AGAIN: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 5;

/// Somebody whose groups changed.
#[derive(Debug, Clone)]
pub(super) struct Regrouped {
    pub(super) provider: IdpId,
    pub(super) user: UserId,
    pub(super) person: PersonKey,
    pub(super) change: GroupChange,
}

/// Reads groups again. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Inherited {
    wanted: mpsc::Sender<Regrouped>,
}

/// What reading takes.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) published: Arc<Published>,
    pub(super) store: Store,
    pub(super) sessions: SessionTable,
    pub(super) relying_party: RelyingParty,
}

impl Inherited {
    pub(super) fn start(parts: Parts, shutdown: &Shutdown) -> Self {
        let (wanted, asked) = mpsc::channel(WAITING);
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = keep_reading(parts, asked) => {}
                () = stop.hard() => {}
            }
        });
        Self { wanted }
    }

    pub(super) async fn read_again(&self, regrouped: Regrouped) {
        let _ = self.wanted.send(regrouped).await; // the reader has stopped: so does the gateway
    }
}

async fn keep_reading(parts: Parts, mut asked: mpsc::Receiver<Regrouped>) {
    let mut waiting: HashMap<UserId, Regrouped> = HashMap::new();
    let mut under_way: JoinSet<UserId> = JoinSet::new();
    let mut busy: Vec<UserId> = Vec::new();
    loop {
        // One at a time for each person, so that an older answer never overtakes a newer one.
        while under_way.len() < AT_ONCE {
            let next = waiting.keys().find(|user| !busy.contains(user)).copied();
            let Some(regrouped) = next.and_then(|user| waiting.remove(&user)) else {
                break;
            };
            busy.push(regrouped.user);
            let parts = parts.clone();
            under_way.spawn(async move {
                read(&parts, &regrouped).await;
                regrouped.user
            });
        }
        tokio::select! {
            next = asked.recv() => match next {
                Some(next) => {
                    waiting
                        .entry(next.user)
                        .and_modify(|waiting| waiting.change.then(&next.change))
                        .or_insert(next);
                }
                None => return,
            },
            Some(done) = under_way.join_next(), if !under_way.is_empty() => match done {
                Ok(user) => busy.retain(|known| *known != user),
                // One that panicked is asked about with the next change.
                Err(_) => busy.clear(),
            },
        }
    }
}

async fn read(parts: &Parts, regrouped: &Regrouped) {
    for attempt in 1..=ATTEMPTS {
        match read_once(parts, regrouped).await {
            Ok(()) => return,
            Err(error) if attempt == ATTEMPTS => {
                tracing::error!(user.id = %regrouped.user, %error, "Groups could not be read again after a change by the directory");
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

async fn read_once(parts: &Parts, regrouped: &Regrouped) -> Result<(), StoreError> {
    let snapshot = parts.published.load();
    let Some(provider) = snapshot.providers.get(&regrouped.provider) else {
        return Ok(());
    };
    if !provider.entra.support_groups {
        return Ok(()); // nobody there was ever told of an inherited group
    }
    let sessions = parts.store.live_sessions_of(regrouped.user).await?;
    let read = match parts.relying_party.groups_of(provider, regrouped.person).await {
        Ok(Groups::Known { groups }) => Ok(groups),
        Ok(Groups::Unknown { reason, .. }) => Err(reason),
        Ok(Groups::NotAsked) => Err("Graph was not asked".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let told = match &read {
        Ok(_) => Vec::new(),
        Err(reason) => {
            tracing::warn!(
                provider.id = %provider.id, user.id = %regrouped.user,
                "Inherited groups are unknown after a change by the directory, until the next sign-in: {reason}. \
                 They can be read where the application permission GroupMember.Read.All is granted"
            );
            let (provider, person) = (regrouped.provider, regrouped.person);
            parts.store.scim_groups_of(provider, person).await?
        }
    };
    for session in sessions {
        // What has changed again meanwhile is not this answer's to say.
        let expected = session.identity.groups;
        let change = |identity: &mut Identity| {
            if identity.groups != expected {
                return;
            }
            match &read {
                Ok(groups) => identity.groups = regrouped.change.reconcile(groups),
                Err(_) => regrouped.change.without_inherited(&mut identity.groups, &told),
            }
        };
        let whose = Amended::Session(&session.nonce);
        for AmendedSession {
            nonce,
            identity,
            version,
        } in parts.store.amend_identities(whose, &change).await?
        {
            parts.sessions.replace_identity(&nonce, identity, version);
        }
    }
    Ok(())
}
