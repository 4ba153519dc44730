//! Access groups and lists.

use super::*;

#[test]
fn an_access_group_is_asked_as_a_policy_is() {
    let mut staff = access_group_of(1, &[domain("example.com")]);
    staff.require = vec![group(1)];
    staff.exclude = vec![email("bob@example.com")];
    let referents = referents(vec![access_group_of(2, &[access_group(1)]), staff]);
    let mut bob = ada();
    bob.email.as_mut().unwrap().address = "bob@example.com".parse().unwrap();
    let mut stranger = ada();
    stranger.groups = known(&[]);
    for (person, passes) in [(ada(), true), (bob, false), (stranger, false)] {
        for id in [1, 2] {
            let word = decide_with(
                &referents,
                &[allow(&[access_group(id)])],
                Some(&person),
                &office(),
            );
            assert_eq!(word == "allow", passes, "{id}: {word}");
        }
    }
}

#[test]
fn unknown_passes_through_groups() {
    let referents = referents(vec![
        access_group_of(1, &[group(3)]),
        access_group_of(2, &[access_group(1), posture()]),
    ]);
    let mut exclude = allow(&[everyone()]);
    exclude.exclude = vec![access_group(2)];
    for policies in [
        vec![allow(&[access_group(2)])],
        vec![exclude],
        vec![deny(&[access_group(2)]), allow(&[everyone()])],
    ] {
        let word = decide_with(&referents, &policies, Some(&ada()), &office());
        assert_ne!(word, "allow", "{policies:?}");
    }
}

#[test]
fn groups_that_ask_about_requests_are_asked_with_each_of_them() {
    let referents = referents(vec![
        access_group_of(1, &[ip("198.51.100.0/24")]),
        access_group_of(2, &[access_group(1), country("SE")]),
        access_group_of(3, &[access_group(2), email("eve@other.org")]),
    ]);
    let policies = [
        policy("late", Decision::Allow, &[access_group(3)]),
        bypass(&[access_group(2)]),
    ];
    let compiled = compile(APP, &policies, &referents).unwrap();
    let outcomes = compiled.outcomes(&ada());
    for (address, word_expected) in [("198.51.100.7", "bypass"), ("203.0.113.1", "no policy matched")] {
        let facts = RequestFacts {
            country: Some("NO".parse().unwrap()),
            ..facts(address)
        };
        assert_eq!(word(&compiled.decide(Some(&outcomes), &facts)), word_expected);
    }
    let only_late = compile(APP, &policies[..1], &referents).unwrap();
    let outcomes = only_late.outcomes(&ada());
    assert_eq!(word(&only_late.decide(Some(&outcomes), &office())), "late");
    assert_eq!(
        word(&only_late.decide(Some(&outcomes), &facts("203.0.113.1"))),
        "no policy matched"
    );
}

#[test]
fn what_is_not_there_is_told_with_the_innermost_group() {
    let referents = referents(vec![
        access_group_of(1, &[access_group(2)]),
        access_group_of(2, &[email_list(9)]),
    ]);
    for (rule, told) in [
        (
            access_group(8),
            "no access group has the id 00000000-0000-0000-0000-000000000008",
        ),
        // A list of the other kind is not the list that is meant.
        (
            email_list(2),
            "no list of e-mail addresses has the id 00000000-0000-0000-0000-000000000002",
        ),
        (
            ip_list(1),
            "no list of network addresses has the id 00000000-0000-0000-0000-000000000001",
        ),
        (
            access_group(1),
            "the access group \"group 2\": no list of e-mail addresses has the id 00000000-0000-0000-0000-000000000009",
        ),
    ] {
        let error = compile(APP, &[deny(&[rule]), allow(&[everyone()])], &referents).unwrap_err();
        assert_eq!(error.to_string(), format!("its policy \"deny\": {told}"));
    }
}

#[test]
fn a_circle_of_groups_is_told_and_lets_nobody_use_it() {
    let referents = referents(vec![
        access_group_of(1, &[access_group(2)]),
        access_group_of(2, &[everyone(), access_group(3)]),
        access_group_of(3, &[access_group(2)]),
        access_group_of(4, &[access_group(4)]),
        access_group_of(5, &[everyone()]),
    ]);
    for id in 1..=4 {
        let error = compile(APP, &[allow(&[access_group(id)])], &referents)
            .unwrap_err()
            .to_string();
        assert!(error.contains("refer to each other in a circle"), "{id}: {error}");
    }
    let error = compile(APP, &[allow(&[access_group(4)])], &referents)
        .unwrap_err()
        .to_string();
    assert!(error.contains("\"group 4\" → \"group 4\""), "{error}");
    assert!(compile(APP, &[allow(&[access_group(5)])], &referents).is_ok());
}

/// Deeper than any stack, and with ways through it that no computer could walk one by one.
#[test]
fn groups_may_be_nested_ten_thousand_deep_and_twice_in_each_other() {
    let rule = |about_request| {
        if about_request {
            ip("198.51.100.0/24")
        } else {
            group(1)
        }
    };
    for about_request in [false, true] {
        let nested = (1..10_000).map(|id| {
            let mut around = access_group_of(id, &[access_group(id - 1)]);
            around.require = vec![access_group(id.saturating_sub(2))];
            around
        });
        let all: Vec<AccessGroup> = nested
            .chain([access_group_of(0, &[rule(about_request)])])
            .collect();
        let referents = referents(all);
        let policies = [allow(&[access_group(9_999)])];
        assert_eq!(
            decide_with(&referents, &policies, Some(&ada()), &office()),
            "allow"
        );
        let mut stranger = ada();
        stranger.groups = known(&[]);
        let elsewhere = decide_with(&referents, &policies, Some(&stranger), &facts("203.0.113.1"));
        assert_eq!(elsewhere, "no policy matched");
        explain(&policies, &referents, Some(&ada()), &office());
    }
}
