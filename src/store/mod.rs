//! The store: SQLite or PostgreSQL behind one interface.
//!
//! One SQL text serves both (sqlx `Any`); columns are TEXT, BIGINT and BLOB, times are milliseconds since 1970, and
//! every statement is a constant that names its columns (those of logs are put together from constants, see `conditions`).
//! What differs stands in few places: `connect` (how a
//! connection is made) and here (how a transaction begins), `endings`, `sessions` and `patience` (locks that only a
//! database of many writers needs), `many` (how a list is taken apart), and `wake` (who says that something changed).
//!
//! # The order of changes
//! Each object write and each ending of sessions appends a row to `changes`, numbered from the one-row table
//! `change_head`. Its row lock is held until the commit, so numbers become visible in commit order on both databases:
//! a reader that has seen number *n* can never be surprised by a smaller one, however slow some transaction is.
//! An object write takes the number with its first statement, which serialises its validation too; an ending takes
//! it after all else, so that it holds up others for a moment only; a login takes none.

mod amend;
mod approvals;
mod audit;
mod changes;
mod conditions;
mod connect;
mod documents;
mod endings;
mod epochs;
mod error;
mod held;
mod keys;
mod leave;
mod logs;
mod many;
mod migrations;
mod objects;
mod packed;
mod patience;
mod refreshes;
mod register;
mod row;
mod scim;
mod seats;
mod service_token_uses;
mod session_apps;
mod sessions;
mod spent;
mod transfers;
mod trials;
mod user_orders;
mod users;
mod wake;
mod write;

use std::future::Future;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock::Clock;
use patience::{bounded, long_bounded};

pub use amend::{Amended, AmendedSession};
pub use approvals::{ApprovalRequest, ApprovalState, OpenRequest, REQUEST_LIFE_MS};
pub use audit::{AuditRow, Audited};
pub use changes::{Change, ChangeKind, Feed, Position};
pub use documents::{Document, Kind};
pub use endings::Ending;
pub use epochs::TokensOf;
pub use error::StoreError;
pub use keys::{KeyState, SigningKeyRow};
pub use leave::{Vote, Voted};
pub use logs::{AccessRequest, AccessRequestFilter, NON_IDENTITY};
pub use objects::{Difference, Object, ObjectFilter, Objects};
pub use refreshes::{DueRefresh, REFRESHES_TAKEN};
pub use register::{Called, Marks, UserFilter, UserPlace};
pub use scim::{
    ADDRESS_PASSED_ON, Consequences, DEPROVISIONED, DirectoryHold, DirectorySync, GROUPS_CHANGED,
    GroupWritten, Held, Journal, KnownPerson, Losses, Members, Membership, PROVIDERS_MAX, Reread, RoundEnd,
    ScimAtLogin, ScimGroup, ScimKey, ScimResource, ScimRules, ScimSearch, ScimUpdate, ScimUpdateFilter,
    ScimUser, Telling, UserWritten, VALUES_MAX,
};
pub use sessions::{NewSession, SessionInserted, SessionRow};
pub use transfers::Transfer;
pub use trials::{TrialCounts, TrialOutcome, TrialProgress, TrialStanding};
pub use user_orders::{UserOrder, UserOrdered};
pub use users::User;
pub use write::{Actor, ActorKind, AuditEntry, ObjectWrite};

/// The store. Cheap to clone; all clones share connections and wake each other.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backend: Backend,
    // The same pool as `readers` where the database takes many writers.
    writers: AnyPool,
    readers: AnyPool,
    followers: AnyPool,
    clock: Clock,
    wake: wake::Wake,
    // All objects as they were when somebody last asked for them, and the change they stand at.
    objects: Mutex<Option<(Position, Objects)>>,
    long_reads: Semaphore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

/// Reads at once that look at rows by the thousand. Logins and the feed have the other connections; and two at once are
/// slower than one after the other, as SQLite's caches share one lock and push out each other's pages.
const LONG_READS: usize = 1;

impl Store {
    /// Connects and brings the schema up to date. `url` is `sqlite:///path`, `sqlite::memory:` or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the database cannot be reached or the address is not understood,
    /// [`StoreError::Schema`] where a newer release has made it unreadable for this one.
    pub async fn open(url: &SecretString, clock: Clock) -> Result<Self, StoreError> {
        let pools = connect::connect(url).await?;
        migrations::migrate(&pools, clock.now_ms()).await?;
        let wake = match pools.backend {
            Backend::Sqlite => wake::Wake::in_process(),
            Backend::Postgres => wake::Wake::listening(url.clone()),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                backend: pools.backend,
                writers: pools.writers,
                readers: pools.readers,
                followers: pools.followers,
                clock,
                wake,
                objects: Mutex::default(),
                long_reads: Semaphore::new(LONG_READS),
            }),
        })
    }

    /// Connects to a store that is there and has this release's schema; `None` where it has not. Makes nothing and
    /// migrates nothing: for commands that only look.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_existing(url: &SecretString, clock: Clock) -> Result<Option<Self>, StoreError> {
        if connect::is_absent(url) {
            return Ok(None);
        }
        let pools = connect::connect(url).await?;
        if !migrations::is_present(&pools).await? {
            return Ok(None);
        }
        Ok(Some(Self {
            inner: Arc::new(Inner {
                backend: pools.backend,
                writers: pools.writers,
                readers: pools.readers,
                followers: pools.followers,
                clock,
                // Who only looks waits for nobody.
                wake: wake::Wake::in_process(),
                objects: Mutex::default(),
                long_reads: Semaphore::new(LONG_READS),
            }),
        }))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        const PING: &str = "SELECT seq FROM change_head WHERE one = 1";
        bounded(async {
            let mut connection = self.reader().await?;
            sqlx::query(PING).fetch_one(&mut *connection).await?;
            Ok(())
        })
        .await
    }

    /// Closes every connection. Calls made afterwards answer [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.inner.wake.stop();
        self.inner.writers.close().await;
        self.inner.readers.close().await;
        self.inner.followers.close().await;
    }

    /// Whether the database is PostgreSQL, which several gateways can share.
    pub fn is_postgres(&self) -> bool {
        self.inner.backend == Backend::Postgres
    }

    /// Resolves when a change may have come. It counts from the moment of this call, not of its first poll: make it,
    /// read the feed, then await it, and nothing falls between. Combine it with a timer; a wake-up can get lost.
    pub fn woken(&self) -> impl Future<Output = ()> + Send + use<> {
        self.inner.wake.woken()
    }

    fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    async fn reader(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.inner.readers.acquire().await?)
    }

    /// For following the changes: while all others read what is long, sessions end as ever, and the gateway knows that
    /// the store answers.
    async fn follower(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.inner.followers.acquire().await?)
    }

    /// A turn among the long reads, for one that is. It comes before the connection, so that whoever waits has none.
    async fn turn_of_long_reads(&self, is_long: bool) -> Option<SemaphorePermit<'_>> {
        if is_long {
            // Never closed, so a turn comes.
            self.inner.long_reads.acquire().await.ok()
        } else {
            None
        }
    }

    async fn writer(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.inner.writers.acquire().await?)
    }

    /// A transaction that writes.
    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        // SQLite would else take the write lock at the first write only, and fail instead of waiting if another
        // process wrote in between (<https://www.sqlite.org/lang_transaction.html>).
        Ok(match self.inner.backend {
            Backend::Sqlite => self.inner.writers.begin_with("BEGIN IMMEDIATE").await?,
            Backend::Postgres => self.inner.writers.begin().await?,
        })
    }

    /// A transaction that reads one state of everything.
    async fn begin_read(&self) -> Result<Transaction<'static, Any>, StoreError> {
        const ONE_STATE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match self.inner.backend {
            Backend::Sqlite => self.inner.readers.begin().await?,
            Backend::Postgres => self.inner.readers.begin_with(ONE_STATE).await?,
        })
    }
}
