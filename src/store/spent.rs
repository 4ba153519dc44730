//! What may be used once: login states, hand-over tickets and links to tests, by the hash of what was presented.

use super::{Store, StoreError, bounded};
use crate::crypto::digest::{Sha256, hex};

const SPEND: &str = "INSERT INTO spent (hash, until_ms) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";

const FIND: &str = "SELECT hash FROM spent WHERE hash = $1";

impl Store {
    /// Whether something was marked as used already. Only [`Store::spend`] decides who is first.
    pub async fn was_spent(&self, hash: &Sha256) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let found = sqlx::query(FIND)
                .bind(hex(hash))
                .fetch_optional(&mut *connection)
                .await?;
            Ok(found.is_some())
        })
        .await
    }

    /// Marks something as used; `true` the first time only, on whichever gateway. It is remembered until `until_ms`,
    /// after which whatever it was must have expired by itself.
    pub async fn spend(&self, hash: &Sha256, until_ms: i64) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let done = sqlx::query(SPEND)
                .bind(hex(hash))
                .bind(until_ms)
                .execute(&mut *connection)
                .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }
}
