//! People whose inherited groups are to be read again: written with the change that makes it needful, so that no gateway
//! that stops in between leaves somebody with what they hold no longer.

use sqlx::{Any, Transaction};

use super::super::row::Cells;
use super::super::{Store, StoreError, bounded};
use crate::crypto::random;
use crate::model::identity::PersonKey;
use crate::model::ids::{IdpId, UserId};
use crate::model::scim::GroupChange;

/// Somebody whose groups are to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reread {
    /// Who.
    pub user: UserId,
    /// Whose directory it was.
    pub provider: IdpId,
    /// The person there.
    pub person: PersonKey,
    /// What it said since they were read last.
    pub change: GroupChange,
    /// Another with every addition.
    mark: String,
}

const NOTE: &str = "INSERT INTO scim_rereads (user_id, provider, tenant, object, change, mark, at_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (user_id) DO UPDATE SET mark = excluded.mark, at_ms = excluded.at_ms RETURNING change";
const SET: &str = "UPDATE scim_rereads SET change = $1 WHERE user_id = $2";
const OF: &str =
    "SELECT user_id, provider, tenant, object, change, mark FROM scim_rereads WHERE user_id = $1";
const LEFT: &str = "SELECT user_id FROM scim_rereads WHERE at_ms < $1 ORDER BY at_ms, user_id LIMIT 1000";
const DONE: &str = "DELETE FROM scim_rereads WHERE user_id = $1 AND mark = $2";

/// Remembers that somebody's groups are to be read again.
pub(in super::super) async fn note(
    tx: &mut Transaction<'static, Any>,
    (provider, person, user): (IdpId, PersonKey, UserId),
    change: &GroupChange,
    now_ms: i64,
) -> Result<(), StoreError> {
    let json = |change: &GroupChange| {
        serde_json::to_string(change).map_err(|error| StoreError::Unavailable(error.into()))
    };
    let row = sqlx::query(NOTE)
        .bind(user.to_string())
        .bind(provider.to_string())
        .bind(person.tenant.to_string())
        .bind(person.object.to_string())
        .bind(json(change)?)
        .bind(random::hex_digits::<16>())
        .bind(now_ms)
        .fetch_one(&mut **tx)
        .await?;
    let before: GroupChange = Cells::new(&row, "scim_rereads", "change").json("change")?;
    let mut whole = before.clone();
    whole.then(change);
    if whole != before {
        sqlx::query(SET)
            .bind(json(&whole)?)
            .bind(user.to_string())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

impl Store {
    /// What is to be read again of somebody.
    pub async fn reread_of(&self, user: UserId) -> Result<Option<Reread>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(OF)
                .bind(user.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            let Some(row) = row else { return Ok(None) };
            let cells = Cells::new(&row, "scim_rereads", "user_id");
            Ok(Some(Reread {
                user: cells.parsed("user_id")?,
                provider: cells.parsed("provider")?,
                person: PersonKey {
                    tenant: cells.parsed("tenant")?,
                    object: cells.parsed("object")?,
                },
                change: cells.json("change")?,
                mark: cells.text("mark")?,
            }))
        })
        .await
    }

    /// Of whom groups are to be read again since before this time (milliseconds since 1970); at most a thousand.
    pub async fn rereads_left(&self, before_ms: i64) -> Result<Vec<UserId>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(LEFT)
                .bind(before_ms)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter()
                .map(|row| Cells::new(row, "scim_rereads", "user_id").parsed("user_id"))
                .collect()
        })
        .await
    }

    /// They have been read, unless the directory has said more meanwhile.
    pub async fn reread_done(&self, reread: &Reread) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(DONE)
                .bind(reread.user.to_string())
                .bind(reread.mark.clone())
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }
}
