//! ID tokens and key sets: what they say, and what another implementation makes of their signatures.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mock_entra::{Endpoint, Fault, GroupClaim, IdTokenFault, MemberRef, User, demo};
use serde_json::{Value, json};

use crate::support::{World, fixture, members, redemption, refresh};

/// The claims of a token whose signature a published key verifies.
async fn verified(world: &World, tokens: &Value) -> Value {
    check(world, tokens, "").await.expect("the token verifies")
}

/// What a strict client makes of a token.
async fn check(world: &World, tokens: &Value, query: &str) -> Result<Value, String> {
    let token = tokens["id_token"].as_str().unwrap();
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let url = format!(
        "{}/{}/discovery/v2.0/keys{query}",
        world.entra.base_url(),
        demo::TENANT
    );
    let keys: JwkSet = world.http.get(url).send().await.unwrap().json().await.unwrap();
    let key = keys
        .find(header.kid.as_deref().unwrap_or_default())
        .ok_or("unknown key")?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[demo::CLIENT_ID]);
    validation.set_issuer(&[format!("{}/{}/v2.0", world.entra.base_url(), demo::TENANT)]);
    validation.validate_nbf = true;
    let decoded = decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation);
    decoded
        .map(|token| token.claims)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_members_token_has_exactly_the_claims_microsofts_has() {
    let world = World::start_with(|app| app.group_claim(GroupClaim::None)).await;
    let tokens = world.tokens_of(demo::ALICE).await;
    let claims = verified(&world, &tokens).await;
    let expected = members(&fixture("idtoken/member_email_scope.json")["claims"]);
    let not_configured = [
        "ctry",
        "tenant_ctry",
        "tenant_region_scope",
        "verified_secondary_email",
    ];
    let expected: Vec<String> = expected
        .into_iter()
        .filter(|name| !not_configured.contains(&name.as_str()))
        .collect();
    assert_eq!(members(&claims), expected);
    let header = decode_header(tokens["id_token"].as_str().unwrap()).unwrap();
    assert_eq!(
        (header.typ.as_deref(), header.alg),
        (Some("JWT"), Algorithm::RS256)
    );
    assert_eq!(claims["oid"], demo::ALICE_OID);
    assert_eq!(claims["tid"], demo::TENANT);
    assert_eq!(claims["acct"], 0);
    assert_eq!(claims["nonce"], "n-0S6_WzA2Mj");
    assert_eq!(claims["xms_edov"], true);
    let now = world.entra.now();
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 3_900);
    assert!(
        (now - 302..=now - 300).contains(&issued),
        "back-dated by five minutes"
    );
    assert!(claims["auth_time"].as_i64().unwrap() >= now - 2);
}

#[tokio::test]
async fn without_profile_there_is_no_oid_and_without_optional_claims_no_more_than_the_minimum() {
    let world = World::start().await;
    world.entra.tenant(demo::TENANT).add_app(
        mock_entra::AppRegistration::new(demo::CLIENT_ID, "Vestibule")
            .redirect_uri(crate::support::REDIRECT)
            .secret(demo::CLIENT_SECRET),
    );
    let minimal = world
        .tokens(world.sign_in().with("scope", "openid profile"))
        .await;
    let claims = verified(&world, &minimal).await;
    assert_eq!(
        members(&claims),
        members(&fixture("idtoken/member_minimal.json")["claims"])
    );
    let bare = world.tokens(world.sign_in().with("scope", "openid email")).await;
    let claims = verified(&world, &bare).await;
    assert_eq!(
        members(&claims),
        members(&fixture("idtoken/member_no_profile_scope.json")["claims"])
    );
}

#[tokio::test]
async fn a_guest_is_told_by_idp_acct_and_the_principal_name_of_a_guest() {
    let world = World::start_with(|app| app.optional_claims(["include_externally_authenticated_upn"])).await;
    let claims = verified(&world, &world.tokens_of(demo::CAROL).await).await;
    let fixture = fixture("idtoken/guest_b2b_entra.json");
    for name in members(&fixture["claims"]) {
        assert!(claims.get(&name).is_some(), "{name} is missing");
    }
    assert_eq!(claims["idp"], fixture["claims"]["idp"]);
    assert_eq!(claims["acct"], 1);
    assert_eq!(claims["tid"], demo::TENANT);
    assert_eq!(claims["email"], demo::CAROL);
    assert_eq!(claims["preferred_username"], demo::CAROL);
    assert_eq!(
        claims["upn"],
        "carol_partner.example#EXT#@contoso.onmicrosoft.com"
    );
    let plain = World::start().await;
    let claims = verified(&plain, &plain.tokens_of(demo::CAROL).await).await;
    assert!(
        claims.get("upn").is_none(),
        "guests' upn needs the additional property"
    );
}

#[tokio::test]
async fn groups_are_transitive_and_too_many_are_left_to_graph() {
    let world = World::start().await;
    let alice = verified(&world, &world.tokens_of(demo::ALICE).await).await;
    assert_eq!(alice["groups"], json!([demo::ALL_STAFF, demo::ENGINEERING]));
    let eve = verified(&world, &world.tokens_of(demo::EVE).await).await;
    assert!(eve.get("groups").is_none());
    let expected = &fixture("idtoken/groups_overage.json")["claims"];
    assert_eq!(eve["_claim_names"], expected["_claim_names"]);
    let endpoint = eve["_claim_sources"]["src1"]["endpoint"].as_str().unwrap();
    let retired = format!(
        "https://graph.windows.net/{}/users/{}/getMemberObjects",
        demo::TENANT,
        demo::EVE_OID
    );
    assert_eq!(endpoint, retired);
}

#[tokio::test]
async fn an_address_is_vouched_for_only_where_its_domain_is_known() {
    let world = World::start().await;
    let tenant = world.entra.tenant(demo::TENANT);
    tenant.add_user(User::member("mallory@contoso.example").mail("alice@victim.example"));
    tenant.add_user(User::member("nomail@contoso.example").without_mail());
    let mallory = verified(&world, &world.tokens_of("mallory@contoso.example").await).await;
    assert_eq!(
        (&mallory["email"], &mallory["xms_edov"]),
        (&json!("alice@victim.example"), &json!(false))
    );
    assert!(mallory.get("verified_primary_email").is_none());
    let nomail = verified(&world, &world.tokens_of("nomail@contoso.example").await).await;
    assert!(nomail.get("email").is_none() && nomail.get("xms_edov").is_none());
}

#[tokio::test]
async fn roles_contexts_and_mapped_claims_go_out_as_configured() {
    let world = World::start_with(|app| {
        app.app_role("Admin", MemberRef::user(demo::BOB_OID))
            .app_role("Reader", MemberRef::group(demo::ENGINEERING))
            .app_role("Nested", MemberRef::group(demo::ALL_STAFF))
            .optional_claims(["extn.badge"])
    })
    .await;
    world.entra.tenant(demo::TENANT).add_user(
        User::member("frank@contoso.example")
            .satisfies_context("c2")
            .ignores_context("c3")
            .claim("extn.badge", json!(["7"])),
    );
    let alice = verified(&world, &world.tokens_of(demo::ALICE).await).await;
    assert_eq!(alice["roles"], json!(["Reader"]));
    assert!(alice.get("acrs").is_none());
    let asked = world.sign_in().with("mock_user", "frank@contoso.example");
    let asked = asked.with(
        "claims",
        r#"{"id_token":{"acrs":{"essential":true,"value":"c1"}}}"#,
    );
    let frank = verified(&world, &world.tokens(asked).await).await;
    assert_eq!(frank["acrs"], json!(["c1", "c2"]));
    let passed_over = world.sign_in().with("mock_user", "frank@contoso.example");
    let passed_over = passed_over.with(
        "claims",
        r#"{"id_token":{"acrs":{"essential":true,"value":"c3"}}}"#,
    );
    let frank = verified(&world, &world.tokens(passed_over).await).await;
    assert_eq!(frank["acrs"], json!(["c2"]));
    assert_eq!(frank["extn.badge"], json!(["7"]));
}

#[tokio::test]
async fn the_same_person_has_the_same_sub_in_one_app_and_the_token_of_a_refresh_has_no_nonce() {
    let world = World::start().await;
    let tokens = world.tokens_of(demo::ALICE).await;
    let first = verified(&world, &tokens).await;
    let form = refresh(tokens["refresh_token"].as_str().unwrap());
    let second = verified(&world, &world.token(form).await.body).await;
    assert_eq!(first["sub"], second["sub"]);
    assert_eq!(first["sid"], second["sid"]);
    assert!(second.get("nonce").is_none());
    let bob = verified(&world, &world.tokens_of(demo::BOB).await).await;
    assert_ne!(first["sub"], bob["sub"]);
}

#[tokio::test]
async fn a_rotated_key_signs_at_once_and_the_old_one_stays_published_until_it_is_withdrawn() {
    let world = World::start().await;
    let before = world.tokens_of(demo::ALICE).await;
    world.entra.rotate_keys();
    let after = world.tokens_of(demo::ALICE).await;
    let kid = |tokens: &Value| decode_header(tokens["id_token"].as_str().unwrap()).unwrap().kid;
    assert_ne!(kid(&before), kid(&after));
    verified(&world, &before).await;
    verified(&world, &after).await;
    world.entra.forget_old_keys();
    assert_eq!(check(&world, &before, "").await, Err("unknown key".to_owned()));
    verified(&world, &after).await;
    assert_eq!(world.entra.count(Endpoint::Jwks), 4);
}

#[tokio::test]
async fn an_app_with_its_own_key_is_verified_only_by_the_set_published_for_it() {
    let world = World::start_with(mock_entra::AppRegistration::custom_signing_key).await;
    let tokens = world.tokens_of(demo::ALICE).await;
    assert_eq!(check(&world, &tokens, "").await, Err("unknown key".to_owned()));
    check(&world, &tokens, &format!("?appid={}", demo::CLIENT_ID))
        .await
        .unwrap();
}

#[tokio::test]
async fn each_fault_makes_exactly_one_token_that_a_strict_client_refuses() {
    let world = World::start().await;
    let refused = [
        (IdTokenFault::WrongAudience, "InvalidAudience"),
        (IdTokenFault::WrongIssuer, "InvalidIssuer"),
        (IdTokenFault::OtherTenant, "InvalidIssuer"),
        (IdTokenFault::UnknownKey, "unknown key"),
        (IdTokenFault::Expired, "ExpiredSignature"),
        (IdTokenFault::NotYetValid, "ImmatureSignature"),
        (IdTokenFault::Hs256, "InvalidAlgorithm"),
    ];
    for (fault, expected) in refused {
        world.entra.fail_next(Fault::IdToken(fault));
        let tokens = world.tokens_of(demo::ALICE).await;
        assert_eq!(check(&world, &tokens, "").await, Err(expected.to_owned()));
    }
    world.entra.fail_next(Fault::IdToken(IdTokenFault::AlgNone));
    let unsigned = world.tokens_of(demo::ALICE).await;
    assert!(unsigned["id_token"].as_str().unwrap().ends_with('.'));
    world.entra.fail_next(Fault::IdToken(IdTokenFault::WrongNonce));
    let nonce = verified(&world, &world.tokens_of(demo::ALICE).await).await;
    assert_ne!(nonce["nonce"], "n-0S6_WzA2Mj");
    world.entra.fail_next(Fault::IdToken(IdTokenFault::NoOid));
    assert!(
        verified(&world, &world.tokens_of(demo::ALICE).await)
            .await
            .get("oid")
            .is_none()
    );
    world.entra.fail_next(Fault::IdToken(IdTokenFault::extra(
        json!({ "acrs": "c1", "hasgroups": true }),
    )));
    let extra = verified(&world, &world.tokens_of(demo::ALICE).await).await;
    assert_eq!(
        (&extra["acrs"], &extra["hasgroups"]),
        (&json!("c1"), &json!(true))
    );
    verified(&world, &world.tokens_of(demo::ALICE).await).await;
}

#[tokio::test]
async fn the_clock_may_be_the_tests_own() {
    let world = World::start().await;
    world.entra.clock(std::sync::Arc::new(|| 1_767_226_200));
    let answer = world.token(redemption("1.made-up")).await;
    assert_eq!(answer.body["timestamp"], "2026-01-01 00:10:00Z");
}
