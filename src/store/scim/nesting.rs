//! Groups within groups, where a directory tells of them: who is in a group is in all that hold it. A change of that
//! changes the groups of people who moved nowhere.
//!
//! SCIM tells nothing of nesting. Whoever reads a directory by Graph is told of it, and keeps it here, with members that
//! nobody has been told of yet.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Any, Transaction};

use super::super::row::Cells;
use super::super::{Store, StoreError, bounded};
use super::effects::{Consequences, Plan, ScimRules};
use super::users::groups_of;
use crate::model::identity::Group;
use crate::model::ids::{IdpId, ObjectId, ScimGroupId, ScimUserId, UserId};
use crate::model::scim::GroupChange;

/// A group, and a member of it that is no known person.
pub type Held = (ObjectId, ObjectId);

const ALL: &str =
    "SELECT group_object, member FROM directory_members WHERE provider = $1 ORDER BY group_object, member";
const ADD: &str = "INSERT INTO directory_members (provider, group_object, member) VALUES ($1, $2, $3) \
     ON CONFLICT (provider, group_object, member) DO NOTHING";
const REMOVE: &str =
    "DELETE FROM directory_members WHERE provider = $1 AND group_object = $2 AND member = $3";
const WAITING: &str = "SELECT m.group_object AS group_object, m.member AS member, u.id AS id FROM directory_members m \
     JOIN scim_users u ON u.provider = m.provider AND u.object = m.member WHERE m.provider = $1";
const GROUP: &str = "SELECT id, display_name FROM scim_groups WHERE provider = $1 AND object = $2";
const SIGNED_IN_MEMBERS: &str = "SELECT DISTINCT u.id AS id, u.user_id AS user_id FROM sessions s \
     JOIN scim_users u ON u.user_id = s.user_id \
     JOIN scim_members m ON m.scim_user = u.id AND m.scim_group = $1 \
     WHERE s.ended_ms IS NULL AND s.expires_ms > $2";

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
        rules: &ScimRules,
    ) -> Result<Consequences, StoreError> {
        self.very_patiently(|| async {
            let mut tx = self.begin_brief().await?;
            let before = Nesting::of(all(&mut tx, provider).await?);
            for (sql, changed) in [(ADD, comes), (REMOVE, goes)] {
                for (group, member) in changed {
                    sqlx::query(sql)
                        .bind(provider.to_string())
                        .bind(group.to_string())
                        .bind(member.to_string())
                        .execute(&mut *tx)
                        .await?;
                }
            }
            let after = Nesting::of(all(&mut tx, provider).await?);
            let moved: BTreeSet<ObjectId> = comes.iter().chain(goes).map(|(_, member)| *member).collect();
            let mut within = before.below(&moved);
            within.extend(after.below(&moved));
            self.take_inherited(&mut tx, provider, (&before, &after), &before.below(&moved))
                .await?;
            let mut plan = Plan::default();
            let mut names = HashMap::new();
            for (person, user) in self.signed_in_within(&mut tx, provider, &within).await? {
                let direct = groups_of(&mut tx, person).await?;
                let direct: BTreeSet<ObjectId> = direct.into_iter().map(|group| group.id).collect();
                let (was, is) = (before.above(&direct), after.above(&direct));
                let mut change = GroupChange {
                    added: Vec::new(),
                    removed: was.difference(&is).copied().collect(),
                };
                for object in is.difference(&was) {
                    change
                        .added
                        .push(named(&mut tx, provider, *object, &mut names).await?);
                }
                if !change.is_empty() {
                    plan.moved.insert(user);
                    plan.groups.insert(user, change);
                }
            }
            let (consequences, told) = self.follow(&mut tx, rules, plan, &|_| {}, None).await?;
            self.commit_scim(tx, told).await?;
            Ok(consequences)
        })
        .await
    }

    /// Writes down what members of these groups inherit no longer, for sign-ins that are under way.
    async fn take_inherited(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        (before, after): (&Nesting, &Nesting),
        groups: &BTreeSet<ObjectId>,
    ) -> Result<(), StoreError> {
        for object in groups {
            let own = BTreeSet::from([*object]);
            let (was, is) = (before.above(&own), after.above(&own));
            let mut lost = was.difference(&is).peekable();
            if lost.peek().is_none() {
                continue;
            }
            let Some((id, _)) = group(tx, provider, *object).await? else {
                continue;
            };
            for inherited in lost {
                self.take_from_all(tx, provider, id, *inherited).await?;
            }
        }
        Ok(())
    }

    /// Who is signed in of those who are in these groups themselves.
    async fn signed_in_within(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<BTreeSet<(ScimUserId, UserId)>, StoreError> {
        let mut found = BTreeSet::new();
        for object in groups {
            let Some((group, _)) = group(tx, provider, *object).await? else {
                continue;
            };
            let rows = sqlx::query(SIGNED_IN_MEMBERS)
                .bind(group.to_string())
                .bind(self.now_ms())
                .fetch_all(&mut **tx)
                .await?;
            for row in &rows {
                let cells = Cells::new(row, "scim_users", "id");
                found.insert((cells.parsed("id")?, cells.parsed("user_id")?));
            }
        }
        Ok(found)
    }
}

/// What holds what.
struct Nesting {
    holders: HashMap<ObjectId, Vec<ObjectId>>,
    held: HashMap<ObjectId, Vec<ObjectId>>,
}

impl Nesting {
    fn of(pairs: Vec<Held>) -> Self {
        let mut nesting = Self {
            holders: HashMap::new(),
            held: HashMap::new(),
        };
        for (group, member) in pairs {
            nesting.holders.entry(member).or_default().push(group);
            nesting.held.entry(group).or_default().push(member);
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

async fn all(tx: &mut Transaction<'static, Any>, provider: IdpId) -> Result<Vec<Held>, StoreError> {
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

async fn group(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    object: ObjectId,
) -> Result<Option<(ScimGroupId, String)>, StoreError> {
    let row = sqlx::query(GROUP)
        .bind(provider.to_string())
        .bind(object.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let read = |row| {
        let cells = Cells::new(&row, "scim_groups", "id");
        Ok((cells.parsed("id")?, cells.text("display_name")?))
    };
    row.map(read).transpose()
}

/// A group with the name the directory gave it.
async fn named(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    object: ObjectId,
    names: &mut HashMap<ObjectId, Group>,
) -> Result<Group, StoreError> {
    if let Some(known) = names.get(&object) {
        return Ok(known.clone());
    }
    let found = group(tx, provider, object).await?;
    let group = Group {
        id: object,
        name: found.map(|(_, name)| name),
    };
    names.insert(object, group.clone());
    Ok(group)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

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
        let nesting = Nesting::of(
            pairs
                .iter()
                .map(|(group, member)| (object(*group), object(*member)))
                .collect(),
        );
        assert_eq!(nesting.above(&objects(&[3])), objects(&[1, 2, 3, 4]));
        assert_eq!(nesting.below(&objects(&[4])), objects(&[1, 2, 3, 4]));
        assert_eq!(nesting.above(&objects(&[5])), objects(&[5]));
        assert_eq!(nesting.above(&objects(&[6, 7])), objects(&[5, 6, 7]));
    }
}
