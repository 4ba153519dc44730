//! Who asks Graph, and what the token permits.
//!
//! <https://learn.microsoft.com/graph/permissions-overview>

use std::sync::Arc;

use axum::http::{HeaderMap, header};

use super::error::GraphRefusal;
use crate::directory::{Tenant, User};
use crate::grants::Access;
use crate::scope::Resource;
use crate::server::Context;

/// Permissions that open every membership.
const READ_MEMBERSHIPS: &[&str] = &[
    "GroupMember.Read.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

/// Permissions that open every person's profile.
const READ_PEOPLE: &[&str] = &[
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

/// Permissions that open everybody's name, but not whether the account is enabled.
const READ_NAMES: &[&str] = &["User.ReadBasic.All"];

/// Permissions that open the caller's own profile.
const READ_SELF: &[&str] = &["User.Read"];

/// Permissions that end sessions.
const REVOKE: &[&str] = &[
    "User.RevokeSessions.All",
    "User.ReadWrite.All",
    "Directory.ReadWrite.All",
];

/// Permissions that open authentication contexts.
const READ_POLICIES: &[&str] = &["Policy.Read.ConditionalAccess", "Policy.Read.All"];

/// Permissions that open app registrations.
const READ_APPS: &[&str] = &["Application.Read.All", "Directory.Read.All"];

/// How much of a membership a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Insight {
    /// Everything.
    Full,
    /// Ids only; every other property reads null.
    Limited,
}

/// A caller with a good token.
pub(super) struct Caller {
    access: Access,
    /// The tenant the token is for.
    pub(super) tenant: Arc<Tenant>,
}

impl Caller {
    /// Checks the bearer token: known, for Graph, not expired, and nothing happened that a challenge must tell.
    pub(super) fn identify(context: &Context, headers: &HeaderMap) -> Result<Self, GraphRefusal> {
        let bad = |message| GraphRefusal::bad_token(&context.base_url, message);
        let presented = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = presented
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        if token.is_empty() {
            return Err(bad("Access token is empty."));
        }
        let known = context.directory.lock().grants.access.get(token).cloned();
        let access = known.ok_or_else(|| bad("Access token validation failure."))?;
        if access.resource != Resource::Graph {
            return Err(bad("Access token validation failure. Invalid audience."));
        }
        let now = context.directory.now();
        if access.expires <= now {
            return Err(bad("Lifetime validation failed, the token is expired."));
        }
        if access.issued > now.saturating_add(300) {
            return Err(bad("Lifetime validation failed, the token is not yet valid."));
        }
        let tenant = context
            .directory
            .find_tenant(&access.tenant)
            .ok_or_else(|| bad("Invalid tenant."))?;
        let caller = Self { access, tenant };
        if caller.must_be_challenged() {
            return Err(GraphRefusal::claims_challenge(&context.base_url, now));
        }
        Ok(caller)
    }

    /// The object id of the person the token acts for; none: the app itself.
    pub(super) fn oid(&self) -> Option<&str> {
        self.access.oid.as_deref()
    }

    /// The app the token was given to.
    pub(super) fn client_id(&self) -> &str {
        &self.access.client_id
    }

    /// Whether the person is the caller.
    pub(super) fn is(&self, person: &User) -> bool {
        self.oid() == Some(&person.oid)
    }

    /// Reading a profile; `accountEnabled` needs more than the name.
    pub(super) fn may_read_profile(&self, person: &User, whole: bool) -> Result<(), GraphRefusal> {
        let own = self.is(person) && self.has_any(READ_SELF);
        let names = !whole && self.has_any(READ_NAMES);
        self.allow(own || names || self.has_any(READ_PEOPLE))
    }

    /// Listing a person's groups. With too few rights the list has ids only; with none it is refused.
    pub(super) fn may_list_groups(&self, person: &User) -> Result<Insight, GraphRefusal> {
        self.unless_restricted()?;
        if self.has_any(READ_MEMBERSHIPS) {
            return Ok(Insight::Full);
        }
        let limited = self.has_any(READ_PEOPLE) || (self.is(person) && self.has_any(READ_SELF));
        self.allow(limited).map(|()| Insight::Limited)
    }

    /// Asking for group ids by `getMemberGroups`: both the profile and memberships.
    pub(super) fn may_read_group_ids(&self, person: &User) -> Result<(), GraphRefusal> {
        self.unless_restricted()?;
        let profile =
            self.oid().is_none() || self.has_any(READ_PEOPLE) || (self.is(person) && self.has_any(READ_SELF));
        self.allow(profile && self.has_any(READ_MEMBERSHIPS))
    }

    /// Reading names of directory objects.
    pub(super) fn may_read_objects(&self) -> Result<(), GraphRefusal> {
        self.allow(self.has_any(READ_MEMBERSHIPS))
    }

    /// Following everybody's profile.
    pub(super) fn may_follow_people(&self) -> Result<(), GraphRefusal> {
        self.allow(self.has_any(READ_PEOPLE))
    }

    /// Following groups and who is in them.
    pub(super) fn may_follow_groups(&self) -> Result<(), GraphRefusal> {
        self.allow(self.has_any(READ_MEMBERSHIPS))
    }

    /// Ending sessions.
    pub(super) fn may_revoke(&self) -> Result<(), GraphRefusal> {
        self.allow(self.has_any(REVOKE))
    }

    /// Reading authentication contexts.
    pub(super) fn may_read_policies(&self) -> Result<(), GraphRefusal> {
        self.allow(self.has_any(READ_POLICIES))
    }

    /// Reading app registrations.
    pub(super) fn may_read_apps(&self) -> Result<(), GraphRefusal> {
        self.allow(self.has_any(READ_APPS))
    }

    fn has_any(&self, permissions: &[&str]) -> bool {
        permissions
            .iter()
            .any(|permission| self.access.permissions.contains(*permission))
    }

    #[expect(clippy::unused_self, reason = "reads as a question put to the caller")]
    fn allow(&self, allowed: bool) -> Result<(), GraphRefusal> {
        if allowed {
            Ok(())
        } else {
            Err(GraphRefusal::denied())
        }
    }

    /// Guests with the most restricted access level cannot read memberships, their own included.
    /// <https://learn.microsoft.com/entra/identity/users/users-restrict-guest-permissions>
    fn unless_restricted(&self) -> Result<(), GraphRefusal> {
        let guest = self
            .oid()
            .and_then(|oid| self.tenant.by_oid(oid))
            .is_some_and(|user| user.guest);
        self.allow(!(guest && self.tenant.restricted_guests))
    }

    /// A client that understands challenges learns at once that the account was disabled, deleted or revoked.
    fn must_be_challenged(&self) -> bool {
        let Some(oid) = self.oid() else { return false };
        let current = self.tenant.by_oid(oid);
        let unchanged = current.is_some_and(|user| user.enabled && user.generation == self.access.generation);
        self.access.understands_challenges && !unchanged
    }
}
