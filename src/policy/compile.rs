//! Policies turned into look-ups.

use std::sync::Arc;

use crate::model::duration::GoDuration;
use crate::model::evaluator::ExternalEvaluator;
use crate::model::ids::{AppId, PolicyId};
use crate::model::policy::{Decision, Policy};

use super::atoms::Atoms;
use super::evaluate::Outcomes;
use super::referents::{Referents, Unresolved};
use super::rules::CompiledRules;
use super::verdict::Nature;

/// The policies of one application, ready to decide. Without any, nobody passes.
#[derive(Debug, Default)]
pub struct CompiledPolicies {
    /// The application, which reasons and leave are given for.
    pub(super) app: Option<AppId>,
    /// Bypass and Service Auth policies, by precedence.
    pub(super) open: Vec<Arc<CompiledPolicy>>,
    /// What `open` says of whoever it is.
    pub(super) nobody: Outcomes,
    /// Allow and Deny policies, by precedence.
    pub(super) asking: Vec<Arc<CompiledPolicy>>,
    pub(super) referents: Arc<Referents>,
}

/// A policy, compiled for whichever applications use it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PreparedPolicy(Arc<CompiledPolicy>);

/// Compiles one policy.
///
/// # Errors
/// [`Unresolved`] where it refers to a group or list that is not there, or asks who somebody is where nobody signs in.
/// An application that has it must let nobody pass: without it others would decide, and it may be the one that denies.
pub fn prepare(policy: &Policy, referents: &Referents) -> Result<PreparedPolicy, Unresolved> {
    let named = |reason: String| Unresolved::new(format!("its policy \"{}\": {reason}", policy.name));
    if !policy.decision.asks_identity() && referents.asks_identity(policy.rules()) {
        return Err(named("it asks who somebody is where nobody signs in".to_owned()));
    }
    let compiled = CompiledPolicy::new(policy, referents);
    let compiled = compiled.map_err(|unresolved| named(unresolved.to_string()))?;
    Ok(PreparedPolicy(Arc::new(compiled)))
}

/// Compiles the policies of an application, given by precedence. An empty list lets nobody pass.
///
/// # Errors
/// As [`prepare`].
pub fn compile(
    app: AppId,
    policies: &[Policy],
    referents: &Arc<Referents>,
) -> Result<CompiledPolicies, Unresolved> {
    let prepared: Result<Vec<_>, _> = policies.iter().map(|policy| prepare(policy, referents)).collect();
    Ok(CompiledPolicies::new(app, prepared?, referents))
}

impl CompiledPolicies {
    /// The policies of an application, given by precedence and prepared with these very groups and lists.
    pub fn new(
        app: AppId,
        policies: impl IntoIterator<Item = PreparedPolicy>,
        referents: &Arc<Referents>,
    ) -> Self {
        let policies = policies.into_iter().map(|prepared| prepared.0);
        let (asking, open) = policies.partition(|policy| policy.nature == Nature::Identity);
        let mut compiled = Self {
            app: Some(app),
            open,
            asking,
            referents: Arc::clone(referents),
            nobody: Outcomes::default(),
        };
        compiled.nobody = compiled.outcomes_of(&compiled.open, None);
        compiled
    }

    /// The external evaluations that the rules ask for, through access groups too: they are asked when a person enters.
    pub fn evaluations(&self) -> Vec<ExternalEvaluator> {
        let own = self.asking.iter().map(|policy| &policy.rules);
        let groups = self.referents.reached_from(own.clone());
        let groups = groups.into_iter().filter_map(|index| self.referents.at(index));
        let rules = own.chain(groups.map(|group| &group.rules));
        let mut asked: Vec<ExternalEvaluator> = Vec::new();
        for (evaluate_url, keys_url) in rules.flat_map(CompiledRules::lists).flat_map(Atoms::evaluations) {
            let evaluator = ExternalEvaluator {
                evaluate_url: evaluate_url.to_owned(),
                keys_url: keys_url.to_owned(),
            };
            if !asked.contains(&evaluator) {
                asked.push(evaluator);
            }
        }
        asked
    }

    /// Whether knowing who asks can change anything: without Allow and Deny policies a sign-in would be in vain.
    pub fn asks_identity(&self) -> bool {
        !self.asking.is_empty()
    }

    /// The groups and lists that the policies refer to.
    pub fn referents(&self) -> &Arc<Referents> {
        &self.referents
    }
}

/// What a verdict says of a policy.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) id: PolicyId,
    pub(super) name: String,
    pub(super) session_duration: Option<GoDuration>,
}

#[derive(Debug)]
pub(super) struct CompiledPolicy {
    pub(super) head: Arc<Head>,
    pub(super) denies: bool,
    pub(super) nature: Nature,
    pub(super) rules: CompiledRules,
    /// Whether requests make a difference.
    pub(super) asks_request: bool,
    /// Whether a reason must have been given.
    pub(super) justification: bool,
    /// Whether leave must have been given.
    pub(super) approval: bool,
}

impl CompiledPolicy {
    fn new(policy: &Policy, referents: &Referents) -> Result<Self, Unresolved> {
        let rules = CompiledRules::new(policy.rules(), referents)?;
        Ok(Self {
            head: Arc::new(Head {
                id: policy.id,
                name: policy.name.clone(),
                session_duration: policy.session_duration.clone(),
            }),
            denies: policy.decision == Decision::Deny,
            nature: match policy.decision {
                Decision::Bypass => Nature::Bypass,
                Decision::NonIdentity => Nature::Service,
                Decision::Allow | Decision::Deny => Nature::Identity,
            },
            asks_request: rules.asks_request(),
            rules,
            justification: policy.purpose_justification_required,
            approval: policy.approval_required,
        })
    }
}
