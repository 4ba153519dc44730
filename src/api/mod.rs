//! The JSON API in Cloudflare's shape, under `/client/v4` on the auth host (reference Access §5 and §6).
//!
//! [`operations`] lists what it can do: each line routes, guards and describes one operation, and the OpenAPI document
//! is made from the same lines. A request is answered in this order: address, token, permission, account, body,
//! handler; [`Api::answer`] is the whole of it.
//!
//! Handlers read and write objects through [`crate::manage`] alone, and answer with them as they were accepted.

mod call;
mod credential;
mod error;
mod operation;
mod operations;
mod page;
mod query;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

pub use credential::is_token;

use self::call::{Answer, Call};
use self::error::ApiError;
use self::operation::{Operation, Params};
use self::query::Query;
use crate::clock::Clock;
use crate::crypto::seal::Sealer;
use crate::manage::Manage;
use crate::session::limits::FailureLimit;
use crate::session::revoke::Revoker;
use crate::snapshot::Published;
use crate::store::Store;

/// What every path of the API begins with.
pub const PREFIX: &str = "/client/v4";

/// What the API works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// The configuration in force.
    pub published: Arc<Published>,
    /// Users, sessions, logs, tokens.
    pub store: Store,
    /// Writes objects.
    pub manage: Manage,
    /// Ends sessions.
    pub revoker: Revoker,
    /// Opens sealed texts.
    pub sealer: Sealer,
    /// The clock.
    pub clock: Clock,
    /// Limits wrong credentials.
    pub failures: Arc<FailureLimit>,
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

/// Tells the official clients that trying again is in vain (reference Access §7.1).
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

impl Api {
    /// Answers a request whose path begins with [`PREFIX`].
    pub async fn answer(&self, caller: &Caller, request: &Request<Bytes>) -> Response<Bytes> {
        match self.route(caller, request).await {
            Ok(answer) => done(answer),
            Err(error) => failed(&error),
        }
    }

    async fn route(&self, caller: &Caller, request: &Request<Bytes>) -> Result<Answer, ApiError> {
        let path = caller.path.strip_prefix(PREFIX).unwrap_or_default();
        let path = path.strip_suffix('/').unwrap_or(path);
        let (operation, params) = find(request.method(), path)?;
        let token = credential::token(
            self,
            request.headers(),
            caller.address,
            caller.address_known,
            &caller.request_id,
        )
        .await?;
        let snapshot = self.published.load();
        let account = params.get("account_id");
        if !account.is_empty() && account != snapshot.organization.account_id.as_str() {
            return Err(ApiError::no_route(path));
        }
        if let Some(permission) = operation.permission
            && !token.permissions.allow(permission)
        {
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
        (operation.handler)(&call).await
    }
}

fn find<'p>(method: &Method, path: &'p str) -> Result<(&'static Operation, Params<'p>), ApiError> {
    let mut known = false;
    for operation in operations::all() {
        if let Some(params) = operation::matches(operation.path, path) {
            if operation.method == *method {
                return Ok((operation, params));
            }
            known = true;
        }
    }
    Err(if known {
        ApiError::no_method(method.as_str())
    } else {
        ApiError::no_route(path)
    })
}

fn done(answer: Answer) -> Response<Bytes> {
    if answer.status == StatusCode::NO_CONTENT {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let messages: Vec<Value> = answer
        .messages
        .iter()
        .map(|message| json!({"code": 1000, "message": message}))
        .collect();
    let mut envelope = json!({"success": true, "errors": [], "messages": messages, "result": answer.result});
    if let (Value::Object(envelope), Some(info)) = (&mut envelope, answer.info) {
        envelope.insert("result_info".to_owned(), info);
    }
    respond(answer.status, &envelope)
}

fn failed(error: &ApiError) -> Response<Bytes> {
    let mut response = respond(error.status, &error.envelope());
    let headers = response.headers_mut();
    if error.status == StatusCode::CONFLICT {
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn respond(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
