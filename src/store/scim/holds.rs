//! What was held back of a directory that seems to have lost much at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::super::row::Cells;
use super::super::{Store, StoreError, bounded};
use super::syncs::RoundEnd;
use crate::model::ids::IdpId;

/// What a round that was held back would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryHold {
    /// Since when it waits.
    pub since_ms: i64,
    /// The directory and the application that told it.
    pub source: String,
    /// What would have been taken away.
    pub losses: Losses,
}

/// What a round would take away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Who is put out: people by their objects, and by our ids where they have none.
    pub people: BTreeSet<Uuid>,
    /// Groups that go, by the same.
    pub groups: BTreeSet<Uuid>,
    /// How many members each group loses, those that go included.
    pub members: BTreeMap<Uuid, usize>,
}

impl Losses {
    /// How much it is: people, groups and memberships.
    pub fn count(&self) -> usize {
        self.people.len() + self.groups.len() + self.memberships()
    }

    /// How many memberships.
    pub fn memberships(&self) -> usize {
        self.members.values().sum()
    }

    /// Without what others are as well.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let fewer = |(group, lost): (&Uuid, &usize)| {
            let others = others.members.get(group).copied().unwrap_or(0);
            Some((*group, lost.checked_sub(others).filter(|lost| *lost > 0)?))
        };
        Self {
            people: self.people.difference(&others.people).copied().collect(),
            groups: self.groups.difference(&others.groups).copied().collect(),
            members: self.members.iter().filter_map(fewer).collect(),
        }
    }
}

const HOLD_BACK: &str = "INSERT INTO directory_holds (provider, since_ms, source, losses) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (provider) DO UPDATE SET since_ms = excluded.since_ms, source = excluded.source, \
     losses = excluded.losses";
const HELD: &str = "SELECT provider, since_ms, source, losses FROM directory_holds WHERE provider = $1";
const LET_GO: &str = "DELETE FROM directory_holds WHERE provider = $1";

impl Store {
    /// What a round would have taken away that was held back. Whether it still waits is
    /// [`DirectorySync::held_back_ms`](super::DirectorySync::held_back_ms) to say.
    pub async fn directory_hold(&self, provider: IdpId) -> Result<Option<DirectoryHold>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(HELD)
                .bind(provider.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            let read = |row| {
                let cells = Cells::new(&row, "directory_holds", "provider");
                Ok(DirectoryHold {
                    since_ms: cells.int("since_ms")?,
                    source: cells.text("source")?,
                    losses: cells.json("losses")?,
                })
            };
            row.map(read).transpose()
        })
        .await
    }
}

/// Keeps what a round held back, and forgets it once a round was done.
pub(super) async fn follow(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    end: &RoundEnd,
) -> Result<(), StoreError> {
    let query = match end {
        RoundEnd::HeldBack { hold, .. } => {
            let losses = serde_json::to_string(&hold.losses);
            let losses = losses.map_err(|error| StoreError::Unavailable(error.into()))?;
            sqlx::query(HOLD_BACK)
                .bind(provider.to_string())
                .bind(hold.since_ms)
                .bind(hold.source.clone())
                .bind(losses)
        }
        RoundEnd::Done { .. } => sqlx::query(LET_GO).bind(provider.to_string()),
        RoundEnd::Failed(_) | RoundEnd::StartOver(_) => return Ok(()),
    };
    query.execute(&mut **tx).await?;
    Ok(())
}
