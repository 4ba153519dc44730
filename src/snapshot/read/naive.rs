//! From the JSON of an application to a decision, against a naive reading of the same JSON: what is read must mean what
//! was written.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::model::certificate::{ClientCertificate, VerifiedCertificate};
use crate::model::identity::{Email, Group, Groups, Identity, PersonKey};
use crate::model::ids::{AppId, GroupId, IdpId, ObjectId, ServiceTokenId, TenantId, UserId};
use crate::policy::{Referents, RefusalReason, RequestFacts, Verdict, compile};

use super::{application, group};

const ENTRA: &str = "00000000-0000-0000-0000-0000000000e1";
const OTHER: &str = "00000000-0000-0000-0000-0000000000E2";
const GROUPS: [&str; 2] = [
    "00000000-0000-0000-0000-0000000000a1",
    "00000000-0000-0000-0000-0000000000A2",
];
const TOKENS: [&str; 2] = [
    "00000000-0000-0000-0000-0000000000f1",
    "00000000-0000-0000-0000-0000000000F2",
];
/// Access groups; the second may refer to the first.
const ACCESS_GROUPS: [&str; 2] = [
    "00000000-0000-0000-0000-0000000000c1",
    "00000000-0000-0000-0000-0000000000c2",
];

/// Who asks, and from where, in plain words.
#[derive(Debug, Clone)]
struct World {
    /// `None` where nobody has signed in.
    person: Option<Known>,
    address: Option<[u8; 4]>,
    country: Option<&'static str>,
    token: Option<&'static str>,
    /// The common name of the certificate, if one was shown; `None` where none was asked for.
    #[expect(clippy::option_option, reason = "not asked for, asked for and not shown, shown")]
    certificate: Option<Option<&'static str>>,
}

#[derive(Debug, Clone)]
struct Known {
    email: Option<(&'static str, bool)>,
    provider: &'static str,
    /// The groups held, and whether these are all.
    groups: (Vec<&'static str>, bool),
    amr: Vec<&'static str>,
    claim: Option<Value>,
    claim_asked: bool,
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// What one rule says: `Some(true)` yes, `Some(false)` no, `None` unknown.
fn rule(rule: &Value, person: Option<&Known>, world: &World, groups: &[(&str, Value)]) -> Option<bool> {
    let (name, written) = rule.as_object().unwrap().iter().next().unwrap();
    let text = |key: &str| written[key].as_str().unwrap();
    let address = || {
        person?
            .email
            .filter(|(_, trusted)| *trusted)
            .map(|(address, _)| address)
    };
    match name.as_str() {
        "everyone" => Some(true),
        "email" => Some(same(address()?, text("email"))),
        "email_domain" => Some(same(address()?.split_once('@').unwrap().1, text("domain"))),
        "login_method" => Some(same(person?.provider, text("id"))),
        "auth_method" => {
            let amr = &person?.amr;
            (!amr.is_empty()).then(|| amr.contains(&text("auth_method")))
        }
        "azureAD" => {
            let person = person?;
            if !same(person.provider, text("identity_provider_id")) {
                return Some(false);
            }
            let (held, all) = &person.groups;
            if held.iter().any(|held| same(held, text("id"))) {
                return Some(true);
            }
            all.then_some(false)
        }
        "oidc" => {
            let person = person?;
            if !same(person.provider, text("identity_provider_id")) {
                return Some(false);
            }
            match &person.claim {
                Some(Value::Array(values)) => Some(values.contains(&json!(text("claim_value")))),
                Some(value) => Some(*value == json!(text("claim_value"))),
                None => person.claim_asked.then_some(false),
            }
        }
        "ip" => {
            let (network, length) = text("ip").split_once('/').unwrap_or((text("ip"), "32"));
            let bits = |parts: [u8; 4]| u64::from(u32::from_be_bytes(parts));
            let network: Vec<u8> = network.split('.').map(|part| part.parse().unwrap()).collect();
            let rest = 32 - length.parse::<u32>().unwrap();
            Some(bits(world.address?) >> rest == bits(network.try_into().unwrap()) >> rest)
        }
        "geo" => Some(same(world.country?, text("country_code"))),
        "service_token" => Some(world.token.is_some_and(|token| same(token, text("token_id")))),
        "any_valid_service_token" => Some(world.token.is_some()),
        "certificate" => Some(world.certificate?.is_some()),
        "common_name" => Some(world.certificate? == Some(text("common_name"))),
        "device_posture" => None,
        "group" => {
            let (_, body) = groups.iter().find(|(id, _)| *id == text("id")).unwrap();
            rules(body, person, world, groups)
        }
        other => panic!("{other}"),
    }
}

fn rules(body: &Value, person: Option<&Known>, world: &World, groups: &[(&str, Value)]) -> Option<bool> {
    let ask = |list: &str| -> Vec<Option<bool>> {
        let rules = body[list].as_array().into_iter().flatten();
        rules
            .map(|written| rule(written, person, world, groups))
            .collect()
    };
    let (include, require, exclude) = (ask("include"), ask("require"), ask("exclude"));
    if include.iter().all(|answer| *answer == Some(false))
        || require.contains(&Some(false))
        || exclude.contains(&Some(true))
    {
        return Some(false);
    }
    let surely = include.contains(&Some(true))
        && require.iter().all(|answer| *answer == Some(true))
        && exclude.iter().all(|answer| *answer == Some(false));
    surely.then_some(true)
}

/// What is decided, in words.
fn naive(app: &Value, world: &World, groups: &[(&str, Value)]) -> String {
    let mut policies: Vec<&Value> = app["policies"].as_array().unwrap().iter().collect();
    policies.sort_by_key(|policy| policy["precedence"].as_u64().unwrap());
    let (open, asking): (Vec<&Value>, Vec<&Value>) = policies
        .into_iter()
        .partition(|policy| matches!(policy["decision"].as_str().unwrap(), "bypass" | "non_identity"));
    for policy in open {
        if rules(policy, None, world, groups) == Some(true) {
            return format!("permit {}", policy["name"]);
        }
    }
    if asking.is_empty() {
        return "no policy".to_owned();
    }
    let Some(person) = &world.person else {
        return "sign in".to_owned();
    };
    for policy in asking {
        let answer = rules(policy, Some(person), world, groups);
        match (policy["decision"].as_str().unwrap(), answer) {
            ("allow", Some(true)) => return format!("permit {}", policy["name"]),
            ("deny", Some(true)) => return format!("denied {}", policy["name"]),
            ("deny", None) => return format!("not ruled out {}", policy["name"]),
            _ => {}
        }
    }
    "no policy".to_owned()
}

/// The same by the way of every request.
fn read_and_decided(app: &Value, world: &World, groups: &[(&str, Value)]) -> String {
    let read = |(id, body): &(&str, Value)| group(GroupId(id.parse().unwrap()), body).unwrap();
    let referents = Arc::new(Referents::new(groups.iter().map(read).collect(), Vec::new()));
    let id = AppId(Uuid::from_u128(1));
    let read = application(id, app).unwrap_or_else(|problems| panic!("{problems:?} in {app:#}"));
    let by_precedence: Vec<_> = read
        .application
        .policies
        .iter()
        .map(|id| {
            read.inside
                .iter()
                .find(|policy| policy.id == *id)
                .unwrap()
                .clone()
        })
        .collect();
    let compiled = compile(id, &by_precedence, &referents).unwrap();
    let outcomes = world
        .person
        .as_ref()
        .map(|known| compiled.outcomes(&identity(known)));
    match compiled.decide(outcomes.as_ref(), &facts(world)) {
        Verdict::Permit(permit) => format!("permit {}", json!(permit.policy_name())),
        Verdict::SignIn => "sign in".to_owned(),
        Verdict::StepUp(step_up) => format!("step up {step_up:?}"),
        Verdict::Refuse(refusal) => {
            let by = refusal
                .policy
                .map(|policy| json!(policy.name).to_string())
                .unwrap_or_default();
            match refusal.reason {
                RefusalReason::Denied => format!("denied {by}"),
                RefusalReason::NotRuledOut => format!("not ruled out {by}"),
                RefusalReason::NoPolicyMatched => "no policy".to_owned(),
                RefusalReason::Unmet => format!("unmet {by}"),
            }
        }
    }
}

fn identity(known: &Known) -> Identity {
    let held = known.groups.0.iter().map(|id| Group {
        id: ObjectId(id.parse().unwrap()),
        name: None,
    });
    let groups = if known.groups.1 {
        Groups::Known {
            groups: held.collect(),
        }
    } else {
        Groups::Unknown {
            partial: held.collect(),
            reason: "some pages are missing".to_owned(),
        }
    };
    let mut claims = Map::new();
    if let Some(claim) = &known.claim {
        claims.insert("dept".to_owned(), claim.clone());
    }
    Identity {
        user: UserId(Uuid::from_u128(1)),
        person: PersonKey {
            tenant: TenantId(Uuid::from_u128(2)),
            object: ObjectId(Uuid::from_u128(3)),
        },
        provider: IdpId(known.provider.parse().unwrap()),
        email: known.email.map(|(address, trusted)| Email {
            address: address.parse().unwrap(),
            trusted,
        }),
        name: None,
        given_name: None,
        family_name: None,
        guest: false,
        groups,
        amr: known.amr.iter().map(|method| (*method).to_owned()).collect(),
        contexts: Vec::new(),
        claims,
        provider_session: None,
        login_hint: None,
        address: IpAddr::from([0, 0, 0, 0]),
        country: None,
        at: Timestamp::UNIX_EPOCH,
        contexts_asked: false,
        claims_asked: known.claim_asked.then(|| "dept".to_owned()).into_iter().collect(),
        evaluations: Vec::new(),
        justifications: Vec::new(),
        approvals: Vec::new(),
    }
}

fn facts(world: &World) -> RequestFacts {
    let certificate = |shown: Option<&str>| match shown {
        None => ClientCertificate::Absent,
        Some(name) => ClientCertificate::Verified(Arc::new(VerifiedCertificate {
            common_name: Some(name.to_owned()),
            issuer: "CN=Example".to_owned(),
            issuer_key: String::new(),
            serial: "1".to_owned(),
            fingerprint: "0".repeat(64),
            expires_ms: i64::MAX,
        })),
    };
    RequestFacts {
        address: world.address.map(|parts| Ipv4Addr::from(parts).into()),
        country: world.country.map(|country| country.parse().unwrap()),
        certificate: world.certificate.map_or(ClientCertificate::Unknown, certificate),
        service_token: world.token.map(|token| ServiceTokenId(token.parse().unwrap())),
        now_ms: 0,
    }
}

fn about_request() -> BoxedStrategy<Value> {
    let one_of = |values: &[&'static str]| prop::sample::select(values.to_vec());
    prop_oneof![
        one_of(&[
            "198.51.100.0/24",
            "198.51.100.7",
            "198.51.100.7/25",
            "203.0.113.0/30",
            "0.0.0.0/0"
        ])
        .prop_map(|ip| json!({ "ip": { "ip": ip } })),
        one_of(&["SE", "no"]).prop_map(|code| json!({ "geo": { "country_code": code } })),
        one_of(&TOKENS).prop_map(|id| json!({ "service_token": { "token_id": id } })),
        Just(json!({ "any_valid_service_token": {} })),
        Just(json!({ "certificate": {} })),
        one_of(&["a", "b"]).prop_map(|name| json!({ "common_name": { "common_name": name } })),
        Just(json!({ "device_posture": { "integration_uid": "x" } })),
    ]
    .boxed()
}

fn about_person() -> BoxedStrategy<Value> {
    let one_of = |values: &[&'static str]| prop::sample::select(values.to_vec());
    let provider = move || one_of(&[ENTRA, ENTRA, OTHER]);
    prop_oneof![
        one_of(&["ada@example.com", "ADA@Example.com", "eve@other.org"])
            .prop_map(|email| json!({ "email": { "email": email } })),
        one_of(&["example.com", "Other.ORG"])
            .prop_map(|domain| json!({ "email_domain": { "domain": domain } })),
        provider().prop_map(|id| json!({ "login_method": { "id": id } })),
        one_of(&["mfa", "pwd"]).prop_map(|method| json!({ "auth_method": { "auth_method": method } })),
        (one_of(&GROUPS), provider())
            .prop_map(|(id, of)| json!({ "azureAD": { "id": id, "identity_provider_id": of } })),
        (one_of(&["eng", "ops"]), provider()).prop_map(|(value, of)| {
            json!({ "oidc": { "claim_name": "dept", "claim_value": value, "identity_provider_id": of } })
        }),
    ]
    .boxed()
}

/// Rules of a policy that asks who somebody is, or of an access group behind so many others.
fn any_rule(groups: usize) -> BoxedStrategy<Value> {
    let everyone = Just(json!({ "everyone": {} }));
    if groups == 0 {
        return prop_oneof![4 => about_person(), 2 => about_request(), 1 => everyone].boxed();
    }
    let group = prop::sample::select(ACCESS_GROUPS[..groups].to_vec());
    let group = group.prop_map(|id| json!({ "group": { "id": id } }));
    prop_oneof![4 => about_person(), 2 => about_request(), 1 => everyone, 2 => group].boxed()
}

/// The lists of rules, into this object. An empty list may as well be left out.
fn with_rules(body: Value, rule: impl Fn() -> BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let rules = |least, most| prop::collection::vec(rule(), least..most);
    (rules(1, 4), rules(0, 3), rules(0, 3)).prop_map(move |(include, require, exclude)| {
        let mut body = body.clone();
        body["include"] = include.into();
        for (list, rules) in [("require", require), ("exclude", exclude)] {
            if !rules.is_empty() {
                body[list] = rules.into();
            }
        }
        body
    })
}

fn any_policy() -> impl Strategy<Value = Value> {
    let decision = prop::sample::select(vec!["allow", "allow", "deny", "bypass", "non_identity"]);
    decision.prop_flat_map(|decision| {
        let asks = matches!(decision, "allow" | "deny");
        let rule = move || if asks { any_rule(2) } else { about_request() };
        with_rules(json!({ "decision": decision }), rule)
    })
}

fn any_app() -> impl Strategy<Value = Value> {
    let policies = prop::collection::vec(any_policy(), 0..6);
    let precedences = Just((1..=6_u64).collect::<Vec<_>>()).prop_shuffle();
    (policies, precedences).prop_map(|(policies, precedences)| {
        let policies = policies.into_iter().zip(precedences).enumerate();
        let policies: Vec<Value> = policies
            .map(|(index, (mut policy, precedence))| {
                policy["name"] = format!("policy {index}").into();
                policy["precedence"] = precedence.into();
                policy
            })
            .collect();
        json!({
            "name": "Wiki", "type": "self_hosted", "aud": "a".repeat(64), "domain": "wiki.example.com",
            "policies": policies,
        })
    })
}

fn any_groups() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let first = with_rules(json!({ "name": "first" }), || any_rule(0));
    let second = with_rules(json!({ "name": "second" }), || any_rule(1));
    // The order in which they stand means nothing.
    (first, second).prop_map(|(first, second)| vec![(ACCESS_GROUPS[1], second), (ACCESS_GROUPS[0], first)])
}

fn any_world() -> impl Strategy<Value = World> {
    let one_of = |values: &[&'static str]| prop::sample::select(values.to_vec());
    let some_of = |values: &[&'static str]| prop::sample::subsequence(values.to_vec(), 0..=values.len());
    let email = prop::option::weighted(
        0.9,
        (
            one_of(&["ada@example.com", "bob@example.com", "eve@other.org"]),
            prop::bool::weighted(0.8),
        ),
    );
    let claim = prop::option::of(prop::sample::select(vec![
        json!("eng"),
        json!(["ops", "eng"]),
        json!(7),
    ]));
    let person = (
        email,
        one_of(&[ENTRA, ENTRA, OTHER]),
        (some_of(&GROUPS), any::<bool>()),
        some_of(&["mfa", "pwd"]),
        claim,
        any::<bool>(),
    )
        .prop_map(|(email, provider, groups, amr, claim, claim_asked)| Known {
            email,
            provider,
            groups,
            amr,
            claim,
            claim_asked,
        });
    let address = prop::sample::select(vec![[198, 51, 100, 7], [198, 51, 100, 200], [203, 0, 113, 9]]);
    (
        prop::option::weighted(0.85, person),
        prop::option::weighted(0.9, address),
        prop::option::weighted(0.8, one_of(&["SE", "NO", "DE"])),
        prop::option::of(one_of(&TOKENS)),
        prop::option::of(prop::option::of(one_of(&["a", "b"]))),
    )
        .prop_map(|(person, address, country, token, certificate)| World {
            person,
            address,
            country,
            token,
            certificate,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_is_read_means_what_was_written(app in any_app(), groups in any_groups(), world in any_world()) {
        let decided = read_and_decided(&app, &world, &groups);
        prop_assert_eq!(decided, naive(&app, &world, &groups), "{:#}", app);
    }
}
