//! `POST /{tenant}/oauth2/v2.0/token`: codes, refresh tokens and client credentials against tokens.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#redeem-a-code-for-an-access-token>

mod access;
mod code;
mod issue;
mod refresh;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::aadsts::Refusal;
use crate::client_auth;
use crate::directory::{AppRegistration, Tenant, User};
use crate::discovery::is_alias;
use crate::faults::{Endpoint, Fault};
use crate::grants::Login;
use crate::pages;
use crate::params::Params;
use crate::recorded::Recorded;
use crate::scope::Scopes;
use crate::server::Context;

/// The handler.
pub(crate) async fn token(
    State(context): State<Context>,
    Path(segment): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = form(&headers, &body);
    let recorded = Recorded {
        grant: params.find("grant_type").map(str::to_owned),
        ..Recorded::new(Endpoint::Token, &Method::POST, &uri)
    };
    context.directory.arrived(recorded).await;
    let fault = context.directory.lock().faults.strike(|fault| match fault {
        Fault::TokenHtml { .. } | Fault::TokenBusy { .. } | Fault::Token { .. } => Some(fault.clone()),
        _ => None,
    });
    let outcome = match fault {
        Some(Fault::TokenHtml { status }) => return pages::out_of_order(status),
        Some(Fault::TokenBusy { retry_after }) => {
            let wait = [(header::RETRY_AFTER, retry_after.to_string())];
            return (wait, pages::out_of_order(429)).into_response();
        }
        Some(Fault::Token { code }) => Err(Refusal::new(code)),
        _ => answer(&context, &segment, &headers, &params),
    };
    match outcome {
        Ok(tokens) => {
            let headers = [
                (header::CACHE_CONTROL, "no-store, no-cache"),
                (header::PRAGMA, "no-cache"),
            ];
            (headers, Json(tokens)).into_response()
        }
        Err(refusal) => refusal.token_answer(context.directory.now(), &context.base_url),
    }
}

/// A token request whose client is known and authenticated.
struct TokenRequest<'a> {
    context: &'a Context,
    /// The tenant of the address; none for an alias.
    tenant: Option<Arc<Tenant>>,
    app: AppRegistration,
    params: &'a Params,
    now: i64,
}

/// Only `application/x-www-form-urlencoded` is read: anything else is a body without parameters.
fn form(headers: &HeaderMap, body: &Bytes) -> Params {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        Params::parse(&String::from_utf8_lossy(body))
    } else {
        Params::default()
    }
}

fn answer(context: &Context, segment: &str, headers: &HeaderMap, params: &Params) -> Result<Value, Refusal> {
    if let Some(name) = params.repeated() {
        return Err(Refusal::new(9_002_313).value(name));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        return Err(Refusal::new(9_002_326).value(origin.to_str().unwrap_or_default()));
    }
    let tenant = context.directory.find_tenant(segment);
    if tenant.is_none() && !is_alias(segment) {
        return Err(Refusal::new(90002).tenant(segment));
    }
    let grant = params
        .find("grant_type")
        .ok_or_else(|| Refusal::new(900_144).value("grant_type"))?;
    if !matches!(
        grant,
        "authorization_code" | "refresh_token" | "client_credentials"
    ) {
        return Err(Refusal::new(70003).value(grant));
    }
    if params.find("resource").is_some() {
        return Err(Refusal::new(901_002));
    }
    let app = client_auth::client(context, tenant.as_deref(), headers, params)?;
    let request = TokenRequest {
        context,
        tenant,
        app,
        params,
        now: context.directory.now(),
    };
    match grant {
        "authorization_code" => code::redeem(&request),
        "refresh_token" => refresh::redeem(&request),
        _ => client_credentials(&request),
    }
}

/// The app acting for itself: `scope` is one API's `/.default`.
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
fn client_credentials(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let Some(tenant) = &request.tenant else {
        return Err(Refusal::new(9_001_023));
    };
    let scopes = scopes(request, tenant)?.ok_or_else(|| Refusal::new(900_144).value("scope"))?;
    if !scopes.default {
        return Err(Refusal::new(70011).value(request.params.find("scope").unwrap_or_default()));
    }
    let token = access::for_app(request, tenant, &scopes)?;
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": token.expires_in,
        "ext_expires_in": token.expires_in,
        "access_token": token.value,
    }))
}

/// The scope parameter, if there is one.
fn scopes(request: &TokenRequest<'_>, tenant: &Tenant) -> Result<Option<Scopes>, Refusal> {
    let Some(scope) = request.params.find("scope") else {
        return Ok(None);
    };
    Scopes::parse(scope, &request.context.base_url, tenant, &request.app).map(Some)
}

/// The person a grant is for, if the account still stands and the grant was not revoked.
fn person(request: &TokenRequest<'_>, login: &Login) -> Result<(Arc<Tenant>, User), Refusal> {
    let deleted = || Refusal::new(50034).tenant(&login.tenant);
    let tenant = request
        .context
        .directory
        .find_tenant(&login.tenant)
        .ok_or_else(deleted)?;
    let user = tenant.by_oid(&login.oid).cloned().ok_or_else(deleted)?;
    if !user.enabled {
        return Err(Refusal::new(50057));
    }
    if user.generation != login.generation {
        return Err(Refusal::new(50173));
    }
    if !tenant.is_assigned(&request.app, &user) {
        return Err(Refusal::new(50105).app(&request.app));
    }
    Ok((tenant, user))
}
