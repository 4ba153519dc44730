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

mod asked;
pub mod attribute;
mod bearer;
mod call;
pub mod error;
pub mod filter;
mod groups;
mod list;
mod log;
mod members;
mod page;
pub mod patch;
pub mod path;
pub mod resource;
mod routes;
pub mod schema;
mod turns;
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
pub use members::LONGEST_ANSWER;
pub use routes::{Asked, LONGEST_BODY, NotKept, concerns};

/// Answers SCIM. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scim {
    published: Arc<Published>,
    store: Store,
    effects: Effects,
    clock: Clock,
    failures: Arc<FailureLimit>,
    turns: Arc<turns::Turns>,
    /// Filters that no index answers look at everybody, and large groups are long: few of them at once.
    long: Arc<Semaphore>,
    log: log::Log,
}

/// So much that takes long is worked on at once.
const LONG_AT_ONCE: usize = 2;

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
            turns: Arc::default(),
            long: Arc::new(Semaphore::new(LONG_AT_ONCE)),
        }
    }
}
