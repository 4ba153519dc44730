//! What the API says of objects that it takes and that do less than they seem to: the words of `vestibule check`.

use serde_json::{Value, json};

use super::{Answer, call, id, made, tokens};
use crate::support::world::World;

async fn accepting() -> World {
    World::builder()
        .organization(
            "accept_unevaluated_selectors = [\"device_posture\", \"user_risk_score\", \"linked_app_token\"]",
        )
        .more(&tokens())
        .start()
        .await
}

fn messages(answer: &Answer) -> Vec<String> {
    let messages = answer.body["messages"].as_array().unwrap().iter();
    messages
        .map(|message| message["message"].as_str().unwrap().to_owned())
        .collect()
}

const POSTURE: &str =
    "device_posture is never evaluated: always unknown, it lets nobody in and keeps people out";

#[tokio::test]
async fn selectors_that_are_never_evaluated_are_named_wherever_they_are_written() {
    let world = accepting().await;
    let posture = json!({ "device_posture": { "integration_uid": "11111111-1111-4111-8111-111111111111" } });
    let everyone = json!({ "everyone": {} });
    let policy = json!({
        "name": "healthy", "decision": "allow", "include": [everyone], "require": [everyone, posture],
    });
    let answer = call(&world, "POST", "/access/policies", Some(&policy)).await;
    assert_eq!(
        messages(&answer),
        [format!("/require/1/device_posture: {POSTURE}")]
    );
    let made_policy = answer.result(201);
    let path = format!("/access/policies/{}", id(&made_policy));
    let answer = call(&world, "PUT", &path, Some(&policy)).await;
    assert_eq!(
        messages(&answer),
        [format!("/require/1/device_posture: {POSTURE}")]
    );

    let group = json!({ "name": "healthy", "include": [posture] });
    let answer = call(&world, "POST", "/access/groups", Some(&group)).await;
    assert_eq!(
        messages(&answer),
        [format!("/include/0/device_posture: {POSTURE}")]
    );

    let app = json!({
        "name": "Healthy", "type": "self_hosted", "domain": "healthy.localhost", "skip_interstitial": true,
        "policies": [id(&made_policy), policy],
    });
    let answer = call(&world, "POST", "/access/apps", Some(&app)).await;
    assert_eq!(
        messages(&answer),
        [
            format!("/policies/1/require/1/device_posture: {POSTURE}"),
            "/skip_interstitial: the page that asks the person before a program gets tokens is shown all the same"
                .to_owned()
        ]
    );
    let app = id(&answer.result(201));
    let own = format!("/access/apps/{app}/policies");
    let answer = call(&world, "POST", &own, Some(&policy)).await;
    assert_eq!(
        messages(&answer),
        [format!("/require/1/device_posture: {POSTURE}")]
    );
    let settings = format!("/access/apps/{app}/settings");
    let answer = call(
        &world,
        "PUT",
        &settings,
        Some(&json!({ "skip_interstitial": true })),
    )
    .await;
    assert_eq!(messages(&answer).len(), 1, "{}", answer.body);
    let off = call(
        &world,
        "PUT",
        &settings,
        Some(&json!({ "skip_interstitial": false })),
    )
    .await;
    assert_eq!(messages(&off), [""; 0]);
}

/// The file takes the same, and says the same.
#[tokio::test]
async fn a_token_that_lives_otherwise_than_is_written_is_named() {
    const SHORT: &str = "a token lives at least a minute: this means 1m";
    const LONG: &str = "a session ends after 720h at the latest, and its tokens with it";
    let world = World::builder().more(&tokens()).start().await;
    for (index, (duration, said)) in [
        ("300ms", Some(SHORT)),
        ("0s", None),
        ("1m", None),
        ("720h", None),
        ("744h", Some(LONG)),
    ]
    .into_iter()
    .enumerate()
    {
        let policy = json!({
            "name": "p", "decision": "allow", "include": [{ "everyone": {} }], "session_duration": duration,
        });
        let app = json!({
            "name": format!("App {index}"), "type": "self_hosted", "domain": format!("app{index}.localhost"),
            "session_duration": duration, "policies": [policy],
        });
        let answer = call(&world, "POST", "/access/apps", Some(&app)).await;
        let expected = said.map_or_else(Vec::new, |said| {
            vec![
                format!("/session_duration: {said}"),
                format!("/policies/0/session_duration: {said}"),
            ]
        });
        assert_eq!(messages(&answer), expected, "{duration}");
        assert_eq!(
            answer.result(201)["session_duration"],
            duration,
            "kept as it was sent"
        );
    }
    let app = json!({
        "name": "Long", "type": "self_hosted", "domain": "long.localhost", "session_duration": "745h",
    });
    let answer = call(&world, "POST", "/access/apps", Some(&app)).await;
    assert_eq!(answer.error(400).2.as_deref(), Some("/session_duration"));
}

#[tokio::test]
async fn going_straight_to_one_provider_of_several_is_named() {
    let world = accepting().await;
    let first = provider(&world).await;
    let second = json!({ "name": "Second", "type": "azureAD", "config": {
        "client_id": "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516", "client_secret": "s3cret~value",
        "directory_id": "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60",
    } });
    let mut sent = 0;
    let mut app = async |allowed: Option<Value>, on: bool| {
        sent += 1;
        let mut app = json!({
            "name": format!("App {sent}"), "type": "self_hosted", "domain": format!("app{sent}.localhost"),
            "auto_redirect_to_identity": on,
        });
        if let Some(allowed) = allowed {
            app["allowed_idps"] = allowed;
        }
        messages(&call(&world, "POST", "/access/apps", Some(&app)).await)
    };
    assert_eq!(app(None, true).await, [""; 0], "there is one");
    let second = id(&made(&world, "/access/identity_providers", second).await);
    let said = [
        "/auto_redirect_to_identity: several identity providers are allowed, so that people choose among them \
                 all the same",
    ];
    assert_eq!(app(None, true).await, said);
    assert_eq!(app(Some(json!([])), true).await, said);
    assert_eq!(app(Some(json!([first, second])), true).await, said);
    assert_eq!(app(Some(json!([first, second])), false).await, [""; 0]);
    assert_eq!(app(Some(json!([second])), true).await, [""; 0]);
}

#[tokio::test]
async fn leave_that_too_few_can_give_is_refused_or_named() {
    let world = accepting().await;
    let policy = |groups: Value| {
        json!({
            "name": "with leave", "decision": "allow", "include": [{ "everyone": {} }],
            "approval_required": true, "approval_groups": [groups],
        })
    };
    let one = policy(json!({ "approvals_needed": 2, "email_addresses": ["adam@contoso.example"] }));
    let answer = call(&world, "POST", "/access/policies", Some(&one)).await;
    assert_eq!(
        answer.error(400).2.as_deref(),
        Some("/approval_groups/0/approvals_needed")
    );
    let list =
        json!({ "name": "approvers", "type": "EMAIL", "items": [{ "value": "adam@contoso.example" }] });
    let list = id(&made(&world, "/gateway/lists", list).await);
    let by_list = policy(json!({ "approvals_needed": 2, "email_list_uuid": list }));
    let answer = call(&world, "POST", "/access/policies", Some(&by_list)).await;
    assert_eq!(
        messages(&answer),
        [
            "/approval_groups/0/approvals_needed: it is more than there are approvers on the list now, so that nobody can get leave"
        ]
    );
    let enough = policy(json!({
        "approvals_needed": 2, "email_list_uuid": list, "email_addresses": ["alice@contoso.example"],
    }));
    let enough = call(&world, "POST", "/access/policies", Some(&enough)).await;
    assert_eq!(messages(&enough), [""; 0]);
}

#[tokio::test]
async fn a_rule_that_means_something_else_than_it_says_is_refused() {
    let world = accepting().await;
    for (rule, place) in [
        (
            json!({ "email": { "email": "a@b.example", "x": 1 } }),
            "/include/0/email/x",
        ),
        (json!({ "everyone": { "but": "me" } }), "/include/0/everyone/but"),
        (
            json!({ "ip": { "ip": "198.51.100.0/24", "ips": [] } }),
            "/include/0/ip/ips",
        ),
        (json!({ "ip": { "ip": "010.0.0.0/8" } }), "/include/0/ip/ip"),
        (json!({ "ip": { "ip": "10.0.0.0/08" } }), "/include/0/ip/ip"),
        (
            json!({ "geo": { "country_code": "UK" } }),
            "/include/0/geo/country_code",
        ),
        (
            json!({ "geo": { "country_code": "ZZ" } }),
            "/include/0/geo/country_code",
        ),
        (
            json!({ "geo": { "country_code": "T1" } }),
            "/include/0/geo/country_code",
        ),
        (
            json!({ "linked_app_token": { "app_uid": "11111111-1111-4111-8111-111111111111" } }),
            "/include/0",
        ),
        (
            json!({ "user_risk_score": { "user_risk_score": ["huge"] } }),
            "/include/0/user_risk_score/user_risk_score/0",
        ),
    ] {
        let policy = json!({ "name": "wrong", "decision": "allow", "include": [rule] });
        let answer = call(&world, "POST", "/access/policies", Some(&policy)).await;
        let error = answer.error(400);
        assert_eq!(error.2.as_deref(), Some(place), "{rule}: {}", error.1);
    }
    for rule in [
        json!({ "geo": { "country_code": "gb" } }),
        json!({ "geo": { "country_code": "XK" } }),
        json!({ "ip": { "ip": "10.0.0.0/8" } }),
        json!({ "auth_context": { "id": "7", "ac_id": "c1", "identity_provider_id": provider(&world).await } }),
        json!({ "device_posture": { "integration_uid": "x", "whatever": 1 } }),
    ] {
        let policy = json!({ "name": "right", "decision": "allow", "include": [rule] });
        made(&world, "/access/policies", policy).await;
    }
}

#[tokio::test]
async fn an_application_at_the_gateways_own_addresses_is_refused() {
    let world = accepting().await;
    for domain in [
        "bad.localhost/cdn-cgi/access",
        "bad.localhost/cdn-cgi/access/x",
        "bad.localhost/.well-known/cloudflare-access-protected-resource",
    ] {
        let app = json!({ "name": "Bad", "type": "self_hosted", "domain": domain });
        let answer = call(&world, "POST", "/access/apps", Some(&app)).await;
        let error = answer.error(400);
        assert_eq!(error.2.as_deref(), Some("/domain"), "{domain}: {}", error.1);
    }
}

#[tokio::test]
async fn a_public_path_at_the_gateways_own_addresses_is_refused() {
    let world = accepting().await;
    let third = world.host("third");
    let app = |path: &str| {
        let overrides = json!([
            { "behavior": "public", "path_pattern": "/health" }, { "behavior": "public", "path_pattern": path },
        ]);
        json!({
            "name": "Third", "type": "self_hosted", "domain": third,
            "destinations": [{ "type": "public", "uri": third, "overrides": overrides }],
        })
    };
    for path in [
        "/cdn-cgi/access",
        "/cdn-cgi/access/get-identity",
        "/CDN-cgi/Access/*",
        "/.well-known/cloudflare-access-protected-resource",
        "/.well-known/cloudflare-access-protected-resource/x",
    ] {
        let answer = call(&world, "POST", "/access/apps", Some(&app(path))).await;
        let (code, message, place) = answer.error(400);
        let wanted = Some("/destinations/0/overrides/1/path_pattern");
        assert_eq!((code, place.as_deref()), (12130, wanted), "{path}: {message}");
        assert!(message.contains("gateway's own"), "{path}: {message}");
    }
    made(&world, "/access/apps", app("/cdn-cgi/image/*")).await;
}

/// Where the rule itself has no place, it has none by way of a group.
#[tokio::test]
async fn a_token_of_another_application_is_not_asked_for_among_people_through_a_group() {
    let world = accepting().await;
    let linked = json!({ "linked_app_token": { "app_uid": "11111111-1111-4111-8111-111111111111" } });
    let group = json!({ "name": "linked", "include": [linked] });
    let inner = id(&made(&world, "/access/groups", group).await);
    let outer = json!({ "name": "outer", "include": [{ "everyone": {} }], "require": [{ "group": { "id": inner } }] });
    let outer = id(&made(&world, "/access/groups", outer).await);
    let policy = |decision: &str, group: &str| {
        json!({
            "name": decision, "decision": decision, "include": [{ "ip": { "ip": "10.0.0.0/8" } }],
            "require": [{ "group": { "id": group } }],
        })
    };
    for decision in ["allow", "deny"] {
        for group in [&inner, &outer] {
            let refused = call(&world, "POST", "/access/policies", Some(&policy(decision, group))).await;
            let (code, message, place) = refused.error(400);
            assert_eq!(
                (code, place.as_deref()),
                (12130, Some("/require/0/group/id")),
                "{message}"
            );
            assert!(
                message.contains("linked_app_token has a place in policies"),
                "{message}"
            );
            let app = json!({
                "name": "Third", "type": "self_hosted", "domain": world.host("third"),
                "policies": [policy(decision, group)],
            });
            let refused = call(&world, "POST", "/access/apps", Some(&app)).await;
            assert!(
                refused
                    .error(400)
                    .1
                    .contains("linked_app_token has a place in policies")
            );
        }
    }
    for decision in ["bypass", "non_identity"] {
        made(&world, "/access/policies", policy(decision, &inner)).await;
    }
    // Nor does a group come to ask for it that such a policy refers to already.
    let plain = json!({ "name": "plain", "include": [{ "ip": { "ip": "10.0.0.0/8" } }] });
    let plain = id(&made(&world, "/access/groups", plain).await);
    made(&world, "/access/policies", policy("allow", &plain)).await;
    let path = format!("/access/groups/{plain}");
    let refused = call(
        &world,
        "PUT",
        &path,
        Some(&json!({ "name": "plain", "include": [linked] })),
    )
    .await;
    let (_, message, _) = refused.error(400);
    assert!(
        message.contains("policy \"allow\" would no longer stand"),
        "{message}"
    );
}

/// What a rule asks of a provider whose people never answer it, in the words that the file is told with.
#[tokio::test]
async fn a_rule_that_its_provider_never_answers_is_named() {
    const ALWAYS: &str = "so that the rule is always unknown: it lets nobody in and keeps people out";
    let world = accepting().await;
    let config = json!({
        "client_id": "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516", "client_secret": "s3cret~value",
        "directory_id": "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60",
    });
    let silent = json!({ "name": "Silent", "type": "azureAD", "config": config });
    let mut told = silent.clone();
    told["name"] = json!("Told");
    told["scim_config"] = json!({ "enabled": true });
    let silent = id(&made(&world, "/access/identity_providers", silent).await);
    let told = id(&made(&world, "/access/identity_providers", told).await);
    let asking = provider(&world).await;
    let rules = |provider: &str| {
        json!([
            { "azureAD": { "id": "a1000001-1111-4a11-8a11-000000000001", "identity_provider_id": provider } },
            { "auth_context": { "id": "7", "ac_id": "c1", "identity_provider_id": provider } },
            { "oidc": { "claim_name": "department", "claim_value": "x", "identity_provider_id": provider } },
        ])
    };
    let groups = |provider: &str| {
        (provider != told && provider != asking)
            .then(|| format!("/include/0/azureAD: this provider does not read groups, {ALWAYS}"))
    };
    for provider in [&silent, &told, &asking] {
        let mut said: Vec<String> = groups(provider).into_iter().collect();
        said.push(format!(
            "/include/1/auth_context: this provider is not asked for authentication contexts, {ALWAYS}"
        ));
        said.push(format!(
            "/include/2/oidc: this provider does not copy the claim department, {ALWAYS}"
        ));
        let policy = json!({ "name": "p", "decision": "allow", "include": rules(provider) });
        let answer = call(&world, "POST", "/access/policies", Some(&policy)).await;
        assert_eq!(messages(&answer), said);
        let group = json!({ "name": provider, "include": rules(provider) });
        let answer = call(&world, "POST", "/access/groups", Some(&group)).await;
        assert_eq!(messages(&answer), said);
    }
}

async fn provider(world: &World) -> String {
    let providers = call(world, "GET", "/access/identity_providers", None)
        .await
        .result(200);
    id(&providers[0])
}
