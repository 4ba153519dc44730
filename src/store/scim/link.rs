//! Who of a directory is who of those that sign in.
//!
//! A link by object is certain and stands. One by address stands as long as nobody else comes to have the address: a
//! tenant gives it to one account at a time, so whoever signs in with it for the first time after the one linked was
//! last seen has it now. Somebody who was here before takes nothing from anybody. Whoever is inactive is the one who left:
//! nobody who gets the address is meant by what the directory says of them, until it calls them active again.
//!
//! Until a directory tells of a change, hours may pass in which it still tells of the one before. Where that can be seen
//! ([`still_means`]), who comes with the address is another person of whom it has told nothing yet, whom neither the
//! groups of the one before come to nor their deactivation or deletion. Where it cannot, it is taken to mean who has the
//! address: rather too many are put out than too few.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::super::row::Cells;
use super::super::{Store, StoreError, bounded};
use super::users::object_of;
use super::{Kept as _, ScimUser, folded};
use crate::model::identity::{Group, PersonKey};
use crate::model::ids::{IdpId, UserId};

/// Takes the row's lock: what the directory says at the same time waits, or was first.
const BY_OBJECT: &str = "UPDATE scim_users SET user_id = $1, by_address = 0 WHERE provider = $2 AND object = $3 \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
const BY_LINK: &str = "UPDATE scim_users SET user_id = user_id WHERE provider = $1 AND user_id = $2 \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
/// Nothing may have changed since it was found.
const BY_ID: &str = "UPDATE scim_users SET user_id = $1, by_address = 1 WHERE id = $2 AND object IS NULL \
     AND (user_id IS NULL OR (user_id = $3 AND by_address = 1 AND active = 1)) \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
/// Who is active comes first, then who is linked to nobody. Two are enough to know that it is not one. Whoever is
/// linked and inactive is the one who left; an active one is whoever has the address now. SQLite takes the order of
/// `CROSS JOIN` as it is written, here and below: it would look at everybody else whom nobody is linked to.
const WITH_ADDRESS: &str = "SELECT u.id AS id, u.provider AS provider, u.body AS body, u.user_id AS user_id, \
     u.created_ms AS created_ms, u.updated_ms AS updated_ms FROM \
     (SELECT id FROM scim_users WHERE provider = $1 AND user_name = $2 \
     UNION SELECT scim_user FROM scim_emails WHERE email = $2 AND provider = $1) AS named CROSS JOIN scim_users u \
     WHERE u.id = named.id AND u.object IS NULL AND (u.user_id IS NULL OR (u.by_address = 1 AND u.active = 1 \
     AND u.user_id IN (SELECT id FROM users WHERE provider = $1 AND email = $2 AND last_login_ms <= $3))) \
     ORDER BY u.active DESC, CASE WHEN u.user_id IS NULL THEN 0 ELSE 1 END, u.id LIMIT 2";
/// A user is one person of the directory: the one whose object it is.
const UNLINK_OTHERS: &str =
    "UPDATE scim_users SET user_id = NULL WHERE provider = $1 AND user_id = $2 AND id <> $3";
const SET_LINK: &str = "UPDATE scim_users SET user_id = $1, by_address = $2 WHERE id = $3";
const WITH_OBJECT: &str =
    "SELECT id FROM users WHERE provider = $1 AND object = $2 ORDER BY last_login_ms DESC LIMIT 1";
const CANDIDATES: &str = "SELECT id, created_ms, last_login_ms FROM users WHERE provider = $1 AND email = $2 \
     AND linkable = 1 AND deprovisioned = 0 AND NOT EXISTS (SELECT 1 FROM scim_users u WHERE u.user_id = users.id) \
     ORDER BY last_login_ms DESC, created_ms DESC LIMIT 2";
/// Whoever has the address now by which somebody else is linked, and what both signed in as.
const SUCCESSOR: &str = "SELECT b.id AS id, b.name AS name, a.name AS linked_name, a.last_login_ms AS linked_seen_ms \
     FROM scim_users s JOIN users a ON a.id = s.user_id \
     JOIN users b ON b.provider = a.provider AND b.email = a.email AND b.id <> a.id \
     WHERE s.id = $1 AND s.by_address = 1 AND b.linkable = 1 AND b.deprovisioned = 0 AND b.created_ms >= a.last_login_ms \
     AND NOT EXISTS (SELECT 1 FROM scim_users o WHERE o.user_id = b.id) AND (s.user_name = a.email \
     OR EXISTS (SELECT 1 FROM scim_emails e WHERE e.scim_user = s.id AND e.email = a.email)) \
     ORDER BY b.last_login_ms DESC LIMIT 1";
const SIGNED_IN_AS: &str = "SELECT name, last_login_ms FROM users WHERE id = $1";
const GROUPS_OF_PERSON: &str = "SELECT DISTINCT g.object AS object, g.display_name AS display_name FROM \
     (SELECT id FROM scim_users WHERE provider = $1 AND object = $2 UNION SELECT linked.id FROM users \
     JOIN scim_users linked ON linked.user_id = users.id WHERE users.provider = $1 AND users.tenant = $3 \
     AND users.object = $2 AND linked.provider = $1) AS told \
     CROSS JOIN scim_members m CROSS JOIN scim_groups g \
     WHERE m.scim_user = told.id AND g.id = m.scim_group AND g.object IS NOT NULL";

/// Somebody who signs in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arriving<'a> {
    pub(super) provider: IdpId,
    pub(super) person: PersonKey,
    pub(super) user: UserId,
    /// When they first came.
    pub(super) since_ms: i64,
    /// The address that may say which person of the directory it is.
    pub(super) email: Option<&'a str>,
    /// What the provider calls them.
    pub(super) name: Option<&'a str>,
}

/// What a directory says of a person, as far as it matters to whom it means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    /// They are there, or still are.
    First,
    /// They are no longer as they were.
    Changed(&'a ScimUser),
    /// They are there no more.
    Deleted,
}

/// Who of the directory somebody is.
#[derive(Debug)]
pub(super) enum Found {
    /// Nobody that it told of.
    Nobody,
    /// This one, locked and linked now.
    One {
        told: ScimUser,
        /// Who was it until now, and no longer has the address.
        instead_of: Option<UserId>,
    },
    /// One of several, and all of them are inactive.
    Inactive,
}

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

    /// Links a person of a directory to the user who is the same, and gives who that is.
    pub(super) async fn link(
        &self,
        tx: &mut Transaction<'static, Any>,
        told: &ScimUser,
        said: Said<'_>,
    ) -> Result<Option<UserId>, StoreError> {
        let object = told.record.object();
        let (before, leaves) = match said {
            Said::First => (told, false),
            Said::Changed(before) => (before, !told.record.is_active()),
            Said::Deleted => (told, true),
        };
        let found = match (told.user, object) {
            // Months may lie between deactivation and deletion, in which the address is given to somebody else.
            (Some(linked), None) if leaves && !before.record.is_active() => return Ok(Some(linked)),
            (Some(linked), None) => match successor(tx, told).await? {
                Some(next) if !(leaves && still_means(before, &next.instead_of, next.name.as_deref())) => {
                    Some(next.user)
                }
                Some(_) | None => return Ok(Some(linked)),
            },
            (Some(linked), Some(object)) if object_of(tx, linked).await? == Some(object) => Some(linked),
            (_, Some(object)) => {
                let row = sqlx::query(WITH_OBJECT)
                    .bind(told.provider.to_string())
                    .bind(object.to_string())
                    .fetch_optional(&mut **tx)
                    .await?;
                let id = |row| Cells::new(&row, "users", "id").parsed("id");
                row.map(id).transpose()?
            }
            (None, None) => by_address(tx, told).await?,
        };
        // By an object it is certain from now on, whatever it was by before.
        if found != told.user || (found.is_some() && object.is_some()) {
            sqlx::query(SET_LINK)
                .bind(found.map(|user| user.to_string()))
                .bind(i64::from(object.is_none()))
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

/// The person of the directory who signs in, locked and linked. The user's row must stand.
pub(super) async fn find(
    tx: &mut Transaction<'static, Any>,
    arriving: &Arriving<'_>,
) -> Result<Found, StoreError> {
    let (provider, user) = (arriving.provider, arriving.user);
    let by_object = sqlx::query(BY_OBJECT)
        .bind(user.to_string())
        .bind(provider.to_string())
        .bind(arriving.person.object.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = by_object {
        let told = ScimUser::read(&row)?;
        unlink_others(tx, &told, user).await?;
        return Ok(Found::of(told, None));
    }
    let by_link = sqlx::query(BY_LINK)
        .bind(provider.to_string())
        .bind(user.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = by_link {
        return Ok(Found::of(ScimUser::read(&row)?, None));
    }
    let Some(email) = arriving.email else {
        return Ok(Found::Nobody);
    };
    let rows = sqlx::query(WITH_ADDRESS)
        .bind(provider.to_string())
        .bind(folded(email))
        .bind(arriving.since_ms)
        .fetch_all(&mut **tx)
        .await?;
    let candidates: Vec<ScimUser> = rows.iter().map(ScimUser::read).collect::<Result<_, _>>()?;
    match candidates.as_slice() {
        [] => Ok(Found::Nobody),
        [one, other] if alike(one, other) => Ok(if one.record.is_active() {
            Found::Nobody
        } else {
            Found::Inactive
        }),
        [one, ..] => take(tx, one, arriving).await,
    }
}

/// Who somebody linked was when they signed in last.
#[derive(Debug)]
struct SignedInAs {
    name: Option<String>,
    at_ms: i64,
}

/// Whether what a directory says of a person can be seen to be about the one linked by an address, and not about another
/// one who has the address now and is called `name`: it calls the person what the one linked was called at a sign-in,
/// has said nothing else since that sign-in, and the other one is called otherwise. Had the directory come to mean the
/// other one, it would have told their name.
fn still_means(told: &ScimUser, linked: &SignedInAs, name: Option<&str>) -> bool {
    let called = told.record.display_name();
    called.is_some()
        && called == linked.name.as_deref()
        && told.updated_ms <= linked.at_ms
        && name.is_some_and(|name| Some(name) != called)
}

/// Whether nothing speaks for the one of two rather than for the other.
fn alike(one: &ScimUser, other: &ScimUser) -> bool {
    one.record.is_active() == other.record.is_active() && one.user.is_some() == other.user.is_some()
}

/// Links somebody who has the address of a person of the directory.
async fn take(
    tx: &mut Transaction<'static, Any>,
    candidate: &ScimUser,
    arriving: &Arriving<'_>,
) -> Result<Found, StoreError> {
    if let Some(linked) = candidate.user {
        let row = sqlx::query(SIGNED_IN_AS)
            .bind(linked.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        let linked = row.as_ref().map(|row| signed_in_as(row, "name", "last_login_ms"));
        if linked
            .transpose()?
            .is_some_and(|linked| still_means(candidate, &linked, arriving.name))
        {
            return Ok(Found::Nobody);
        }
    }
    let row = sqlx::query(BY_ID)
        .bind(arriving.user.to_string())
        .bind(candidate.id.to_string())
        .bind(candidate.user.map(|linked| linked.to_string()))
        .fetch_optional(&mut **tx)
        .await?;
    Ok(match row {
        Some(row) => Found::of(ScimUser::read(&row)?, candidate.user),
        None => Found::Nobody,
    })
}

impl Found {
    fn of(told: ScimUser, instead_of: Option<UserId>) -> Self {
        Self::One { told, instead_of }
    }
}

fn signed_in_as(row: &AnyRow, name: &'static str, at_ms: &'static str) -> Result<SignedInAs, StoreError> {
    let cells = Cells::new(row, "users", "id");
    Ok(SignedInAs {
        name: cells.maybe_text(name)?,
        at_ms: cells.int(at_ms)?,
    })
}

/// Somebody who has the address by which somebody else is linked.
struct Successor {
    user: UserId,
    name: Option<String>,
    instead_of: SignedInAs,
}

/// Whoever has the address now by which a person is linked to somebody else.
async fn successor(
    tx: &mut Transaction<'static, Any>,
    told: &ScimUser,
) -> Result<Option<Successor>, StoreError> {
    let row = sqlx::query(SUCCESSOR)
        .bind(told.id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let read = |row: AnyRow| {
        let cells = Cells::new(&row, "users", "id");
        Ok(Successor {
            user: cells.parsed("id")?,
            name: cells.maybe_text("name")?,
            instead_of: signed_in_as(&row, "linked_name", "linked_seen_ms")?,
        })
    };
    row.map(read).transpose()
}

/// The one user whose address it is, by name or by any address. Of several who had one, the last is meant if all others
/// were last seen before the first sign-in of that one.
async fn by_address(
    tx: &mut Transaction<'static, Any>,
    told: &ScimUser,
) -> Result<Option<UserId>, StoreError> {
    let mut found: Vec<UserId> = Vec::new();
    for address in told.addresses() {
        let rows = sqlx::query(CANDIDATES)
            .bind(told.provider.to_string())
            .bind(address)
            .fetch_all(&mut **tx)
            .await?;
        let mut since_ms = i64::MIN;
        for row in &rows {
            let cells = Cells::new(row, "users", "id");
            let (user, last_ms) = (cells.parsed("id")?, cells.int("last_login_ms")?);
            if last_ms > since_ms && !found.contains(&user) {
                found.push(user);
            }
            since_ms = cells.int("created_ms")?;
        }
    }
    Ok(match found.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plans;
    use super::*;

    #[tokio::test]
    async fn a_person_is_linked_without_a_look_at_everybody() {
        let at_login = [BY_OBJECT, BY_LINK, BY_ID, WITH_ADDRESS, GROUPS_OF_PERSON];
        plans::take_an_index(&at_login).await;
        plans::take_an_index(&[WITH_OBJECT, CANDIDATES, SUCCESSOR, UNLINK_OTHERS]).await;
    }
}
