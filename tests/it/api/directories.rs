//! What directories tell by SCIM, as the API shows it.

use serde_json::{Value, json};

use super::{call, id, made, world};
use crate::support::{tenant, world::World};

fn provider(enabled: bool) -> Value {
    json!({
        "name": "By API", "type": "azureAD",
        "config": {
            "client_id": tenant::CLIENT, "client_secret": tenant::SECRET, "directory_id": tenant::TENANT,
            "support_groups": true, "azure_cloud": "mock",
        },
        "scim_config": { "enabled": enabled, "user_deprovision": true, "identity_update_behavior": "automatic" },
    })
}

/// Sends a request as the directory of a provider does.
async fn tell(
    world: &World,
    method: &str,
    provider: &str,
    path: &str,
    secret: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let mut directory = world.anonymous();
    let url = directory.address(
        &world.host("login"),
        &format!("/populations/{provider}/scim/v2{path}"),
    );
    let bearer = format!("Bearer {secret}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/scim+json"),
    ];
    let body = body.map(Value::to_string).unwrap_or_default();
    let reply = directory.request(method, &url, &headers, body.as_bytes()).await;
    (
        reply.status,
        serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn a_directorys_secret_is_told_once_and_the_next_one_takes_its_place() {
    let world = world().await;
    let off = made(&world, "/access/identity_providers", provider(false)).await;
    assert_eq!(off["scim_config"].get("secret"), None);
    let base = format!(
        "http://{}/populations/{}/scim/v2",
        world.authority("login"),
        id(&off)
    );
    assert_eq!(
        (&off["scim_base_url"], &off["scim_config"]["scim_base_url"]),
        (&json!(base), &json!(base))
    );

    let one = format!("/access/identity_providers/{}", id(&off));
    let on = call(&world, "PUT", &one, Some(&provider(true))).await.result(200);
    let first = on["scim_config"]["secret"].as_str().unwrap().to_owned();
    assert_eq!(
        tell(&world, "GET", &id(&off), "/Users", &first, None).await.0,
        200
    );
    for read in [
        call(&world, "GET", &one, None).await.body,
        call(&world, "PUT", &one, Some(&provider(true))).await.body,
        call(&world, "GET", "/access/identity_providers", None).await.body,
    ] {
        assert!(!read.to_string().contains(&first));
    }

    let refreshed = call(&world, "POST", &format!("{one}/refresh_scim_secret"), None)
        .await
        .result(200);
    let second = refreshed["scim_config"]["secret"].as_str().unwrap();
    assert_ne!(first, second);
    assert_eq!(
        tell(&world, "GET", &id(&off), "/Users", &first, None).await.0,
        401
    );
    assert_eq!(
        tell(&world, "GET", &id(&off), "/Users", second, None).await.0,
        200
    );
}

#[tokio::test]
async fn a_log_is_kept_as_long_as_a_silence_that_is_told_of() {
    let world = world().await;
    let mut wanted = provider(true);
    wanted["scim_config"]["log_retention"] = json!("12h");
    let refused = call(&world, "POST", "/access/identity_providers", Some(&wanted)).await;
    let (code, _, place) = refused.error(400);
    assert_eq!(
        (code, place.as_deref()),
        (12130, Some("/scim_config/log_retention"))
    );
    wanted["scim_config"]["silence_alarm"] = json!("12h");
    made(&world, "/access/identity_providers", wanted).await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one person and one group, from their making to their end"
)]
async fn what_a_directory_told_is_listed_read_logged_and_deleted() {
    let world = world().await;
    let provider = made(&world, "/access/identity_providers", provider(true)).await;
    let secret = provider["scim_config"]["secret"].as_str().unwrap();
    let at = id(&provider);
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "kim@contoso.example",
        "externalId": "0b0c0d0e-0000-4000-8000-000000000001", "active": true, "displayName": "Kim",
        "emails": [{ "type": "work", "primary": true, "value": "kim@contoso.example" }],
    });
    let (status, told) = tell(&world, "POST", &at, "/Users", secret, Some(&user)).await;
    assert_eq!(status, 201, "{told}");
    let kim = told["id"].as_str().unwrap();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engineers",
        "externalId": "0b0c0d0e-0000-4000-8000-000000000002", "members": [{ "value": kim }],
    });
    let (status, engineers) = tell(&world, "POST", &at, "/Groups", secret, Some(&group)).await;
    assert_eq!(status, 201, "{engineers}");

    let base = format!("/access/identity_providers/{at}/scim");
    let users = call(&world, "GET", &format!("{base}/users"), None).await;
    assert_eq!(users.body["result_info"]["total_count"], 1);
    let users = users.result(200);
    assert_eq!(
        (&users[0]["id"], &users[0]["displayName"], &users[0]["active"]),
        (&json!(kim), &json!("Kim"), &json!(true))
    );
    assert!(users[0]["meta"]["created"].is_string());
    for query in [
        "username=KIM@contoso.example",
        "email=kim@contoso.example",
        "search_contains=im@",
        "search_starts_with=kim",
        &format!("cf_resource_id={kim}"),
        "idp_resource_id=0b0c0d0e-0000-4000-8000-000000000001",
    ] {
        let found = call(&world, "GET", &format!("{base}/users?{query}"), None)
            .await
            .result(200);
        assert_eq!(found.as_array().unwrap().len(), 1, "{query}");
        let past = call(&world, "GET", &format!("{base}/users?{query}&page=2"), None)
            .await
            .result(200);
        assert_eq!(past, json!([]), "{query}");
    }
    let found = call(&world, "GET", &format!("{base}/users?username=lee"), None)
        .await
        .result(200);
    assert_eq!(found, json!([]));
    let both = format!("{base}/users?cf_resource_id={kim}&name=x");
    assert_eq!(call(&world, "GET", &both, None).await.error(400).0, 12130);

    let read = call(&world, "GET", &format!("{base}/groups/{}", id(&engineers)), None)
        .await
        .result(200);
    assert_eq!(read["displayName"], "Engineers");
    assert_eq!(
        read["members"],
        json!([{ "value": kim, "display": "kim@contoso.example", "type": "User" }])
    );

    let log = call(
        &world,
        "GET",
        &format!("/access/logs/scim/updates?idp_id={at}&direction=asc"),
        None,
    )
    .await
    .result(200);
    let rows = log.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["status"], &rows[0]["resource_type"]),
        (&json!("SUCCESS"), &json!("USER"))
    );
    assert_eq!(rows[0]["resource_user_email"], "kim@contoso.example");
    let twice = format!("/access/logs/scim/updates?idp_id={at}&idp_id={at}&direction=asc");
    assert_eq!(call(&world, "GET", &twice, None).await.result(200), log);
    let many: String = (0..17)
        .map(|number| format!("idp_id={}&", uuid::Uuid::from_u128(number)))
        .collect();
    let many = call(&world, "GET", &format!("/access/logs/scim/updates?{many}"), None).await;
    assert_eq!(many.error(400).0, 12130);
    assert!(!log.to_string().contains(secret));
    assert_eq!(
        call(&world, "GET", "/access/logs/scim/updates", None)
            .await
            .error(400)
            .0,
        12130
    );

    assert_eq!(
        call(&world, "DELETE", &format!("{base}/users/{kim}"), None)
            .await
            .status,
        204
    );
    assert_eq!(
        call(&world, "GET", &format!("{base}/users/{kim}"), None)
            .await
            .status,
        404
    );
    assert_eq!(
        call(
            &world,
            "DELETE",
            &format!("{base}/groups/{}", id(&engineers)),
            None
        )
        .await
        .status,
        204
    );
    assert_eq!(
        call(&world, "GET", &format!("{base}/groups"), None)
            .await
            .result(200),
        json!([])
    );
}
