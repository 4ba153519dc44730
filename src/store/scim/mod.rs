//! What directories tell, by SCIM or read by Graph: people, groups, who is in which, whom they have deleted.
//!
//! A write and what follows from it for users and their live sessions are one transaction, so that nobody is told of
//! something that half happened. It locks the resource first, then users and sessions, and takes its change numbers
//! last. A sign-in keeps to the same order: what the directory says of the person, then the user. Where two cross all the
//! same (writes of two resources that are the same person in turn, a group with thousands of people, an object write
//! that took its number first), the write gives way and begins anew ([`super::patience`]).
//!
//! # Who is who
//! A person of the directory is a user of ours where `externalId` is the object that signs in. Where the directory
//! gives something else there, an address links the two: of a member's account, with one candidate and nothing that
//! speaks against it. From then on the link stands, whatever the address becomes, until somebody new comes with it; that of
//! somebody inactive stands until they are active again.

mod arrival;
mod buried;
mod effects;
mod former;
mod groups;
mod holds;
mod kept_out;
mod link;
mod nesting;
#[cfg(test)]
mod plans;
mod rereads;
mod search;
mod secrets;
mod syncs;
mod telling;
mod updates;
mod users;

pub use arrival::ScimAtLogin;
pub(super) use arrival::{FORGET_TAKEN, TAKEN_KEPT_MS};
pub(super) use effects::put_out_inactive;
pub use effects::{Consequences, DEPROVISIONED, GROUPS_CHANGED, ScimRules};
pub use groups::{GroupWritten, Membership};
pub use holds::{DirectoryHold, Losses, Members};
pub use nesting::Held;
pub use rereads::Reread;
use search::Kept;
pub use search::{ScimKey, ScimResource, ScimSearch};
pub(super) use secrets::{forget as forget_secret, forget_provider, set as set_secret};
pub use syncs::{DirectorySync, RoundEnd};
pub use telling::Telling;
pub use updates::{Journal, PROVIDERS_MAX, ScimUpdate, ScimUpdateFilter, VALUES_MAX};
pub use users::UserWritten;

use crate::model::ids::{IdpId, ObjectId, ScimGroupId, ScimUserId, UserId};
use crate::model::scim::{GroupRecord, UserRecord};

/// Why sessions ended of somebody whose address is somebody else's now.
pub const ADDRESS_PASSED_ON: &str = "address_passed_on";

/// A person as a directory describes them.
#[derive(Debug, Clone, PartialEq)]
pub struct ScimUser {
    /// Our id of the resource.
    pub id: ScimUserId,
    /// Whose directory it is.
    pub provider: IdpId,
    /// What the directory says.
    pub record: UserRecord,
    /// The user of ours that it is linked to.
    pub user: Option<UserId>,
    /// The objects that it meant before it came to mean the present one, as far as they are not kept out already.
    pub former: Vec<ObjectId>,
    /// When it was made.
    pub created_ms: i64,
    /// When it last changed.
    pub updated_ms: i64,
}

/// A group as a directory describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimGroup {
    /// Our id of the resource.
    pub id: ScimGroupId,
    /// Whose directory it is.
    pub provider: IdpId,
    /// What the directory says.
    pub record: GroupRecord,
    /// When it was made.
    pub created_ms: i64,
    /// When it last changed.
    pub updated_ms: i64,
}

/// Somebody of a directory, in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// Our id of the resource.
    pub id: ScimUserId,
    /// The object in Entra, where the directory gives it as `externalId`.
    pub object: Option<ObjectId>,
    /// Whether they may sign in.
    pub active: bool,
    /// The name of somebody without an object, in lower case.
    pub name: Option<String>,
}

impl ScimUser {
    /// Whatever may be the person's address, in the form in which addresses are compared. What PostgreSQL cannot hold
    /// is no address that anybody looks for.
    fn addresses(&self) -> impl Iterator<Item = String> {
        let all = std::iter::once(self.record.user_name()).chain(self.record.emails());
        all.filter(|address| !address.contains('\0')).map(folded)
    }
}

/// Names in the form in which they are compared.
fn folded(name: &str) -> String {
    name.to_lowercase()
}
