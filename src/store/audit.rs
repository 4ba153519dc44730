//! The audit log: who changed which object, and what it was before.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::row::{Cells, storable};
use super::{Actor, ActorKind, Kind, Store, StoreError, bounded};

/// What a line of the audit log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audited {
    /// An object.
    Object(Kind),
    /// Somebody who signed in.
    User,
    /// The key that signs; the bodies name it, its id says nothing.
    SigningKey,
}

impl Audited {
    fn as_str(self) -> &'static str {
        match self {
            Self::Object(kind) => kind.as_str(),
            Self::User => "user",
            Self::SigningKey => "signing_key",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let others = [Self::User, Self::SigningKey];
        let other = others.into_iter().find(|other| other.as_str() == text);
        other.or_else(|| Kind::from_text(text).map(Self::Object))
    }
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// The change it belongs to.
    pub seq: i64,
    /// When.
    pub at_ms: i64,
    /// Who.
    pub actor: Actor,
    /// What was done, in a word: `create`, `update`, `delete`, `rotate`, `expire_seats` and others.
    pub action: String,
    /// What it was done to.
    pub kind: Audited,
    /// Its id.
    pub id: Uuid,
    /// How it was.
    pub before: Option<serde_json::Value>,
    /// How it is.
    pub after: Option<serde_json::Value>,
}

/// Lines answered at once, at most.
const PAGE_MAX: u32 = 1000;

const INSERT: &str = "INSERT INTO audit \
     (seq, nth, at_ms, actor_kind, actor_name, action, kind, id, body_before, body_after) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const NEWEST: &str = "SELECT seq, nth, at_ms, actor_kind, actor_name, action, kind, id, body_before, body_after \
     FROM audit ORDER BY seq DESC, nth DESC LIMIT $1 OFFSET $2";
/// Takes the lock that every change takes, and takes no number.
const LAST_CHANGE: &str = "UPDATE change_head SET seq = seq WHERE one = 1 RETURNING seq";
const LINES: &str = "SELECT COALESCE(MAX(nth), 0) AS lines FROM audit WHERE seq = $1";

impl Store {
    /// The audit log, newest first, `limit` lines (at most 1000) a page; pages count from 1.
    pub async fn audit(&self, limit: u32, page: u32) -> Result<Vec<AuditRow>, StoreError> {
        let limit = i64::from(limit.clamp(1, PAGE_MAX));
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(NEWEST)
                .bind(limit)
                .bind(i64::from(page.saturating_sub(1)) * limit)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(audit_row).collect()
        })
        .await
    }
}

/// What a line says. Bodies are without secrets.
pub(super) struct Line {
    pub(super) action: &'static str,
    pub(super) about: Audited,
    pub(super) id: Uuid,
    pub(super) before: Option<serde_json::Value>,
    pub(super) after: Option<serde_json::Value>,
}

/// Writes a line; `place` is the change and the line's number in it.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    place: (i64, i64),
    now_ms: i64,
    actor: &Actor,
    line: &Line,
) -> Result<(), StoreError> {
    sqlx::query(INSERT)
        .bind(place.0)
        .bind(place.1)
        .bind(now_ms)
        .bind(actor.kind.as_str())
        .bind(storable(&actor.name))
        .bind(line.action)
        .bind(line.about.as_str())
        .bind(line.id.to_string())
        .bind(line.before.as_ref().map(ToString::to_string))
        .bind(line.after.as_ref().map(ToString::to_string))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The place of a line about what no gateway has to follow: behind the lines of the last change. Until the transaction
/// ends, no change is made.
pub(super) async fn behind_last(tx: &mut Transaction<'static, Any>) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query(LAST_CHANGE).fetch_one(&mut **tx).await?;
    let seq = Cells::new(&row, "change_head", "seq").int("seq")?;
    let row = sqlx::query(LINES).bind(seq).fetch_one(&mut **tx).await?;
    let lines = Cells::new(&row, "audit", "lines").int("lines")?;
    Ok((seq, lines + 1))
}

fn audit_row(row: &AnyRow) -> Result<AuditRow, StoreError> {
    let cells = Cells::new(row, "audit", "seq");
    Ok(AuditRow {
        seq: cells.int("seq")?,
        at_ms: cells.int("at_ms")?,
        actor: Actor {
            kind: ActorKind::from_text(&cells.text("actor_kind")?)
                .ok_or_else(|| cells.corrupt("actor_kind"))?,
            name: cells.text("actor_name")?,
        },
        action: cells.text("action")?,
        kind: Audited::from_text(&cells.text("kind")?).ok_or_else(|| cells.corrupt("kind"))?,
        id: cells.parsed("id")?,
        before: cells.maybe_json("body_before")?,
        after: cells.maybe_json("body_after")?,
    })
}
