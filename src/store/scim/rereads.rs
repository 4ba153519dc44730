//! People whose inherited groups are to be read again: written with the change that makes it needful, so that no gateway
//! that stops in between leaves somebody with what they hold no longer.

use std::collections::HashMap;

use sqlx::{Any, Transaction};

use super::super::many::{AT_ONCE, OfMany, of_many};
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

const NOTE: OfMany = of_many!(
    "INSERT INTO scim_rereads (user_id, provider, tenant, object, change, mark, at_ms) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, $2 FROM ",
    LIST,
    " WHERE TRUE ON CONFLICT (user_id) DO UPDATE SET mark = excluded.mark, at_ms = excluded.at_ms \
     RETURNING user_id, change"
);
const SET: OfMany = of_many!(
    "UPDATE scim_rereads SET change = given.change FROM (SELECT value ->> 0 AS user_id, value ->> 1 AS change FROM ",
    LIST,
    ") AS given WHERE scim_rereads.user_id = given.user_id"
);
/// Whoever begins has it to themselves for as long as what is left is not taken up: its time is that of the attempt.
const BEGIN: &str = "UPDATE scim_rereads SET at_ms = $1 WHERE user_id = $2 \
     RETURNING user_id, provider, tenant, object, change, mark";
/// One statement, so that of several gateways one takes it; PostgreSQL looks anew at a row that was taken since it was
/// found.
const TAKE: &str = "UPDATE scim_rereads SET at_ms = $1 WHERE at_ms < $2 AND user_id IN \
     (SELECT user_id FROM scim_rereads WHERE at_ms < $2 ORDER BY at_ms, user_id LIMIT $3) RETURNING user_id";
const DONE: &str = "DELETE FROM scim_rereads WHERE user_id = $1 AND mark = $2";

impl Store {
    /// Remembers that these people's groups are to be read again, each of them named once.
    pub(in super::super) async fn note_rereads(
        &self,
        tx: &mut Transaction<'static, Any>,
        rereads: &[((IdpId, PersonKey, UserId), GroupChange)],
    ) -> Result<(), StoreError> {
        for some in rereads.chunks(AT_ONCE) {
            let mut noted = Vec::with_capacity(some.len());
            for ((provider, person, user), change) in some {
                noted.push((
                    user.to_string(),
                    provider.to_string(),
                    person.tenant.to_string(),
                    person.object.to_string(),
                    json(change)?,
                    random::hex_digits::<16>(),
                ));
            }
            let rows = self
                .of_many(&NOTE, &noted)?
                .bind(self.now_ms())
                .fetch_all(&mut **tx)
                .await?;
            let said: HashMap<UserId, &GroupChange> = some
                .iter()
                .map(|((_, _, user), change)| (*user, change))
                .collect();
            let mut set = Vec::new();
            for row in &rows {
                let cells = Cells::new(row, "scim_rereads", "user_id");
                let (user, before): (UserId, GroupChange) = (cells.parsed("user_id")?, cells.json("change")?);
                let mut whole = before.clone();
                if let Some(change) = said.get(&user) {
                    whole.then(change);
                }
                if whole != before {
                    set.push((user.to_string(), json(&whole)?));
                }
            }
            if !set.is_empty() {
                self.of_many(&SET, &set)?.execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// What is to be read again of somebody. Who asks is to read it now: nobody else takes it up for a while
    /// ([`Store::take_rereads_left`]).
    pub async fn begin_reread(&self, user: UserId) -> Result<Option<Reread>, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let row = sqlx::query(BEGIN)
                .bind(self.now_ms())
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

    /// Takes up some of those whose groups are to be read again and whom nobody has begun with or taken up since this
    /// time (milliseconds since 1970), the longest left first. No other gateway takes them too, until as much time is
    /// over again.
    pub async fn take_rereads_left(&self, before_ms: i64, most: u32) -> Result<Vec<UserId>, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let rows = sqlx::query(TAKE)
                .bind(self.now_ms())
                .bind(before_ms)
                .bind(i64::from(most))
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

fn json(change: &GroupChange) -> Result<String, StoreError> {
    serde_json::to_string(change).map_err(|error| StoreError::Unavailable(error.into()))
}
