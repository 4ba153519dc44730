//! Who asks: a token of the API, by `Authorization: Bearer` or, for the old clients, by `X-Auth-Email` and
//! `X-Auth-Key`. Cookies are never read: the API cannot be used in a person's name.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::ApiError;
use super::{Api, Caller};
use crate::crypto::digest::sha256;
use crate::model::api_token;
use crate::store::ApiToken;

const X_AUTH_KEY: &str = "x-auth-key";
const X_AUTH_EMAIL: &str = "x-auth-email";
/// A use is written down at most this often.
const COARSE_MS: i64 = 60_000;
/// What an address that failed too often waits, as told to it, in seconds.
const RETRY_AFTER: u32 = 10;

/// The token of a request, if it is good from where it is used.
///
/// # Errors
/// Every refusal is logged; the answer does not tell an unknown token from an expired one.
pub(super) async fn token(api: &Api, headers: &HeaderMap, caller: &Caller) -> Result<ApiToken, ApiError> {
    let now_ms = api.clock.now_ms();
    let (request_id, address) = (&caller.request_id, caller.address);
    if api.failures.must_wait(address, now_ms) {
        tracing::warn!(request.id = request_id, client.address = %address, "API request refused: too many failures");
        return Err(ApiError::too_many(RETRY_AFTER));
    }
    let found = match shown(headers) {
        Ok(shown) => look_up(api, shown, caller, now_ms).await?,
        Err(error) => Err(("no credential", error)),
    };
    match found {
        Ok(token) => {
            if token.last_used_ms.is_none_or(|last| now_ms - last >= COARSE_MS) {
                // A use that cannot be written down is no reason to refuse it.
                let _ = api.store.touch_api_token(token.id, now_ms).await;
            }
            Ok(token)
        }
        Err((reason, error)) => {
            api.failures.failed(address, now_ms);
            tracing::warn!(request.id = request_id, client.address = %address, reason, "API request refused");
            Err(error)
        }
    }
}

type Refused = (&'static str, ApiError);

async fn look_up(
    api: &Api,
    shown: &str,
    caller: &Caller,
    now_ms: i64,
) -> Result<Result<ApiToken, Refused>, ApiError> {
    let refused = |reason| Ok(Err((reason, ApiError::invalid_token())));
    if !api_token::is_token(shown) {
        return refused("not a token");
    }
    let Some(token) = api.store.api_token(&sha256(shown.as_bytes())).await? else {
        return refused("unknown token");
    };
    if token.expires_ms.is_some_and(|end| end <= now_ms) {
        return refused("expired token");
    }
    let address = caller.address.to_canonical();
    let from_here = caller.address_known && token.addresses.iter().any(|range| range.contains(&address));
    if !token.addresses.is_empty() && !from_here {
        return refused("token of other addresses");
    }
    Ok(Ok(token))
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
