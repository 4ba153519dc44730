//! `HEAD <application>` with `cf-access-metadata-request: true`: a signed word about which application this is, by
//! which programs at a command line know whose tokens they need.
//!
//! Anybody may ask, so it must not cost a signature each time: a text is signed once for an application and a host, by
//! one request at a time, and given to all who ask in the next minutes.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use quick_cache::sync::Cache;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::call::Call;
use super::failure::Ended;
use crate::pages::person::{NotFound, TooMany, Unavailable, forbid_storing};
use crate::policy::{RequestFacts, Verdict};
use crate::session::limits::FailureLimit;
use crate::snapshot::{ProtectedApplication, Snapshot};

/// What asks for it.
const ASKS: HeaderName = HeaderName::from_static("cf-access-metadata-request");
/// What answers.
const SAYS: HeaderName = HeaderName::from_static("cf-access-metadata");

/// How long a text is given out, in seconds. Programs take one for a day.
const LIFE_SECONDS: i64 = 600;
/// Texts kept: one for each host that somebody asked about of late. At about 1 kB each this is 2 MB.
const KEPT: usize = 2048;
/// Seconds after which somebody may ask again who asked about too many hosts.
const RETRY_AFTER: u32 = 10;

/// Claims of the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
struct Claims {
    /// That an application covers the host.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The host asked.
    hostname: String,
    /// The auth host.
    auth_domain: String,
    /// The application's audience tag.
    aud: String,
    /// The application's domain, wildcard and path included.
    app_hostname: String,
    /// When it was signed, seconds since 1970; not part of what it is kept under.
    iat: i64,
}

/// What is kept under the claims and the key that signed them.
#[derive(Debug, Clone)]
struct Signed {
    text: HeaderValue,
    at: i64,
}

/// The texts signed of late. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Metadata {
    inner: Arc<Inner>,
}

struct Inner {
    signed: Cache<(String, Claims), Signed>,
    // Logins need the signer too: of its two places this never takes more than one.
    signing: Semaphore,
    fresh: FailureLimit,
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metadata").finish_non_exhaustive()
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                signed: Cache::new(KEPT),
                signing: Semaphore::new(1),
                fresh: FailureLimit::default(),
            }),
        }
    }
}

/// Whether a request asks which application this is, rather than something of the application.
pub fn asks(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::HEAD && headers.get(ASKS).is_some_and(|value| value == "true")
}

/// Whether nobody needs a token for the application: then there is nothing to be told.
pub fn is_open(application: &ProtectedApplication, facts: &RequestFacts) -> bool {
    matches!(application.policies.decide(None, facts), Verdict::Permit(_))
}

pub(super) fn is_asked_for(call: &Call<'_>) -> bool {
    asks(&call.parts.method, &call.parts.headers) && !call.visit.target.is_reserved()
}

/// Answers with the text, and nothing else.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    let Ok(application) = call.snapshot.application(&call.visit.target) else {
        return Ok(call.page(&NotFound::Path(call.visit.target.host().as_str())));
    };
    let now = call.login.clock.now_seconds();
    let claims = claims(call, application);
    let key = (current_key(&call.snapshot), claims);
    let inner = &call.login.metadata.inner;
    if let Some(known) = inner.signed.get(&key).filter(|known| is_good(known, now)) {
        return Ok(said(known.text));
    }
    let (client, now_ms) = (call.visit.client, call.now_ms());
    if inner.fresh.must_wait(client, now_ms) {
        return Ok(call.page(&TooMany {
            retry_after: RETRY_AFTER,
        }));
    }
    inner.fresh.failed(client, now_ms);
    let Ok(_place) = inner.signing.acquire().await else {
        return Ok(call.page(&Unavailable::Busy)); // never closed
    };
    if let Some(known) = inner.signed.get(&key).filter(|known| is_good(known, now)) {
        return Ok(said(known.text));
    }
    let claims = Claims {
        iat: now,
        ..key.1.clone()
    };
    let text = call.login.signer.sign(&claims).await?;
    let Ok(text) = HeaderValue::from_str(&text) else {
        return Ok(call.page(&NotFound::Application)); // base64url always is a header's value
    };
    let signed = Signed {
        text: text.clone(),
        at: now,
    };
    inner.signed.insert(key, signed);
    Ok(said(text))
}

fn is_good(signed: &Signed, now: i64) -> bool {
    (0..LIFE_SECONDS).contains(&now.saturating_sub(signed.at))
}

fn claims(call: &Call<'_>, application: &ProtectedApplication) -> Claims {
    let host = call.visit.target.host();
    let destinations = &application.app.destinations;
    let covering = destinations
        .iter()
        .find(|destination| destination.covers_host(host));
    let origin = call.auth().origin();
    Claims {
        kind: "match",
        hostname: host.to_string(),
        auth_domain: origin
            .split_once("://")
            .map_or(origin, |(_, domain)| domain)
            .to_owned(),
        aud: application.app.aud.to_string(),
        app_hostname: covering
            .or(destinations.first())
            .map_or_else(String::new, ToString::to_string),
        iat: 0,
    }
}

/// The key that signs now: what an earlier one signed is not given out any longer.
fn current_key(snapshot: &Snapshot) -> String {
    snapshot
        .keys
        .current()
        .map_or_else(String::new, |key| key.kid.to_string())
}

fn said(text: HeaderValue) -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::OK;
    let headers = answer.headers_mut();
    headers.insert(SAYS, text);
    forbid_storing(headers);
    answer
}
