//! People of directories: made, changed, deleted.

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::super::row::Cells;
use super::super::{Store, StoreError};
use super::buried::{bury, unbury, unbury_address};
use super::effects::{Consequences, Plan, ScimRules};
use super::link::Said;
use super::telling::Telling;
use super::{Kept as _, ScimUser, folded, former};
use crate::model::identity::{Group, Identity};
use crate::model::ids::{IdpId, ObjectId, ScimUserId, UserId};
use crate::model::scim::{self, GroupChange, UserRecord};

/// What became of a person of a directory.
#[derive(Debug, Clone, PartialEq)]
pub struct UserWritten {
    /// The person as they are now; of a deleted one, as they were.
    pub user: ScimUser,
    /// Whether anything is another now.
    pub changed: bool,
    /// What followed.
    pub consequences: Consequences,
}

const INSERT: &str = "INSERT INTO scim_users \
     (id, provider, user_name, external_id, object, active, user_id, body, created_ms, updated_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $8, $8)";
/// An update that changes nothing but takes the row's lock, in the one spelling both databases have.
const LOCK: &str = "UPDATE scim_users SET updated_ms = updated_ms WHERE provider = $1 AND id = $2 \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
const UPDATE: &str = "UPDATE scim_users SET user_name = $1, external_id = $2, object = $3, active = $4, body = $5, \
     updated_ms = $6 WHERE id = $7";
const DELETE: &str = "DELETE FROM scim_users WHERE id = $1";
const WITH_NAME: &str = "SELECT id FROM scim_users WHERE provider = $1 AND user_name = $2 AND id <> $3";
const WITH_OBJECT: &str = "SELECT id FROM scim_users WHERE provider = $1 AND object = $2 AND id <> $3";
const ADD_EMAIL: &str = "INSERT INTO scim_emails (email, provider, scim_user) VALUES ($1, $2, $3) \
     ON CONFLICT (email, provider, scim_user) DO NOTHING";
const FORGET_EMAILS: &str = "DELETE FROM scim_emails WHERE scim_user = $1";
const LEAVE_GROUPS: &str = "DELETE FROM scim_members WHERE scim_user = $1";
const GROUPS_OF: &str = "SELECT g.object AS object, g.display_name AS display_name FROM scim_members m \
     JOIN scim_groups g ON g.id = m.scim_group WHERE m.scim_user = $1 AND g.object IS NOT NULL";
const OBJECT_OF: &str = "SELECT object FROM users WHERE id = $1";
/// Who may sign in, or has something open.
const STILL_IN: &str = "SELECT id FROM users WHERE id = $1 AND (deprovisioned = 0 OR EXISTS \
     (SELECT 1 FROM sessions s WHERE s.user_id = users.id AND s.ended_ms IS NULL AND s.expires_ms > $2))";

impl Store {
    /// Keeps a new person of a directory.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the attribute that another one has already.
    pub async fn insert_scim_user(
        &self,
        provider: IdpId,
        record: &UserRecord,
        telling: &dyn Telling,
    ) -> Result<UserWritten, StoreError> {
        self.patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            if !record.is_active() {
                // A first login of this person may be under way, which nothing tells of yet.
                self.hold_logins(&mut tx).await?;
            }
            let now_ms = self.now_ms();
            let mut user = ScimUser {
                id: ScimUserId(Uuid::new_v4()),
                provider,
                record: record.clone(),
                user: None,
                former: Vec::new(),
                created_ms: now_ms,
                updated_ms: now_ms,
            };
            must_be_free(&mut tx, &user).await?;
            insert(&mut tx, &user).await?;
            user.user = self.link(&mut tx, &user, Said::First).await?;
            let mut plan = Plan::default();
            stand(&mut tx, &user, &mut plan).await?;
            let done = self.follow(&mut tx, &rules, plan, &|_| {}, None).await?;
            self.settle_person(tx, (&rules, "POST"), user, done).await
        })
        .await
    }

    /// Changes a person of a directory; `None` where there is none of this id. `change` may be called several times; what
    /// it refuses is not written.
    ///
    /// # Errors
    /// As [`Store::insert_scim_user`].
    pub async fn update_scim_user<E>(
        &self,
        provider: IdpId,
        id: ScimUserId,
        change: &(dyn Fn(&UserRecord) -> Result<UserRecord, E> + Sync),
        telling: &dyn Telling,
    ) -> Result<Option<Result<UserWritten, E>>, StoreError> {
        self.patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            let Some(before) = lock(&mut tx, provider, id).await? else {
                return Ok(None);
            };
            let record = match change(&before.record) {
                Ok(record) => record,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            if record == before.record {
                let written = self.assert_again(tx, before, &rules).await?;
                return Ok(Some(Ok(written)));
            }
            let written = self.write_user(tx, &before, record, &rules).await?;
            Ok(Some(Ok(written)))
        })
        .await
    }

    /// What a directory says again touches nothing, and nobody is told. But whoever it calls inactive and is still in goes:
    /// it may have said so before anything was to follow.
    async fn assert_again(
        &self,
        mut tx: Transaction<'static, Any>,
        before: ScimUser,
        rules: &ScimRules<'_>,
    ) -> Result<UserWritten, StoreError> {
        let mut user = before.clone();
        let mut plan = Plan::default();
        if rules.user_deprovision && !user.record.is_active() {
            user.user = self.link(&mut tx, &user, Said::Changed(&before)).await?;
            if let Some(linked) = user.user
                && self.is_still_in(&mut tx, linked).await?
            {
                plan.out.insert(linked);
            }
        }
        if plan.out.is_empty() {
            return Ok(UserWritten {
                user: before,
                changed: false,
                consequences: Consequences::default(),
            });
        }
        let done = self.follow(&mut tx, rules, plan, &|_| {}, None).await?;
        self.settle_person(tx, (rules, "PATCH"), user, done).await
    }

    async fn is_still_in(
        &self,
        tx: &mut Transaction<'static, Any>,
        user: UserId,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(STILL_IN)
            .bind(user.to_string())
            .bind(self.now_ms())
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.is_some())
    }

    async fn write_user(
        &self,
        mut tx: Transaction<'static, Any>,
        before: &ScimUser,
        record: UserRecord,
        rules: &ScimRules<'_>,
    ) -> Result<UserWritten, StoreError> {
        let mut user = ScimUser {
            record,
            updated_ms: self.now_ms(),
            ..before.clone()
        };
        must_be_free(&mut tx, &user).await?;
        let left = former::remember(&mut tx, before, &mut user).await?;
        update(&mut tx, &user).await?;
        user.user = self.link(&mut tx, &user, Said::Changed(before)).await?;
        let mut plan = Plan::default();
        plan.passed_on(before.user, &user);
        if user.user != before.user || user.record.is_active() != before.record.is_active() {
            stand(&mut tx, &user, &mut plan).await?;
        }
        self.keep_out(&mut tx, &user, &left, &mut plan).await?;
        let change = |identity: &mut Identity| {
            scim::update_identity(identity, &before.record, &user.record);
        };
        // Sessions are not written for what identities do not hold.
        let amended = user
            .user
            .filter(|_| concerns_identities(&before.record, &user.record));
        let done = self.follow(&mut tx, rules, plan, &change, amended).await?;
        self.settle_person(tx, (rules, "PATCH"), user, done).await
    }

    /// Ends a write of a person: what followed it ([`Store::follow`]) is written down and committed.
    async fn settle_person(
        &self,
        mut tx: Transaction<'static, Any>,
        (rules, method): (&ScimRules<'_>, &'static str),
        user: ScimUser,
        (consequences, told): (Consequences, bool),
    ) -> Result<UserWritten, StoreError> {
        let written = UserWritten {
            user,
            changed: true,
            consequences,
        };
        self.note_person(&mut tx, rules, method, &written).await?;
        self.commit_scim(tx, told).await?;
        Ok(written)
    }

    /// Deletes a person of a directory, who stays out until the directory tells of them anew; `None` where there is none
    /// of this id.
    pub async fn delete_scim_user(
        &self,
        provider: IdpId,
        id: ScimUserId,
        telling: &dyn Telling,
    ) -> Result<Option<UserWritten>, StoreError> {
        self.patiently(|| async {
            let (mut tx, rules) = self.begin_told(provider, telling).await?;
            let Some(mut user) = lock(&mut tx, provider, id).await? else {
                return Ok(None);
            };
            // Whoever signed in without being linked is out all the same.
            let before = user.user;
            user.user = self.link(&mut tx, &user, Said::Deleted).await?;
            let mut plan = Plan::default();
            plan.passed_on(before, &user);
            if let Some(linked) = user.user {
                plan.out.insert(linked);
                plan.moved.insert(linked);
                let removed = groups_of(&mut tx, id).await?;
                if !removed.is_empty() {
                    let removed = removed.into_iter().map(|group| group.id).collect();
                    plan.groups.insert(
                        linked,
                        GroupChange {
                            added: Vec::new(),
                            removed,
                        },
                    );
                }
            }
            for sql in [LEAVE_GROUPS, FORGET_EMAILS, DELETE] {
                sqlx::query(sql).bind(id.to_string()).execute(&mut *tx).await?;
            }
            let linked = match user.user {
                Some(linked) => object_of(&mut tx, linked).await?,
                None => None,
            };
            let objects: Vec<ObjectId> = user.record.object().into_iter().chain(linked).collect();
            bury(&mut tx, &user, &objects, self.now_ms()).await?;
            self.keep_out(&mut tx, &user, &user.former, &mut plan).await?;
            let done = self.follow(&mut tx, &rules, plan, &|_| {}, None).await?;
            let written = self.settle_person(tx, (&rules, "DELETE"), user, done).await?;
            Ok(Some(written))
        })
        .await
    }
}

/// What follows from how a person stands: whoever is active is dead to nobody.
async fn stand(
    tx: &mut Transaction<'static, Any>,
    user: &ScimUser,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    if !user.record.is_active() {
        plan.out.extend(user.user);
        return Ok(());
    }
    plan.readmitted.extend(user.user);
    let linked = match user.user {
        Some(linked) => object_of(tx, linked).await?,
        None => None,
    };
    for object in user.record.object().into_iter().chain(linked) {
        unbury(tx, user.provider, object).await?;
    }
    for address in user.addresses() {
        unbury_address(tx, user.provider, &address).await?;
    }
    Ok(())
}

fn concerns_identities(before: &UserRecord, after: &UserRecord) -> bool {
    let parts = |record: &UserRecord| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        (
            text(record.display_name()),
            text(record.name_part("givenName")),
            text(record.name_part("familyName")),
            text(record.work_email()),
            record.user_name().to_owned(),
        )
    };
    parts(before) != parts(after)
}

pub(super) async fn object_of(
    tx: &mut Transaction<'static, Any>,
    user: UserId,
) -> Result<Option<ObjectId>, StoreError> {
    let row = sqlx::query(OBJECT_OF)
        .bind(user.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| Cells::new(&row, "users", "object").parsed("object"))
        .transpose()
}

/// The groups of Entra that the directory says a person is in.
pub(super) async fn groups_of(
    tx: &mut Transaction<'static, Any>,
    id: ScimUserId,
) -> Result<Vec<Group>, StoreError> {
    let rows = sqlx::query(GROUPS_OF)
        .bind(id.to_string())
        .fetch_all(&mut **tx)
        .await?;
    let group = |row| {
        let cells = Cells::new(row, "scim_groups", "object");
        Ok(Group {
            id: cells.parsed("object")?,
            name: Some(cells.text("display_name")?),
        })
    };
    rows.iter().map(group).collect()
}

async fn lock(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    id: ScimUserId,
) -> Result<Option<ScimUser>, StoreError> {
    let row = sqlx::query(LOCK)
        .bind(provider.to_string())
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(ScimUser::read).transpose()
}

/// Names the attribute that another person has already. Two that come at once meet at the table's own keys.
async fn must_be_free(tx: &mut Transaction<'static, Any>, user: &ScimUser) -> Result<(), StoreError> {
    let name = sqlx::query(WITH_NAME)
        .bind(user.provider.to_string())
        .bind(folded(user.record.user_name()))
        .bind(user.id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if name.is_some() {
        return Err(StoreError::Conflict("userName"));
    }
    if let Some(object) = user.record.object() {
        let other = sqlx::query(WITH_OBJECT)
            .bind(user.provider.to_string())
            .bind(object.to_string())
            .bind(user.id.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        if other.is_some() {
            return Err(StoreError::Conflict("externalId"));
        }
    }
    Ok(())
}

fn body(user: &ScimUser) -> String {
    let mut body = user.record.0.clone();
    former::put_into(&mut body, &user.former);
    serde_json::Value::Object(body).to_string()
}

async fn insert(tx: &mut Transaction<'static, Any>, user: &ScimUser) -> Result<(), StoreError> {
    sqlx::query(INSERT)
        .bind(user.id.to_string())
        .bind(user.provider.to_string())
        .bind(folded(user.record.user_name()))
        .bind(user.record.external_id().map(str::to_owned))
        .bind(user.record.object().map(|object| object.to_string()))
        .bind(i64::from(user.record.is_active()))
        .bind(body(user))
        .bind(user.created_ms)
        .execute(&mut **tx)
        .await
        .map_err(|error| StoreError::or_conflict(error, "userName or externalId"))?;
    add_emails(tx, user).await
}

pub(super) async fn update(tx: &mut Transaction<'static, Any>, user: &ScimUser) -> Result<(), StoreError> {
    sqlx::query(UPDATE)
        .bind(folded(user.record.user_name()))
        .bind(user.record.external_id().map(str::to_owned))
        .bind(user.record.object().map(|object| object.to_string()))
        .bind(i64::from(user.record.is_active()))
        .bind(body(user))
        .bind(user.updated_ms)
        .bind(user.id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(|error| StoreError::or_conflict(error, "userName or externalId"))?;
    sqlx::query(FORGET_EMAILS)
        .bind(user.id.to_string())
        .execute(&mut **tx)
        .await?;
    add_emails(tx, user).await
}

async fn add_emails(tx: &mut Transaction<'static, Any>, user: &ScimUser) -> Result<(), StoreError> {
    for email in user.record.emails() {
        // What PostgreSQL cannot hold is no address that anybody looks for.
        if email.contains('\0') {
            continue;
        }
        sqlx::query(ADD_EMAIL)
            .bind(folded(email))
            .bind(user.provider.to_string())
            .bind(user.id.to_string())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}
