//! Policies as Access writes them: a decision, and rules to include, require and exclude.

use serde::{Deserialize, Serialize};

use super::address::AddressRange;
use super::duration::GoDuration;
use super::email::{EmailAddress, EmailDomain};
use super::ids::{IdpId, ObjectId, PolicyId};

/// What happens to requests that a policy matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Matching people get in after signing in.
    Allow,
    /// Matching people are refused.
    Deny,
    /// No sign-in and no identity for matching requests.
    Bypass,
    /// Machines get in by service token or certificate, without a sign-in.
    NonIdentity,
}

/// A policy. It matches where any Include, every Require and no Exclude holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The policy's id.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub decision: Decision,
    /// At least one must hold.
    pub include: Vec<Selector>,
    /// All must hold.
    #[serde(default)]
    pub require: Vec<Selector>,
    /// None may hold.
    #[serde(default)]
    pub exclude: Vec<Selector>,
    /// How long an application token lives that this policy let in; the application's where absent.
    #[serde(default)]
    pub session_duration: Option<GoDuration>,
}

/// One rule. On the wire an object with exactly one key, such as `{"email_domain":{"domain":"example.com"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Everybody who could sign in.
    Everyone {},
    /// One address.
    Email {
        /// The address.
        email: EmailAddress,
    },
    /// Every address of a domain; subdomains are other domains.
    EmailDomain {
        /// The domain, without `@`.
        domain: EmailDomain,
    },
    /// A group of an Entra directory, nested membership included.
    #[serde(rename = "azureAD")]
    AzureAd {
        /// Entra object id of the group.
        id: ObjectId,
        /// The provider whose directory it is of.
        identity_provider_id: IdpId,
    },
    /// Addresses that requests come from. Asked for each request, and without sign-in too.
    Ip {
        /// The addresses.
        ip: AddressRange,
    },
}

impl Selector {
    /// Whether it asks who somebody is. Such a rule has no place in a Bypass policy.
    pub fn asks_identity(&self) -> bool {
        match self {
            Self::Email { .. } | Self::EmailDomain { .. } | Self::AzureAd { .. } => true,
            Self::Everyone {} | Self::Ip { .. } => false,
        }
    }
}

/// Selectors of Access's that this version does not evaluate. A policy that has one lets nobody pass.
pub const NOT_EVALUATED: &[&str] = &[
    "email_list",
    "ip_list",
    "geo",
    "group",
    "auth_context",
    "auth_method",
    "login_method",
    "oidc",
    "saml",
    "okta",
    "gsuite",
    "github-organization",
    "service_token",
    "any_valid_service_token",
    "certificate",
    "common_name",
    "external_evaluation",
    "device_posture",
    "linked_app_token",
    "user_risk_score",
    "cloudflare_account_member",
];
