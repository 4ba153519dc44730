//! The provisioning log: every request of SCIM, with its body and what followed.

use std::net::IpAddr;

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::super::row::{Cells, maybe_storable, storable};
use super::super::{Store, StoreError, bounded};
use crate::model::ids::IdpId;

/// A request of SCIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimUpdate {
    /// The request's id.
    pub request_id: String,
    /// When.
    pub at_ms: i64,
    /// Whose directory.
    pub provider: IdpId,
    /// The method.
    pub method: String,
    /// `USER`, `GROUP` or nothing that is either.
    pub resource_type: Option<String>,
    /// Our id of the resource.
    pub resource: Option<String>,
    /// The directory's id of it.
    pub external_id: Option<String>,
    /// A person's address, or else name.
    pub user_email: Option<String>,
    /// A group's name.
    pub group_name: Option<String>,
    /// Whether it was carried out.
    pub succeeded: bool,
    /// The status of the answer.
    pub status: u16,
    /// Why it was not carried out.
    pub error: Option<String>,
    /// What was sent, without secrets, as far as it fits.
    pub body: Option<String>,
    /// What followed for users and sessions.
    pub effect: Option<String>,
    /// From where.
    pub address: IpAddr,
    /// Who asked in the directory's place; `None` for the directory itself.
    pub actor: Option<String>,
}

/// Which requests to read. The default reads the newest 20 of every provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimUpdateFilter {
    /// Of this provider only.
    pub provider: Option<IdpId>,
    /// Carried out, or not.
    pub succeeded: Option<bool>,
    /// `USER` or `GROUP` only.
    pub resource_type: Option<String>,
    /// With this method only.
    pub method: Option<String>,
    /// About this address only.
    pub user_email: Option<String>,
    /// About this group only.
    pub group_name: Option<String>,
    /// About this resource only, by our id.
    pub resource: Option<String>,
    /// About this resource only, by the directory's id.
    pub external_id: Option<String>,
    /// Not before this time (milliseconds).
    pub since_ms: Option<i64>,
    /// Before this time (milliseconds).
    pub until_ms: Option<i64>,
    /// The oldest first.
    pub oldest_first: bool,
    /// How many a page, at most 1000.
    pub limit: u32,
    /// Which page, from 1.
    pub page: u32,
}

impl Default for ScimUpdateFilter {
    fn default() -> Self {
        Self {
            provider: None,
            succeeded: None,
            resource_type: None,
            method: None,
            user_email: None,
            group_name: None,
            resource: None,
            external_id: None,
            since_ms: None,
            until_ms: None,
            oldest_first: false,
            limit: 20,
            page: 1,
        }
    }
}

/// Rows answered at once, at most.
const PAGE_MAX: u32 = 1000;

const INSERT: &str = "INSERT INTO scim_updates \
     (id, request_id, at_ms, provider, method, resource_type, resource, external_id, user_email, group_name, succeeded, \
     status, error, body, effect, address, actor) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const NEWEST: &str = "SELECT id, request_id, at_ms, provider, method, resource_type, resource, external_id, user_email, \
     group_name, succeeded, status, error, body, effect, address, actor FROM scim_updates \
     WHERE ($1 IS NULL OR provider = $1) AND ($2 IS NULL OR succeeded = $2) \
     AND ($3 IS NULL OR resource_type = $3) AND ($4 IS NULL OR method = $4) AND ($5 IS NULL OR user_email = $5) \
     AND ($6 IS NULL OR group_name = $6) AND ($7 IS NULL OR resource = $7) AND ($8 IS NULL OR external_id = $8) \
     AND ($9 IS NULL OR at_ms >= $9) AND ($10 IS NULL OR at_ms < $10) \
     ORDER BY at_ms DESC, id DESC LIMIT $11 OFFSET $12";
const OLDEST: &str = "SELECT id, request_id, at_ms, provider, method, resource_type, resource, external_id, user_email, \
     group_name, succeeded, status, error, body, effect, address, actor FROM scim_updates \
     WHERE ($1 IS NULL OR provider = $1) AND ($2 IS NULL OR succeeded = $2) \
     AND ($3 IS NULL OR resource_type = $3) AND ($4 IS NULL OR method = $4) AND ($5 IS NULL OR user_email = $5) \
     AND ($6 IS NULL OR group_name = $6) AND ($7 IS NULL OR resource = $7) AND ($8 IS NULL OR external_id = $8) \
     AND ($9 IS NULL OR at_ms >= $9) AND ($10 IS NULL OR at_ms < $10) \
     ORDER BY at_ms, id LIMIT $11 OFFSET $12";
/// Whoever has not shown the secret is not heard, nor is whoever asked in the directory's place.
const LAST: &str =
    "SELECT MAX(at_ms) AS at_ms FROM scim_updates WHERE provider = $1 AND status <> 401 AND actor IS NULL";
const FORGET: &str = "DELETE FROM scim_updates WHERE at_ms < $1 AND ($2 IS NULL OR provider = $2)";

impl Store {
    /// Writes down requests, all of them or none.
    pub async fn log_scim(&self, updates: &[ScimUpdate]) -> Result<(), StoreError> {
        bounded(async {
            let mut tx = self.begin().await?;
            for update in updates {
                sqlx::query(INSERT)
                    .bind(Uuid::new_v4().to_string())
                    .bind(storable(&update.request_id))
                    .bind(update.at_ms)
                    .bind(update.provider.to_string())
                    .bind(storable(&update.method))
                    .bind(maybe_storable(update.resource_type.as_deref()))
                    .bind(maybe_storable(update.resource.as_deref()))
                    .bind(maybe_storable(update.external_id.as_deref()))
                    .bind(maybe_storable(update.user_email.as_deref()))
                    .bind(maybe_storable(update.group_name.as_deref()))
                    .bind(i64::from(update.succeeded))
                    .bind(i64::from(update.status))
                    .bind(maybe_storable(update.error.as_deref()))
                    .bind(maybe_storable(update.body.as_deref()))
                    .bind(maybe_storable(update.effect.as_deref()))
                    .bind(update.address.to_string())
                    .bind(maybe_storable(update.actor.as_deref()))
                    .execute(&mut *tx)
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Reads the log.
    pub async fn scim_updates(&self, filter: &ScimUpdateFilter) -> Result<Vec<ScimUpdate>, StoreError> {
        let limit = i64::from(filter.limit.clamp(1, PAGE_MAX));
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(if filter.oldest_first { OLDEST } else { NEWEST })
                .bind(filter.provider.map(|provider| provider.to_string()))
                .bind(filter.succeeded.map(i64::from))
                .bind(maybe_storable(filter.resource_type.as_deref()))
                .bind(maybe_storable(filter.method.as_deref()))
                .bind(maybe_storable(filter.user_email.as_deref()))
                .bind(maybe_storable(filter.group_name.as_deref()))
                .bind(maybe_storable(filter.resource.as_deref()))
                .bind(maybe_storable(filter.external_id.as_deref()))
                .bind(filter.since_ms)
                .bind(filter.until_ms)
                .bind(limit)
                .bind(i64::from(filter.page.saturating_sub(1)) * limit)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(update).collect()
        })
        .await
    }

    /// When a provider's directory was last heard of, milliseconds since 1970.
    pub async fn last_scim_update(&self, provider: IdpId) -> Result<Option<i64>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(LAST)
                .bind(provider.to_string())
                .fetch_one(&mut *connection)
                .await?;
            Cells::new(&row, "scim_updates", "at_ms").maybe_int("at_ms")
        })
        .await
    }

    /// Deletes what was written down before this time: of a provider, or of all.
    pub async fn forget_scim_updates(
        &self,
        provider: Option<IdpId>,
        before_ms: i64,
    ) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(FORGET)
                .bind(before_ms)
                .bind(provider.map(|provider| provider.to_string()))
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }
}

fn update(row: &AnyRow) -> Result<ScimUpdate, StoreError> {
    let cells = Cells::new(row, "scim_updates", "id");
    Ok(ScimUpdate {
        request_id: cells.text("request_id")?,
        at_ms: cells.int("at_ms")?,
        provider: cells.parsed("provider")?,
        method: cells.text("method")?,
        resource_type: cells.maybe_text("resource_type")?,
        resource: cells.maybe_text("resource")?,
        external_id: cells.maybe_text("external_id")?,
        user_email: cells.maybe_text("user_email")?,
        group_name: cells.maybe_text("group_name")?,
        succeeded: cells.flag("succeeded")?,
        status: u16::try_from(cells.int("status")?).map_err(|_| cells.corrupt("status"))?,
        error: cells.maybe_text("error")?,
        body: cells.maybe_text("body")?,
        effect: cells.maybe_text("effect")?,
        address: cells.parsed("address")?,
        actor: cells.maybe_text("actor")?,
    })
}
