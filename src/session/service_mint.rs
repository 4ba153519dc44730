//! JWTs for machines, made on the control plane and remembered: one signature for each application and machine until
//! shortly before its end, whatever number of requests and cores ask.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;
use quick_cache::unsync::Cache;
use tokio::sync::{mpsc, oneshot};

use super::keys::{KeyError, Signer};
use super::service_jwt::ServiceClaims;
use super::table::SessionTable;
use super::token::Kind;
use crate::clock::Clock;
use crate::model::application::Application;
use crate::model::ids::{AppId, KeyId, ServiceTokenId};
use crate::model::service_token::SecretMark;
use crate::model::token_duration::SHORTEST;
use crate::shutdown::Shutdown;
use crate::snapshot::{Published, Snapshot};

/// Questions waiting at once. More is an attack; 503 is the answer.
const QUEUE: usize = 1024;
/// JWTs remembered, by the control plane and by each core.
pub const REMEMBERED: usize = 4096;
/// A JWT is replaced when so much of its life is left, or a tenth of it if that is less.
const REPLACED_BEFORE_SECONDS: i64 = 300;
/// Longer names of certificates do not go into a JWT: they come from outside, and cookies end at 4 kB.
const LONGEST_NAME: usize = 256;

/// What a JWT is for. Equal ones share a JWT.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Purpose {
    /// The application that reads it.
    pub application: AppId,
    /// The machine that it tells of.
    pub machine: Machine,
    /// How long it lives, in seconds.
    pub seconds: u64,
}

/// A machine, as far as a JWT tells it from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Machine {
    /// One with a service token, by one of its secrets.
    Token(ServiceTokenId, SecretMark),
    /// One with a certificate, by its common name; empty where it has none.
    Certificate(Box<str>),
    /// One that a policy lets in for neither.
    Nameless,
}

/// A JWT to be made.
#[derive(Debug)]
pub struct Wanted {
    /// What it is for.
    pub purpose: Purpose,
    /// Its `common_name`.
    pub common_name: String,
    /// It must not outlive this, milliseconds since 1970.
    pub until_ms: i64,
}

/// A JWT for a machine.
#[derive(Debug)]
pub struct Minted {
    /// The JWT as the value of a header.
    pub assertion: HeaderValue,
    /// Its end, seconds since 1970.
    pub exp: i64,
    /// From when another is to take its place, seconds since 1970.
    pub replaced_from: i64,
    /// The snapshot that it was last held against.
    pub snapshot: u64,
    /// The version of what is revoked that it was last held against.
    pub revocations: u64,
    /// The application as its cookie goes by.
    pub cookie_of: Arc<Application>,
    kid: KeyId,
    epoch: i64,
}

impl Minted {
    /// Whether it can be used without asking again, for what is good until then (milliseconds since 1970).
    pub fn is_current(&self, snapshot: &Snapshot, revocations: u64, until_ms: i64, now: i64) -> bool {
        self.snapshot == snapshot.version && self.revocations == revocations && self.is_good(until_ms, now)
    }

    /// Whether its time has not come, and it does not outlive what it was made for.
    fn is_good(&self, until_ms: i64, now: i64) -> bool {
        now < self.replaced_from && self.exp <= until_ms.div_euclid(1000)
    }
}

/// There are too many to be made, or no key to sign them with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no token can be made now")]
pub struct CannotMint;

/// Asks the control plane for JWTs. Cheap to clone; usable on any runtime.
#[derive(Debug, Clone)]
pub struct ServiceMint {
    queue: mpsc::Sender<Question>,
}

#[derive(Debug)]
struct Question {
    wanted: Wanted,
    reply: oneshot::Sender<Arc<Minted>>,
}

impl ServiceMint {
    /// Starts minting on the present (control) runtime.
    pub fn start(
        published: Arc<Published>,
        sessions: SessionTable,
        signer: Signer,
        clock: Clock,
        shutdown: &Shutdown,
    ) -> Self {
        let (queue, questions) = mpsc::channel(QUEUE);
        let mint = Mint {
            published,
            sessions,
            signer,
            clock,
        };
        let hard = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = answer(mint, questions) => {}
                () = hard.hard() => {}
            }
        });
        Self { queue }
    }

    /// A JWT for this purpose that is good under the configuration in force.
    ///
    /// # Errors
    /// [`CannotMint`]
    pub async fn mint(&self, wanted: Wanted) -> Result<Arc<Minted>, CannotMint> {
        let (reply, answer) = oneshot::channel();
        let question = Question { wanted, reply };
        self.queue.try_send(question).map_err(|_| CannotMint)?;
        answer.await.map_err(|_| CannotMint)
    }
}

/// One signature for all who ask for the same at the same time.
async fn answer(mint: Mint, mut questions: mpsc::Receiver<Question>) {
    let mut remembered: Cache<Purpose, Arc<Minted>> = Cache::new(REMEMBERED);
    let mut waiting: HashMap<Purpose, Vec<oneshot::Sender<Arc<Minted>>>> = HashMap::new();
    let mut signing = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some(Question { wanted, reply }) = question else { return };
                let purpose = wanted.purpose.clone();
                if let Some(asking) = waiting.get_mut(&purpose) {
                    asking.push(reply);
                    continue;
                }
                if waiting.len() >= QUEUE {
                    continue; // whoever asked reads the dropped reply as a refusal
                }
                waiting.insert(purpose.clone(), vec![reply]);
                let (mint, before) = (mint.clone(), remembered.get(&purpose).cloned());
                signing.spawn(async move { (purpose, mint.renew(wanted, before).await) });
            }
            Some(signed) = signing.join_next(), if !signing.is_empty() => {
                // One that panicked leaves its askers without an answer, which reads as a refusal.
                let Ok((purpose, minted)) = signed else { waiting.clear(); continue };
                let asking = waiting.remove(&purpose).unwrap_or_default();
                match minted {
                    Ok(minted) => {
                        for reply in asking {
                            let _ = reply.send(Arc::clone(&minted)); // whoever gave up does not mind
                        }
                        remembered.insert(purpose, minted);
                    }
                    Err(error) => tracing::error!(%error, "No token can be signed for a machine"),
                }
            }
        }
    }
}

#[derive(Clone)]
struct Mint {
    published: Arc<Published>,
    /// Knows what was revoked.
    sessions: SessionTable,
    signer: Signer,
    clock: Clock,
}

impl Mint {
    /// The JWT there was, if it is still good, or another.
    async fn renew(&self, wanted: Wanted, before: Option<Arc<Minted>>) -> Result<Arc<Minted>, KeyError> {
        let snapshot = self.published.load();
        let now = self.clock.now_seconds();
        // It was asked for by a request for this application; without it, nobody reads the answer.
        let application = snapshot
            .applications
            .get(&wanted.purpose.application)
            .ok_or(KeyError::None)?;
        let signs = snapshot
            .keys
            .current()
            .map(|key| key.kid.clone())
            .ok_or(KeyError::None)?;
        // In this order: a revocation in between leaves a version that asks again.
        let revocations = self.sessions.tokens_version();
        let epoch = self.sessions.token_epoch(&application.app.aud);
        let good = |minted: &Arc<Minted>| {
            minted.is_good(wanted.until_ms, now)
                && minted.kid == signs
                && minted.epoch == epoch
                && minted.cookie_of.aud == application.app.aud
        };
        let before = before.filter(good);
        if let Some(before) = before
            .as_ref()
            .filter(|before| before.is_current(&snapshot, revocations, wanted.until_ms, now))
        {
            return Ok(Arc::clone(before));
        }
        let (assertion, exp, replaced_from) = match before {
            Some(before) => (before.assertion.clone(), before.exp, before.replaced_from),
            None => {
                self.sign(&snapshot, &application.app, wanted, (epoch, now))
                    .await?
            }
        };
        let cookie_of = Application {
            path_cookie_attribute: application.app.path_cookie_attribute
                || snapshot.shares_a_host(&application.app),
            ..application.app.clone()
        };
        Ok(Arc::new(Minted {
            assertion,
            exp,
            replaced_from,
            snapshot: snapshot.version,
            revocations,
            cookie_of: Arc::new(cookie_of),
            kid: signs,
            epoch,
        }))
    }

    async fn sign(
        &self,
        snapshot: &Snapshot,
        application: &Application,
        wanted: Wanted,
        (epoch, now): (i64, i64),
    ) -> Result<(HeaderValue, i64, i64), KeyError> {
        let Wanted {
            purpose,
            mut common_name,
            until_ms,
        } = wanted;
        let seconds = i64::try_from(purpose.seconds.max(SHORTEST.as_secs())).unwrap_or(i64::MAX);
        let exp = now.saturating_add(seconds).min(until_ms.div_euclid(1000));
        if common_name.len() > LONGEST_NAME {
            common_name.clear();
        }
        let claims = ServiceClaims {
            kind: Kind::App,
            aud: [application.aud.clone()],
            exp,
            iss: snapshot.organization.auth.origin().to_owned(),
            common_name,
            iat: now,
            sub: String::new(),
            epoch,
            secret_mark: match purpose.machine {
                Machine::Token(_, mark) => Some(mark),
                Machine::Certificate(_) | Machine::Nameless => None,
            },
        };
        let token = self.signer.sign(&claims).await?;
        let assertion = HeaderValue::from_str(&token).map_err(|_| KeyError::None)?;
        let margin = (exp.saturating_sub(now) / 10).min(REPLACED_BEFORE_SECONDS);
        Ok((assertion, exp, exp.saturating_sub(margin)))
    }
}
