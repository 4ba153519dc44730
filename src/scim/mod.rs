//! SCIM 2.0 (RFC 7643, RFC 7644) as Microsoft Entra's provisioning service speaks it: the directory tells of people and
//! groups, and what it tells takes effect on live sessions.
//!
//! ```text
//! …/populations/<provider>/scim/v2/…   routes    who asks (bearer), which resource, one answer, one row of the log
//!   Users, Groups                      users, groups   look-ups and writes
//!   a filter, a PATCH                  filter, path, patch   read whole and bounded before anything is done
//!   what is kept                       resource, schema      one table says which attributes there are
//!   effects                            store   ends sessions and changes identities in the write's own transaction
//! ```
//! Nothing here reads cookies. What Entra never uses (bulk, sorting, `ETag`s, `/Me`) is not offered, and
//! `ServiceProviderConfig` says so.

pub mod attribute;
mod bearer;
mod call;
pub mod error;
pub mod filter;
mod groups;
mod log;
mod page;
pub mod patch;
pub mod path;
pub mod resource;
mod routes;
pub mod schema;
mod users;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::session::effects::Effects;
use crate::session::limits::FailureLimit;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::Store;

pub use bearer::shows_a_secret;
pub use routes::{Asked, LONGEST_BODY, NotKept, concerns};

/// Answers SCIM. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scim {
    published: Arc<Published>,
    store: Store,
    effects: Effects,
    clock: Clock,
    failures: Arc<FailureLimit>,
    /// Filters that no index answers look at everybody: few of them at once.
    scans: Arc<Semaphore>,
    log: log::Log,
}

/// So many filters without an index are worked on at once.
const SCANS: usize = 2;

impl Scim {
    /// Starts on the present (control) runtime.
    pub fn start(
        published: Arc<Published>,
        store: Store,
        effects: Effects,
        clock: Clock,
        shutdown: &Shutdown,
    ) -> Self {
        Self {
            log: log::Log::start(store.clone(), shutdown),
            published,
            store,
            effects,
            clock,
            failures: Arc::default(),
            scans: Arc::new(Semaphore::new(SCANS)),
        }
    }
}
