//! What policies would say of everybody who is known, tried before they are put in force.
//!
//! A trial goes through the register of users on the control plane, some hundreds at a time, and asks of each what the
//! last login said. It writes nothing. How it came out is kept in this process for an hour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::clock::Clock;
use crate::model::ids::UserId;
use crate::policy::{CompiledPolicies, Need, RefusalReason, RequestFacts, Verdict};
use crate::store::{SessionRow, Store, StoreError, User, UserFilter, UserPlace};

/// Trials at once.
const AT_ONCE: usize = 2;
/// Trials kept, the newest ones.
const MOST_KEPT: usize = 16;
/// How long one is kept, in milliseconds.
const KEPT_MS: i64 = 60 * 60 * 1000;
/// Users read at once.
const BATCH: u32 = 250;
/// The longest that a trial may take.
const LONGEST: Duration = Duration::from_mins(10);
/// Users that a trial goes through at most.
const MOST_USERS: usize = 1_000_000;

/// Trials under way and done. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trials {
    kept: Arc<Mutex<BTreeMap<Uuid, Arc<Trial>>>>,
    places: Arc<Semaphore>,
}

/// One trial.
#[derive(Debug)]
struct Trial {
    begun_ms: i64,
    work: Mutex<Work>,
}

/// How far a trial is, and how each user so far came out, in the order of the register.
#[derive(Debug)]
struct Work {
    progress: Progress,
    outcomes: Vec<(UserId, Outcome)>,
}

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Whether it goes on.
    pub standing: Standing,
    /// How many users there were when it began.
    pub total: u64,
    /// How many batches have been gone through.
    pub batches: u64,
    /// Users who would be let in.
    pub approved: usize,
    /// Users who would not.
    pub blocked: usize,
    /// Users of whom nothing certain can be said.
    pub uncertain: usize,
}

impl Progress {
    /// Users asked about so far.
    pub fn done(&self) -> usize {
        self.approved + self.blocked + self.uncertain
    }
}

/// Whether a trial goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    UnderWay,
    /// Everybody has been asked about.
    Done,
    /// It took too long, or there are too many.
    TooLong,
    /// The store could not be read any further.
    Failed,
}

/// What policies say of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They let the person in, perhaps after the person has said why.
    Approved,
    /// They do not.
    Blocked,
    /// Nothing certain can be said: what the last login said is not known, or not enough.
    Uncertain,
}

/// Why no trial was begun: there are as many as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{AT_ONCE} trials are under way already")]
pub struct TooManyTrials;

impl Default for Trials {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Trials {
    /// Begins a trial of policies; its id.
    ///
    /// # Errors
    /// [`TooManyTrials`].
    pub fn begin(
        &self,
        store: &Store,
        policies: CompiledPolicies,
        clock: &Clock,
    ) -> Result<Uuid, TooManyTrials> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| TooManyTrials)?;
        let trial = Arc::new(Trial {
            begun_ms: clock.now_ms(),
            work: Mutex::new(Work {
                progress: Progress {
                    standing: Standing::UnderWay,
                    total: 0,
                    batches: 0,
                    approved: 0,
                    blocked: 0,
                    uncertain: 0,
                },
                outcomes: Vec::new(),
            }),
        });
        let id = Uuid::new_v4();
        {
            let mut kept = self.kept(clock.now_ms());
            kept.insert(id, Arc::clone(&trial));
            while kept.len() > MOST_KEPT {
                let oldest = kept.iter().min_by_key(|(_, trial)| trial.begun_ms);
                let Some(oldest) = oldest.map(|(id, _)| *id) else {
                    break;
                };
                kept.remove(&oldest);
            }
        }
        tokio::spawn(run(trial, store.clone(), policies, clock.clone(), place));
        Ok(id)
    }

    /// How far a trial is; `None` where there is none, or none any longer.
    pub fn progress(&self, id: Uuid, clock: &Clock) -> Option<Progress> {
        let trial = self.kept(clock.now_ms()).get(&id).cloned()?;
        let progress = trial.work().progress;
        Some(progress)
    }

    /// How users came out, a page of them in the order of the register, and how many there are on all pages: those who
    /// came out so, or all. `None` where there is no such trial.
    pub fn outcomes(
        &self,
        id: Uuid,
        wanted: Option<Outcome>,
        (limit, offset): (usize, usize),
        clock: &Clock,
    ) -> Option<(Vec<(UserId, Outcome)>, usize)> {
        let trial = self.kept(clock.now_ms()).get(&id).cloned()?;
        let work = trial.work();
        let progress = &work.progress;
        let (count, page) = match wanted {
            None => {
                let page = work.outcomes.iter().skip(offset).take(limit);
                (progress.done(), page.copied().collect())
            }
            Some(wanted) => {
                let count = match wanted {
                    Outcome::Approved => progress.approved,
                    Outcome::Blocked => progress.blocked,
                    Outcome::Uncertain => progress.uncertain,
                };
                let found = work.outcomes.iter().filter(|(_, outcome)| *outcome == wanted);
                (count, found.skip(offset).take(limit).copied().collect())
            }
        };
        Some((page, count))
    }

    fn kept(&self, now_ms: i64) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Trial>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, trial| now_ms.saturating_sub(trial.begun_ms) < KEPT_MS);
        kept
    }
}

impl Trial {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in how a batch came out; how many users have been asked about.
    fn note(&self, outcomes: Vec<(UserId, Outcome)>) -> usize {
        let mut work = self.work();
        let progress = &mut work.progress;
        for (_, outcome) in &outcomes {
            match outcome {
                Outcome::Approved => progress.approved += 1,
                Outcome::Blocked => progress.blocked += 1,
                Outcome::Uncertain => progress.uncertain += 1,
            }
        }
        progress.batches += 1;
        let done = progress.done();
        // People who signed in meanwhile are among them.
        progress.total = progress.total.max(u64::try_from(done).unwrap_or(u64::MAX));
        work.outcomes.extend(outcomes);
        done
    }
}

/// Holds its place until it is done.
async fn run(
    trial: Arc<Trial>,
    store: Store,
    policies: CompiledPolicies,
    clock: Clock,
    _place: OwnedSemaphorePermit,
) {
    let going = go_through(&trial, &store, &policies, &clock);
    let standing = match tokio::time::timeout(LONGEST, going).await {
        Ok(Ok(standing)) => standing,
        Ok(Err(error)) => {
            tracing::error!(%error, "A trial of policies could not be brought to its end");
            Standing::Failed
        }
        Err(_) => Standing::TooLong,
    };
    trial.work().progress.standing = standing;
}

async fn go_through(
    trial: &Trial,
    store: &Store,
    policies: &CompiledPolicies,
    clock: &Clock,
) -> Result<Standing, StoreError> {
    trial.work().progress.total = store.users_count(&UserFilter::default()).await?;
    let mut place: Option<UserPlace> = None;
    loop {
        let users = store.users_after(place, BATCH).await?;
        let Some((last, _)) = users.last() else {
            return Ok(Standing::Done);
        };
        place = Some((last.created_ms, last.id.to_string()));
        let now_ms = clock.now_ms();
        let outcomes: Vec<_> = users
            .iter()
            .map(|(user, session)| (user.id, outcome(policies, user, session.as_ref(), now_ms)))
            .collect();
        if trial.note(outcomes) >= MOST_USERS {
            return Ok(Standing::TooLong);
        }
        tokio::task::yield_now().await;
    }
}

/// What policies say of a user, from where the last login was.
fn outcome(policies: &CompiledPolicies, user: &User, last: Option<&SessionRow>, now_ms: i64) -> Outcome {
    if user.deprovisioned {
        return Outcome::Blocked;
    }
    let Some(last) = last else {
        return Outcome::Uncertain;
    };
    let identity = &last.identity;
    let facts = RequestFacts {
        address: Some(identity.address),
        country: identity
            .country
            .as_deref()
            .and_then(|country| country.parse().ok()),
        now_ms,
        ..RequestFacts::default()
    };
    let outcomes = policies.outcomes(identity);
    match policies.decide(Some(&outcomes), &facts) {
        Verdict::Permit(_) => Outcome::Approved,
        Verdict::StepUp(step_up) => match step_up.need {
            Need::Justification => Outcome::Approved,
            Need::Approval => Outcome::Blocked,
            Need::AuthContext { .. } | Need::Evaluation { .. } => Outcome::Uncertain,
        },
        Verdict::SignIn => Outcome::Blocked,
        Verdict::Refuse(refusal) => match refusal.reason {
            RefusalReason::Denied | RefusalReason::NoPolicyMatched => Outcome::Blocked,
            RefusalReason::NotRuledOut | RefusalReason::Unmet => Outcome::Uncertain,
        },
    }
}
