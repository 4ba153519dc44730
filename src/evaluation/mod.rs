//! External evaluation: a question about a person, signed by us, and a verdict, signed by the service that gives it
//! (Cloudflare: "External Evaluation rules").
//!
//! ```text
//! POST evaluate_url  {"token": JWT by the Access key {identity, nonce, iat, exp, iss, aud}}
//!      ◀── 200       {"token": JWT {success, nonce, iat, exp}} by a key of keys_url
//! ```
//! Whatever goes wrong is [`NotEvaluated`]: the rule is then unknown and lets nobody in. The question carries who the
//! person is, and no credential of anybody's.

mod answer;
mod keys;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode};
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::answer::Answer;
use self::keys::KeySets;
use crate::clock::Clock;
use crate::entra::Outbound;
use crate::entra::outbound::OutboundFailed;
use crate::model::evaluator::ExternalEvaluator;

/// For each of the two exchanges. A person waits in front of a browser.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest body of an answer. A verdict has less than 1 kB, a set of keys a few.
const MAX_BODY: usize = 64 * 1024;
/// For everything that one evaluation takes, the time included that another look at the same keys takes.
const WHOLE: Duration = Duration::from_secs(8);
/// Evaluations under way at once, of all services.
const MOST_AT_ONCE: usize = 256;
/// Evaluations under way at once at one address. A service that hangs keeps this many logins waiting, and no others.
const MOST_AT_ONE_ADDRESS: usize = 32;
/// Addresses whose evaluations are counted. One or two are usual.
const MAX_ADDRESSES: usize = 256;

/// Asks external evaluations. Cheap to clone.
#[derive(Clone)]
pub struct Evaluations {
    outbound: Outbound,
    clock: Clock,
    keys: KeySets,
    at_once: Arc<Semaphore>,
    /// Of each address, for as long as it is remembered.
    places: Arc<Cache<String, Arc<Semaphore>>>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The signed token that describes the person.
    pub token: String,
    /// The `nonce` in it, which the verdict must repeat.
    pub nonce: String,
}

/// Why there is no verdict. `Display` is for the log and repeats nothing of what came.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotEvaluated {
    /// Too many are under way.
    #[error("too many evaluations are under way")]
    Busy,
    /// The address is none.
    #[error("{0} is no address")]
    Address(&'static str),
    /// No answer came.
    #[error("{what}: {failed}")]
    NoAnswer {
        /// What was asked for.
        what: &'static str,
        /// Why.
        failed: OutboundFailed,
    },
    /// Another status than 200.
    #[error("{what} answers with status {status}")]
    Status {
        /// What was asked for.
        what: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// Not what was asked for.
    #[error("{0}")]
    Malformed(&'static str),
    /// The verdict fails a check.
    #[error("the verdict is not acceptable: {0}")]
    Refused(&'static str),
}

impl Evaluations {
    /// Nothing is remembered yet.
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        Self {
            outbound,
            clock,
            keys: KeySets::new(),
            at_once: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            places: Arc::new(Cache::new(MAX_ADDRESSES)),
        }
    }

    /// What an external evaluation says.
    ///
    /// # Errors
    /// [`NotEvaluated`]: it said neither yes nor no.
    pub async fn ask(
        &self,
        evaluator: &ExternalEvaluator,
        question: &Question,
    ) -> Result<bool, NotEvaluated> {
        let places = self.places_at(&evaluator.evaluate_url);
        let _place = places.try_acquire().map_err(|_| NotEvaluated::Busy)?;
        let _slot = self.at_once.try_acquire().map_err(|_| NotEvaluated::Busy)?;
        let late = |_| NotEvaluated::NoAnswer {
            what: "the evaluation",
            failed: OutboundFailed::Timeout,
        };
        timeout(WHOLE, self.ask_patiently(evaluator, question))
            .await
            .map_err(late)?
    }

    async fn ask_patiently(
        &self,
        evaluator: &ExternalEvaluator,
        question: &Question,
    ) -> Result<bool, NotEvaluated> {
        let body = json!({ "token": question.token }).to_string();
        let request = Request::post(&evaluator.evaluate_url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body.into_bytes())
            .map_err(|_| NotEvaluated::Address("evaluate_url"))?;
        let answered = exchange(&self.outbound, request, "evaluate_url").await?;
        let Verdict { token } = serde_json::from_slice(&answered)
            .map_err(|_| NotEvaluated::Malformed("evaluate_url answers without a token"))?;
        let answer = Answer::read(&token)?;
        let key = self
            .keys
            .find(&evaluator.keys_url, answer.key_id(), &self.outbound, &self.clock)
            .await?;
        answer.verify(&key.decoding, &question.nonce, self.clock.now_seconds())
    }

    fn places_at(&self, evaluate_url: &str) -> Arc<Semaphore> {
        let fresh = || Ok::<_, Infallible>(Arc::new(Semaphore::new(MOST_AT_ONE_ADDRESS)));
        match self.places.get_or_insert_with(evaluate_url, fresh) {
            Ok(places) => places,
            Err(never) => match never {},
        }
    }
}

#[derive(Deserialize)]
struct Verdict {
    token: String,
}

/// One exchange that ends with status 200, or not at all.
async fn exchange(
    outbound: &Outbound,
    request: Request<Vec<u8>>,
    what: &'static str,
) -> Result<Vec<u8>, NotEvaluated> {
    let answer = outbound
        .send_outside(request, MAX_BODY, PATIENCE)
        .await
        .map_err(|failed| NotEvaluated::NoAnswer { what, failed })?;
    match answer.status() {
        StatusCode::OK => Ok(answer.into_body()),
        status => Err(NotEvaluated::Status { what, status }),
    }
}

#[cfg(test)]
mod tests;
