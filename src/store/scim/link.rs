//! Who of a directory is who of those that sign in, and what the directory says at a sign-in.

use sqlx::{Any, Transaction};

use super::super::row::Cells;
use super::super::users::readmit;
use super::super::{Store, StoreError, bounded};
use super::users::{object_of, unbury, update};
use super::{ScimUser, folded, scim_user};
use crate::model::identity::{Group, PersonKey};
use crate::model::ids::{IdpId, UserId};

/// What a sign-in asks of the directory's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimAtLogin {
    /// Whoever is inactive or deleted is refused.
    pub stays_out: bool,
    /// Such a person is active again by signing in.
    pub reactivates: bool,
    /// The address that may link the person to one of the directory, once: a member's, which rules may rely on.
    pub email: Option<String>,
}

const OWN: &str = "SELECT id FROM users WHERE provider = $1 AND tenant = $2 AND object = $3";
/// Takes the row's lock: what the directory says at the same time waits, or was first.
const BY_OBJECT: &str = "UPDATE scim_users SET user_id = $1 WHERE provider = $2 AND object = $3 \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
const BY_LINK: &str = "UPDATE scim_users SET user_id = user_id WHERE provider = $1 AND user_id = $2 \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
const BY_ID: &str = "UPDATE scim_users SET user_id = $1 WHERE id = $2 AND user_id IS NULL \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
/// Two are enough to know that it is not one.
const WITH_ADDRESS: &str = "SELECT id FROM scim_users WHERE user_id IS NULL AND object IS NULL \
     AND id IN (SELECT id FROM scim_users WHERE provider = $1 AND user_name = $2 \
     UNION SELECT scim_user FROM scim_emails WHERE email = $2 AND provider = $1) LIMIT 2";
const TOMBSTONE: &str = "SELECT at_ms FROM scim_tombstones WHERE provider = $1 AND object = $2";
/// A user is one person of the directory: the one whose object it is.
const UNLINK_OTHERS: &str =
    "UPDATE scim_users SET user_id = NULL WHERE provider = $1 AND user_id = $2 AND id <> $3";
const SET_LINK: &str = "UPDATE scim_users SET user_id = $1 WHERE id = $2";
const WITH_OBJECT: &str =
    "SELECT id FROM users WHERE provider = $1 AND object = $2 ORDER BY last_login_ms DESC LIMIT 1";
const CANDIDATES: &str = "SELECT id FROM users WHERE provider = $1 AND email = $2 AND linkable = 1 \
     AND deprovisioned = 0 AND NOT EXISTS (SELECT 1 FROM scim_users u WHERE u.user_id = users.id) LIMIT 2";
const GROUPS_OF_PERSON: &str = "SELECT DISTINCT g.object AS object, g.display_name AS display_name FROM scim_users u \
     JOIN scim_members m ON m.scim_user = u.id JOIN scim_groups g ON g.id = m.scim_group \
     WHERE u.provider = $1 AND g.object IS NOT NULL AND (u.object = $2 OR u.user_id IN \
     (SELECT id FROM users WHERE provider = $1 AND tenant = $3 AND object = $2))";

impl Store {
    /// The groups of Entra that the directory told a person is in, whether the person has signed in before or not.
    pub async fn scim_groups_of(&self, provider: IdpId, person: PersonKey) -> Result<Vec<Group>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(GROUPS_OF_PERSON)
                .bind(provider.to_string())
                .bind(person.object.to_string())
                .bind(person.tenant.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let group = |row| {
                let cells = Cells::new(row, "scim_groups", "object");
                Ok(Group {
                    id: cells.parsed("object")?,
                    name: Some(cells.text("display_name")?),
                })
            };
            rows.iter().map(group).collect()
        })
        .await
    }

    /// What the directory says of a person who signs in: whether the login goes on. The user's row must stand.
    pub(in super::super) async fn directory_admits(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        person: PersonKey,
        asks: &ScimAtLogin,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(OWN)
            .bind(provider.to_string())
            .bind(person.tenant.to_string())
            .bind(person.object.to_string())
            .fetch_one(&mut **tx)
            .await?;
        let user: UserId = Cells::new(&row, "users", "id").parsed("id")?;
        let told = find(tx, provider, person, user, asks).await?;
        let is_out = match &told {
            Some(told) => !told.record.is_active(),
            None => is_buried(tx, provider, person).await?,
        };
        if told.is_none() && !is_out {
            return Ok(true); // the directory has never told of this person
        }
        if is_out && asks.stays_out && !asks.reactivates {
            return Ok(false);
        }
        if is_out
            && asks.reactivates
            && let Some(mut told) = told
        {
            told.record.0.insert("active".to_owned(), true.into());
            told.updated_ms = self.now_ms();
            update(tx, &told).await?;
        }
        if !is_out || asks.reactivates {
            unbury(tx, provider, person.object).await?;
        }
        readmit(tx, user).await?;
        Ok(true)
    }

    /// Links a person of a directory to the user who is the same, and gives who that is.
    pub(super) async fn link(
        &self,
        tx: &mut Transaction<'static, Any>,
        told: &ScimUser,
    ) -> Result<Option<UserId>, StoreError> {
        let object = told.record.object();
        if let Some(linked) = told.user {
            let of_linked = object_of(tx, linked).await?;
            if object.is_none() || object == of_linked {
                return Ok(Some(linked));
            }
        }
        let found = match object {
            Some(object) => {
                let row = sqlx::query(WITH_OBJECT)
                    .bind(told.provider.to_string())
                    .bind(object.to_string())
                    .fetch_optional(&mut **tx)
                    .await?;
                let id = |row| Cells::new(&row, "users", "id").parsed("id");
                row.map(id).transpose()?
            }
            None => by_address(tx, told).await?,
        };
        if found != told.user {
            sqlx::query(SET_LINK)
                .bind(found.map(|user| user.to_string()))
                .bind(told.id.to_string())
                .execute(&mut **tx)
                .await?;
        }
        if let Some(user) = found {
            unlink_others(tx, told, user).await?;
        }
        Ok(found)
    }
}

async fn unlink_others(
    tx: &mut Transaction<'static, Any>,
    told: &ScimUser,
    user: UserId,
) -> Result<(), StoreError> {
    sqlx::query(UNLINK_OTHERS)
        .bind(told.provider.to_string())
        .bind(user.to_string())
        .bind(told.id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The person of the directory who signs in, locked.
async fn find(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    person: PersonKey,
    user: UserId,
    asks: &ScimAtLogin,
) -> Result<Option<ScimUser>, StoreError> {
    let by_object = sqlx::query(BY_OBJECT)
        .bind(user.to_string())
        .bind(provider.to_string())
        .bind(person.object.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = by_object {
        let told = scim_user(&row)?;
        unlink_others(tx, &told, user).await?;
        return Ok(Some(told));
    }
    let by_link = sqlx::query(BY_LINK)
        .bind(provider.to_string())
        .bind(user.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = by_link {
        return scim_user(&row).map(Some);
    }
    let Some(email) = &asks.email else {
        return Ok(None);
    };
    let candidates = sqlx::query(WITH_ADDRESS)
        .bind(provider.to_string())
        .bind(folded(email))
        .fetch_all(&mut **tx)
        .await?;
    let [only] = candidates.as_slice() else {
        return Ok(None);
    };
    let row = sqlx::query(BY_ID)
        .bind(user.to_string())
        .bind(Cells::new(only, "scim_users", "id").text("id")?)
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(scim_user).transpose()
}

/// The one user whose address it is, by name or by any address.
async fn by_address(
    tx: &mut Transaction<'static, Any>,
    told: &ScimUser,
) -> Result<Option<UserId>, StoreError> {
    let mut found: Vec<UserId> = Vec::new();
    let addresses = std::iter::once(told.record.user_name()).chain(told.record.emails());
    for address in addresses.filter(|address| !address.contains('\0')) {
        let rows = sqlx::query(CANDIDATES)
            .bind(told.provider.to_string())
            .bind(folded(address))
            .fetch_all(&mut **tx)
            .await?;
        for row in &rows {
            let user = Cells::new(row, "users", "id").parsed("id")?;
            if !found.contains(&user) {
                found.push(user);
            }
        }
    }
    Ok(match found.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}

async fn is_buried(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    person: PersonKey,
) -> Result<bool, StoreError> {
    let row = sqlx::query(TOMBSTONE)
        .bind(provider.to_string())
        .bind(person.object.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.is_some())
}
