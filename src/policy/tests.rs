use std::net::IpAddr;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Map;
use uuid::Uuid;

use crate::model::identity::{Email, Group, Groups, Identity, PersonKey};
use crate::model::ids::{IdpId, ObjectId, PolicyId, TenantId, UserId};
use crate::model::policy::{Decision, DirectoryGroup, Policy, Selector};

use super::*;

const ENTRA: IdpId = IdpId(Uuid::from_u128(1));
const OTHER: IdpId = IdpId(Uuid::from_u128(2));

fn facts(address: &str) -> RequestFacts {
    RequestFacts {
        address: Some(address.parse().unwrap()),
        ..RequestFacts::default()
    }
}

fn office() -> RequestFacts {
    facts("198.51.100.7")
}

fn ada() -> Identity {
    Identity {
        user: UserId(Uuid::from_u128(10)),
        person: PersonKey {
            tenant: TenantId(Uuid::from_u128(11)),
            object: ObjectId(Uuid::from_u128(12)),
        },
        provider: ENTRA,
        email: Some(Email {
            address: "ada@example.com".parse().unwrap(),
            trusted: true,
        }),
        name: None,
        given_name: None,
        family_name: None,
        guest: false,
        groups: known(&[1, 2]),
        amr: Vec::new(),
        contexts: Vec::new(),
        claims: Map::new(),
        provider_session: None,
        login_hint: None,
        address: IpAddr::from([198, 51, 100, 7]),
        country: None,
        at: Timestamp::UNIX_EPOCH,
        contexts_asked: false,
        evaluations: Vec::new(),
        justifications: Vec::new(),
        approvals: Vec::new(),
    }
}

fn groups(ids: &[u128]) -> Vec<Group> {
    let group = |&id| Group {
        id: ObjectId(Uuid::from_u128(id)),
        name: None,
    };
    ids.iter().map(group).collect()
}

fn known(ids: &[u128]) -> Groups {
    Groups::Known { groups: groups(ids) }
}

fn partial(ids: &[u128]) -> Groups {
    Groups::Unknown {
        partial: groups(ids),
        reason: "Graph answered 503".to_owned(),
    }
}

fn everyone() -> Selector {
    Selector::Everyone
}

fn email(address: &str) -> Selector {
    Selector::Email {
        email: address.parse().unwrap(),
    }
}

fn domain(domain: &str) -> Selector {
    Selector::EmailDomain {
        domain: domain.parse().unwrap(),
    }
}

fn group(id: u128) -> Selector {
    group_of(ENTRA, id)
}

fn group_of(provider: IdpId, id: u128) -> Selector {
    Selector::AzureAd {
        id: DirectoryGroup::Id(ObjectId(Uuid::from_u128(id))),
        identity_provider_id: provider,
    }
}

fn ip(range: &str) -> Selector {
    Selector::Ip {
        ip: range.parse().unwrap(),
    }
}

fn policy(name: &str, decision: Decision, include: &[Selector]) -> Policy {
    Policy::new(PolicyId(Uuid::from_u128(100)), name, decision, include.to_vec())
}

fn allow(include: &[Selector]) -> Policy {
    policy("allow", Decision::Allow, include)
}

fn deny(include: &[Selector]) -> Policy {
    policy("deny", Decision::Deny, include)
}

fn bypass(include: &[Selector]) -> Policy {
    policy("bypass", Decision::Bypass, include)
}

/// A verdict in a word: the name of the policy that let pass, or what happened instead.
fn decide(policies: &[Policy], identity: Option<&Identity>, facts: &RequestFacts) -> String {
    let compiled = compile(policies);
    let outcomes = identity.map(|identity| compiled.outcomes(identity));
    word(&compiled.decide(outcomes.as_ref(), facts))
}

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Permit(permit) => permit.policy_name().to_owned(),
        Verdict::SignIn => "sign in".to_owned(),
        Verdict::StepUp(step_up) => format!("{} for {}", step_up.need.word(), step_up.policy.name),
        Verdict::Refuse(refusal) => match (refusal.reason, &refusal.policy) {
            (RefusalReason::Denied, Some(policy)) => format!("denied by {}", policy.name),
            (RefusalReason::NotRuledOut, Some(policy)) => format!("not ruled out by {}", policy.name),
            (RefusalReason::NoPolicyMatched, None) => "no policy matched".to_owned(),
            odd => format!("{odd:?}"),
        },
    }
}

#[test]
fn without_policies_nobody_passes_and_no_sign_in_is_asked_for() {
    assert_eq!(decide(&[], None, &office()), "no policy matched");
    assert_eq!(decide(&[], Some(&ada()), &office()), "no policy matched");
}

#[test]
fn an_empty_include_matches_nobody() {
    assert_eq!(
        decide(&[allow(&[])], Some(&ada()), &office()),
        "no policy matched"
    );
    assert_eq!(
        decide(&[bypass(&[])], Some(&ada()), &office()),
        "no policy matched"
    );
    let policies = [deny(&[]), allow(&[everyone()])];
    assert_eq!(decide(&policies, Some(&ada()), &office()), "allow");
}

#[test]
fn somebody_unknown_is_asked_to_sign_in_and_never_let_in() {
    assert_eq!(decide(&[allow(&[everyone()])], None, &office()), "sign in");
    assert_eq!(decide(&[deny(&[everyone()])], None, &office()), "sign in");
}

#[test]
fn each_kind_of_rule_is_read() {
    for (rule, passes) in [
        (everyone(), true),
        (email("ada@example.com"), true),
        (email("ADA@EXAMPLE.COM"), true),
        (email("bob@example.com"), false),
        (domain("example.com"), true),
        (domain("le.com"), false),
        (domain("sub.example.com"), false),
        (group(1), true),
        (group(3), false),
        (group_of(OTHER, 1), false),
        (ip("198.51.100.0/24"), true),
        (ip("203.0.113.0/24"), false),
    ] {
        let verdict = decide(&[allow(std::slice::from_ref(&rule))], Some(&ada()), &office());
        assert_eq!(verdict == "allow", passes, "{rule:?}");
    }
}

#[test]
fn include_is_or_require_is_and_exclude_is_not() {
    let mut policy = allow(&[group(9), domain("example.com")]);
    policy.require = vec![group(1), group(2)];
    policy.exclude = vec![email("bob@example.com"), group(3)];
    assert_eq!(decide(&[policy.clone()], Some(&ada()), &office()), "allow");

    let mut missing_one = policy.clone();
    missing_one.require.push(group(4));
    assert_eq!(
        decide(&[missing_one], Some(&ada()), &office()),
        "no policy matched"
    );

    let mut excluded = policy;
    excluded.exclude.push(group(2));
    assert_eq!(decide(&[excluded], Some(&ada()), &office()), "no policy matched");
}

#[test]
fn the_first_allow_or_deny_that_applies_decides() {
    let everyone = [everyone()];
    assert_eq!(
        decide(&[deny(&[group(1)]), allow(&everyone)], Some(&ada()), &office()),
        "denied by deny"
    );
    assert_eq!(
        decide(&[allow(&everyone), deny(&[group(1)])], Some(&ada()), &office()),
        "allow"
    );
    assert_eq!(
        decide(&[deny(&[group(3)]), allow(&everyone)], Some(&ada()), &office()),
        "allow"
    );
}

#[test]
fn bypass_comes_before_allow_and_deny_wherever_it_stands() {
    let policies = [deny(&[everyone()]), bypass(&[ip("198.51.100.0/24")])];
    assert_eq!(decide(&policies, None, &office()), "bypass");
    assert_eq!(decide(&policies, Some(&ada()), &office()), "bypass");
    assert_eq!(
        decide(&policies, Some(&ada()), &facts("203.0.113.1")),
        "denied by deny"
    );
    assert_eq!(decide(&policies, None, &facts("203.0.113.1")), "sign in");
}

#[test]
fn a_bypass_permit_carries_no_identity() {
    let compiled = compile(&[bypass(&[everyone()])]);
    let Verdict::Permit(permit) = compiled.decide(None, &office()) else {
        panic!("a permit was due");
    };
    assert_eq!(permit.nature(), Nature::Bypass);
}

#[test]
fn rules_about_persons_never_open_a_bypass() {
    let ada = ada();
    for rule in [email("ada@example.com"), domain("example.com"), group(1)] {
        assert_eq!(
            decide(&[bypass(std::slice::from_ref(&rule))], Some(&ada), &office()),
            "no policy matched"
        );
        let mut open_but = bypass(&[everyone()]);
        open_but.exclude = vec![rule.clone()];
        assert_eq!(decide(&[open_but], Some(&ada), &office()), "no policy matched");
        let mut open_if = bypass(&[everyone()]);
        open_if.require = vec![rule];
        assert_eq!(decide(&[open_if], Some(&ada), &office()), "no policy matched");
    }
}

#[test]
fn service_auth_does_not_apply_to_requests_without_service_credential() {
    let service = policy("service", Decision::NonIdentity, &[everyone()]);
    assert_eq!(
        decide(std::slice::from_ref(&service), Some(&ada()), &office()),
        "no policy matched"
    );
    assert_eq!(
        decide(&[service, allow(&[group(1)])], Some(&ada()), &office()),
        "allow"
    );
}

/// nOAuth: a guest's unverified address.
#[test]
fn an_address_that_is_not_trusted_fails_closed_both_ways() {
    let mut guest = ada();
    guest.email.as_mut().unwrap().trusted = false;
    let mut nameless = ada();
    nameless.email = None;
    for person in [&guest, &nameless] {
        for rule in [email("ada@example.com"), domain("example.com")] {
            let include = allow(std::slice::from_ref(&rule));
            assert_eq!(decide(&[include], Some(person), &office()), "no policy matched");
            let mut require = allow(&[everyone()]);
            require.require = vec![rule.clone()];
            assert_eq!(decide(&[require], Some(person), &office()), "no policy matched");
            let mut exclude = allow(&[everyone()]);
            exclude.exclude = vec![rule.clone()];
            assert_eq!(decide(&[exclude], Some(person), &office()), "no policy matched");
            let policies = [deny(std::slice::from_ref(&rule)), allow(&[everyone()])];
            assert_eq!(
                decide(&policies, Some(person), &office()),
                "not ruled out by deny"
            );
        }
        assert_eq!(decide(&[allow(&[group(1)])], Some(person), &office()), "allow");
    }
}

#[test]
fn a_partial_list_of_groups_fails_closed_both_ways() {
    for groups in [partial(&[1]), Groups::NotAsked] {
        let mut person = ada();
        person.groups = groups;
        assert_eq!(
            decide(&[allow(&[group(3)])], Some(&person), &office()),
            "no policy matched"
        );
        let mut exclude = allow(&[everyone()]);
        exclude.exclude = vec![group(3)];
        assert_eq!(decide(&[exclude], Some(&person), &office()), "no policy matched");
        let policies = [deny(&[group(3)]), allow(&[everyone()])];
        assert_eq!(
            decide(&policies, Some(&person), &office()),
            "not ruled out by deny"
        );
        let other_provider = [deny(&[group_of(OTHER, 3)]), allow(&[everyone()])];
        assert_eq!(decide(&other_provider, Some(&person), &office()), "allow");
    }
    let mut person = ada();
    person.groups = partial(&[1]);
    assert_eq!(decide(&[allow(&[group(1)])], Some(&person), &office()), "allow");
}

#[test]
fn outcomes_of_other_policies_let_nobody_pass() {
    let wide = compile(&[deny(&[group(9)]), allow(&[everyone()])]);
    let outcomes = wide.outcomes(&ada());
    let narrow = compile(&[allow(&[group(9)])]);
    assert_eq!(
        word(&narrow.decide(Some(&outcomes), &office())),
        "no policy matched"
    );
}

#[test]
fn an_explanation_names_the_rule_and_why_it_is_unknown() {
    let mut person = ada();
    person.groups = partial(&[]);
    let mut staff = policy("staff", Decision::Allow, &[group(1), ip("198.51.100.0/24")]);
    staff.require = vec![domain("example.com")];
    let lines: Vec<String> = explain(&[staff], &person, &facts("203.0.113.1"))
        .0
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "staff (allow): unknown [include azureAD 00000000-0000-0000-0000-000000000001: unknown (the list of groups \
             is incomplete: Graph answered 503); include ip 198.51.100.0/24: no; require email_domain example.com: yes]"
        ]
    );
}

// The evaluator against a naive reading of the model, and against its own explanation.

fn any_selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        1 => Just(everyone()),
        2 => prop::sample::select(vec!["ada@example.com", "bob@example.com", "ada@other.org"]).prop_map(email),
        2 => prop::sample::select(vec!["example.com", "other.org"]).prop_map(domain),
        4 => (prop::sample::select(vec![ENTRA, OTHER]), 1_u128..5).prop_map(|(idp, id)| group_of(idp, id)),
        2 => prop::sample::select(vec!["198.51.100.0/24", "198.51.100.7", "203.0.113.0/25", "2001:db8::/32"])
            .prop_map(ip),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let rules = |most| prop::collection::vec(any_selector(), 0..most);
    let decision = prop::sample::select(vec![
        Decision::Allow,
        Decision::Allow,
        Decision::Deny,
        Decision::Bypass,
        Decision::NonIdentity,
    ]);
    (decision, rules(4), rules(3), rules(3)).prop_map(|(decision, include, require, exclude)| Policy {
        require,
        exclude,
        ..policy("p", decision, &include)
    })
}

fn any_policies() -> impl Strategy<Value = Vec<Policy>> {
    prop::collection::vec(any_policy(), 0..6).prop_map(|mut policies| {
        for (position, policy) in policies.iter_mut().enumerate() {
            policy.name = position.to_string();
        }
        policies
    })
}

fn any_identity() -> impl Strategy<Value = Identity> {
    let address = prop::sample::select(vec!["ada@example.com", "bob@example.com", "eve@other.org"]);
    let email = prop::option::of((address, any::<bool>()));
    let ids = prop::collection::vec(1_u128..5, 0..4);
    let groups = (0..3_u8, ids).prop_map(|(state, ids)| match state {
        0 => Groups::NotAsked,
        1 => known(&ids),
        _ => partial(&ids),
    });
    (email, groups, prop::sample::select(vec![ENTRA, OTHER])).prop_map(|(email, groups, provider)| Identity {
        email: email.map(|(address, trusted)| Email {
            address: address.parse().unwrap(),
            trusted,
        }),
        groups,
        provider,
        ..ada()
    })
}

fn any_address() -> impl Strategy<Value = RequestFacts> {
    prop::sample::select(vec![
        "198.51.100.7",
        "198.51.100.8",
        "::ffff:198.51.100.7",
        "203.0.113.200",
        "2001:db8::1",
    ])
    .prop_map(facts)
}

/// `Some(true)` yes, `Some(false)` no, `None` unknown.
fn naive_rule(rule: &Selector, identity: Option<&Identity>, facts: &RequestFacts) -> Option<bool> {
    let address = |identity: &Identity| identity.email.clone().filter(|email| email.trusted);
    match rule {
        Selector::Everyone => Some(true),
        Selector::Ip { ip } => facts.address.map(|address| ip.contains(address)),
        Selector::Email { email } => Some(address(identity?)?.address == *email),
        Selector::EmailDomain { domain } => Some(address(identity?)?.address.domain() == domain.as_str()),
        Selector::AzureAd {
            id: DirectoryGroup::Id(id),
            identity_provider_id,
        } => {
            let identity = identity?;
            let held = identity.groups.held().iter().any(|group| group.id == *id);
            if identity.provider != *identity_provider_id {
                Some(false)
            } else if held || identity.groups.complete() {
                Some(held)
            } else {
                None
            }
        }
        _ => None,
    }
}

fn naive_match(policy: &Policy, identity: Option<&Identity>, facts: &RequestFacts) -> Option<bool> {
    let ask = |rules: &[Selector]| -> Vec<Option<bool>> {
        rules
            .iter()
            .map(|rule| naive_rule(rule, identity, facts))
            .collect()
    };
    let (include, require, exclude) = (ask(&policy.include), ask(&policy.require), ask(&policy.exclude));
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

fn naive_decision(policies: &[Policy], identity: Option<&Identity>, facts: &RequestFacts) -> String {
    let of = |decisions: &'static [Decision]| {
        policies
            .iter()
            .filter(|policy| decisions.contains(&policy.decision))
    };
    for policy in of(&[Decision::Bypass]) {
        if naive_match(policy, None, facts) == Some(true) {
            return policy.name.clone();
        }
    }
    let mut asking = of(&[Decision::Allow, Decision::Deny]).peekable();
    if identity.is_none() && asking.peek().is_some() {
        return "sign in".to_owned();
    }
    for policy in asking {
        match (policy.decision, naive_match(policy, identity, facts)) {
            (Decision::Allow, Some(true)) => return policy.name.clone(),
            (Decision::Deny, Some(true)) => return format!("denied by {}", policy.name),
            (Decision::Deny, None) => return format!("not ruled out by {}", policy.name),
            _ => {}
        }
    }
    "no policy matched".to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_compiled_decision_is_the_naive_one(
        policies in any_policies(), identity in prop::option::weighted(0.9, any_identity()), facts in any_address(),
    ) {
        prop_assert_eq!(
            decide(&policies, identity.as_ref(), &facts),
            naive_decision(&policies, identity.as_ref(), &facts)
        );
    }

    #[test]
    fn an_explanation_agrees_with_the_decision(
        policies in any_policies(), identity in any_identity(), facts in any_address(),
    ) {
        for (policy, explained) in policies.iter().zip(explain(&policies, &identity, &facts).0) {
            let alone = decide(std::slice::from_ref(policy), Some(&identity), &facts);
            let expected = match explained.matches {
                Answer::Yes if policy.decision == Decision::Deny => format!("denied by {}", policy.name),
                Answer::Unknown if policy.decision == Decision::Deny => format!("not ruled out by {}", policy.name),
                Answer::Yes => policy.name.clone(),
                Answer::No | Answer::Unknown => "no policy matched".to_owned(),
            };
            prop_assert_eq!(alone, expected);
        }
    }

    /// Knowing less never lets anybody in who would be kept out.
    #[test]
    fn losing_knowledge_never_opens(
        policies in any_policies(), identity in any_identity(), facts in any_address(),
    ) {
        let mut less = identity.clone();
        less.groups = partial(&[]);
        less.email = None;
        let (knowing, unknowing) = (
            decide(&policies, Some(&identity), &facts),
            decide(&policies, Some(&less), &facts),
        );
        let passes = |word: &String| word.parse::<usize>().is_ok();
        prop_assert!(passes(&knowing) || !passes(&unknowing), "{knowing} but {unknowing}");
    }
}
