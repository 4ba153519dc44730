//! The feed of changes that every gateway follows.

use sqlx::{Any, AnyConnection, Transaction};

use super::many::{AT_ONCE, OfMany, of_many};
use super::row::Cells;
use super::{Backend, Store, StoreError, bounded, wake};
use crate::crypto::random;

/// A place in the feed: the change last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Its number; numbers become visible in order and without gaps.
    pub seq: i64,
    /// Its random id, which tells a restored database from the one that was read.
    pub id: String,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Objects were written: the snapshot must be built anew. No subject.
    Objects,
    /// Signing keys were written: likewise. No subject.
    Keys,
    /// One session ended; the subject is its nonce.
    SessionEnded,
    /// All sessions of one user ended; the subject is the user's id.
    UserEnded,
    /// All sessions of one identity provider ended; the subject is the provider's id.
    ProviderEnded,
    /// All sessions ended. No subject.
    EverybodyEnded,
    /// The identity under a session changed; the subject is the session's nonce.
    IdentityChanged,
    /// Application tokens were revoked; the subject is read by `TokensOf`, the change's number is their epoch.
    TokensRevoked,
}

impl ChangeKind {
    const ALL: [Self; 8] = [
        Self::Objects,
        Self::Keys,
        Self::SessionEnded,
        Self::UserEnded,
        Self::ProviderEnded,
        Self::EverybodyEnded,
        Self::IdentityChanged,
        Self::TokensRevoked,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Keys => "keys",
            Self::SessionEnded => "session_ended",
            Self::UserEnded => "user_ended",
            Self::ProviderEnded => "provider_ended",
            Self::EverybodyEnded => "everybody_ended",
            Self::IdentityChanged => "identity_changed",
            Self::TokensRevoked => "tokens_revoked",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub seq: i64,
    /// Its random id.
    pub id: String,
    /// What changed.
    pub kind: ChangeKind,
    /// Whom it concerns, as [`ChangeKind`] says.
    pub subject: String,
    /// When it was written, by the clock of who wrote it: milliseconds since 1970.
    pub at_ms: i64,
}

/// What came after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// Nothing.
    Same,
    /// These changes, in order, and the position behind them. More may follow: read again until [`Feed::Same`].
    Changes(Vec<Change>, Position),
    /// The position is not of this database, or too old: everything must be read anew, sessions included.
    Lost,
}

/// Changes read at once. Whoever lags further behind reads again.
const PAGE: i64 = 1000;

const HEAD: &str = "SELECT seq, id FROM changes ORDER BY seq DESC LIMIT 1";
const SINCE: &str = "SELECT seq, id, kind, subject, at_ms FROM changes WHERE seq >= $1 ORDER BY seq LIMIT $2";
const NEXT: &str = "UPDATE change_head SET seq = seq + 1 WHERE one = 1 RETURNING seq";
const APPEND: &str = "INSERT INTO changes (seq, id, kind, subject, at_ms) VALUES ($1, $2, $3, $4, $5)";
const NEXT_OF_MANY: &str = "UPDATE change_head SET seq = seq + $1 WHERE one = 1 RETURNING seq";
const APPEND_MANY: OfMany = of_many!(
    "INSERT INTO changes (seq, id, kind, subject, at_ms) \
     SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, $2, value ->> 2, $3 FROM ",
    LIST,
    ""
);

impl Store {
    /// The newest change.
    pub async fn head(&self) -> Result<Position, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            newest(&mut connection).await
        })
        .await
    }

    /// What came after `position`. Reads that position's own row again, and does not trust a database without it.
    pub async fn changes_since(&self, position: &Position) -> Result<Feed, StoreError> {
        bounded(async {
            let mut connection = self.follower().await?;
            let rows = sqlx::query(SINCE)
                .bind(position.seq)
                .bind(PAGE)
                .fetch_all(&mut *connection)
                .await?;
            let mut changes = Vec::with_capacity(rows.len().saturating_sub(1));
            let mut rows = rows.iter().map(|row| Cells::new(row, "changes", "seq"));
            let Some(own) = rows.next() else {
                return Ok(Feed::Lost);
            };
            if self::position(&own)? != *position {
                return Ok(Feed::Lost);
            }
            for cells in rows {
                changes.push(change(&cells)?);
            }
            Ok(match changes.last() {
                None => Feed::Same,
                Some(last) => {
                    let behind = Position {
                        seq: last.seq,
                        id: last.id.clone(),
                    };
                    Feed::Changes(changes, behind)
                }
            })
        })
        .await
    }

    /// Appends a change under the next number. From here to its end the transaction holds up all others that take one.
    pub(super) async fn append_next(
        &self,
        tx: &mut Transaction<'static, Any>,
        kind: ChangeKind,
        subject: &str,
    ) -> Result<Position, StoreError> {
        let row = sqlx::query(NEXT).fetch_one(&mut **tx).await?;
        let seq = Cells::new(&row, "change_head", "seq").int("seq")?;
        let id = random::hex_digits::<16>();
        sqlx::query(APPEND)
            .bind(seq)
            .bind(&id)
            .bind(kind.as_str())
            .bind(subject)
            .bind(self.now_ms())
            .execute(&mut **tx)
            .await?;
        Ok(Position { seq, id })
    }

    /// Appends a change of one kind for each subject, in their order; the last one, if there is any.
    pub(super) async fn append_all(
        &self,
        tx: &mut Transaction<'static, Any>,
        kind: ChangeKind,
        subjects: &[String],
    ) -> Result<Option<Position>, StoreError> {
        let count = i64::try_from(subjects.len()).unwrap_or(i64::MAX);
        if count == 0 {
            return Ok(None);
        }
        let row = sqlx::query(NEXT_OF_MANY).bind(count).fetch_one(&mut **tx).await?;
        let last = Cells::new(&row, "change_head", "seq").int("seq")?;
        let mut seq = last - count;
        let mut position = None;
        for subjects in subjects.chunks(AT_ONCE) {
            let mut rows = Vec::with_capacity(subjects.len());
            for subject in subjects {
                seq += 1;
                rows.push((seq, random::hex_digits::<16>(), subject));
            }
            self.of_many(&APPEND_MANY, &rows)?
                .bind(kind.as_str())
                .bind(self.now_ms())
                .execute(&mut **tx)
                .await?;
            position = rows.pop().map(|(seq, id, _)| Position { seq, id });
        }
        Ok(position)
    }

    /// Commits a transaction that appended changes, and wakes whoever follows them.
    pub(super) async fn commit_changes(&self, mut tx: Transaction<'static, Any>) -> Result<(), StoreError> {
        if self.inner.backend == Backend::Postgres {
            sqlx::query(wake::NOTIFY).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        self.inner.wake.wake();
        Ok(())
    }
}

/// The newest change that a connection sees.
pub(super) async fn newest(connection: &mut AnyConnection) -> Result<Position, StoreError> {
    let row = sqlx::query(HEAD).fetch_one(connection).await?;
    position(&Cells::new(&row, "changes", "seq"))
}

pub(super) fn position(cells: &Cells<'_>) -> Result<Position, StoreError> {
    Ok(Position {
        seq: cells.int("seq")?,
        id: cells.text("id")?,
    })
}

fn change(cells: &Cells<'_>) -> Result<Change, StoreError> {
    Ok(Change {
        seq: cells.int("seq")?,
        id: cells.text("id")?,
        kind: ChangeKind::from_text(&cells.text("kind")?).ok_or_else(|| cells.corrupt("kind"))?,
        subject: cells.text("subject")?,
        at_ms: cells.int("at_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::connect::SQLITE_READERS;
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn changes_are_followed_while_all_who_read_take_their_time() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("vestibule.db").display());
        let store = Store::open(&url.into(), Clock::system()).await.unwrap();
        let head = store.head().await.unwrap();
        let mut reading = Vec::new();
        for _ in 0..SQLITE_READERS {
            reading.push(store.reader().await.unwrap());
        }
        assert_eq!(store.changes_since(&head).await.unwrap(), Feed::Same);
        drop(reading);
        store.close().await;
    }
}
