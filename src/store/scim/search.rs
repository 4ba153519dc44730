//! Looking up people and groups of directories: by what has an index, page after page, and for lists.

use super::super::row::{Cells, maybe_storable, pattern_of_beginning, pattern_within, storable};
use super::super::{Store, StoreError, bounded};
use super::{ScimGroup, ScimUser, folded, scim_group, scim_user};
use crate::model::ids::{IdpId, ObjectId, ScimGroupId, ScimUserId};

/// What a person or a group is looked up by. Each has an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScimKey<'a> {
    /// Our id.
    Id(&'a str),
    /// A person's `userName` or a group's `displayName`, whatever the case.
    Name(&'a str),
    /// The directory's id.
    ExternalId(&'a str),
    /// The object in Entra.
    Object(ObjectId),
    /// One of a person's addresses, whatever the case.
    Email(&'a str),
    /// Of a group: this person, by our id, is in it.
    Member(&'a str),
}

/// Which people or groups a list holds. The default holds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScimSearch {
    /// Of this name: `userName` or `displayName`, whatever the case.
    pub name: Option<String>,
    /// With this address; groups have none.
    pub email: Option<String>,
    /// With this in the name.
    pub contains: Option<String>,
    /// With this at the beginning of the name.
    pub starts_with: Option<String>,
    /// Of people: only those who are nobody's who signed in.
    pub unlinked: bool,
}

/// Rows answered at once, at most.
const MOST: i64 = 1000;

const USER: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 AND id = $2";
const USERS_NAMED: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 AND user_name = $2";
const USERS_EXTERNAL: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 AND external_id = $2 ORDER BY created_ms, id LIMIT 1000";
const USERS_WITH_EMAIL: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE id IN (SELECT scim_user FROM scim_emails WHERE email = $2 AND provider = $1) \
     ORDER BY created_ms, id LIMIT 1000";
const USERS_OBJECT: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 AND object = $2";
const ALL_USERS: &str = "SELECT id, object, active FROM scim_users WHERE provider = $1";
const USERS_PAGE: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 ORDER BY created_ms, id LIMIT $2 OFFSET $3";
const USERS_AFTER: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 AND (created_ms > $2 OR (created_ms = $2 AND id > $3)) ORDER BY created_ms, id LIMIT $4";
const USERS_FOUND: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 AND ($2 IS NULL OR user_name = $2) \
     AND ($3 IS NULL OR id IN (SELECT scim_user FROM scim_emails WHERE email = $3 AND provider = $1)) \
     AND ($4 IS NULL OR user_name LIKE $4 ESCAPE '!') AND ($5 IS NULL OR user_name LIKE $5 ESCAPE '!') \
     AND ($6 = 0 OR user_id IS NULL) ORDER BY created_ms, id LIMIT $7 OFFSET $8";
const COUNT_USERS: &str = "SELECT COUNT(*) AS n FROM scim_users WHERE provider = $1";
const USER_OF: &str =
    "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users WHERE user_id = $1";

const GROUP: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms FROM scim_groups \
     WHERE provider = $1 AND id = $2";
const GROUPS_NAMED: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms FROM scim_groups \
     WHERE provider = $1 AND name_key = $2";
const GROUPS_EXTERNAL: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms \
     FROM scim_groups WHERE provider = $1 AND external_id = $2 ORDER BY created_ms, id LIMIT 1000";
const GROUPS_WITH_MEMBER: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms \
     FROM scim_groups WHERE provider = $1 AND id IN (SELECT scim_group FROM scim_members WHERE scim_user = $2) \
     ORDER BY created_ms, id LIMIT 1000";
const GROUPS_OBJECT: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms \
     FROM scim_groups WHERE provider = $1 AND object = $2";
const ALL_GROUPS: &str = "SELECT id, object FROM scim_groups WHERE provider = $1";
const GROUPS_PAGE: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms FROM scim_groups \
     WHERE provider = $1 ORDER BY created_ms, id LIMIT $2 OFFSET $3";
const GROUPS_AFTER: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms FROM scim_groups \
     WHERE provider = $1 AND (created_ms > $2 OR (created_ms = $2 AND id > $3)) ORDER BY created_ms, id LIMIT $4";
const GROUPS_FOUND: &str = "SELECT id, provider, display_name, external_id, created_ms, updated_ms FROM scim_groups \
     WHERE provider = $1 AND ($2 IS NULL OR name_key = $2) \
     AND ($3 IS NULL OR name_key LIKE $3 ESCAPE '!') AND ($4 IS NULL OR name_key LIKE $4 ESCAPE '!') \
     ORDER BY created_ms, id LIMIT $5 OFFSET $6";
const COUNT_GROUPS: &str = "SELECT COUNT(*) AS n FROM scim_groups WHERE provider = $1";
const MEMBERS: &str = "SELECT u.id AS id, u.user_name AS user_name FROM scim_members m \
     JOIN scim_users u ON u.id = m.scim_user WHERE m.scim_group = $1 ORDER BY m.scim_user LIMIT $2";
const IS_MEMBER: &str = "SELECT scim_user FROM scim_members WHERE scim_group = $1 AND scim_user = $2";

impl Store {
    /// One person of a directory.
    pub async fn scim_user(&self, provider: IdpId, id: ScimUserId) -> Result<Option<ScimUser>, StoreError> {
        let found = self
            .scim_users_with(provider, ScimKey::Id(&id.to_string()))
            .await?;
        Ok(found.into_iter().next())
    }

    /// The person of a directory that a user of ours is linked to.
    pub async fn scim_user_of(
        &self,
        user: crate::model::ids::UserId,
    ) -> Result<Option<ScimUser>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(USER_OF)
                .bind(user.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(scim_user).transpose()
        })
        .await
    }

    /// The people of a directory that a key names, oldest first.
    pub async fn scim_users_with(
        &self,
        provider: IdpId,
        key: ScimKey<'_>,
    ) -> Result<Vec<ScimUser>, StoreError> {
        let (sql, key) = match key {
            ScimKey::Id(id) => (USER, id.to_owned()),
            ScimKey::Name(name) => (USERS_NAMED, folded(name)),
            ScimKey::ExternalId(id) => (USERS_EXTERNAL, id.to_owned()),
            ScimKey::Object(object) => (USERS_OBJECT, object.to_string()),
            ScimKey::Email(email) => (USERS_WITH_EMAIL, folded(email)),
            ScimKey::Member(_) => return Ok(Vec::new()),
        };
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(sql)
                .bind(provider.to_string())
                .bind(storable(&key))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_user).collect()
        })
        .await
    }

    /// Some people of a directory, oldest first, behind the first `offset`; at most a thousand.
    pub async fn scim_users_page(
        &self,
        provider: IdpId,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<ScimUser>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(USERS_PAGE)
                .bind(provider.to_string())
                .bind(limited(limit))
                .bind(int(offset))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_user).collect()
        })
        .await
    }

    /// The people of a directory behind this one, oldest first, at most a thousand; from the first on without one.
    pub async fn scim_users_after(
        &self,
        provider: IdpId,
        last: Option<&ScimUser>,
    ) -> Result<Vec<ScimUser>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(USERS_AFTER)
                .bind(provider.to_string())
                .bind(last.map_or(i64::MIN, |last| last.created_ms))
                .bind(last.map_or_else(String::new, |last| last.id.to_string()))
                .bind(MOST)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_user).collect()
        })
        .await
    }

    /// People of a directory for a list, oldest first; pages count from 1.
    pub async fn scim_users(
        &self,
        provider: IdpId,
        search: &ScimSearch,
        limit: usize,
        page: usize,
    ) -> Result<Vec<ScimUser>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(USERS_FOUND)
                .bind(provider.to_string())
                .bind(maybe_storable(search.name.as_deref().map(folded).as_deref()))
                .bind(maybe_storable(search.email.as_deref().map(folded).as_deref()))
                .bind(search.contains.as_deref().map(pattern_within))
                .bind(search.starts_with.as_deref().map(pattern_of_beginning))
                .bind(i64::from(search.unlinked))
                .bind(limited(limit))
                .bind(limited(limit).saturating_mul(int(page.saturating_sub(1))))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_user).collect()
        })
        .await
    }

    /// Everybody of a directory: our id, the object in Entra, and whether they may sign in.
    pub async fn all_scim_users(
        &self,
        provider: IdpId,
    ) -> Result<Vec<(ScimUserId, Option<ObjectId>, bool)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(ALL_USERS)
                .bind(provider.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let read = |row| {
                let cells = Cells::new(row, "scim_users", "id");
                Ok((
                    cells.parsed("id")?,
                    cells.maybe_parsed("object")?,
                    cells.flag("active")?,
                ))
            };
            rows.iter().map(read).collect()
        })
        .await
    }

    /// Every group of a directory: our id and the object in Entra.
    pub async fn all_scim_groups(
        &self,
        provider: IdpId,
    ) -> Result<Vec<(ScimGroupId, Option<ObjectId>)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(ALL_GROUPS)
                .bind(provider.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let read = |row| {
                let cells = Cells::new(row, "scim_groups", "id");
                Ok((cells.parsed("id")?, cells.maybe_parsed("object")?))
            };
            rows.iter().map(read).collect()
        })
        .await
    }

    /// How many people a directory has told of.
    pub async fn count_scim_users(&self, provider: IdpId) -> Result<usize, StoreError> {
        self.count_scim(COUNT_USERS, provider).await
    }

    /// One group of a directory.
    pub async fn scim_group(
        &self,
        provider: IdpId,
        id: ScimGroupId,
    ) -> Result<Option<ScimGroup>, StoreError> {
        let found = self
            .scim_groups_with(provider, ScimKey::Id(&id.to_string()))
            .await?;
        Ok(found.into_iter().next())
    }

    /// The groups of a directory that a key names, oldest first.
    pub async fn scim_groups_with(
        &self,
        provider: IdpId,
        key: ScimKey<'_>,
    ) -> Result<Vec<ScimGroup>, StoreError> {
        let (sql, key) = match key {
            ScimKey::Id(id) => (GROUP, id.to_owned()),
            ScimKey::Name(name) => (GROUPS_NAMED, folded(name)),
            ScimKey::ExternalId(id) => (GROUPS_EXTERNAL, id.to_owned()),
            ScimKey::Object(object) => (GROUPS_OBJECT, object.to_string()),
            ScimKey::Member(id) => (GROUPS_WITH_MEMBER, id.to_owned()),
            ScimKey::Email(_) => return Ok(Vec::new()),
        };
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(sql)
                .bind(provider.to_string())
                .bind(storable(&key))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_group).collect()
        })
        .await
    }

    /// Some groups of a directory, oldest first, behind the first `offset`; at most a thousand.
    pub async fn scim_groups_page(
        &self,
        provider: IdpId,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<ScimGroup>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(GROUPS_PAGE)
                .bind(provider.to_string())
                .bind(limited(limit))
                .bind(int(offset))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_group).collect()
        })
        .await
    }

    /// The groups of a directory behind this one, oldest first, at most a thousand; from the first on without one.
    pub async fn scim_groups_after(
        &self,
        provider: IdpId,
        last: Option<&ScimGroup>,
    ) -> Result<Vec<ScimGroup>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(GROUPS_AFTER)
                .bind(provider.to_string())
                .bind(last.map_or(i64::MIN, |last| last.created_ms))
                .bind(last.map_or_else(String::new, |last| last.id.to_string()))
                .bind(MOST)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_group).collect()
        })
        .await
    }

    /// Groups of a directory for a list, oldest first; pages count from 1.
    pub async fn scim_groups(
        &self,
        provider: IdpId,
        search: &ScimSearch,
        limit: usize,
        page: usize,
    ) -> Result<Vec<ScimGroup>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(GROUPS_FOUND)
                .bind(provider.to_string())
                .bind(maybe_storable(search.name.as_deref().map(folded).as_deref()))
                .bind(search.contains.as_deref().map(pattern_within))
                .bind(search.starts_with.as_deref().map(pattern_of_beginning))
                .bind(limited(limit))
                .bind(limited(limit).saturating_mul(int(page.saturating_sub(1))))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(scim_group).collect()
        })
        .await
    }

    /// How many groups a directory has told of.
    pub async fn count_scim_groups(&self, provider: IdpId) -> Result<usize, StoreError> {
        self.count_scim(COUNT_GROUPS, provider).await
    }

    /// The members of a group with their names, at most `limit`.
    pub async fn scim_members(
        &self,
        group: ScimGroupId,
        limit: usize,
    ) -> Result<Vec<(ScimUserId, String)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(MEMBERS)
                .bind(group.to_string())
                .bind(int(limit))
                .fetch_all(&mut *connection)
                .await?;
            let member = |row| {
                let cells = Cells::new(row, "scim_users", "id");
                Ok((cells.parsed("id")?, cells.text("user_name")?))
            };
            rows.iter().map(member).collect()
        })
        .await
    }

    /// Whether a person is in a group.
    pub async fn is_scim_member(&self, group: ScimGroupId, person: &str) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(IS_MEMBER)
                .bind(group.to_string())
                .bind(storable(person))
                .fetch_optional(&mut *connection)
                .await?;
            Ok(row.is_some())
        })
        .await
    }

    async fn count_scim(&self, sql: &'static str, provider: IdpId) -> Result<usize, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(sql)
                .bind(provider.to_string())
                .fetch_one(&mut *connection)
                .await?;
            let count = Cells::new(&row, "scim_users", "n").int("n")?;
            Ok(usize::try_from(count).unwrap_or(0))
        })
        .await
    }
}

fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn limited(limit: usize) -> i64 {
    int(limit).min(MOST)
}
