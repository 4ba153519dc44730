//! The log of logins and refusals.

use std::cmp::Reverse;
use std::net::IpAddr;

use uuid::Uuid;

use super::conditions::{Conditions, Value};
use super::packed::{Packed, packed_rows};
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

/// Rows that are passed over before a page in a few milliseconds at most.
const LONG_WAY: i64 = 10_000;
/// Rows answered at once, at most.
const PAGE_MAX: u32 = 1000;

const INSERT: &str = "INSERT INTO access_requests \
     (id, request_id, at_ms, action, allowed, app, app_domain, app_name, provider, connection, user_id, email, \
     address, country, reason, explanation) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
const ROWS: &str = concat!(
    packed_rows!([
        "request_id",
        "at_ms",
        "action",
        "allowed",
        "app",
        "app_domain",
        "app_name",
        "provider",
        "connection",
        "user_id",
        "email",
        "address",
        "country",
        "reason",
        "explanation"
    ]),
    "FROM access_requests "
);
const NEWEST_FIRST: &str = "ORDER BY at_ms DESC, id DESC";
const OLDEST_FIRST: &str = "ORDER BY at_ms, id";
/// Rows deleted at once: enough to be quick, few enough to hold up nobody.
const FORGOTTEN_AT_ONCE: i64 = 500;

const FORGET: &str = "DELETE FROM access_requests WHERE id IN \
     (SELECT id FROM access_requests WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)";

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

    /// Deletes what was written down before this time. Others write in between.
    pub async fn forget_access_requests(&self, before_ms: i64) -> Result<(), StoreError> {
        loop {
            let forgotten = bounded(async {
                let mut connection = self.writer().await?;
                let query = sqlx::query(FORGET).bind(before_ms).bind(FORGOTTEN_AT_ONCE);
                Ok(query.execute(&mut *connection).await?.rows_affected())
            })
            .await?;
            if forgotten == 0 {
                return Ok(());
            }
        }
    }

    /// Reads the log, newest first unless asked otherwise.
    pub async fn access_requests(
        &self,
        filter: &AccessRequestFilter,
    ) -> Result<Vec<AccessRequest>, StoreError> {
        let limit = i64::from(filter.limit.clamp(1, PAGE_MAX));
        let offset = i64::from(filter.page.saturating_sub(1)) * limit;
        let order = if filter.oldest_first {
            OLDEST_FIRST
        } else {
            NEWEST_FIRST
        };
        let (conditions, sifted) = conditions(filter);
        let query = conditions.page((ROWS, order), (limit, offset));
        bounded(async {
            let _turn = self.turn_of_long_reads(sifted || offset > LONG_WAY).await;
            let mut connection = self.reader().await?;
            let row = query.fetch_one(&mut *connection).await?;
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

/// What a filter asks of rows, and whether rows must be sifted: looked at one by one, however many, as no index finds
/// those that are wanted. One index does, that of what is asked for and comes first here; other conditions are written
/// so that SQLite, which keeps no statistics here, does not take theirs instead.
fn conditions(filter: &AccessRequestFilter) -> (Conditions, bool) {
    let mut conditions = Conditions::default();
    let outcome = |wanted: bool| {
        let asked = filter.allowed.filter(|allowed| *allowed == wanted);
        asked.map(|allowed| Value::Int(i64::from(allowed)))
    };
    let found_by = [
        (
            "request_id = ?",
            "COALESCE(request_id, '') = ?",
            text(filter.request_id.as_deref()),
        ),
        ("user_id = ?", "COALESCE(user_id, '') = ?", text(filter.user)),
        (
            "email = ?",
            "COALESCE(email, '') = ?",
            text(filter.email.as_deref()),
        ),
        ("app = ?", "COALESCE(app, '') = ?", text(filter.app)),
        // Mostly there are few.
        ("allowed = ?", "+allowed = ?", outcome(false)),
        (
            "country = ?",
            "COALESCE(country, '') = ?",
            text(filter.country.as_deref()),
        ),
        (
            "provider = ?",
            "COALESCE(provider, '') = ?",
            text(filter.provider),
        ),
        ("allowed = ?", "+allowed = ?", outcome(true)),
    ];
    let (mut first, mut sifted) = (None, false);
    for (by_index, one_by_one, value) in found_by {
        if value.is_none() {
            continue;
        }
        // An application and an outcome have an index together.
        let found = first.is_none() || (first == Some("app = ?") && by_index == "allowed = ?");
        conditions.that(if found { by_index } else { one_by_one }, value);
        first = first.or(Some(by_index));
        sifted |= !found;
    }
    let found = conditions.len();
    conditions.that("(email IS NULL OR email <> ?)", text(filter.email_not.as_deref()));
    let within = filter.email_contains.as_deref().map(containing);
    conditions.that("LOWER(email) LIKE ? ESCAPE '!'", within);
    match filter.user_known {
        Some(true) => conditions.always("user_id IS NOT NULL"),
        Some(false) => conditions.always("COALESCE(user_id, '') = ''"),
        None => {}
    }
    conditions.that("(app IS NULL OR app <> ?)", text(filter.app_not));
    match filter.app_known {
        Some(true) => conditions.always("app IS NOT NULL"),
        Some(false) => conditions.always("COALESCE(app, '') = ''"),
        None => {}
    }
    conditions.that("(provider IS NULL OR provider <> ?)", text(filter.provider_not));
    conditions.that(
        "(country IS NULL OR country <> ?)",
        text(filter.country_not.as_deref()),
    );
    conditions.that("request_id <> ?", text(filter.request_id_not.as_deref()));
    match filter.non_identity {
        Some(true) => conditions.always("connection = 'non_identity'"),
        Some(false) => conditions.always("connection <> 'non_identity'"),
        None => {}
    }
    conditions.that("action = ?", filter.action.map(str::to_owned));
    sifted |= conditions.len() > found;
    conditions.that("at_ms >= ?", filter.since_ms);
    conditions.that("at_ms < ?", filter.until_ms);
    (conditions, sifted)
}

/// A value as it stands in the table.
fn text(value: Option<impl ToString>) -> Option<Value> {
    value.map(|value| Value::Text(storable(&value.to_string())))
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

#[cfg(test)]
mod tests {
    use super::super::conditions::plan_of;
    use super::*;
    use crate::model::ids::UserId;

    /// What SQLite, which keeps no statistics here, does for a page of a filter.
    async fn plan(filter: AccessRequestFilter) -> (String, bool) {
        let order = if filter.oldest_first {
            OLDEST_FIRST
        } else {
            NEWEST_FIRST
        };
        let (conditions, sifted) = conditions(&filter);
        (plan_of(&conditions.sql(ROWS, order)).await, sifted)
    }

    #[tokio::test]
    async fn what_is_asked_for_is_found_by_its_index_in_the_order_of_the_page() {
        let all = AccessRequestFilter::default;
        let one = Uuid::from_u128(1);
        let filters = [
            ("access_requests_order", all()),
            (
                "access_requests_order",
                AccessRequestFilter {
                    since_ms: Some(1),
                    until_ms: Some(9),
                    ..all()
                },
            ),
            (
                "access_requests_user",
                AccessRequestFilter {
                    user: Some(UserId(one)),
                    since_ms: Some(1),
                    ..all()
                },
            ),
            (
                "access_requests_email",
                AccessRequestFilter {
                    email: Some("a@b.c".to_owned()),
                    until_ms: Some(1),
                    ..all()
                },
            ),
            (
                "access_requests_app",
                AccessRequestFilter {
                    app: Some(AppId(one)),
                    ..all()
                },
            ),
            (
                "access_requests_provider",
                AccessRequestFilter {
                    provider: Some(IdpId(one)),
                    ..all()
                },
            ),
            (
                "access_requests_country",
                AccessRequestFilter {
                    country: Some("DE".to_owned()),
                    ..all()
                },
            ),
            (
                "access_requests_outcome",
                AccessRequestFilter {
                    allowed: Some(false),
                    since_ms: Some(1),
                    ..all()
                },
            ),
            (
                "access_requests_app_outcome",
                AccessRequestFilter {
                    allowed: Some(false),
                    app: Some(AppId(one)),
                    ..all()
                },
            ),
            (
                "access_requests_request",
                AccessRequestFilter {
                    request_id: Some("r".to_owned()),
                    ..all()
                },
            ),
        ];
        for (index, filter) in filters {
            for oldest_first in [false, true] {
                let filter = AccessRequestFilter {
                    oldest_first,
                    ..filter.clone()
                };
                let (plan, sifted) = plan(filter.clone()).await;
                let by = |end: char| plan.contains(&format!("INDEX {index}{end}"));
                assert!(by(' ') || by(';'), "{filter:?}: {plan}");
                // Of one request there are two lines or three.
                let sorted = plan.contains("B-TREE FOR ORDER BY") && filter.request_id.is_none();
                assert!(!sorted && !sifted, "{filter:?}: {plan}");
            }
        }
    }

    #[tokio::test]
    async fn of_several_the_narrowest_finds_and_the_others_sift() {
        let filter = AccessRequestFilter {
            allowed: Some(false),
            app: Some(AppId(Uuid::from_u128(1))),
            user: Some(UserId(Uuid::from_u128(1))),
            provider: Some(IdpId(Uuid::from_u128(1))),
            ..AccessRequestFilter::default()
        };
        let (plan, sifted) = plan(filter).await;
        assert!(plan.contains("INDEX access_requests_user ") && sifted, "{plan}");
        let within = AccessRequestFilter {
            email_contains: Some("x".to_owned()),
            ..AccessRequestFilter::default()
        };
        assert!(self::plan(within).await.1);
    }
}
