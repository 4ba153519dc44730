//! Member names of metadata, key sets, token answers and errors, against recorded shapes.

use mock_entra::{Fault, demo};
use serde_json::Value;

use crate::support::{Answer, Form, World, fixture, members, redemption, refresh};

async fn get(world: &World, path: &str) -> Answer {
    Answer::of(
        world
            .http
            .get(format!("{}/{path}", world.entra.base_url()))
            .send()
            .await
            .unwrap(),
    )
    .await
}

/// A document of Microsoft's with its host and tenant replaced by the mock's.
fn relocated(world: &World, document: &Value) -> Value {
    let base = world.entra.base_url();
    let text = document
        .to_string()
        .replace("https://login.microsoftonline.com", &base)
        .replace("https://graph.microsoft.com", &base)
        .replace("graph.microsoft.com", base.trim_start_matches("http://"));
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn metadata_is_microsofts_document_on_another_host() {
    let world = World::start().await;
    let well_known = "v2.0/.well-known/openid-configuration";
    let tenant = relocated(&world, &fixture("discovery/public_tenant_v2.json"));
    assert_eq!(
        get(&world, &format!("{}/{well_known}", demo::TENANT)).await.body,
        tenant
    );
    assert_eq!(
        get(&world, &format!("{}/{well_known}", demo::DOMAIN)).await.body,
        tenant
    );
    let common = relocated(&world, &fixture("discovery/public_common_v2.json"));
    assert_eq!(get(&world, &format!("common/{well_known}")).await.body, common);
    let appid = relocated(&world, &fixture("discovery/public_tenant_v2_appid.json"));
    let path = format!("{}/{well_known}?appid={}", demo::TENANT, demo::CLIENT_ID);
    assert_eq!(get(&world, &path).await.body, appid);
}

#[tokio::test]
async fn an_unknown_tenant_has_no_metadata_and_no_keys() {
    let world = World::start().await;
    let expected = fixture("discovery/tenant_not_found_400.json");
    for path in ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"] {
        let answer = get(&world, &format!("00000000-1111-4222-8333-444444444444/{path}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_tenant", 90002));
        assert_eq!(members(&answer.body), members(&expected["body"]));
    }
}

#[tokio::test]
async fn key_sets_have_microsofts_members_and_every_issuer() {
    let world = World::start().await;
    let base = world.entra.base_url();
    world.entra.rotate_keys();
    let keys = get(&world, &format!("{}/discovery/v2.0/keys", demo::TENANT))
        .await
        .body;
    let expected = fixture("jwks/public_tenant_v2.json");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    for key in keys["keys"].as_array().unwrap() {
        assert_eq!(members(key), members(&expected["keys"][0]));
        assert_eq!(key["kid"], key["x5t"]);
        assert_eq!(key["kid"].as_str().unwrap().len(), 27);
        assert_eq!(key["issuer"], format!("{base}/{}/v2.0", demo::TENANT));
    }
    let common = get(&world, "common/discovery/v2.0/keys").await.body;
    assert_eq!(common["keys"][0]["issuer"], format!("{base}/{{tenantid}}/v2.0"));
}

#[tokio::test]
async fn token_answers_have_microsofts_members() {
    let world = World::start().await;
    let code = redemption(&world.code().await).with("client_info", "1");
    let full = world.token(code).await.body;
    assert_eq!(
        members(&full),
        members(&fixture("token/success_code.json")["body"])
    );
    let refreshed = world
        .token(refresh(full["refresh_token"].as_str().unwrap()))
        .await
        .body;
    assert_eq!(
        members(&refreshed),
        members(&fixture("token/success_refresh.json")["body"])
    );
    let brief = world
        .tokens(world.sign_in().with("scope", "openid profile email User.Read"))
        .await;
    assert_eq!(
        members(&brief),
        members(&fixture("token/success_code_no_offline.json")["body"])
    );
    let app = world.token(world.app_login()).await.body;
    assert_eq!(
        members(&app),
        members(&fixture("token/success_client_credentials.json")["body"])
    );
}

#[tokio::test]
async fn every_recorded_refusal_of_the_token_endpoint_can_be_had_on_demand() {
    let world = World::start().await;
    for name in [
        "error_50034_user_deleted",
        "error_50057_user_disabled",
        "error_50076_mfa_required",
        "error_50105_not_assigned",
        "error_50148_pkce_missing",
        "error_50173_tokens_revoked",
        "error_54005_code_redeemed",
        "error_70008_code_expired",
        "error_429_throttled",
        "error_90033_transient",
        "error_500112_redirect_differs_from_authorize",
        "error_501481_pkce_mismatch",
        "error_700016_app_not_found",
        "error_700024_assertion_expired",
        "error_700025_public_client_secret",
        "error_7000112_app_disabled",
        "error_7000215_secret_wrong",
        "error_7000218_secret_missing",
        "error_7000222_secret_expired",
    ] {
        let recorded = fixture(&format!("token/{name}.json"));
        let body = &recorded["body"];
        let code = body["error_codes"][0]
            .as_u64()
            .and_then(|code| u32::try_from(code).ok())
            .unwrap();
        world.entra.fail_next(Fault::Token { code });
        let answer = world
            .token(Form::new(&[("grant_type", "authorization_code")]))
            .await;
        assert_eq!(
            u64::from(answer.status),
            recorded["status"].as_u64().unwrap(),
            "{name}"
        );
        assert_eq!(answer.body["error"], body["error"], "{name}");
        assert_eq!(answer.body.get("suberror"), body.get("suberror"), "{name}");
        assert_eq!(answer.body.get("claims"), body.get("claims"), "{name}");
        let mut expected = members(body);
        // The recorded 429 has no error_uri; Microsoft does not document its body.
        if code == 90055 {
            expected.push("error_uri".to_owned());
            expected.sort();
        }
        assert_eq!(members(&answer.body), expected, "{name}");
        let described = answer.body["error_description"].as_str().unwrap();
        assert!(
            described.starts_with(&format!("AADSTS{code}: ")) && described.contains(" Timestamp: "),
            "{name}"
        );
    }
}
