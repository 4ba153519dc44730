//! What was held back of a directory that seems to have lost much at once.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
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
    /// Which members each group loses, those that go included.
    pub members: BTreeMap<Uuid, Members>,
}

/// Members that a group loses, each by the last four bytes of its id. That tells them apart well enough to see whether
/// they are the same ones, and there may be a million memberships.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Members(BTreeSet<[u8; 4]>);

impl Members {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Uuid> for Members {
    fn from_iter<I: IntoIterator<Item = Uuid>>(ids: I) -> Self {
        let last = |id: Uuid| {
            let [.., a, b, c, d] = id.into_bytes();
            [a, b, c, d]
        };
        Self(ids.into_iter().map(last).collect())
    }
}

impl From<Members> for String {
    fn from(members: Members) -> Self {
        let bytes: Vec<u8> = members.0.into_iter().flatten().collect();
        STANDARD_NO_PAD.encode(bytes)
    }
}

impl TryFrom<String> for Members {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD_NO_PAD.decode(text)?;
        let (members, _) = bytes.as_chunks::<4>();
        Ok(Self(members.iter().copied().collect()))
    }
}

impl Losses {
    /// How much it is: people, groups and memberships.
    pub fn count(&self) -> usize {
        self.people.len() + self.groups.len() + self.memberships()
    }

    /// How many memberships.
    pub fn memberships(&self) -> usize {
        self.members.values().map(Members::len).sum()
    }

    /// Without what others are as well.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let fewer = |(group, lost): (&Uuid, &Members)| {
            let left = match others.members.get(group) {
                Some(others) => Members(lost.0.difference(&others.0).copied().collect()),
                None => lost.clone(),
            };
            (!left.is_empty()).then_some((*group, left))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_apart_and_come_back_as_they_were_kept() {
        let members = |numbers: std::ops::Range<u128>| numbers.map(Uuid::from_u128).collect::<Members>();
        let losses = |numbers| Losses {
            members: BTreeMap::from([(Uuid::nil(), members(numbers))]),
            ..Losses::default()
        };
        let kept = serde_json::to_string(&losses(0..300)).unwrap();
        assert_eq!(serde_json::from_str::<Losses>(&kept).unwrap(), losses(0..300));
        assert_eq!(losses(0..300).count(), 300);
        assert_eq!(losses(0..300).without(&losses(100..400)).count(), 100);
        assert_eq!(losses(0..300).without(&losses(0..400)), Losses::default());
    }
}
