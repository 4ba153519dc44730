//! Who tells something of a directory, and by which rules it is written: those of its provider as it stands in the store
//! when it is.

use serde_json::{Value, json};
use sqlx::{Any, Transaction};

use super::super::audit::{self, Audited, Line};
use super::super::row::Cells;
use super::super::{Actor, Backend, Kind, Store, StoreError};
use super::ScimRules;
use super::groups::GroupWritten;
use super::updates::note;
use super::users::UserWritten;
use crate::model::ids::IdpId;

/// Somebody who tells something of a directory.
pub trait Telling: Send + Sync {
    /// By which rules it is written where the provider is like this in the store; `None` where it is not, as the
    /// directory may not tell anything, or may not any more. The snapshot that somebody came by may be older than the
    /// store: a switch that was turned meanwhile must not be slipped past.
    fn rules(&self, provider: Option<&Value>) -> Option<ScimRules<'_>>;
}

const PROVIDER: &str = "SELECT id, body FROM documents WHERE kind = $1 AND id = $2";
/// Whoever writes the provider waits until the transaction ends, or was first: it sees what was told by the rules of
/// before, and puts out whom they left in. SQLite has one writer.
const PROVIDER_STANDS: &str = "SELECT id, body FROM documents WHERE kind = $1 AND id = $2 FOR SHARE";
/// Changes nothing, but takes the row's lock: whoever takes over waits until the transaction has ended.
const STILL_HOLDS: &str = "UPDATE directory_syncs SET holder = holder WHERE provider = $1 AND holder = $2";

impl Store {
    /// Begins a write of what a directory told, and says by which rules. They stand until the transaction ends, and where a
    /// round writes it, it is still that round's to write.
    ///
    /// # Errors
    /// [`StoreError::NotTold`] and [`StoreError::LeaseLost`].
    pub(super) async fn begin_told<'t>(
        &self,
        provider: IdpId,
        telling: &'t dyn Telling,
    ) -> Result<(Transaction<'static, Any>, ScimRules<'t>), StoreError> {
        let mut tx = self.begin_brief().await?;
        let sql = match self.inner.backend {
            Backend::Sqlite => PROVIDER,
            Backend::Postgres => PROVIDER_STANDS,
        };
        let row = sqlx::query(sql)
            .bind(Kind::IdentityProvider.as_str())
            .bind(provider.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let body: Option<Value> = row
            .map(|row| Cells::new(&row, "documents", "id").json("body"))
            .transpose()?;
        let rules = telling.rules(body.as_ref()).ok_or(StoreError::NotTold)?;
        let Some(round) = rules.round else {
            return Ok((tx, rules));
        };
        let held = sqlx::query(STILL_HOLDS)
            .bind(provider.to_string())
            .bind(round.to_string())
            .execute(&mut *tx)
            .await?;
        if held.rows_affected() == 0 {
            return Err(StoreError::LeaseLost);
        }
        Ok((tx, rules))
    }

    /// Writes down that a person was made, changed or deleted, within the transaction and after all else of it.
    pub(super) async fn note_person(
        &self,
        tx: &mut Transaction<'static, Any>,
        rules: &ScimRules<'_>,
        method: &'static str,
        written: &UserWritten,
    ) -> Result<(), StoreError> {
        let row = rules.journal.map(|journal| journal.person(method, written));
        note(tx, row).await?;
        let Some(actor) = rules.actor else { return Ok(()) };
        let user = &written.user;
        let was = json!({
            "id": user.id,
            "userName": user.record.user_name(),
            "externalId": user.record.external_id(),
            "active": user.record.is_active(),
            "user": user.user,
        });
        self.audit_told(tx, actor, user.provider, ("delete_scim_user", was))
            .await
    }

    /// The same of a group.
    pub(super) async fn note_group(
        &self,
        tx: &mut Transaction<'static, Any>,
        rules: &ScimRules<'_>,
        method: &'static str,
        written: &GroupWritten,
    ) -> Result<(), StoreError> {
        let row = rules.journal.map(|journal| journal.group(method, written));
        note(tx, row).await?;
        let Some(actor) = rules.actor else { return Ok(()) };
        let group = &written.group;
        let was = json!({
            "id": group.id,
            "displayName": group.record.display_name,
            "externalId": group.record.external_id,
            "members_removed": written.removed.len(),
        });
        // A large group loses its members before.
        let action = if method == "DELETE" {
            "delete_scim_group"
        } else {
            "empty_scim_group"
        };
        self.audit_told(tx, actor, group.provider, (action, was)).await
    }

    async fn audit_told(
        &self,
        tx: &mut Transaction<'static, Any>,
        actor: &Actor,
        provider: IdpId,
        (action, before): (&'static str, Value),
    ) -> Result<(), StoreError> {
        let line = Line {
            action,
            about: Audited::Object(Kind::IdentityProvider),
            id: provider.0,
            before: Some(before),
            after: None,
        };
        let place = audit::behind_last(tx).await?;
        audit::insert(tx, place, self.now_ms(), actor, &line).await
    }
}
