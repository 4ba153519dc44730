//! Why a person may or may not pass, rule by rule, for the operator.

use std::fmt;

use crate::model::identity::Identity;
use crate::model::ids::PolicyId;
use crate::model::policy::{Decision, Policy, RuleList, Selector};

use super::answer::Answer;
use super::selector::{self, RequestFacts};

/// What one policy says of one person and request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyExplanation {
    /// The policy.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// What it does where it applies.
    pub decision: Decision,
    /// Whether it matches.
    pub matches: Answer,
    /// Its rules, in the order in which they stand.
    pub rules: Vec<RuleExplanation>,
}

/// How every policy came out, in one line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation(pub Vec<PolicyExplanation>);

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleExplanation {
    /// The list it stands in.
    pub list: RuleList,
    /// The rule.
    pub rule: Selector,
    /// What it says.
    pub answer: Answer,
    /// Why it is unknown, where it is.
    pub uncertainty: Option<String>,
}

/// Asks every rule of every policy, in order. Much slower than a decision, and says the same.
pub fn explain(policies: &[Policy], identity: &Identity, facts: &RequestFacts) -> Explanation {
    let policies = policies.iter();
    Explanation(
        policies
            .map(|policy| explain_policy(policy, identity, facts))
            .collect(),
    )
}

fn explain_policy(policy: &Policy, identity: &Identity, facts: &RequestFacts) -> PolicyExplanation {
    // Bypass and Service Auth are decided without knowing who asks.
    let asked = match policy.decision {
        Decision::Allow | Decision::Deny => Some(identity),
        Decision::Bypass | Decision::NonIdentity => None,
    };
    let lists = [
        (RuleList::Include, &policy.include),
        (RuleList::Require, &policy.require),
        (RuleList::Exclude, &policy.exclude),
    ];
    let rules: Vec<RuleExplanation> = lists
        .into_iter()
        .flat_map(|(list, rules)| rules.iter().map(move |rule| (list, rule)))
        .map(|(list, rule)| {
            let answer = selector::ask(rule, asked, facts);
            let uncertainty = (answer == Answer::Unknown).then(|| match asked {
                Some(identity) => selector::uncertainty(rule, identity),
                None => "the policy is decided without knowing who asks".to_owned(),
            });
            RuleExplanation {
                list,
                rule: rule.clone(),
                answer,
                uncertainty,
            }
        })
        .collect();
    let answers = |list| {
        rules
            .iter()
            .filter(move |rule| rule.list == list)
            .map(|rule| rule.answer)
    };
    let matches = answers(RuleList::Include)
        .fold(Answer::No, Answer::or)
        .and(answers(RuleList::Require).fold(Answer::Yes, Answer::and))
        .and(!answers(RuleList::Exclude).fold(Answer::No, Answer::or));
    PolicyExplanation {
        id: policy.id,
        name: policy.name.clone(),
        decision: policy.decision,
        // Without a service credential no Service Auth policy holds.
        matches: if policy.decision == Decision::NonIdentity {
            Answer::No
        } else {
            matches
        },
        rules,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, policy) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { " · " };
            write!(f, "{separator}{policy}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PolicyExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = match self.decision {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::Bypass => "bypass",
            Decision::NonIdentity => "service auth",
        };
        write!(f, "{} ({decision}): {}", self.name, self.matches)?;
        for (position, rule) in self.rules.iter().enumerate() {
            let separator = if position == 0 { " [" } else { "; " };
            write!(f, "{separator}{rule}")?;
        }
        if self.rules.is_empty() {
            Ok(())
        } else {
            f.write_str("]")
        }
    }
}

impl fmt::Display for RuleExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.list.as_str(), self.rule, self.answer)?;
        match &self.uncertainty {
            Some(uncertainty) => write!(f, " ({uncertainty})"),
            None => Ok(()),
        }
    }
}
