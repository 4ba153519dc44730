//! The register of users, a page at a time.

use std::cmp::Reverse;
use std::collections::HashMap;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};

use super::many::{AT_ONCE, OfMany, of_many};
use super::packed::{Packed, packed};
use super::row::{Cells, containing, maybe_storable};
use super::sessions::{session, sessions};
use super::users::{find, packed_user, user, users, users_packed, users_rows};
use super::{SessionRow, Store, StoreError, User, bounded};
use crate::model::ids::UserId;
use crate::model::lines::Lines;

/// Which users are asked for; the default asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Those of exactly this name.
    pub name: Option<String>,
    /// Those whose last login gave exactly this address, or whom the directory has given it since.
    pub email: Option<String>,
    /// Those with this in the name or the address, in whatever case.
    pub search: Option<String>,
}

/// Places in the register, the first of every so many. Whoever begins at one of them need not go through those before.
/// They hold as long as nobody before them leaves the register or comes back to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(Vec<UserPlace>);

impl Marks {
    /// The last mark that is not behind a place, and how far it is from there.
    fn before(&self, place: u64) -> (UserPlace, u64) {
        let last = u64::try_from(self.0.len().saturating_sub(1)).unwrap_or(u64::MAX);
        let number = (place / MARK_EVERY).min(last);
        let mark = usize::try_from(number).ok().and_then(|number| self.0.get(number));
        match mark {
            Some(mark) => (mark.clone(), place - number * MARK_EVERY),
            None => ((i64::MIN, String::new()), place),
        }
    }
}

/// What people in the register are called, to be searched.
#[derive(Debug)]
pub struct Called {
    /// In the order of the register.
    people: Vec<UserId>,
    /// The name and the address of each, in small letters, with [`BETWEEN`] between them.
    lines: Lines,
}

/// Stands between a name and an address, and in neither.
const BETWEEN: char = '\u{1}';

impl Called {
    fn of(people: impl IntoIterator<Item = (UserId, [String; 2])>) -> Self {
        let folded = |text: String| text.to_ascii_lowercase().replace(BETWEEN, "");
        let (people, lines): (Vec<UserId>, Vec<String>) = people
            .into_iter()
            .map(|(id, [name, email])| (id, format!("{}{BETWEEN}{}", folded(name), folded(email))))
            .unzip();
        Self {
            people,
            lines: Lines::of(lines),
        }
    }

    /// Those with this in the name or the address, in whatever case of the letters A to Z, in the order of the register:
    /// some of them, and how many there are in all.
    pub fn with(&self, part: &str, (limit, offset): (u32, u64)) -> (Vec<UserId>, u64) {
        let (mut some, mut count) = (Vec::new(), 0);
        if part.contains(BETWEEN) {
            return (some, count);
        }
        let shown = offset..offset.saturating_add(limit.into());
        for number in self.lines.with(&part.to_ascii_lowercase()) {
            if shown.contains(&count) {
                some.extend(self.people.get(number).copied());
            }
            count += 1;
        }
        (some, count)
    }
}

/// Users from one mark to the next.
const MARK_EVERY: u64 = 100;

/// A place in the register, by which work goes on where it stopped: when the user was made, and the id.
pub type UserPlace = (i64, String);

const ONE: &str = users!("WHERE id = $1 AND deleted = 0");
/// Several, by their ids and not among everybody in the register (see `of_email!`).
const SOME: OfMany = of_many!(
    concat!(
        users_rows!(),
        "WHERE +deleted = 0 AND id IN (SELECT value ->> 0 FROM "
    ),
    LIST,
    ")) AS page"
);
const ALL: &str = users_packed!(
    "WHERE deleted = 0 AND (created_ms, id) >= ($1, $2) ORDER BY created_ms, id LIMIT $3 OFFSET $4"
);
const COUNT_ALL: &str = "SELECT COUNT(*) AS rows_counted FROM users WHERE deleted = 0";
/// Every so many users.
const MARKS: &str = packed!(
    ["created_ms", "id"]
    "FROM (SELECT created_ms, id, ROW_NUMBER() OVER (ORDER BY created_ms, id) - 1 AS place FROM users \
     WHERE deleted = 0) AS placed WHERE place % $1 = 0 ORDER BY place"
);
/// Each by its index.
const LAST_CALLED: &str = "SELECT (SELECT MAX(last_login_ms) FROM users) AS last_login_ms, \
     (SELECT MAX(called_ms) FROM users) AS called_ms";
const CALLED: &str = packed!(["created_ms", "id", "name", "COALESCE(email_told, email)"] "FROM users WHERE deleted = 0 ORDER BY created_ms, id");
/// The part of a filter that goes through the users that the rest of it keeps.
macro_rules! searched {
    () => {
        " AND ($2 IS NULL OR name = $2) \
         AND ($3 IS NULL OR LOWER(name) LIKE $3 ESCAPE '!' \
         OR LOWER(COALESCE(email_told, email)) LIKE $3 ESCAPE '!') "
    };
}
/// Which users a filter keeps: of an address, of a name, or whatever has some text in it. Each has a statement of its own,
/// so that its index serves it; the `+` keeps SQLite from going through everybody in the order of the register instead.
macro_rules! of_email {
    () => {
        concat!(
            "WHERE id IN (SELECT id FROM users WHERE email = $1 UNION SELECT id FROM users WHERE email_told = $1) \
             AND +deleted = 0",
            searched!()
        )
    };
}
macro_rules! of_name {
    () => {
        concat!(
            "WHERE name = $2 AND +deleted = 0 AND CAST($1 AS TEXT) IS NULL",
            searched!()
        )
    };
}
macro_rules! of_text {
    () => {
        concat!("WHERE deleted = 0 AND CAST($1 AS TEXT) IS NULL", searched!())
    };
}
macro_rules! in_order {
    () => {
        "ORDER BY created_ms, id LIMIT $4 OFFSET $5"
    };
}
const OF_EMAIL: &str = users_packed!(of_email!(), in_order!());
const OF_NAME: &str = users_packed!(of_name!(), in_order!());
const OF_TEXT: &str = users_packed!(of_text!(), in_order!());
/// In the order of the last login, the latest first.
const LATEST: &str = users_packed!(of_text!(), "ORDER BY last_login_ms DESC, id LIMIT $4 OFFSET $5");
const COUNT_OF_EMAIL: &str = concat!("SELECT COUNT(*) AS rows_counted FROM users ", of_email!());
const COUNT_OF_NAME: &str = concat!("SELECT COUNT(*) AS rows_counted FROM users ", of_name!());
const COUNT_OF_TEXT: &str = concat!("SELECT COUNT(*) AS rows_counted FROM users ", of_text!());
const AFTER: &str = users!(
    "WHERE deleted = 0 AND (created_ms > $1 OR (created_ms = $1 AND id > $2)) ORDER BY created_ms, id LIMIT $3"
);
/// The newest session of each of them.
const NEWEST_AFTER: &str = sessions!(
    "WHERE nonce IN \
     (SELECT (SELECT nonce FROM sessions WHERE user_id = users.id ORDER BY created_ms DESC, nonce LIMIT 1) FROM users \
     WHERE deleted = 0 AND (created_ms > $1 OR (created_ms = $1 AND id > $2)) ORDER BY created_ms, id LIMIT $3)"
);

impl Store {
    /// A page of the register, in the order in which people first signed in. `from` spares going through all who stand
    /// before it.
    pub async fn users_page(
        &self,
        filter: &UserFilter,
        (limit, offset): (u32, u64),
        from: &Marks,
    ) -> Result<Vec<User>, StoreError> {
        let wanted = Wanted::of(filter);
        bounded(async {
            let _turn = self.turn_of_long_reads(wanted.is_searched()).await;
            let mut connection = self.reader().await?;
            let (query, offset) = if *filter == UserFilter::default() {
                let ((created_ms, id), left) = from.before(offset);
                (sqlx::query(ALL).bind(created_ms).bind(id), left)
            } else {
                (wanted.query(OF_EMAIL, OF_NAME, OF_TEXT), offset)
            };
            let row = query
                .bind(i64::from(limit))
                .bind(i64::try_from(offset).unwrap_or(i64::MAX))
                .fetch_one(&mut *connection)
                .await?;
            let mut users = Packed::new(&row, "users")?.rows(packed_user)?;
            // As they were asked for; what becomes of an order within an aggregate is nowhere promised.
            users.sort_by_key(|user| (user.created_ms, user.id));
            Ok(users)
        })
        .await
    }

    /// Users for a list, who signed in last first: those with this in the name or the address, or all. Pages count from 1.
    pub async fn users_by_login(
        &self,
        search: Option<&str>,
        (limit, page): (u32, u32),
    ) -> Result<Vec<User>, StoreError> {
        let filter = UserFilter {
            search: search.map(str::to_owned),
            ..UserFilter::default()
        };
        let query = Wanted::of(&filter).query(LATEST, LATEST, LATEST);
        bounded(async {
            let mut connection = self.reader().await?;
            let row = query
                .bind(i64::from(limit))
                .bind(i64::from(page.saturating_sub(1)) * i64::from(limit))
                .fetch_one(&mut *connection)
                .await?;
            let mut users = Packed::new(&row, "users")?.rows(packed_user)?;
            users.sort_by_key(|user| (Reverse(user.last_login_ms), user.id));
            Ok(users)
        })
        .await
    }

    /// How many users a filter keeps. As slow as there are users.
    pub async fn users_count(&self, filter: &UserFilter) -> Result<u64, StoreError> {
        let wanted = Wanted::of(filter);
        bounded(async {
            let _turn = self.turn_of_long_reads(wanted.is_searched()).await;
            let mut connection = self.reader().await?;
            let query = if *filter == UserFilter::default() {
                sqlx::query(COUNT_ALL)
            } else {
                wanted.query(COUNT_OF_EMAIL, COUNT_OF_NAME, COUNT_OF_TEXT)
            };
            let counted = query.fetch_one(&mut *connection).await?;
            let counted = Cells::new(&counted, "users", "rows_counted").int("rows_counted")?;
            Ok(u64::try_from(counted).unwrap_or(0))
        })
        .await
    }

    /// When somebody in the register last came to be called otherwise, as far as is known: by a sign-in, by a directory or
    /// on somebody's word. Milliseconds since 1970, by the clock of who wrote it and before it was written; 0 where nobody
    /// has.
    pub async fn last_called(&self) -> Result<i64, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(LAST_CALLED).fetch_one(&mut *connection).await?;
            let cells = Cells::new(&row, "users", "last_login_ms");
            let at_ms = [cells.maybe_int("last_login_ms")?, cells.maybe_int("called_ms")?];
            Ok(at_ms.into_iter().flatten().max().unwrap_or(0))
        })
        .await
    }

    /// What everybody in the register is called. As slow as there are users.
    pub async fn users_called(&self) -> Result<Called, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(CALLED).fetch_one(&mut *connection).await?;
            drop(connection);
            let read = move || {
                let mut users = Packed::new(&row, "users")?.rows(|cells| {
                    let place: (i64, UserId) = (cells.int("created_ms")?, cells.parsed("id")?);
                    let (name, email) = (cells.maybe_text("name")?, cells.maybe_text("email")?);
                    Ok((place, [name, email].map(Option::unwrap_or_default)))
                })?;
                users.sort_unstable_by_key(|(place, _)| *place);
                Ok(Called::of(
                    users.into_iter().map(|((_, id), called)| (id, called)),
                ))
            };
            // Others have the thread meanwhile.
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|failed| StoreError::Unavailable(failed.into()))?
        })
        .await
    }

    /// Marks in the register as it stands. As slow as there are users.
    pub async fn register_marks(&self) -> Result<Marks, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(MARKS)
                .bind(i64::try_from(MARK_EVERY).unwrap_or(i64::MAX))
                .fetch_one(&mut *connection)
                .await?;
            let places = Packed::new(&row, "users")?.rows(|cells| {
                let created_ms = cells.int("created_ms")?;
                Ok((created_ms, cells.text("id")?))
            });
            let mut places = places?;
            places.sort_unstable();
            Ok(Marks(places))
        })
        .await
    }

    /// One user, if in the register.
    pub async fn registered(&self, id: UserId) -> Result<Option<User>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            registered(&mut connection, id).await
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
                let ids: Vec<(String,)> = ids.iter().map(|id| (id.to_string(),)).collect();
                let asked = self.of_many(&SOME, &ids)?;
                let row = asked.fetch_one(&mut *connection).await?;
                users.extend(Packed::new(&row, "users")?.rows(packed_user)?);
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
}

/// One user, if in the register.
pub(super) async fn registered(
    connection: &mut AnyConnection,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    find(connection, ONE, id).await
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

    /// Whether everybody is gone through.
    fn is_searched(&self) -> bool {
        self.search.is_some() && self.email.is_none() && self.name.is_none()
    }

    /// The statement that fits, with the filter bound.
    fn query(
        &self,
        of_email: &'static str,
        of_name: &'static str,
        of_text: &'static str,
    ) -> Query<'static, Any, AnyArguments> {
        let sql = match self {
            Self { email: Some(_), .. } => of_email,
            Self { name: Some(_), .. } => of_name,
            _ => of_text,
        };
        let query = sqlx::query(sql).bind(self.email.clone());
        query.bind(self.name.clone()).bind(self.search.clone())
    }
}
