//! Writing objects: one transaction for validation, writes, audit and the ending of sessions that follows from them.

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::changes::ChangeKind;
use super::{
    Audited, Document, Ending, Kind, Position, Store, StoreError, audit, bounded, documents, held,
    long_bounded, scim,
};
use crate::model::ids::{IdpId, SessionNonce};

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// Its name for people: an address, a token's name, a file.
    pub name: String,
}

/// The kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// The configuration file.
    File,
    /// A command on the machine.
    CommandLine,
    /// The gateway itself.
    System,
    /// A person on the administration pages.
    Administrator,
    /// A token of the API.
    ApiToken,
}

impl ActorKind {
    const ALL: [Self; 5] = [
        Self::File,
        Self::CommandLine,
        Self::System,
        Self::Administrator,
        Self::ApiToken,
    ];

    /// The kind as it stands in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::CommandLine => "command_line",
            Self::System => "system",
            Self::Administrator => "administrator",
            Self::ApiToken => "api_token",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One line of the audit log: what was done to which object. Bodies are without secrets, as documents are.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// What was done, in a word: `create`, `update`, `delete` and others.
    pub action: &'static str,
    /// The object's kind.
    pub kind: Kind,
    /// The object's id.
    pub id: Uuid,
    /// How it was; `None` for a new one.
    pub before: Option<serde_json::Value>,
    /// How it is; `None` for a deleted one.
    pub after: Option<serde_json::Value>,
}

/// A write of objects. It took its change number with its first statement, so no other is under way: what it reads
/// is what it writes upon. Dropped without [`ObjectWrite::commit`], it has not happened.
///
/// On SQLite it holds the one connection that writes: whoever has it must not call the [`Store`] before it is done.
#[derive(Debug)]
pub struct ObjectWrite {
    pub(super) store: Store,
    pub(super) tx: Transaction<'static, Any>,
    actor: Actor,
    // The number of this write; `position` moves on when sessions end with it.
    pub(super) seq: i64,
    position: Position,
    audited: i64,
}

impl Store {
    /// Begins a write of objects; waits for the one before it.
    pub async fn write(&self, actor: Actor) -> Result<ObjectWrite, StoreError> {
        bounded(async {
            let mut tx = self.begin().await?;
            let position = self.append_next(&mut tx, ChangeKind::Objects, "").await?;
            Ok(ObjectWrite {
                store: self.clone(),
                tx,
                actor,
                seq: position.seq,
                position,
                audited: 0,
            })
        })
        .await
    }
}

impl ObjectWrite {
    /// The objects of a kind as this write has left them so far, oldest first.
    pub async fn documents(&mut self, kind: Kind) -> Result<Vec<Document>, StoreError> {
        bounded(documents::of_kind(&mut self.tx, kind)).await
    }

    /// One object as this write has left it so far.
    pub async fn document(&mut self, kind: Kind, id: Uuid) -> Result<Option<Document>, StoreError> {
        bounded(documents::one(&mut self.tx, kind, id)).await
    }

    /// Writes an object, new or not. Version and times of the argument are ignored; the answer carries the true ones.
    pub async fn put(&mut self, document: &Document) -> Result<Document, StoreError> {
        let now_ms = self.store.now_ms();
        bounded(async {
            held::note(&mut self.tx, self.seq, document.kind, document.id).await?;
            documents::put(&mut self.tx, document, now_ms).await
        })
        .await
    }

    /// Deletes an object; whether there was one. With a provider goes what its directory told.
    pub async fn delete(&mut self, kind: Kind, id: Uuid) -> Result<bool, StoreError> {
        let there = bounded(async {
            held::note(&mut self.tx, self.seq, kind, id).await?;
            documents::delete(&mut self.tx, kind, id).await
        })
        .await?;
        // Whoever tells something holds the provider; from here on nobody does.
        if kind == Kind::IdentityProvider {
            bounded(scim::forget_provider(&mut self.tx, IdpId(id))).await?;
        }
        Ok(there)
    }

    /// Puts the hash of a new SCIM secret in the place of the one before, which is good no longer.
    pub async fn set_scim_secret(&mut self, provider: IdpId, hash: &str) -> Result<(), StoreError> {
        let now_ms = self.store.now_ms();
        bounded(scim::set_secret(&mut self.tx, provider, hash, now_ms)).await
    }

    /// The SCIM secret that was generated last for a provider is good no longer.
    pub async fn forget_scim_secret(&mut self, provider: IdpId) -> Result<(), StoreError> {
        bounded(scim::forget_secret(&mut self.tx, provider)).await
    }

    /// Puts out whoever a provider's directory has deactivated or deleted by now: what they have open ends with this
    /// write, and logins under way are refused by the provider as it has left it. Answers how many people had something
    /// open.
    pub async fn put_out_inactive(
        &mut self,
        provider: IdpId,
        frees_seats: bool,
        cause: &str,
    ) -> Result<usize, StoreError> {
        let (store, tx) = (self.store.clone(), &mut self.tx);
        let at = (self.seq, store.now_ms());
        let (people, last) = long_bounded(async {
            // Whoever signs in for the first time at this moment is no user yet, and would be missed.
            store.hold_logins(tx).await?;
            let signed_in = scim::put_out_inactive(tx, provider, frees_seats, at).await?;
            let ended = store.mark_users(tx, &signed_in, cause).await?;
            Ok((ended.len(), store.tell_users(tx, &ended).await?))
        })
        .await?;
        if let Some(last) = last {
            self.position = last;
        }
        Ok(people)
    }

    /// Writes a line of the audit log.
    pub async fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.audited += 1;
        let place = (self.seq, self.audited);
        let now_ms = self.store.now_ms();
        let line = audit::Line {
            action: entry.action,
            about: Audited::Object(entry.kind),
            id: entry.id,
            before: entry.before.clone(),
            after: entry.after.clone(),
        };
        bounded(async {
            // Also where only the log tells of it: else whoever holds objects would have to read all of them anew.
            held::note(&mut self.tx, self.seq, entry.kind, entry.id).await?;
            audit::insert(&mut self.tx, place, now_ms, &self.actor, &line).await
        })
        .await
    }

    /// Ends sessions with this write: both happen or neither. Answers which ones ended.
    pub async fn end_sessions(
        &mut self,
        ending: &Ending,
        cause: &str,
    ) -> Result<Vec<SessionNonce>, StoreError> {
        let (ended, last) = bounded(self.store.end_within(&mut self.tx, ending, cause)).await?;
        if let Some(last) = last {
            self.position = last;
        }
        Ok(ended)
    }

    /// Makes the write happen; the position of its last change.
    pub async fn commit(self) -> Result<Position, StoreError> {
        bounded(self.store.commit_changes(self.tx)).await?;
        Ok(self.position)
    }
}
