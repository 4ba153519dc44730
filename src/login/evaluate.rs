//! External evaluations of an application, asked for before its policies are (at login, that is each time an
//! application token is about to be issued).
//!
//! What they say belongs to the session's identity, so that every request is decided by it without asking anybody. What
//! could not be asked, or gave no valid answer, is written down as neither yes nor no.

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::call::Call;
use super::failure::{Ended, Why};
use crate::crypto::random;
use crate::evaluation::Question;
use crate::model::evaluator::ExternalEvaluator;
use crate::model::identity::{Evaluation, Identity};
use crate::model::identity_json;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// Most evaluations that one application asks for. What is beyond them is not asked, and lets nobody in.
const MOST_ASKED: usize = 8;
/// Most evaluations kept with a session, of all its applications.
const MOST_KEPT: usize = 64;
/// How long a question is good for, in seconds.
const QUESTION_LIFE: i64 = 60;

/// How old a verdict may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum MaxAge {
    /// At the beginning of a hand-over: it is asked for anew, once for tabs that open together.
    Beginning,
    /// At its end: what the beginning asked for counts.
    End,
}

impl MaxAge {
    fn milliseconds(self) -> i64 {
        match self {
            Self::Beginning => 5_000,
            // A ticket lives a minute.
            Self::End => 65_000,
        }
    }
}

/// Asks every external evaluation that the application's policies ask for, and keeps what they say with the session.
pub(super) async fn gather(
    call: &Call<'_>,
    application: &ProtectedApplication,
    session: &LiveSession,
    max_age: MaxAge,
) -> Result<(), Ended> {
    let asked = application.policies.evaluations();
    if asked.is_empty() {
        return Ok(());
    }
    let identity = session.identity().identity.clone();
    let since_ms = call.now_ms().saturating_sub(max_age.milliseconds());
    let due: Vec<ExternalEvaluator> = asked
        .iter()
        .take(MOST_ASKED)
        .filter(|evaluator| !is_known_since(&identity, evaluator, since_ms))
        .cloned()
        .collect();
    if asked.len() > MOST_ASKED {
        tracing::warn!(
            request.id = %call.request_id, application = %application.app.name,
            "Only the first {MOST_ASKED} external evaluations of an application are asked"
        );
    }
    if due.is_empty() {
        return Ok(());
    }
    let fresh = ask_all(call, &identity, due).await;
    let amend = |identity: &mut Identity| {
        identity.evaluations.retain(|kept| {
            let is_same =
                |new: &Evaluation| new.evaluate_url == kept.evaluate_url && new.keys_url == kept.keys_url;
            !fresh.iter().any(is_same)
        });
        identity.evaluations.extend(fresh.iter().cloned());
        let too_many = identity.evaluations.len().saturating_sub(MOST_KEPT);
        identity.evaluations.drain(..too_many);
    };
    call.amend(session, &amend).await?.ok_or(Why::SessionOver)?;
    Ok(())
}

/// Whether an evaluation has said yes or no since then. What gave no verdict is asked again at once.
fn is_known_since(identity: &Identity, evaluator: &ExternalEvaluator, since_ms: i64) -> bool {
    let mut known = identity.evaluations.iter();
    known.any(|known| evaluator.gave(known) && known.success.is_some() && known.at_ms > since_ms)
}

/// Asks them side by side.
async fn ask_all(call: &Call<'_>, identity: &Identity, due: Vec<ExternalEvaluator>) -> Vec<Evaluation> {
    let whole = identity_json::whole(identity, &call.organization().account_id);
    let mut asking = JoinSet::new();
    for evaluator in &due {
        let question = question(call, evaluator, &whole).await;
        let (evaluations, evaluator) = (call.login.evaluations.clone(), evaluator.clone());
        asking.spawn(async move {
            let said = match question {
                Ok(question) => evaluations
                    .ask(&evaluator, &question)
                    .await
                    .map_err(|error| error.to_string()),
                Err(why) => Err(why.to_string()),
            };
            (evaluator, said)
        });
    }
    let mut said = Vec::new();
    while let Some(answered) = asking.join_next().await {
        // One that broke down has said nothing, and is written down so below.
        said.extend(answered);
    }
    let at_ms = call.now_ms();
    let evaluations = due.into_iter().map(|evaluator| {
        let success = said
            .iter()
            .find(|(asked, _)| *asked == evaluator)
            .and_then(|(_, said)| note(call, identity, &evaluator, said));
        Evaluation {
            evaluate_url: evaluator.evaluate_url,
            keys_url: evaluator.keys_url,
            success,
            at_ms,
        }
    });
    evaluations.collect()
}

/// Writes down for the operator what was said.
fn note(
    call: &Call<'_>,
    identity: &Identity,
    evaluator: &ExternalEvaluator,
    said: &Result<bool, String>,
) -> Option<bool> {
    let (request, user, at) = (&call.request_id, identity.user, &evaluator.evaluate_url);
    match said {
        Ok(success) => {
            tracing::info!(request.id = %request, user.id = %user, evaluate_url = at, success, "An external evaluation was made");
            Some(*success)
        }
        Err(why) => {
            tracing::warn!(request.id = %request, user.id = %user, evaluate_url = at, "An external evaluation gave no verdict: {why}");
            None
        }
    }
}

/// What an external evaluation is told. Its type and its audience are no application's: who receives it cannot show it
/// to one as the person's own token.
#[derive(Serialize)]
struct Claims<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    aud: [&'a str; 1],
    iss: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    nonce: &'a str,
    identity: &'a Value,
}

async fn question(call: &Call<'_>, evaluator: &ExternalEvaluator, identity: &Value) -> Result<Question, Why> {
    let nonce = random::alphanumeric(32);
    let now = call.login.clock.now_seconds();
    let claims = Claims {
        kind: "external_evaluation",
        aud: [&evaluator.evaluate_url],
        iss: call.auth().origin(),
        iat: now,
        nbf: now,
        exp: now.saturating_add(QUESTION_LIFE),
        nonce: &nonce,
        identity,
    };
    let token = call.login.signer.sign(&claims).await?;
    Ok(Question { token, nonce })
}
