//! What could let somebody pass, if it were found out.

use super::*;

/// An Allow policy of this name that requires something of everybody.
fn requires(name: &str, rules: &[Selector]) -> Policy {
    Policy {
        require: rules.to_vec(),
        ..policy(name, Decision::Allow, &[everyone()])
    }
}

fn asks_why(name: &str) -> Policy {
    Policy {
        purpose_justification_required: true,
        ..policy(name, Decision::Allow, &[everyone()])
    }
}

fn asks_leave(name: &str) -> Policy {
    Policy {
        approval_required: true,
        approval_groups: vec![ApprovalGroup {
            approvals_needed: 1,
            email_addresses: vec!["boss@example.com".parse().unwrap()],
            email_list: None,
        }],
        ..policy(name, Decision::Allow, &[everyone()])
    }
}

fn justified() -> Justification {
    Justification {
        app: APP,
        policy: PolicyId(Uuid::from_u128(100)),
        at_ms: 0,
    }
}

fn approved(until_ms: i64) -> Approval {
    Approval {
        app: APP,
        policy: PolicyId(Uuid::from_u128(100)),
        until_ms,
    }
}

#[test]
fn a_context_that_is_missing_is_asked_for_at_the_own_provider_only() {
    let mut person = ada();
    for asked in [false, true] {
        person.contexts_asked = asked;
        for policies in [
            [requires("p", &[context(ENTRA, "c1")])],
            [policy("p", Decision::Allow, &[context(ENTRA, "c1")])],
        ] {
            assert_eq!(decide(&policies, Some(&person), &office()), "auth_context for p");
        }
        let other = [requires("p", &[context(OTHER, "c1")])];
        assert_eq!(decide(&other, Some(&person), &office()), "no policy matched");
    }
    person.contexts = vec!["c1".to_owned()];
    let policies = [requires("p", &[context(ENTRA, "c1")])];
    assert_eq!(decide(&policies, Some(&person), &office()), "p");
}

#[test]
fn nothing_is_asked_for_where_it_would_not_help() {
    let mut never = requires("p", &[context(ENTRA, "c1"), group(9)]);
    assert_eq!(
        decide(&[never.clone()], Some(&ada()), &office()),
        "no policy matched"
    );
    never.require = vec![context(ENTRA, "c1"), posture()];
    assert_eq!(
        decide(&[never.clone()], Some(&ada()), &office()),
        "no policy matched"
    );
    never.require = vec![context(ENTRA, "c1"), ip("203.0.113.0/24")];
    assert_eq!(
        decide(&[never.clone()], Some(&ada()), &office()),
        "no policy matched"
    );
    assert_eq!(
        decide(&[never], Some(&ada()), &facts("203.0.113.1")),
        "auth_context for p"
    );
    let mut excluded = policy("p", Decision::Allow, &[everyone()]);
    excluded.exclude = vec![context(ENTRA, "c1")];
    assert_eq!(decide(&[excluded], Some(&ada()), &office()), "no policy matched");
}

#[test]
fn an_evaluation_is_asked_for_until_it_says_yes_or_no() {
    let mut excluded = policy("p", Decision::Allow, &[everyone()]);
    excluded.exclude = vec![evaluator(1)];
    let policies = [vec![requires("p", &[evaluator(1)])], vec![excluded]];
    for policies in &policies {
        assert_eq!(
            decide(policies, Some(&ada()), &office()),
            "external_evaluation for p"
        );
    }
    let mut person = ada();
    for (success, required, excluded) in [
        (Some(true), "p", "no policy matched"),
        (Some(false), "no policy matched", "p"),
        (None, "external_evaluation for p", "external_evaluation for p"),
    ] {
        person.evaluations = vec![evaluated(1, success)];
        assert_eq!(decide(&policies[0], Some(&person), &office()), required);
        assert_eq!(decide(&policies[1], Some(&person), &office()), excluded);
    }
}

/// A Deny that nobody asked about yet would else deny for ever.
#[test]
fn a_deny_that_an_evaluation_could_rule_out_has_it_asked() {
    let policies = [deny(&[evaluator(1)]), allow(&[everyone()])];
    assert_eq!(
        decide(&policies, Some(&ada()), &office()),
        "external_evaluation for deny"
    );
    let mut person = ada();
    for (success, word) in [
        (Some(false), "allow"),
        (Some(true), "denied by deny"),
        (None, "external_evaluation for deny"),
    ] {
        person.evaluations = vec![evaluated(1, success)];
        assert_eq!(decide(&policies, Some(&person), &office()), word);
    }
}

#[test]
fn what_is_missing_is_found_inside_access_groups() {
    let mut trusted = access_group_of(1, &[everyone()]);
    trusted.require = vec![context(ENTRA, "c3"), ip("198.51.100.0/24")];
    let mut rated = access_group_of(2, &[everyone()]);
    rated.exclude = vec![access_group(3)];
    let referents = referents(vec![trusted, rated, access_group_of(3, &[evaluator(1)])]);
    for (id, word) in [(1, "auth_context for p"), (2, "external_evaluation for p")] {
        let policies = [requires("p", &[access_group(id)])];
        assert_eq!(decide_with(&referents, &policies, Some(&ada()), &office()), word);
    }
}

#[test]
fn contexts_are_asked_for_one_after_the_other() {
    let policies = [requires(
        "p",
        &[context(ENTRA, "c1"), context(ENTRA, "c2"), evaluator(1)],
    )];
    let mut person = ada();
    person.contexts_asked = true;
    let compiled = compile(APP, &policies, &Arc::default()).unwrap();
    let mut asked = Vec::new();
    loop {
        let outcomes = compiled.outcomes(&person);
        match compiled.decide(Some(&outcomes), &office()) {
            Verdict::StepUp(StepUp {
                need: Need::AuthContext { provider, context },
                ..
            }) => {
                assert_eq!(provider, ENTRA);
                asked.push(context.clone());
                person.contexts.push(context);
            }
            Verdict::StepUp(StepUp {
                need:
                    Need::Evaluation {
                        evaluate_url,
                        keys_url,
                    },
                ..
            }) => {
                asked.push(evaluate_url.clone());
                person.evaluations.push(Evaluation {
                    evaluate_url,
                    keys_url,
                    success: Some(true),
                    at_ms: 0,
                });
            }
            verdict => {
                assert_eq!(word(&verdict), "p");
                break;
            }
        }
    }
    assert_eq!(asked, ["c1", "c2", "https://e1.example.com/"]);
}

#[test]
fn a_reason_is_asked_for_before_leave_and_after_all_else() {
    let mut policy = Policy {
        purpose_justification_required: true,
        ..asks_leave("p")
    };
    policy.require = vec![context(ENTRA, "c1")];
    let policies = [policy];
    let mut person = ada();
    assert_eq!(decide(&policies, Some(&person), &office()), "auth_context for p");
    person.contexts = vec!["c1".to_owned()];
    assert_eq!(decide(&policies, Some(&person), &office()), "justification for p");
    person.justifications = vec![justified()];
    assert_eq!(decide(&policies, Some(&person), &office()), "approval for p");
    person.approvals = vec![approved(NOW + 1)];
    assert_eq!(decide(&policies, Some(&person), &office()), "p");
}

#[test]
fn reasons_and_leave_are_for_one_policy_of_one_application() {
    let elsewhere = AppId(Uuid::from_u128(51));
    let other = PolicyId(Uuid::from_u128(101));
    let mut person = ada();
    person.justifications = vec![
        Justification {
            app: elsewhere,
            ..justified()
        },
        Justification {
            policy: other,
            ..justified()
        },
    ];
    person.approvals = vec![
        Approval {
            app: elsewhere,
            ..approved(NOW + 1)
        },
        Approval {
            policy: other,
            ..approved(NOW + 1)
        },
    ];
    assert_eq!(
        decide(&[asks_why("p")], Some(&person), &office()),
        "justification for p"
    );
    assert_eq!(
        decide(&[asks_leave("p")], Some(&person), &office()),
        "approval for p"
    );
}

#[test]
fn leave_ends_by_itself() {
    let mut person = ada();
    person.approvals = vec![approved(NOW - 5), approved(NOW + 5), approved(NOW + 3)];
    let compiled = compile(APP, &[asks_leave("p")], &Arc::default()).unwrap();
    let outcomes = compiled.outcomes(&person);
    let at = |now_ms| compiled.decide(Some(&outcomes), &RequestFacts { now_ms, ..office() });
    let Verdict::Permit(permit) = at(NOW + 4) else {
        panic!("a permit was due");
    };
    assert_eq!(permit.until_ms(), Some(NOW + 5));
    assert_eq!(word(&at(NOW + 5)), "approval for p");
}

#[test]
fn a_later_policy_lets_pass_and_an_earlier_deny_refuses() {
    let step = requires("p", &[context(ENTRA, "c1")]);
    let (open, shut) = (allow(&[everyone()]), deny(&[everyone()]));
    for (policies, word) in [
        (vec![step.clone(), open.clone()], "allow"),
        (vec![shut.clone(), step.clone()], "denied by deny"),
        (vec![deny(&[posture()]), step.clone()], "not ruled out by deny"),
        (vec![step.clone(), shut.clone(), open], "auth_context for p"),
        (vec![step.clone(), asks_why("q")], "auth_context for p"),
        (vec![asks_why("q"), step, shut], "justification for q"),
    ] {
        assert_eq!(decide(&policies, Some(&ada()), &office()), word);
    }
}
