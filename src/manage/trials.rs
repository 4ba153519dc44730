//! What policies would say of everybody who is known, tried before they are put in force.
//!
//! A trial goes through the register of users on the control plane, some hundreds at a time, and asks of each what the
//! last login said. How it comes out is written down batch by batch, so that whichever gateway is asked can tell.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::clock::Clock;
use crate::policy::{CompiledPolicies, Need, RefusalReason, RequestFacts, Verdict};
use crate::store::{
    SessionRow, Store, StoreError, TrialOutcome, TrialProgress, TrialStanding, User, UserFilter, UserPlace,
};

/// Trials at once, at one gateway.
const AT_ONCE: usize = 2;
/// Users read at once.
const BATCH: u32 = 250;
/// The longest that a trial may take.
const LONGEST: Duration = Duration::from_mins(10);
/// Users that a trial goes through at most.
const MOST_USERS: u64 = 1_000_000;

/// The trials that this gateway works on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trials {
    places: Arc<Semaphore>,
}

/// Why no trial was begun.
#[derive(Debug, thiserror::Error)]
pub enum NoTrial {
    /// There are as many as may be.
    #[error("{AT_ONCE} trials are under way already")]
    TooMany,
    /// It could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Default for Trials {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Trials {
    /// Begins a trial of policies; its id.
    ///
    /// # Errors
    /// [`NoTrial`].
    pub async fn begin(
        &self,
        store: &Store,
        policies: CompiledPolicies,
        clock: &Clock,
    ) -> Result<Uuid, NoTrial> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| NoTrial::TooMany)?;
        let id = Uuid::new_v4();
        store.begin_trial(id).await?;
        let trial = Trial {
            id,
            store: store.clone(),
            policies,
            clock: clock.clone(),
        };
        tokio::spawn(run(trial, place));
        Ok(id)
    }
}

/// One trial.
struct Trial {
    id: Uuid,
    store: Store,
    policies: CompiledPolicies,
    clock: Clock,
}

/// Holds its place until it is done.
async fn run(trial: Trial, _place: OwnedSemaphorePermit) {
    let mut progress = TrialProgress::default();
    let going = go_through(&trial, &mut progress);
    let standing = match tokio::time::timeout(LONGEST, going).await {
        Ok(Ok(standing)) => standing,
        Ok(Err(error)) => {
            tracing::error!(%error, "A trial of policies could not be brought to its end");
            TrialStanding::Failed
        }
        Err(_) => TrialStanding::TooLong,
    };
    progress.standing = standing;
    if let Err(error) = trial.store.note_trial(trial.id, &progress, &[]).await {
        tracing::error!(%error, "The end of a trial of policies could not be written down");
    }
}

async fn go_through(trial: &Trial, progress: &mut TrialProgress) -> Result<TrialStanding, StoreError> {
    let store = &trial.store;
    progress.total = store.users_count(&UserFilter::default()).await?;
    let mut place: Option<UserPlace> = None;
    loop {
        let users = store.users_after(place, BATCH).await?;
        let Some((last, _)) = users.last() else {
            return Ok(TrialStanding::Done);
        };
        place = Some((last.created_ms, last.id.to_string()));
        let now_ms = trial.clock.now_ms();
        let outcomes: Vec<_> = users
            .iter()
            .map(|(user, session)| (user.id, outcome(&trial.policies, user, session.as_ref(), now_ms)))
            .collect();
        let mut next = *progress;
        next.batches += 1;
        for (_, outcome) in &outcomes {
            next.counts.note(*outcome);
        }
        // People who signed in meanwhile are among them.
        next.total = next.total.max(next.counts.all());
        if !store.note_trial(trial.id, &next, &outcomes).await? {
            // There are newer ones enough: nobody can ask about this one any longer.
            return Ok(TrialStanding::TooLong);
        }
        *progress = next;
        if progress.counts.all() >= MOST_USERS {
            return Ok(TrialStanding::TooLong);
        }
        tokio::task::yield_now().await;
    }
}

/// What policies say of a user, from where the last login was.
fn outcome(policies: &CompiledPolicies, user: &User, last: Option<&SessionRow>, now_ms: i64) -> TrialOutcome {
    if user.deprovisioned {
        return TrialOutcome::Blocked;
    }
    let Some(last) = last else {
        return TrialOutcome::Uncertain;
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
        Verdict::Permit(_) => TrialOutcome::Approved,
        Verdict::StepUp(step_up) => match step_up.need {
            Need::Justification => TrialOutcome::Approved,
            Need::Approval => TrialOutcome::Blocked,
            Need::AuthContext { .. } | Need::Evaluation { .. } => TrialOutcome::Uncertain,
        },
        Verdict::SignIn => TrialOutcome::Blocked,
        Verdict::Refuse(refusal) => match refusal.reason {
            RefusalReason::Denied | RefusalReason::NoPolicyMatched => TrialOutcome::Blocked,
            RefusalReason::NotRuledOut | RefusalReason::Unmet => TrialOutcome::Uncertain,
        },
    }
}
