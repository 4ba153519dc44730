//! Seats of people who stay away.

use serde_json::json;

use super::Manage;
use super::organization::ID;
use crate::model::ids::UserId;
use crate::store::{Actor, ActorKind, AuditEntry, Kind, StoreError};

impl Manage {
    /// Frees the seats of people who were not here since this time (milliseconds since 1970), some hundreds at a time, with
    /// a line of the audit log that names them. Answers whose they were.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be told; then none is freed.
    pub async fn free_unused_seats(&self, since_ms: i64) -> Result<Vec<UserId>, StoreError> {
        // A write waits for every other, and has every gateway build anew: not for nothing.
        if !self.store.is_seat_unused(since_ms).await? {
            return Ok(Vec::new());
        }
        let actor = Actor {
            kind: ActorKind::System,
            name: "seat expiration".to_owned(),
        };
        let mut write = self.store.write(actor).await?;
        let freed = write.free_unused_seats(since_ms).await?;
        if freed.is_empty() {
            return Ok(freed);
        }
        let entry = AuditEntry {
            action: "expire_seats",
            kind: Kind::Organization,
            id: ID,
            before: Some(json!({ "seats": freed })),
            after: None,
        };
        write.audit(&entry).await?;
        write.commit().await?;
        Ok(freed)
    }
}
