//! What is done about groups, who is in them, and groups within groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::log::Log;
use super::round::{Failed, People, Round};
use crate::entra::delta::{Gone, GroupTold};
use crate::model::identity::Identity;
use crate::model::ids::{ObjectId, ScimGroupId, ScimUserId};
use crate::model::scim::GroupRecord;
use crate::store::{Consequences, GroupWritten, Held, Membership, ScimGroup, ScimKey, StoreError};

/// What a round told of a group, all of it: Graph tells of one with many members in several entries.
#[derive(Debug, Default)]
pub(super) struct GroupNews {
    gone: Option<Gone>,
    name: Option<String>,
    /// Who came (`false`) and who left (`true`), as it is in the end.
    moves: BTreeMap<ObjectId, bool>,
}

impl GroupNews {
    /// Whether the group is there no more.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// Whether somebody, or a group, was told of as in it.
    pub(super) fn holds(&self, member: Uuid) -> bool {
        self.moves.get(&ObjectId(member)) == Some(&false)
    }
}

/// A group as it is known, before a round says what has become of it.
#[derive(Debug)]
pub(super) struct KnownGroup {
    pub(super) id: ScimGroupId,
    pub(super) object: Option<ObjectId>,
    /// Who is in it, groups and people not told of yet included: by objects, and by our ids where there are none.
    pub(super) members: Vec<Uuid>,
}

/// What was told of each group, in Graph's order: what comes later stands.
pub(super) fn merged(told: &[GroupTold]) -> BTreeMap<ObjectId, GroupNews> {
    let mut groups: BTreeMap<ObjectId, GroupNews> = BTreeMap::new();
    for told in told {
        let news = groups.entry(told.object).or_default();
        news.gone = told.gone;
        if told.gone.is_some() {
            news.moves.clear();
        }
        if let Some(name) = told.name.value() {
            news.name = Some(name.to_owned());
        }
        news.moves
            .extend(told.moves.iter().map(|step| (step.member, step.left)));
    }
    groups
}

/// The members of a group that moved, told apart by whether they are known people.
#[derive(Default)]
struct Moved {
    came: Vec<ScimUserId>,
    left: Vec<ScimUserId>,
    others_came: Vec<ObjectId>,
    others_left: Vec<ObjectId>,
}

impl Moved {
    fn of(news: &GroupNews, people: &People) -> Self {
        let mut moved = Self::default();
        for (member, left) in &news.moves {
            match (people.by_object.get(member), left) {
                (Some(person), false) => moved.came.push(*person),
                (Some(person), true) => moved.left.push(*person),
                (None, false) => moved.others_came.push(*member),
                (None, true) => moved.others_left.push(*member),
            }
        }
        moved
    }
}

/// What changes about what groups hold besides people.
#[derive(Default)]
struct Nesting {
    comes: BTreeSet<Held>,
    goes: BTreeSet<Held>,
}

impl Round<'_> {
    /// Every group that is known, and who is in it.
    pub(super) async fn known_groups(&self) -> Result<Vec<KnownGroup>, StoreError> {
        let mut others: HashMap<ObjectId, Vec<Uuid>> = HashMap::new();
        for (group, member) in self.store().scim_nesting(self.id()).await? {
            others.entry(group).or_default().push(member.0);
        }
        let groups = self.store().all_scim_groups(self.id()).await?;
        let mut known = Vec::with_capacity(groups.len());
        for (id, object) in groups {
            let mut members = self.store().scim_objects_within(id).await?;
            members.extend(
                object
                    .and_then(|object| others.remove(&object))
                    .unwrap_or_default(),
            );
            known.push(KnownGroup { id, object, members });
        }
        Ok(known)
    }

    /// Does what was told of groups.
    pub(super) async fn groups(
        &self,
        news: &BTreeMap<ObjectId, GroupNews>,
        whole: bool,
        people: &People,
        log: &mut Log<'_>,
    ) -> Result<(), Failed> {
        if news.is_empty() && !whole {
            return Ok(());
        }
        let mut nesting = Nesting::default();
        for (object, news) in news.iter().filter(|(_, news)| news.gone.is_none()) {
            self.must_stand()?;
            let moved = Moved::of(news, people);
            let held = |member: &ObjectId| (*object, *member);
            nesting.comes.extend(moved.others_came.iter().map(held));
            nesting.goes.extend(moved.others_left.iter().map(held));
            match self.group(*object, news, moved, whole, log).await {
                Err(StoreError::Conflict(attribute)) => {
                    let why = format!("another group has the same {attribute}");
                    log.refused("GROUP", &object.to_string(), &why).await;
                }
                result => result?,
            }
        }
        let gone = self.gone_groups(news, whole).await?;
        let present: BTreeSet<Held> = self.store().scim_nesting(self.id()).await?.into_iter().collect();
        let gone_objects: BTreeSet<ObjectId> = gone.iter().filter_map(|(object, _)| *object).collect();
        let is_gone = |object: &ObjectId| gone_objects.contains(object);
        let goes = present.iter().filter(|held| {
            let unsaid = whole && !nesting.comes.contains(held);
            unsaid || nesting.goes.contains(held) || is_gone(&held.0) || is_gone(&held.1)
        });
        let nesting = Nesting {
            goes: goes.copied().collect(),
            comes: nesting.comes.difference(&present).copied().collect(),
        };
        // What was inherited by way of a group goes before the group does: who inherited it is known by that.
        self.nest(&nesting, log).await?;
        for (_, id) in gone {
            self.must_stand()?;
            self.delete_group(id, log).await?;
        }
        Ok(())
    }

    async fn group(
        &self,
        object: ObjectId,
        news: &GroupNews,
        moved: Moved,
        whole: bool,
        log: &mut Log<'_>,
    ) -> Result<(), StoreError> {
        let known = self
            .store()
            .scim_with::<ScimGroup>(self.id(), ScimKey::Object(object))
            .await?;
        let Some(known) = known.into_iter().next() else {
            let record = record(object, news, None);
            let written = self
                .store()
                .insert_scim_group(self.id(), &record, &moved.came, self)
                .await?;
            self.follow_group(log, written);
            return Ok(());
        };
        let wanted = record(object, news, Some(&known));
        let memberships = if whole {
            vec![Membership::Replace(moved.came)]
        } else {
            self.admit_strays(&known, object, &moved.left, log).await?;
            let steps = [Membership::Add(moved.came), Membership::Remove(moved.left)];
            steps.into_iter().filter(|step| !is_empty(step)).collect()
        };
        if wanted == known.record && memberships.is_empty() {
            return Ok(());
        }
        self.change_group(&known, &wanted, memberships, log).await
    }

    /// Somebody leaves of whom it was not known that they were in, as after a restoration that Graph told without its
    /// memberships. Where a sign-in found them in the group, they are put in, so that leaving it takes effect.
    async fn admit_strays(
        &self,
        group: &ScimGroup,
        object: ObjectId,
        left: &[ScimUserId],
        log: &mut Log<'_>,
    ) -> Result<(), StoreError> {
        let outside = self.store().signed_in_outside(group.id, left).await?;
        let holds =
            |(_, identity): &(_, Identity)| identity.groups.held().iter().any(|held| held.id == object);
        let strays: BTreeSet<ScimUserId> = outside.into_iter().filter(holds).map(|(id, _)| id).collect();
        if strays.is_empty() {
            return Ok(());
        }
        self.change_group(
            group,
            &group.record,
            vec![Membership::Add(strays.into_iter().collect())],
            log,
        )
        .await
    }

    async fn change_group(
        &self,
        group: &ScimGroup,
        wanted: &GroupRecord,
        memberships: Vec<Membership>,
        log: &mut Log<'_>,
    ) -> Result<(), StoreError> {
        let change =
            |_: &GroupRecord| Ok::<_, std::convert::Infallible>((wanted.clone(), memberships.clone()));
        let written = self
            .store()
            .update_scim_group(self.id(), group.id, &change, self)
            .await?;
        let Some(Ok(written)) = written else { return Ok(()) };
        if *wanted == group.record && written.added.is_empty() && written.removed.is_empty() {
            return Ok(()); // Graph told the same again
        }
        self.follow_group(log, written);
        Ok(())
    }

    fn follow_group(&self, log: &mut Log<'_>, mut written: GroupWritten) {
        log.changes += 1;
        let effects = &self.directories.effects;
        effects.take_effect_of_group(self.id(), self.lease.id(), &mut written);
    }

    /// The groups that are there no more.
    async fn gone_groups(
        &self,
        news: &BTreeMap<ObjectId, GroupNews>,
        whole: bool,
    ) -> Result<Vec<(Option<ObjectId>, ScimGroupId)>, StoreError> {
        if !whole && news.values().all(|news| news.gone.is_none()) {
            return Ok(Vec::new());
        }
        let known = self.store().all_scim_groups(self.id()).await?;
        let is_gone = |object: Option<ObjectId>| match object.and_then(|object| news.get(&object)) {
            Some(news) => news.gone.is_some(),
            None => whole,
        };
        Ok(known
            .into_iter()
            .filter(|(_, object)| is_gone(*object))
            .map(|(id, object)| (object, id))
            .collect())
    }

    async fn delete_group(&self, id: ScimGroupId, log: &mut Log<'_>) -> Result<(), StoreError> {
        let effects = &self.directories.effects;
        let deleted = effects.delete_group(self.id(), id, self, self.lease.id()).await?;
        if deleted.is_some() {
            log.changes += 1;
        }
        Ok(())
    }

    async fn nest(&self, nesting: &Nesting, log: &mut Log<'_>) -> Result<(), Failed> {
        if nesting.comes.is_empty() && nesting.goes.is_empty() {
            return Ok(());
        }
        self.must_stand()?;
        let (comes, goes): (Vec<_>, Vec<_>) = (
            nesting.comes.iter().copied().collect(),
            nesting.goes.iter().copied().collect(),
        );
        let done = self
            .store()
            .change_scim_nesting(self.id(), &comes, &goes, self)
            .await?;
        if done != Consequences::default() {
            self.take_effect(done, log);
        }
        Ok(())
    }

    /// Puts people into groups of which Graph told before it told of the people.
    pub(super) async fn settle_waiting(&self, log: &mut Log<'_>) -> Result<(), Failed> {
        let waiting = self.store().scim_members_known_now(self.id()).await?;
        let mut by_group: HashMap<ObjectId, Vec<ScimUserId>> = HashMap::new();
        let mut settled = Vec::with_capacity(waiting.len());
        for (held, person) in waiting {
            by_group.entry(held.0).or_default().push(person);
            settled.push(held);
        }
        for (object, people) in by_group {
            self.must_stand()?;
            let known = self
                .store()
                .scim_with::<ScimGroup>(self.id(), ScimKey::Object(object))
                .await?;
            if let Some(group) = known.into_iter().next() {
                self.change_group(&group, &group.record, vec![Membership::Add(people)], log)
                    .await?;
            }
        }
        if !settled.is_empty() {
            self.must_stand()?;
            self.store().forget_scim_held(self.id(), &settled, self).await?;
        }
        Ok(())
    }
}

/// A group as it is to be. One without a name goes by its object.
fn record(object: ObjectId, news: &GroupNews, known: Option<&ScimGroup>) -> GroupRecord {
    let name = news.name.clone();
    let name = name.or_else(|| Some(known?.record.display_name.clone()));
    GroupRecord {
        display_name: name.unwrap_or_else(|| object.to_string()),
        external_id: Some(object.to_string()),
    }
}

fn is_empty(step: &Membership) -> bool {
    match step {
        Membership::Add(people) | Membership::Remove(people) | Membership::Replace(people) => {
            people.is_empty()
        }
    }
}
