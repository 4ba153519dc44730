//! The order of policies, and how include, require and exclude are joined.

use super::*;

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
    let compiled = compile(APP, &[bypass(&[everyone()])], &Arc::default()).unwrap();
    let Verdict::Permit(permit) = compiled.decide(None, &office()) else {
        panic!("a permit was due");
    };
    assert_eq!(permit.nature(), Nature::Bypass);
}

#[test]
fn what_asks_who_somebody_is_has_no_place_where_nobody_signs_in() {
    let through = referents(vec![
        access_group_of(1, &[access_group(2)]),
        access_group_of(2, &[domain("example.com")]),
    ]);
    for rule in [
        email("ada@example.com"),
        group(1),
        method("mfa"),
        evaluator(1),
        access_group(1),
    ] {
        for decision in [Decision::Bypass, Decision::NonIdentity] {
            let mut closed = policy("p", decision, &[everyone()]);
            closed.exclude = vec![rule.clone()];
            let told = compile(APP, &[closed], &through).unwrap_err().to_string();
            assert_eq!(
                told,
                "its policy \"p\": it asks who somebody is where nobody signs in"
            );
        }
    }
}

#[test]
fn service_auth_and_bypass_stand_in_one_order_before_all_others() {
    let known = RequestFacts {
        service_token: Some(ServiceTokenId(Uuid::from_u128(7))),
        ..office()
    };
    let policies = [
        deny(&[everyone()]),
        service(&[token(7)]),
        bypass(&[ip("198.51.100.0/24")]),
    ];
    assert_eq!(decide(&policies, Some(&ada()), &known), "service");
    assert_eq!(decide(&policies, None, &office()), "bypass");
    assert_eq!(decide(&policies, None, &facts("203.0.113.1")), "sign in");
    let swapped = [bypass(&[ip("198.51.100.0/24")]), service(&[token(7)])];
    assert_eq!(decide(&swapped, None, &known), "bypass");
    assert_eq!(decide(&[service(&[token(8)])], None, &known), "no policy matched");
}

#[test]
fn a_service_auth_permit_is_for_a_machine() {
    let compiled = compile(
        APP,
        &[service(&[Selector::AnyValidServiceToken])],
        &Arc::default(),
    )
    .unwrap();
    assert!(matches!(compiled.decide(None, &office()), Verdict::Refuse(_)));
    let known = RequestFacts {
        service_token: Some(ServiceTokenId(Uuid::from_u128(7))),
        ..office()
    };
    let Verdict::Permit(permit) = compiled.decide(None, &known) else {
        panic!("a permit was due");
    };
    assert_eq!(permit.nature(), Nature::Service);
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
    let wide = compile(APP, &[deny(&[group(9)]), allow(&[everyone()])], &Arc::default()).unwrap();
    let outcomes = wide.outcomes(&ada());
    let narrow = compile(APP, &[allow(&[group(9)])], &Arc::default()).unwrap();
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
    let told = explain(
        &[staff],
        &referents(Vec::new()),
        Some(&person),
        &facts("203.0.113.1"),
    );
    assert_eq!(
        told.to_string(),
        "staff (allow): unknown [include azureAD 00000000-0000-0000-0000-000000000001: unknown (the list of groups \
         is incomplete: Graph answered 503); include ip 198.51.100.0/24: no; require email_domain example.com: yes]"
    );
}

#[test]
fn an_explanation_tells_of_each_access_group_once_and_shows_no_more_than_a_line_holds() {
    let referents = referents(vec![
        access_group_of(1, &[access_group(2), country("SE")]),
        access_group_of(2, &[domain("other.org")]),
    ]);
    let mut many = allow(&vec![ip("203.0.113.0/24"); 30]);
    many.require = vec![access_group(1), access_group(2)];
    let told = explain(&[many], &referents, Some(&ada()), &office()).to_string();
    assert!(told.contains("; and 12 more]"), "{told}");
    assert_eq!(
        told.matches("group 2: no [include email_domain other.org: no]")
            .count(),
        1,
        "{told}"
    );
    assert!(
        told.contains("group 1: unknown [include group 00000000-0000-0000-0000-000000000002: no; include geo SE: unknown (the country"),
        "{told}"
    );
}
