//! Groups that people inherit: no directory tells of them, so after a change they are read again from Graph.
//!
//! Until then, what a person held is held, and what was not is unknown. Where Graph cannot be asked (it takes the
//! application permission `GroupMember.Read.All`), whatever may have been inherited from a group that was taken is held
//! no longer.
//!
//! Whose groups are to be read stands in the store, written with the change itself. The gateway that made the change
//! reads them at once; what it left undone, because it stopped or had too much to do, any gateway takes up.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{self, JoinSet};

use super::table::SessionTable;
use crate::clock::Clock;
use crate::entra::RelyingParty;
use crate::model::identity::{Group, Groups, Identity};
use crate::model::idp::IdentityProvider;
use crate::model::ids::UserId;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Amended, Reread, Store, StoreError};

/// People who may wait to be asked about here; the others wait in the store.
const WAITING: usize = 4096;
/// People asked about at once. Graph answers several thousand requests in ten seconds
/// (<https://learn.microsoft.com/graph/throttling-limits>), but other applications of the tenant share them.
const AT_ONCE: usize = 4;
/// Between two attempts where the store does not answer, and how many.
const AGAIN: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 5;
/// Between two looks at what others left undone, and how old that is at least.
const LOOK: Duration = Duration::from_mins(1);
const LEFT_MS: i64 = 60_000;
/// Taken up of it at once: so few that they are done before they count as left again, and that other gateways have their
/// share.
const TAKEN: u32 = 40;

/// Reads groups again. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Inherited {
    wanted: mpsc::Sender<UserId>,
}

/// What reading takes.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) published: Arc<Published>,
    pub(super) store: Store,
    pub(super) sessions: SessionTable,
    pub(super) relying_party: RelyingParty,
    pub(super) clock: Clock,
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

    pub(super) fn read_again(&self, user: UserId) {
        let _ = self.wanted.try_send(user); // where too many wait already, the store knows
    }
}

async fn keep_reading(parts: Parts, mut asked: mpsc::Receiver<UserId>) {
    let mut waiting: BTreeSet<UserId> = BTreeSet::new();
    let mut under_way: JoinSet<()> = JoinSet::new();
    let mut busy: HashMap<task::Id, UserId> = HashMap::new();
    let mut looks = tokio::time::interval(LOOK);
    let mut left = Left::at_start(&parts.clock);
    loop {
        // One at a time for each person, so that an older answer never overtakes a newer one.
        while under_way.len() < AT_ONCE {
            let is_busy = |user: &UserId| busy.values().any(|known| known == user);
            let Some(user) = waiting.iter().find(|user| !is_busy(user)).copied() else {
                break;
            };
            waiting.remove(&user);
            let parts = parts.clone();
            let task = under_way.spawn(async move { read(&parts, user).await });
            busy.insert(task.id(), user);
        }
        if left.is_more && waiting.is_empty() {
            left.take(&parts, &mut waiting).await;
            continue;
        }
        tokio::select! {
            next = asked.recv() => match next {
                Some(user) => {
                    waiting.insert(user);
                }
                None => return,
            },
            Some(done) = under_way.join_next_with_id(), if !under_way.is_empty() => {
                // One that panicked is asked about with the next look.
                let task = done.map_or_else(|panicked| panicked.id(), |(task, ())| task);
                busy.remove(&task);
            }
            _ = looks.tick() => left.take(&parts, &mut waiting).await,
        }
    }
}

/// What others left undone, or this gateway when it ran last.
struct Left {
    /// At the start nobody else may be there who would see to what was left a moment before.
    start_ms: Option<i64>,
    /// Whether the store may have more than what was taken up last.
    is_more: bool,
}

impl Left {
    fn at_start(clock: &Clock) -> Self {
        Self {
            start_ms: Some(clock.now_ms().saturating_add(1)),
            is_more: false,
        }
    }

    /// Takes up some of it. Where the store does not answer now, the next look finds them.
    async fn take(&mut self, parts: &Parts, waiting: &mut BTreeSet<UserId>) {
        let before_ms = self
            .start_ms
            .unwrap_or_else(|| parts.clock.now_ms().saturating_sub(LEFT_MS));
        let taken = parts.store.take_rereads_left(before_ms, TAKEN).await;
        self.is_more = false;
        let Ok(taken) = taken else { return };
        self.is_more = u32::try_from(taken.len()) == Ok(TAKEN);
        if !self.is_more {
            self.start_ms = None;
        }
        waiting.extend(taken);
    }
}

async fn read(parts: &Parts, user: UserId) {
    for attempt in 1..=ATTEMPTS {
        match read_once(parts, user).await {
            Ok(()) => return,
            Err(error) if attempt == ATTEMPTS => {
                tracing::error!(user.id = %user, %error, "Groups could not be read again after a change by the directory; it is tried again in a minute");
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

async fn read_once(parts: &Parts, user: UserId) -> Result<(), StoreError> {
    let Some(reread) = parts.store.begin_reread(user).await? else {
        return Ok(()); // somebody else was quicker
    };
    let snapshot = parts.published.load();
    let provider = snapshot.providers.get(&reread.provider);
    // Where Graph is never asked, nobody was ever told of an inherited group.
    if let Some(provider) = provider.filter(|provider| provider.entra.support_groups) {
        read_of(parts, provider, &reread).await?;
    }
    parts.store.reread_done(&reread).await
}

async fn read_of(parts: &Parts, provider: &IdentityProvider, reread: &Reread) -> Result<(), StoreError> {
    let sessions = parts.store.live_sessions_of(reread.user).await?;
    if sessions.is_empty() {
        return Ok(());
    }
    let read = match parts.relying_party.groups_of(provider, reread.person).await {
        Ok(Groups::Known { groups }) => Ok(groups),
        Ok(Groups::Unknown { reason, .. }) => Err(reason),
        Ok(Groups::NotAsked) => Err("Graph was not asked".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let told: Vec<Group> = match &read {
        Ok(_) => Vec::new(),
        Err(reason) => {
            tracing::warn!(
                provider.id = %provider.id, user.id = %reread.user,
                "Inherited groups are unknown after a change by the directory, until the next sign-in: {reason}. \
                 They can be read where the application permission GroupMember.Read.All is granted"
            );
            parts.store.scim_groups_of(reread.provider, reread.person).await?
        }
    };
    // What has changed again meanwhile is not this answer's to say.
    let before: Vec<Groups> = sessions
        .into_iter()
        .map(|session| session.identity.groups)
        .collect();
    let change = |identity: &mut Identity| {
        if !before.contains(&identity.groups) {
            return;
        }
        match &read {
            Ok(groups) => identity.groups = reread.change.reconcile(groups),
            Err(_) => reread.change.without_inherited(&mut identity.groups, &told),
        }
    };
    let whose = Amended::User(reread.user);
    let amended = parts.store.amend_identities(whose, &change).await?;
    parts.sessions.take_over(amended);
    Ok(())
}
