//! People who signed in. A row is made by a login; see [`super::sessions`].

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::packed::Packed;
use super::row::Cells;
use super::{Store, StoreError, bounded};
use crate::model::email::EmailAddress;
use crate::model::identity::PersonKey;
use crate::model::ids::{IdpId, UserId};

/// A user of this organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id: `sub` of the tokens we sign.
    pub id: UserId,
    /// The identity provider the person signs in with.
    pub provider: IdpId,
    /// The person there.
    pub person: PersonKey,
    /// The address at the last login, or the one that the directory has put under live sessions since; a label, never a
    /// key.
    pub email: Option<String>,
    /// The name, likewise.
    pub name: Option<String>,
    /// The change number of the user's last ending: a login that began before it does not count.
    pub generation: i64,
    /// Whether the directory says that this person may not sign in.
    pub deprovisioned: bool,
    /// Whether the person takes a seat.
    pub seat: bool,
    /// When the person first signed in.
    pub created_ms: i64,
    /// When the person last signed in.
    pub last_login_ms: i64,
}

/// A question for users: all that [`user`] reads, of those that the rest keeps.
macro_rules! users {
    ($rest:literal) => {
        concat!(
            "SELECT id, provider, tenant, object, COALESCE(email_told, email) AS email, name, generation, deprovisioned, \
             seat, created_ms, last_login_ms \
             FROM users ",
            $rest
        )
    };
}
pub(super) use users;

/// The beginning of the same in one cell, for [`packed_user`].
macro_rules! users_rows {
    () => {
        concat!(
            $crate::store::packed::packed_rows!([
                "id",
                "provider",
                "tenant",
                "object",
                "COALESCE(email_told, email)",
                "name",
                "generation",
                "deprovisioned",
                "seat",
                "created_ms",
                "last_login_ms"
            ]),
            "FROM users "
        )
    };
}
pub(super) use users_rows;

/// The same, whole.
macro_rules! users_packed {
    ($($rest:expr),+) => {
        concat!($crate::store::users::users_rows!(), $($rest,)+ ") AS page")
    };
}
pub(super) use users_packed;

const ONE: &str = users!("WHERE id = $1");
const OF_PERSON: &str = users!("WHERE provider = $1 AND tenant = $2 AND object = $3");
const WITH_EMAIL: &str = users!(
    "WHERE id IN (SELECT id FROM users WHERE email = $1 UNION SELECT id FROM users WHERE email_told = $1) \
     ORDER BY last_login_ms DESC, id LIMIT 1000"
);
const READMIT: &str = "UPDATE users SET deprovisioned = 0 WHERE id = $1 AND deprovisioned = 1";

impl Store {
    /// Everybody whose last login gave this address, or whom the directory has given it since; the latest first, at most
    /// a thousand. An address is a label: different people may have had it.
    pub async fn users_with_email(&self, email: &EmailAddress) -> Result<Vec<User>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(WITH_EMAIL)
                .bind(email.as_str())
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(user).collect()
        })
        .await
    }

    /// One user.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            one(&mut connection, id).await
        })
        .await
    }

    /// The user who is this person at this provider.
    pub async fn user_of(&self, provider: IdpId, person: PersonKey) -> Result<Option<User>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(OF_PERSON)
                .bind(provider.to_string())
                .bind(person.tenant.to_string())
                .bind(person.object.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(user).transpose()
        })
        .await
    }
}

/// One user, also one who was taken out of the register.
pub(super) async fn one(connection: &mut AnyConnection, id: UserId) -> Result<Option<User>, StoreError> {
    find(connection, ONE, id).await
}

/// The user that a question for one is about.
pub(super) async fn find(
    connection: &mut AnyConnection,
    question: &'static str,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    let row = sqlx::query(question)
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(user).transpose()
}

/// Takes it back that a directory has put somebody out; whether that changed anything.
pub(super) async fn readmit(connection: &mut AnyConnection, id: UserId) -> Result<bool, StoreError> {
    let done = sqlx::query(READMIT)
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A user out of whatever has the columns of `users`.
macro_rules! user_of {
    ($cells:expr) => {{
        let cells = $cells;
        Ok(User {
            id: cells.parsed("id")?,
            provider: cells.parsed("provider")?,
            person: PersonKey {
                tenant: cells.parsed("tenant")?,
                object: cells.parsed("object")?,
            },
            email: cells.maybe_text("email")?,
            name: cells.maybe_text("name")?,
            generation: cells.int("generation")?,
            deprovisioned: cells.flag("deprovisioned")?,
            seat: cells.flag("seat")?,
            created_ms: cells.int("created_ms")?,
            last_login_ms: cells.int("last_login_ms")?,
        })
    }};
}

/// Reads a row that names all columns of `users`.
pub(super) fn user(row: &AnyRow) -> Result<User, StoreError> {
    user_of!(Cells::new(row, "users", "id"))
}

/// Reads a user of [`users_packed!`].
pub(super) fn packed_user(cells: &mut Packed) -> Result<User, StoreError> {
    user_of!(cells)
}
