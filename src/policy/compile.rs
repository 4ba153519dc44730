//! Policies turned into look-ups.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::model::address::AddressRange;
use crate::model::duration::GoDuration;
use crate::model::email::EmailAddress;
use crate::model::evaluator::ExternalEvaluator;
use crate::model::identity::Identity;
use crate::model::ids::{IdpId, ObjectId, PolicyId};
use crate::model::policy::{Decision, DirectoryGroup, Policy, Selector};

use super::address_set::{AddressSet, CommonAddresses};
use super::answer::Answer;
use super::selector::RequestFacts;

/// The policies of one application, ready to decide.
#[derive(Debug, Clone, Default)]
pub struct CompiledPolicies {
    /// Bypass policies, by precedence.
    pub(super) open: Vec<CompiledPolicy>,
    /// Allow and Deny policies, by precedence.
    pub(super) asking: Vec<CompiledPolicy>,
    /// The external evaluations that their rules ask for.
    evaluations: Vec<ExternalEvaluator>,
}

/// Compiles policies, given by precedence. An empty list lets nobody pass.
///
/// Service Auth policies match service credentials only; requests come without any here, so they never apply.
pub fn compile(policies: &[Policy]) -> CompiledPolicies {
    let mut compiled = CompiledPolicies::default();
    for policy in policies {
        match policy.decision {
            Decision::Bypass => compiled.open.push(CompiledPolicy::new(policy)),
            Decision::Allow | Decision::Deny => compiled.asking.push(CompiledPolicy::new(policy)),
            Decision::NonIdentity => {}
        }
    }
    compiled
}

impl CompiledPolicies {
    /// The external evaluations that the rules ask for: they are asked when a person enters.
    pub fn evaluations(&self) -> &[ExternalEvaluator] {
        &self.evaluations
    }

    /// Whether knowing who asks can change anything: without Allow and Deny policies a sign-in would be in vain.
    pub fn asks_identity(&self) -> bool {
        !self.asking.is_empty()
    }
}

/// What a verdict says of a policy.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) id: PolicyId,
    pub(super) name: String,
    pub(super) session_duration: Option<GoDuration>,
}

#[derive(Debug, Clone)]
pub(super) struct CompiledPolicy {
    pub(super) head: Arc<Head>,
    pub(super) denies: bool,
    include: AnyOf,
    require: AllOf,
    exclude: AnyOf,
}

/// What one list of rules after the other says of a person.
#[derive(Debug, Clone, Copy)]
pub(super) struct PersonAnswers {
    include: Answer,
    require: Answer,
    exclude: Answer,
}

impl CompiledPolicy {
    fn new(policy: &Policy) -> Self {
        Self {
            head: Arc::new(Head {
                id: policy.id,
                name: policy.name.clone(),
                session_duration: policy.session_duration.clone(),
            }),
            denies: policy.decision == Decision::Deny,
            include: AnyOf::new(&policy.include),
            require: AllOf {
                unsure: policy.purpose_justification_required
                    || policy.approval_required
                    || policy.require.iter().any(is_unsure),
                ..AllOf::new(&policy.require)
            },
            exclude: AnyOf::new(&policy.exclude),
        }
    }

    /// What its rules say of a person; of nobody, rules about the person are unknown.
    pub(super) fn ask_person(&self, identity: Option<&Identity>) -> PersonAnswers {
        PersonAnswers {
            include: self.include.ask_person(identity),
            require: self.require.ask_person(identity),
            exclude: self.exclude.ask_person(identity),
        }
    }

    /// Whether it matches. `and`, `or` and `not` of the three lists may be taken apart into person and request,
    /// because Kleene's *and* and *or* are associative and commutative.
    pub(super) fn matches(&self, person: PersonAnswers, facts: &RequestFacts) -> Answer {
        let include = person.include.or(self.include.ask_request(facts));
        let require = person.require.and(self.require.ask_request(facts));
        let exclude = person.exclude.or(self.exclude.ask_request(facts));
        include.and(require).and(!exclude)
    }

    /// Whether it matches, as far as the person alone decides.
    pub(super) fn matches_person(person: PersonAnswers) -> Answer {
        person.include.and(person.require).and(!person.exclude)
    }

    /// Whether it applies where it matches so: Deny on yes and unknown, the others on yes only.
    pub(super) fn applies(&self, matches: Answer) -> bool {
        if self.denies {
            matches != Answer::No
        } else {
            matches == Answer::Yes
        }
    }

    /// Whether no request of this person can match.
    pub(super) fn never_matches(&self, person: PersonAnswers) -> bool {
        let included = person.include != Answer::No || !self.include.addresses.is_empty();
        !included || person.require == Answer::No || person.exclude == Answer::Yes
    }

    /// Whether requests make no difference.
    pub(super) fn is_about_persons_only(&self) -> bool {
        self.include.addresses.is_empty()
            && self.exclude.addresses.is_empty()
            && self.require.addresses.is_none()
    }
}

/// Rules of which one must hold.
#[derive(Debug, Clone)]
struct AnyOf {
    everyone: bool,
    /// Whether there are rules that cannot be told.
    unsure: bool,
    emails: HashSet<EmailAddress>,
    domains: HashSet<Box<str>>,
    groups: GroupRules,
    addresses: AddressSet,
}

impl AnyOf {
    fn new(rules: &[Selector]) -> Self {
        Self {
            everyone: rules.contains(&Selector::Everyone),
            unsure: rules.iter().any(is_unsure),
            emails: emails(rules),
            domains: domains(rules),
            groups: GroupRules::new(rules),
            addresses: AddressSet::union_of(addresses(rules)),
        }
    }

    fn ask_person(&self, identity: Option<&Identity>) -> Answer {
        if self.everyone {
            return Answer::Yes;
        }
        let unsure = if self.unsure { Answer::Unknown } else { Answer::No };
        self.ask_email(identity).or(self.groups.any(identity)).or(unsure)
    }

    fn ask_email(&self, identity: Option<&Identity>) -> Answer {
        if self.emails.is_empty() && self.domains.is_empty() {
            return Answer::No;
        }
        let Some(email) = identity.and_then(Identity::trusted_email) else {
            return Answer::Unknown;
        };
        (self.emails.contains(email) || self.domains.contains(email.domain())).into()
    }

    fn ask_request(&self, facts: &RequestFacts) -> Answer {
        match facts.address {
            _ if self.addresses.is_empty() => Answer::No,
            Some(address) => self.addresses.contains(address).into(),
            None => Answer::Unknown,
        }
    }
}

/// Rules of which every one must hold.
#[derive(Debug, Clone)]
struct AllOf {
    /// Whether there are rules that cannot be told.
    unsure: bool,
    emails: HashSet<EmailAddress>,
    domains: HashSet<Box<str>>,
    groups: GroupRules,
    addresses: Option<CommonAddresses>,
}

impl AllOf {
    fn new(rules: &[Selector]) -> Self {
        Self {
            unsure: rules.iter().any(is_unsure),
            emails: emails(rules),
            domains: domains(rules),
            groups: GroupRules::new(rules),
            addresses: CommonAddresses::of(addresses(rules)),
        }
    }

    fn ask_person(&self, identity: Option<&Identity>) -> Answer {
        let unsure = if self.unsure { Answer::Unknown } else { Answer::Yes };
        self.ask_email(identity)
            .and(self.groups.all(identity))
            .and(unsure)
    }

    fn ask_email(&self, identity: Option<&Identity>) -> Answer {
        if self.emails.is_empty() && self.domains.is_empty() {
            return Answer::Yes;
        }
        let Some(email) = identity.and_then(Identity::trusted_email) else {
            return Answer::Unknown;
        };
        // Nobody has two addresses, or one in two domains.
        let email_fits = self.emails.iter().all(|wanted| wanted == email);
        let domain_fits = self.domains.iter().all(|wanted| **wanted == *email.domain());
        (email_fits && domain_fits).into()
    }

    fn ask_request(&self, facts: &RequestFacts) -> Answer {
        match (self.addresses, facts.address) {
            (None, _) => Answer::Yes,
            (Some(common), Some(address)) => common.contains(address).into(),
            (Some(_), None) => Answer::Unknown,
        }
    }
}

/// Rules about groups, by the provider whose groups they are.
#[derive(Debug, Clone)]
struct GroupRules(HashMap<IdpId, HashSet<ObjectId>>);

impl GroupRules {
    fn new(rules: &[Selector]) -> Self {
        let mut groups: HashMap<IdpId, HashSet<ObjectId>> = HashMap::new();
        for rule in rules {
            if let Selector::AzureAd {
                id: DirectoryGroup::Id(id),
                identity_provider_id,
            } = rule
            {
                groups.entry(*identity_provider_id).or_default().insert(*id);
            }
        }
        Self(groups)
    }

    fn any(&self, identity: Option<&Identity>) -> Answer {
        if self.0.is_empty() {
            return Answer::No;
        }
        let Some(identity) = identity else {
            return Answer::Unknown;
        };
        let Some(wanted) = self.0.get(&identity.provider) else {
            return Answer::No;
        };
        let groups = &identity.groups;
        if groups.held().iter().any(|group| wanted.contains(&group.id)) {
            Answer::Yes
        } else if groups.complete() {
            Answer::No
        } else {
            Answer::Unknown
        }
    }

    fn all(&self, identity: Option<&Identity>) -> Answer {
        if self.0.is_empty() {
            return Answer::Yes;
        }
        let Some(identity) = identity else {
            return Answer::Unknown;
        };
        // A group of another provider is certainly not held.
        let (Some(wanted), 1) = (self.0.get(&identity.provider), self.0.len()) else {
            return Answer::No;
        };
        let held = identity.groups.held().iter().map(|group| group.id);
        let found: HashSet<ObjectId> = held.filter(|id| wanted.contains(id)).collect();
        if found.len() == wanted.len() {
            Answer::Yes
        } else if identity.groups.complete() {
            Answer::No
        } else {
            Answer::Unknown
        }
    }
}

fn is_unsure(rule: &Selector) -> bool {
    !matches!(
        rule,
        Selector::Everyone
            | Selector::Email { .. }
            | Selector::EmailDomain { .. }
            | Selector::AzureAd {
                id: DirectoryGroup::Id(_),
                ..
            }
            | Selector::Ip { .. }
    )
}

fn emails(rules: &[Selector]) -> HashSet<EmailAddress> {
    let emails = rules.iter().filter_map(|rule| match rule {
        Selector::Email { email } => Some(email.clone()),
        _ => None,
    });
    emails.collect()
}

fn domains(rules: &[Selector]) -> HashSet<Box<str>> {
    let domains = rules.iter().filter_map(|rule| match rule {
        Selector::EmailDomain { domain } => Some(domain.as_str().into()),
        _ => None,
    });
    domains.collect()
}

fn addresses(rules: &[Selector]) -> impl Iterator<Item = AddressRange> {
    rules.iter().filter_map(|rule| match rule {
        Selector::Ip { ip } => Some(*ip),
        _ => None,
    })
}
