//! Who asks: a token of the API, by `Authorization: Bearer` or, for the old clients, by `X-Auth-Email` and
//! `X-Auth-Key`. Cookies are never read: the API cannot be used in a person's name.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::ApiError;
use super::{Api, Caller};
use crate::crypto::digest::sha256_hex;
use crate::model::api_token::{ApiToken, is_token};
use crate::snapshot::Snapshot;

const X_AUTH_KEY: &str = "x-auth-key";
const X_AUTH_EMAIL: &str = "x-auth-email";
/// What an address that failed too often waits, as told to it, in seconds.
const RETRY_AFTER: u32 = 10;

/// The token of a request, if it is good from where it is used.
///
/// # Errors
/// Every refusal is logged; the answer does not tell an unknown token from an expired one.
pub(super) fn token(
    api: &Api,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Arc<ApiToken>, ApiError> {
    let now_ms = api.clock.now_ms();
    let (request_id, address) = (&caller.request_id, caller.address);
    let shown = shown(headers).map_err(|error| Refused {
        reason: "no credential",
        token: None,
        error,
    });
    let found = shown.and_then(|shown| look_up(snapshot, shown, caller, now_ms));
    found.map_err(|Refused { reason, token, error }| {
        // Only of a token that there is: what a stranger shows is told nowhere.
        let token = token.as_deref().map(|token| token.name.as_str());
        // A good token always counts, so that nobody locks out its holder; only bad ones are told to wait.
        if api.failures.must_wait(address, now_ms) {
            tracing::warn!(request.id = request_id, client.address = %address, token, reason, "API request refused: too many failures");
            return ApiError::too_many(RETRY_AFTER);
        }
        api.failures.failed(address, now_ms);
        tracing::warn!(request.id = request_id, client.address = %address, token, reason, "API request refused");
        error
    })
}

/// Whether a request shows a token that there is. It decides nothing but how much of the body is worth waiting for.
pub(super) fn is_known(headers: &HeaderMap, snapshot: &Snapshot) -> bool {
    let token = shown(headers).ok().filter(|shown| is_token(shown));
    token.is_some_and(|token| snapshot.api_tokens.contains_key(&sha256_hex(token.as_bytes())))
}

/// Why there is no token to go on with.
struct Refused {
    reason: &'static str,
    /// The one that was shown, where there is one.
    token: Option<Arc<ApiToken>>,
    error: ApiError,
}

fn look_up(snapshot: &Snapshot, shown: &str, caller: &Caller, now_ms: i64) -> Result<Arc<ApiToken>, Refused> {
    let refused = |reason, token: Option<&Arc<ApiToken>>| {
        Err(Refused {
            reason,
            token: token.cloned(),
            error: ApiError::invalid_token(),
        })
    };
    if !is_token(shown) {
        return refused("not a token", None);
    }
    let Some(token) = snapshot.api_tokens.get(&sha256_hex(shown.as_bytes())) else {
        return refused("unknown token", None);
    };
    if token.has_ended(now_ms) {
        return refused("expired token", Some(token));
    }
    if !token.opens_from(caller.address, caller.address_known) {
        return refused("token of other addresses", Some(token));
    }
    Ok(Arc::clone(token))
}

/// What a request shows as its token: exactly one, in one of the two ways.
fn shown(headers: &HeaderMap) -> Result<&str, ApiError> {
    let one = |name: &str| -> Result<Option<&str>, ApiError> {
        let mut values = headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return if headers.contains_key(name) {
                Err(ApiError::malformed_credential())
            } else {
                Ok(None)
            };
        };
        value
            .to_str()
            .map(Some)
            .map_err(|_| ApiError::malformed_credential())
    };
    let bearer = one(AUTHORIZATION.as_str())?;
    let (email, key) = (one(X_AUTH_EMAIL)?, one(X_AUTH_KEY)?);
    match (bearer, email, key) {
        (Some(bearer), _, None) => match bearer.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
            _ => Err(ApiError::malformed_credential()),
        },
        // The address is the holder's own word; the key alone counts.
        (None, Some(_), Some(key)) => Ok(key),
        (None, None, None) => Err(ApiError::unauthenticated()),
        _ => Err(ApiError::malformed_credential()),
    }
}
