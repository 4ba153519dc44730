//! Tokens on their way to a program at a command line: kept sealed for a few minutes, read once, on whichever gateway
//! the program asks.

use super::row::Cells;
use super::{Store, StoreError, bounded};
use crate::crypto::digest::{Sha256, hex};

/// Transfers kept at once. Each was approved by a person and lives for minutes; more are not people.
const MOST: i64 = 10_000;

const COUNT: &str = "SELECT COUNT(*) AS kept FROM transfers";
const PUT: &str = "INSERT INTO transfers (key_hash, body, service_key, until_ms) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (key_hash) DO NOTHING";
const TAKE: &str = "DELETE FROM transfers WHERE key_hash = $1 AND until_ms > $2 \
     RETURNING key_hash, body, service_key";
const READY: &str = "SELECT key_hash FROM transfers WHERE until_ms > $1";

/// A sealed box and the key it was sealed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The box, which only the program can open.
    pub body: Vec<u8>,
    /// The gateway's public key for it.
    pub service_key: String,
}

impl Store {
    /// Keeps a transfer until `until_ms`, and wakes who waits for it on every gateway. `false` where one is kept under
    /// this name already, or too many are kept.
    pub async fn put_transfer(
        &self,
        key: &Sha256,
        transfer: &Transfer,
        until_ms: i64,
    ) -> Result<bool, StoreError> {
        bounded(async {
            let mut tx = self.begin().await?;
            let row = sqlx::query(COUNT).fetch_one(&mut *tx).await?;
            if Cells::new(&row, "transfers", "kept").int("kept")? >= MOST {
                return Ok(false);
            }
            let done = sqlx::query(PUT)
                .bind(hex(key))
                .bind(transfer.body.clone())
                .bind(transfer.service_key.as_str())
                .bind(until_ms)
                .execute(&mut *tx)
                .await?;
            self.commit_changes(tx).await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// Gives a transfer to the first who asks, and forgets it.
    pub async fn take_transfer(&self, key: &Sha256) -> Result<Option<Transfer>, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let row = sqlx::query(TAKE)
                .bind(hex(key))
                .bind(self.now_ms())
                .fetch_optional(&mut *connection)
                .await?;
            row.map(|row| {
                let cells = Cells::new(&row, "transfers", "key_hash");
                Ok(Transfer {
                    body: cells.bytes("body")?,
                    service_key: cells.text("service_key")?,
                })
            })
            .transpose()
        })
        .await
    }

    /// The names of what waits to be taken, in hexadecimal.
    pub async fn transfers_ready(&self) -> Result<Vec<String>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(READY)
                .bind(self.now_ms())
                .fetch_all(&mut *connection)
                .await?;
            rows.iter()
                .map(|row| Cells::new(row, "transfers", "key_hash").text("key_hash"))
                .collect()
        })
        .await
    }
}
