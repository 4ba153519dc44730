//! What a client sent comes back equal: else `terraform plan` is never empty.

use serde_json::{Map, Value, json};

use super::{call, id, made, world};
use crate::support::{tenant, world::World};

/// A body of each resource, minimal and maximal, with the path of its list.
fn bodies(world: &World) -> Vec<(&'static str, Value)> {
    let third = world.host("third");
    let fourth = world.host("fourth");
    vec![
        (
            "/access/groups",
            json!({ "name": "g", "include": [{ "email_domain": { "domain": "example.com" } }] }),
        ),
        (
            "/access/groups",
            json!({
                "name": "G", "is_default": false,
                "include": [{ "ip": { "ip": "198.51.100.7" } }, { "ip": { "ip": "2001:DB8::/32" } }, { "everyone": {} }],
                "require": [{ "geo": { "country_code": "DE" } }], "exclude": [],
            }),
        ),
        (
            "/access/policies",
            json!({ "name": "p", "decision": "deny", "include": [{ "everyone": {} }] }),
        ),
        (
            "/access/policies",
            json!({
                "name": "P", "decision": "allow", "include": [{ "email": { "email": "Alice@Contoso.example" } }],
                "require": [], "exclude": [{ "auth_method": { "auth_method": "sms" } }],
                "session_duration": "1h0m", "purpose_justification_required": true,
                "purpose_justification_prompt": "Why?", "approval_required": true,
                "approval_groups": [{ "approvals_needed": 1.0, "email_addresses": ["ada@example.com"] }],
                "isolation_required": false,
            }),
        ),
        (
            "/access/apps",
            json!({ "name": "a", "type": "self_hosted", "domain": third }),
        ),
        (
            "/access/apps",
            json!({
                "name": "A", "type": "self_hosted", "domain": format!("{fourth}/a"),
                "destinations": [
                    { "type": "public", "uri": format!("{fourth}/b") },
                    { "type": "public", "uri": format!("{fourth}/a") },
                ],
                "session_duration": "24h", "app_launcher_visible": false, "http_only_cookie_attribute": true,
                "same_site_cookie_attribute": "lax", "path_cookie_attribute": true,
                "enable_binding_cookie": true, "service_auth_401_redirect": true, "skip_interstitial": true,
                "allow_iframe": false, "custom_deny_message": "no", "custom_deny_url": "https://example.com/no",
                "logo_url": "https://example.com/a.png", "tags": ["b", "a"], "allowed_idps": [],
                "cors_headers": {
                    "allowed_methods": ["GET", "POST"], "allowed_origins": ["https://example.com"],
                    "allow_credentials": true, "max_age": 10,
                },
                "token_groups": "ids", "token_claims": ["department"],
                "policies": [],
            }),
        ),
        (
            "/access/identity_providers",
            json!({
                "name": "i", "type": "azureAD",
                "config": { "client_id": tenant::CLIENT, "client_secret": "s3cret-s3cret", "directory_id": tenant::TENANT },
            }),
        ),
        (
            "/access/identity_providers",
            json!({
                "name": "I", "type": "azureAD",
                "config": {
                    "client_id": tenant::CLIENT, "client_secret": "s3cret-s3cret", "directory_id": tenant::TENANT,
                    "support_groups": true, "conditional_access_enabled": true, "pkce_enabled": false,
                    "claims": ["department", "oid"], "email_claim_name": "mail", "prompt": "select_account",
                },
                "scim_config": {
                    "enabled": false, "user_deprovision": false, "seat_deprovision": false,
                    "identity_update_behavior": "no_action",
                },
            }),
        ),
        ("/access/service_tokens", json!({ "name": "s" })),
        (
            "/access/service_tokens",
            json!({ "name": "S", "duration": "17520h", "enabled": false }),
        ),
        ("/access/tags", json!({ "name": "t" })),
        ("/gateway/lists", json!({ "name": "l", "type": "EMAIL" })),
        (
            "/gateway/lists",
            json!({
                "name": "L", "type": "IP", "description": "office",
                "items": [{ "value": "198.51.100.0/24", "description": "x" }, { "value": "2001:DB8::1" }],
            }),
        ),
        (
            "/access/custom_pages",
            json!({ "name": "c", "type": "identity_denied", "custom_html": "<p>\u{e9} &amp; </p>\n" }),
        ),
    ]
}

/// Keys of answers that say nothing against an empty plan, because a client takes them as they come.
const COMPUTED: &[&str] = &[
    "id",
    "uid",
    "aud",
    "created_at",
    "updated_at",
    "version",
    "client_id",
    "expires_at",
    "last_seen_at",
    "domain_type",
    "account_id",
    "app_count",
    "reusable",
    "count",
    "scim_base_url",
    "last_key_rotation_at",
    "days_until_next_rotation",
];

/// An answer as Terraform's provider for Cloudflare compares it with what was written: values that are nothing are
/// absent, and secrets are kept by the client.
fn normalised(value: &Value) -> Value {
    let Value::Object(map) = value else {
        return value.clone();
    };
    let mut kept = Map::new();
    for (key, value) in map {
        let nothing = value.is_null() || *value == json!(false) || *value == json!([]);
        let secret = matches!(key.as_str(), "client_secret" | "client_secret_version");
        if !nothing && !secret && !COMPUTED.contains(&key.as_str()) {
            kept.insert(key.clone(), normalised(value));
        }
    }
    Value::Object(kept)
}

/// What an answer has that was not sent, and that a client must know of as the default.
fn is_default(key: &str, value: &Value) -> bool {
    let default = match key {
        "session_duration" => json!("24h"),
        "app_launcher_visible" | "http_only_cookie_attribute" | "enabled" => json!(true),
        "azure_cloud" => json!("default"),
        "duration" => json!("8760h"),
        _ => return false,
    };
    *value == default
}

#[track_caller]
fn assert_echoed(sent: &Value, answered: &Value) {
    let (sent, answered) = (normalised(sent), normalised(answered));
    let (Value::Object(sent), Value::Object(answered)) = (&sent, &answered) else {
        panic!()
    };
    for (key, value) in sent {
        if value.is_object() {
            assert_echoed(value, answered.get(key).unwrap_or(&Value::Null));
        } else {
            assert_eq!(answered.get(key), Some(value), "{key}");
        }
    }
    for (key, value) in answered.iter().filter(|(key, _)| !sent.contains_key(*key)) {
        let known = is_default(key, value);
        let follows = matches!(
            key.as_str(),
            "domain" | "destinations" | "self_hosted_domains" | "redirect_url" | "scim_config"
        );
        assert!(known || follows, "{key}: {value} was not sent");
    }
}

#[tokio::test]
async fn what_was_sent_comes_back_and_a_second_plan_is_empty() {
    let world = world().await;
    for tag in ["a", "b"] {
        made(&world, "/access/tags", json!({ "name": tag })).await;
    }
    for (path, body) in bodies(&world) {
        let made = made(&world, path, body.clone()).await;
        assert_echoed(&body, &made);
        let name = made["name"].as_str().unwrap();
        let key = match path {
            "/access/tags" => name.to_owned(),
            "/access/custom_pages" => made["uid"].as_str().unwrap().to_owned(),
            _ => id(&made),
        };
        let one = format!("{path}/{key}");
        let read = call(&world, "GET", &one, None).await.result(200);
        assert_eq!(normalised(&read), normalised(&made), "{path}");
        // The same plan once more, as a client without the secret sends it.
        let mut again = body.clone();
        if let Some(config) = again.get_mut("config").and_then(Value::as_object_mut) {
            config.remove("client_secret");
        }
        let put = call(&world, "PUT", &one, Some(&again)).await.result(200);
        assert_eq!(normalised(&put), normalised(&read), "{path}");
        let read = call(&world, "GET", &one, None).await.result(200);
        assert_eq!(normalised(&put), normalised(&read), "{path}");
        assert!(!read.to_string().contains("s3cret"), "{path}");
        let listed = call(&world, "GET", &format!("{path}?name={name}"), None).await;
        assert!(!listed.body.to_string().contains("s3cret"), "{path}");
    }
}

/// What there is one of is written by PUT from the first time on.
#[tokio::test]
async fn a_second_plan_of_the_organization_and_of_the_keys_is_empty() {
    let world = world().await;
    let named = json!({ "name": "Example", "auth_domain": world.host("login") });
    let mut more = named.clone();
    for (key, value) in [
        ("session_duration", json!("12h0m")),
        ("auto_redirect_to_identity", json!(true)),
        ("strict_service_token_auth", json!(true)),
        (
            "service_token_inactivity",
            json!({ "enabled": true, "inactivity_threshold_days": 30.0, "action": "disable" }),
        ),
        ("is_ui_read_only", json!(false)),
    ] {
        more[key] = value;
    }
    let mut denying = named.clone();
    denying["deny_unmatched_requests"] = json!(true);
    let mut defaults = named.clone();
    defaults["deny_unmatched_requests"] = json!(false);
    defaults["deny_unmatched_requests_exempted_zone_names"] = json!([]);
    for (path, body) in [
        ("/access/organizations", named),
        ("/access/organizations", denying),
        ("/access/organizations", defaults),
        ("/access/organizations", more),
        ("/access/keys", json!({ "key_rotation_interval_days": 30 })),
        ("/access/keys", json!({ "key_rotation_interval_days": 42.0 })),
    ] {
        let put = call(&world, "PUT", path, Some(&body)).await.result(200);
        assert_echoed(&body, &put);
        let read = call(&world, "GET", path, None).await.result(200);
        assert_eq!(normalised(&read), normalised(&put), "{path}");
        let again = call(&world, "PUT", path, Some(&body)).await.result(200);
        assert_eq!(normalised(&again), normalised(&read), "{path}");
        // What is sent no longer is null once, and then absent.
        let nothing: Map<String, Value> = body
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| {
                !matches!(
                    key.as_str(),
                    "name" | "auth_domain" | "key_rotation_interval_days"
                )
            })
            .map(|key| (key.clone(), Value::Null))
            .collect();
        if !nothing.is_empty() {
            call(&world, "PUT", path, Some(&nothing.into())).await.result(200);
        }
    }
}

/// Terraform sends `{}` for settings of provisioning that it was never told of, and takes it for a fault if there are
/// some once it has sent that.
#[tokio::test]
async fn a_provider_says_the_same_of_provisioning_whether_it_was_asked_for_or_not() {
    let world = world().await;
    let mut body = json!({
        "name": "i", "type": "azureAD",
        "config": { "client_id": tenant::CLIENT, "client_secret": "s3cret-s3cret", "directory_id": tenant::TENANT },
    });
    let made = made(&world, "/access/identity_providers", body.clone()).await;
    let one = format!("/access/identity_providers/{}", id(&made));
    let off = json!({
        "enabled": false, "user_deprovision": false, "seat_deprovision": false,
        "identity_update_behavior": "no_action", "scim_base_url": made["scim_base_url"],
    });
    assert_eq!(made["scim_config"], off);
    for sent in [json!({}), Value::Null, off.clone()] {
        body["scim_config"] = sent;
        let put = call(&world, "PUT", &one, Some(&body)).await.result(200);
        assert_eq!(put["scim_config"], off);
        let read = call(&world, "GET", &one, None).await.result(200);
        assert_eq!(read["scim_config"], off);
    }
}

/// Null in the place of a list is how Terraform says that its configuration has none any longer.
#[tokio::test]
async fn items_that_are_null_are_none_and_items_that_are_left_out_stay() {
    let world = world().await;
    let items = json!([{ "value": "a@example.com" }]);
    let body = json!({ "name": "l", "type": "EMAIL", "items": items });
    let one = format!(
        "/gateway/lists/{}",
        id(&made(&world, "/gateway/lists", body).await)
    );
    let named = json!({ "name": "m", "type": null });
    let put = call(&world, "PUT", &one, Some(&named)).await.result(200);
    assert_eq!((&put["items"], &put["type"]), (&items, &json!("EMAIL")));
    let emptied = json!({ "name": "m", "type": "EMAIL", "items": null });
    let put = call(&world, "PUT", &one, Some(&emptied)).await.result(200);
    assert_eq!((&put["items"], &put["count"]), (&Value::Null, &json!(0)));
    let read = call(&world, "GET", &one, None).await.result(200);
    assert_eq!((&read["items"], &read["count"]), (&Value::Null, &json!(0)));
}
