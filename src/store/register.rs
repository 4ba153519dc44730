//! The register of users: a page at a time, and taking somebody out of it.

use std::collections::HashMap;

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use super::row::{Cells, containing, maybe_storable, storable};
use super::sessions::session;
use super::users::{user, users};
use super::{SessionRow, Store, StoreError, User, bounded};
use crate::model::ids::UserId;

/// Which users are asked for; the default asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Those of exactly this name.
    pub name: Option<String>,
    /// Those whose last login gave exactly this address.
    pub email: Option<String>,
    /// Those with this in the name or the address, in whatever case.
    pub search: Option<String>,
}

/// A place in the register, by which work goes on where it stopped: when the user was made, and the id.
pub type UserPlace = (i64, String);

const ONE: &str = users!("WHERE id = $1 AND deleted = 0");
/// Several. Fewer ids are repeated: one text serves every number.
const SOME: &str = users!(
    "WHERE deleted = 0 AND id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20, $21, $22, $23, $24, $25)"
);
/// How many [`SOME`] asks for.
const AT_ONCE: usize = 25;
const ALL: &str = users!("WHERE deleted = 0 ORDER BY created_ms, id LIMIT $1 OFFSET $2");
const COUNT_ALL: &str = "SELECT COUNT(*) AS rows_counted FROM users WHERE deleted = 0";
/// With a statement of its own, so that the index of addresses serves it.
const OF_EMAIL: &str = users!(
    "WHERE email = $1 AND deleted = 0 AND ($2 IS NULL OR name = $2) \
     AND ($3 IS NULL OR LOWER(name) LIKE $3 ESCAPE '!' OR LOWER(email) LIKE $3 ESCAPE '!') \
     ORDER BY created_ms, id LIMIT $4 OFFSET $5"
);
const COUNT_OF_EMAIL: &str = "SELECT COUNT(*) AS rows_counted FROM users WHERE email = $1 AND deleted = 0 \
     AND ($2 IS NULL OR name = $2) \
     AND ($3 IS NULL OR LOWER(name) LIKE $3 ESCAPE '!' OR LOWER(email) LIKE $3 ESCAPE '!')";
const SEARCHED: &str = users!(
    "WHERE deleted = 0 AND ($1 IS NULL OR name = $1) \
     AND ($2 IS NULL OR LOWER(name) LIKE $2 ESCAPE '!' OR LOWER(email) LIKE $2 ESCAPE '!') \
     ORDER BY created_ms, id LIMIT $3 OFFSET $4"
);
const COUNT_SEARCHED: &str = "SELECT COUNT(*) AS rows_counted FROM users WHERE deleted = 0 \
     AND ($1 IS NULL OR name = $1) \
     AND ($2 IS NULL OR LOWER(name) LIKE $2 ESCAPE '!' OR LOWER(email) LIKE $2 ESCAPE '!')";
const AFTER: &str = users!(
    "WHERE deleted = 0 AND (created_ms > $1 OR (created_ms = $1 AND id > $2)) ORDER BY created_ms, id LIMIT $3"
);
/// The newest session of each of them.
const NEWEST_AFTER: &str = "SELECT nonce, user_id, provider, provider_session, identity, identity_version, created_ms, \
     expires_ms, last_use_ms, ended_ms, ended_cause, address, agent FROM sessions WHERE nonce IN \
     (SELECT (SELECT nonce FROM sessions WHERE user_id = users.id ORDER BY created_ms DESC, nonce LIMIT 1) FROM users \
     WHERE deleted = 0 AND (created_ms > $1 OR (created_ms = $1 AND id > $2)) ORDER BY created_ms, id LIMIT $3)";
const RENAME: &str = "UPDATE users SET name = $2 WHERE id = $1 AND deleted = 0";
/// What names the person goes; the row stays with its generation, which logins under way are held against.
const TAKE_OUT: &str =
    "UPDATE users SET deleted = 1, seat = 0, email = NULL, name = NULL WHERE id = $1 AND deleted = 0";

impl Store {
    /// A page of the register, in the order in which people first signed in.
    pub async fn users_page(
        &self,
        filter: &UserFilter,
        (limit, offset): (u32, u64),
    ) -> Result<Vec<User>, StoreError> {
        let wanted = Wanted::of(filter);
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = wanted
                .query(ALL, OF_EMAIL, SEARCHED)
                .bind(i64::from(limit))
                .bind(i64::try_from(offset).unwrap_or(i64::MAX))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(user).collect()
        })
        .await
    }

    /// How many users a filter keeps. As slow as there are users.
    pub async fn users_count(&self, filter: &UserFilter) -> Result<u64, StoreError> {
        let wanted = Wanted::of(filter);
        bounded(async {
            let mut connection = self.reader().await?;
            let query = wanted.query(COUNT_ALL, COUNT_OF_EMAIL, COUNT_SEARCHED);
            let counted = query.fetch_one(&mut *connection).await?;
            let counted = Cells::new(&counted, "users", "rows_counted").int("rows_counted")?;
            Ok(u64::try_from(counted).unwrap_or(0))
        })
        .await
    }

    /// One user, if in the register.
    pub async fn registered(&self, id: UserId) -> Result<Option<User>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(ONE)
                .bind(id.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(user).transpose()
        })
        .await
    }

    /// Several users, those that are in the register, in no order.
    pub async fn registered_of(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        bounded(async {
            let mut users = Vec::with_capacity(ids.len());
            if ids.is_empty() {
                return Ok(users);
            }
            let mut connection = self.reader().await?;
            for ids in ids.chunks(AT_ONCE) {
                let padded = ids.iter().cycle().take(AT_ONCE);
                let asked = padded.fold(sqlx::query(SOME), |asked, id| asked.bind(id.to_string()));
                for row in asked.fetch_all(&mut *connection).await? {
                    users.push(user(&row)?);
                }
            }
            Ok(users)
        })
        .await
    }

    /// Users behind a place in the register, each with the newest session there is of them: for work that goes through
    /// all of them. Begins at `None`.
    pub async fn users_after(
        &self,
        place: Option<UserPlace>,
        limit: u32,
    ) -> Result<Vec<(User, Option<SessionRow>)>, StoreError> {
        let (made_ms, id) = place.unwrap_or((i64::MIN, String::new()));
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(AFTER)
                .bind(made_ms)
                .bind(&id)
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
            let newest = sqlx::query(NEWEST_AFTER)
                .bind(made_ms)
                .bind(&id)
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
            let newest = newest.iter().map(|row| {
                let session = session(row)?;
                Ok((session.user, session))
            });
            let mut newest: HashMap<UserId, SessionRow> = newest.collect::<Result<_, StoreError>>()?;
            let users = rows.iter().map(|row| {
                let user = user(row)?;
                let newest = newest.remove(&user.id);
                Ok((user, newest))
            });
            users.collect()
        })
        .await
    }

    /// Calls somebody by another name, until the next login; whether there is such a user.
    pub async fn rename_user(&self, id: UserId, name: &str) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let done = sqlx::query(RENAME)
                .bind(id.to_string())
                .bind(storable(name))
                .execute(&mut *connection)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    /// Takes somebody out of the register; whether there was such a user. The next login brings them back, unless a
    /// directory has put them out. Ends nothing by itself.
    pub async fn take_out_of_register(&self, id: UserId) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let done = sqlx::query(TAKE_OUT)
                .bind(id.to_string())
                .execute(&mut *connection)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

/// A filter as statements take it.
struct Wanted {
    name: Option<String>,
    email: Option<String>,
    search: Option<String>,
}

impl Wanted {
    fn of(filter: &UserFilter) -> Self {
        Self {
            name: maybe_storable(filter.name.as_deref()),
            email: maybe_storable(filter.email.as_deref()),
            search: filter.search.as_deref().map(containing),
        }
    }

    /// The statement that fits, with the filter bound.
    fn query(
        &self,
        all: &'static str,
        of_email: &'static str,
        searched: &'static str,
    ) -> Query<'static, Any, AnyArguments> {
        match self {
            Self {
                name: None,
                email: None,
                search: None,
            } => sqlx::query(all),
            Self {
                name,
                email: Some(email),
                search,
            } => sqlx::query(of_email)
                .bind(email.clone())
                .bind(name.clone())
                .bind(search.clone()),
            Self { name, search, .. } => sqlx::query(searched).bind(name.clone()).bind(search.clone()),
        }
    }
}
