//! Groups within groups, where a directory tells of them: who is in a group is in all that hold it. A change of that
//! changes the groups of people who moved nowhere.
//!
//! SCIM tells nothing of nesting. Whoever reads a directory by Graph is told of it, and keeps it here, with members that
//! nobody has been told of yet.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Any, Transaction};

use super::super::many::{AT_ONCE, OfMany, of_many};
use super::super::row::Cells;
use super::super::{Store, StoreError, bounded};
use super::effects::{Consequences, Plan};
use super::telling::Telling;
use super::updates::note;
use crate::model::identity::Group;
use crate::model::ids::{IdpId, ObjectId, ScimUserId, UserId};
use crate::model::scim::GroupChange;

/// A group, and a member of it that is no known person.
pub type Held = (ObjectId, ObjectId);

const ALL: &str =
    "SELECT group_object, member FROM directory_members WHERE provider = $1 ORDER BY group_object, member";
const ADD: OfMany = of_many!(
    "INSERT INTO directory_members (provider, group_object, member) SELECT $2, value ->> 0, value ->> 1 FROM ",
    LIST,
    " WHERE TRUE ON CONFLICT (provider, group_object, member) DO NOTHING"
);
const REMOVE: OfMany = of_many!(
    "DELETE FROM directory_members WHERE (provider, group_object, member) IN \
     (SELECT $2, value ->> 0, value ->> 1 FROM ",
    LIST,
    ")"
);
const WAITING: &str = "SELECT m.group_object AS group_object, m.member AS member, u.id AS id FROM directory_members m \
     JOIN scim_users u ON u.provider = m.provider AND u.object = m.member WHERE m.provider = $1";
const NAMES: OfMany = of_many!(
    "SELECT object, display_name FROM scim_groups WHERE provider = $2 AND object IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);
const DIRECT: OfMany = of_many!(
    "SELECT m.scim_user AS scim_user, g.object AS object FROM scim_members m CROSS JOIN scim_groups g \
     WHERE g.id = m.scim_group AND g.object IS NOT NULL AND m.scim_user IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);
/// From groups to their members to their sessions, in SQLite too, which takes the order of `CROSS JOIN` as it is written.
const SIGNED_IN_MEMBERS: OfMany = of_many!(
    "SELECT DISTINCT u.id AS id, u.user_id AS user_id FROM (SELECT value ->> 0 AS object FROM ",
    LIST,
    ") AS given CROSS JOIN scim_groups g CROSS JOIN scim_members m CROSS JOIN scim_users u \
     WHERE g.provider = $2 AND g.object = given.object AND m.scim_group = g.id AND u.id = m.scim_user \
     AND EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.user_id AND s.ended_ms IS NULL AND s.expires_ms > $3)"
);
const TAKEN: OfMany = of_many!(
    "INSERT INTO scim_taken (provider, scim_user, object, at_ms) SELECT $2, m.scim_user, lost.inherited, $3 FROM \
     (SELECT value ->> 0 AS object, value ->> 1 AS inherited FROM ",
    LIST,
    ") AS lost CROSS JOIN scim_groups g CROSS JOIN scim_members m \
     WHERE g.provider = $2 AND g.object = lost.object AND m.scim_group = g.id"
);

impl Store {
    /// What groups of a directory hold besides known people.
    pub async fn scim_nesting(&self, provider: IdpId) -> Result<Vec<Held>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(ALL)
                .bind(provider.to_string())
                .fetch_all(&mut *connection)
                .await?;
            rows.iter()
                .map(|row| held(&Cells::new(row, "directory_members", "group_object")))
                .collect()
        })
        .await
    }

    /// Members that were no known people and are now.
    pub async fn scim_members_known_now(
        &self,
        provider: IdpId,
    ) -> Result<Vec<(Held, ScimUserId)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(WAITING)
                .bind(provider.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let known = |row| {
                let cells = Cells::new(row, "directory_members", "group_object");
                Ok((held(&cells)?, cells.parsed("id")?))
            };
            rows.iter().map(known).collect()
        })
        .await
    }

    /// Changes what groups hold besides known people. What comes is there then, what goes is not, whether it was before
    /// or not.
    pub async fn change_scim_nesting(
        &self,
        provider: IdpId,
        comes: &[Held],
        goes: &[Held],
        telling: &dyn Telling,
    ) -> Result<Consequences, StoreError> {
        self.very_patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            let mut pairs = all(&mut tx, provider).await?;
            self.write_held(&mut tx, provider, comes, goes).await?;
            let before = Nesting::of(&pairs);
            pairs.extend(comes);
            for gone in goes {
                pairs.remove(gone);
            }
            let after = Nesting::of(&pairs);
            let moved: BTreeSet<ObjectId> = comes.iter().chain(goes).map(|(_, member)| *member).collect();
            let mut within = before.below(&moved);
            self.take_inherited(&mut tx, provider, (&before, &after), &within)
                .await?;
            within.extend(after.below(&moved));
            let plan = self
                .inheriting(&mut tx, provider, (&before, &after), &within)
                .await?;
            let (consequences, told) = self.follow(&mut tx, &rules, plan, &|_| {}, None).await?;
            if consequences != Consequences::default() {
                let row = rules.journal.map(|journal| journal.nesting(&consequences));
                note(&mut tx, row).await?;
            }
            self.commit_scim(tx, told).await?;
            Ok(consequences)
        })
        .await
    }

    /// Forgets members that are known people by now, and in the groups as such. Nobody's groups change with it: a person
    /// holds nothing.
    pub async fn forget_scim_held(
        &self,
        provider: IdpId,
        held: &[Held],
        telling: &dyn Telling,
    ) -> Result<(), StoreError> {
        self.patiently(|| async {
            let (mut tx, _) = self.begin_told(provider, telling).await?;
            self.write_held(&mut tx, provider, &[], held).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn write_held(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        comes: &[Held],
        goes: &[Held],
    ) -> Result<(), StoreError> {
        for (statement, changed) in [(&ADD, comes), (&REMOVE, goes)] {
            for pairs in changed.chunks(AT_ONCE) {
                self.of_many(statement, &texts(pairs))?
                    .bind(provider.to_string())
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Ok(())
    }

    /// Writes down what members of these groups inherit no longer, for sign-ins that are under way.
    async fn take_inherited(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        (before, after): (&Nesting, &Nesting),
        groups: &BTreeSet<ObjectId>,
    ) -> Result<(), StoreError> {
        let mut lost: Vec<Held> = Vec::new();
        for object in groups {
            let own = BTreeSet::from([*object]);
            let (was, is) = (before.above(&own), after.above(&own));
            lost.extend(was.difference(&is).map(|inherited| (*object, *inherited)));
        }
        if lost.is_empty() {
            return Ok(());
        }
        self.hold_logins(tx).await?;
        for lost in lost.chunks(AT_ONCE) {
            self.of_many(&TAKEN, &texts(lost))?
                .bind(provider.to_string())
                .bind(self.now_ms())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    /// What changes for whoever is signed in and in these groups.
    async fn inheriting(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        (before, after): (&Nesting, &Nesting),
        groups: &BTreeSet<ObjectId>,
    ) -> Result<Plan, StoreError> {
        let people = self.signed_in_within(tx, provider, groups).await?;
        let mut changes: Vec<(UserId, Vec<ObjectId>, Vec<ObjectId>)> = Vec::new();
        for people in people.chunks(AT_ONCE) {
            let direct = self.direct_groups(tx, people).await?;
            for (person, user) in people {
                let Some(direct) = direct.get(person) else {
                    continue;
                };
                let (was, is) = (before.above(direct), after.above(direct));
                let added: Vec<ObjectId> = is.difference(&was).copied().collect();
                let removed: Vec<ObjectId> = was.difference(&is).copied().collect();
                if !added.is_empty() || !removed.is_empty() {
                    changes.push((*user, added, removed));
                }
            }
        }
        let added: BTreeSet<ObjectId> = changes.iter().flat_map(|(_, added, _)| added).copied().collect();
        let names = self.group_names(tx, provider, &added).await?;
        let called = |id: ObjectId| Group {
            id,
            name: names.get(&id).cloned(),
        };
        let mut plan = Plan::default();
        for (user, added, removed) in changes {
            let change = GroupChange {
                added: added.into_iter().map(called).collect(),
                removed,
            };
            plan.moved.insert(user);
            plan.groups.insert(user, change);
        }
        Ok(plan)
    }

    /// Who is signed in of those who are in these groups themselves, each of them once.
    async fn signed_in_within(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<Vec<(ScimUserId, UserId)>, StoreError> {
        let mut found = BTreeSet::new();
        for groups in objects(groups).chunks(AT_ONCE) {
            let rows = self
                .of_many(&SIGNED_IN_MEMBERS, groups)?
                .bind(provider.to_string())
                .bind(self.now_ms())
                .fetch_all(&mut **tx)
                .await?;
            for row in &rows {
                let cells = Cells::new(row, "scim_users", "id");
                found.insert((cells.parsed("id")?, cells.parsed("user_id")?));
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The groups that these people are in themselves.
    async fn direct_groups(
        &self,
        tx: &mut Transaction<'static, Any>,
        people: &[(ScimUserId, UserId)],
    ) -> Result<HashMap<ScimUserId, BTreeSet<ObjectId>>, StoreError> {
        let list: Vec<_> = people.iter().map(|(person, _)| (person.to_string(),)).collect();
        let rows = self.of_many(&DIRECT, &list)?.fetch_all(&mut **tx).await?;
        let mut direct: HashMap<ScimUserId, BTreeSet<ObjectId>> = HashMap::new();
        for row in &rows {
            let cells = Cells::new(row, "scim_members", "scim_user");
            let of_person = direct.entry(cells.parsed("scim_user")?).or_default();
            of_person.insert(cells.parsed("object")?);
        }
        Ok(direct)
    }

    /// What a directory calls these groups, as far as it told of them.
    pub async fn scim_group_names(
        &self,
        provider: IdpId,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<HashMap<ObjectId, String>, StoreError> {
        bounded(async {
            let mut tx = self.begin_read().await?;
            self.group_names(&mut tx, provider, groups).await
        })
        .await
    }

    /// The same within a transaction.
    async fn group_names(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<HashMap<ObjectId, String>, StoreError> {
        let mut names = HashMap::with_capacity(groups.len());
        for groups in objects(groups).chunks(AT_ONCE) {
            let rows = self
                .of_many(&NAMES, groups)?
                .bind(provider.to_string())
                .fetch_all(&mut **tx)
                .await?;
            for row in &rows {
                let cells = Cells::new(row, "scim_groups", "object");
                names.insert(cells.parsed("object")?, cells.text("display_name")?);
            }
        }
        Ok(names)
    }
}

/// What holds what.
struct Nesting {
    holders: HashMap<ObjectId, Vec<ObjectId>>,
    held: HashMap<ObjectId, Vec<ObjectId>>,
}

impl Nesting {
    fn of(pairs: &BTreeSet<Held>) -> Self {
        let mut nesting = Self {
            holders: HashMap::new(),
            held: HashMap::new(),
        };
        for (group, member) in pairs {
            nesting.holders.entry(*member).or_default().push(*group);
            nesting.held.entry(*group).or_default().push(*member);
        }
        nesting
    }

    /// These, and everything that holds them.
    fn above(&self, from: &BTreeSet<ObjectId>) -> BTreeSet<ObjectId> {
        closed(from, &self.holders)
    }

    /// These, and everything that they hold.
    fn below(&self, from: &BTreeSet<ObjectId>) -> BTreeSet<ObjectId> {
        closed(from, &self.held)
    }
}

/// Groups may hold each other in a ring; each is visited once.
fn closed(from: &BTreeSet<ObjectId>, step: &HashMap<ObjectId, Vec<ObjectId>>) -> BTreeSet<ObjectId> {
    let mut found = from.clone();
    let mut waiting: Vec<ObjectId> = from.iter().copied().collect();
    while let Some(next) = waiting.pop() {
        for object in step.get(&next).into_iter().flatten() {
            if found.insert(*object) {
                waiting.push(*object);
            }
        }
    }
    found
}

async fn all(tx: &mut Transaction<'static, Any>, provider: IdpId) -> Result<BTreeSet<Held>, StoreError> {
    let rows = sqlx::query(ALL)
        .bind(provider.to_string())
        .fetch_all(&mut **tx)
        .await?;
    rows.iter()
        .map(|row| held(&Cells::new(row, "directory_members", "group_object")))
        .collect()
}

fn held(cells: &Cells<'_>) -> Result<Held, StoreError> {
    Ok((cells.parsed("group_object")?, cells.parsed("member")?))
}

/// Pairs as a list of rows.
fn texts(pairs: &[Held]) -> Vec<(String, String)> {
    let text = |(group, member): &Held| (group.to_string(), member.to_string());
    pairs.iter().map(text).collect()
}

/// Objects as a list of rows.
fn objects(objects: &BTreeSet<ObjectId>) -> Vec<(String,)> {
    objects.iter().map(|object| (object.to_string(),)).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::plans;
    use super::*;

    fn objects(numbers: &[u128]) -> BTreeSet<ObjectId> {
        numbers
            .iter()
            .map(|number| ObjectId(Uuid::from_u128(*number)))
            .collect()
    }

    #[test]
    fn groups_are_followed_up_and_down_and_round_in_a_ring() {
        let object = |number| ObjectId(Uuid::from_u128(number));
        let pairs = [(1, 2), (2, 3), (3, 1), (4, 3), (5, 6)];
        let pairs = pairs.map(|(group, member)| (object(group), object(member)));
        let nesting = Nesting::of(&BTreeSet::from(pairs));
        assert_eq!(nesting.above(&objects(&[3])), objects(&[1, 2, 3, 4]));
        assert_eq!(nesting.below(&objects(&[4])), objects(&[1, 2, 3, 4]));
        assert_eq!(nesting.above(&objects(&[5])), objects(&[5]));
        assert_eq!(nesting.above(&objects(&[6, 7])), objects(&[5, 6, 7]));
    }
    #[tokio::test]
    async fn whoever_is_in_a_group_is_found_by_an_index() {
        plans::take_an_index(&[
            SIGNED_IN_MEMBERS.sqlite,
            DIRECT.sqlite,
            NAMES.sqlite,
            TAKEN.sqlite,
        ])
        .await;
        plans::take_an_index(&[ADD.sqlite, REMOVE.sqlite]).await;
    }
}
