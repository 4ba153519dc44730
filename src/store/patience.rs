//! How long a call waits, and for what.
//!
//! A transaction on sessions locks rows first and takes its change number last; an object write that ends sessions
//! took its number first and locks rows then. So that the two cannot wait for each other, the former waits for a lock
//! only briefly, then lets go of everything and begins again.

use std::future::Future;
use std::time::Duration;

use sqlx::{Any, Transaction};

use super::{Backend, Store, StoreError};
use crate::crypto::random;

/// How long one call may take before it counts as unanswered. Longer than the server's own limits (see
/// [`super::connect`]), so that it fires only where the database cannot even say no: a cut network, a frozen host.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a write about everybody may take, or about a whole group. It is many statements, for each of which the server's own limits hold,
/// and must not fail again and again because a hundred thousand of its members are signed in.
const LONG_PATIENCE: Duration = Duration::from_mins(1);
/// Well below `deadlock_timeout` (1 s by default), after which PostgreSQL would end one of two transactions that wait
/// for each other, and perhaps the one that nobody repeats.
const POSTGRES_SHORT_WAIT: &str = "SET LOCAL lock_timeout = '200ms'";
/// How often a transaction begins again: with the waits between, about as long as any call may take.
const ATTEMPTS: u32 = 40;

/// Gives up on a database that does not answer.
pub(super) async fn bounded<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    within(PATIENCE, work).await
}

/// The same of a write about many people.
pub(super) async fn long_bounded<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    within(LONG_PATIENCE, work).await
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(elapsed) => Err(StoreError::Unavailable(elapsed.into())),
    }
}

impl Store {
    /// Repeats a transaction, mostly of [`Store::begin_brief`], that stood in another's way. `once` must be whole: it begins,
    /// does everything and commits.
    pub(super) async fn patiently<T, F>(&self, once: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        bounded(repeated(once)).await
    }

    /// The same for a write of a whole group.
    pub(super) async fn very_patiently<T, F>(&self, once: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        long_bounded(repeated(once)).await
    }

    /// A transaction that does not wait for a lock for long.
    pub(super) async fn begin_brief(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let mut tx = self.begin().await?;
        self.wait_briefly(&mut tx).await?;
        Ok(tx)
    }

    /// Has a transaction wait for no lock for long from now on; it must be repeated by [`Store::patiently`].
    pub(super) async fn wait_briefly(&self, tx: &mut Transaction<'static, Any>) -> Result<(), StoreError> {
        if self.inner.backend == Backend::Postgres {
            sqlx::query(POSTGRES_SHORT_WAIT).execute(&mut **tx).await?;
        }
        Ok(())
    }
}

async fn repeated<T, F>(once: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut attempt = 1;
    loop {
        match once().await {
            Err(error) if error.contended() && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
        // Two that began at once should not begin again at once.
        let [jitter] = random::bytes::<1>();
        tokio::time::sleep(Duration::from_millis(u64::from(jitter) / 8)).await;
    }
}
