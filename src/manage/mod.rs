//! The only writers of objects: validate, write, audit.
//!
//! A write is validated against the objects as they stand in its own transaction, so that what was validated is what is
//! there when it commits; of those that this process knows already, it reads what was written since. Replicas hear of it through the feed. Input that cannot stand is a [`ManageError::Refused`] with every
//! problem in it, and nothing has been written.

mod api_tokens;
mod applied;
mod claims;
mod explain;
mod objects;
mod organization;
mod plan;
mod preview;
mod reconcile;
mod scim;
mod seats;
mod service_tokens;
mod settings;
mod stored;
mod test_link;
mod trials;
mod validate;
mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Clock;
use crate::crypto::seal::Sealer;
use crate::model::idp::Cloud;
use crate::model::ids::AccountId;
use crate::model::organization::Organization;
use crate::snapshot::read::Problem;
use crate::store::{Kind, Store, StoreError};
use stored::SharedIndex;

pub use api_tokens::NewApiToken;
pub use explain::{DecidedBy, Expected, Explained, Known, Question, explained, name_groups, visited};
pub use objects::{Draft, Written};
pub use organization::{organization, organization_to_be, stored_account};
pub use preview::{Change, Difference};
pub use reconcile::{OlderFile, Outcome, Reconciled, Superseded};
pub use scim::{provisions, rules_of, scim_rules};
pub use service_tokens::{Issued, NewServiceToken, ServiceTokenChanges};
pub use test_link::{OpenedTestLink, TEST_PAGE, TestLink, TestLinkRefused, open_test_link};
pub use trials::{NoTrial, Trials};

/// Writes objects. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Manage {
    store: Store,
    sealer: Sealer,
    clock: Clock,
    organization: Arc<Organization>,
    clouds: Arc<BTreeMap<String, Cloud>>,
    index: SharedIndex,
}

impl Manage {
    /// A writer to this store, for this organization.
    pub fn new(
        store: Store,
        sealer: Sealer,
        clock: Clock,
        organization: Arc<Organization>,
        clouds: Arc<BTreeMap<String, Cloud>>,
    ) -> Self {
        Self {
            store,
            sealer,
            clock,
            organization,
            clouds,
            index: SharedIndex::default(),
        }
    }

    /// The account that ids of declared objects follow from.
    pub fn account(&self) -> &AccountId {
        &self.organization.account_id
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// The objects cannot stand as they are.
    #[error("{}", lines(.0))]
    Refused(Vec<RefusedObject>),
    /// What they would have is others' already, an address or being the launcher; with the objects themselves nothing is
    /// wrong.
    #[error("{}", lines(.0))]
    Taken(Vec<RefusedObject>),
    /// The store belongs to another account than the configuration says. Ids and sealed secrets hang on it.
    #[error("the store belongs to account {stored}, the configuration says {written}")]
    ForeignAccount {
        /// The account in the store.
        stored: AccountId,
        /// The account in the configuration.
        written: AccountId,
    },
    /// There is no such object.
    #[error("there is no {} with the id {id}", .kind.as_str())]
    NotFound {
        /// What it would be.
        kind: Kind,
        /// Its id.
        id: Uuid,
    },
    /// The configuration file declares the object, so it is changed there.
    #[error("the {} \"{name}\" is declared in the configuration file: change it there", .kind.as_str())]
    Declared {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// There is one already.
    #[error("there is a {} like \"{name}\" already", .kind.as_str())]
    Exists {
        /// What it is.
        kind: Kind,
        /// The name of the new one.
        name: String,
    },
    /// Other objects refer to it.
    #[error("the {} \"{name}\" is in use by {}", .kind.as_str(), .by.join(", "))]
    InUse {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
        /// The objects that refer to it.
        by: Vec<String>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An object that cannot stand as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedObject {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What is wrong with it; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for RefusedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(
                f,
                "{separator}{} \"{}\": {problem}",
                self.kind.as_str(),
                self.name
            )?;
        }
        Ok(())
    }
}

fn lines(refused: &[RefusedObject]) -> String {
    let lines: Vec<String> = refused.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
