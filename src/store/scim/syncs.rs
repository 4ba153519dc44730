//! Reading directories by Graph: how far it has come, and that one gateway does it.

use serde_json::json;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::super::audit::{self, Audited, Line};
use super::super::row::{Cells, storable};
use super::super::{Actor, Kind, Store, StoreError, bounded};
use super::holds::{self, DirectoryHold};
use crate::model::ids::{IdpId, ObjectId};

/// How reading a provider's directory stands. Times are milliseconds since 1970, 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectorySync {
    /// The directory and the application that the links are of.
    pub source: Option<String>,
    /// Where the next round begins with people; `None`: with all of them.
    pub people_link: Option<String>,
    /// The same for groups.
    pub groups_link: Option<String>,
    /// Until when a gateway reads, and no other does.
    pub held_until_ms: i64,
    /// When a round was asked for last.
    pub wanted_ms: i64,
    /// When the last round began.
    pub began_ms: i64,
    /// When the last round ended, well or not.
    pub ended_ms: i64,
    /// When a round succeeded last.
    pub succeeded_ms: i64,
    /// When everything was read last, and not only what had changed.
    pub whole_ms: i64,
    /// People known then.
    pub people: i64,
    /// Groups known then.
    pub groups: i64,
    /// Why the last round failed.
    pub failure: Option<String>,
    /// Since when a round waits to be confirmed that would take much away.
    pub held_back_ms: Option<i64>,
    /// How much, as [`Losses::count`](super::Losses::count) counts.
    pub held_back: i64,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundEnd {
    /// Everything it told was done.
    Done {
        /// The directory and the application that was asked.
        source: String,
        /// Where the next round begins with people.
        people_link: String,
        /// The same for groups.
        groups_link: String,
        /// Whether everything was read.
        whole: bool,
        /// People known now.
        people: usize,
        /// Groups known now.
        groups: usize,
    },
    /// It failed. The next one begins where this one began.
    Failed(String),
    /// It would take so much away that another one has to confirm it.
    HeldBack {
        /// In words.
        why: String,
        /// What another one is measured by.
        hold: DirectoryHold,
    },
    /// Where the links lead is not known any more: the next one reads everything.
    StartOver(String),
}

const READ: &str = "SELECT provider, source, people_link, groups_link, held_until_ms, wanted_ms, began_ms, ended_ms, \
     succeeded_ms, whole_ms, people_known, groups_known, failure, held_back_ms, held_back FROM directory_syncs \
     WHERE provider = $1";
const MAKE: &str = "INSERT INTO directory_syncs (provider) VALUES ($1) ON CONFLICT (provider) DO NOTHING";
const WANT: &str = "UPDATE directory_syncs SET wanted_ms = $1 WHERE provider = $2";
/// Whoever saw the row as it was takes it, and nobody else.
const TAKE: &str = "UPDATE directory_syncs SET holder = $1, held_until_ms = $2, began_ms = $3 \
     WHERE provider = $4 AND began_ms = $5 AND held_until_ms <= $3";
const HOLD: &str = "UPDATE directory_syncs SET held_until_ms = $1 WHERE provider = $2 AND holder = $3";
const DONE: &str = "UPDATE directory_syncs SET holder = NULL, held_until_ms = 0, ended_ms = $1, succeeded_ms = $1, \
     source = $2, people_link = $3, groups_link = $4, whole_ms = CASE WHEN $5 = 1 THEN began_ms ELSE whole_ms END, \
     people_known = $6, groups_known = $7, failure = NULL, held_back_ms = NULL, held_back = 0 \
     WHERE provider = $8 AND holder = $9";
const FAILED: &str = "UPDATE directory_syncs SET holder = NULL, held_until_ms = 0, ended_ms = $1, failure = $2 \
     WHERE provider = $3 AND holder = $4";
const HELD_BACK: &str = "UPDATE directory_syncs SET holder = NULL, held_until_ms = 0, ended_ms = $1, failure = $2, \
     people_link = NULL, groups_link = NULL, held_back_ms = $3, held_back = $4 WHERE provider = $5 AND holder = $6";
const START_OVER: &str = "UPDATE directory_syncs SET holder = NULL, held_until_ms = 0, ended_ms = $1, failure = $2, \
     people_link = NULL, groups_link = NULL WHERE provider = $3 AND holder = $4";

const SIGNED_IN: &str = "SELECT DISTINCT u.object AS object FROM sessions s JOIN users u ON u.id = s.user_id \
     WHERE u.provider = $1 AND s.ended_ms IS NULL AND s.expires_ms > $2 AND s.created_ms < $3";

impl Store {
    /// Who is signed in at a provider since before this time, by object.
    pub async fn objects_signed_in(
        &self,
        provider: IdpId,
        before_ms: i64,
    ) -> Result<Vec<ObjectId>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(SIGNED_IN)
                .bind(provider.to_string())
                .bind(self.now_ms())
                .bind(before_ms)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter()
                .map(|row| Cells::new(row, "users", "object").parsed("object"))
                .collect()
        })
        .await
    }

    /// How reading a provider's directory stands; `None` where it never began.
    pub async fn directory_sync(&self, provider: IdpId) -> Result<Option<DirectorySync>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(READ)
                .bind(provider.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(sync).transpose()
        })
        .await
    }

    /// Asks for a round on somebody's word, with a line in the audit log: it confirms a round that is held back, if it says
    /// the same. Gives when, by which it can be told whether it was done.
    pub async fn want_directory_sync(&self, provider: IdpId, actor: &Actor) -> Result<i64, StoreError> {
        let now_ms = self.now_ms();
        bounded(async {
            let mut tx = self.begin().await?;
            sqlx::query(MAKE)
                .bind(provider.to_string())
                .execute(&mut *tx)
                .await?;
            sqlx::query(WANT)
                .bind(now_ms)
                .bind(provider.to_string())
                .execute(&mut *tx)
                .await?;
            let row = sqlx::query(READ)
                .bind(provider.to_string())
                .fetch_one(&mut *tx)
                .await?;
            let held_back = sync(&row)?.held_back;
            let line = Line {
                action: "start_directory_sync",
                about: Audited::Object(Kind::IdentityProvider),
                id: provider.0,
                before: (held_back > 0).then(|| json!({ "held_back": held_back })),
                after: None,
            };
            let place = audit::behind_last(&mut tx).await?;
            audit::insert(&mut tx, place, now_ms, actor, &line).await?;
            Ok(tx.commit().await?)
        })
        .await?;
        Ok(now_ms)
    }

    /// Takes a round whose row was seen like this, for so long; whether it is the caller's. Of several gateways it is one's.
    pub async fn take_directory_sync(
        &self,
        provider: IdpId,
        holder: Uuid,
        seen: Option<&DirectorySync>,
        until_ms: i64,
    ) -> Result<bool, StoreError> {
        bounded(async {
            let mut tx = self.begin().await?;
            if seen.is_none() {
                sqlx::query(MAKE)
                    .bind(provider.to_string())
                    .execute(&mut *tx)
                    .await?;
            }
            let taken = sqlx::query(TAKE)
                .bind(holder.to_string())
                .bind(until_ms)
                .bind(self.now_ms())
                .bind(provider.to_string())
                .bind(seen.map_or(0, |seen| seen.began_ms))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(taken.rows_affected() > 0)
        })
        .await
    }

    /// Holds a round on to this time; whether it still is the caller's.
    pub async fn hold_directory_sync(
        &self,
        provider: IdpId,
        holder: Uuid,
        until_ms: i64,
    ) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let held = sqlx::query(HOLD)
                .bind(until_ms)
                .bind(provider.to_string())
                .bind(holder.to_string())
                .execute(&mut *connection)
                .await?;
            Ok(held.rows_affected() > 0)
        })
        .await
    }

    /// Lets go of a round; whether it still was the caller's. Of one that was not, nothing is written.
    pub async fn end_directory_sync(
        &self,
        provider: IdpId,
        holder: Uuid,
        end: &RoundEnd,
    ) -> Result<bool, StoreError> {
        let (now_ms, holder) = (self.now_ms(), holder.to_string());
        let query = match end {
            RoundEnd::Done {
                source,
                people_link,
                groups_link,
                whole,
                people,
                groups,
            } => sqlx::query(DONE)
                .bind(now_ms)
                .bind(source.clone())
                .bind(people_link.clone())
                .bind(groups_link.clone())
                .bind(i64::from(*whole))
                .bind(count(*people))
                .bind(count(*groups)),
            RoundEnd::Failed(why) => sqlx::query(FAILED).bind(now_ms).bind(storable(why)),
            RoundEnd::StartOver(why) => sqlx::query(START_OVER).bind(now_ms).bind(storable(why)),
            RoundEnd::HeldBack { why, hold } => sqlx::query(HELD_BACK)
                .bind(now_ms)
                .bind(storable(why))
                .bind(hold.since_ms)
                .bind(count(hold.losses.count())),
        };
        bounded(async {
            let mut tx = self.begin().await?;
            let ended = query
                .bind(provider.to_string())
                .bind(holder)
                .execute(&mut *tx)
                .await?;
            let ours = ended.rows_affected() > 0;
            if ours {
                holds::follow(&mut tx, provider, end).await?;
            }
            tx.commit().await?;
            Ok(ours)
        })
        .await
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn sync(row: &AnyRow) -> Result<DirectorySync, StoreError> {
    let cells = Cells::new(row, "directory_syncs", "provider");
    Ok(DirectorySync {
        source: cells.maybe_text("source")?,
        people_link: cells.maybe_text("people_link")?,
        groups_link: cells.maybe_text("groups_link")?,
        held_until_ms: cells.int("held_until_ms")?,
        wanted_ms: cells.int("wanted_ms")?,
        began_ms: cells.int("began_ms")?,
        ended_ms: cells.int("ended_ms")?,
        succeeded_ms: cells.int("succeeded_ms")?,
        whole_ms: cells.int("whole_ms")?,
        people: cells.int("people_known")?,
        groups: cells.int("groups_known")?,
        failure: cells.maybe_text("failure")?,
        held_back_ms: cells.maybe_int("held_back_ms")?,
        held_back: cells.int("held_back")?,
    })
}
