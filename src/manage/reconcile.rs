//! Making the store's objects as the file declares them.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::applied::{Applied, Standing};
use super::plan::{Planned, kind};
use super::stored::Stored;
use super::validate::Beside;
use super::{Manage, ManageError, written};
use crate::config::declared::Declared;
use crate::store::{Actor, Document, Kind, Object, ObjectWrite, StoreError};

/// What became of declarations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The store's objects are as declared.
    Reconciled(Reconciled),
    /// A newer file has been applied since; nothing was changed.
    Superseded(Superseded),
}

/// What becomes of declarations that have been applied, and other ones after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OlderFile<'f> {
    /// They are left alone: a gateway that missed a roll-out must not undo it.
    LeftAlone,
    /// They are applied if what this fingerprint ([`Manage::fingerprint`]) stands for was applied last: the file said
    /// that until now, so it was put back on purpose.
    AppliedAfter(&'f str),
    /// They are applied.
    Applied,
}

/// How many objects had to be changed to be as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// Objects that are new.
    pub created: usize,
    /// Objects that changed.
    pub updated: usize,
    /// Objects that are no longer declared, and gone.
    pub deleted: usize,
}

/// A newer file has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superseded {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Manage {
    /// Makes declared objects as declared, and deletes those that were declared and are no longer. Sessions of a
    /// provider that goes, or becomes another directory's, end with it. Done again, it changes nothing.
    ///
    /// `older` says what becomes of them where a newer file has superseded them.
    ///
    /// # Errors
    /// [`ManageError::Refused`] where some object cannot stand; then nothing was written.
    pub async fn reconcile(
        &self,
        declared: &[Declared],
        actor: Actor,
        older: OlderFile<'_>,
    ) -> Result<Outcome, ManageError> {
        let fingerprint = self.fingerprint(declared);
        let mut write = self.store.write(actor).await?;
        let applied = Applied::read(&mut write).await?;
        let standing = applied.standing(&fingerprint);
        let put_back = match older {
            OlderFile::LeftAlone => false,
            OlderFile::AppliedAfter(present) => applied.standing(present) == Standing::Newest,
            OlderFile::Applied => true,
        };
        if let (Standing::Superseded(at_ms), false) = (standing, put_back) {
            return Ok(Outcome::Superseded(Superseded { at_ms }));
        }
        let stored = Stored::before(&mut write).await?;
        let Work { planned, gone } = self.work(declared, &stored)?;
        let reconciled = apply(&mut write, &planned, &gone).await?;
        if reconciled == Reconciled::default() && standing == Standing::Newest {
            // Nothing to do: the write is dropped, and no replica is woken for it.
            return Ok(Outcome::Reconciled(reconciled));
        }
        write
            .put(&applied.with_newest(&fingerprint, self.clock.now_ms()))
            .await?;
        write.commit().await?;
        Ok(Outcome::Reconciled(reconciled))
    }

    /// What is to be done for the store's objects to be as declared.
    ///
    /// # Errors
    /// [`ManageError::Refused`] where some object cannot stand.
    pub(super) fn work(&self, declared: &[Declared], stored: &Stored) -> Result<Work, ManageError> {
        let planned: Vec<Planned> = declared
            .iter()
            .map(|declared| self.plan(declared, stored))
            .collect();
        let ids: HashSet<(Kind, Uuid)> = declared
            .iter()
            .map(|declared| (kind(declared.kind), declared.id))
            .collect();
        let undeclared = |object: &&Arc<Object>| !ids.contains(&(object.kind, object.id));
        let gone = stored.all().filter(undeclared).filter(|object| object.declared);
        let gone: Vec<Document> = gone.map(|object| object.document()).collect();
        let without = gone.iter().map(|document| (document.kind, document.id)).collect();
        self.validate(&planned, Beside::without(stored, without))?;
        Ok(Work { planned, gone })
    }
}

/// What is to be done for the store's objects to be as declared.
pub(super) struct Work {
    /// The declared ones, changed or not.
    pub(super) planned: Vec<Planned>,
    /// Those that are no longer declared.
    pub(super) gone: Vec<Document>,
}

async fn apply(
    write: &mut ObjectWrite,
    planned: &[Planned],
    gone: &[Document],
) -> Result<Reconciled, StoreError> {
    let mut reconciled = Reconciled::default();
    for planned in planned.iter().filter(|planned| planned.changes) {
        written::put(write, planned.before.as_ref(), &planned.document).await?;
        match planned.before {
            Some(_) => reconciled.updated += 1,
            None => reconciled.created += 1,
        }
    }
    for document in gone {
        written::delete(write, document).await?;
        reconciled.deleted += 1;
    }
    Ok(reconciled)
}
