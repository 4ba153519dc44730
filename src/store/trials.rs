//! Trials of policies and how they came out, so that every gateway can tell.

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::row::Cells;
use super::{Store, StoreError, bounded};
use crate::model::ids::UserId;

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrialProgress {
    /// Whether it goes on.
    pub standing: TrialStanding,
    /// How many users there are.
    pub total: u64,
    /// How many batches have been gone through.
    pub batches: u64,
    /// How users came out so far.
    pub counts: TrialCounts,
}

/// How many users came out how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrialCounts {
    /// Users who would be let in.
    pub approved: u64,
    /// Users who would not.
    pub blocked: u64,
    /// Users of whom nothing certain can be said.
    pub uncertain: u64,
}

impl TrialCounts {
    /// All of them.
    pub fn all(self) -> u64 {
        self.approved + self.blocked + self.uncertain
    }

    /// Those who came out so; all where it does not matter how.
    pub fn of(self, wanted: Option<TrialOutcome>) -> u64 {
        match wanted {
            None => self.all(),
            Some(TrialOutcome::Approved) => self.approved,
            Some(TrialOutcome::Blocked) => self.blocked,
            Some(TrialOutcome::Uncertain) => self.uncertain,
        }
    }

    /// Counts one more.
    pub fn note(&mut self, outcome: TrialOutcome) {
        match outcome {
            TrialOutcome::Approved => self.approved += 1,
            TrialOutcome::Blocked => self.blocked += 1,
            TrialOutcome::Uncertain => self.uncertain += 1,
        }
    }
}

/// Whether a trial goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrialStanding {
    /// It does.
    #[default]
    UnderWay,
    /// Everybody has been asked about.
    Done,
    /// It took too long, or there are too many.
    TooLong,
    /// The store could not be read any further, or the gateway that worked on it has stopped.
    Failed,
}

impl TrialStanding {
    const ALL: [Self; 4] = [Self::UnderWay, Self::Done, Self::TooLong, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::UnderWay => "under_way",
            Self::Done => "done",
            Self::TooLong => "too_long",
            Self::Failed => "failed",
        }
    }
}

/// What policies say of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialOutcome {
    /// They let the person in, perhaps after the person has said why.
    Approved,
    /// They do not.
    Blocked,
    /// Nothing certain can be said: what the last login said is not known, or not enough.
    Uncertain,
}

impl TrialOutcome {
    fn byte(self) -> u8 {
        match self {
            Self::Approved => b'a',
            Self::Blocked => b'b',
            Self::Uncertain => b'u',
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        let all = [Self::Approved, Self::Blocked, Self::Uncertain];
        all.into_iter().find(|outcome| outcome.byte() == byte)
    }
}

/// How long a trial is kept, in milliseconds.
const KEPT_MS: i64 = 60 * 60 * 1000;
/// Trials kept, the newest ones.
const MOST_KEPT: i64 = 16;
/// A trial that nobody has worked on for so long, in milliseconds, has nobody who does. A batch takes a fraction of it.
const ABANDONED_MS: i64 = 60 * 1000;
/// An id and how it came out.
const ENTRY: usize = 17;

const BEGIN: &str = "INSERT INTO trials (id, begun_ms, touched_ms, standing, total, batches, approved, blocked, uncertain) \
     VALUES ($1, $2, $2, 'under_way', 0, 0, 0, 0, 0)";
const FORGET_OLD: &str = "DELETE FROM trials WHERE begun_ms <= $1";
/// All but the newest, and but for the one that was begun just now.
const FORGET_MANY: &str = "DELETE FROM trials WHERE id <> $1 AND id NOT IN \
     (SELECT id FROM trials WHERE id <> $1 ORDER BY begun_ms DESC, id LIMIT $2)";
const FORGET_OUTCOMES: &str = "DELETE FROM trial_outcomes WHERE NOT EXISTS (SELECT 1 FROM trials WHERE trials.id = trial_outcomes.trial)";
const NOTE: &str = "UPDATE trials SET touched_ms = $2, standing = $3, total = $4, batches = $5, approved = $6, blocked = $7, \
     uncertain = $8 WHERE id = $1";
const NOTE_OUTCOMES: &str = "INSERT INTO trial_outcomes (trial, batch, approved, blocked, uncertain, outcomes) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const ONE: &str = "SELECT id, touched_ms, standing, total, batches, approved, blocked, uncertain FROM trials \
     WHERE id = $1 AND begun_ms > $2";
const BATCHES: &str =
    "SELECT trial, batch, approved, blocked, uncertain FROM trial_outcomes WHERE trial = $1 ORDER BY batch";
const BATCH: &str = "SELECT trial, outcomes FROM trial_outcomes WHERE trial = $1 AND batch = $2";

impl Store {
    /// Begins a trial, and forgets those that are too old or too many.
    pub async fn begin_trial(&self, id: Uuid) -> Result<(), StoreError> {
        let now_ms = self.now_ms();
        bounded(async {
            let mut tx = self.begin().await?;
            sqlx::query(BEGIN)
                .bind(id.to_string())
                .bind(now_ms)
                .execute(&mut *tx)
                .await?;
            sqlx::query(FORGET_OLD)
                .bind(now_ms - KEPT_MS)
                .execute(&mut *tx)
                .await?;
            sqlx::query(FORGET_MANY)
                .bind(id.to_string())
                .bind(MOST_KEPT - 1)
                .execute(&mut *tx)
                .await?;
            sqlx::query(FORGET_OUTCOMES).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Writes down how far a trial is, with the users of the last batch, in the order of the register. Whether the trial is
    /// still kept.
    pub async fn note_trial(
        &self,
        id: Uuid,
        progress: &TrialProgress,
        outcomes: &[(UserId, TrialOutcome)],
    ) -> Result<bool, StoreError> {
        let TrialProgress {
            standing,
            total,
            batches,
            counts,
        } = *progress;
        let mut of_batch = TrialCounts::default();
        let mut packed = Vec::with_capacity(outcomes.len() * ENTRY);
        for (user, outcome) in outcomes {
            of_batch.note(*outcome);
            packed.extend_from_slice(user.0.as_bytes());
            packed.push(outcome.byte());
        }
        bounded(async {
            let mut tx = self.begin().await?;
            let noted = sqlx::query(NOTE)
                .bind(id.to_string())
                .bind(self.now_ms())
                .bind(standing.as_str())
                .bind(number(total))
                .bind(number(batches))
                .bind(number(counts.approved))
                .bind(number(counts.blocked))
                .bind(number(counts.uncertain))
                .execute(&mut *tx)
                .await?;
            if noted.rows_affected() == 0 {
                return Ok(false);
            }
            if !outcomes.is_empty() {
                sqlx::query(NOTE_OUTCOMES)
                    .bind(id.to_string())
                    .bind(number(batches))
                    .bind(number(of_batch.approved))
                    .bind(number(of_batch.blocked))
                    .bind(number(of_batch.uncertain))
                    .bind(packed)
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// How far a trial is; `None` where there is none, or none any longer.
    pub async fn trial(&self, id: Uuid) -> Result<Option<TrialProgress>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(ONE)
                .bind(id.to_string())
                .bind(self.now_ms() - KEPT_MS)
                .fetch_optional(&mut *connection)
                .await?;
            row.map(|row| self.progress(&row)).transpose()
        })
        .await
    }

    /// How users came out in a trial, a page of them in the order of the register: those who came out so, or all.
    pub async fn trial_outcomes(
        &self,
        id: Uuid,
        wanted: Option<TrialOutcome>,
        (limit, offset): (u32, u64),
    ) -> Result<Vec<(UserId, TrialOutcome)>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        bounded(async {
            let mut connection = self.reader().await?;
            let batches = sqlx::query(BATCHES)
                .bind(id.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let mut before = offset;
            let mut found = Vec::new();
            for row in &batches {
                let cells = Cells::new(row, "trial_outcomes", "trial");
                let there = counts(&cells)?.of(wanted);
                if there <= before {
                    before -= there;
                    continue;
                }
                let batch = sqlx::query(BATCH)
                    .bind(id.to_string())
                    .bind(cells.int("batch")?)
                    .fetch_optional(&mut *connection)
                    .await?;
                // Forgotten meanwhile.
                let Some(batch) = batch else { break };
                let outcomes = outcomes(&batch)?.into_iter();
                let outcomes = outcomes.filter(|(_, outcome)| wanted.is_none_or(|wanted| wanted == *outcome));
                found.extend(outcomes.skip(usize::try_from(before).unwrap_or(usize::MAX)));
                before = 0;
                if found.len() >= limit {
                    break;
                }
            }
            found.truncate(limit);
            Ok(found)
        })
        .await
    }

    fn progress(&self, row: &AnyRow) -> Result<TrialProgress, StoreError> {
        let cells = Cells::new(row, "trials", "id");
        let written = cells.text("standing")?;
        let mut standing = TrialStanding::ALL
            .into_iter()
            .find(|known| known.as_str() == written)
            .ok_or_else(|| cells.corrupt("standing"))?;
        let abandoned = self.now_ms() - cells.int("touched_ms")? > ABANDONED_MS;
        if standing == TrialStanding::UnderWay && abandoned {
            standing = TrialStanding::Failed;
        }
        Ok(TrialProgress {
            standing,
            total: count(&cells, "total")?,
            batches: count(&cells, "batches")?,
            counts: counts(&cells)?,
        })
    }
}

fn counts(cells: &Cells<'_>) -> Result<TrialCounts, StoreError> {
    Ok(TrialCounts {
        approved: count(cells, "approved")?,
        blocked: count(cells, "blocked")?,
        uncertain: count(cells, "uncertain")?,
    })
}

fn count(cells: &Cells<'_>, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(cells.int(column)?).map_err(|_| cells.corrupt(column))
}

fn outcomes(row: &AnyRow) -> Result<Vec<(UserId, TrialOutcome)>, StoreError> {
    let cells = Cells::new(row, "trial_outcomes", "trial");
    let packed = cells.bytes("outcomes")?;
    let read = packed.chunks(ENTRY).map(|entry| {
        let (outcome, id) = entry.split_last()?;
        let id = uuid::Uuid::from_slice(id).ok()?;
        Some((UserId(id), TrialOutcome::from_byte(*outcome)?))
    });
    let read: Option<Vec<_>> = read.collect();
    read.ok_or_else(|| cells.corrupt("outcomes"))
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
