use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::clouds::builtin as builtin_clouds;
use crate::model::application::Tag;
use crate::model::idp::{ClientCredential, IdentityProvider, Prompt};
use crate::model::ids::{AppId, GroupId, IdpId, ListId, PolicyId};
use crate::model::list::ListItems;
use crate::model::policy::Decision;
use crate::model::selector::{Selector, Unevaluated};

use super::*;

const ID: Uuid = Uuid::from_u128(7);
const POLICY_1: &str = "00000000-0000-0000-0000-000000000001";
const POLICY_2: &str = "00000000-0000-0000-0000-000000000002";

/// Problems as lines, to compare at a glance.
fn lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn with(mut body: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn wiki(changes: &Value) -> Value {
    let body =
        json!({"name": "Wiki", "type": "self_hosted", "aud": "a".repeat(64), "domain": "wiki.example.com"});
    with(body, changes)
}

fn read_wiki(changes: &Value) -> ReadApplication {
    application(AppId(ID), &wiki(changes)).unwrap()
}

fn wiki_problems(changes: &Value) -> Vec<String> {
    lines(&application(AppId(ID), &wiki(changes)).unwrap_err())
}

fn destinations(read: &ReadApplication) -> Vec<String> {
    read.application
        .destinations
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn an_application_has_the_defaults_of_access() {
    let read = read_wiki(&json!({})).application;
    assert_eq!(read.session_duration.as_str(), "24h");
    assert!(read.allowed_idps.is_empty() && read.http_only_cookie_attribute);
    assert_eq!(read.same_site_cookie_attribute, None);
    assert_eq!(read.auto_redirect_to_identity, None);
    assert!(!read.path_cookie_attribute && !read.allow_encoded_slash && !read.case_insensitive_paths);
}

#[test]
fn what_the_launcher_shows_is_read() {
    let plain = read_wiki(&json!({})).application.launcher;
    assert!(plain.visible && plain.logo.is_none() && plain.tags.is_empty());
    let read = read_wiki(&json!({"app_launcher_visible": false, "tags": ["Office", "IT"],
        "logo_url": "https://www.example.com/logo.png", "skip_interstitial": true}));
    let launcher = read.application.launcher;
    assert!(!launcher.visible && read.application.skip_interstitial);
    assert_eq!(
        launcher.logo.unwrap().as_str(),
        "https://www.example.com/logo.png"
    );
    assert_eq!(
        launcher.tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
        ["Office", "IT"]
    );
    for (changes, place) in [
        (json!({"logo_url": "javascript:alert(1)"}), "/logo_url: "),
        (
            json!({"logo_url": "http://www.example.com/logo.png"}),
            "/logo_url: ",
        ),
        (json!({"tags": ["a".repeat(36)]}), "/tags/0: "),
        (json!({"tags": vec!["a"; 26]}), "/tags: "),
    ] {
        let problems = wiki_problems(&changes);
        assert!(problems[0].starts_with(place), "{problems:?}");
    }
}

/// The example of Cloudflare's API documentation, as the API answers it, neutral values included.
#[test]
fn what_access_answers_is_read() {
    let body = json!({"id": "f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "uid": "f174e90a-fafe-4643-bbbc-4a0ed4fc8415",
        "type": "self_hosted", "name": "Wiki", "aud": "b".repeat(64), "domain": "wiki.example.com",
        "domain_type": "public", "self_hosted_domains": ["wiki.example.com"],
        "destinations": [{"type": "public", "uri": "wiki.example.com"}], "app_launcher_visible": true,
        "allowed_idps": [], "tags": [], "auto_redirect_to_identity": false, "session_duration": "24h",
        "enable_binding_cookie": false, "http_only_cookie_attribute": true, "options_preflight_bypass": false,
        "same_site_cookie_attribute": "", "custom_pages": [], "cors_headers": {}, "custom_deny_message": null,
        "policies": [{"id": POLICY_1, "uid": POLICY_1, "name": "staff", "decision": "allow", "precedence": 1,
            "reusable": true, "include": [{"azureAD": {"id": POLICY_2, "identity_provider_id": POLICY_1}}],
            "exclude": [], "require": [], "session_duration": "24h", "mfa_config": {}, "approval_required": false,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}],
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"});
    let read = application(AppId(ID), &body).unwrap();
    assert_eq!(read.application.policies, [POLICY_1.parse().unwrap()]);
    assert_eq!(read.inside.len(), 1);
    assert_eq!(read.inside[0].decision, Decision::Allow);
    assert_eq!(read.application.auto_redirect_to_identity, Some(false));
}

#[test]
fn the_addresses_come_from_destinations_else_domains_else_the_domain() {
    for (changes, expected) in [
        (json!({}), vec!["wiki.example.com"]),
        (
            json!({"self_hosted_domains": ["old.example.com", "wiki.example.com"]}),
            vec!["wiki.example.com", "old.example.com"],
        ),
        (
            json!({"destinations": [{"type": "public", "uri": "a.example.com/x"}, {"uri": "wiki.example.com"}],
                "self_hosted_domains": ["ignored.example.com"]}),
            vec!["wiki.example.com", "a.example.com/x"],
        ),
        (
            json!({"domain": null, "destinations": [{"type": "public", "uri": "*.example.com"}]}),
            vec!["*.example.com"],
        ),
        // Two spellings of one address.
        (
            json!({"domain": null, "destinations": [{"uri": "a.example.com"}, {"uri": "a.example.com/*"}]}),
            vec!["a.example.com"],
        ),
    ] {
        assert_eq!(destinations(&read_wiki(&changes)), expected, "{changes}");
    }
}

#[test]
fn every_problem_of_an_application_is_told_at_its_place() {
    for (changes, problem) in [
        (json!({"name": ""}), "/name: it is empty"),
        (json!({"name": 7}), "/name: text is needed"),
        (
            json!({"type": "saas"}),
            "/type: this version has applications of the types self_hosted and app_launcher",
        ),
        (
            json!({"aud": "A"}),
            "/aud: it must be 64 lower-case hexadecimal digits",
        ),
        (json!({"aud": null}), "/aud: it is missing"),
        (
            json!({"domain": null}),
            "/domain: an address is needed, such as wiki.example.com",
        ),
        (
            json!({"self_hosted_domains": ["b.example.com"]}),
            "/domain: it must be among the destinations",
        ),
        (
            json!({"destinations": [{"type": "private", "cidr": "10.0.0.0/8"}]}),
            "/destinations/0/type: this version has public destinations only",
        ),
        (
            json!({"destinations": [{"type": "public"}]}),
            "/destinations/0/uri: it is missing",
        ),
        (
            json!({"destinations": [{"uri": "wiki.example.com/cdn-cgi/access/x"}]}),
            "/destinations/0/uri: this path is the gateway's own on every host, and no application is reached there",
        ),
        (
            json!({"domain": "wiki.example.com/cdn-cgi/access", "destinations": []}),
            "/domain: this path is the gateway's own on every host, and no application is reached there",
        ),
        (
            json!({"destinations": [{"uri": "wiki.example.com", "overrides": [{"path_pattern": "/x"}]}]}),
            "/destinations/0/overrides/0/behavior: it is missing",
        ),
        (
            json!({"allowed_idps": ["x"]}),
            "/allowed_idps/0: it must be a UUID such as 7335d417-61da-459d-899c-0a01c76a2f94",
        ),
        (
            json!({"session_duration": "1d"}),
            "/session_duration: a duration such as 30m, 24h or 1h30m is needed",
        ),
        (
            json!({"session_duration": "745h"}),
            "/session_duration: at most 744h is needed",
        ),
        (
            json!({"same_site_cookie_attribute": "Lax"}),
            "/same_site_cookie_attribute: one of none, lax and strict is needed",
        ),
        (
            json!({"http_only_cookie_attribute": "yes"}),
            "/http_only_cookie_attribute: true or false is needed",
        ),
        (
            json!({"custom_deny_url": "//www.example.com"}),
            "/custom_deny_url: an https address such as https://www.example.com/help is needed",
        ),
        (
            json!({"custom_pages": ["Refused"]}),
            "/custom_pages/0: it must be a UUID such as 7335d417-61da-459d-899c-0a01c76a2f94",
        ),
        (
            json!({"mfa_config": {"allowed_authenticators": ["totp"]}}),
            "/mfa_config: this version does not enforce it",
        ),
        (
            json!({"cors_headers": {"allow_all_origins": true, "allow_credentials": true}}),
            "/cors_headers: allow_credentials cannot stand with allow_all_origins: list the origins",
        ),
        (
            json!({"cors_headers": {"allow_all_origins": true, "max_age": 86401}}),
            "/cors_headers/max_age: a whole number of seconds from -1 to 86400 is needed",
        ),
        (
            json!({"cors_headers": {"allow_all_origins": true}, "options_preflight_bypass": true}),
            "/options_preflight_bypass: it cannot stand with cors_headers: one of the two answers a preflight",
        ),
        (
            json!({"destinations": [{"uri": "wiki.example.com", "overrides": [{"behavior": "public", "path_pattern": "x"}]}]}),
            "/destinations/0/overrides/0/path_pattern: a path such as /health or /hooks/* is needed, with at most one * in a segment",
        ),
        (json!({"policies": {}}), "/policies: a list is needed"),
        (
            json!({"policies": ["x"]}),
            "/policies/0: the id of a policy is needed",
        ),
        (
            json!({"policies": [{}]}),
            "/policies/0/id: the id of a policy is needed, or a policy",
        ),
        (
            json!({"policies": [{"id": POLICY_1, "precedence": 1}, {"id": POLICY_2, "precedence": 1}]}),
            "/policies/1/precedence: policy precedences must be unique",
        ),
        (
            json!({"policies": [POLICY_1, POLICY_1]}),
            "/policies/1: the policy stands here twice",
        ),
        (
            json!({"policies": [{"name": "p", "decision": "allow", "include": [{"geo": {"country_code": "DEU"}}]}]}),
            "/policies/0/include/0/geo/country_code: there is no country DEU: a code of ISO 3166-1 alpha-2 is needed, such as SE or GB",
        ),
    ] {
        assert_eq!(wiki_problems(&changes), [problem], "{changes}");
    }
    assert_eq!(
        lines(&application(AppId(ID), &json!([])).unwrap_err()),
        ["/: an object is needed"]
    );
}

#[test]
fn policies_stand_by_precedence_and_missing_ones_are_filled() {
    let ids = |changes: Value| -> Vec<String> {
        let read = read_wiki(&changes);
        read.application
            .policies
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(
        ids(json!({"policies": [POLICY_2, POLICY_1]})),
        [POLICY_2, POLICY_1]
    );
    assert_eq!(
        ids(json!({"policies": [{"id": POLICY_1, "precedence": 9}, {"id": POLICY_2}]})),
        [POLICY_2, POLICY_1]
    );
}

#[test]
fn a_policy_written_inside_keeps_the_id_that_follows_from_its_place() {
    let changes = json!({"policies": [{"name": "p", "decision": "allow", "include": [{"everyone": {}}]}]});
    let (one, two) = (read_wiki(&changes), read_wiki(&changes));
    assert_eq!(one, two);
    assert_eq!(one.application.policies, [one.inside[0].id]);
}

#[test]
fn the_readable_part_keeps_the_addresses_of_a_broken_application() {
    let body = json!({"destinations": [{"uri": "wiki.example.com/a"}, {"uri": "not a host"}], "name": 7});
    let (read, problems) = readable_application(AppId(ID), &body);
    assert_eq!(destinations(&read), ["wiki.example.com/a"]);
    assert_eq!(problems.len(), 3, "{problems:?}");
}

fn staff(changes: &Value) -> Value {
    let body = json!({"name": "staff", "decision": "allow", "include": [{"email_domain": {"domain": "example.com"}}]});
    with(body, changes)
}

#[test]
fn every_problem_of_a_policy_is_told_at_its_place() {
    for (changes, problem) in [
        (
            json!({"decision": "block"}),
            "/decision: one of allow, deny, bypass and non_identity is needed",
        ),
        (json!({"include": []}), "/include: at least one rule is needed"),
        (json!({"include": null}), "/include: it is missing"),
        (
            json!({"mfa_config": {"allowed_authenticators": ["totp"]}}),
            "/mfa_config: this version does not enforce it",
        ),
        (
            json!({"session_duration": "1 day"}),
            "/session_duration: a duration such as 30m, 24h or 1h30m is needed",
        ),
        (
            json!({"session_duration": "745h"}),
            "/session_duration: at most 744h is needed",
        ),
        (
            json!({"decision": "bypass"}),
            "/include/0: bypass is decided without knowing who asks; use everyone or ip, or the decision allow",
        ),
        (
            json!({"decision": "non_identity"}),
            "/include/0: Service Auth is decided without knowing who asks; use service_token, certificate or ip, or \
             the decision allow",
        ),
        (
            json!({"decision": "non_identity", "include": [{"everyone": {}}]}),
            "/include: everyone would need no service token; require one, or use the decision bypass",
        ),
        (
            json!({"require": [{"linked_app_token": {"app_uid": POLICY_1}}]}),
            "/require/0: linked_app_token has a place in policies of decision non_identity and bypass only",
        ),
        (
            json!({"approval_required": true}),
            "/approval_groups: somebody who may give leave is needed",
        ),
        (
            json!({"approval_groups": [{"approvals_needed": 0, "email_addresses": ["a@example.com"]}]}),
            "/approval_groups/0/approvals_needed: a whole number from 1 on is needed",
        ),
        (
            json!({"approval_groups": [{"approvals_needed": 2, "email_addresses": ["a@example.com", "A@example.com"]}]}),
            "/approval_groups/0/approvals_needed: it is more than there are approvers",
        ),
        (
            json!({"approval_groups": [{"approvals_needed": 1}]}),
            "/approval_groups/0/email_addresses: somebody who may give leave is needed",
        ),
        (
            json!({"approval_groups": [{"email_addresses": ["nobody"]}]}),
            "/approval_groups/0/email_addresses/0: an e-mail address such as ada@example.com is needed",
        ),
        (
            json!({"approval_groups": "x"}),
            "/approval_groups: a list is needed",
        ),
        (
            json!({"purpose_justification_required": "yes"}),
            "/purpose_justification_required: true or false is needed",
        ),
        (
            json!({"decision": "deny", "purpose_justification_required": true}),
            "/purpose_justification_required: only a policy of decision allow can ask for it",
        ),
        (
            json!({"purpose_justification_prompt": "?".repeat(1001)}),
            "/purpose_justification_prompt: at most 1000 characters are taken",
        ),
    ] {
        let problems = policy(PolicyId(ID), &staff(&changes)).unwrap_err();
        // A policy whose every approver is malformed lacks approvers besides.
        assert_eq!(lines(&problems)[0], problem, "{changes}");
    }
}

#[test]
fn every_problem_of_a_rule_is_told_at_its_place() {
    let uuid = "it must be a UUID such as 7335d417-61da-459d-899c-0a01c76a2f94";
    for (rule, problem) in [
        (json!("x"), ": an object with one selector is needed".to_owned()),
        (
            json!({"everyone": {}, "email": {"email": "a@example.com"}}),
            ": a rule has exactly one selector, not 2".to_owned(),
        ),
        (json!({}), ": a rule has exactly one selector, not 0".to_owned()),
        (
            json!({"emails": {}}),
            "/emails: there is no selector emails".to_owned(),
        ),
        (
            json!({"email": "a@example.com"}),
            "/email: an object is needed".to_owned(),
        ),
        (
            json!({"email_domain": {"domain": "@b.c"}}),
            "/email_domain/domain: a domain such as example.com is needed, without @".to_owned(),
        ),
        (
            json!({"user_risk_score": {"user_risk_score": ["low", "huge"]}}),
            "/user_risk_score/user_risk_score/1: \"huge\" is no risk level: a list of the levels low, medium, high and unscored is needed"
                .to_owned(),
        ),
        (
            json!({"user_risk_score": {}}),
            "/user_risk_score/user_risk_score: a list of the levels low, medium, high and unscored is needed".to_owned(),
        ),
        (
            json!({"email": {"email": "a@b@example.com"}}),
            "/email/email: an e-mail address such as ada@example.com is needed".to_owned(),
        ),
        (
            json!({"email_list": {"id": "x"}}),
            format!("/email_list/id: {uuid}"),
        ),
        (json!({"ip_list": {}}), "/ip_list/id: it is missing".to_owned()),
        (
            json!({"group": {"id": 7}}),
            "/group/id: text is needed".to_owned(),
        ),
        (
            json!({"azureAD": {"id": POLICY_1}}),
            "/azureAD/identity_provider_id: it is missing".to_owned(),
        ),
        (
            json!({"azureAD": {"id": POLICY_1[1..], "identity_provider_id": POLICY_1}}),
            "/azureAD/id: the object id of a group is needed, a UUID, or the group's name".to_owned(),
        ),
        (
            json!({"auth_context": {"ac_id": "c100", "identity_provider_id": POLICY_1}}),
            "/auth_context/ac_id: an authentication context is needed, c1 to c99".to_owned(),
        ),
        (
            json!({"auth_method": {}}),
            "/auth_method/auth_method: it is missing".to_owned(),
        ),
        (
            json!({"login_method": {"id": ""}}),
            "/login_method/id: it is empty".to_owned(),
        ),
        (
            json!({"oidc": {"claim_name": "dept", "identity_provider_id": POLICY_1}}),
            "/oidc/claim_value: it is missing".to_owned(),
        ),
        (
            json!({"external_evaluation": {"evaluate_url": "http://a.example.com", "keys_url": "https://a.example.com"}}),
            "/external_evaluation/evaluate_url: an https address without user name and fragment is needed"
                .to_owned(),
        ),
        (
            json!({"ip": {"ip": "10.0.0.0/40"}}),
            "/ip/ip: an address or a range such as 198.51.100.0/24 is needed".to_owned(),
        ),
        (
            json!({"geo": {"country_code": "Germany"}}),
            "/geo/country_code: there is no country Germany: a code of ISO 3166-1 alpha-2 is needed, such as SE or GB".to_owned(),
        ),
        (
            json!({"service_token": {"id": POLICY_1}}),
            "/service_token/id: there is no such key".to_owned(),
        ),
        (
            json!({"common_name": {"common_name": "a".repeat(2049)}}),
            "/common_name/common_name: at most 2048 bytes are taken".to_owned(),
        ),
    ] {
        let problems = policy(PolicyId(ID), &staff(&json!({"require": [rule]}))).unwrap_err();
        assert_eq!(lines(&problems), [format!("/require/0{problem}")], "{rule}");
        let group_problems = group(GroupId(ID), &json!({"name": "g", "include": [rule]})).unwrap_err();
        assert_eq!(lines(&group_problems), [format!("/include/0{problem}")], "{rule}");
    }
}

#[test]
fn every_selector_is_read() {
    let provider = POLICY_2;
    let evaluated = json!([
        {"everyone": {}}, {"email": {"email": "Ada@Example.com"}}, {"email_domain": {"domain": "example.com"}},
        {"email_list": {"id": POLICY_1}},
        {"azureAD": {"id": POLICY_1, "identity_provider_id": provider}},
        {"auth_context": {"id": POLICY_1, "ac_id": "c1", "identity_provider_id": provider}},
        {"auth_method": {"auth_method": "mfa"}}, {"login_method": {"id": provider}},
        {"oidc": {"claim_name": "dept", "claim_value": "eng", "identity_provider_id": provider}},
        {"external_evaluation": {"evaluate_url": "https://e.example.com/", "keys_url": "http://127.0.0.1:1/keys"}},
        {"group": {"id": POLICY_1}}, {"ip": {"ip": "198.51.100.7"}}, {"ip_list": {"id": POLICY_1}},
        {"geo": {"country_code": "se"}}, {"service_token": {"token_id": POLICY_1}}, {"any_valid_service_token": {}},
        {"certificate": {}}, {"common_name": {"common_name": "client.example.com"}}]);
    let body = staff(&json!({"include": evaluated.clone()}));
    let read = policy(PolicyId(ID), &body).unwrap();
    let names: Vec<&str> = read.include.iter().map(Selector::name).collect();
    assert_eq!(names, Selector::EVALUATED);
    assert!(matches!(&read.include[1], Selector::Email { email } if email.as_str() == "ada@example.com"));
    // What a selector shows of itself is read as the same.
    let shown = read.include.iter();
    let shown: Vec<_> = shown
        .map(|rule| json!({ rule.name(): rule.settings() }))
        .collect();
    let again = policy(PolicyId(ID), &staff(&json!({ "include": shown }))).unwrap();
    assert_eq!(again.include, read.include);

    for selector in Unevaluated::ALL {
        let settings = match selector {
            Unevaluated::UserRiskScore => json!({"user_risk_score": ["high", "unscored"]}),
            _ => json!({"integration_uid": POLICY_1}),
        };
        let body = json!({"name": "g", "include": [{ selector.as_str(): settings.clone() }]});
        let read = group(GroupId(ID), &body).unwrap();
        let kept = Selector::Unevaluated { selector, settings };
        assert_eq!(read.include, [kept]);
    }
}

#[test]
fn a_policy_that_asks_for_a_reason_and_for_leave_is_read() {
    let body = staff(
        &json!({"purpose_justification_required": true, "purpose_justification_prompt": "Why?",
        "approval_required": true, "approval_groups": [
            {"approvals_needed": 1, "email_addresses": ["boss@example.com"]},
            {"approvals_needed": 3, "email_list_uuid": POLICY_1}]}),
    );
    let read = policy(PolicyId(ID), &body).unwrap();
    assert!(read.purpose_justification_required && read.approval_required);
    assert_eq!(read.purpose_justification_prompt.as_deref(), Some("Why?"));
    let needed: Vec<u32> = read
        .approval_groups
        .iter()
        .map(|group| group.approvals_needed)
        .collect();
    assert_eq!(needed, [1, 3]);
    assert_eq!(
        read.approval_groups[1].email_list,
        Some(POLICY_1.parse().unwrap())
    );
}

#[test]
fn a_list_holds_addresses_of_one_type() {
    let emails =
        json!({"name": "l", "type": "EMAIL", "items": [{"value": "Ada@example.com", "description": "x"}]});
    let read = list(ListId(ID), &emails).unwrap();
    assert_eq!(
        read.items,
        ListItems::Emails(vec!["ada@example.com".parse().unwrap()])
    );
    let addresses =
        json!({"name": "l", "type": "IP", "items": [{"value": "198.51.100.0/24"}, {"value": "::1"}]});
    assert!(
        matches!(list(ListId(ID), &addresses).unwrap().items, ListItems::Addresses(items) if items.len() == 2)
    );
    for (changes, problem) in [
        (json!({"type": "SERIAL"}), "/type: one of EMAIL and IP is needed"),
        (json!({"type": null}), "/type: it is missing"),
        (json!({"name": ""}), "/name: it is empty"),
        (json!({"items": {}}), "/items: a list is needed"),
        (
            json!({"items": ["a@example.com"]}),
            "/items/0: an object is needed",
        ),
        (json!({"items": [{}]}), "/items/0/value: it is missing"),
        (
            json!({"type": "IP"}),
            "/items/0/value: an address or a range such as 198.51.100.0/24 is needed",
        ),
    ] {
        let problems = list(ListId(ID), &with(emails.clone(), &changes)).unwrap_err();
        assert_eq!(lines(&problems), [problem], "{changes}");
    }
}

fn entra(changes: &Value) -> Value {
    let config = json!({"client_id": "client", "directory_id": POLICY_1});
    json!({"name": "Entra ID", "type": "azureAD", "config": with(config, changes)})
}

fn secrets(keys: &[&str]) -> BTreeMap<String, SecretString> {
    keys.iter()
        .map(|key| ((*key).to_owned(), format!("{key} value").into()))
        .collect()
}

fn read_entra(changes: &Value, keys: &[&str]) -> Result<IdentityProvider, Vec<String>> {
    identity_provider(IdpId(ID), &entra(changes), &secrets(keys), &builtin_clouds())
        .map_err(|problems| lines(&problems))
}

#[test]
fn a_provider_has_the_defaults_of_access() {
    // Read-only keys of an answer come back with a PUT and are passed over.
    let changes = json!({"redirect_url": "https://login.example.com/cdn-cgi/access/callback", "azure_cloud": "default",
        "conditional_access_enabled": false, "prompt": "login", "support_groups": true});
    let provider = read_entra(&changes, &["client_secret"]).unwrap().entra;
    assert!(provider.support_groups && provider.pkce_enabled && !provider.trust_guest_email);
    assert_eq!(provider.prompt, Some(Prompt::Login));
    assert_eq!(provider.cloud.key, "default");
    let ClientCredential::Secret { current, next: None } = provider.credential else {
        panic!("a secret was due");
    };
    assert_eq!(current.expose_secret(), "client_secret value");
}

#[test]
fn a_provider_proves_itself_in_one_way() {
    let certificate = json!({"client_certificate": {"certificate": "PEM"}});
    let file = json!({"federated_token_file": "/run/token"});
    assert!(matches!(
        read_entra(&certificate, &["client_certificate_key"])
            .unwrap()
            .entra
            .credential,
        ClientCredential::Certificate { .. }
    ));
    assert!(matches!(
        read_entra(&file, &[]).unwrap().entra.credential,
        ClientCredential::FederatedTokenFile(_)
    ));
    let one_way = "/config/client_secret: the client proves itself by one of client_secret, client_certificate and \
                   federated_token_file";
    for (changes, keys, problem) in [
        (json!({}), &[][..], "/config/client_secret: it is missing"),
        (
            certificate.clone(),
            &[],
            "/config/client_certificate/key: it is missing",
        ),
        (certificate, &["client_secret"], one_way),
        (file, &["client_secret"], one_way),
    ] {
        assert_eq!(read_entra(&changes, keys).unwrap_err(), [problem], "{changes}");
    }
}

#[test]
fn every_problem_of_a_provider_is_told_at_its_place() {
    for (changes, problem) in [
        (json!({"client_id": null}), "/config/client_id: it is missing"),
        (
            json!({"directory_id": "common"}),
            "/config/directory_id: it must be a UUID such as 7335d417-61da-459d-899c-0a01c76a2f94",
        ),
        (
            json!({"azure_cloud": "mars"}),
            "/config/azure_cloud: no cloud is called mars",
        ),
        (
            json!({"prompt": "consent"}),
            "/config/prompt: one of login, select_account and none is needed",
        ),
        (json!({"claims": "oid"}), "/config/claims: a list is needed"),
        (
            json!({"conditional_access_enabled": "yes"}),
            "/config/conditional_access_enabled: true or false is needed",
        ),
    ] {
        assert_eq!(
            read_entra(&changes, &["client_secret"]).unwrap_err(),
            [problem],
            "{changes}"
        );
    }
    let saml = json!({"name": "S", "type": "saml", "config": entra(&json!({}))["config"]});
    let problems = identity_provider(IdpId(ID), &saml, &secrets(&["client_secret"]), &builtin_clouds());
    assert_eq!(
        lines(&problems.unwrap_err()),
        ["/type: this version has providers of type azureAD only"]
    );
}
