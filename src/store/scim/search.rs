//! Looking up what directories tell of, people and groups alike: by what has an index, page after page, and for lists.
//!
//! Each statement is written so that SQLite, which keeps no statistics here, takes the index that finds few rows and not
//! the one that saves it from sorting them: `created_ms + 0` has none, and `CROSS JOIN` is taken in the order in which
//! it is written (<https://www.sqlite.org/optoverview.html#crossjoin>).

use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::super::row::{Cells, pattern_of_beginning, pattern_within, storable};
use super::super::{Store, StoreError, bounded};
use super::{KnownPerson, ScimGroup, ScimUser, folded, former};
use crate::model::ids::{IdpId, ObjectId, ScimGroupId, ScimUserId, UserId};
use crate::model::scim::{GroupRecord, UserRecord};

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

/// What directories tell of: [`ScimUser`] and [`ScimGroup`].
pub trait ScimResource: Kept {}

impl ScimResource for ScimUser {}
impl ScimResource for ScimGroup {}

/// How a kind of resource is kept, which is the store's own affair.
pub trait Kept: Sized + Send + Sync {
    /// The statements that find it.
    const FOUND: &'static Statements;

    /// Reads a row of one of them.
    fn read(row: &AnyRow) -> Result<Self, StoreError>;

    /// When it was made, and its id: resources stand in this order.
    fn place(&self) -> (i64, String);

    /// Whether it is somebody's who signed in.
    fn is_linked(&self) -> bool;

    /// What it is called, and its addresses.
    fn names(&self) -> (&str, Vec<&str>);
}

/// The statements that find resources of a kind. `$1` is the provider.
#[derive(Debug)]
pub struct Statements {
    by_id: &'static str,
    by_name: &'static str,
    by_external_id: &'static str,
    by_object: &'static str,
    by_email: Option<&'static str>,
    by_member: Option<&'static str>,
    after: &'static str,
    page: &'static str,
    count: &'static str,
}

/// The statements for a table: what stands before `WHERE`, the column of the name, and what only one kind is found by.
macro_rules! statements {
    ($all:literal, $name:literal, $unlinked:literal, email: $email:expr, member: $member:expr, count: $count:literal) => {
        Statements {
            by_id: concat!($all, " WHERE provider = $1 AND id = $2"),
            by_name: concat!($all, " WHERE provider = $1 AND ", $name, " = $2"),
            by_external_id: concat!(
                $all,
                " WHERE provider = $1 AND external_id = $2 ORDER BY created_ms + 0, id LIMIT 1000"
            ),
            by_object: concat!($all, " WHERE provider = $1 AND object = $2"),
            by_email: $email,
            by_member: $member,
            after: concat!(
                $all,
                " WHERE provider = $1 AND (created_ms, id) > ($2, $3) ",
                "ORDER BY created_ms, id LIMIT $4"
            ),
            page: concat!(
                $all,
                " WHERE provider = $1 AND ($2 IS NULL OR ",
                $name,
                " LIKE $2 ESCAPE '!') AND ($3 IS NULL OR ",
                $name,
                " LIKE $3 ESCAPE '!') AND ($6 = 0 OR ",
                $unlinked,
                ") ORDER BY created_ms, id LIMIT $4 OFFSET $5"
            ),
            count: $count,
        }
    };
}

impl Kept for ScimUser {
    const FOUND: &'static Statements = &statements!(
        "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users",
        "user_name",
        "user_id IS NULL",
        email: Some(
            "SELECT id, scim_users.provider AS provider, body, user_id, created_ms, updated_ms \
             FROM scim_emails CROSS JOIN scim_users WHERE scim_emails.email = $2 AND scim_emails.provider = $1 \
             AND id = scim_user AND scim_users.provider = $1 ORDER BY created_ms + 0, id LIMIT 1000"
        ),
        member: None,
        count: "SELECT COUNT(*) AS n FROM scim_users WHERE provider = $1"
    );

    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let cells = Cells::new(row, "scim_users", "id");
        let mut body: Map<String, Value> = cells.json("body")?;
        let former = former::taken_from(&mut body);
        Ok(Self {
            id: cells.parsed("id")?,
            provider: cells.parsed("provider")?,
            record: UserRecord(body),
            user: cells.maybe_parsed("user_id")?,
            former,
            created_ms: cells.int("created_ms")?,
            updated_ms: cells.int("updated_ms")?,
        })
    }

    fn place(&self) -> (i64, String) {
        (self.created_ms, self.id.to_string())
    }

    fn is_linked(&self) -> bool {
        self.user.is_some()
    }

    fn names(&self) -> (&str, Vec<&str>) {
        (self.record.user_name(), self.record.emails().collect())
    }
}

impl Kept for ScimGroup {
    const FOUND: &'static Statements = &statements!(
        "SELECT id, provider, display_name, external_id, created_ms, updated_ms FROM scim_groups",
        "name_key",
        "TRUE",
        email: None,
        member: Some(
            "SELECT id, provider, display_name, external_id, created_ms, updated_ms \
             FROM scim_members CROSS JOIN scim_groups WHERE scim_user = $2 AND id = scim_group AND provider = $1 \
             ORDER BY created_ms + 0, id LIMIT 1000"
        ),
        count: "SELECT COUNT(*) AS n FROM scim_groups WHERE provider = $1"
    );

    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let cells = Cells::new(row, "scim_groups", "id");
        Ok(Self {
            id: cells.parsed("id")?,
            provider: cells.parsed("provider")?,
            record: GroupRecord {
                display_name: cells.text("display_name")?,
                external_id: cells.maybe_text("external_id")?,
            },
            created_ms: cells.int("created_ms")?,
            updated_ms: cells.int("updated_ms")?,
        })
    }

    fn place(&self) -> (i64, String) {
        (self.created_ms, self.id.to_string())
    }

    fn is_linked(&self) -> bool {
        false
    }

    fn names(&self) -> (&str, Vec<&str>) {
        (&self.record.display_name, Vec::new())
    }
}

/// Rows answered at once, at most.
const MOST: i64 = 1000;

const ALL_USERS: &str = "SELECT id, object, active, CASE WHEN object IS NULL THEN user_name END AS name \
     FROM scim_users WHERE provider = $1";
const ALL_GROUPS: &str = "SELECT id, object FROM scim_groups WHERE provider = $1";
const OBJECTS_WITHIN: &str = "SELECT COALESCE(u.object, u.id) AS object FROM scim_members m CROSS JOIN scim_users u \
     WHERE m.scim_group = $1 AND u.id = m.scim_user";
const USER_OF: &str =
    "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users WHERE user_id = $1";
const MEMBERS: &str = "SELECT u.id AS id, u.user_name AS user_name FROM scim_members m CROSS JOIN scim_users u \
     WHERE m.scim_group = $1 AND m.scim_user > $2 AND u.id = m.scim_user ORDER BY m.scim_user LIMIT $3";
const IS_MEMBER: &str = "SELECT scim_user FROM scim_members WHERE scim_group = $1 AND scim_user = $2";

impl Store {
    /// One person of a directory.
    pub async fn scim_user(&self, provider: IdpId, id: ScimUserId) -> Result<Option<ScimUser>, StoreError> {
        let found = self.scim_with(provider, ScimKey::Id(&id.to_string())).await?;
        Ok(found.into_iter().next())
    }

    /// One group of a directory.
    pub async fn scim_group(
        &self,
        provider: IdpId,
        id: ScimGroupId,
    ) -> Result<Option<ScimGroup>, StoreError> {
        let found = self.scim_with(provider, ScimKey::Id(&id.to_string())).await?;
        Ok(found.into_iter().next())
    }

    /// The person of a directory that a user of ours is linked to.
    pub async fn scim_user_of(&self, user: UserId) -> Result<Option<ScimUser>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(USER_OF)
                .bind(user.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(ScimUser::read).transpose()
        })
        .await
    }

    /// The resources of a directory that a key names, oldest first, at most a thousand; none where such a resource has no
    /// such key.
    pub async fn scim_with<R: ScimResource>(
        &self,
        provider: IdpId,
        key: ScimKey<'_>,
    ) -> Result<Vec<R>, StoreError> {
        let (sql, key) = match key {
            ScimKey::Id(id) => (Some(R::FOUND.by_id), id.to_owned()),
            ScimKey::Name(name) => (Some(R::FOUND.by_name), folded(name)),
            ScimKey::ExternalId(id) => (Some(R::FOUND.by_external_id), id.to_owned()),
            ScimKey::Object(object) => (Some(R::FOUND.by_object), object.to_string()),
            ScimKey::Email(email) => (R::FOUND.by_email, folded(email)),
            ScimKey::Member(id) => (R::FOUND.by_member, id.to_owned()),
        };
        let Some(sql) = sql else {
            return Ok(Vec::new());
        };
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(sql)
                .bind(provider.to_string())
                .bind(storable(&key))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(R::read).collect()
        })
        .await
    }

    /// The resources of a directory behind this place ([`Kept::place`]), oldest first, at most a thousand; from the first
    /// on without one.
    pub async fn scim_after<R: ScimResource>(
        &self,
        provider: IdpId,
        place: Option<(i64, String)>,
    ) -> Result<Vec<R>, StoreError> {
        let (created_ms, id) = place.unwrap_or((i64::MIN, String::new()));
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(R::FOUND.after)
                .bind(provider.to_string())
                .bind(created_ms)
                .bind(id)
                .bind(MOST)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(R::read).collect()
        })
        .await
    }

    /// Resources of a directory for a list, oldest first, behind the first `offset`; at most a thousand.
    pub async fn scim_list<R: ScimResource>(
        &self,
        provider: IdpId,
        search: &ScimSearch,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<R>, StoreError> {
        let named = match (&search.name, &search.email) {
            (Some(name), _) => self.scim_with::<R>(provider, ScimKey::Name(name)).await?,
            (None, Some(email)) => self.scim_with::<R>(provider, ScimKey::Email(email)).await?,
            (None, None) => return self.scim_page(provider, search, offset, limit).await,
        };
        let chosen = named.into_iter().filter(|found| search.chooses(found));
        Ok(chosen.skip(offset).take(limit).collect())
    }

    async fn scim_page<R: ScimResource>(
        &self,
        provider: IdpId,
        search: &ScimSearch,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<R>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(R::FOUND.page)
                .bind(provider.to_string())
                .bind(search.contains.as_deref().map(pattern_within))
                .bind(search.starts_with.as_deref().map(pattern_of_beginning))
                .bind(int(limit).min(MOST))
                .bind(int(offset))
                .bind(i64::from(search.unlinked))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(R::read).collect()
        })
        .await
    }

    /// How many resources of a kind a directory has told of.
    pub async fn count_scim<R: ScimResource>(&self, provider: IdpId) -> Result<usize, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(R::FOUND.count)
                .bind(provider.to_string())
                .fetch_one(&mut *connection)
                .await?;
            let count = Cells::new(&row, "scim resources", "n").int("n")?;
            Ok(usize::try_from(count).unwrap_or(0))
        })
        .await
    }

    /// Everybody of a directory.
    pub async fn all_scim_users(&self, provider: IdpId) -> Result<Vec<KnownPerson>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(ALL_USERS)
                .bind(provider.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let read = |row| {
                let cells = Cells::new(row, "scim_users", "id");
                Ok(KnownPerson {
                    id: cells.parsed("id")?,
                    object: cells.maybe_parsed("object")?,
                    active: cells.flag("active")?,
                    name: cells.maybe_text("name")?,
                })
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

    /// Which people are in a group: by their objects, and by our ids where they have none.
    pub async fn scim_objects_within(&self, group: ScimGroupId) -> Result<Vec<Uuid>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(OBJECTS_WITHIN)
                .bind(group.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let read = |row| Cells::new(row, "scim_members", "object").parsed("object");
            rows.iter().map(read).collect()
        })
        .await
    }

    /// The members of a group with their names, by their ids, behind `last`; at most `limit`.
    pub async fn scim_members(
        &self,
        group: ScimGroupId,
        last: Option<ScimUserId>,
        limit: usize,
    ) -> Result<Vec<(ScimUserId, String)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(MEMBERS)
                .bind(group.to_string())
                .bind(last.map_or_else(String::new, |last| last.to_string()))
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
}

impl ScimSearch {
    /// Whether it is about this one, which one of its keys found.
    fn chooses<R: ScimResource>(&self, found: &R) -> bool {
        let (name, emails) = found.names();
        let name = folded(name);
        let is = |wanted: Option<&str>, holds: &dyn Fn(&str) -> bool| {
            wanted.is_none_or(|wanted| holds(&folded(wanted)))
        };
        (!self.unlinked || !found.is_linked())
            && is(self.name.as_deref(), &|wanted| name == wanted)
            && is(self.email.as_deref(), &|wanted| {
                emails.iter().any(|email| folded(email) == wanted)
            })
            && is(self.contains.as_deref(), &|wanted| name.contains(wanted))
            && is(self.starts_with.as_deref(), &|wanted| name.starts_with(wanted))
    }
}

fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::plans;
    use super::*;

    #[tokio::test]
    async fn whatever_has_a_key_is_found_by_its_index() {
        for kept in [ScimUser::FOUND, ScimGroup::FOUND] {
            let mut keys = vec![
                kept.by_id,
                kept.by_name,
                kept.by_external_id,
                kept.by_object,
                kept.after,
            ];
            keys.extend(kept.by_email);
            keys.extend(kept.by_member);
            plans::take_an_index(&keys).await;
        }
        plans::take_an_index(&[USER_OF, MEMBERS, IS_MEMBER]).await;
    }
}
