//! `GET auth/transfer/<public key>`: where the program waits for its tokens, for most of a minute at a time.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::json;
use tokio::time::Instant;

use super::waiting::Full;
use crate::crypto::transfer::TransferKey;
use crate::login::answer::{Answer, json};
use crate::login::call::Call;
use crate::login::failure::{Ended, Why};
use crate::pages::person::{NotFound, TooMany, forbid_storing};
use crate::store::Transfer;

/// How long an answer is waited for. cloudflared gives up altogether after 60 seconds without one.
const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// The key that the box was sealed with.
const SERVICE_KEY: HeaderName = HeaderName::from_static("service-public-key");

/// Seconds after which a program may ask again that has asked too often.
const RETRY_AFTER: u32 = 10;

/// Answers with the box once there is one, and forgets it. The key is told to nobody but its program and the person's
/// browser, and what it names is sealed for the program alone.
pub(in crate::login) async fn collect(call: &Call<'_>, key: &str) -> Result<Answer, Ended> {
    if call.parts.method != Method::GET {
        return Err(Why::Method.into()); // HEAD must not take what it would not give
    }
    let Ok(key) = key.parse::<TransferKey>() else {
        return Ok(call.page(&NotFound::Page));
    };
    let (transfers, client, now_ms) = (&call.login.transfers, call.visit.client, call.now_ms());
    let waiting = match transfers.wait(&key, client, now_ms) {
        Ok(waiting) => waiting,
        Err(Full) => {
            return Ok(call.page(&TooMany {
                retry_after: RETRY_AFTER,
            }));
        }
    };
    let until = Instant::now() + LONGEST_WAIT;
    loop {
        if let Some(transfer) = call.login.store.take_transfer(&key.digest()).await? {
            return Ok(boxed(&transfer));
        }
        if !matches!(tokio::time::timeout_at(until, waiting.ready()).await, Ok(true)) {
            return Ok(json(StatusCode::NOT_FOUND, &json!({"status": "waiting"})));
        }
    }
}

fn boxed(transfer: &Transfer) -> Answer {
    let mut answer = Response::new(Bytes::from(STANDARD.encode(&transfer.body)));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(key) = HeaderValue::from_str(&transfer.service_key) {
        headers.insert(SERVICE_KEY, key);
    }
    forbid_storing(headers);
    answer
}
