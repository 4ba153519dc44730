//! Groups of directories, and who is in them: each membership is a row of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::super::many::{AT_ONCE, OfMany, of_many};
use super::super::row::Cells;
use super::super::{AmendedSession, Store, StoreError, bounded};
use super::effects::{Consequences, Plan, ScimRules};
use super::telling::Telling;
use super::{Kept as _, ScimGroup, folded};
use crate::model::identity::Identity;
use crate::model::ids::{IdpId, ScimGroupId, ScimUserId, UserId};
use crate::model::scim::{GroupChange, GroupRecord, IdentityUpdate};

/// What becomes of a group's members. People whom the directory has not told of are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// These come.
    Add(Vec<ScimUserId>),
    /// These go.
    Remove(Vec<ScimUserId>),
    /// These are all there are.
    Replace(Vec<ScimUserId>),
}

/// What became of a group of a directory.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupWritten {
    /// The group as it is now; of a deleted one, as it was.
    pub group: ScimGroup,
    /// Who came.
    pub added: Vec<ScimUserId>,
    /// Who went; of a deleted group they are not told.
    pub removed: Vec<ScimUserId>,
    /// What followed.
    pub consequences: Consequences,
    /// Whether so many members are signed in that their sessions have the former name still
    /// ([`Store::rename_in_sessions`]).
    pub renames_on: bool,
}

const INSERT: &str = "INSERT INTO scim_groups \
     (id, provider, name_key, display_name, external_id, object, created_ms, updated_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
const LOCK: &str = "UPDATE scim_groups SET updated_ms = updated_ms WHERE provider = $1 AND id = $2 \
     RETURNING id, provider, display_name, external_id, created_ms, updated_ms";
const UPDATE: &str = "UPDATE scim_groups SET name_key = $1, display_name = $2, external_id = $3, object = $4, \
     updated_ms = $5 WHERE id = $6";
const DELETE: &str = "DELETE FROM scim_groups WHERE id = $1";
const WITH_NAME: &str = "SELECT id FROM scim_groups WHERE provider = $1 AND name_key = $2 AND id <> $3";
const WITH_OBJECT: &str = "SELECT id FROM scim_groups WHERE provider = $1 AND object = $2 AND id <> $3";
/// SQLite takes the order of `CROSS JOIN` as it is written; it would look at everybody of the provider.
const ADD_MEMBERS: OfMany = of_many!(
    "INSERT INTO scim_members (scim_group, scim_user) SELECT given.scim_group, u.id \
     FROM (SELECT value ->> 0 AS scim_group, value ->> 1 AS id FROM ",
    LIST,
    ") AS given CROSS JOIN scim_users u WHERE u.id = given.id AND u.provider = $2 \
     ON CONFLICT (scim_group, scim_user) DO NOTHING RETURNING scim_user"
);
/// The group stands in each row: told of one group, PostgreSQL would read all of its members, as it thinks they are few.
const REMOVE_MEMBERS: OfMany = of_many!(
    "DELETE FROM scim_members WHERE (scim_group, scim_user) IN (SELECT value ->> 0, value ->> 1 FROM ",
    LIST,
    ") RETURNING scim_user"
);
/// From people to their sessions, in SQLite too, which takes the order of `CROSS JOIN` as it is written.
const OUTSIDE: OfMany = of_many!(
    "SELECT u.id AS id, s.identity AS identity FROM (SELECT value ->> 0 AS id FROM ",
    LIST,
    ") AS given CROSS JOIN scim_users u CROSS JOIN sessions s WHERE u.id = given.id AND u.user_id IS NOT NULL \
     AND s.user_id = u.user_id AND s.ended_ms IS NULL AND s.expires_ms > $3 \
     AND NOT EXISTS (SELECT 1 FROM scim_members m WHERE m.scim_group = $2 AND m.scim_user = u.id)"
);
const MEMBERS: &str = "SELECT scim_user FROM scim_members WHERE scim_group = $1";
const SOME_MEMBERS: &str =
    "SELECT scim_user FROM scim_members WHERE scim_group = $1 ORDER BY scim_user LIMIT $2";
const EMPTY: &str = "DELETE FROM scim_members WHERE scim_group = $1";

/// Stands between a name and an object; no name has a control character that Graph told.
const BETWEEN: char = '\u{1f}';

/// A group as it is to be, and what becomes of its members.
pub(super) type Regrouped = (GroupRecord, Vec<Membership>);

impl Store {
    /// Keeps a new group of a directory.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the attribute that another one has already.
    pub async fn insert_scim_group(
        &self,
        provider: IdpId,
        record: &GroupRecord,
        members: &[ScimUserId],
        telling: &dyn Telling,
    ) -> Result<GroupWritten, StoreError> {
        self.very_patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            let now_ms = self.now_ms();
            let group = ScimGroup {
                id: ScimGroupId(Uuid::new_v4()),
                provider,
                record: record.clone(),
                created_ms: now_ms,
                updated_ms: now_ms,
            };
            let key = free_key(&mut tx, &group, &rules).await?;
            insert(&mut tx, &group, key).await?;
            let mut moves = Moves::default();
            moves.add(self, &mut tx, &group, members).await?;
            let was = group.record.clone();
            self.settle(tx, ("POST", group), &was, moves, &rules).await
        })
        .await
    }

    /// Changes a group of a directory and its members, all of it or nothing; `None` where there is none of this id.
    /// `change` may be called several times; what it refuses is not written.
    ///
    /// # Errors
    /// As [`Store::insert_scim_group`].
    pub async fn update_scim_group<E>(
        &self,
        provider: IdpId,
        id: ScimGroupId,
        change: &(dyn Fn(&GroupRecord) -> Result<Regrouped, E> + Sync),
        telling: &dyn Telling,
    ) -> Result<Option<Result<GroupWritten, E>>, StoreError> {
        self.very_patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            let Some(before) = lock(&mut tx, provider, id).await? else {
                return Ok(None);
            };
            let (record, memberships) = match change(&before.record) {
                Ok(changed) => changed,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            let mut group = ScimGroup {
                record,
                ..before.clone()
            };
            if group.record != before.record {
                group.updated_ms = self.now_ms();
                let key = free_key(&mut tx, &group, &rules).await?;
                update(&mut tx, &group, key).await?;
            }
            let mut moves = Moves::default();
            for membership in &memberships {
                moves.make(self, &mut tx, &group, membership).await?;
            }
            let written = self
                .settle(tx, ("PATCH", group), &before.record, moves, &rules)
                .await?;
            Ok(Some(Ok(written)))
        })
        .await
    }

    /// Of these people, those who are not in a group as far as its directory has told, each with the identity under each
    /// of their live sessions; nobody who has none.
    pub async fn signed_in_outside(
        &self,
        group: ScimGroupId,
        people: &[ScimUserId],
    ) -> Result<Vec<(ScimUserId, Identity)>, StoreError> {
        let mut outside = Vec::new();
        for people in people.chunks(AT_ONCE) {
            let list: Vec<_> = people.iter().map(|person| (person.to_string(),)).collect();
            let some = bounded(async {
                let mut connection = self.reader().await?;
                let rows = self
                    .of_many(&OUTSIDE, &list)?
                    .bind(group.to_string())
                    .bind(self.now_ms())
                    .fetch_all(&mut *connection)
                    .await?;
                let read = |row| {
                    let cells = Cells::new(row, "sessions", "id");
                    Ok((cells.parsed("id")?, cells.json("identity")?))
                };
                rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()
            });
            outside.extend(some.await?);
        }
        Ok(outside)
    }

    /// Takes some hundreds of members out of a group that is to be deleted and has more of them; what followed. `None`
    /// where there are no more, or there is no such group: then [`Store::delete_scim_group`] does the rest. In one
    /// transaction, a hundred thousand members would hold up every sign-in for as long as they take.
    pub async fn thin_scim_group(
        &self,
        provider: IdpId,
        id: ScimGroupId,
        telling: &dyn Telling,
    ) -> Result<Option<Consequences>, StoreError> {
        self.very_patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            let Some(group) = lock(&mut tx, provider, id).await? else {
                return Ok(None);
            };
            let rows = sqlx::query(SOME_MEMBERS)
                .bind(id.to_string())
                .bind(i64::try_from(AT_ONCE + 1).unwrap_or(i64::MAX))
                .fetch_all(&mut *tx)
                .await?;
            let mut people = members(&rows)?;
            if people.len() <= AT_ONCE {
                return Ok(None);
            }
            people.truncate(AT_ONCE);
            let mut moves = Moves::default();
            moves.remove(self, &mut tx, &group, &people).await?;
            let before = group.record.clone();
            let written = self.settle(tx, ("PATCH", group), &before, moves, &rules).await?;
            Ok(Some(written.consequences))
        })
        .await
    }

    /// Deletes a group of a directory; `None` where there is none of this id. Of a large one, members are taken out before
    /// ([`Store::thin_scim_group`]).
    pub async fn delete_scim_group(
        &self,
        provider: IdpId,
        id: ScimGroupId,
        telling: &dyn Telling,
    ) -> Result<Option<GroupWritten>, StoreError> {
        self.very_patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            let Some(group) = lock(&mut tx, provider, id).await? else {
                return Ok(None);
            };
            let mut plan = Plan::default();
            if let Some(object) = group.record.object() {
                self.take_from_all(&mut tx, provider, id, object).await?;
            }
            for user in self.signed_in_members(&mut tx, id).await? {
                plan.moved.insert(user);
                if let Some(object) = group.record.object() {
                    plan.groups.entry(user).or_default().removed.push(object);
                }
            }
            for sql in [EMPTY, DELETE] {
                sqlx::query(sql).bind(id.to_string()).execute(&mut *tx).await?;
            }
            let (consequences, told) = self.follow(&mut tx, &rules, plan, &|_| {}, None).await?;
            let written = GroupWritten {
                group,
                added: Vec::new(),
                removed: Vec::new(),
                consequences,
                renames_on: false,
            };
            self.note_group(&mut tx, &rules, "DELETE", &written).await?;
            self.commit_scim(tx, told).await?;
            Ok(Some(written))
        })
        .await
    }

    /// Works out what follows from a group that was made or changed, does it, and commits. `before` is what its members
    /// held until now: it may be called otherwise now, or be another group of Entra.
    async fn settle(
        &self,
        mut tx: Transaction<'static, Any>,
        (method, group): (&'static str, ScimGroup),
        before: &GroupRecord,
        moves: Moves,
        rules: &ScimRules<'_>,
    ) -> Result<GroupWritten, StoreError> {
        let (added, removed) = moves.net();
        let (was, is_now) = (before.group(), group.record.group());
        let was = was.as_ref();
        let mut plan = Plan::default();
        let mut renames_on = false;
        match (&is_now, was) {
            (Some(now), Some(old)) if now.id == old.id => {
                let automatic = rules.identity_update == IdentityUpdate::Automatic;
                if now != old && automatic {
                    let members = self.some_signed_in_members(&mut tx, group.id, None).await?;
                    renames_on = members.len() == AT_ONCE;
                    if !renames_on {
                        let users = members.into_iter().map(|(_, user)| user).collect();
                        plan.renamed = Some((now.clone(), users));
                    }
                }
            }
            (None, None) => {}
            // It was, or comes to be, another group of Entra.
            _ => {
                if let Some(old) = was {
                    self.take_from_all(&mut tx, group.provider, group.id, old.id)
                        .await?;
                }
                for user in self.signed_in_members(&mut tx, group.id).await? {
                    let change = GroupChange {
                        added: is_now.iter().cloned().collect(),
                        removed: was.iter().map(|old| old.id).collect(),
                    };
                    plan.groups.insert(user, change);
                }
            }
        }
        let gone: BTreeSet<_> = is_now.iter().chain(was).map(|group| group.id).collect();
        self.take_groups(&mut tx, group.provider, &removed, &gone).await?;
        let left = self.users_behind(&mut tx, &removed, true).await?;
        let came = self.users_behind(&mut tx, &added, false).await?;
        for user in added.iter().filter_map(|person| came.get(person)) {
            plan.moved.insert(*user);
            if let Some(now) = &is_now {
                let change = plan.groups.entry(*user).or_default();
                change.added = vec![now.clone()];
            }
        }
        for user in removed.iter().filter_map(|person| left.get(person)) {
            plan.moved.insert(*user);
            if !gone.is_empty() {
                plan.groups.entry(*user).or_default().removed.extend(&gone);
            }
        }
        let (consequences, told) = self.follow(&mut tx, rules, plan, &|_| {}, None).await?;
        let is_same = method == "PATCH" && group.record == *before && added.is_empty() && removed.is_empty();
        let written = GroupWritten {
            group,
            added,
            removed,
            consequences,
            renames_on,
        };
        if !is_same {
            self.note_group(&mut tx, rules, method, &written).await?;
        }
        self.commit_scim(tx, told).await?;
        Ok(written)
    }

    /// Puts the name that a group has by now under the sessions of some hundreds of its members, behind the one where that
    /// stopped last; the last of them, and the sessions. `None` where there are no more, or there is no such group.
    ///
    /// A name is a label, by which nothing is decided: it may take its time, where in one transaction it would hold up
    /// every sign-in.
    pub async fn rename_in_sessions(
        &self,
        provider: IdpId,
        id: ScimGroupId,
        behind: Option<ScimUserId>,
    ) -> Result<Option<(ScimUserId, Vec<AmendedSession>)>, StoreError> {
        self.patiently(|| async {
            let mut tx = self.begin_brief().await?;
            let Some(group) = lock(&mut tx, provider, id).await? else {
                return Ok(None);
            };
            let members = self.some_signed_in_members(&mut tx, id, behind).await?;
            let (Some(named), Some((last, _))) = (group.record.group(), members.last()) else {
                return Ok(None);
            };
            let users: Vec<UserId> = members.iter().map(|(_, user)| *user).collect();
            let amended = self.rename_for(&mut tx, &users, &named).await?;
            self.tell_amended(&mut tx, &amended).await?;
            self.commit_scim(tx, !amended.is_empty()).await?;
            Ok(Some((*last, amended)))
        })
        .await
    }
}

/// Who came and who went so far, each with whether they were in at the beginning and are now.
#[derive(Debug, Default)]
struct Moves(HashMap<ScimUserId, (bool, bool)>);

impl Moves {
    async fn make(
        &mut self,
        store: &Store,
        tx: &mut Transaction<'static, Any>,
        group: &ScimGroup,
        membership: &Membership,
    ) -> Result<(), StoreError> {
        match membership {
            Membership::Add(people) => self.add(store, tx, group, people).await,
            Membership::Remove(people) => self.remove(store, tx, group, people).await,
            Membership::Replace(people) => self.replace(store, tx, group, people).await,
        }
    }

    async fn add(
        &mut self,
        store: &Store,
        tx: &mut Transaction<'static, Any>,
        group: &ScimGroup,
        people: &[ScimUserId],
    ) -> Result<(), StoreError> {
        for people in people.chunks(AT_ONCE) {
            let rows = store
                .of_many(&ADD_MEMBERS, &listed(group.id, people))?
                .bind(group.provider.to_string())
                .fetch_all(&mut **tx)
                .await?;
            for person in members(&rows)? {
                self.0.entry(person).or_insert((false, true)).1 = true;
            }
        }
        Ok(())
    }

    async fn remove(
        &mut self,
        store: &Store,
        tx: &mut Transaction<'static, Any>,
        group: &ScimGroup,
        people: &[ScimUserId],
    ) -> Result<(), StoreError> {
        for people in people.chunks(AT_ONCE) {
            let rows = store
                .of_many(&REMOVE_MEMBERS, &listed(group.id, people))?
                .fetch_all(&mut **tx)
                .await?;
            for person in members(&rows)? {
                self.0.entry(person).or_insert((true, false)).1 = false;
            }
        }
        Ok(())
    }

    async fn replace(
        &mut self,
        store: &Store,
        tx: &mut Transaction<'static, Any>,
        group: &ScimGroup,
        people: &[ScimUserId],
    ) -> Result<(), StoreError> {
        let rows = sqlx::query(MEMBERS)
            .bind(group.id.to_string())
            .fetch_all(&mut **tx)
            .await?;
        let present: BTreeSet<ScimUserId> = members(&rows)?.into_iter().collect();
        let wanted: BTreeSet<ScimUserId> = people.iter().copied().collect();
        if wanted.is_empty() {
            sqlx::query(EMPTY)
                .bind(group.id.to_string())
                .execute(&mut **tx)
                .await?;
            for person in present {
                self.0.entry(person).or_insert((true, false)).1 = false;
            }
            return Ok(());
        }
        let gone: Vec<ScimUserId> = present.difference(&wanted).copied().collect();
        let come: Vec<ScimUserId> = wanted.difference(&present).copied().collect();
        self.remove(store, tx, group, &gone).await?;
        self.add(store, tx, group, &come).await
    }

    /// Who is in and was not, and who was and is not, in the order of their ids.
    fn net(self) -> (Vec<ScimUserId>, Vec<ScimUserId>) {
        let moved: BTreeMap<_, _> = self.0.into_iter().collect();
        let of = |wanted: (bool, bool)| {
            let some = moved.iter().filter(move |(_, moved)| **moved == wanted);
            some.map(|(person, _)| *person).collect()
        };
        (of((false, true)), of((true, false)))
    }
}

fn listed(group: ScimGroupId, people: &[ScimUserId]) -> Vec<(String, String)> {
    let membership = |person: &ScimUserId| (group.to_string(), person.to_string());
    people.iter().map(membership).collect()
}

fn members(rows: &[AnyRow]) -> Result<Vec<ScimUserId>, StoreError> {
    rows.iter()
        .map(|row| Cells::new(row, "scim_members", "scim_user").parsed("scim_user"))
        .collect()
}

async fn lock(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    id: ScimGroupId,
) -> Result<Option<ScimGroup>, StoreError> {
    let row = sqlx::query(LOCK)
        .bind(provider.to_string())
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(ScimGroup::read).transpose()
}

/// The name under which a group is found. Names the attribute that another group has already; two that come at once meet
/// at the table's own keys. Where names may repeat, the object behind it tells apart whoever comes later.
async fn free_key(
    tx: &mut Transaction<'static, Any>,
    group: &ScimGroup,
    rules: &ScimRules<'_>,
) -> Result<String, StoreError> {
    let mut key = folded(&group.record.display_name);
    let name = sqlx::query(WITH_NAME)
        .bind(group.provider.to_string())
        .bind(key.clone())
        .bind(group.id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if name.is_some() {
        let Some(object) = group.record.object().filter(|_| rules.names_repeat) else {
            return Err(StoreError::Conflict("displayName"));
        };
        key = format!("{key}{BETWEEN}{object}");
    }
    if let Some(object) = group.record.object() {
        let other = sqlx::query(WITH_OBJECT)
            .bind(group.provider.to_string())
            .bind(object.to_string())
            .bind(group.id.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        if other.is_some() {
            return Err(StoreError::Conflict("externalId"));
        }
    }
    Ok(key)
}

async fn insert(
    tx: &mut Transaction<'static, Any>,
    group: &ScimGroup,
    key: String,
) -> Result<(), StoreError> {
    sqlx::query(INSERT)
        .bind(group.id.to_string())
        .bind(group.provider.to_string())
        .bind(key)
        .bind(group.record.display_name.clone())
        .bind(group.record.external_id.clone())
        .bind(group.record.object().map(|object| object.to_string()))
        .bind(group.created_ms)
        .execute(&mut **tx)
        .await
        .map_err(|error| StoreError::or_conflict(error, "displayName or externalId"))?;
    Ok(())
}

async fn update(
    tx: &mut Transaction<'static, Any>,
    group: &ScimGroup,
    key: String,
) -> Result<(), StoreError> {
    sqlx::query(UPDATE)
        .bind(key)
        .bind(group.record.display_name.clone())
        .bind(group.record.external_id.clone())
        .bind(group.record.object().map(|object| object.to_string()))
        .bind(group.updated_ms)
        .bind(group.id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(|error| StoreError::or_conflict(error, "displayName or externalId"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::plans;
    use super::*;

    #[tokio::test]
    async fn members_come_and_go_without_a_look_at_everybody() {
        let statements = [
            ADD_MEMBERS.sqlite,
            REMOVE_MEMBERS.sqlite,
            OUTSIDE.sqlite,
            WITH_NAME,
            WITH_OBJECT,
            LOCK,
        ];
        plans::take_an_index(&statements).await;
    }
}
