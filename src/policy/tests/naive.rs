//! The evaluator against a naive reading of the rules, and against its own explanation.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Access groups that rules of the tests may refer to: 0 to 3, each of which refers to smaller ones only.
const GROUPS: u128 = 4;

/// What is known of everything that could be found out: as it is, or as is best or worst for the rules to hold.
#[derive(Clone, Copy, PartialEq)]
enum Hope {
    Now,
    Best,
    Worst,
}

impl Hope {
    fn turned(self) -> Self {
        match self {
            Self::Now => Self::Now,
            Self::Best => Self::Worst,
            Self::Worst => Self::Best,
        }
    }
}

/// One reading: `Some(true)` yes, `Some(false)` no, `None` unknown.
struct Reading<'r> {
    groups: &'r [AccessGroup],
    identity: Option<&'r Identity>,
    facts: &'r RequestFacts,
    hope: Hope,
}

impl Reading<'_> {
    fn rule(&self, rule: &Selector) -> Option<bool> {
        let facts = self.facts;
        let person = self.identity;
        let address = || {
            let email = person?.email.clone()?;
            email.trusted.then_some(email.address)
        };
        match rule {
            Selector::Everyone => Some(true),
            Selector::Unevaluated { .. } => None,
            Selector::Ip { ip } => Some(ip.contains(facts.address?)),
            Selector::IpList { .. } => {
                let ranges = ["198.51.100.0/24", "2001:db8::/32"].map(ip);
                Some(ranges.iter().any(|range| self.rule(range) == Some(true)))
                    .filter(|_| facts.address.is_some())
            }
            Selector::Geo { country_code } => Some(facts.country? == *country_code),
            Selector::ServiceToken { token_id } => Some(facts.service_token == Some(*token_id)),
            Selector::AnyValidServiceToken => Some(facts.service_token.is_some()),
            Selector::Certificate => match facts.certificate {
                ClientCertificate::Unknown => None,
                ClientCertificate::Absent => Some(false),
                ClientCertificate::Verified(_) => Some(true),
            },
            Selector::CommonName { common_name } => match &facts.certificate {
                ClientCertificate::Unknown => None,
                ClientCertificate::Absent => Some(false),
                ClientCertificate::Verified(shown) => Some(shown.common_name.as_ref() == Some(common_name)),
            },
            Selector::Email { email } => Some(address()? == *email),
            Selector::EmailDomain { domain } => Some(address()?.domain() == domain.as_str()),
            Selector::EmailList { .. } => {
                Some(matches!(address()?.as_str(), "ada@example.com" | "eve@other.org"))
            }
            Selector::LoginMethod { id } => Some(person?.provider == *id),
            Selector::AuthMethod { auth_method } => {
                let amr = &person?.amr;
                Some(amr.contains(auth_method)).filter(|_| !amr.is_empty())
            }
            Selector::AzureAd {
                id,
                identity_provider_id,
            } => {
                let person = person?;
                if person.provider != *identity_provider_id {
                    return Some(false);
                }
                let held = person.groups.held();
                let (found, complete) = match id {
                    DirectoryGroup::Id(id) => (held.iter().any(|group| group.id == *id), true),
                    DirectoryGroup::Name(name) => (
                        held.iter().any(|group| group.name.as_deref() == Some(&**name)),
                        held.iter().all(|group| group.name.is_some()),
                    ),
                };
                Some(found).filter(|found| *found || (complete && person.groups.complete()))
            }
            Selector::AuthContext {
                ac_id,
                identity_provider_id,
            } => {
                let person = person?;
                if person.provider != *identity_provider_id {
                    Some(false)
                } else if person.contexts.contains(ac_id) || self.hope == Hope::Best {
                    Some(true)
                } else {
                    person.contexts_asked.then_some(false)
                }
            }
            Selector::Oidc {
                claim_name,
                claim_value,
                identity_provider_id,
            } => {
                let person = person?;
                if person.provider != *identity_provider_id {
                    return Some(false);
                }
                match person.claims.get(claim_name) {
                    Some(Value::Array(items)) => Some(items.contains(&json!(claim_value))),
                    Some(value) => Some(*value == json!(claim_value)),
                    None => person.claims_asked.contains(claim_name).then_some(false),
                }
            }
            Selector::ExternalEvaluation { evaluate_url, .. } => {
                let said = person?
                    .evaluations
                    .iter()
                    .find(|known| known.evaluate_url == *evaluate_url);
                match (said.and_then(|said| said.success), self.hope) {
                    (Some(success), _) => Some(success),
                    (None, Hope::Now) => None,
                    (None, hope) => Some(hope == Hope::Best),
                }
            }
            Selector::Group { id } => {
                let group = self.groups.iter().find(|group| group.id == *id).unwrap();
                self.rules(&group.include, &group.require, &group.exclude)
            }
        }
    }

    fn rules(&self, include: &[Selector], require: &[Selector], exclude: &[Selector]) -> Option<bool> {
        let ask = |reading: &Self, rules: &[Selector]| -> Vec<Option<bool>> {
            rules.iter().map(|rule| reading.rule(rule)).collect()
        };
        let turned = Self {
            hope: self.hope.turned(),
            ..*self
        };
        let (include, require) = (ask(self, include), ask(self, require));
        let exclude = ask(&turned, exclude);
        let surely = include.contains(&Some(true))
            && require.iter().all(|answer| *answer == Some(true))
            && exclude.iter().all(|answer| *answer == Some(false));
        let never = include.iter().all(|answer| *answer == Some(false))
            || require.contains(&Some(false))
            || exclude.contains(&Some(true));
        if surely {
            Some(true)
        } else if never {
            Some(false)
        } else {
            None
        }
    }
}

/// The decision, in the words of [`short`].
fn naive(
    policies: &[Policy],
    groups: &[AccessGroup],
    identity: Option<&Identity>,
    facts: &RequestFacts,
) -> String {
    let matches = |policy: &Policy, identity, hope| {
        let reading = Reading {
            groups,
            identity,
            facts,
            hope,
        };
        reading.rules(&policy.include, &policy.require, &policy.exclude)
    };
    for policy in policies.iter().filter(|policy| !policy.decision.asks_identity()) {
        if matches(policy, None, Hope::Now) == Some(true) {
            return policy.name.clone();
        }
    }
    let mut asking = policies
        .iter()
        .filter(|policy| policy.decision.asks_identity())
        .peekable();
    let Some(person) = identity else {
        return if asking.peek().is_some() {
            "sign in"
        } else {
            "no policy matched"
        }
        .to_owned();
    };
    let mut almost: Option<String> = None;
    for policy in asking {
        let now = matches(policy, identity, Hope::Now);
        let justified = person
            .justifications
            .iter()
            .any(|reason| reason.policy == policy.id && reason.app == APP);
        let leave = person
            .approvals
            .iter()
            .filter(|leave| leave.policy == policy.id && leave.app == APP);
        let approved = leave
            .map(|leave| leave.until_ms)
            .max()
            .is_some_and(|until| until > facts.now_ms);
        let step = format!("step up for {}", policy.name);
        match (policy.decision, now) {
            (Decision::Allow, Some(true)) if policy.purpose_justification_required && !justified => {
                almost.get_or_insert(format!("justification for {}", policy.name));
            }
            (Decision::Allow, Some(true)) if policy.approval_required && !approved => {
                almost.get_or_insert(format!("approval for {}", policy.name));
            }
            (Decision::Allow, Some(true)) => return policy.name.clone(),
            (Decision::Allow, _) if matches(policy, identity, Hope::Best) == Some(true) => {
                almost.get_or_insert(step);
            }
            (Decision::Deny, Some(true)) => return almost.unwrap_or(format!("denied by {}", policy.name)),
            (Decision::Deny, None) if matches(policy, identity, Hope::Worst) == Some(false) => {
                return almost.unwrap_or(step);
            }
            (Decision::Deny, None) => return almost.unwrap_or(format!("not ruled out by {}", policy.name)),
            _ => {}
        }
    }
    almost.unwrap_or("no policy matched".to_owned())
}

/// [`word`], but for which of two things is asked for.
fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::StepUp(step_up) if !matches!(step_up.need, Need::Justification | Need::Approval) => {
            format!("step up for {}", step_up.policy.name)
        }
        verdict => word(verdict),
    }
}

fn any_selector(groups: u128) -> BoxedStrategy<Selector> {
    let provider = || prop::sample::select(vec![ENTRA, ENTRA, OTHER]);
    let name = prop::sample::select(vec!["Staff", "Sales"]).prop_map(named_group);
    let context = (provider(), prop::sample::select(vec!["c1", "c2"])).prop_map(|(idp, id)| context(idp, id));
    let claim = (
        provider(),
        prop::sample::select(vec!["dept", "role"]),
        prop::sample::select(vec!["eng", "ops"]),
    )
        .prop_map(|(idp, name, value)| claim(idp, name, value));
    let about_person = prop_oneof![
        2 => prop::sample::select(vec!["ada@example.com", "bob@example.com", "ada@other.org"]).prop_map(email),
        2 => prop::sample::select(vec!["example.com", "other.org"]).prop_map(domain),
        1 => Just(email_list(1)),
        4 => (provider(), 1_u128..5).prop_map(|(idp, id)| group_of(idp, id)),
        1 => name,
        2 => context,
        1 => prop::sample::select(vec!["mfa", "pwd"]).prop_map(method),
        1 => provider().prop_map(|id| Selector::LoginMethod { id }),
        2 => claim,
        2 => (1_u32..4).prop_map(evaluator),
    ];
    let others = about_request();
    if groups == 0 {
        return prop_oneof![3 => about_person, 2 => others].boxed();
    }
    prop_oneof![3 => about_person, 2 => others, 2 => (0..groups).prop_map(access_group)].boxed()
}

fn about_request() -> BoxedStrategy<Selector> {
    prop_oneof![
        2 => Just(everyone()),
        1 => Just(posture()),
        2 => prop::sample::select(vec!["198.51.100.0/24", "198.51.100.7", "203.0.113.0/25", "2001:db8::/32"])
            .prop_map(ip),
        1 => Just(ip_list(2)),
        1 => prop::sample::select(vec!["SE", "NO"]).prop_map(country),
        1 => (7_u128..9).prop_map(token),
        1 => Just(Selector::AnyValidServiceToken),
        1 => Just(Selector::Certificate),
        1 => prop::sample::select(vec!["a", "b"]).prop_map(common_name),
    ]
    .boxed()
}

fn any_groups() -> impl Strategy<Value = Vec<AccessGroup>> {
    let rules = |id, most| prop::collection::vec(any_selector(id), 0..most);
    let one = |id: u128| {
        (rules(id, 4), rules(id, 3), rules(id, 3)).prop_map(move |(include, require, exclude)| AccessGroup {
            require,
            exclude,
            ..access_group_of(id, &include)
        })
    };
    (one(0), one(1), one(2), one(3)).prop_map(|(a, b, c, d)| vec![d, b, a, c])
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let decision = prop::sample::select(vec![
        Decision::Allow,
        Decision::Allow,
        Decision::Allow,
        Decision::Deny,
        Decision::Bypass,
        Decision::NonIdentity,
    ]);
    let asks = (prop::bool::weighted(0.15), prop::bool::weighted(0.15));
    (decision, asks).prop_flat_map(|(decision, (why, leave))| {
        let rule = move || {
            if decision.asks_identity() {
                any_selector(GROUPS)
            } else {
                about_request()
            }
        };
        let rules = move |most| prop::collection::vec(rule(), 0..most);
        (rules(4), rules(3), rules(3)).prop_map(move |(include, require, exclude)| Policy {
            require,
            exclude,
            purpose_justification_required: why && decision == Decision::Allow,
            approval_required: leave && decision == Decision::Allow,
            ..policy("p", decision, &include)
        })
    })
}

fn any_policies() -> impl Strategy<Value = Vec<Policy>> {
    prop::collection::vec(any_policy(), 0..6).prop_map(|mut policies| {
        for (position, policy) in policies.iter_mut().enumerate() {
            policy.name = position.to_string();
            policy.id = PolicyId(Uuid::from_u128(position as u128));
        }
        policies
    })
}

fn any_identity() -> impl Strategy<Value = Identity> {
    let address = prop::sample::select(vec!["ada@example.com", "bob@example.com", "eve@other.org"]);
    let email = prop::option::weighted(0.9, (address, prop::bool::weighted(0.8)));
    let name = prop::option::of(prop::sample::select(vec!["Staff", "Sales", "IT"]));
    let held = prop::collection::vec((1_u128..5, name), 0..8);
    let groups = (0..4_u8, held).prop_map(|(state, held)| {
        let groups = held.into_iter().map(|(id, name)| Group {
            id: ObjectId(Uuid::from_u128(id)),
            name: name.map(str::to_owned),
        });
        match state {
            0 => Groups::NotAsked,
            1 => Groups::Unknown {
                partial: groups.collect(),
                reason: String::new(),
            },
            _ => Groups::Known {
                groups: groups.collect(),
            },
        }
    });
    let words = |from: &[&'static str]| prop::sample::subsequence(from.to_vec(), 0..=from.len());
    let claim = prop::option::of(prop::sample::select(vec![
        json!("eng"),
        json!("ops"),
        json!(["eng", "ops"]),
        json!(1),
    ]));
    let said = prop::collection::hash_map(1_u32..4, prop::option::of(any::<bool>()), 0..3);
    let given = prop::collection::vec(
        (0_u128..6, prop::sample::select(vec![NOW - 1, NOW, NOW + 1])),
        0..4,
    );
    let more = (
        words(&["mfa", "pwd"]),
        words(&["c1", "c2"]),
        any::<bool>(),
        claim.clone(),
        claim,
        said,
        given,
    );
    (
        email,
        groups,
        prop::sample::select(vec![ENTRA, ENTRA, OTHER]),
        more,
    )
        .prop_map(
            |(email, groups, provider, (amr, contexts, contexts_asked, dept, role, said, given))| {
                let said: HashMap<u32, Option<bool>> = said;
                let claims = [("dept", dept), ("role", role)];
                let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
                Identity {
                    email: email.map(|(address, trusted)| Email {
                        address: address.parse().unwrap(),
                        trusted,
                    }),
                    groups,
                    provider,
                    amr: owned(amr),
                    contexts: owned(contexts),
                    contexts_asked,
                    claims: claims
                        .into_iter()
                        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                        .collect(),
                    evaluations: said
                        .into_iter()
                        .map(|(number, success)| evaluated(number, success))
                        .collect(),
                    justifications: given
                        .iter()
                        .map(|(id, at_ms)| Justification {
                            app: APP,
                            policy: PolicyId(Uuid::from_u128(*id)),
                            at_ms: *at_ms,
                        })
                        .collect(),
                    approvals: given
                        .iter()
                        .map(|(id, until_ms)| Approval {
                            app: APP,
                            policy: PolicyId(Uuid::from_u128(5 - id)),
                            until_ms: *until_ms,
                        })
                        .collect(),
                    ..ada()
                }
            },
        )
}

fn any_facts() -> impl Strategy<Value = RequestFacts> {
    let address = prop::sample::select(vec![
        "198.51.100.7",
        "198.51.100.8",
        "::ffff:198.51.100.7",
        "203.0.113.200",
        "2001:db8::1",
    ]);
    let certificates = vec![
        ClientCertificate::Unknown,
        ClientCertificate::Absent,
        certificate(None),
        certificate(Some("a")),
    ];
    (
        prop::option::weighted(0.9, address),
        prop::option::of(prop::sample::select(vec!["SE", "NO"])),
        prop::sample::select(certificates),
        prop::option::of(7_u128..9),
    )
        .prop_map(|(address, country, certificate, token)| RequestFacts {
            address: address.map(|address| address.parse().unwrap()),
            country: country.map(|code| code.parse().unwrap()),
            certificate,
            service_token: token.map(|id| ServiceTokenId(Uuid::from_u128(id))),
            now_ms: NOW,
        })
}

/// The verdict, and the person's identity is taken apart from the request.
fn decided(
    policies: &[Policy],
    groups: &[AccessGroup],
    identity: Option<&Identity>,
    facts: &RequestFacts,
) -> Verdict {
    let compiled = compile(APP, policies, &referents(groups.to_vec())).unwrap();
    let outcomes = identity.map(|identity| compiled.outcomes(identity));
    compiled.decide(outcomes.as_ref(), facts)
}

fn passes(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Permit(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_compiled_decision_is_the_naive_one(
        policies in any_policies(), groups in any_groups(), identity in prop::option::weighted(0.9, any_identity()),
        facts in any_facts(),
    ) {
        prop_assert_eq!(
            short(&decided(&policies, &groups, identity.as_ref(), &facts)),
            naive(&policies, &groups, identity.as_ref(), &facts)
        );
    }

    #[test]
    fn an_explanation_agrees_with_the_decision(
        policies in any_policies(), groups in any_groups(), identity in any_identity(), facts in any_facts(),
    ) {
        let referents = referents(groups.clone());
        for (policy, explained) in policies.iter().zip(explain(&policies, &referents, Some(&identity), &facts).policies) {
            let mut plain = policy.clone();
            plain.purpose_justification_required = false;
            plain.approval_required = false;
            let alone = decided(&[plain], &groups, Some(&identity), &facts);
            let told = match (policy.decision, explained.matches) {
                (Decision::Deny, Answer::No) => matches!(&alone, Verdict::Refuse(refusal) if refusal.policy.is_none()),
                (Decision::Deny, _) => {
                    matches!(&alone, Verdict::StepUp(_))
                        || matches!(&alone, Verdict::Refuse(refusal) if refusal.policy.is_some())
                }
                (_, answer) => passes(&alone) == (answer == Answer::Yes),
            };
            prop_assert!(told, "{explained} but {}", word(&alone));
            for rule in &explained.rules {
                prop_assert_eq!(rule.answer == Answer::Unknown, rule.uncertainty.is_some());
                prop_assert!(rule.uncertainty.as_deref() != Some(""), "{rule}: no reason");
            }
        }
    }

    /// Knowing less never lets anybody in who would be kept out.
    #[test]
    fn losing_knowledge_never_opens(
        policies in any_policies(), groups in any_groups(), identity in any_identity(), facts in any_facts(),
        lost in prop::collection::vec(any::<bool>(), 9),
    ) {
        let (mut less, mut fewer) = (identity.clone(), facts.clone());
        if lost[0] { less.groups = partial(&[]); }
        if lost[1] { less.email = None; }
        if lost[2] { less.amr = Vec::new(); }
        if lost[3] { less.contexts = Vec::new(); less.contexts_asked = false; }
        if lost[4] { less.claims.clear(); less.claims_asked.clear(); }
        if lost[5] { less.evaluations.iter_mut().for_each(|said| said.success = None); }
        if lost[6] { fewer.address = None; }
        if lost[7] { fewer.country = None; }
        if lost[8] { fewer.certificate = ClientCertificate::Unknown; }
        let knowing = decided(&policies, &groups, Some(&identity), &facts);
        let unknowing = decided(&policies, &groups, Some(&less), &fewer);
        prop_assert!(passes(&knowing) || !passes(&unknowing), "{} but {}", word(&knowing), word(&unknowing));
    }

    /// Whatever a step-up asks for is not there yet, so that nobody is sent around for what they have.
    #[test]
    fn a_step_up_asks_for_what_is_not_known(
        policies in any_policies(), groups in any_groups(), identity in any_identity(), facts in any_facts(),
    ) {
        if let Verdict::StepUp(step_up) = decided(&policies, &groups, Some(&identity), &facts) {
            let known = match &step_up.need {
                Need::AuthContext { provider, context } => {
                    *provider != identity.provider || identity.contexts.contains(context)
                }
                Need::Evaluation { evaluate_url, .. } => {
                    identity.evaluations.iter().any(|said| {
                        said.evaluate_url == *evaluate_url && said.success.is_some()
                    })
                }
                Need::Justification | Need::Approval => false,
            };
            prop_assert!(!known, "{:?}", step_up);
        }
    }
}
