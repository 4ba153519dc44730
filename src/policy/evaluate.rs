//! The decision.

use crate::model::identity::Identity;

use super::answer::Answer;
use super::compile::{CompiledPolicies, CompiledPolicy, PersonAnswers};
use super::selector::RequestFacts;
use super::verdict::{Nature, Permit, Refusal, RefusalReason, Verdict};

/// What the policies of one application say of one person: kept as long as neither changes, and asked for each request.
///
/// Holds only the policies that can still apply, so that walking them is short however many there are.
#[derive(Debug, Clone)]
pub struct Outcomes {
    candidates: Box<[Candidate]>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// Position among the policies that ask for identity.
    position: usize,
    person: PersonAnswers,
}

impl CompiledPolicies {
    /// What the policies say of a person.
    pub fn outcomes(&self, identity: &Identity) -> Outcomes {
        let mut candidates = Vec::new();
        for (position, policy) in self.asking.iter().enumerate() {
            let person = policy.ask_person(Some(identity));
            if policy.never_matches(person) {
                continue;
            }
            candidates.push(Candidate { position, person });
            // Where a policy surely applies, none behind it is reached.
            if policy.is_about_persons_only() && policy.applies(CompiledPolicy::matches_person(person)) {
                break;
            }
        }
        Outcomes {
            candidates: candidates.into(),
        }
    }

    /// Decides one request. `outcomes` are those of the person signed in, made by these very policies; `None` where
    /// nobody is.
    pub fn decide(&self, outcomes: Option<&Outcomes>, facts: &RequestFacts) -> Verdict {
        for policy in &self.open {
            if policy.matches(policy.ask_person(None), facts) == Answer::Yes {
                return Verdict::Permit(Permit::new(&policy.head, Nature::Bypass));
            }
        }
        if !self.asks_identity() {
            return Verdict::Refuse(Refusal::no_policy_matched());
        }
        let Some(outcomes) = outcomes else {
            return Verdict::SignIn;
        };
        for candidate in &outcomes.candidates {
            // Outcomes of other policies have no place here; they let nobody pass.
            let Some(policy) = self.asking.get(candidate.position) else {
                break;
            };
            let matches = policy.matches(candidate.person, facts);
            if !policy.applies(matches) {
                continue;
            }
            if !policy.denies {
                return Verdict::Permit(Permit::new(&policy.head, Nature::Identity));
            }
            let reason = match matches {
                Answer::Unknown => RefusalReason::NotRuledOut,
                Answer::Yes | Answer::No => RefusalReason::Denied,
            };
            return Verdict::Refuse(Refusal::by(&policy.head, reason));
        }
        Verdict::Refuse(Refusal::no_policy_matched())
    }
}
