//! The log of logins and refusals.

use std::net::IpAddr;

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::row::{Cells, maybe_storable, storable};
use super::{Store, StoreError, bounded};
use crate::model::ids::{AppId, IdpId, UserId};

/// A login, a logout or a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// The request's id, as the person saw it on the page.
    pub request_id: String,
    /// When.
    pub at_ms: i64,
    /// What was tried: `login`, `logout`, `refused` …
    pub action: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The application meant.
    pub app: Option<AppId>,
    /// Its domain.
    pub app_domain: Option<String>,
    /// Its name.
    pub app_name: Option<String>,
    /// The provider signed in with.
    pub provider: Option<IdpId>,
    /// The provider's type, as Access calls it: `azureAD`.
    pub connection: String,
    /// The user.
    pub user: Option<UserId>,
    /// The user's address.
    pub email: Option<String>,
    /// Where the browser was.
    pub address: IpAddr,
    /// Country of that address.
    pub country: Option<String>,
    /// Why it was refused, for the operator.
    pub reason: Option<String>,
    /// How every rule came out, for the operator, as far as it fits.
    pub explanation: Option<String>,
}

/// Which requests to read. The default reads the newest 25.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequestFilter {
    /// Of this address only.
    pub email: Option<String>,
    /// Allowed or refused only.
    pub allowed: Option<bool>,
    /// For this application only.
    pub app: Option<AppId>,
    /// Not before this time (milliseconds).
    pub since_ms: Option<i64>,
    /// Before this time (milliseconds).
    pub until_ms: Option<i64>,
    /// With this id only.
    pub request_id: Option<String>,
    /// How many a page, at most 1000.
    pub limit: u32,
    /// Which page, from 1.
    pub page: u32,
}

impl Default for AccessRequestFilter {
    fn default() -> Self {
        Self {
            email: None,
            allowed: None,
            app: None,
            since_ms: None,
            until_ms: None,
            request_id: None,
            limit: 25,
            page: 1,
        }
    }
}

/// Rows answered at once, at most.
const PAGE_MAX: u32 = 1000;

const INSERT: &str = "INSERT INTO access_requests \
     (id, request_id, at_ms, action, allowed, app, app_domain, app_name, provider, connection, user_id, email, \
     address, country, reason, explanation) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
const FILTERED: &str = "SELECT id, request_id, at_ms, action, allowed, app, app_domain, app_name, provider, \
     connection, user_id, email, address, country, reason, explanation FROM access_requests \
     WHERE ($1 IS NULL OR email = $1) AND ($2 IS NULL OR allowed = $2) AND ($3 IS NULL OR app = $3) \
     AND ($4 IS NULL OR at_ms >= $4) AND ($5 IS NULL OR at_ms < $5) AND ($6 IS NULL OR request_id = $6) \
     ORDER BY at_ms DESC, id DESC LIMIT $7 OFFSET $8";

const FORGET: &str = "DELETE FROM access_requests WHERE at_ms < $1";

impl Store {
    /// Writes down a login, a logout or a refusal.
    pub async fn log_access(&self, request: &AccessRequest) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(INSERT)
                .bind(Uuid::new_v4().to_string())
                .bind(storable(&request.request_id))
                .bind(request.at_ms)
                .bind(storable(&request.action))
                .bind(i64::from(request.allowed))
                .bind(request.app.map(|app| app.to_string()))
                .bind(maybe_storable(request.app_domain.as_deref()))
                .bind(maybe_storable(request.app_name.as_deref()))
                .bind(request.provider.map(|provider| provider.to_string()))
                .bind(storable(&request.connection))
                .bind(request.user.map(|user| user.to_string()))
                .bind(maybe_storable(request.email.as_deref()))
                .bind(request.address.to_string())
                .bind(maybe_storable(request.country.as_deref()))
                .bind(maybe_storable(request.reason.as_deref()))
                .bind(request.explanation.as_deref().map(bounded_explanation))
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }

    /// Deletes what was written down before this time.
    pub async fn forget_access_requests(&self, before_ms: i64) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(FORGET)
                .bind(before_ms)
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }

    /// Reads the log, newest first.
    pub async fn access_requests(
        &self,
        filter: &AccessRequestFilter,
    ) -> Result<Vec<AccessRequest>, StoreError> {
        let limit = i64::from(filter.limit.clamp(1, PAGE_MAX));
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(FILTERED)
                .bind(maybe_storable(filter.email.as_deref()))
                .bind(filter.allowed.map(i64::from))
                .bind(filter.app.map(|app| app.to_string()))
                .bind(filter.since_ms)
                .bind(filter.until_ms)
                .bind(maybe_storable(filter.request_id.as_deref()))
                .bind(limit)
                .bind(i64::from(filter.page.saturating_sub(1)) * limit)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(access_request).collect()
        })
        .await
    }
}

/// The longest explanation that is kept, in characters: a table of logins is no place for ten thousand rules.
const LONGEST_EXPLANATION: usize = 8_000;

fn bounded_explanation(explanation: &str) -> String {
    let mut kept: String = explanation.chars().take(LONGEST_EXPLANATION).collect();
    if kept.len() < explanation.len() {
        kept.push('…');
    }
    storable(&kept)
}

fn access_request(row: &AnyRow) -> Result<AccessRequest, StoreError> {
    let cells = Cells::new(row, "access_requests", "id");
    Ok(AccessRequest {
        request_id: cells.text("request_id")?,
        at_ms: cells.int("at_ms")?,
        action: cells.text("action")?,
        allowed: cells.flag("allowed")?,
        app: cells.maybe_parsed("app")?,
        app_domain: cells.maybe_text("app_domain")?,
        app_name: cells.maybe_text("app_name")?,
        provider: cells.maybe_parsed("provider")?,
        connection: cells.text("connection")?,
        user: cells.maybe_parsed("user_id")?,
        email: cells.maybe_text("email")?,
        address: cells.parsed("address")?,
        country: cells.maybe_text("country")?,
        reason: cells.maybe_text("reason")?,
        explanation: cells.maybe_text("explanation")?,
    })
}
