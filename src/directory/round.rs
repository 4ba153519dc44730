//! One round: what changed is read to its end, looked at, and done.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Directories;
use super::brake::{Asked, Judged, Toll};
use super::groups;
use super::lease::Lease;
use super::log::{Log, Rows};
use super::people;
use crate::config::clouds;
use crate::entra::delta::{self, DeltaFailed, GroupTold, PersonTold};
use crate::manage::rules_of;
use crate::model::idp::IdentityProvider;
use crate::model::ids::{IdpId, ObjectId, ScimUserId, TenantId};
use crate::model::scim::SyncSettings;
use crate::snapshot::read;
use crate::store::{
    Consequences, DirectorySync, KnownPerson, RoundEnd, ScimGroup, ScimRules, ScimUser, Store, StoreError,
    Telling,
};

/// How often everybody is read, and not only what changed, in milliseconds: a day.
const WHOLE_MS: i64 = 86_400_000;
/// After how long somebody who is signed in must be in the directory, in milliseconds: an hour.
const SETTLED_MS: i64 = 3_600_000;

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
    /// What it was to do, or by which rules, is something else now.
    #[error("the provider's settings were changed meanwhile, or it was deleted: what was read is not done")]
    Changed,
    /// Another gateway reads the directory now, or this one was asleep.
    #[error("it took too long, and another gateway may be reading the directory")]
    Taken,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost => Self::Taken,
            StoreError::NotTold => Self::Changed,
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
    sync: &'r SyncSettings,
    rows: &'r Rows,
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
        (provider, sync): (&'r IdentityProvider, &'r SyncSettings),
        lease: &'r Lease,
        stands: &'r DirectorySync,
        rows: &'r Rows,
    ) -> Self {
        let entra = &provider.entra;
        Self {
            directories,
            provider,
            sync,
            rows,
            lease,
            stands,
            source: format!("{} {} {}", entra.cloud.graph, entra.directory_id, entra.client_id),
        }
    }

    /// Reads what changed and does it.
    pub(super) async fn run(&self, log: &mut Log<'_>) -> Result<RoundEnd, Failed> {
        let told = tokio::select! {
            told = self.read() => told?,
            () = self.lease.lost() => return Err(Failed::Taken),
        };
        self.must_stand()?;
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
        if told.whole {
            let loss = Toll::of_people(&known, &strangers, &told.people.entries);
            if let Some(end) = self.held_back(loss).await? {
                return Ok(end);
            }
        }
        if !told.is_nothing()
            && let Some(end) = self.carry_out(&told, known, &strangers, log).await?
        {
            return Ok(end);
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

    /// Does what was told of people, and of groups unless that is held back, which is how the round ends then.
    async fn carry_out(
        &self,
        told: &Told,
        known: Vec<KnownPerson>,
        strangers: &[ObjectId],
        log: &mut Log<'_>,
    ) -> Result<Option<RoundEnd>, Failed> {
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
        if told.whole {
            // By now nobody is in a group any more who is gone.
            let known = self.known_groups().await?;
            let held_back = self.held_back(Toll::of_groups(&known, &news)).await?;
            if held_back.is_some() {
                return Ok(held_back);
            }
        }
        self.groups(&news, told.whole, &people, log).await?;
        Ok(None)
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
    async fn strangers(
        &self,
        known: &[KnownPerson],
        told: &[PersonTold],
    ) -> Result<Vec<ObjectId>, StoreError> {
        if !self.sync.told.user_deprovision {
            return Ok(Vec::new());
        }
        let known = known.iter().filter_map(|known| known.object);
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

    /// How the round ends where it would take so much away that it is not believed yet.
    async fn held_back(&self, toll: Toll) -> Result<Option<RoundEnd>, StoreError> {
        let held = match self.stands.held_back_ms {
            Some(_) => self.store().directory_hold(self.id()).await?,
            None => None,
        };
        // One that a gateway of an older release held back is not known.
        let held = held.filter(|held| Some(held.since_ms) == self.stands.held_back_ms);
        let asked = Asked {
            now_ms: self.directories.clock.now_ms(),
            source: &self.source,
            wanted_ms: self.stands.wanted_ms,
        };
        let (what, no_group) = (toll.to_string(), toll.no_group);
        let (waits, anew) = match toll.judged(held, asked) {
            Judged::Little => return Ok(None),
            Judged::Confirmed => {
                tracing::warn!(provider.id = %self.id(), "A second reading of the directory confirms that {what} at once");
                return Ok(None);
            }
            Judged::Held(waits) => (waits, ""),
            Judged::HeldAnew(waits) => (waits, " This is not what the round before said."),
        };
        let when = if no_group {
            "when `vestibule idp sync` has another round that says the same"
        } else {
            "when another round says the same; `vestibule idp sync` has one at once"
        };
        let why = format!("{what} at once.{anew} It is done {when}");
        Ok(Some(RoundEnd::HeldBack { why, hold: waits }))
    }

    pub(super) fn id(&self) -> IdpId {
        self.provider.id
    }

    pub(super) fn store(&self) -> &Store {
        &self.directories.store
    }

    /// Whether the next write may still be this gateway's to make (the store knows, and is not asked in vain), and is wanted
    /// as it was when the round began.
    pub(super) fn must_stand(&self) -> Result<(), Failed> {
        if !self.lease.stands() {
            return Err(Failed::Taken);
        }
        let snapshot = self.directories.published.borrow();
        let same = |now: &IdentityProvider| {
            let (now_entra, entra) = (&now.entra, &self.provider.entra);
            now.sync.as_ref() == Some(self.sync)
                && now_entra.cloud.graph == entra.cloud.graph
                && now_entra.directory_id == entra.directory_id
                && now_entra.client_id == entra.client_id
        };
        if snapshot.providers.get(&self.id()).is_some_and(|now| same(now)) {
            Ok(())
        } else {
            Err(Failed::Changed)
        }
    }

    /// Has this gateway follow what was written, of which the log tells already.
    pub(super) fn take_effect(&self, done: Consequences, log: &mut Log<'_>) {
        log.changes += 1;
        self.directories
            .effects
            .take_effect(self.id(), self.lease.id(), done);
    }
}

/// The store has the last word on whether a write is wanted as it was when the round began: the snapshot may be older.
impl Telling for Round<'_> {
    fn rules(&self, provider: Option<&Value>) -> Option<ScimRules<'_>> {
        let provider = provider?;
        let sync = read::sync_settings(provider).ok().flatten()?;
        let config = |key| {
            let text = provider.pointer(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let entra = &self.provider.entra;
        let directory = config("/config/directory_id").and_then(|id| id.parse::<TenantId>().ok());
        let same = sync == *self.sync
            && directory == Some(entra.directory_id)
            && config("/config/client_id") == Some(entra.client_id.as_str())
            && config("/config/azure_cloud").unwrap_or(clouds::DEFAULT) == entra.cloud.key;
        same.then(|| ScimRules {
            names_repeat: true,
            round: Some(self.lease.round()),
            journal: Some(self.rows),
            ..rules_of(&sync.told)
        })
    }
}

/// Who is who, as the round goes on.
pub(super) struct People {
    pub(super) by_object: HashMap<ObjectId, ScimUserId>,
    /// People whom another way of telling left without an object.
    pub(super) nameless: HashSet<ScimUserId>,
}

impl People {
    fn of(known: Vec<KnownPerson>) -> Self {
        let mut people = Self {
            by_object: HashMap::new(),
            nameless: HashSet::new(),
        };
        for KnownPerson { id, object, .. } in known {
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
