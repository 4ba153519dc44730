//! The secrets that SCIM clients show: of each, only the hash is kept.

use sqlx::{Any, Transaction};

use super::super::row::Cells;
use super::super::{Store, StoreError, bounded};
use crate::model::ids::IdpId;

const SET: &str = "INSERT INTO scim_secrets (provider, hash, created_ms) VALUES ($1, $2, $3) \
     ON CONFLICT (provider) DO UPDATE SET hash = excluded.hash, created_ms = excluded.created_ms";
const HASHES: &str = "SELECT hash FROM scim_secrets";
const HASH: &str = "SELECT hash FROM scim_secrets WHERE provider = $1";
const FORGET_SECRET: &str = "DELETE FROM scim_secrets WHERE provider = $1";
/// A round's write that is under way holds the first, and there is none behind it any more.
const FORGET: [&str; 11] = [
    "DELETE FROM directory_syncs WHERE provider = $1",
    "DELETE FROM scim_members WHERE scim_group IN (SELECT id FROM scim_groups WHERE provider = $1)",
    "DELETE FROM scim_emails WHERE scim_user IN (SELECT id FROM scim_users WHERE provider = $1)",
    "DELETE FROM scim_users WHERE provider = $1",
    "DELETE FROM scim_groups WHERE provider = $1",
    "DELETE FROM scim_tombstones WHERE provider = $1",
    "DELETE FROM scim_buried_addresses WHERE provider = $1",
    "DELETE FROM scim_taken WHERE provider = $1",
    "DELETE FROM scim_rereads WHERE provider = $1",
    "DELETE FROM directory_members WHERE provider = $1",
    "DELETE FROM directory_holds WHERE provider = $1",
];

impl Store {
    /// SHA-256 of the secret that was generated last for a provider, in hexadecimal. Asked for with every request, so
    /// that one that was replaced is good nowhere from that moment on.
    pub async fn scim_secret_hash(&self, provider: IdpId) -> Result<Option<String>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(HASH)
                .bind(provider.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.map(|row| Cells::new(&row, "scim_secrets", "hash").text("hash"))
                .transpose()
        })
        .await
    }

    /// The hashes of all secrets that were generated last, one of each provider.
    pub async fn scim_secret_hashes(&self) -> Result<Vec<String>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(HASHES).fetch_all(&mut *connection).await?;
            let hash = |row| Cells::new(row, "scim_secrets", "hash").text("hash");
            rows.iter().map(hash).collect()
        })
        .await
    }
}

/// Puts the hash of a new secret in the place of the one before.
pub(in super::super) async fn set(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    hash: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(SET)
        .bind(provider.to_string())
        .bind(hash.to_owned())
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets the hash: the secret is good no longer.
pub(in super::super) async fn forget(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
) -> Result<(), StoreError> {
    sqlx::query(FORGET_SECRET)
        .bind(provider.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets everything that the directory of a provider told. What was written down of it stays.
pub(in super::super) async fn forget_provider(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
) -> Result<(), StoreError> {
    for sql in FORGET {
        sqlx::query(sql)
            .bind(provider.to_string())
            .execute(&mut **tx)
            .await?;
    }
    forget(tx, provider).await
}
