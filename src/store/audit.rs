//! The audit log: who changed which object, and what it was before.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::row::{Cells, storable};
use super::{Actor, ActorKind, AuditEntry, Kind, Store, StoreError, bounded};

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// The change it belongs to.
    pub seq: i64,
    /// When.
    pub at_ms: i64,
    /// Who.
    pub actor: Actor,
    /// What was done: `create`, `update`, `delete`.
    pub action: String,
    /// The object's kind.
    pub kind: Kind,
    /// The object's id.
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

/// Writes a line; `place` is the change and the line's number in it.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    place: (i64, i64),
    now_ms: i64,
    actor: &Actor,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    sqlx::query(INSERT)
        .bind(place.0)
        .bind(place.1)
        .bind(now_ms)
        .bind(actor.kind.as_str())
        .bind(storable(&actor.name))
        .bind(entry.action)
        .bind(entry.kind.as_str())
        .bind(entry.id.to_string())
        .bind(entry.before.as_ref().map(ToString::to_string))
        .bind(entry.after.as_ref().map(ToString::to_string))
        .execute(&mut **tx)
        .await?;
    Ok(())
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
        kind: Kind::from_text(&cells.text("kind")?).ok_or_else(|| cells.corrupt("kind"))?,
        id: cells.parsed("id")?,
        before: cells.maybe_json("body_before")?,
        after: cells.maybe_json("body_after")?,
    })
}
