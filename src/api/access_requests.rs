//! The log of logins and refusals
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/logs/subresources/access_requests/>).

use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::ApiError;
use super::operation::{Gives, Operation};
use super::query::Query;
use super::resource::time;
use crate::model::ids::{AppId, IdpId};
use crate::model::permission::{Area, Permission};
use crate::store::{AccessRequest, AccessRequestFilter};

/// Lines a page unless asked otherwise.
const USUAL: u32 = 25;
/// Lines a page at most.
const MOST: u32 = 1000;
/// The only type of applications there is.
const APP_TYPE: &str = "self_hosted";

/// How a value is held against the log's (`emailOp` and its kin).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Is,
    IsNot,
    Contains,
}

impl Op {
    fn of(query: &Query<'_>, key: &str, usual: Self) -> Result<Self, ApiError> {
        let key = format!("{key}Op");
        match query.value(&key) {
            None => Ok(usual),
            Some("eq") => Ok(Self::Is),
            Some("neq") => Ok(Self::IsNot),
            Some("contains") if usual == Self::Contains => Ok(Self::Contains),
            Some(_) if usual == Self::Contains => {
                Err(ApiError::invalid(format!("{key} must be eq, neq or contains")))
            }
            Some(_) => Err(ApiError::invalid(format!("{key} must be eq or neq"))),
        }
    }

    /// A value where it must be this, and where it must not.
    fn split<T>(self, value: Option<T>) -> (Option<T>, Option<T>) {
        match self {
            Self::Is | Self::Contains => (value, None),
            Self::IsNot => (None, value),
        }
    }
}

async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let fields = fields(&call.query)?;
    let Some(filter) = filter(&call.query)? else {
        return Ok(Answer::of(Value::Array(Vec::new())));
    };
    let mut rows = call.api.store.access_requests(&filter).await?;
    rows.truncate(left(&call.query, &filter)?);
    let shown: Vec<Value> = rows.iter().map(|row| show(row, &fields)).collect();
    Ok(Answer::of(shown))
}

/// The filter that is asked for; none where nothing can match it.
fn filter(query: &Query<'_>) -> Result<Option<AccessRequestFilter>, ApiError> {
    let mut filter = AccessRequestFilter {
        since_ms: query.time("since")?,
        until_ms: query.time("until")?,
        oldest_first: match query.value("direction") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(ApiError::invalid("direction must be asc or desc")),
        },
        page: query.number("page")?.unwrap_or(1).max(1),
        ..AccessRequestFilter::default()
    };
    let limit = query.number("limit")?;
    let size = query.number("per_page")?.or(limit).unwrap_or(USUAL);
    filter.limit = size.clamp(1, MOST);

    // Addresses are kept in small letters.
    let email = query.value("email").map(str::to_ascii_lowercase);
    let usual = if query.flag("email_exact")?.unwrap_or(false) {
        Op::Is
    } else {
        Op::Contains
    };
    match Op::of_text(query, usual)? {
        Op::Is => filter.email = email,
        Op::IsNot => filter.email_not = email,
        Op::Contains => filter.email_contains = email,
    }
    let inverted = |key: &str| Ok::<_, ApiError>(Op::of(query, key, Op::Is)? == Op::IsNot);
    filter.allowed = match query.flag("allowed")? {
        Some(allowed) => Some(allowed != inverted("allowed")?),
        None => None,
    };
    filter.non_identity = match query.flag("non_identity")? {
        Some(wanted) => Some(wanted != inverted("non_identity")?),
        None => None,
    };
    if let Some(kind) = query.value("app_type") {
        match (kind == APP_TYPE, inverted("app_type")?) {
            (true, inverted) => filter.app_known = Some(!inverted),
            (false, false) => return Ok(None),
            (false, true) => {}
        }
    }
    let app = uuid(query, "app_uid")?.map(AppId);
    (filter.app, filter.app_not) = Op::of(query, "app_uid", Op::Is)?.split(app);
    let provider = uuid(query, "idp")?.map(IdpId);
    (filter.provider, filter.provider_not) = Op::of(query, "idp", Op::Is)?.split(provider);
    let country = query.value("country_code").map(str::to_ascii_uppercase);
    (filter.country, filter.country_not) = Op::of(query, "country_code", Op::Is)?.split(country);
    let request = query.value("ray_id").map(str::to_owned);
    (filter.request_id, filter.request_id_not) = Op::of(query, "ray_id", Op::Is)?.split(request);
    Ok(Some(filter))
}

impl Op {
    /// That of the address, which alone may be held against a part.
    fn of_text(query: &Query<'_>, usual: Self) -> Result<Self, ApiError> {
        match query.value("emailOp") {
            None => Ok(usual),
            Some(_) => Self::of(query, "email", Self::Contains),
        }
    }
}

/// How many lines of this page are still within `limit`, which counts over all pages.
fn left(query: &Query<'_>, filter: &AccessRequestFilter) -> Result<usize, ApiError> {
    let Some(limit) = query
        .number("limit")?
        .filter(|_| query.value("per_page").is_some())
    else {
        return Ok(usize::MAX);
    };
    let before = u64::from(filter.page - 1) * u64::from(filter.limit);
    Ok(usize::try_from(u64::from(limit).saturating_sub(before)).unwrap_or(usize::MAX))
}

fn uuid(query: &Query<'_>, key: &str) -> Result<Option<Uuid>, ApiError> {
    let parse = |text| Uuid::try_parse(text).map_err(|_| ApiError::invalid(format!("{key} must be a UUID")));
    query.value(key).map(parse).transpose()
}

/// Every field, and whether it stands in an answer that asks for none.
const FIELDS: &[(&str, bool)] = &[
    ("action", true),
    ("allowed", true),
    ("app_domain", true),
    ("app_uid", true),
    ("connection", true),
    ("created_at", true),
    ("ip_address", true),
    ("ray_id", true),
    ("user_email", true),
    ("app_name", false),
    ("app_type", false),
    ("country", false),
    ("idp", false),
    ("user_id", false),
    ("reason", false),
    ("explanation", false),
];

/// The fields that are asked for.
fn fields(query: &Query<'_>) -> Result<Vec<&'static str>, ApiError> {
    let asked: Vec<&str> = query
        .values("fields")
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    if asked.is_empty() {
        let usual = FIELDS.iter().filter(|(_, usual)| *usual);
        return Ok(usual.map(|(name, _)| *name).collect());
    }
    let known = |name: &str| {
        FIELDS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(known, _)| *known)
    };
    let read = asked.iter().map(|name| {
        known(name).ok_or_else(|| {
            let all: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
            ApiError::invalid(format!(
                "fields: there is no {name}; there are {}",
                all.join(", ")
            ))
        })
    });
    read.collect()
}

fn show(row: &AccessRequest, fields: &[&'static str]) -> Value {
    let value = |field: &str| match field {
        "action" => json!(row.action),
        "allowed" => json!(row.allowed),
        "app_domain" => json!(row.app_domain),
        "app_uid" => json!(row.app),
        "connection" => json!(row.connection),
        "created_at" => json!(time(row.at_ms)),
        "ip_address" => json!(row.address.to_string()),
        "ray_id" => json!(row.request_id),
        "user_email" => json!(row.email),
        "app_name" => json!(row.app_name),
        "app_type" => json!(row.app.map(|_| APP_TYPE)),
        "country" => json!(row.country),
        "idp" => json!(row.provider),
        "user_id" => json!(row.user),
        "reason" => json!(row.reason),
        "explanation" => json!(row.explanation),
        _ => Value::Null,
    };
    let shown: Map<String, Value> = fields
        .iter()
        .map(|field| ((*field).to_owned(), value(field)))
        .collect();
    Value::Object(shown)
}

const PATH: &str = "/accounts/{account_id}/access/logs/access_requests";
const ASKED: &[(&str, &str)] = &[
    ("page", "the page, from 1"),
    ("per_page", "lines a page"),
    ("limit", "lines in all"),
    ("direction", "asc or desc: the oldest or the newest first"),
    ("since", "not before this time"),
    ("until", "before this time"),
    ("email", "an address, or a part of it"),
    ("emailOp", "eq, neq or contains"),
    ("email_exact", "whether email is the whole address"),
    ("allowed", "whether it was allowed"),
    ("allowedOp", "eq or neq"),
    ("app_type", "the type of the application"),
    ("app_typeOp", "eq or neq"),
    ("app_uid", "the application"),
    ("app_uidOp", "eq or neq"),
    ("country_code", "the country it came from"),
    ("country_codeOp", "eq or neq"),
    ("idp", "the identity provider"),
    ("idpOp", "eq or neq"),
    ("non_identity", "whether it was no person"),
    ("non_identityOp", "eq or neq"),
    ("ray_id", "the request's id"),
    ("ray_idOp", "eq or neq"),
    ("fields", "the fields to answer with, by commas"),
];

pub(super) const OPERATIONS: &[Operation] = &[Operation::new(
    (&Method::GET, PATH),
    Permission::read(Area::AuditLogs),
    ("list_access_requests", "Read the log of logins and refusals"),
    Gives::Any,
    |call| Box::pin(list(call)),
)
.asked(ASKED)];
