//! Why a person may or may not pass, rule by rule, for the operator.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::identity::Identity;
use crate::model::ids::{GroupId, IdpId, ObjectId, PolicyId};
use crate::model::policy::{Decision, Policy, RuleList, Rules};
use crate::model::selector::{DirectoryGroup, Selector};

use super::answer::{Answer, Outlook};
use super::atoms::{Atoms, Join};
use super::groups::GroupAnswers;
use super::person::Person;
use super::referents::{GroupIndex, Referents};
use super::request::{LateGroups, RequestFacts};
use super::rules::CompiledRules;
use super::uncertainty::uncertainty;

/// How every policy came out, in one line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The policies, in the order given.
    pub policies: Vec<PolicyExplanation>,
    /// The access groups that they refer to, directly or through each other; each stands behind those in it.
    pub groups: Vec<GroupExplanation>,
}

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

/// What one access group says of one person and request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupExplanation {
    /// The group.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub matches: Answer,
    /// Its rules, in the order in which they stand.
    pub rules: Vec<RuleExplanation>,
}

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
    /// What the group is called whose object id the rule has, where that was found out ([`Explanation::call_groups`]).
    pub called: Option<String>,
}

/// A group of a provider's directory.
pub type GroupOfProvider = (IdpId, ObjectId);

impl Explanation {
    /// The groups of directories that rules have by their ids.
    pub fn groups_by_id(&self) -> BTreeSet<GroupOfProvider> {
        let of_policies = self.policies.iter().flat_map(|policy| &policy.rules);
        let of_groups = self.groups.iter().flat_map(|group| &group.rules);
        of_policies.chain(of_groups).filter_map(by_id).collect()
    }

    /// Calls such groups by their names, as far as they are known.
    pub fn call_groups(&mut self, names: &BTreeMap<GroupOfProvider, String>) {
        let of_policies = self.policies.iter_mut().flat_map(|policy| &mut policy.rules);
        let of_groups = self.groups.iter_mut().flat_map(|group| &mut group.rules);
        for rule in of_policies.chain(of_groups) {
            rule.called = by_id(rule).and_then(|group| names.get(&group).cloned());
        }
    }
}

fn by_id(rule: &RuleExplanation) -> Option<GroupOfProvider> {
    match &rule.rule {
        Selector::AzureAd {
            id: DirectoryGroup::Id(id),
            identity_provider_id,
        } => Some((*identity_provider_id, *id)),
        _ => None,
    }
}

impl RuleExplanation {
    /// The rule in words, with the name of a group whose id it has.
    pub fn subject(&self) -> String {
        match &self.called {
            Some(name) => format!("{} {name:?}", self.rule),
            None => self.rule.to_string(),
        }
    }
}

/// Asks every rule of every policy, in order. Much slower than a decision, and says the same. Without an identity it
/// is about a request of nobody.
pub fn explain<P: Borrow<Policy>>(
    policies: &[P],
    referents: &Referents,
    identity: Option<&Identity>,
    facts: &RequestFacts,
) -> Explanation {
    let (person, nobody) = (Person::new(identity), Person::new(None));
    let policies: Vec<&Policy> = policies.iter().map(Borrow::borrow).collect();
    let mut asked = Questions::new(referents, &person, &policies, facts);
    let policies = policies.into_iter().map(|policy| {
        // Bypass and Service Auth are decided without knowing who asks.
        let whom = if policy.decision.asks_identity() {
            &person
        } else {
            &nobody
        };
        let (matches, rules) = asked.rules(policy.rules(), whom);
        PolicyExplanation {
            id: policy.id,
            name: policy.name.clone(),
            decision: policy.decision,
            matches,
            rules,
        }
    });
    let policies = policies.collect();
    let reached = asked.reached.clone();
    let groups = reached.into_iter().filter_map(|index| {
        let group = &referents.at(index)?.group;
        let (matches, rules) = asked.rules(group.rules(), &person);
        Some(GroupExplanation {
            id: group.id,
            name: group.name.clone(),
            matches,
            rules,
        })
    });
    let groups = groups.collect();
    Explanation { policies, groups }
}

/// Rules asked one by one.
struct Questions<'q, 'p> {
    referents: &'q Referents,
    groups: GroupAnswers<'q, 'p>,
    facts: &'q RequestFacts,
    /// Every access group that is referred to, ascending.
    reached: Vec<GroupIndex>,
    /// Those that ask about requests.
    late: Vec<GroupIndex>,
    late_answers: Vec<Outlook>,
}

impl<'q, 'p> Questions<'q, 'p> {
    fn new(
        referents: &'q Referents,
        person: &'q Person<'p>,
        policies: &[&Policy],
        facts: &'q RequestFacts,
    ) -> Self {
        // A policy that cannot be compiled refers to something that is not there: those rules are unknown.
        let rules = policies
            .iter()
            .filter_map(|policy| CompiledRules::new(policy.rules(), referents).ok());
        let rules: Vec<CompiledRules> = rules.collect();
        let mut groups = GroupAnswers::new(referents, person);
        let late = groups.late(rules.iter());
        let mut late_answers = Vec::with_capacity(late.len());
        for &index in &late {
            let so_far = LateGroups {
                indices: &late,
                answers: &late_answers,
            };
            let answers = groups.person_answers(index);
            let answer = referents.at(index).map_or(Outlook::UNKNOWN, |group| {
                group.rules.matches(answers, facts, so_far)
            });
            late_answers.push(answer);
        }
        Self {
            referents,
            groups,
            facts,
            reached: referents.reached_from(rules.iter()),
            late,
            late_answers,
        }
    }

    /// What the rules say together, and one by one.
    fn rules(&mut self, rules: Rules<'_>, person: &Person<'_>) -> (Answer, Vec<RuleExplanation>) {
        let explained: Vec<RuleExplanation> = rules
            .iter()
            .map(|(list, _, rule)| {
                let answer = self.ask(rule, person);
                RuleExplanation {
                    list,
                    rule: rule.clone(),
                    answer,
                    uncertainty: (answer == Answer::Unknown).then(|| uncertainty(rule, person.identity)),
                    called: None,
                }
            })
            .collect();
        let answers = |list| {
            let of_list = explained.iter().filter(move |rule| rule.list == list);
            of_list.map(|rule| rule.answer)
        };
        let matches = answers(RuleList::Include)
            .fold(Answer::No, Answer::or)
            .and(answers(RuleList::Require).fold(Answer::Yes, Answer::and))
            .and(!answers(RuleList::Exclude).fold(Answer::No, Answer::or));
        (matches, explained)
    }

    fn ask(&mut self, rule: &Selector, person: &Person<'_>) -> Answer {
        let Ok(atoms) = Atoms::new(Join::Any, [rule], self.referents) else {
            return Answer::Unknown;
        };
        let late = LateGroups {
            indices: &self.late,
            answers: &self.late_answers,
        };
        let of_person = atoms.ask_person(person, |index| self.groups.of(index));
        of_person.or(atoms.ask_request(self.facts, late)).now
    }
}

/// Rules of one policy, and groups, that a line of the log shows.
const MAX_SHOWN: usize = 20;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, policy) in self.policies.iter().enumerate() {
            let separator = if position == 0 { "" } else { " · " };
            write!(f, "{separator}{policy}")?;
        }
        for group in self.groups.iter().take(MAX_SHOWN) {
            write!(f, " · {group}")?;
        }
        more(f, " · ", self.groups.len())
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
        list(f, &self.rules)
    }
}

impl fmt::Display for GroupExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "access group {} {}: {}", self.id, self.name, self.matches)?;
        list(f, &self.rules)
    }
}

fn list(f: &mut fmt::Formatter<'_>, rules: &[RuleExplanation]) -> fmt::Result {
    for (position, rule) in rules.iter().take(MAX_SHOWN).enumerate() {
        let separator = if position == 0 { " [" } else { "; " };
        write!(f, "{separator}{rule}")?;
    }
    more(f, "; ", rules.len())?;
    f.write_str(if rules.is_empty() { "" } else { "]" })
}

fn more(f: &mut fmt::Formatter<'_>, separator: &str, number: usize) -> fmt::Result {
    match number.saturating_sub(MAX_SHOWN) {
        0 => Ok(()),
        more => write!(f, "{separator}and {more} more"),
    }
}

impl fmt::Display for RuleExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.list.as_str(), self.subject(), self.answer)?;
        match &self.uncertainty {
            Some(uncertainty) => write!(f, " ({uncertainty})"),
            None => Ok(()),
        }
    }
}
