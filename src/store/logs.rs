//! The log of logins and refusals.

use std::cmp::Reverse;
use std::net::IpAddr;

use uuid::Uuid;

use super::packed::{Packed, packed};
use super::row::{containing, maybe_storable, storable};
use super::{Store, StoreError, bounded};
use crate::model::ids::{AppId, IdpId, UserId};

/// A login, a logout or a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// The request's id, as the person saw it on the page.
    pub request_id: String,
    /// When.
    pub at_ms: i64,
    /// What was tried: `login`, `logout`, `access` with a session or a service token there is …
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
    /// The provider's type, as Access calls it: `azureAD`; [`NON_IDENTITY`] for what no person sent.
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

/// The connection of rows about machines.
pub const NON_IDENTITY: &str = "non_identity";

/// Which requests to read. The default reads the newest 25.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequestFilter {
    /// Of this address only.
    pub email: Option<String>,
    /// Not of this address.
    pub email_not: Option<String>,
    /// Of addresses with this in them, in whatever case.
    pub email_contains: Option<String>,
    /// Of this user only.
    pub user: Option<UserId>,
    /// Only where it is known who it was, or only where it is not.
    pub user_known: Option<bool>,
    /// Allowed or refused only.
    pub allowed: Option<bool>,
    /// For this application only.
    pub app: Option<AppId>,
    /// Not for this application.
    pub app_not: Option<AppId>,
    /// Only where an application was meant, or only where none was.
    pub app_known: Option<bool>,
    /// By this provider only.
    pub provider: Option<IdpId>,
    /// Not by this provider.
    pub provider_not: Option<IdpId>,
    /// From this country only.
    pub country: Option<String>,
    /// Not from this country.
    pub country_not: Option<String>,
    /// Not before this time (milliseconds).
    pub since_ms: Option<i64>,
    /// Before this time (milliseconds).
    pub until_ms: Option<i64>,
    /// Where this was tried only.
    pub action: Option<&'static str>,
    /// Of machines only, or of people only.
    pub non_identity: Option<bool>,
    /// With this id only.
    pub request_id: Option<String>,
    /// Without this id.
    pub request_id_not: Option<String>,
    /// The oldest first.
    pub oldest_first: bool,
    /// How many a page, at most 1000.
    pub limit: u32,
    /// Which page, from 1.
    pub page: u32,
}

impl Default for AccessRequestFilter {
    fn default() -> Self {
        Self {
            email: None,
            email_not: None,
            email_contains: None,
            user: None,
            user_known: None,
            allowed: None,
            app: None,
            app_not: None,
            app_known: None,
            provider: None,
            provider_not: None,
            country: None,
            country_not: None,
            since_ms: None,
            until_ms: None,
            action: None,
            non_identity: None,
            request_id: None,
            request_id_not: None,
            oldest_first: false,
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
/// The log as filtered: what it is found by, and in which order.
macro_rules! filtered {
    ($by:expr, $order:expr) => {
        packed!(
            ["request_id", "at_ms", "action", "allowed", "app", "app_domain", "app_name", "provider", "connection",
                "user_id", "email", "address", "country", "reason", "explanation"]
            "FROM access_requests WHERE at_ms >= $14 AND at_ms < $15 \
             AND ($1 IS NULL OR email = $1) AND ($2 IS NULL OR email IS NULL OR email <> $2) \
             AND ($3 IS NULL OR LOWER(email) LIKE $3 ESCAPE '!') AND ($4 IS NULL OR user_id = $4) \
             AND ($5 IS NULL OR CASE WHEN user_id IS NULL THEN 0 ELSE 1 END = $5) \
             AND ($6 IS NULL OR allowed = $6) AND ($7 IS NULL OR app = $7) \
             AND ($8 IS NULL OR app IS NULL OR app <> $8) \
             AND ($9 IS NULL OR CASE WHEN app IS NULL THEN 0 ELSE 1 END = $9) \
             AND ($10 IS NULL OR provider = $10) AND ($11 IS NULL OR provider IS NULL OR provider <> $11) \
             AND ($12 IS NULL OR country = $12) AND ($13 IS NULL OR country IS NULL OR country <> $13) \
             AND ($16 IS NULL OR request_id = $16) AND ($17 IS NULL OR request_id <> $17) \
             AND ($18 IS NULL OR CASE WHEN connection = 'non_identity' THEN 1 ELSE 0 END = $18) \
             AND ($19 IS NULL OR action = $19) ",
            $by,
            $order,
            " LIMIT $20 OFFSET $21"
        )
    };
}
/// The same by each of what there is an index of: a condition that may be absent finds none.
macro_rules! by_each {
    ($order:expr) => {
        [
            filtered!("", $order),
            filtered!("AND request_id = $16 ", $order),
            filtered!("AND user_id = $4 ", $order),
            filtered!("AND email = $1 ", $order),
            filtered!("AND app = $7 ", $order),
        ]
    };
}
const NEWEST_FIRST: [&str; 5] = by_each!("ORDER BY at_ms DESC, id DESC");
const OLDEST_FIRST: [&str; 5] = by_each!("ORDER BY at_ms, id");

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

    /// Reads the log, newest first unless asked otherwise.
    pub async fn access_requests(
        &self,
        filter: &AccessRequestFilter,
    ) -> Result<Vec<AccessRequest>, StoreError> {
        let limit = i64::from(filter.limit.clamp(1, PAGE_MAX));
        let [all, by_request, by_user, by_email, by_app] = if filter.oldest_first {
            OLDEST_FIRST
        } else {
            NEWEST_FIRST
        };
        let sql = match filter {
            AccessRequestFilter {
                request_id: Some(_), ..
            } => by_request,
            AccessRequestFilter { user: Some(_), .. } => by_user,
            AccessRequestFilter { email: Some(_), .. } => by_email,
            AccessRequestFilter { app: Some(_), .. } => by_app,
            _ => all,
        };
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(sql)
                .bind(maybe_storable(filter.email.as_deref()))
                .bind(maybe_storable(filter.email_not.as_deref()))
                .bind(filter.email_contains.as_deref().map(containing))
                .bind(filter.user.map(|user| user.to_string()))
                .bind(filter.user_known.map(i64::from))
                .bind(filter.allowed.map(i64::from))
                .bind(filter.app.map(|app| app.to_string()))
                .bind(filter.app_not.map(|app| app.to_string()))
                .bind(filter.app_known.map(i64::from))
                .bind(filter.provider.map(|provider| provider.to_string()))
                .bind(filter.provider_not.map(|provider| provider.to_string()))
                .bind(maybe_storable(filter.country.as_deref()))
                .bind(maybe_storable(filter.country_not.as_deref()))
                .bind(filter.since_ms.unwrap_or(i64::MIN))
                .bind(filter.until_ms.unwrap_or(i64::MAX))
                .bind(maybe_storable(filter.request_id.as_deref()))
                .bind(maybe_storable(filter.request_id_not.as_deref()))
                .bind(filter.non_identity.map(i64::from))
                .bind(filter.action)
                .bind(limit)
                .bind(i64::from(filter.page.saturating_sub(1)) * limit)
                .fetch_one(&mut *connection)
                .await?;
            let mut requests = Packed::new(&row, "access_requests")?.rows(access_request)?;
            // As they were asked for; what becomes of an order within an aggregate is nowhere promised.
            if filter.oldest_first {
                requests.sort_by_key(|request| request.at_ms);
            } else {
                requests.sort_by_key(|request| Reverse(request.at_ms));
            }
            Ok(requests)
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

fn access_request(cells: &mut Packed) -> Result<AccessRequest, StoreError> {
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
