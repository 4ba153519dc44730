//! What would have let somebody in, as far as the person may know it.
//!
//! The nearest policy is told: the one that lets people in and lacks least. What a rule asks is told by its kind; names
//! are added only where the operator wants it. Of policies that keep people out nothing is told.

use crate::model::plain;
use crate::model::policy::{Decision, RuleList};
use crate::model::refusals::RequirementKind;
use crate::model::selector::{DirectoryGroup, Selector};

use super::answer::Answer;
use super::explain::{Explanation, PolicyExplanation, RuleExplanation};

/// Something that a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What kinds of things would do: one of them is enough.
    pub kinds: Vec<RequirementKind>,
    /// Whether it is met; unknown where it could not be found out.
    pub met: Answer,
    /// What it names, for operators who tell their people: access groups, groups of a directory, domains, countries. What
    /// a group is called whose id a rule has is known where it was found out ([`RuleExplanation::called`]).
    pub names: Vec<String>,
}

/// Names that one requirement tells.
const MAX_NAMES: usize = 5;

impl Explanation {
    /// What the nearest policy asks for; empty where no policy lets anybody in.
    pub fn requirements(&self) -> Vec<Requirement> {
        let allowing = self
            .policies
            .iter()
            .filter(|policy| policy.decision == Decision::Allow)
            .map(|policy| self.of_policy(policy));
        let unmet = |asked: &Vec<Requirement>| {
            asked
                .iter()
                .filter(|requirement| requirement.met != Answer::Yes)
                .count()
        };
        allowing.min_by_key(unmet).unwrap_or_default()
    }

    fn of_policy(&self, policy: &PolicyExplanation) -> Vec<Requirement> {
        let of = |list: RuleList| policy.rules.iter().filter(move |rule| rule.list == list);
        let mut asked = Vec::new();
        let include: Vec<&RuleExplanation> = of(RuleList::Include).collect();
        // "Everybody" asks for nothing.
        if !include.iter().any(|rule| rule.rule == Selector::Everyone) {
            asked.push(self.one_of(&include));
        }
        for rule in of(RuleList::Require).filter(|rule| rule.rule != Selector::Everyone) {
            asked.push(self.one_of(&[rule]));
        }
        let except = of(RuleList::Exclude)
            .map(|rule| rule.answer)
            .fold(Answer::No, Answer::or);
        // An exception that does not apply is nobody's business.
        if except != Answer::No {
            asked.push(Requirement {
                kinds: vec![RequirementKind::Exception],
                met: !except,
                names: Vec::new(),
            });
        }
        asked
    }

    fn one_of(&self, rules: &[&RuleExplanation]) -> Requirement {
        let mut requirement = Requirement {
            kinds: Vec::new(),
            met: rules.iter().map(|rule| rule.answer).fold(Answer::No, Answer::or),
            names: Vec::new(),
        };
        for rule in rules {
            self.name(rule, &mut requirement, 0);
        }
        requirement.kinds.sort_unstable();
        requirement.kinds.dedup();
        requirement.names.dedup();
        requirement.names.truncate(MAX_NAMES);
        requirement
    }

    /// Adds what a rule asks; an access group asks what its rules ask, as far down as people would follow.
    fn name(&self, rule: &RuleExplanation, requirement: &mut Requirement, depth: u8) {
        const DEEPEST: u8 = 4;
        let kind = match &rule.rule {
            Selector::Everyone => return,
            Selector::Group { id } => {
                let group = self.groups.iter().find(|group| group.id == *id);
                match group.filter(|_| depth < DEEPEST) {
                    Some(group) => {
                        requirement.names.push(group.name.clone());
                        let included = group.rules.iter().filter(|rule| rule.list != RuleList::Exclude);
                        for rule in included {
                            self.name(rule, requirement, depth + 1);
                        }
                    }
                    None => requirement.kinds.push(RequirementKind::Other),
                }
                return;
            }
            Selector::Email { .. } | Selector::EmailList { .. } => RequirementKind::Account,
            Selector::EmailDomain { domain } => {
                requirement.names.push(domain.as_str().to_owned());
                RequirementKind::EmailDomain
            }
            Selector::AzureAd { id, .. } => {
                match id {
                    DirectoryGroup::Name(name) => requirement.names.push(name.to_string()),
                    DirectoryGroup::Id(_) => {
                        let name = rule.called.as_deref().map(plain::visible);
                        requirement.names.extend(name.map(String::from));
                    }
                }
                RequirementKind::Group
            }
            Selector::Ip { .. } | Selector::IpList { .. } => RequirementKind::Network,
            Selector::Geo { country_code } => {
                requirement.names.push(country_code.to_string());
                RequirementKind::Country
            }
            Selector::AuthMethod { .. } | Selector::LoginMethod { .. } => RequirementKind::SignIn,
            Selector::AuthContext { .. } => RequirementKind::StrongerSignIn,
            Selector::Oidc { .. } => RequirementKind::Claim,
            Selector::Certificate | Selector::CommonName { .. } => RequirementKind::Certificate,
            Selector::ServiceToken { .. } | Selector::AnyValidServiceToken => RequirementKind::ServiceToken,
            Selector::ExternalEvaluation { .. } => RequirementKind::Evaluation,
            Selector::Unevaluated { .. } => RequirementKind::Other,
        };
        requirement.kinds.push(kind);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::ids::PolicyId;

    fn rule(list: RuleList, rule: Selector, answer: Answer) -> RuleExplanation {
        RuleExplanation {
            list,
            rule,
            answer,
            uncertainty: None,
            called: None,
        }
    }

    fn policy(decision: Decision, rules: Vec<RuleExplanation>) -> PolicyExplanation {
        PolicyExplanation {
            id: PolicyId(Uuid::nil()),
            name: "p".to_owned(),
            decision,
            matches: Answer::No,
            rules,
        }
    }

    fn domain() -> Selector {
        Selector::EmailDomain {
            domain: "example.com".parse().unwrap(),
        }
    }

    fn country() -> Selector {
        Selector::Geo {
            country_code: "SE".parse().unwrap(),
        }
    }

    fn told(policies: Vec<PolicyExplanation>) -> Vec<Requirement> {
        Explanation {
            policies,
            groups: Vec::new(),
        }
        .requirements()
    }

    #[test]
    fn the_policy_that_lacks_least_is_told() {
        use RuleList::{Include, Require};
        let far = policy(
            Decision::Allow,
            vec![
                rule(Include, Selector::Certificate, Answer::No),
                rule(Require, country(), Answer::No),
            ],
        );
        let near = policy(
            Decision::Allow,
            vec![
                rule(Include, domain(), Answer::Yes),
                rule(Require, country(), Answer::Unknown),
            ],
        );
        let denying = policy(
            Decision::Deny,
            vec![rule(Include, Selector::Everyone, Answer::Yes)],
        );
        let asked = told(vec![denying, far, near]);
        let short: Vec<_> = asked
            .iter()
            .map(|asked| (asked.kinds.clone(), asked.met))
            .collect();
        assert_eq!(
            short,
            [
                (vec![RequirementKind::EmailDomain], Answer::Yes),
                (vec![RequirementKind::Country], Answer::Unknown)
            ]
        );
    }

    #[test]
    fn an_exception_is_told_only_where_it_applies_and_never_what_it_is() {
        use RuleList::{Exclude, Include};
        let but = |answer| {
            told(vec![policy(
                Decision::Allow,
                vec![
                    rule(Include, Selector::Everyone, Answer::Yes),
                    rule(Exclude, domain(), answer),
                ],
            )])
        };
        assert_eq!(but(Answer::No), []);
        let told = but(Answer::Yes);
        assert_eq!(
            (told[0].kinds.as_slice(), told[0].met),
            (&[RequirementKind::Exception][..], Answer::No)
        );
        assert!(told[0].names.is_empty());
    }

    #[test]
    fn where_nobody_is_let_in_nothing_is_told() {
        assert_eq!(told(vec![policy(Decision::Deny, Vec::new())]), []);
        assert_eq!(told(Vec::new()), []);
    }
}
