//! What is written with an object: its line in the audit log, and what follows from it for sessions.

use serde_json::Value;

use super::scim::settings_changed;
use crate::config::clouds;
use crate::model::ids::IdpId;
use crate::session::table::Cause;
use crate::store::{AuditEntry, Document, Ending, Kind, ObjectWrite, StoreError};

/// Puts an object in the place of `before`, or makes it; how it stands now. What follows from another provider of the same
/// id: sessions of one that becomes another directory's end, and its directory may bring about what it says.
pub(super) async fn put(
    write: &mut ObjectWrite,
    before: Option<&Document>,
    after: &Document,
) -> Result<Document, StoreError> {
    let document = write.put(after).await?;
    let entry = AuditEntry {
        action: if before.is_some() { "update" } else { "create" },
        kind: document.kind,
        id: document.id,
        before: before.map(|before| before.body.clone()),
        after: Some(document.body.clone()),
    };
    write.audit(&entry).await?;
    if let (Kind::IdentityProvider, Some(before)) = (document.kind, before) {
        if other_directory(&before.body, &document.body) {
            end_sessions_of(write, &document).await?;
        }
        settings_changed(write, before, &document).await?;
    }
    Ok(document)
}

/// Deletes an object. Sessions of a provider end with it.
pub(super) async fn delete(write: &mut ObjectWrite, document: &Document) -> Result<(), StoreError> {
    write.delete(document.kind, document.id).await?;
    let entry = AuditEntry {
        action: "delete",
        kind: document.kind,
        id: document.id,
        before: Some(document.body.clone()),
        after: None,
    };
    write.audit(&entry).await?;
    if document.kind == Kind::IdentityProvider {
        end_sessions_of(write, document).await?;
    }
    Ok(())
}

/// Whether a provider now vouches for other people: whoever signed in before did so somewhere else.
fn other_directory(before: &Value, after: &Value) -> bool {
    let place = |body: &Value, key: &str| body.pointer(key).and_then(Value::as_str).map(str::to_owned);
    let cloud =
        |body: &Value| place(body, "/config/azure_cloud").unwrap_or_else(|| clouds::DEFAULT.to_owned());
    let registration = |body: &Value| {
        (
            place(body, "/config/directory_id"),
            place(body, "/config/client_id"),
        )
    };
    registration(before) != registration(after) || cloud(before) != cloud(after)
}

async fn end_sessions_of(write: &mut ObjectWrite, provider: &Document) -> Result<(), StoreError> {
    let ending = Ending::Provider(IdpId(provider.id));
    write.end_sessions(&ending, Cause::ProviderChanged.word()).await?;
    Ok(())
}
