//! When service tokens, and tokens of the API, were last let in.

use std::collections::HashMap;

use sqlx::any::AnyRow;

use super::many::{AT_ONCE, OfMany, of_many};
use super::row::Cells;
use super::{Store, StoreError, bounded};
use crate::model::ids::{ApiTokenId, ServiceTokenId};

const TOUCH: &str = "INSERT INTO service_token_uses (id, last_seen_ms) VALUES ($1, $2) \
     ON CONFLICT (id) DO UPDATE SET last_seen_ms = excluded.last_seen_ms \
     WHERE service_token_uses.last_seen_ms < excluded.last_seen_ms";
const ALL: &str = "SELECT id, last_seen_ms FROM service_token_uses";
const SOME: OfMany = of_many!(
    "SELECT id, last_seen_ms FROM service_token_uses WHERE id IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);
const FORGET: &str = "DELETE FROM service_token_uses WHERE id NOT IN \
     (SELECT id FROM documents WHERE kind IN ('service_token', 'api_token'))";

impl Store {
    /// Writes down when service tokens were last let in. Never moves backwards, so gateways may report in any order.
    pub async fn touch_service_tokens(&self, uses: &[(ServiceTokenId, i64)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        // One order for all gateways, so that two of them cannot each hold what the other waits for.
        let mut uses: Vec<_> = uses.iter().collect();
        uses.sort_unstable();
        bounded(async {
            let mut tx = self.begin().await?;
            for (id, at_ms) in uses {
                sqlx::query(TOUCH)
                    .bind(id.to_string())
                    .bind(*at_ms)
                    .execute(&mut *tx)
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// When each service token was last let in, milliseconds since 1970; one that never was is not among them.
    pub async fn service_token_uses(&self) -> Result<HashMap<ServiceTokenId, i64>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(ALL).fetch_all(&mut *connection).await?;
            rows.iter().map(used).collect()
        })
        .await
    }

    /// The same of these tokens.
    pub async fn service_token_uses_of(
        &self,
        ids: &[ServiceTokenId],
    ) -> Result<HashMap<ServiceTokenId, i64>, StoreError> {
        bounded(async {
            let mut uses = HashMap::new();
            if ids.is_empty() {
                return Ok(uses);
            }
            let mut connection = self.reader().await?;
            for ids in ids.chunks(AT_ONCE) {
                let ids: Vec<(String,)> = ids.iter().map(|id| (id.to_string(),)).collect();
                let asked = self.of_many(&SOME, &ids)?;
                for row in asked.fetch_all(&mut *connection).await? {
                    uses.extend([used(&row)?]);
                }
            }
            Ok(uses)
        })
        .await
    }

    /// Writes down when a token of the API was last used.
    pub async fn touch_api_token(&self, id: ApiTokenId, at_ms: i64) -> Result<(), StoreError> {
        self.touch_service_tokens(&[(ServiceTokenId(id.0), at_ms)]).await
    }

    /// Forgets the uses of tokens that are there no more.
    pub async fn forget_service_token_uses(&self) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(FORGET).execute(&mut *connection).await?;
            Ok(())
        })
        .await
    }
}

fn used(row: &AnyRow) -> Result<(ServiceTokenId, i64), StoreError> {
    let cells = Cells::new(row, "service_token_uses", "id");
    Ok((cells.parsed("id")?, cells.int("last_seen_ms")?))
}
