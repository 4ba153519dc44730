//! `GET /cdn-cgi/access/certs`: the keys by which our tokens are verified, as JWKS and as PEM.

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use crate::snapshot::KeyRing;

/// Public by nature. Short-lived, so that a withdrawn key is soon forgotten everywhere; a new one stands here a day
/// before it signs.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Answers with every trusted key.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let mut answer = Response::new(Bytes::from(document(&call.snapshot.keys).to_string()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, CACHE);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}

fn document(keys: &KeyRing) -> Value {
    let certificate = |kid: &str, pem: &str| json!({"kid": kid, "cert": pem});
    let jwks: Vec<&Value> = keys.keys().iter().map(|key| &key.jwk).collect();
    let certificates: Vec<Value> = keys
        .keys()
        .iter()
        .map(|key| certificate(key.kid.as_str(), &key.certificate))
        .collect();
    let current = keys
        .current()
        .map(|key| certificate(key.kid.as_str(), &key.certificate));
    json!({"keys": jwks, "public_cert": current, "public_certs": certificates})
}
