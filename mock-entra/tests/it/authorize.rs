//! The authorize endpoint: every check, wrong in that point alone.

use mock_entra::{Directory, Fault, GroupClaim, MemberRef, MockEntra, Tenant, demo};

use crate::support::{CHALLENGE, REDIRECT, World};

#[tokio::test]
async fn the_right_client_gets_a_code_its_state_and_an_empty_fragment() {
    let world = World::start().await;
    let reply = world.ask(world.sign_in()).await;
    assert_eq!(reply.status, 302);
    assert!(!reply.code().is_empty());
    assert_eq!(reply.parameter("state").as_deref(), Some("st-4f1c9a"));
    assert!(reply.parameter("session_state").is_some());
    let location = reply.location.unwrap();
    assert!(location.as_str().starts_with(&format!("{REDIRECT}?")));
    assert_eq!(location.fragment(), Some(""));
}

#[tokio::test]
async fn a_redirect_address_that_differs_in_anything_is_refused_on_the_page_and_never_followed() {
    let world = World::start().await;
    for wrong in [
        format!("{REDIRECT}/"),
        REDIRECT.to_uppercase(),
        REDIRECT.replace("https", "http"),
        format!("{REDIRECT}?x=1"),
        REDIRECT.replace("access.corp.example", "access.corp.example:443"),
        REDIRECT.replace("cdn-cgi", "cdn-cgi/../cdn-cgi"),
    ] {
        let reply = world.ask(world.sign_in().with("redirect_uri", &wrong)).await;
        assert_eq!(reply.page_error(), 50011, "{wrong}");
    }
    assert_eq!(
        world
            .ask(world.sign_in().without("redirect_uri"))
            .await
            .page_error(),
        900_971
    );
}

#[tokio::test]
async fn an_unknown_client_or_tenant_is_told_so_on_the_page() {
    let world = World::start().await;
    let unknown = world
        .sign_in()
        .with("client_id", "00000000-1111-4222-8333-444444444444");
    assert_eq!(world.ask(unknown).await.page_error(), 700_016);
    assert_eq!(
        world.ask(world.sign_in().without("client_id")).await.page_error(),
        900_144
    );
    let url = world
        .authorize_url(&world.sign_in())
        .replace(demo::TENANT, "nobody.example");
    let body = world.http.get(url).send().await.unwrap().text().await.unwrap();
    assert!(body.contains("AADSTS90002"), "{body}");
}

#[tokio::test]
async fn scopes_are_known_of_one_api_and_consented_to() {
    let world = World::start().await;
    let base = world.entra.base_url();
    let wrong = [
        ("groups", ("invalid_client", 650_053)),
        ("Mail.Send", ("invalid_client", 650_053)),
        (
            "api://7e7e7e7e-0000-4000-8000-000000000001/read",
            ("invalid_scope", 700_022),
        ),
        ("https://unknown.example/read", ("invalid_resource", 500_011)),
        (".default", ("invalid_scope", 70011)),
        ("User.Read.All", ("consent_required", 65001)),
    ];
    let other = mock_entra::AppRegistration::new("7e7e7e7e-0000-4000-8000-000000000001", "An API")
        .exposes_scope("read");
    world.entra.tenant(demo::TENANT).add_app(other);
    for (scope, (error, code)) in wrong {
        let reply = world.ask(world.sign_in().and_scope(scope)).await;
        assert_eq!(reply.error(), (error.to_owned(), code), "{scope}");
    }
    for right in [
        "User.Read".to_owned(),
        format!("{base}/User.Read"),
        "https://graph.microsoft.com/User.Read".to_owned(),
    ] {
        world
            .ask(world.sign_in().with("scope", &format!("openid profile {right}")))
            .await
            .code();
    }
    assert_eq!(
        world.ask(world.sign_in().without("scope")).await.error().1,
        900_144
    );
}

#[tokio::test]
async fn parameters_with_wrong_values_are_refused_at_the_application() {
    let world = World::start().await;
    let long = "x".repeat(7_000);
    let wrong = [
        ("prompt", "admin_consent", ("invalid_request", 90023)),
        (
            "response_type",
            "id_token",
            ("unsupported_response_type", 700_054),
        ),
        (
            "response_type",
            "code id_token",
            ("unsupported_response_type", 700_054),
        ),
        ("response_type", "magic", ("unsupported_response_type", 70005)),
        ("response_mode", "web_message", ("invalid_request", 90023)),
        (
            "resource",
            "https://graph.microsoft.com",
            ("invalid_request", 901_002),
        ),
        ("claims", "{not json", ("invalid_request", 90100)),
        ("max_age", "soon", ("invalid_request", 90100)),
        ("code_challenge", "short", ("invalid_request", 501_491)),
        ("code_challenge_method", "S512", ("invalid_request", 90023)),
        ("state", &long, ("invalid_request", 90015)),
        (
            "mock_user",
            "nobody@contoso.example",
            ("interaction_required", 50034),
        ),
        ("mock_user", demo::DAN, ("interaction_required", 50057)),
    ];
    for (name, value, (error, code)) in wrong {
        let reply = world.ask(world.sign_in().with(name, value)).await;
        assert_eq!(reply.error(), (error.to_owned(), code), "{name}={value}");
        assert!(
            reply
                .parameter("error_description")
                .unwrap()
                .contains(" Trace ID: "),
            "{name}"
        );
        assert!(reply.parameter("state").is_some(), "{name}");
    }
    let twice = format!("{}&nonce=again", world.authorize_url(&world.sign_in()));
    let reply = world.http.get(twice).send().await.unwrap();
    assert!(
        reply.headers()["location"]
            .to_str()
            .unwrap()
            .contains("AADSTS9002313")
    );
}

#[tokio::test]
async fn an_app_that_requires_pkce_refuses_a_request_without_challenge() {
    let strict = World::start_with(|app| app.require_pkce(true)).await;
    let bare = strict
        .sign_in()
        .without("code_challenge")
        .without("code_challenge_method");
    assert_eq!(
        strict.ask(bare.clone()).await.error(),
        ("invalid_request".to_owned(), 9_002_325)
    );
    strict
        .ask(
            bare.with("code_challenge", CHALLENGE)
                .with("code_challenge_method", "S256"),
        )
        .await
        .code();
    let lenient = World::start().await;
    lenient
        .ask(
            lenient
                .sign_in()
                .without("code_challenge")
                .without("code_challenge_method"),
        )
        .await
        .code();
}

#[tokio::test]
async fn a_silent_request_needs_a_session_of_the_expected_person() {
    let world = World::start().await;
    let silent = world.sign_in().without("mock_user").with("prompt", "none");
    assert_eq!(
        world.ask(silent.clone()).await.error(),
        ("login_required".to_owned(), 50058)
    );
    let signed_in = world.ask(world.sign_in()).await;
    world
        .ask_with_cookies(silent.clone(), &signed_in.cookies)
        .await
        .code();
    world
        .ask_with_cookies(silent.clone().with("login_hint", demo::ALICE), &signed_in.cookies)
        .await
        .code();
    let other = silent.with("login_hint", demo::BOB);
    assert_eq!(
        world.ask_with_cookies(other, &signed_in.cookies).await.error().1,
        50058
    );
}

#[tokio::test]
async fn a_session_spares_the_page_unless_the_request_insists_on_it() {
    let world = World::start().await;
    let cookies = world.ask(world.sign_in()).await.cookies;
    let asks = world.sign_in().without("mock_user");
    world.ask_with_cookies(asks.clone(), &cookies).await.code();
    for prompt in ["login", "select_account"] {
        let reply = world
            .ask_with_cookies(asks.clone().with("prompt", prompt), &cookies)
            .await;
        assert_eq!(reply.status, 200, "{prompt}");
        assert!(reply.body.contains("Alice Example"), "{prompt}");
    }
    world.entra.set_clock_offset(3_600);
    world
        .ask_with_cookies(asks.clone().with("max_age", "4000"), &cookies)
        .await
        .code();
    assert_eq!(
        world
            .ask_with_cookies(asks.with("max_age", "3000"), &cookies)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_browser_signs_in_by_button_or_by_name_and_a_wrong_password_stays_on_the_page() {
    let world = World::start().await;
    let asks = world.sign_in().without("mock_user");
    let page = world.ask(asks.clone()).await;
    for person in [demo::ALICE, demo::BOB, demo::CAROL, demo::DAN, demo::EVE] {
        assert!(page.body.contains(person), "{person} is not on the page");
    }
    world
        .post_sign_in(asks.clone(), &[("login", demo::ALICE)])
        .await
        .code();
    world
        .post_sign_in(asks.clone(), &[("login", demo::CAROL), ("passwd", "anything")])
        .await
        .code();
    let wrong = [
        (demo::ALICE, "wrong", 50126),
        ("nobody@contoso.example", "x", 50034),
        (demo::DAN, "x", 50057),
    ];
    for (login, passwd, code) in wrong {
        let reply = world
            .post_sign_in(asks.clone(), &[("login", login), ("passwd", passwd)])
            .await;
        assert_eq!(reply.page_error(), code, "{login}");
    }
    let cancelled = world.post_sign_in(asks, &[("cancel", "1")]).await;
    assert_eq!(cancelled.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(cancelled.parameter("error_subcode").as_deref(), Some("cancel"));
}

#[tokio::test]
async fn consent_is_a_page_that_can_be_declined() {
    let world = World::start().await;
    let asks = world.sign_in().without("mock_user").with("prompt", "consent");
    let page = world.post_sign_in(asks.clone(), &[("login", demo::ALICE)]).await;
    assert!(page.body.contains("Permissions requested") && page.body.contains("GroupMember.Read.All"));
    world
        .post_sign_in(asks.clone(), &[("login", demo::ALICE), ("consent", "yes")])
        .await
        .code();
    let declined = world
        .post_sign_in(asks, &[("login", demo::ALICE), ("consent", "no")])
        .await;
    assert_eq!(declined.error(), ("access_denied".to_owned(), 65004));
    assert_eq!(declined.parameter("error_subcode").as_deref(), Some("cancel"));
}

#[tokio::test]
async fn who_is_not_assigned_stays_out_and_nested_groups_do_not_count() {
    let world = World::start_with(|app| {
        app.assignment_required()
            .assign(&MemberRef::user(demo::CAROL_OID))
            .assign(&MemberRef::group(demo::ENGINEERING))
            .assign(&MemberRef::group(demo::ALL_STAFF))
            .group_claim(GroupClaim::ApplicationGroup)
    })
    .await;
    world.ask(world.sign_in()).await.code();
    world
        .ask(world.sign_in().with("mock_user", demo::CAROL))
        .await
        .code();
    let bob = world.ask(world.sign_in().with("mock_user", demo::BOB)).await;
    assert_eq!(bob.error(), ("interaction_required".to_owned(), 50105));
    let page = world
        .post_sign_in(world.sign_in().without("mock_user"), &[("login", demo::BOB)])
        .await;
    assert_eq!(page.page_error(), 50105);
}

#[tokio::test]
async fn an_authentication_context_the_person_cannot_satisfy_ends_the_sign_in() {
    let world = World::start().await;
    let tenant = world.entra.tenant(demo::TENANT);
    tenant.add_user(mock_entra::User::member("frank@contoso.example").fails_context("c1"));
    let frank = world.sign_in().with("mock_user", "frank@contoso.example");
    world.ask(frank.clone()).await.code();
    let asked = frank.with(
        "claims",
        r#"{"id_token":{"acrs":{"essential":true,"value":"c1"}}}"#,
    );
    assert_eq!(
        world.ask(asked).await.error(),
        ("access_denied".to_owned(), 53003)
    );
}

#[tokio::test]
async fn a_context_is_failed_with_the_code_that_the_person_has_for_it() {
    let world = World::start().await;
    let tenant = world.entra.tenant(demo::TENANT);
    tenant.add_user(mock_entra::User::member("frank@contoso.example").fails_context_with("c1", 50079));
    let asked = world.sign_in().with("mock_user", "frank@contoso.example").with(
        "claims",
        r#"{"id_token":{"acrs":{"essential":true,"value":"c1"}}}"#,
    );
    assert_eq!(
        world.ask(asked).await.error(),
        ("interaction_required".to_owned(), 50079)
    );
}

#[tokio::test]
async fn claims_are_asked_for_in_the_form_of_openid_connect_and_contexts_by_their_ids() {
    let world = World::start().await;
    for fine in [
        r#"{"id_token":{"acrs":{"essential":true,"value":"c99"}}}"#,
        r#"{"id_token":{"acrs":{"values":["c1","c2"]}}}"#,
        r#"{"id_token":{"auth_time":null},"access_token":{"xms_cc":{"values":["cp1"]}}}"#,
        "{}",
    ] {
        world.ask(world.sign_in().with("claims", fine)).await.code();
    }
    for wrong in [
        r#"{"id_token":{"acrs":{"essential":"true","value":"c1"}}}"#,
        r#"{"id_token":{"acrs":{"essential":true,"value":"C1"}}}"#,
        r#"{"id_token":{"acrs":{"essential":true,"value":"c100"}}}"#,
        r#"{"id_token":{"acrs":{"essential":true,"value":"Require strong MFA"}}}"#,
        r#"{"id_token":{"acrs":{"essential":true,"value":["c1"]}}}"#,
        r#"{"id_token":{"acrs":{"essential":true,"val":"c1"}}}"#,
        r#"{"id_token":{"acrs":"c1"}}"#,
        r#"{"id_token":["acrs"]}"#,
        r#"{"idtoken":{"acrs":{"value":"c1"}}}"#,
    ] {
        let answer = world.ask(world.sign_in().with("claims", wrong)).await;
        assert_eq!(answer.error().1, 90100, "{wrong}");
    }
}

#[tokio::test]
async fn answers_travel_as_asked() {
    let world = World::start().await;
    let fragment = world.ask(world.sign_in().with("response_mode", "fragment")).await;
    assert!(fragment.location.unwrap().fragment().unwrap().contains("code="));
    let post = world
        .ask(world.sign_in().with("response_mode", "form_post"))
        .await;
    assert_eq!(post.status, 200);
    assert!(post.body.contains(&format!("action=\"{REDIRECT}\"")) && post.body.contains("name=\"code\""));
}

#[tokio::test]
async fn refusals_on_demand_appear_where_microsoft_shows_them() {
    let world = World::start().await;
    let asked = world.ask(world.sign_in().with("mock_error", "50076")).await;
    assert_eq!(asked.error(), ("interaction_required".to_owned(), 50076));
    assert_eq!(
        world
            .ask(world.sign_in().with("mock_error", "50020"))
            .await
            .page_error(),
        50020
    );
    world.entra.fail_next(Fault::Authorize { code: 90033 });
    assert_eq!(
        world.ask(world.sign_in()).await.error(),
        ("server_error".to_owned(), 90033)
    );
    world.ask(world.sign_in()).await.code();
}

#[tokio::test]
async fn common_is_for_apps_of_many_tenants_only() {
    let world = World::start().await;
    let common = |world: &World| {
        world
            .authorize_url(&world.sign_in())
            .replace(demo::TENANT, "common")
    };
    let refused = world.http.get(common(&world)).send().await.unwrap();
    assert!(
        refused.headers()["location"]
            .to_str()
            .unwrap()
            .contains("AADSTS50194")
    );
    let open = World::start_with(mock_entra::AppRegistration::multi_tenant).await;
    let served = open.http.get(common(&open)).send().await.unwrap();
    assert!(served.headers()["location"].to_str().unwrap().contains("code="));
}

#[tokio::test]
async fn a_mock_that_was_dropped_answers_no_more() {
    let tenant = Tenant::new("5f5f5f5f-0000-4000-8000-000000000001", "Fabrikam");
    let entra = MockEntra::start(Directory::from(&tenant)).await.unwrap();
    let address = entra.base_url().trim_start_matches("http://").to_owned();
    drop(entra);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
