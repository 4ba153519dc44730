//! What evaluation says: a permit, a sign-in, or a refusal.

use std::sync::Arc;

use crate::model::duration::GoDuration;
use crate::model::ids::{IdpId, PolicyId};

use super::compile::Head;

/// The decision on one request.
#[derive(Debug)]
pub enum Verdict {
    /// It may pass.
    Permit(Permit),
    /// Nobody is signed in, and signing in could help.
    SignIn,
    /// It may not pass as it is, but could once something more is known of the person.
    StepUp(StepUp),
    /// It may not pass.
    Refuse(Refusal),
}

/// What a policy would let somebody pass for, who matches it but for this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    /// The policy.
    pub policy: RefusingPolicy,
    /// What it lacks.
    pub need: Need,
}

/// What can be found out about a person, with the person's help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Entra must be asked to satisfy an authentication context (Conditional Access).
    AuthContext {
        /// The provider to ask.
        provider: IdpId,
        /// The context, such as `c1`.
        context: String,
    },
    /// An external evaluation has not been asked about this session yet, or gave no verdict.
    Evaluation {
        /// Where to ask.
        evaluate_url: String,
        /// Where its keys are.
        keys_url: String,
    },
    /// The person must give a reason.
    Justification,
    /// Approvers must give leave.
    Approval,
}

impl StepUp {
    /// The refusal where what is needed cannot be found out.
    pub fn unmet(&self) -> Refusal {
        Refusal {
            policy: Some(self.policy.clone()),
            reason: RefusalReason::Unmet,
        }
    }
}

impl Need {
    /// The word that logs and metrics use.
    pub fn word(&self) -> &'static str {
        match self {
            Self::AuthContext { .. } => "auth_context",
            Self::Evaluation { .. } => "external_evaluation",
            Self::Justification => "justification",
            Self::Approval => "approval",
        }
    }
}

/// Leave to pass one request on to its upstream. Only evaluation makes one, and it cannot be copied, so whoever holds
/// one holds a decision made for this request.
///
/// ```
/// use vestibule::policy::Permit;
/// fn pass(permit: Permit) -> Permit { permit }
/// ```
///
/// ```compile_fail
/// use vestibule::policy::Permit;
/// fn copy(permit: &Permit) -> Permit { permit.clone() }
/// ```
///
/// ```compile_fail
/// use vestibule::policy::{Nature, Permit};
/// fn forge(permit: Permit) -> Permit { Permit { nature: Nature::Bypass, ..permit } }
/// ```
///
/// ```compile_fail
/// use vestibule::policy::Permit;
/// fn forge() -> Permit { Permit::new(panic!(), panic!()) }
/// ```
#[derive(Debug)]
pub struct Permit {
    head: Arc<Head>,
    nature: Nature,
    until_ms: Option<i64>,
}

/// What kind of leave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// For anybody: no identity is passed on.
    Bypass,
    /// For a person who signed in.
    Identity,
    /// For a machine, by a Service Auth policy.
    Service,
}

impl Permit {
    pub(super) fn new(head: &Arc<Head>, nature: Nature) -> Self {
        Self {
            head: Arc::clone(head),
            nature,
            until_ms: None,
        }
    }

    /// The same, ending at a time.
    pub(super) fn until(self, until_ms: Option<i64>) -> Self {
        Self { until_ms, ..self }
    }

    /// The policy that let the request pass.
    pub fn policy(&self) -> PolicyId {
        self.head.id
    }

    /// That policy's name.
    pub fn policy_name(&self) -> &str {
        &self.head.name
    }

    /// Whom it is for.
    pub fn nature(&self) -> Nature {
        self.nature
    }

    /// When it ends, milliseconds since 1970: approvers give leave for a time. `None` where it does not end by itself.
    pub fn until_ms(&self) -> Option<i64> {
        self.until_ms
    }

    /// How long an application token lives by that policy; the application's duration where absent.
    pub fn session_duration(&self) -> Option<&GoDuration> {
        self.head.session_duration.as_ref()
    }
}

/// Why a request may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The policy that refuses, where one does.
    pub policy: Option<RefusingPolicy>,
    /// The kind of refusal.
    pub reason: RefusalReason,
}

/// A policy that a verdict names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusingPolicy {
    /// Its id.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// A Deny policy matched.
    Denied,
    /// A Deny policy could not be evaluated, and so applies.
    NotRuledOut,
    /// No policy let the request pass.
    NoPolicyMatched,
    /// A policy would let the person pass but for something that could not be found out.
    Unmet,
}

impl RefusalReason {
    /// The word that logs and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotRuledOut => "not_ruled_out",
            Self::NoPolicyMatched => "no_policy_matched",
            Self::Unmet => "unmet",
        }
    }
}

impl Refusal {
    /// The refusal where no policy let the request pass.
    pub fn no_policy_matched() -> Self {
        Self {
            policy: None,
            reason: RefusalReason::NoPolicyMatched,
        }
    }

    pub(super) fn by(head: &Head, reason: RefusalReason) -> Self {
        Self {
            policy: Some(head.named()),
            reason,
        }
    }
}

impl Head {
    /// The policy as verdicts name it.
    pub(super) fn named(&self) -> RefusingPolicy {
        RefusingPolicy {
            id: self.id,
            name: self.name.clone(),
        }
    }
}
