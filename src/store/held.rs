//! The objects that this process holds, and how they are kept up with the store.
//!
//! An account may have ten thousand of them, and a write touches one. So whoever needs them all gets what this process
//! holds already, and of the database only what was written since is read: `written_objects` says what that is. Where
//! it does not (another release wrote, the database was restored, or it is long ago), everything is read anew.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::changes::{newest, position};
use super::documents::{self, Kind};
use super::objects::{Object, Objects};
use super::row::Cells;
use super::{ObjectWrite, Position, Store, StoreError, bounded};

/// Objects read anew one by one, at most; of more than these all are read.
const MOST_ANEW: usize = 500;

const BEFORE: &str = "SELECT seq, id FROM changes WHERE seq < $1 ORDER BY seq DESC LIMIT 1";
const IS_THERE: &str = "SELECT seq, id FROM changes WHERE seq = $1";
const CHANGED: &str = "SELECT seq FROM changes WHERE kind = 'objects' AND seq > $1 AND seq <= $2";
const WRITTEN: &str = "SELECT seq, kind, id FROM written_objects WHERE seq > $1 AND seq <= $2";
const WRITE: &str =
    "INSERT INTO written_objects (seq, kind, id) VALUES ($1, $2, $3) ON CONFLICT (seq, kind, id) DO NOTHING";
/// Each by the index, which one question about both could not use.
const LAST: &str = "SELECT MAX(seq) AS seq FROM changes WHERE kind = 'objects' \
     UNION ALL SELECT MAX(seq) AS seq FROM changes WHERE kind = 'keys'";
pub(super) const FORGET: &str = "DELETE FROM written_objects WHERE seq < (SELECT MIN(seq) FROM changes)";

impl Store {
    /// All objects and the change they stand at: one state, whatever is written meanwhile.
    pub async fn objects(&self) -> Result<(Position, Objects), StoreError> {
        bounded(async {
            let mut tx = self.begin_read().await?;
            let head = newest(&mut tx).await?;
            let objects = self.objects_at(&mut tx, &head).await?;
            tx.commit().await?;
            Ok((head, objects))
        })
        .await
    }

    /// The number of the last change of objects or keys; 0 where that is long ago.
    pub async fn last_change_of_objects(&self) -> Result<i64, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let mut last = 0;
            for row in sqlx::query(LAST).fetch_all(&mut *connection).await? {
                let seq = Cells::new(&row, "changes", "seq").maybe_int("seq")?;
                last = last.max(seq.unwrap_or(0));
            }
            Ok(last)
        })
        .await
    }

    /// The objects as they stand at a change, which is the last that the transaction sees.
    async fn objects_at(
        &self,
        tx: &mut Transaction<'static, Any>,
        head: &Position,
    ) -> Result<Objects, StoreError> {
        let known = self.held().clone();
        let caught_up = match known {
            Some((at, objects)) if at == *head => return Ok(objects),
            Some((at, objects)) => caught_up(tx, objects, &at, head).await?,
            None => None,
        };
        let objects = match caught_up {
            Some(objects) => objects,
            None => read_all(tx).await?,
        };
        *self.held() = Some((head.clone(), objects.clone()));
        Ok(objects)
    }

    fn held(&self) -> MutexGuard<'_, Option<(Position, Objects)>> {
        self.inner.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectWrite {
    /// All objects as they stood before this write; to be asked before it writes.
    pub async fn objects(&mut self) -> Result<Objects, StoreError> {
        bounded(async {
            // No other write is under way, so nothing is missing among those before.
            let row = sqlx::query(BEFORE)
                .bind(self.seq)
                .fetch_one(&mut *self.tx)
                .await?;
            let before = position(&Cells::new(&row, "changes", "seq"))?;
            self.store.objects_at(&mut self.tx, &before).await
        })
        .await
    }
}

/// Writes down that a change wrote an object.
pub(super) async fn note(
    tx: &mut Transaction<'static, Any>,
    seq: i64,
    kind: Kind,
    id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query(WRITE)
        .bind(seq)
        .bind(kind.as_str())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Objects that were held, with what was written since; `None` where that cannot be told.
async fn caught_up(
    tx: &mut Transaction<'static, Any>,
    mut objects: Objects,
    from: &Position,
    to: &Position,
) -> Result<Option<Objects>, StoreError> {
    let own = sqlx::query(IS_THERE)
        .bind(from.seq)
        .fetch_optional(&mut **tx)
        .await?;
    let own = own
        .map(|row| position(&Cells::new(&row, "changes", "seq")))
        .transpose()?;
    if own.as_ref() != Some(from) {
        return Ok(None);
    }
    let changed = sqlx::query(CHANGED)
        .bind(from.seq)
        .bind(to.seq)
        .fetch_all(&mut **tx)
        .await?;
    let written = sqlx::query(WRITTEN)
        .bind(from.seq)
        .bind(to.seq)
        .fetch_all(&mut **tx)
        .await?;
    let (mut told, mut touched) = (BTreeSet::new(), BTreeSet::new());
    for row in &written {
        let cells = Cells::new(row, "written_objects", "seq");
        let kind = Kind::from_text(&cells.text("kind")?).ok_or_else(|| cells.corrupt("kind"))?;
        told.insert(cells.int("seq")?);
        touched.insert((kind, cells.parsed("id")?));
    }
    for row in &changed {
        if !told.contains(&Cells::new(row, "changes", "seq").int("seq")?) {
            return Ok(None);
        }
    }
    if touched.len() > MOST_ANEW {
        return Ok(None);
    }
    for (kind, id) in touched {
        let row = documents::row_of(tx, kind, id).await?;
        objects.put(kind, id, row.as_ref().map(object).transpose()?);
    }
    Ok(Some(objects))
}

async fn read_all(tx: &mut Transaction<'static, Any>) -> Result<Objects, StoreError> {
    let mut objects = Objects::default();
    for row in documents::rows(tx).await? {
        objects.take_in(object(&row)?);
    }
    Ok(objects.in_order())
}

fn object(row: &AnyRow) -> Result<Arc<Object>, StoreError> {
    let body = Cells::new(row, "documents", "id").text("body")?;
    Ok(Arc::new(Object::new(
        documents::document(row)?,
        body.into_boxed_str(),
    )))
}
