//! Whether somebody is refused for who they are, or for where and how the request comes.

use crate::model::policy::{Decision, RuleList, Selector};

use super::answer::Answer;
use super::explain::{Explanation, PolicyExplanation, RuleExplanation};
use super::verdict::Refusal;

/// What somebody lacks who is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// To be somebody else: a rule about the person keeps them out.
    Person,
    /// To ask from elsewhere, or with something else: a rule about the request keeps them out.
    Request,
}

/// What a person lacks who was refused, by how each rule came out.
pub fn failing(explanation: &Explanation, refusal: &Refusal) -> Failing {
    let by_the_request = match &refusal.policy {
        Some(by) => explanation
            .policies
            .iter()
            .find(|policy| policy.id == by.id)
            .is_some_and(|policy| policy.decision == Decision::Deny && asks_no_person(policy)),
        None => explanation.policies.iter().any(takes_the_person),
    };
    if by_the_request {
        Failing::Request
    } else {
        Failing::Person
    }
}

/// Whether a policy keeps out whoever asks so.
fn asks_no_person(policy: &PolicyExplanation) -> bool {
    let about_everybody = |rule: &RuleExplanation| rule.rule == Selector::Everyone;
    !policy.rules.iter().any(is_about_person) && !policy.rules.iter().all(about_everybody)
}

/// Whether a policy would let the person in, if only the request were another.
fn takes_the_person(policy: &PolicyExplanation) -> bool {
    let rules = |list| policy.rules.iter().filter(move |rule| rule.list == list);
    let included = rules(RuleList::Include).any(|rule| !is_about_person(rule) || rule.answer == Answer::Yes);
    let required = rules(RuleList::Require).all(|rule| !is_about_person(rule) || rule.answer == Answer::Yes);
    let excluded = rules(RuleList::Exclude).any(|rule| is_about_person(rule) && rule.answer != Answer::No);
    policy.decision == Decision::Allow && included && required && !excluded
}

/// Access groups may hold rules of either kind; they are mostly about people.
fn is_about_person(rule: &RuleExplanation) -> bool {
    rule.rule.asks_identity() || matches!(rule.rule, Selector::Group { .. })
}
