use std::collections::HashMap;

use jiff::SignedDuration;
use serde_json::Value;

use super::*;
use crate::entra::testing::{Stub, settings};

const TENANT: &str = "/72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60";

/// The directory of the fixtures, on a stub.
async fn world() -> (Stub, RelyingParty, IdentityProvider) {
    let stub = Stub::start(HashMap::new()).await;
    let metadata = include_str!("../../../tests/fixtures/entra/discovery/public_tenant_v2.json");
    let metadata = metadata.replace("https://login.microsoftonline.com", &stub.at(""));
    stub.answer(
        &format!("{TENANT}/v2.0/.well-known/openid-configuration"),
        200,
        &metadata,
    );
    let clock = Clock::system();
    clock.advance(SignedDuration::from_secs(1_767_226_200 - clock.now_seconds()));
    let relying_party = RelyingParty::new(Outbound::new().unwrap(), clock);
    let provider = IdentityProvider {
        id: "7335d417-61da-459d-899c-0a01c76a2f94".parse().unwrap(),
        name: "Entra ID".to_owned(),
        entra: settings(&stub.at("")),
        scim: None,
        sync: None,
    };
    (stub, relying_party, provider)
}

fn request() -> AuthorizationRequest {
    AuthorizationRequest {
        redirect_uri: "https://access.corp.example/cdn-cgi/access/callback"
            .parse()
            .unwrap(),
        state: "st-4f1c9a".to_owned(),
        nonce: "n-0S6_WzA2Mj".to_owned(),
        pkce_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
        prompt: None,
        interactive: false,
        login_hint: None,
        claims_challenge: None,
    }
}

fn query(address: &Url) -> HashMap<String, String> {
    address.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn the_authorization_address_says_what_microsoft_documents() {
    let (stub, relying_party, mut provider) = world().await;
    provider.entra.cloud.graph = "https://graph.microsoft.com".parse().unwrap();
    let file = include_str!("../../../tests/fixtures/entra/authorize/requests.json");
    let file: Value = serde_json::from_str(file).unwrap();
    for case in file["requests"].as_array().unwrap() {
        let expected: Url = case["url"].as_str().unwrap().parse().unwrap();
        let expected = query(&expected);
        // Freshness by `max_age` is not asked for: it is not documented.
        if expected.contains_key("max_age") {
            continue;
        }
        let mut request = request();
        request.login_hint = expected.get("login_hint").cloned();
        request.claims_challenge = expected.get("claims").cloned();
        request.prompt = match expected.get("prompt").map(String::as_str) {
            Some("login") => Some(Prompt::Login),
            Some("select_account") => Some(Prompt::SelectAccount),
            Some("none") => Some(Prompt::None),
            _ => None,
        };
        provider.entra.domain_hint = expected.get("domain_hint").cloned();
        let address = relying_party.authorization(&provider, &request).await.unwrap();
        assert!(
            address
                .as_str()
                .starts_with(&stub.at(&format!("{TENANT}/oauth2/v2.0/authorize?")))
        );
        assert_eq!(query(&address), expected, "{}", case["name"]);
    }
    assert_eq!(stub.requests().len(), 1, "the metadata is remembered");
}

#[tokio::test]
async fn a_hint_is_left_out_beside_the_account_picker() {
    let (_stub, relying_party, mut provider) = world().await;
    provider.entra.prompt = Some(Prompt::SelectAccount);
    let mut request = request();
    request.login_hint = Some("alice@corp.example".to_owned());
    let asked = query(&relying_party.authorization(&provider, &request).await.unwrap());
    assert_eq!(asked["prompt"], "select_account");
    assert!(!asked.contains_key("login_hint"));
    request.prompt = Some(Prompt::Login);
    let asked = query(&relying_party.authorization(&provider, &request).await.unwrap());
    assert_eq!(
        (asked["prompt"].as_str(), asked["login_hint"].as_str()),
        ("login", "alice@corp.example")
    );
}

#[tokio::test]
async fn without_groups_only_openid_scopes_are_asked_for() {
    let (_stub, relying_party, mut provider) = world().await;
    provider.entra.support_groups = false;
    let asked = query(&relying_party.authorization(&provider, &request()).await.unwrap());
    assert_eq!(asked["scope"], "openid profile email offline_access");
    provider.entra.scopes = vec!["Directory.Read.All".to_owned()];
    let asked = query(&relying_party.authorization(&provider, &request()).await.unwrap());
    let graph = base(&provider.entra.cloud.graph).to_owned();
    assert_eq!(
        asked["scope"],
        format!("openid profile email offline_access {graph}/Directory.Read.All")
    );
}

#[tokio::test]
async fn signing_out_needs_no_metadata() {
    let (stub, relying_party, provider) = world().await;
    let back = "https://access.corp.example/signed-out".parse().unwrap();
    let before = relying_party
        .end_session_url(&provider, &back, Some("O.Ci"))
        .unwrap();
    assert!(
        before
            .as_str()
            .starts_with(&stub.at(&format!("{TENANT}/oauth2/v2.0/logout?")))
    );
    assert_eq!(query(&before)["post_logout_redirect_uri"], back.as_str());
    assert_eq!(query(&before)["logout_hint"], "O.Ci");
    assert!(stub.requests().is_empty());
    relying_party.authorization(&provider, &request()).await.unwrap();
    assert_eq!(
        relying_party
            .end_session_url(&provider, &back, Some("O.Ci"))
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn an_unknown_directory_is_the_operators_matter() {
    let (stub, relying_party, provider) = world().await;
    let file = include_str!("../../../tests/fixtures/entra/discovery/tenant_not_found_400.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let path = format!("{TENANT}/v2.0/.well-known/openid-configuration");
    stub.answer(&path, 400, &file["body"].to_string());
    let error = relying_party
        .authorization(&provider, &request())
        .await
        .unwrap_err();
    assert_eq!(error.class(), crate::entra::Class::Config);
    assert!(error.explain().operator.unwrap().contains("tenant"));
}

#[test]
fn a_challenge_is_the_digest_of_its_verifier_and_each_is_new() {
    let (verifier, challenge) = pkce();
    assert_eq!(verifier.expose_secret().len(), 43);
    let digest = crate::crypto::digest::sha256(verifier.expose_secret().as_bytes());
    assert_eq!(challenge, URL_SAFE_NO_PAD.encode(digest));
    assert_ne!(pkce().1, challenge);
}
