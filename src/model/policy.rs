//! Policies as Access writes them: a decision, and rules to include, require and exclude.

use serde::{Deserialize, Serialize};

use super::duration::GoDuration;
use super::email::EmailAddress;
use super::ids::{ListId, PolicyId};
pub use super::selector::{DirectoryGroup, Selector, Unevaluated};

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
    /// Machines get in by service token or certificate, without a sign-in (Access: Service Auth).
    NonIdentity,
}

impl Decision {
    /// Whether it is taken about people who signed in; else about requests alone.
    pub fn asks_identity(self) -> bool {
        match self {
            Self::Allow | Self::Deny => true,
            Self::Bypass | Self::NonIdentity => false,
        }
    }
}

/// A policy. It matches where any Include, every Require and no Exclude holds.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub require: Vec<Selector>,
    /// None may hold.
    pub exclude: Vec<Selector>,
    /// How long an application token lives that this policy let in; the application's where absent.
    pub session_duration: Option<GoDuration>,
    /// Whether people must say why they enter.
    pub purpose_justification_required: bool,
    /// What they are asked; a sentence of ours where absent.
    pub purpose_justification_prompt: Option<String>,
    /// Whether people enter only with leave, for a time.
    pub approval_required: bool,
    /// Who gives it: every one of these groups must.
    pub approval_groups: Vec<ApprovalGroup>,
}

/// Why a group of approvers is refused that can never give leave.
pub const TOO_FEW: &str = "it is more than there are approvers";
/// What whoever writes such a group is told where a list may yet grow.
pub const TOO_FEW_ON_LIST: &str =
    "it is more than there are approvers on the list now, so that nobody can get leave";

/// People of whom some must give leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalGroup {
    /// How many of them must; at least one.
    pub approvals_needed: u32,
    /// Approvers by address.
    pub email_addresses: Vec<EmailAddress>,
    /// A list of further approvers.
    pub email_list: Option<ListId>,
}

impl Policy {
    /// A policy that asks for nothing but that one of these rules holds.
    pub fn new(id: PolicyId, name: &str, decision: Decision, include: Vec<Selector>) -> Self {
        Self {
            id,
            name: name.to_owned(),
            decision,
            include,
            require: Vec::new(),
            exclude: Vec::new(),
            session_duration: None,
            purpose_justification_required: false,
            purpose_justification_prompt: None,
            approval_required: false,
            approval_groups: Vec::new(),
        }
    }

    /// Its rules, list by list.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            include: &self.include,
            require: &self.require,
            exclude: &self.exclude,
        }
    }
}

/// The lists of rules of a policy or of an access group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleList {
    /// One must hold.
    Include,
    /// All must hold.
    Require,
    /// None may hold.
    Exclude,
}

impl RuleList {
    /// The list's key in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Require => "require",
            Self::Exclude => "exclude",
        }
    }
}

/// The rules of a policy or of an access group.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// One must hold.
    pub include: &'r [Selector],
    /// All must hold.
    pub require: &'r [Selector],
    /// None may hold.
    pub exclude: &'r [Selector],
}

impl<'r> Rules<'r> {
    /// Every rule, with its list and its place in it.
    pub fn iter(self) -> impl Iterator<Item = (RuleList, usize, &'r Selector)> {
        let lists = [
            (RuleList::Include, self.include),
            (RuleList::Require, self.require),
            (RuleList::Exclude, self.exclude),
        ];
        lists.into_iter().flat_map(|(list, rules)| {
            let rules = rules.iter().enumerate();
            rules.map(move |(place, rule)| (list, place, rule))
        })
    }
}
