//! The provisioning log
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/logs/subresources/scim/>).

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::error::ApiError;
use super::operation::{Gives, Operation};
use super::page::{Page, Sizes};
use super::resource::time;
use super::shape::{Shape, UnknownKeys, What, read_only};
use crate::model::ids::IdpId;
use crate::model::permission::{Area, Permission};
use crate::store::{PROVIDERS_MAX, ScimUpdate, ScimUpdateFilter, VALUES_MAX};

const SHAPE: Shape = Shape {
    name: "ScimUpdate",
    keys: &[
        read_only("idp_id", What::Id),
        read_only("logged_at", What::Time),
        read_only("status", What::Text),
        read_only("request_method", What::Text),
        read_only("request_body", What::Text),
        read_only("resource_type", What::Text),
        read_only("resource_user_email", What::Text),
        read_only("resource_group_name", What::Text),
        read_only("cf_resource_id", What::Text),
        read_only("idp_resource_id", What::Text),
        read_only("error_description", What::Text),
        read_only("effect", What::Text),
        read_only("ray_id", What::Text),
        read_only("ip_address", What::Text),
        read_only("actor", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};

/// Rows a page unless asked otherwise.
const USUAL: u32 = 20;
/// Rows a page at most.
const MOST: u32 = 1000;

/// Lists rows, a page at a time. How many there are in all is told as far as the page shows it.
async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let limit = call.query.number("limit")?;
    let usual = limit.unwrap_or(USUAL).clamp(1, MOST);
    let page = Page::of(&call.query, Sizes { usual, most: MOST })?;
    // Alone, it is the size of a page: whoever asks for the next one finds it.
    let limit = limit.filter(|_| call.query.value("per_page").is_some());
    let most = limit.map_or(u64::MAX, u64::from);
    let ids: Result<BTreeSet<IdpId>, _> = call.query.values("idp_id").map(str::parse).collect();
    let ids = ids.map_err(|_| ApiError::invalid("idp_id must be the id of an identity provider"))?;
    if ids.is_empty() {
        return Err(ApiError::invalid("idp_id is needed"));
    }
    if ids.len() > PROVIDERS_MAX {
        let most = format!("idp_id may name {PROVIDERS_MAX} identity providers at most");
        return Err(ApiError::invalid(most));
    }
    let filter = ScimUpdateFilter {
        providers: ids.into_iter().collect(),
        succeeded: match some_of(call, "status", &["SUCCESS", "FAILURE"])?.as_slice() {
            [only] => Some(only == "SUCCESS"),
            _ => None,
        },
        resource_types: some_of(call, "resource_type", &["USER", "GROUP"])?,
        methods: some(call, "request_method")?,
        user_emails: some(call, "resource_user_email")?,
        group_names: some(call, "resource_group_name")?,
        resources: some(call, "cf_resource_id")?,
        external_ids: some(call, "idp_resource_id")?,
        since_ms: call.query.time("since")?,
        until_ms: call.query.time("until")?,
        oldest_first: oldest_first(call)?,
        limit: page.size,
        page: page.number,
    };
    let rows = call.api.store.scim_updates(&filter).await?;
    let total = page.at_least(rows.len()).min(most);
    let left = usize::try_from(most.saturating_sub(page.offset())).unwrap_or(usize::MAX);
    let shown: Vec<Value> = rows.iter().take(left).map(show).collect();
    let info = page.info(shown.len(), total);
    Ok(Answer::page(shown, info))
}

/// The values of a parameter that may be given several times, each once.
fn some(call: &Call<'_>, key: &str) -> Result<Vec<String>, ApiError> {
    let values: BTreeSet<&str> = call.query.values(key).collect();
    if values.len() > VALUES_MAX {
        return Err(ApiError::invalid(format!(
            "{key} may be given {VALUES_MAX} times at most"
        )));
    }
    Ok(values.into_iter().map(str::to_owned).collect())
}

/// The same, of words that are known, in their own spelling.
fn some_of(call: &Call<'_>, key: &str, words: &[&str]) -> Result<Vec<String>, ApiError> {
    let given: Vec<&str> = call.query.values(key).collect();
    let is = |given: &str, word: &str| given.eq_ignore_ascii_case(word);
    if given
        .iter()
        .any(|given| !words.iter().any(|word| is(given, word)))
    {
        return Err(ApiError::invalid(format!(
            "{key} must be one of {}",
            words.join(", ")
        )));
    }
    let wanted = words
        .iter()
        .filter(|word| given.iter().any(|given| is(given, word)));
    Ok(wanted.map(|word| (*word).to_owned()).collect())
}

/// There is one order only.
fn oldest_first(call: &Call<'_>) -> Result<bool, ApiError> {
    match some_of(call, "direction", &["asc", "desc"])?.as_slice() {
        [] => Ok(false),
        [only] => Ok(only == "asc"),
        _ => Err(ApiError::invalid("direction may be given once")),
    }
}

fn show(row: &ScimUpdate) -> Value {
    json!({
        "idp_id": row.provider,
        "logged_at": time(row.at_ms),
        "status": if row.succeeded { "SUCCESS" } else { "FAILURE" },
        "request_method": row.method,
        "request_body": row.body,
        "resource_type": row.resource_type,
        "resource_user_email": row.user_email,
        "resource_group_name": row.group_name,
        "cf_resource_id": row.resource,
        "idp_resource_id": row.external_id,
        "error_description": row.error,
        "effect": row.effect,
        "ray_id": row.request_id,
        "ip_address": row.address.to_string(),
        "actor": row.actor,
    })
}

const ASKED: &[(&str, &str)] = &[
    (
        "idp_id",
        "the identity provider; needed, may be given several times, for 16 of them at most",
    ),
    ("page", "the page, from 1"),
    ("per_page", "rows a page"),
    (
        "limit",
        "rows in all, over pages of per_page; without that, rows a page",
    ),
    ("direction", "desc for the newest first, or asc"),
    ("since", "not before this time"),
    ("until", "before this time"),
    (
        "status",
        "SUCCESS or FAILURE; this and what follows may be given several times, with 10 values at most",
    ),
    ("resource_type", "USER or GROUP"),
    ("request_method", "the method"),
    ("resource_user_email", "a person's address"),
    ("resource_group_name", "a group's name"),
    ("cf_resource_id", "an id given here"),
    ("idp_resource_id", "an id of the directory"),
];

pub(super) const OPERATIONS: &[Operation] = &[Operation::new(
    (&Method::GET, "/accounts/{account_id}/access/logs/scim/updates"),
    Permission::read(Area::ScimLogs),
    (
        "list_scim_updates",
        "Read what directories told, request by request",
    ),
    Gives::Page(&SHAPE),
    |call| Box::pin(list(call)),
)
.asked(ASKED)
.needing(&["idp_id"])];
