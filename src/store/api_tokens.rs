//! Tokens of the API: their hashes, what they may do, and when they were last used.

use ipnet::IpNet;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::row::{Cells, storable};
use super::{Store, StoreError, bounded};
use crate::crypto::digest::{Sha256, hex};
use crate::model::permission::Permissions;

/// A token of the API. The token itself is known to its holder alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Addresses it may be used from; empty means all.
    pub addresses: Vec<IpNet>,
    /// When it ends, milliseconds since 1970; `None` means never.
    pub expires_ms: Option<i64>,
    /// Whether the configuration file declares it.
    pub declared: bool,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last used, to a minute.
    pub last_used_ms: Option<i64>,
}

const COLUMNS_OF_ALL: &str = "SELECT id, name, permissions, addresses, expires_ms, declared, created_ms, last_used_ms \
     FROM api_tokens ORDER BY name";
const BY_HASH: &str = "SELECT id, name, permissions, addresses, expires_ms, declared, created_ms, last_used_ms \
     FROM api_tokens WHERE hash = $1";
const PUT: &str = "INSERT INTO api_tokens \
     (id, name, hash, permissions, addresses, expires_ms, declared, created_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, permissions = excluded.permissions, \
     addresses = excluded.addresses, expires_ms = excluded.expires_ms, declared = excluded.declared";
const INSERT: &str = "INSERT INTO api_tokens \
     (id, name, hash, permissions, addresses, expires_ms, declared, created_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING";
const DELETE: &str = "DELETE FROM api_tokens WHERE name = $1";
const TOUCH: &str = "UPDATE api_tokens SET last_used_ms = $1 WHERE id = $2";

impl Store {
    /// The token with this hash. The look-up is by a digest of the whole token, so that its time tells nothing of it.
    pub async fn api_token(&self, hash: &Sha256) -> Result<Option<ApiToken>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(BY_HASH)
                .bind(hex(hash))
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(api_token).transpose()
        })
        .await
    }

    /// All tokens, by name.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(COLUMNS_OF_ALL).fetch_all(&mut *connection).await?;
            rows.iter().map(api_token).collect()
        })
        .await
    }

    /// Keeps a new token; whether its name was free.
    pub async fn add_api_token(&self, token: &ApiToken, hash: &Sha256) -> Result<bool, StoreError> {
        self.write_api_token(INSERT, token, hash).await
    }

    /// Keeps a token that the file declares, in the place of another of its name.
    pub async fn declare_api_token(&self, token: &ApiToken, hash: &Sha256) -> Result<(), StoreError> {
        self.write_api_token(PUT, token, hash).await.map(|_| ())
    }

    async fn write_api_token(
        &self,
        sql: &'static str,
        token: &ApiToken,
        hash: &Sha256,
    ) -> Result<bool, StoreError> {
        let permissions = serde_json::json!(token.permissions.names()).to_string();
        let addresses: Vec<String> = token.addresses.iter().map(ToString::to_string).collect();
        bounded(async {
            let mut connection = self.writer().await?;
            let done = sqlx::query(sql)
                .bind(token.id.to_string())
                .bind(storable(&token.name))
                .bind(hex(hash))
                .bind(permissions.clone())
                .bind(serde_json::json!(addresses).to_string())
                .bind(token.expires_ms)
                .bind(i64::from(token.declared))
                .bind(token.created_ms)
                .execute(&mut *connection)
                .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// Forgets a token: its next use is refused everywhere. Whether there was one.
    pub async fn delete_api_token(&self, name: &str) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let done = sqlx::query(DELETE).bind(name).execute(&mut *connection).await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// Writes down that a token was used.
    pub async fn touch_api_token(&self, id: Uuid, at_ms: i64) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(TOUCH)
                .bind(at_ms)
                .bind(id.to_string())
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }
}

fn api_token(row: &AnyRow) -> Result<ApiToken, StoreError> {
    let cells = Cells::new(row, "api_tokens", "name");
    let permissions: Vec<String> = cells.json("permissions")?;
    let addresses: Vec<String> = cells.json("addresses")?;
    let addresses: Result<Vec<IpNet>, _> = addresses.iter().map(|address| address.parse()).collect();
    Ok(ApiToken {
        id: cells.parsed("id")?,
        name: cells.text("name")?,
        permissions: Permissions::from_names(permissions.iter().map(String::as_str))
            .map_err(|_| cells.corrupt("permissions"))?,
        addresses: addresses.map_err(|_| cells.corrupt("addresses"))?,
        expires_ms: cells.maybe_int("expires_ms")?,
        declared: cells.flag("declared")?,
        created_ms: cells.int("created_ms")?,
        last_used_ms: cells.maybe_int("last_used_ms")?,
    })
}
