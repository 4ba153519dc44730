//! Following the store: one mechanism for hot reload, replicas, revocation and the command line.
//!
//! Every replica reads the rows of `changes` in their order, woken at once where the store can wake it and after a
//! quarter of a second in any case. Endings of sessions are applied as they are read. A changed object or key asks for
//! a new [`Snapshot`], which another task builds, so that an ending never waits behind it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::crypto::seal::Sealer;
use crate::model::idp::Cloud;
use crate::model::ids::SessionNonce;
use crate::model::organization::Organization;
use crate::model::upstream::Upstream;
use crate::session::grace::StoreGrace;
use crate::session::keys::{KeyError, Signer};
use crate::session::table::{Cause, SessionTable, Whose};
use crate::shutdown::Shutdown;
use crate::snapshot::{Inputs, ObjectFault, Published, Snapshot};
use crate::store::{Change, ChangeKind, Feed as Read, Position, Store, StoreError, TokensOf};
use crate::telemetry::metrics::Metrics;

/// The longest time between two looks at the store.
const POLL: Duration = Duration::from_millis(250);
/// Between two attempts to build a snapshot after the store failed.
const BUILD_AGAIN: Duration = Duration::from_millis(500);

/// Builds snapshots from what the store holds. Cheap to clone.
#[derive(Clone)]
pub struct Builder {
    parts: Arc<Parts>,
}

/// What a snapshot is built from besides the store.
pub struct Parts {
    /// Where objects and keys are.
    pub store: Store,
    /// Opens provider secrets and signing keys.
    pub sealer: Sealer,
    /// The clock.
    pub clock: Clock,
    /// The organization.
    pub organization: Arc<Organization>,
    /// The clouds that providers name.
    pub clouds: Arc<BTreeMap<String, Cloud>>,
    /// The upstreams of the file, which may be read anew.
    pub upstreams: Arc<ArcSwap<Vec<Arc<Upstream>>>>,
    /// Takes up the current signing key.
    pub signer: Signer,
}

impl Builder {
    /// A builder from these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Builds the first snapshot from one consistent read of the store, and takes up the signing key.
    pub async fn build(&self) -> Result<Snapshot, BuildFailed> {
        let (snapshot, signer) = self.read(None).await?;
        signer?;
        Ok(snapshot)
    }

    /// Builds a further snapshot, with what the one before made of objects that were not written since. What is decided
    /// and trusted must not wait for a key to sign with: a key that was withdrawn stops being trusted although nothing
    /// has taken its place yet.
    async fn build_anew(&self, before: &Snapshot) -> Result<Snapshot, StoreError> {
        let (snapshot, signer) = self.read(Some(before)).await?;
        if let Err(error) = signer {
            tracing::error!(%error, "Nobody can sign in until there is a signing key");
        }
        Ok(snapshot)
    }

    async fn read(&self, before: Option<&Snapshot>) -> Result<(Snapshot, Result<(), KeyError>), StoreError> {
        let parts = &*self.parts;
        let (position, objects) = parts.store.objects().await?;
        let keys = parts.store.signing_keys().await?;
        let scim_secrets = parts.store.scim_secret_hashes().await?;
        let signer = parts.signer.take_up(&keys, &parts.sealer, parts.clock.now_ms());
        let inputs = Inputs {
            objects: &objects,
            keys: &keys,
            scim_secrets: &scim_secrets,
            organization: &parts.organization,
            clouds: &parts.clouds,
            upstreams: &parts.upstreams.load(),
            position: &position,
            before,
        };
        let snapshot = Snapshot::build(&inputs, &parts.sealer, &parts.clock);
        // What was told of stays so until somebody mends it, whatever else is written meanwhile.
        let told: HashSet<&ObjectFault> = before.iter().flat_map(|before| &before.faults).collect();
        let new = snapshot.faults.iter().filter(|fault| !told.contains(fault));
        for ObjectFault {
            kind,
            id,
            name,
            reason,
        } in new
        {
            tracing::error!(
                kind,
                id,
                name,
                reason,
                "An object cannot be used; it lets nobody pass"
            );
        }
        Ok((snapshot, signer))
    }
}

/// Why no snapshot could be built; the one in force stays.
#[derive(Debug, thiserror::Error)]
pub enum BuildFailed {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// Follows the store from a position on.
pub struct Follower {
    /// The store.
    pub store: Store,
    /// The sessions of this replica.
    pub table: SessionTable,
    /// Builds snapshots.
    pub builder: Builder,
    /// Where snapshots are published.
    pub published: Arc<Published>,
    /// Asked for a snapshot by others too: a file read anew changes what no row of the store tells.
    pub wanted: Arc<Wanted>,
    /// Is told of each confirmation.
    pub grace: StoreGrace,
    /// The clock.
    pub clock: Clock,
    /// Counts how long endings take to arrive.
    pub metrics: Arc<Metrics>,
}

impl Follower {
    /// Follows until the process ends. `from` is the position of the snapshot in force.
    pub async fn follow(self, from: Position, shutdown: Shutdown) {
        // A task of its own: a large snapshot takes long to compile.
        let (builder, published) = (self.builder.clone(), Arc::clone(&self.published));
        let (wanted, stop) = (Arc::clone(&self.wanted), shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = keep_building(&builder, &published, &wanted) => {}
                () = stop.hard() => {}
            }
        });
        tokio::select! {
            () = self.keep_following(from, &self.wanted) => {}
            () = shutdown.hard() => {}
        }
    }

    async fn keep_following(&self, mut position: Position, wanted: &Wanted) {
        let mut answers = true;
        loop {
            // `woken` may resolve early or for nothing; the timer is what the promise of one second rests on.
            let woken = self.store.woken();
            match self.step(&mut position, wanted).await {
                Ok(()) => {
                    self.grace.confirm(self.clock.now_ms());
                    if !answers {
                        tracing::info!("The store answers again");
                    }
                    answers = true;
                }
                Err(error) => {
                    if answers {
                        tracing::error!(%error, "The store does not answer; live sessions go on for the grace");
                    }
                    answers = false;
                }
            }
            let _ = tokio::time::timeout(POLL, woken).await;
        }
    }

    async fn step(&self, position: &mut Position, wanted: &Wanted) -> Result<(), StoreError> {
        match self.store.changes_since(position).await? {
            Read::Same => {}
            Read::Changes(changes, reached) => {
                self.apply(&changes, wanted);
                self.take_over_identities(&changes).await?;
                *position = reached;
            }
            Read::Lost => {
                tracing::warn!(
                    "The store has another past than this replica followed; reading everything anew"
                );
                *position = self.store.head().await?;
                wanted.ask_anew();
                self.ask_for_every_session().await?;
                take_up_epochs(&self.store, &self.table).await?;
            }
        }
        Ok(())
    }

    fn apply(&self, changes: &[Change], wanted: &Wanted) {
        let mut objects = false;
        for change in changes {
            match change.kind {
                ChangeKind::Objects | ChangeKind::Keys => objects = true,
                ChangeKind::IdentityChanged => {}
                ChangeKind::TokensRevoked => self.tokens_revoked(change),
                ending => {
                    if let Some(whose) = whose(ending, &change.subject) {
                        self.table.end(&whose, Cause::ElsewhereEnded);
                    } else {
                        // A row that cannot be read must not let anybody stay in.
                        tracing::error!(
                            seq = change.seq,
                            "A change names nobody; ending every session here"
                        );
                        self.table.end(&Whose::Everybody, Cause::ElsewhereEnded);
                    }
                    self.applied(change);
                }
            }
        }
        if objects {
            wanted.ask();
        }
    }

    fn tokens_revoked(&self, change: &Change) {
        if let Some(of) = TokensOf::from_subject(&change.subject) {
            self.table
                .tokens_revoked(&of.aud, of.session.as_ref(), change.seq);
        } else {
            // A row that cannot be read must not let anybody stay in.
            tracing::error!(
                seq = change.seq,
                "A revocation of tokens names no application; ending every session here"
            );
            self.table.end(&Whose::Everybody, Cause::ElsewhereEnded);
        }
        self.applied(change);
    }

    fn applied(&self, change: &Change) {
        let delay_ms = self.clock.now_ms().saturating_sub(change.at_ms);
        let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
        self.metrics.revocation_applied(delay);
    }

    /// Reads identities anew, those of one page of the feed together: a directory that renames a large group changes
    /// thousands, and an ending that stands behind them must not wait.
    async fn take_over_identities(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut known: Vec<SessionNonce> = Vec::new();
        let of_identities = |change: &&Change| change.kind == ChangeKind::IdentityChanged;
        for change in changes.iter().filter(of_identities) {
            let Ok(nonce) = change.subject.parse() else {
                continue;
            };
            // Whoever reads the session at this moment may have the old identity in hands.
            self.table.identity_changed(&nonce);
            if self.table.find(&nonce).is_some() {
                known.push(nonce);
            }
        }
        if known.is_empty() {
            return Ok(());
        }
        self.table.take_over(self.store.identities(&known).await?);
        Ok(())
    }

    async fn ask_for_every_session(&self) -> Result<(), StoreError> {
        for nonce in self.table.nonces() {
            let alive = self
                .store
                .session(&nonce)
                .await?
                .is_some_and(|row| row.ended_ms.is_none());
            if !alive {
                self.table.end(&Whose::Session(nonce), Cause::ElsewhereEnded);
            }
        }
        Ok(())
    }
}

/// Learns which application tokens are revoked: at the start, and where the feed was lost.
///
/// Epochs of single sessions come with the session; those known here are asked for with it.
///
/// # Errors
/// [`StoreError`] where the store cannot say.
pub async fn take_up_epochs(store: &Store, table: &SessionTable) -> Result<(), StoreError> {
    for (aud, epoch) in store.token_epochs().await? {
        table.tokens_revoked(&aud, None, epoch);
    }
    for nonce in table.nonces() {
        for (aud, epoch) in store.token_epochs_of(&nonce).await? {
            table.tokens_revoked(&aud, Some(&nonce), epoch);
        }
    }
    Ok(())
}

/// That a snapshot is wanted. However often it is asked for while one is built, one more is built.
#[derive(Debug, Default)]
pub struct Wanted {
    bell: Notify,
    // The store has another past: positions must not be compared.
    anew: AtomicBool,
}

impl Wanted {
    /// Asks for a snapshot.
    pub fn ask(&self) {
        self.bell.notify_one();
    }

    fn ask_anew(&self) {
        self.anew.store(true, Ordering::Release);
        self.bell.notify_one();
    }
}

async fn keep_building(builder: &Builder, published: &Published, wanted: &Wanted) {
    loop {
        wanted.bell.notified().await;
        let anew = wanted.anew.swap(false, Ordering::AcqRel);
        let snapshot = loop {
            match builder.build_anew(&published.load()).await {
                Ok(snapshot) => break snapshot,
                Err(error) => {
                    tracing::error!(%error, "No snapshot could be built from the store; the one in force stays");
                    tokio::time::sleep(BUILD_AGAIN).await;
                }
            }
        };
        published.publish(snapshot, anew);
    }
}

fn whose(kind: ChangeKind, subject: &str) -> Option<Whose> {
    match kind {
        ChangeKind::SessionEnded => subject.parse().ok().map(Whose::Session),
        ChangeKind::UserEnded => subject.parse().ok().map(Whose::User),
        ChangeKind::ProviderEnded => subject.parse().ok().map(Whose::Provider),
        ChangeKind::EverybodyEnded => Some(Whose::Everybody),
        ChangeKind::Objects | ChangeKind::Keys | ChangeKind::IdentityChanged | ChangeKind::TokensRevoked => {
            None
        }
    }
}
