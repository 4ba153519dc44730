//! Each selector: where it holds, where it does not, and where it cannot be told.

use super::*;

/// How one rule decides in each list: let in by Include and by Require, kept out by Exclude and by Deny.
fn lists(rule: &Selector, identity: &Identity, facts: &RequestFacts) -> [bool; 4] {
    let mut require = allow(&[everyone()]);
    require.require = vec![rule.clone()];
    let mut exclude = allow(&[everyone()]);
    exclude.exclude = vec![rule.clone()];
    let rule = std::slice::from_ref(rule);
    [
        vec![allow(rule)],
        vec![require],
        vec![exclude],
        vec![deny(rule), allow(&[everyone()])],
    ]
    .map(|policies| decide(&policies, Some(identity), facts) == "allow")
}

#[track_caller]
fn yes(rule: &Selector, identity: &Identity, facts: &RequestFacts) {
    assert_eq!(lists(rule, identity, facts), [true, true, false, false], "{rule}");
}

#[track_caller]
fn no(rule: &Selector, identity: &Identity, facts: &RequestFacts) {
    assert_eq!(lists(rule, identity, facts), [false, false, true, true], "{rule}");
}

#[track_caller]
fn unknown(rule: &Selector, identity: &Identity, facts: &RequestFacts) {
    assert_eq!(lists(rule, identity, facts), [false; 4], "{rule}");
}

#[test]
fn addresses_of_people() {
    let ada = ada();
    for rule in [
        email("ADA@EXAMPLE.COM"),
        domain("example.com"),
        email_list(1),
        everyone(),
    ] {
        yes(&rule, &ada, &office());
    }
    let mut bob = ada.clone();
    bob.email.as_mut().unwrap().address = "bob@sub.example.com".parse().unwrap();
    let mut guest = ada.clone();
    guest.email.as_mut().unwrap().trusted = false;
    for rule in [email("ada@example.com"), domain("example.com"), email_list(1)] {
        no(&rule, &bob, &office());
        unknown(&rule, &guest, &office());
    }
}

#[test]
fn addresses_of_requests() {
    let nowhere = RequestFacts {
        address: None,
        ..office()
    };
    for rule in [ip("198.51.100.0/24"), ip_list(2)] {
        yes(&rule, &ada(), &office());
        no(&rule, &ada(), &facts("203.0.113.1"));
        unknown(&rule, &ada(), &nowhere);
    }
}

#[test]
fn countries() {
    let from = |code: Option<&str>| RequestFacts {
        country: code.map(|code| code.parse().unwrap()),
        ..office()
    };
    yes(&country("se"), &ada(), &from(Some("SE")));
    no(&country("se"), &ada(), &from(Some("NO")));
    unknown(&country("se"), &ada(), &from(None));
}

#[test]
fn client_certificates() {
    let with = |certificate| RequestFacts {
        certificate,
        ..office()
    };
    let verified = with(certificate(Some("client.example.com")));
    let nameless = with(certificate(None));
    let absent = with(ClientCertificate::Absent);
    let not_asked = with(ClientCertificate::Unknown);
    for facts in [&verified, &nameless] {
        yes(&Selector::Certificate, &ada(), facts);
    }
    no(&Selector::Certificate, &ada(), &absent);
    unknown(&Selector::Certificate, &ada(), &not_asked);
    yes(&common_name("client.example.com"), &ada(), &verified);
    for (name, facts) in [
        ("Client.example.com", &verified),
        ("client.example.com", &nameless),
        ("client.example.com", &absent),
    ] {
        no(&common_name(name), &ada(), facts);
    }
    unknown(&common_name("client.example.com"), &ada(), &not_asked);
}

#[test]
fn service_tokens() {
    let with = |id: Option<u128>| RequestFacts {
        service_token: id.map(|id| ServiceTokenId(Uuid::from_u128(id))),
        ..office()
    };
    yes(&token(7), &ada(), &with(Some(7)));
    no(&token(7), &ada(), &with(Some(8)));
    no(&token(7), &ada(), &with(None));
    yes(&Selector::AnyValidServiceToken, &ada(), &with(Some(8)));
    no(&Selector::AnyValidServiceToken, &ada(), &with(None));
}

#[test]
fn groups_by_id() {
    yes(&group(1), &ada(), &office());
    no(&group(3), &ada(), &office());
    no(&group_of(OTHER, 1), &ada(), &office());
    let mut person = ada();
    for unsure in [partial(&[1]), Groups::NotAsked] {
        person.groups = unsure;
        unknown(&group(3), &person, &office());
        no(&group_of(OTHER, 3), &person, &office());
    }
    person.groups = partial(&[1]);
    yes(&group(1), &person, &office());
}

#[test]
fn groups_by_name() {
    let mut person = ada();
    let named = |names: &[Option<&str>]| -> Vec<Group> {
        let group = |(id, name): (usize, Option<&str>)| Group {
            id: ObjectId(Uuid::from_u128(id as u128)),
            name: name.map(str::to_owned),
        };
        names.iter().copied().enumerate().map(group).collect()
    };
    person.groups = Groups::Known {
        groups: named(&[Some("Staff"), Some("Engineering")]),
    };
    yes(&named_group("Engineering"), &person, &office());
    no(&named_group("engineering"), &person, &office());
    person.groups = Groups::Known {
        groups: named(&[Some("Staff"), None]),
    };
    yes(&named_group("Staff"), &person, &office());
    unknown(&named_group("Engineering"), &person, &office());
    no(&group(9), &person, &office());
    person.groups = Groups::Unknown {
        partial: named(&[Some("Staff")]),
        reason: String::new(),
    };
    yes(&named_group("Staff"), &person, &office());
    unknown(&named_group("Engineering"), &person, &office());
    person.groups = Groups::NotAsked;
    unknown(&named_group("Staff"), &person, &office());
}

#[test]
fn ways_of_signing_in() {
    let mut person = ada();
    yes(&Selector::LoginMethod { id: ENTRA }, &person, &office());
    no(&Selector::LoginMethod { id: OTHER }, &person, &office());
    unknown(&method("mfa"), &person, &office());
    person.amr = vec!["pwd".to_owned(), "mfa".to_owned()];
    yes(&method("mfa"), &person, &office());
    no(&method("hwk"), &person, &office());
}

#[test]
fn authentication_contexts() {
    let mut person = ada();
    no(&context(OTHER, "c1"), &person, &office());
    unknown(&context(ENTRA, "c1"), &person, &office());
    person.contexts_asked = true;
    no(&context(ENTRA, "c1"), &person, &office());
    person.contexts = vec!["c1".to_owned()];
    yes(&context(ENTRA, "c1"), &person, &office());
    no(&context(ENTRA, "c10"), &person, &office());
}

#[test]
fn claims() {
    let with = |name: &str, value: Value| {
        let mut person = ada();
        person.claims.insert(name.to_owned(), value);
        person
    };
    for (value, wanted) in [
        (json!("eng"), "eng"),
        (json!(7), "7"),
        (json!(true), "true"),
        (json!(["ops", "eng"]), "eng"),
        (json!([1, 2]), "2"),
    ] {
        yes(
            &claim(ENTRA, "level", wanted),
            &with("level", value.clone()),
            &office(),
        );
        no(&claim(ENTRA, "level", "other"), &with("level", value), &office());
    }
    no(
        &claim(ENTRA, "level", "x"),
        &with("level", json!({"x": "x"})),
        &office(),
    );
    no(
        &claim(OTHER, "level", "eng"),
        &with("level", json!("eng")),
        &office(),
    );
    // A claim that was asked for and is not there says something; one that was not does not, and neither does one
    // that Entra leaves out where there is too much to say.
    no(&claim(ENTRA, "dept", "eng"), &ada(), &office());
    let before = Identity {
        claims_asked: Vec::new(),
        ..ada()
    };
    unknown(&claim(ENTRA, "dept", "eng"), &before, &office());
    unknown(&claim(ENTRA, "level", "eng"), &ada(), &office());
    unknown(
        &claim(ENTRA, "level", "eng"),
        &with("level", Value::Null),
        &office(),
    );
    unknown(&claim(ENTRA, "groups", "eng"), &ada(), &office());
}

#[test]
fn external_evaluations() {
    let mut person = ada();
    person.evaluations = vec![
        evaluated(1, Some(true)),
        evaluated(2, Some(false)),
        evaluated(3, None),
    ];
    yes(&evaluator(1), &person, &office());
    no(&evaluator(2), &person, &office());
    unknown(&evaluator(3), &person, &office());
    unknown(&evaluator(4), &person, &office());
    // The last word counts.
    person.evaluations.push(evaluated(1, Some(false)));
    no(&evaluator(1), &person, &office());
}

#[test]
fn what_is_never_evaluated_is_unknown() {
    unknown(&posture(), &ada(), &office());
}

/// All of several: nobody has two addresses, and somebody may hold two groups.
#[test]
fn every_required_rule_must_hold() {
    let mut person = ada();
    person.amr = vec!["pwd".to_owned(), "mfa".to_owned()];
    person.contexts = vec!["c1".to_owned(), "c2".to_owned()];
    person.claims.insert("role".to_owned(), json!(["a", "b"]));
    let facts = RequestFacts {
        country: Some("SE".parse().unwrap()),
        certificate: certificate(Some("a")),
        service_token: Some(ServiceTokenId(Uuid::from_u128(7))),
        ..office()
    };
    for (rules, holds) in [
        (vec![group(1), group(2)], true),
        (vec![group(1), group(3)], false),
        (vec![group(1), group_of(OTHER, 1)], false),
        (vec![email("ada@example.com"), email("bob@example.com")], false),
        (
            vec![email("ada@example.com"), domain("example.com"), email_list(1)],
            true,
        ),
        (vec![domain("example.com"), domain("other.org")], false),
        (vec![method("pwd"), method("mfa")], true),
        (vec![method("pwd"), method("hwk")], false),
        (vec![context(ENTRA, "c1"), context(ENTRA, "c2")], true),
        (vec![claim(ENTRA, "role", "a"), claim(ENTRA, "role", "b")], true),
        (vec![claim(ENTRA, "role", "a"), claim(ENTRA, "role", "c")], false),
        (vec![claim(ENTRA, "role", "a"), claim(OTHER, "role", "b")], false),
        (
            vec![
                Selector::LoginMethod { id: ENTRA },
                Selector::LoginMethod { id: OTHER },
            ],
            false,
        ),
        (vec![ip("198.51.100.0/24"), ip("198.51.100.0/28")], true),
        (vec![ip("198.51.100.0/24"), ip("198.51.100.64/28")], false),
        (vec![ip("198.51.100.0/24"), ip_list(2)], true),
        (vec![country("SE"), country("NO")], false),
        (vec![token(7), Selector::AnyValidServiceToken], true),
        (vec![token(7), token(8)], false),
        (vec![common_name("a"), Selector::Certificate], true),
        (vec![common_name("a"), common_name("b")], false),
    ] {
        let mut policy = allow(&[everyone()]);
        policy.require.clone_from(&rules);
        let word = decide(&[policy], Some(&person), &facts);
        assert_eq!(word == "allow", holds, "{rules:?}: {word}");
    }
}
