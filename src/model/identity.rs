//! What an identity provider said about a person at login, and what policies may know of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::email::EmailAddress;
use super::ids::{AppId, IdpId, ObjectId, PolicyId, TenantId, UserId};

/// The key of a person: the directory and the object in it. Never an address, which can change hands
/// (<https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonKey {
    /// The directory signed in to.
    pub tenant: TenantId,
    /// The person's object in it.
    pub object: ObjectId,
}

/// An identity as the provider gave it at login. Kept with the session, read by policies on each change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Our user.
    pub user: UserId,
    /// The person behind it.
    pub person: PersonKey,
    /// The provider signed in with.
    pub provider: IdpId,
    /// The address found by claim, `email` or UPN; `None` where none is an address.
    pub email: Option<Email>,
    /// Display name. Not unique, chosen by the directory; never a key.
    pub name: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Whether the account is a guest of the directory.
    pub guest: bool,
    /// The groups the person is in, nested ones included.
    pub groups: Groups,
    /// Authentication methods (RFC 8176), where the provider tells.
    pub amr: Vec<String>,
    /// Conditional Access authentication contexts satisfied (`acrs`).
    pub contexts: Vec<String>,
    /// The claims the provider is configured to copy: `oidc_fields` and `custom` on the wire.
    pub claims: Map<String, Value>,
    /// The provider's session (`sid`), by which front-channel logout finds ours.
    pub provider_session: Option<String>,
    /// The provider's opaque `login_hint` claim, used to sign out at Entra without an account picker.
    pub login_hint: Option<String>,
    /// Where the browser was, as the listener saw it.
    pub address: std::net::IpAddr,
    /// Country of that address (ISO 3166-1 alpha-2), where known.
    pub country: Option<String>,
    /// When the person signed in.
    #[serde(with = "jiff::fmt::serde::timestamp::second::required")]
    pub at: Timestamp,
    /// Whether authentication contexts were asked for (`conditional_access_enabled`). Else what `contexts` lacks is
    /// unknown.
    #[serde(default)]
    pub contexts_asked: bool,
    /// The claims that the provider was configured to copy at that sign-in. Of one that was not asked for, its absence
    /// from `claims` says nothing.
    #[serde(default)]
    pub claims_asked: Vec<String>,
    /// What external evaluations said of the person since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<Evaluation>,
    /// Reasons the person gave since, where a policy asks for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub justifications: Vec<Justification>,
    /// Leave that approvers gave the person since, where a policy asks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
}

/// What an external evaluation said of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Where it was asked.
    pub evaluate_url: String,
    /// Where its keys are.
    pub keys_url: String,
    /// What it said; `None` where it could not be asked or its answer was not good.
    pub success: Option<bool>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// The reason a person gave for entering an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Justification {
    /// The application.
    pub app: AppId,
    /// The policy that asked.
    pub policy: PolicyId,
    /// When, milliseconds since 1970. The words stand in the log of logins.
    pub at_ms: i64,
}

/// Leave to enter an application for some time, given by approvers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The application.
    pub app: AppId,
    /// The policy that asked.
    pub policy: PolicyId,
    /// When it ends, milliseconds since 1970.
    pub until_ms: i64,
}

impl Identity {
    /// How the person is called on pages: the address, else the name.
    pub fn label(&self) -> &str {
        let address = self.email.as_ref().map(|email| email.address.as_str());
        address
            .or(self.name.as_deref())
            .unwrap_or("an account without a name")
    }

    /// How the person is called to those who rely on it: the address, if it is verified; else the name, with a word that
    /// no address stands behind it.
    pub fn label_for_others(&self) -> String {
        if let Some(address) = self.trusted_email() {
            return address.to_string();
        }
        let name = self.name.as_deref().unwrap_or("an account without a name");
        let doubt = match (self.guest, &self.email) {
            (true, _) => "guest, address not verified",
            (false, Some(_)) => "address not verified",
            (false, None) => "no address",
        };
        format!("{name} ({doubt})")
    }

    /// Takes over what a session knew of the same person before its provider was asked again: contexts satisfied count
    /// for the session's whole life, and what was found out or given since is not the provider's to take back.
    pub fn carry_over(&mut self, before: &Self) {
        if self.contexts_asked {
            for context in &before.contexts {
                if !self.contexts.contains(context) {
                    self.contexts.push(context.clone());
                }
            }
        }
        self.evaluations.clone_from(&before.evaluations);
        self.justifications.clone_from(&before.justifications);
        self.approvals.clone_from(&before.approvals);
    }

    /// Writes down a reason, in the place of an older one for the same.
    pub fn justify(&mut self, justification: Justification) {
        self.justifications
            .retain(|known| (known.app, known.policy) != (justification.app, justification.policy));
        self.justifications.push(justification);
    }

    /// Adds leave, in the place of older leave for the same.
    pub fn approve(&mut self, approval: Approval) {
        self.withdraw(approval.app, approval.policy);
        self.approvals.push(approval);
    }

    /// Takes leave away.
    pub fn withdraw(&mut self, app: AppId, policy: PolicyId) {
        self.approvals
            .retain(|known| (known.app, known.policy) != (app, policy));
    }

    /// The address if e-mail rules may rely on it (nOAuth: an address in a token is not verified by being there).
    pub fn trusted_email(&self) -> Option<&EmailAddress> {
        self.email
            .as_ref()
            .filter(|email| email.trusted)
            .map(|email| &email.address)
    }
}

/// An address and whether a policy may rely on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The address.
    pub address: EmailAddress,
    /// `false` for a guest's unverified address, and for one that a directory has replaced by one that nobody verified:
    /// shown, passed on, but no e-mail rule accepts it.
    pub trusted: bool,
}

/// Group membership. Not knowing is not the same as having none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Groups {
    /// The provider does not ask for groups (`support_groups` is off).
    NotAsked,
    /// The complete list.
    Known {
        /// Every group, nested ones included.
        groups: Vec<Group>,
    },
    /// The list is missing or partial: group rules are unknown, so that Include and Require do not match and
    /// Exclude and Block do. A group found in a partial list is still held.
    Unknown {
        /// What had arrived before the failure.
        partial: Vec<Group>,
        /// Why, for the operator.
        reason: String,
    },
}

impl Groups {
    /// The groups that are certain.
    pub fn held(&self) -> &[Group] {
        match self {
            Self::NotAsked => &[],
            Self::Known { groups } => groups,
            Self::Unknown { partial, .. } => partial,
        }
    }

    /// The group is called so from now on, where it is held. Whether anything changed.
    pub fn rename(&mut self, renamed: &Group) -> bool {
        let held = match self {
            Self::NotAsked => return false,
            Self::Known { groups } => groups,
            Self::Unknown { partial, .. } => partial,
        };
        let former = |group: &&mut Group| group.id == renamed.id && group.name != renamed.name;
        let Some(group) = held.iter_mut().find(former) else {
            return false;
        };
        group.name.clone_from(&renamed.name);
        true
    }

    /// Whether a group that is not in [`Groups::held`] is certainly not held.
    pub fn complete(&self) -> bool {
        matches!(self, Self::Known { .. })
    }
}

/// A group of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Entra object id, lower case.
    pub id: ObjectId,
    /// Display name where permitted; a label, never a key.
    pub name: Option<String>,
}
