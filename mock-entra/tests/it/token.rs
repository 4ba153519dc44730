//! The token endpoint: codes, refresh tokens and secrets, wrong in one point alone.

use mock_entra::{AppRegistration, Fault, MemberRef, Tenant, demo};

use crate::support::{Answer, REDIRECT, World, redemption, refresh};

/// A second app of the tenant, with a credential of its own.
const OTHER_APP: &str = "7e7e7e7e-0000-4000-8000-000000000001";

#[tokio::test]
async fn the_right_client_gets_tokens_that_may_not_be_cached() {
    let world = World::start().await;
    let answer = world.token(redemption(&world.code().await)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store, no-cache");
    for member in ["access_token", "refresh_token", "id_token"] {
        assert!(answer.body[member].is_string(), "{member} is missing");
    }
    let life = answer.body["expires_in"].as_i64().unwrap();
    assert!((3_600..=5_400).contains(&life), "{life}");
}

#[tokio::test]
async fn a_code_is_good_once() {
    let world = World::start().await;
    let code = world.code().await;
    assert_eq!(world.token(redemption(&code)).await.status, 200);
    assert_eq!(
        world.token(redemption(&code)).await.refusal(),
        (400, "invalid_grant", 54005)
    );
    assert_eq!(
        world.token(redemption("1.made-up")).await.refusal(),
        (400, "invalid_grant", 70000)
    );
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() {
    let world = World::start().await;
    let (early, late) = (world.code().await, world.code().await);
    world.entra.set_clock_offset(590);
    assert_eq!(world.token(redemption(&early)).await.status, 200);
    world.entra.set_clock_offset(610);
    assert_eq!(
        world.token(redemption(&late)).await.refusal(),
        (400, "invalid_grant", 70008)
    );
}

#[tokio::test]
async fn a_code_belongs_to_its_client_its_tenant_and_its_redirect_address() {
    let world = World::start().await;
    let elsewhere = "https://access.corp.example/other";
    let tenant = world.entra.tenant(demo::TENANT);
    tenant.add_app(
        AppRegistration::new(OTHER_APP, "Other")
            .redirect_uri(REDIRECT)
            .secret("s"),
    );
    tenant.edit_app(demo::CLIENT_ID, |app| app.redirect_uri(elsewhere).multi_tenant());
    let fabrikam = Tenant::new("5f5f5f5f-0000-4000-8000-000000000001", "Fabrikam").domain("fabrikam.example");
    world.entra.add_tenant(fabrikam);
    let code = world.code().await;

    let foreign = redemption(&code)
        .with("client_id", OTHER_APP)
        .with("client_secret", "s");
    assert_eq!(world.token(foreign).await.aadsts(), 70000);
    let moved = redemption(&code).with("redirect_uri", elsewhere);
    assert_eq!(
        world.token(moved).await.refusal(),
        (400, "invalid_client", 500_112)
    );
    assert_eq!(
        world
            .token(redemption(&code).without("redirect_uri"))
            .await
            .aadsts(),
        900_144
    );
    let url = world.token_url().replace(demo::TENANT, "fabrikam.example");
    let request = world.http.post(url).form(redemption(&code).pairs());
    assert_eq!(
        Answer::of(request.send().await.unwrap()).await.refusal(),
        (400, "invalid_grant", 700_005)
    );

    assert_eq!(world.token(redemption(&code)).await.status, 200);
}

#[tokio::test]
async fn pkce_is_enforced_once_a_challenge_was_sent() {
    let world = World::start().await;
    let code = world.code().await;
    let without = world.token(redemption(&code).without("code_verifier")).await;
    assert_eq!(without.refusal(), (400, "invalid_grant", 50148));
    let wrong = redemption(&code).with(
        "code_verifier",
        "a-verifier-of-another-sign-in-0123456789-0123456789",
    );
    assert_eq!(
        world.token(wrong).await.refusal(),
        (400, "invalid_grant", 501_481)
    );
    assert_eq!(world.token(redemption(&code)).await.status, 200);

    let bare = world
        .sign_in()
        .without("code_challenge")
        .without("code_challenge_method");
    let code = world.ask(bare).await.code();
    assert_eq!(world.token(redemption(&code)).await.aadsts(), 50148);
    assert_eq!(
        world
            .token(redemption(&code).without("code_verifier"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_secret_is_present_right_and_not_expired() {
    let expiry = 1_000;
    let world = World::start_with(|app| app.secret("old-secret").secret_expires(expiry)).await;
    let code = world.code().await;
    let missing = world.token(redemption(&code).without("client_secret")).await;
    assert_eq!(missing.refusal(), (401, "invalid_client", 7_000_218));
    let wrong = world
        .token(redemption(&code).with("client_secret", "guess"))
        .await;
    assert_eq!(wrong.refusal(), (401, "invalid_client", 7_000_215));
    let expired = world
        .token(redemption(&code).with("client_secret", "old-secret"))
        .await;
    assert_eq!(expired.refusal(), (401, "invalid_client", 7_000_222));
    assert_eq!(world.token(redemption(&code)).await.status, 200);
}

#[tokio::test]
async fn a_secret_may_travel_in_the_authorization_header() {
    let world = World::start().await;
    let code = world.code().await;
    let form = redemption(&code).without("client_secret").without("client_id");
    let post = |secret: &'static str| {
        let request = world
            .http
            .post(world.token_url())
            .basic_auth(demo::CLIENT_ID, Some(secret));
        request.form(form.pairs())
    };
    let wrong = Answer::of(post("guess").send().await.unwrap()).await;
    assert_eq!(wrong.refusal(), (401, "invalid_client", 7_000_215));
    let right = Answer::of(post(demo::CLIENT_SECRET).send().await.unwrap()).await;
    assert_eq!(right.status, 200, "{}", right.body);
}

#[tokio::test]
async fn a_public_client_has_no_secret_to_send() {
    let world = World::start().await;
    world.entra.tenant(demo::TENANT).add_app(
        AppRegistration::new(OTHER_APP, "Desktop")
            .redirect_uri(REDIRECT)
            .public_client()
            .permission("User.Read"),
    );
    let ask = world
        .sign_in()
        .with("client_id", OTHER_APP)
        .with("scope", "openid profile User.Read");
    let code = world.ask(ask).await.code();
    let form = redemption(&code).with("client_id", OTHER_APP);
    assert_eq!(
        world.token(form.clone()).await.refusal(),
        (401, "invalid_client", 700_025)
    );
    assert_eq!(world.token(form.without("client_secret")).await.status, 200);
}

#[tokio::test]
async fn an_unknown_or_disabled_app_gets_nothing() {
    let world = World::start().await;
    let unknown = world
        .app_login()
        .with("client_id", "00000000-1111-4222-8333-444444444444");
    assert_eq!(
        world.token(unknown).await.refusal(),
        (400, "unauthorized_client", 700_016)
    );
    assert_eq!(world.token(world.app_login()).await.status, 200);
    world
        .entra
        .tenant(demo::TENANT)
        .edit_app(demo::CLIENT_ID, AppRegistration::disabled);
    assert_eq!(
        world.token(world.app_login()).await.refusal(),
        (400, "unauthorized_client", 7_000_112)
    );
}

#[tokio::test]
async fn a_malformed_request_is_named_by_what_is_wrong_with_it() {
    let world = World::start().await;
    let app = || world.app_login();
    assert_eq!(world.token(app().without("grant_type")).await.aadsts(), 900_144);
    assert_eq!(world.token(app().without("client_id")).await.aadsts(), 900_144);
    assert_eq!(world.token(app().without("scope")).await.aadsts(), 900_144);
    let grant = world.token(app().with("grant_type", "password")).await;
    assert_eq!(grant.refusal(), (400, "unsupported_grant_type", 70003));
    assert_eq!(
        world
            .token(app().with("resource", "https://graph.microsoft.com"))
            .await
            .aadsts(),
        901_002
    );
    let json = world
        .http
        .post(world.token_url())
        .json(&app().pairs())
        .send()
        .await
        .unwrap();
    assert_eq!(Answer::of(json).await.aadsts(), 900_144);
    let browser = world
        .http
        .post(world.token_url())
        .header("origin", "https://spa.example")
        .form(app().pairs());
    assert_eq!(
        Answer::of(browser.send().await.unwrap()).await.aadsts(),
        9_002_326
    );
    let nowhere = world
        .token_url()
        .replace(demo::TENANT, "00000000-1111-4222-8333-444444444444");
    let nowhere = world.http.post(nowhere).form(app().pairs()).send().await.unwrap();
    assert_eq!(Answer::of(nowhere).await.aadsts(), 90002);
}

#[tokio::test]
async fn an_app_asks_for_one_apis_default_scope() {
    let world = World::start().await;
    let base = world.entra.base_url();
    for wrong in [format!("{base}/User.Read.All"), "openid".to_owned()] {
        let answer = world.token(world.app_login().with("scope", &wrong)).await;
        assert_eq!(answer.refusal(), (400, "invalid_scope", 70011), "{wrong}");
    }
    let two = format!("{base}/.default api://{}/.default", demo::CLIENT_ID);
    assert_eq!(
        world.token(world.app_login().with("scope", &two)).await.aadsts(),
        700_022
    );
    let url = world.token_url().replace(demo::TENANT, "common");
    let common = world
        .http
        .post(url)
        .form(world.app_login().pairs())
        .send()
        .await
        .unwrap();
    assert_eq!(Answer::of(common).await.aadsts(), 9_001_023);
    let right = world.token(world.app_login()).await;
    assert_eq!(right.body["expires_in"], 3_599);
    assert!(right.body.get("refresh_token").is_none() && right.body.get("scope").is_none());
}

#[tokio::test]
async fn tokens_come_as_far_as_the_scope_asks_for_them() {
    let world = World::start().await;
    let bare = world.tokens(world.sign_in().with("scope", "User.Read")).await;
    assert!(bare.get("id_token").is_none() && bare.get("refresh_token").is_none());
    let openid = world
        .tokens(world.sign_in().with("scope", "openid User.Read"))
        .await;
    assert!(openid.get("id_token").is_some() && openid.get("refresh_token").is_none());
    assert_eq!(
        openid["scope"],
        format!("openid {}/User.Read", world.entra.base_url())
    );
    let code = world.code().await;
    let narrowed = world
        .token(redemption(&code).with("scope", "User.Read Mail.Send"))
        .await;
    assert_eq!(narrowed.refusal(), (400, "invalid_scope", 650_053));
    let unconsented = world
        .token(redemption(&code).with("scope", "User.Read.All"))
        .await;
    assert_eq!(unconsented.refusal(), (400, "invalid_grant", 65001));
    assert_eq!(unconsented.body["suberror"], "consent_required");
    let two = format!("User.Read api://{}/x", demo::CLIENT_ID);
    assert_eq!(
        world.token(redemption(&code).with("scope", &two)).await.aadsts(),
        700_022
    );
    assert_eq!(world.token(redemption(&code)).await.status, 200);
}

#[tokio::test]
async fn a_refresh_brings_a_new_token_and_the_old_one_stays_good() {
    let world = World::start().await;
    let first = world.tokens_of(demo::ALICE).await["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let second = world.token(refresh(&first)).await;
    assert_eq!(second.status, 200, "{}", second.body);
    assert_ne!(second.body["refresh_token"], first.as_str());
    assert_eq!(world.token(refresh(&first)).await.status, 200);
    assert_eq!(world.token(refresh("1.made-up")).await.aadsts(), 70000);
    assert_eq!(
        world
            .token(refresh(&first).without("client_secret"))
            .await
            .aadsts(),
        7_000_218
    );
}

#[tokio::test]
async fn a_refresh_token_belongs_to_its_client_and_dies_unused_after_ninety_days() {
    let world = World::start().await;
    let tenant = world.entra.tenant(demo::TENANT);
    tenant.add_app(AppRegistration::new(OTHER_APP, "Other").secret("s"));
    let token = world.tokens_of(demo::ALICE).await["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let foreign = refresh(&token)
        .with("client_id", OTHER_APP)
        .with("client_secret", "s");
    assert_eq!(world.token(foreign).await.aadsts(), 70000);
    world.entra.set_clock_offset(89 * 86_400);
    assert_eq!(world.token(refresh(&token)).await.status, 200);
    world.entra.set_clock_offset((89 + 91) * 86_400);
    let unused = world.token(refresh(&token)).await;
    assert_eq!(unused.refusal(), (400, "invalid_grant", 700_082));
    assert_eq!(unused.body["suberror"], "bad_token");
}

#[tokio::test]
async fn a_refresh_follows_what_became_of_the_person() {
    let world = World::start().await;
    let token = world.tokens_of(demo::BOB).await["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    world.entra.disable_user(demo::BOB_OID);
    assert_eq!(
        world.token(refresh(&token)).await.refusal(),
        (400, "invalid_grant", 50057)
    );
    world.entra.enable_user(demo::BOB_OID);
    assert_eq!(world.token(refresh(&token)).await.status, 200);
    world.entra.revoke_sessions(demo::BOB_OID);
    let revoked = world.token(refresh(&token)).await;
    assert_eq!(revoked.refusal(), (400, "invalid_grant", 50173));
    assert_eq!(revoked.body["suberror"], "bad_token");
    let anew = world.tokens_of(demo::BOB).await["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.token(refresh(&anew)).await.status, 200);
    world.entra.delete_user(demo::BOB_OID);
    assert_eq!(
        world.token(refresh(&anew)).await.refusal(),
        (400, "invalid_grant", 50034)
    );
}

#[tokio::test]
async fn a_refresh_of_somebody_no_longer_assigned_is_refused() {
    let world = World::start_with(|app| {
        app.assignment_required()
            .assign(&MemberRef::group(demo::ENGINEERING))
    })
    .await;
    let token = world.tokens_of(demo::ALICE).await["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.token(refresh(&token)).await.status, 200);
    world
        .entra
        .remove_member(demo::ENGINEERING, &MemberRef::user(demo::ALICE_OID));
    assert_eq!(
        world.token(refresh(&token)).await.refusal(),
        (400, "invalid_grant", 50105)
    );
}

#[tokio::test]
async fn a_client_that_understands_challenges_gets_a_long_lived_token() {
    let world = World::start().await;
    let claims = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;
    let tokens = world.tokens(world.sign_in().with("claims", claims)).await;
    assert_eq!(tokens["expires_in"], 86_399);
    assert_eq!(tokens["refresh_in"], 43_199);
}

#[tokio::test]
async fn faults_on_demand_strike_the_next_token_request() {
    let world = World::start().await;
    world.entra.fail_next(Fault::Token { code: 90055 });
    let throttled = world.token(world.app_login()).await;
    assert_eq!(throttled.refusal(), (429, "temporarily_unavailable", 90055));
    assert_eq!(throttled.headers["retry-after"], "17");
    world.entra.fail_next(Fault::TokenHtml { status: 500 });
    let html = world.token(world.app_login()).await;
    assert_eq!(
        (html.status, html.headers["content-type"].to_str().unwrap()),
        (500, "text/html; charset=utf-8")
    );
    assert_eq!(world.token(world.app_login()).await.status, 200);
}
