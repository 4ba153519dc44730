//! Whether what rules refer to is there.

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use crate::model::ids::IdpId;
use crate::model::policy::{Decision, Policy, Rules};
use crate::model::selector::{GROUP_LINKS_APP, Selector, Unevaluated};
use crate::policy::Referents;

use super::object::Problem;

/// What there is for rules to refer to.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Access groups and lists.
    pub referents: &'a Referents,
    /// Selectors that the operator takes although they are never evaluated.
    pub accepted: &'a BTreeSet<Unevaluated>,
    /// Providers and service tokens, where they are to be there. Rules about ones that have gone hold for nobody, and
    /// that is certain.
    pub named: Option<Named<'a>>,
}

/// Objects that rules name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Identity providers.
    pub providers: &'a HashSet<Uuid>,
    /// Service tokens.
    pub service_tokens: &'a HashSet<Uuid>,
}

impl Around<'_> {
    /// What is wrong with the references of a policy that stands at `place`.
    pub fn policy_problems(&self, policy: &Policy, place: &str) -> Vec<Problem> {
        let mut problems = self.problems(policy.rules(), Some(policy.decision), place);
        for (index, group) in policy.approval_groups.iter().enumerate() {
            let Some(id) = group.email_list else { continue };
            if self.referents.email_list_size(id).is_none() {
                problems.push(Problem {
                    pointer: format!("{place}/approval_groups/{index}/email_list_uuid"),
                    reason: format!("no list of e-mail addresses has the id {id}"),
                });
            }
        }
        problems
    }

    /// What is wrong with the references of rules that stand at `place`. `decision` is that of their policy.
    pub fn problems(&self, rules: Rules<'_>, decision: Option<Decision>, place: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (list, index, rule) in rules.iter() {
            if let Some((key, reason)) = self.fault(rule, decision) {
                problems.push(Problem {
                    pointer: format!("{place}/{}/{index}/{}{key}", list.as_str(), rule.name()),
                    reason,
                });
            }
        }
        problems
    }

    /// The key inside a rule that is at fault, and why.
    fn fault(&self, rule: &Selector, decision: Option<Decision>) -> Option<(&'static str, String)> {
        if let Err(unresolved) = self.referents.resolve(rule) {
            return Some(("/id", unresolved.to_string()));
        }
        let asks_nobody = decision.is_some_and(|decision| !decision.asks_identity());
        let asks_people = decision.is_some_and(Decision::asks_identity);
        match rule {
            Selector::Group { .. } if asks_nobody && self.referents.rule_asks_identity(rule) => {
                let reason = "the access group asks who somebody is, and here nobody signs in";
                Some(("/id", reason.to_owned()))
            }
            Selector::Group { .. } if asks_people && self.referents.rule_links_app(rule) => {
                Some(("/id", GROUP_LINKS_APP.to_owned()))
            }
            Selector::AzureAd {
                identity_provider_id, ..
            }
            | Selector::AuthContext {
                identity_provider_id, ..
            }
            | Selector::Oidc {
                identity_provider_id, ..
            } => self.no_provider("/identity_provider_id", *identity_provider_id),
            Selector::LoginMethod { id } => self.no_provider("/id", *id),
            Selector::ServiceToken { token_id } => {
                let known = self
                    .named
                    .is_none_or(|named| named.service_tokens.contains(&token_id.0));
                (!known).then(|| ("/token_id", format!("no service token has the id {token_id}")))
            }
            Selector::Unevaluated { selector, .. } if !self.accepted.contains(selector) => {
                let name = selector.as_str();
                let reason = format!(
                    "this version does not evaluate {name}; to keep such rules as unknown, name it in \
                     accept_unevaluated_selectors of the organization"
                );
                Some(("", reason))
            }
            _ => None,
        }
    }

    fn no_provider(&self, key: &'static str, id: IdpId) -> Option<(&'static str, String)> {
        let known = self.named.is_none_or(|named| named.providers.contains(&id.0));
        (!known).then(|| (key, format!("no identity provider has the id {id}")))
    }
}
