//! What people are told who are refused: how much, and in whose words.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an application's policies may ask of whoever wants to enter, as people know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequirementKind {
    /// A certain account.
    Account,
    /// An address of a certain domain.
    EmailDomain,
    /// Membership in a certain group.
    Group,
    /// A connection from certain networks.
    Network,
    /// A connection from certain countries.
    Country,
    /// A certain way of signing in.
    SignIn,
    /// A stronger sign-in (Conditional Access).
    StrongerSignIn,
    /// Something that the directory says of the person.
    Claim,
    /// A certificate on the device.
    Certificate,
    /// The credentials of a machine.
    ServiceToken,
    /// The consent of another service.
    Evaluation,
    /// An exception that applies to the person.
    Exception,
    /// Something that cannot be found out here.
    Other,
}

impl RequirementKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Account,
        Self::EmailDomain,
        Self::Group,
        Self::Network,
        Self::Country,
        Self::SignIn,
        Self::StrongerSignIn,
        Self::Claim,
        Self::Certificate,
        Self::ServiceToken,
        Self::Evaluation,
        Self::Exception,
        Self::Other,
    ];

    /// The word in configurations and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::EmailDomain => "email_domain",
            Self::Group => "group",
            Self::Network => "network",
            Self::Country => "country",
            Self::SignIn => "sign_in",
            Self::StrongerSignIn => "stronger_sign_in",
            Self::Claim => "claim",
            Self::Certificate => "certificate",
            Self::ServiceToken => "service_token",
            Self::Evaluation => "evaluation",
            Self::Exception => "exception",
            Self::Other => "other",
        }
    }
}

/// No kind of requirement has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such kind of requirement")]
pub struct NoSuchKind;

impl FromStr for RequirementKind {
    type Err = NoSuchKind;

    fn from_str(word: &str) -> Result<Self, NoSuchKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(NoSuchKind)
    }
}

/// How much people are told who are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// That they may not enter.
    Nothing,
    /// Which kinds of requirements were not met: nothing that names a group, a network or a person.
    #[default]
    Kinds,
    /// The names of access groups, of groups that rules have by name, of domains and of countries too.
    Names,
}

/// What people are told, and in which words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refusals {
    /// How much.
    pub told: Told,
    /// Sentences of the operator's in the place of ours.
    pub words: BTreeMap<RequirementKind, String>,
}
