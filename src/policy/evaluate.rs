//! The decision.

use std::sync::Arc;

use crate::model::identity::Identity;

use super::answer::{Answer, Outlook};
use super::compile::{CompiledPolicies, CompiledPolicy};
use super::groups::GroupAnswers;
use super::person::Person;
use super::referents::GroupIndex;
use super::request::{LateGroups, RequestFacts};
use super::rules::PersonAnswers;
use super::verdict::{Need, Permit, Refusal, RefusalReason, StepUp, Verdict};

/// What the policies of one application say of one person: kept as long as neither changes, and asked for each request.
///
/// Holds only the policies that can still apply, so that walking them is short however many there are.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    candidates: Box<[Candidate]>,
    /// The access groups that ask about requests and that candidates refer to, each behind those that it refers to.
    late: Box<[GroupIndex]>,
    /// What their rules say of the person, one each.
    late_answers: Box<[PersonAnswers]>,
}

#[derive(Debug, Clone)]
struct Candidate {
    /// Position among the policies of its kind.
    position: usize,
    person: PersonAnswers,
    /// Whether the person has said why.
    justified: bool,
    /// When leave ends; long ago where there is none.
    approved_until_ms: i64,
    /// What could be found out to the person's advantage.
    need: Option<Box<Need>>,
}

impl CompiledPolicies {
    /// What the policies say of a person.
    pub fn outcomes(&self, identity: &Identity) -> Outcomes {
        self.outcomes_of(&self.asking, Some(identity))
    }

    pub(super) fn outcomes_of(
        &self,
        policies: &[Arc<CompiledPolicy>],
        identity: Option<&Identity>,
    ) -> Outcomes {
        let person = Person::new(identity);
        let mut groups = GroupAnswers::new(&self.referents, &person);
        let mut candidates = Vec::new();
        for (position, policy) in policies.iter().enumerate() {
            let answers = policy.rules.ask_person(&person, |index| groups.of(index));
            let out = if policy.denies {
                policy.rules.never_match(answers)
            } else {
                !policy.rules.could_match(answers)
            };
            if out {
                continue;
            }
            let candidate = self.candidate(position, policy, answers, &mut groups);
            let decides = !policy.asks_request && candidate.decides(policy);
            candidates.push(candidate);
            // Where a policy surely applies, none behind it is reached.
            if decides {
                break;
            }
        }
        let of_candidates = candidates
            .iter()
            .filter_map(|candidate| policies.get(candidate.position));
        let late = groups.late(of_candidates.map(|policy| &policy.rules));
        Outcomes {
            candidates: candidates.into(),
            late_answers: late.iter().map(|index| groups.person_answers(*index)).collect(),
            late: late.into(),
        }
    }

    fn candidate(
        &self,
        position: usize,
        policy: &CompiledPolicy,
        person: PersonAnswers,
        groups: &mut GroupAnswers<'_, '_>,
    ) -> Candidate {
        let (id, identity) = (policy.head.id, groups.identity());
        let justified = || {
            let mut given = identity.into_iter().flat_map(|identity| &identity.justifications);
            given.any(|reason| Some(reason.app) == self.app && reason.policy == id)
        };
        let approved_until_ms = || {
            let given = identity.into_iter().flat_map(|identity| &identity.approvals);
            let here = given.filter(|leave| Some(leave.app) == self.app && leave.policy == id);
            here.map(|leave| leave.until_ms).max()
        };
        Candidate {
            position,
            person,
            justified: policy.justification && justified(),
            approved_until_ms: policy
                .approval
                .then(approved_until_ms)
                .flatten()
                .unwrap_or(i64::MIN),
            need: groups.need(&policy.rules, person, !policy.denies).map(Box::new),
        }
    }

    /// Decides one request. `outcomes` are those of the person signed in, made by these very policies; `None` where
    /// nobody is.
    pub fn decide(&self, outcomes: Option<&Outcomes>, facts: &RequestFacts) -> Verdict {
        if let Some(permit) = self.open_to(facts) {
            return Verdict::Permit(permit);
        }
        if !self.asks_identity() {
            return Verdict::Refuse(Refusal::no_policy_matched());
        }
        let Some(outcomes) = outcomes else {
            return Verdict::SignIn;
        };
        let late = self.late_answers(outcomes, facts);
        let late = outcomes.late(&late);
        // The first policy that would let pass, but for something that can be found out.
        let mut almost: Option<(&CompiledPolicy, &Need)> = None;
        for candidate in &outcomes.candidates {
            // Outcomes of other policies have no place here; they let nobody pass.
            let Some(policy) = self.asking.get(candidate.position).map(Arc::as_ref) else {
                break;
            };
            let matches = policy.rules.matches(candidate.person, facts, late);
            if almost.is_none() {
                let need = candidate.lacks(policy, matches, facts);
                almost = need.map(|need| (policy, need));
            }
            match matches.now {
                Answer::Yes if !policy.denies => {
                    if candidate.is_let_pass(policy, facts) {
                        let permit = Permit::new(&policy.head, policy.nature);
                        return Verdict::Permit(permit.until(candidate.leave_ends(policy)));
                    }
                }
                Answer::Yes | Answer::Unknown if policy.denies => {
                    let reason = match matches.now {
                        Answer::Yes => RefusalReason::Denied,
                        Answer::Unknown | Answer::No => RefusalReason::NotRuledOut,
                    };
                    let refusal = Refusal::by(&policy.head, reason);
                    return almost.map_or(Verdict::Refuse(refusal), step_up);
                }
                Answer::Yes | Answer::Unknown | Answer::No => {}
            }
        }
        almost.map_or_else(|| Verdict::Refuse(Refusal::no_policy_matched()), step_up)
    }

    /// The permit of a Bypass or Service Auth policy, which ask nobody who they are.
    fn open_to(&self, facts: &RequestFacts) -> Option<Permit> {
        let late = self.late_answers(&self.nobody, facts);
        let late = self.nobody.late(&late);
        let mut candidates = self.nobody.candidates.iter();
        candidates.find_map(|candidate| {
            let policy = self.open.get(candidate.position)?;
            let matches = policy.rules.matches(candidate.person, facts, late);
            (matches.now == Answer::Yes).then(|| Permit::new(&policy.head, policy.nature))
        })
    }

    /// What access groups that ask about requests say of this one. Allocates only where there are some.
    fn late_answers(&self, outcomes: &Outcomes, facts: &RequestFacts) -> Vec<Outlook> {
        let mut answers = Vec::with_capacity(outcomes.late.len());
        for (index, person) in outcomes.late.iter().zip(&outcomes.late_answers) {
            let so_far = LateGroups {
                indices: &outcomes.late,
                answers: &answers,
            };
            let group = self.referents.at(*index);
            let answer = group.map_or(Outlook::UNKNOWN, |group| {
                group.rules.matches(*person, facts, so_far)
            });
            answers.push(answer);
        }
        answers
    }
}

impl Outcomes {
    fn late<'l>(&'l self, answers: &'l [Outlook]) -> LateGroups<'l> {
        LateGroups {
            indices: &self.late,
            answers,
        }
    }
}

impl Candidate {
    /// Whether the policy surely applies to every request of the person, now and later.
    fn decides(&self, policy: &CompiledPolicy) -> bool {
        let matches = self.person.matches().now;
        if policy.denies {
            return matches != Answer::No;
        }
        // Leave ends some time.
        matches == Answer::Yes && !policy.approval && (self.justified || !policy.justification)
    }

    /// Whether a policy that matches lets the person pass, as far as reasons and leave go.
    fn is_let_pass(&self, policy: &CompiledPolicy, facts: &RequestFacts) -> bool {
        let justified = self.justified || !policy.justification;
        let approved = self.approved_until_ms > facts.now_ms || !policy.approval;
        justified && approved
    }

    fn leave_ends(&self, policy: &CompiledPolicy) -> Option<i64> {
        policy.approval.then_some(self.approved_until_ms)
    }

    /// What can be found out so that the policy lets the person pass, or does not keep them out.
    fn lacks(&self, policy: &CompiledPolicy, matches: Outlook, facts: &RequestFacts) -> Option<&Need> {
        let need = || self.need.as_deref();
        if policy.denies {
            let could_be_ruled_out = matches.now == Answer::Unknown && matches.worst == Answer::No;
            return could_be_ruled_out.then(need).flatten();
        }
        match matches {
            Outlook { now: Answer::Yes, .. } if !self.justified && policy.justification => {
                Some(&Need::Justification)
            }
            Outlook { now: Answer::Yes, .. } => {
                let approved = self.approved_until_ms > facts.now_ms || !policy.approval;
                (!approved).then_some(&Need::Approval)
            }
            Outlook {
                best: Answer::Yes, ..
            } => need(),
            Outlook { .. } => None,
        }
    }
}

fn step_up((policy, need): (&CompiledPolicy, &Need)) -> Verdict {
    Verdict::StepUp(StepUp {
        policy: policy.head.named(),
        need: need.clone(),
    })
}
