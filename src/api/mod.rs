//! The JSON API in Cloudflare's shape, under `/client/v4` on the auth host
//! (<https://developers.cloudflare.com/api/resources/zero_trust/>).
//!
//! [`operations`] lists what it can do: each value routes, guards and describes one operation, and the OpenAPI document
//! is made from the same values. A request is answered in this order: address, token, account, permission, body,
//! handler; [`Api::answer`] is the whole of it.
//!
//! Handlers write objects through [`crate::manage`] alone, and answer with them as they were accepted.

mod absent;
mod access_requests;
mod app_body;
mod app_policies;
mod apps;
mod auth_contexts;
mod call;
mod certificates;
mod credential;
mod custom_pages;
mod directory_sync;
mod error;
mod five;
mod groups;
mod identity_providers;
mod items;
mod kept;
mod keys;
mod latest;
mod lists;
mod notes;
mod older;
mod openapi;
mod operation;
mod operations;
mod organizations;
mod page;
mod policies;
mod policy_checks;
mod policy_tests;
mod provider_test;
mod query;
mod register;
mod resource;
mod revocation;
mod scim;
mod scim_updates;
mod seats;
mod seen;
mod service_tokens;
mod shape;
mod tags;
mod texts;
mod token_verify;
mod user_sessions;
mod users;
mod uses;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::call::{Answer, Call};
use self::error::ApiError;
use self::items::Items;
use self::latest::LatestChange;
use self::operation::{Operation, Params};
use self::query::Query;
use self::register::Register;
use self::seen::Seen;
use self::texts::Texts;
use self::uses::Uses;
use crate::clock::Clock;
use crate::entra::RelyingParty;
use crate::geo::Geo;
use crate::manage::{Manage, Trials};
use crate::model::organization::Organization;
use crate::pages::reference::{self, Reference};
use crate::session::effects::Effects;
use crate::session::limits::FailureLimit;
use crate::session::revoke::Revoker;
use crate::snapshot::{Published, Snapshot};
use crate::store::Store;

/// What every path of the API begins with.
pub const PREFIX: &str = "/client/v4";

/// Where the OpenAPI document stands, below [`PREFIX`].
const DOCUMENT: &str = "/openapi.json";

/// Requests answered at once: however many come, logins have the rest of the control plane.
const AT_ONCE: usize = 64;

/// Tests of identity providers at once: each asks Microsoft half a dozen times.
const TESTS_AT_ONCE: usize = 2;

/// What the API works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    published: Arc<Published>,
    store: Store,
    manage: Manage,
    revoker: Revoker,
    effects: Effects,
    clock: Clock,
    failures: Arc<FailureLimit>,
    uses: Arc<Uses>,
    texts: Arc<Texts>,
    items: Arc<Items>,
    latest: Arc<LatestChange>,
    seen: Arc<Seen>,
    places: Arc<Semaphore>,
    relying_party: RelyingParty,
    tests: Arc<Semaphore>,
    trials: Trials,
    register: Arc<Register>,
    geo: Geo,
    reference: Arc<Reference>,
}

/// What the API works on and with.
pub struct Parts {
    /// The snapshot in force.
    pub published: Arc<Published>,
    /// Where objects, people and logs are.
    pub store: Store,
    /// Writes objects.
    pub manage: Manage,
    /// Ends sessions.
    pub revoker: Revoker,
    /// Follows what a directory's deletions bring.
    pub effects: Effects,
    /// Asks Entra, where a provider is tested.
    pub relying_party: RelyingParty,
    /// The clock.
    pub clock: Clock,
    /// What countries addresses are in.
    pub geo: Geo,
    /// The document of this API.
    pub reference: Arc<Reference>,
}

/// What the gate found out about a request before it handed it on.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client's address.
    pub address: IpAddr,
    /// Whether that is known for certain; if not, a token that is bound to addresses is of no use.
    pub address_known: bool,
    /// The path, decoded once by the gate.
    pub path: String,
    /// The request's id.
    pub request_id: String,
}

/// Tells the official clients that trying again is in vain.
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Whether a path belongs to the API.
pub fn is_path(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Stands in the extensions of a request whose body was not kept, because no token was shown that there is.
#[derive(Debug, Clone, Copy)]
pub struct Unread;

/// Whether a request shows a token that there is. It decides nothing but how much of the body is worth waiting for:
/// whether the token is good is seen when the request is answered.
pub fn shows_a_token(headers: &HeaderMap, snapshot: &Snapshot) -> bool {
    credential::is_known(headers, snapshot)
}

/// The API's reference: the OpenAPI document of what answers here, for programs and for people.
///
/// # Errors
/// Where its page cannot be written out; none is so.
pub fn reference(organization: &Organization) -> askama::Result<Reference> {
    let server = organization.auth.address(PREFIX);
    let page = organization.auth.address(reference::PAGE);
    let document = openapi::document(&server, organization.account_id.as_str(), &page);
    Reference::of(&document, &organization.name)
}

impl Api {
    /// An API over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            published: parts.published,
            store: parts.store,
            manage: parts.manage,
            revoker: parts.revoker,
            effects: parts.effects,
            clock: parts.clock,
            failures: Arc::new(FailureLimit::default()),
            uses: Arc::new(Uses::default()),
            texts: Arc::new(Texts::default()),
            items: Arc::new(Items::default()),
            latest: Arc::new(LatestChange::default()),
            seen: Arc::new(Seen::default()),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            relying_party: parts.relying_party,
            tests: Arc::new(Semaphore::new(TESTS_AT_ONCE)),
            trials: Trials::default(),
            register: Arc::default(),
            geo: parts.geo,
            reference: parts.reference,
        }
    }

    /// Answers a request whose path begins with [`PREFIX`].
    pub async fn answer(&self, caller: &Caller, request: &Request<Bytes>) -> Response<Bytes> {
        match self.route(caller, request).await {
            Ok(response) => response,
            Err(error) => failed(&error),
        }
    }

    async fn route(&self, caller: &Caller, request: &Request<Bytes>) -> Result<Response<Bytes>, ApiError> {
        let path = caller.path.strip_prefix(PREFIX).unwrap_or_default();
        let spelled = older::spelled(path.strip_suffix('/').unwrap_or(path));
        let path: &str = &spelled;
        // Never closed, so a place is got or the client goes away.
        let _place = self.places.acquire().await;
        let snapshot = self.published.load();
        let token = credential::token(self, &snapshot, request.headers(), caller)?;
        if request.extensions().get::<Unread>().is_some() {
            // The token has become known since the body was passed over.
            return Err(busy());
        }
        self.seen.note(&token, self.clock.now_ms(), &self.store).await;
        if path == DOCUMENT && request.method() == Method::GET {
            return Ok(self.reference.document(request.headers()));
        }
        if let Some(what) = absent::named(path) {
            return Err(ApiError::absent(path, what));
        }
        if let Some(below) = below_zone(path) {
            let account = &snapshot.organization.account_id;
            return Err(ApiError::no_zones(path, &format!("/accounts/{account}{below}")));
        }
        let (operation, params) = find(request.method(), path)?;
        let account = params.get("account_id");
        if !account.is_empty() && account != snapshot.organization.account_id.as_str() {
            return Err(ApiError::no_route(path));
        }
        let mut needed = operation.permissions();
        if let Some(permission) = needed.find(|permission| !token.permissions.allow(*permission)) {
            tracing::warn!(
                request.id = caller.request_id, client.address = %caller.address, token = token.name,
                operation = operation.id, "API request refused: the token lacks the permission"
            );
            return Err(ApiError::forbidden(permission.name()));
        }
        let call = Call {
            api: self,
            snapshot,
            token: &token,
            params,
            query: Query::parse(request.uri().query())?,
            body: request.body(),
            address: caller.address,
            request_id: &caller.request_id,
        };
        let mut answer = (operation.handler)(&call).await?;
        if !answer.messages.is_empty() && older::reads_no_messages(request.headers()) {
            tracing::info!(
                request.id = caller.request_id, operation = operation.id, messages = ?answer.messages,
                "Messages that the client cannot read were left out of an answer"
            );
            answer.messages.clear();
        }
        Ok(done(operation.status, answer))
    }
}

/// The answer to a request that never reached the API: one that is too large, or comes while there is too much to do.
pub fn turned_away(status: StatusCode) -> Response<Bytes> {
    failed(&match status {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(status, 1001, "The body is too long"),
        StatusCode::REQUEST_TIMEOUT => ApiError::new(status, 1001, "The body took too long to come"),
        _ => busy(),
    })
}

fn busy() -> ApiError {
    let message = "The gateway has too much to do; try again";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, 1001, message)
}

/// What stands behind the zone in a path of Cloudflare's zones. There are none here: hosts are the applications'.
fn below_zone(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/zones/")?;
    let zone = rest.find('/').unwrap_or(rest.len());
    rest.get(zone..)
}

/// The answer to a request whose address nobody can read, or whose method is never served. `path` is as it came.
pub fn unreadable(path: &str, method: Option<&Method>, reason: &str) -> Response<Bytes> {
    const SERVED: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];
    failed(&match method {
        Some(method) => ApiError::no_method(method.as_str(), SERVED),
        None => ApiError::unreadable(path.strip_prefix(PREFIX).unwrap_or(path), reason),
    })
}

/// The operation of an address. Whoever shows no good token is not told what there is.
fn find<'p>(method: &Method, path: &'p str) -> Result<(&'static Operation, Params<'p>), ApiError> {
    let mut known = Vec::new();
    for operation in operations::all() {
        let Some(params) = operation::matches(operation.path, path) else {
            continue;
        };
        if *operation.method == *method {
            return Ok((operation, params));
        }
        known.push(operation.method.as_str());
    }
    Err(if known.is_empty() {
        ApiError::no_route(path)
    } else {
        ApiError::no_method(method.as_str(), &known)
    })
}

fn done(status: StatusCode, answer: Answer) -> Response<Bytes> {
    if status == StatusCode::NO_CONTENT {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return response;
    }
    let messages: Value = answer
        .messages
        .iter()
        .map(|message| json!({ "code": 1000, "message": message }))
        .collect();
    let mut body = format!(r#"{{"success":true,"errors":[],"messages":{messages},"result":"#);
    answer.result.write(&mut body);
    if let Some(info) = answer.info {
        body.push_str(r#","result_info":"#);
        body.push_str(&info.to_string());
    }
    body.push('}');
    respond(status, body)
}

fn failed(error: &ApiError) -> Response<Bytes> {
    let mut response = respond(error.status, error.envelope().to_string());
    let headers = response.headers_mut();
    if error.status == StatusCode::CONFLICT {
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allowed) = error
        .allow
        .as_deref()
        .and_then(|allowed| HeaderValue::from_str(allowed).ok())
    {
        headers.insert(ALLOW, allowed);
    }
    response
}

fn respond(status: StatusCode, json: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
