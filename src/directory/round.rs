//! One round: what changed is read to its end, looked at, and done.

use std::collections::{HashMap, HashSet};

use super::Directories;
use super::brake;
use super::groups;
use super::lease::Lease;
use super::log::Log;
use super::people;
use crate::entra::delta::{self, DeltaFailed, GroupTold, PersonTold};
use crate::manage::scim_rules;
use crate::model::idp::IdentityProvider;
use crate::model::ids::{IdpId, ObjectId, ScimUserId};
use crate::model::scim::SyncSettings;
use crate::store::{
    Consequences, DirectorySync, RoundEnd, ScimGroup, ScimRules, ScimUser, Store, StoreError,
};

/// How often everybody is read, and not only what changed, in milliseconds: a day.
const WHOLE_MS: i64 = 86_400_000;
/// After how long somebody who is signed in must be in the directory, in milliseconds: an hour.
const SETTLED_MS: i64 = 3_600_000;
/// How much later a round confirms one that was held back, in milliseconds, unless the operator asked for it.
const CONFIRMS_MS: i64 = 300_000;

/// Why a round did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// Graph did not tell.
    #[error(transparent)]
    Delta(#[from] DeltaFailed),
    /// What Graph told cannot be all of it.
    #[error("{0}")]
    Incredible(&'static str),
    /// The store does not answer.
    #[error(transparent)]
    Store(StoreError),
    /// Another gateway reads the directory now, or this one was asleep.
    #[error("it took too long, and another gateway may be reading the directory")]
    Taken,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost => Self::Taken,
            error => Self::Store(error),
        }
    }
}

impl Failed {
    /// How the round ended by it.
    pub(super) fn into_end(self) -> RoundEnd {
        match self {
            Self::Delta(DeltaFailed::StartOver) => RoundEnd::StartOver(self.to_string()),
            failed => RoundEnd::Failed(failed.to_string()),
        }
    }
}

/// What a round works with.
pub(super) struct Round<'r> {
    pub(super) directories: &'r Directories,
    pub(super) provider: &'r IdentityProvider,
    pub(super) rules: ScimRules,
    pub(super) lease: &'r Lease,
    stands: &'r DirectorySync,
    /// The directory and the application that is asked.
    source: String,
}

/// What Graph told.
struct Told {
    people: delta::Round<PersonTold>,
    groups: delta::Round<GroupTold>,
    /// Whether it is everything there is.
    whole: bool,
}

impl Told {
    /// Whether nothing changed since the last time.
    fn is_nothing(&self) -> bool {
        !self.whole && self.people.entries.is_empty() && self.groups.entries.is_empty()
    }
}

impl<'r> Round<'r> {
    pub(super) fn new(
        directories: &'r Directories,
        provider: &'r IdentityProvider,
        sync: &SyncSettings,
        lease: &'r Lease,
        stands: &'r DirectorySync,
    ) -> Self {
        let entra = &provider.entra;
        Self {
            directories,
            provider,
            rules: ScimRules {
                names_repeat: true,
                round: Some(lease.round()),
                ..scim_rules(&sync.told)
            },
            lease,
            stands,
            source: format!("{} {} {}", entra.cloud.graph, entra.directory_id, entra.client_id),
        }
    }

    /// Reads what changed and does it.
    pub(super) async fn run(&self) -> Result<RoundEnd, Failed> {
        let told = self.read().await?;
        let known = if told.is_nothing() {
            Vec::new()
        } else {
            self.store().all_scim_users(self.id()).await?
        };
        let strangers = if told.whole {
            self.strangers(&known, &told.people.entries).await?
        } else {
            Vec::new()
        };
        if told.whole
            && let Some(end) = self.held_back(&known, strangers.len(), &told.people.entries)
        {
            return Ok(end);
        }
        let mut log = Log::new(self.store(), &self.directories.clock, self.id(), self.lease.id());
        if !told.is_nothing() {
            let done = self.carry_out(&told, known, &strangers, &mut log).await;
            log.write().await;
            done?;
        }
        let (changes, refused) = (log.changes, log.refused);
        if changes > 0 || told.whole {
            tracing::info!(
                request.id = self.lease.id(), provider.id = %self.id(), whole = told.whole, changes, refused,
                "The directory was read"
            );
        }
        Ok(RoundEnd::Done {
            source: self.source.clone(),
            people_link: told.people.link,
            groups_link: told.groups.link,
            whole: told.whole,
            people: self.store().count_scim::<ScimUser>(self.id()).await?,
            groups: self.store().count_scim::<ScimGroup>(self.id()).await?,
        })
    }

    async fn carry_out(
        &self,
        told: &Told,
        known: Vec<Known>,
        strangers: &[ObjectId],
        log: &mut Log<'_>,
    ) -> Result<(), Failed> {
        let mut people = People::of(known);
        // Whoever is gone is out before anything else is done, which may take its time.
        if told.whole {
            self.delete_absent(&mut people, &told.people.entries, log).await?;
        }
        for object in strangers {
            let gone = PersonTold::gone_for_good(*object);
            self.person(&gone, false, &mut people, log).await?;
        }
        let (out, others): (Vec<_>, Vec<_>) = told
            .people
            .entries
            .iter()
            .partition(|told| told.gone.is_some() || told.enabled == Some(false));
        for told_of in out.into_iter().chain(others) {
            self.person(told_of, told.whole, &mut people, log).await?;
        }
        if told.whole {
            self.delete_nameless(&people, log).await?;
        }
        self.settle_waiting(log).await?;
        let news = groups::merged(&told.groups.entries);
        self.groups(&news, told.whole, &people, log).await
    }

    async fn read(&self) -> Result<Told, Failed> {
        let now_ms = self.directories.clock.now_ms();
        let same = self.stands.source.as_deref() == Some(self.source.as_str());
        let fresh = now_ms.saturating_sub(self.stands.whole_ms) < WHOLE_MS;
        let links = self
            .stands
            .people_link
            .as_deref()
            .zip(self.stands.groups_link.as_deref())
            .filter(|_| same && fresh);
        if let Some((people, groups)) = links {
            match self.read_from(Some(people), Some(groups)).await {
                Err(DeltaFailed::StartOver) => {
                    tracing::info!(provider.id = %self.id(), "Graph no longer knows what changed: everything is read");
                }
                read => return Ok(read?),
            }
        }
        let told = self.read_from(None, None).await?;
        let there = || told.people.entries.iter().filter(|told| told.gone.is_none());
        if there().next().is_none() {
            return Err(Failed::Incredible(
                "Graph lists nobody at all, which no directory is",
            ));
        }
        // With too few rights Graph leaves properties out rather than refuse.
        if there().all(|told| told.enabled.is_none()) {
            return Err(DeltaFailed::Denied(delta::READ_PEOPLE).into());
        }
        Ok(told)
    }

    /// Who has been signed in for some time and is neither known nor in the directory as a whole: deleted before it was
    /// read for the first time. Graph may not tell yet of whoever was made of late.
    async fn strangers(&self, known: &[Known], told: &[PersonTold]) -> Result<Vec<ObjectId>, StoreError> {
        if !self.rules.user_deprovision {
            return Ok(Vec::new());
        }
        let known = known.iter().filter_map(|(_, object, _)| *object);
        let listed = told.iter().filter(|told| told.gone.is_none());
        let listed: HashSet<ObjectId> = listed.map(|told| told.object).chain(known).collect();
        let before_ms = self.directories.clock.now_ms().saturating_sub(SETTLED_MS);
        let mut signed_in = self.store().objects_signed_in(self.id(), before_ms).await?;
        signed_in.retain(|object| !listed.contains(object));
        Ok(signed_in)
    }

    /// Groups first: whoever is in one by then is among the people who are read after it.
    async fn read_from(&self, people: Option<&str>, groups: Option<&str>) -> Result<Told, DeltaFailed> {
        let relying_party = &self.directories.relying_party;
        let groups = relying_party.groups_since(self.provider, groups).await?;
        let whole = people.is_none();
        let mut people = relying_party.people_since(self.provider, people).await?;
        people.entries = people::merged(people.entries);
        Ok(Told {
            people,
            groups,
            whole,
        })
    }

    /// How the round ends where it would put so many people out that it is not believed yet.
    fn held_back(&self, known: &[Known], strangers: usize, told: &[PersonTold]) -> Option<RoundEnd> {
        let people = brake::too_many(known, strangers, told)?;
        let now_ms = self.directories.clock.now_ms();
        let since_ms = self.stands.held_back_ms;
        let confirmed = since_ms.is_some_and(|since_ms| {
            let is_later = now_ms.saturating_sub(since_ms) >= CONFIRMS_MS;
            is_later || self.stands.wanted_ms > since_ms
        });
        if confirmed {
            tracing::warn!(provider.id = %self.id(), people, "A second reading of the directory confirms that many are gone");
            return None;
        }
        let active = strangers + known.iter().filter(|(_, _, active)| *active).count();
        Some(RoundEnd::HeldBack {
            why: format!(
                "{people} of {active} people would be put out at once. It is done when another round says the same; \
                 `vestibule idp sync` has one at once"
            ),
            people,
            since_ms: since_ms.unwrap_or(now_ms),
        })
    }

    pub(super) fn id(&self) -> IdpId {
        self.provider.id
    }

    pub(super) fn store(&self) -> &Store {
        &self.directories.store
    }

    /// Whether the next write may still be this gateway's to make: the store knows, and is not asked in vain.
    pub(super) fn must_stand(&self) -> Result<(), Failed> {
        if self.lease.stands() {
            Ok(())
        } else {
            Err(Failed::Taken)
        }
    }

    pub(super) fn take_effect(&self, done: Consequences) -> Option<String> {
        self.directories
            .effects
            .take_effect(self.id(), self.lease.id(), done)
    }
}

/// Somebody there was at the beginning: our id, the object, and whether they may sign in.
pub(super) type Known = (ScimUserId, Option<ObjectId>, bool);

/// Who is who, as the round goes on.
pub(super) struct People {
    pub(super) by_object: HashMap<ObjectId, ScimUserId>,
    /// People whom another way of telling left without an object.
    pub(super) nameless: HashSet<ScimUserId>,
}

impl People {
    fn of(known: Vec<Known>) -> Self {
        let mut people = Self {
            by_object: HashMap::new(),
            nameless: HashSet::new(),
        };
        for (id, object, _) in known {
            match object {
                Some(object) => {
                    people.by_object.insert(object, id);
                }
                None => {
                    people.nameless.insert(id);
                }
            }
        }
        people
    }
}
