//! The organization and the rotation of its signing key.

use serde_json::{Value, json};

use super::{call, id, made, tokens, world};
use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::World;

const PATH: &str = "/access/organizations";

#[tokio::test]
async fn what_the_file_leaves_open_is_set_here_and_takes_effect_on_every_gateway() {
    let world = World::builder().gateways(2).more(&tokens()).start().await;
    let before = call(&world, "GET", PATH, None).await.result(200);
    assert_eq!(
        (&before["name"], &before["auth_domain"]),
        (&json!("Example"), &json!(world.host("login")))
    );
    for unasked in [
        "deny_unmatched_requests",
        "strict_service_token_auth",
        "custom_pages",
    ] {
        assert_eq!(before.get(unasked), None, "a plan would take it away");
    }
    assert_eq!(
        before.get("session_duration"),
        None,
        "neither the file nor anybody else has said it"
    );
    let page = json!({ "name": "No", "type": "identity_denied", "custom_html": "<h1>Not you</h1>" });
    let page = made(&world, "/access/custom_pages", page).await["uid"].clone();
    let settings = json!({
        "name": "Example", "auth_domain": world.host("login"), "session_duration": "1h0m", "auto_redirect_to_identity": false,
        "strict_service_token_auth": true, "custom_pages": { "identity_denied": page },
        "service_token_inactivity": { "enabled": true, "inactivity_threshold_days": 30, "action": "disable" },
        "allow_authenticate_via_warp": false, "is_ui_read_only": false, "login_design": { "header_text": "" },
        "mfa_config": {}, "deny_unmatched_requests": true,
    });
    let answer = call(&world, "PUT", PATH, Some(&settings)).await.result(200);
    for (key, value) in settings.as_object().unwrap() {
        assert_eq!(&answer[key], value, "{key}");
    }
    let again = call(&world, "PUT", PATH, Some(&settings)).await.result(200);
    let read = call(&world, "GET", PATH, None).await.result(200);
    for key in answer
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| *key != "updated_at")
    {
        assert_eq!((&again[key], &read[key]), (&answer[key], &answer[key]), "{key}");
    }

    // On this gateway at once, on the other within a second.
    let choice = world.person(MALLORY).open(&world.host("wiki"), "/").await;
    assert!(
        !choice.asked_entra() && choice.text().contains("Sign in to open"),
        "a choice of one"
    );
    let straight_on = json!({ "auto_redirect_to_identity": true });
    call(&world, "PUT", PATH, Some(&straight_on)).await.result(200);
    let refused = world.person(MALLORY).open(&world.host("wiki"), "/").await;
    assert!(refused.text().contains("Not you"), "{}", refused.text());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(1);
    loop {
        let organization = world.running_of(1).published.load().organization.clone();
        if organization.session_duration.as_str() == "1h0m" {
            assert!(organization.service_tokens.strict && organization.service_tokens.inactivity.is_some());
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "the other gateway follows within a second"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    world.signed_in(ALICE, &["wiki"]).await;
    let users = call(&world, "GET", &format!("/access/users?email={ALICE}"), None)
        .await
        .result(200);
    let sessions = format!("/access/users/{}/active_sessions", id(&users[0]));
    let sessions = call(&world, "GET", &sessions, None).await.result(200);
    assert_eq!(sessions[0]["metadata"]["ttl"], 3600);

    // What refers to a page keeps it.
    let page_path = format!("/access/custom_pages/{}", page.as_str().unwrap());
    let refused = call(&world, "DELETE", &page_path, None).await.error(409);
    assert!(refused.1.contains("organization"), "{refused:?}");

    // What is not named stays, null takes it away.
    let change = json!({ "custom_pages": null, "session_duration": null });
    let answer = call(&world, "PUT", PATH, Some(&change)).await.result(200);
    assert_eq!(
        (answer.get("custom_pages"), answer.get("session_duration")),
        (None, None)
    );
    assert_eq!(answer["strict_service_token_auth"], true);
    assert_eq!(
        world
            .running()
            .published
            .load()
            .organization
            .session_duration
            .as_str(),
        "24h"
    );
    call(&world, "DELETE", &page_path, None).await.result(202);
}

#[tokio::test]
async fn what_the_file_says_is_read_only_here() {
    let world = World::builder()
        .organization("session_duration = \"12h\"\nstrict_service_token_auth = true\nservice_token_inactivity = { enabled = false, inactivity_threshold_days = 30, action = \"delete\" }")
        .more(&tokens())
        .start()
        .await;
    let read = call(&world, "GET", PATH, None).await.result(200);
    assert_eq!(
        (&read["session_duration"], &read["strict_service_token_auth"]),
        (&json!("12h"), &json!(true))
    );
    call(&world, "PUT", PATH, Some(&read)).await.result(200);
    let same = json!({ "session_duration": "720m", "auth_domain": world.host("login").to_uppercase() });
    let answer = call(&world, "PUT", PATH, Some(&same)).await.result(200);
    assert_eq!(answer["session_duration"], "12h");
    for (key, other, in_file) in [
        ("session_duration", json!("24h"), "session_duration"),
        ("session_duration", Value::Null, "session_duration"),
        (
            "strict_service_token_auth",
            json!(false),
            "strict_service_token_auth",
        ),
        (
            "service_token_inactivity",
            json!({ "inactivity_threshold_days": 30, "action": "delete" }),
            "service_token_inactivity",
        ),
        ("name", json!("Another"), "name"),
        ("auth_domain", json!("login.example.org"), "auth_url"),
    ] {
        let answer = call(&world, "PUT", PATH, Some(&json!({ key: other }))).await;
        let (code, message, pointer) = answer.error(409);
        assert_eq!((code, pointer), (12132, Some(format!("/{key}"))), "{message}");
        assert!(
            message.contains("configuration file") && message.contains(in_file),
            "{message}"
        );
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
    let open = json!({ "auto_redirect_to_identity": true });
    assert_eq!(
        call(&world, "PUT", PATH, Some(&open)).await.result(200)["auto_redirect_to_identity"],
        true
    );
    let new = json!({ "name": "Example", "auth_domain": world.host("login") });
    call(&world, "POST", PATH, Some(&new)).await.result(201);
    assert_eq!(
        call(&world, "POST", PATH, Some(&json!({ "name": "Example" })))
            .await
            .error(400)
            .2
            .as_deref(),
        Some("/auth_domain")
    );
}

#[tokio::test]
async fn settings_that_cannot_stand_change_nothing() {
    let world = world().await;
    let before = call(&world, "GET", PATH, None).await.result(200);
    let forbidden = json!({ "name": "No", "type": "forbidden", "custom_html": "<h1>No</h1>" });
    let forbidden = made(&world, "/access/custom_pages", forbidden).await["uid"].clone();
    let nowhere = "11111111-1111-4111-8111-111111111111";
    for (wrong, pointer) in [
        (json!({ "session_duration": "5m" }), "/session_duration"),
        (json!({ "session_duration": "soon" }), "/session_duration"),
        (json!({ "session_duration": 7 }), "/session_duration"),
        (
            json!({ "auto_redirect_to_identity": "yes" }),
            "/auto_redirect_to_identity",
        ),
        (json!({ "is_ui_read_only": true }), "/is_ui_read_only"),
        (
            json!({ "allow_authenticate_via_warp": true }),
            "/allow_authenticate_via_warp",
        ),
        (
            json!({ "deny_unmatched_requests_exempted_zone_names": ["a.example"] }),
            "/deny_unmatched_requests_exempted_zone_names",
        ),
        (
            json!({ "login_design": { "background_color": "red" } }),
            "/login_design/background_color",
        ),
        (
            json!({ "login_design": { "text_color": "#1f5fbf;}main{display:none" } }),
            "/login_design/text_color",
        ),
        (
            json!({ "login_design": { "logo_path": "javascript:alert(1)" } }),
            "/login_design/logo_path",
        ),
        (
            json!({ "login_design": { "logo_path": "http://cdn.example.com/logo.svg" } }),
            "/login_design/logo_path",
        ),
        (
            json!({ "login_design": { "footer_text": "x".repeat(1025) } }),
            "/login_design/footer_text",
        ),
        (
            json!({ "login_design": { "heading": "Hello" } }),
            "/login_design/heading",
        ),
        (
            json!({ "mfa_config": { "session_duration": "1h" } }),
            "/mfa_config",
        ),
        (
            json!({ "user_seat_expiration_inactive_time": "729h" }),
            "/user_seat_expiration_inactive_time",
        ),
        (
            json!({ "service_token_inactivity": { "inactivity_threshold_days": 7, "action": "delete" } }),
            "/service_token_inactivity/inactivity_threshold_days",
        ),
        (
            json!({ "service_token_inactivity": { "inactivity_threshold_days": 40, "action": "hide" } }),
            "/service_token_inactivity/action",
        ),
        (
            json!({ "custom_pages": { "identity_denied": forbidden } }),
            "/custom_pages/identity_denied",
        ),
        (
            json!({ "custom_pages": { "forbidden": nowhere } }),
            "/custom_pages/forbidden",
        ),
        (
            json!({ "custom_pages": { "login": nowhere } }),
            "/custom_pages/login",
        ),
    ] {
        let answer = call(&world, "PUT", PATH, Some(&wrong)).await;
        let (code, _, place) = answer.error(400);
        assert_eq!((code, place.as_deref()), (12130, Some(pointer)), "{wrong}");
    }
    assert_eq!(call(&world, "GET", PATH, None).await.result(200), before);
    let unknown = json!({ "favourite_colour": "blue" });
    let answer = call(&world, "PUT", PATH, Some(&unknown)).await;
    assert!(answer.body["messages"].to_string().contains("/favourite_colour"));
    assert_eq!(answer.result(200)["favourite_colour"], "blue");
}

#[tokio::test]
async fn the_signing_key_is_rotated_by_the_interval_that_is_set() {
    let world = world().await;
    let keys = call(&world, "GET", "/access/keys", None).await.result(200);
    assert_eq!(
        (
            &keys["key_rotation_interval_days"],
            &keys["days_until_next_rotation"]
        ),
        (&json!(42), &json!(42))
    );
    for wrong in [json!(20), json!(366), json!("30"), json!(30.5), Value::Null] {
        let body = json!({ "key_rotation_interval_days": wrong });
        let refused = call(&world, "PUT", "/access/keys", Some(&body)).await.error(400);
        assert_eq!(
            refused.2.as_deref(),
            Some("/key_rotation_interval_days"),
            "{wrong}"
        );
    }
    // Official clients have a float there.
    let body = json!({ "key_rotation_interval_days": 30.0 });
    let keys = call(&world, "PUT", "/access/keys", Some(&body)).await.result(200);
    let read = call(&world, "GET", "/access/keys", None).await.result(200);
    assert_eq!(keys["key_rotation_interval_days"], json!(30.0));
    assert_eq!(read, keys);
    assert_eq!(
        world.running().published.load().organization.key_rotation_days,
        30
    );
    let body = json!({ "key_rotation_interval_days": 21 });
    let keys = call(&world, "PUT", "/access/keys", Some(&body)).await.result(200);
    assert_eq!(
        (
            &keys["key_rotation_interval_days"],
            &keys["days_until_next_rotation"]
        ),
        (&json!(21), &json!(21))
    );

    let running = world.running();
    let due = async || {
        let days = running.published.load().organization.key_rotation_days;
        vestibule::session::keys::rotate_if_due(&running.store, &running.sealer, &running.clock, days)
            .await
            .unwrap()
    };
    world.pass(jiff::SignedDuration::from_hours(20 * 24));
    assert!(!due().await, "not yet");
    assert_eq!(
        call(&world, "GET", "/access/keys", None).await.result(200)["days_until_next_rotation"],
        1
    );
    world.pass(jiff::SignedDuration::from_hours(25));
    assert!(due().await, "after three weeks, not six");
    let keys = call(&world, "GET", "/access/keys", None).await.result(200);
    assert_eq!(keys["days_until_next_rotation"], 21);
}

#[tokio::test]
async fn the_next_key_signs_when_it_is_told_to_and_nobody_is_signed_out() {
    let world = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let certs = async || {
        let mut anybody = world.anonymous();
        let url = anybody.address(&world.host("login"), "/cdn-cgi/access/certs");
        let certs: Value = serde_json::from_slice(&anybody.get(&url).await.body).unwrap();
        let kids = certs["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].clone());
        kids.collect::<Vec<_>>()
    };
    let before = certs().await;
    world.pass(jiff::SignedDuration::from_hours(1));
    let was = call(&world, "GET", "/access/keys", None).await.result(200);
    let rotated = call(&world, "POST", "/access/keys/rotate", None)
        .await
        .result(200);
    assert_ne!(rotated["last_key_rotation_at"], was["last_key_rotation_at"]);
    let after = certs().await;
    assert_eq!(after.len(), 3, "current, next and previous");
    assert!(before.iter().all(|kid| after.contains(kid)));
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
}

#[tokio::test]
async fn the_pages_wear_what_the_organization_says_and_nothing_runs() {
    use base64::Engine as _;
    let world = world().await;
    let design = json!({
        "background_color": "#102030", "text_color": "#1f2f3f", "logo_path": "https://cdn.example.com/logo.svg?\"><script>",
        "header_text": "<script>alert(1)</script>", "footer_text": "Call 7000",
    });
    let sent = json!({ "login_design": design });
    let put = call(&world, "PUT", PATH, Some(&sent)).await.result(200);
    assert_eq!(put["login_design"], design, "as it was sent");
    // A page of the login, and one that the gate itself shows.
    let refused = world.person(MALLORY).open(&world.host("wiki"), "/").await.reply;
    let mut anybody = world.anonymous();
    let unlisted = anybody.address(&world.host("unlisted"), "/");
    let nowhere = anybody.get(&unlisted).await;
    for page in [refused, nowhere] {
        let html = page.text();
        let styles = html.split("<style>").skip(1);
        let styles: Vec<&str> = styles
            .map(|rest| rest.split("</style>").next().unwrap())
            .collect();
        assert_eq!(styles.len(), 2);
        // Dark on dark could not be read.
        assert!(
            styles[1].starts_with("body{background:#102030;color:#ffffff}"),
            "{}",
            styles[1]
        );
        let policy = page.header("content-security-policy").unwrap();
        for style in styles {
            let digest = vestibule::crypto::digest::sha256(style.as_bytes());
            let hash = base64::prelude::BASE64_STANDARD.encode(digest);
            assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
        }
        assert!(
            policy.contains("img-src data: https://cdn.example.com;") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(
            !html.contains("<script>alert") && html.contains("Call 7000"),
            "{html}"
        );
        assert!(
            html.contains("<img class=\"logo\" src=\"https://cdn.example.com/logo.svg?"),
            "{html}"
        );
    }
    let off = json!({ "login_design": null });
    call(&world, "PUT", PATH, Some(&off)).await.result(200);
    let page = anybody.get(&unlisted).await.text();
    assert!(!page.contains("Call 7000") && page.matches("<style>").count() == 1);
}

#[tokio::test]
async fn the_design_that_the_file_says_is_shown_and_read_only() {
    let world = World::builder()
        .organization("login_design = { background_color = \"#102030\", footer_text = \"Call 7000\" }")
        .more(&tokens())
        .start()
        .await;
    let in_file = json!({ "background_color": "#102030", "footer_text": "Call 7000" });
    let read = call(&world, "GET", PATH, None).await.result(200);
    assert_eq!(read["login_design"], in_file);
    call(&world, "PUT", PATH, Some(&json!({ "login_design": in_file })))
        .await
        .result(200);
    let other = json!({ "login_design": { "footer_text": "Call 8000" } });
    let refused = call(&world, "PUT", PATH, Some(&other)).await.error(409);
    assert_eq!(refused.2.as_deref(), Some("/login_design"));
    let mut anybody = world.anonymous();
    let page = anybody.get(&anybody.address(&world.host("unlisted"), "/")).await;
    assert!(page.text().contains("Call 7000"));
}

#[tokio::test]
async fn there_is_no_dns_over_https_to_set_up_and_there_are_no_zones() {
    let world = world().await;
    let path = format!("{PATH}/doh");
    let read = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(read, json!({ "enabled": false }));
    call(&world, "PUT", &path, Some(&json!({ "doh_jwt_duration": "" })))
        .await
        .result(200);
    let wish = json!({ "doh_jwt_duration": "24h" });
    let refused = call(&world, "PUT", &path, Some(&wish)).await.error(400);
    assert_eq!(
        (refused.0, refused.2.as_deref()),
        (12130, Some("/doh_jwt_duration"))
    );
    let bearer = format!("Bearer {}", super::TOKEN);
    let zone = "/zones/023e105f4ecef8ad9ca31a8372d0c353/access/apps?page=1";
    for method in ["GET", "POST"] {
        let headers = [("Authorization", bearer.as_str())];
        let answer = super::ask(&world, method, zone, &headers, Some(&json!({}))).await;
        let (code, message, _) = answer.error(400);
        assert_eq!(code, 7003);
        assert!(message.contains(&super::account("/access/apps")), "{message}");
    }
    // Whoever shows no token is told nothing of it.
    super::ask(&world, "GET", zone, &[], None).await.error(403);
}

#[tokio::test]
async fn a_seat_is_freed_when_nobody_was_there_for_as_long_as_is_said() {
    let mut world = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    let away = json!({ "user_seat_expiration_inactive_time": "730h" });
    let answer = call(&world, "PUT", PATH, Some(&away)).await.result(200);
    assert_eq!(answer["user_seat_expiration_inactive_time"], "730h");
    let seats = async |world: &World| {
        let users = call(world, "GET", "/access/users", None).await.result(200);
        let users = users.as_array().unwrap().iter();
        let seat = |user: &Value| {
            (
                user["email"].as_str().unwrap().to_owned(),
                user["access_seat"] == true,
            )
        };
        users.map(seat).collect::<Vec<_>>()
    };
    let (alice, mallory) = (ALICE.to_owned(), MALLORY.to_owned());
    world.pass(jiff::SignedDuration::from_hours(700));
    world.restart().await;
    assert_eq!(
        world
            .person(MALLORY)
            .open(&world.host("wiki"), "/")
            .await
            .status(),
        403
    );
    world.pass(jiff::SignedDuration::from_hours(31));
    // What recurs is done at the start and then every minute.
    world.restart().await;
    let began = std::time::Instant::now();
    while seats(&world).await != [(alice.clone(), false), (mallory.clone(), true)] {
        assert!(
            began.elapsed() < std::time::Duration::from_secs(10),
            "{:?}",
            seats(&world).await
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let audit = world.store().await.audit(10, 1).await.unwrap();
    let lines: Vec<_> = audit
        .iter()
        .filter(|line| line.action == "expire_seats")
        .collect();
    assert_eq!(lines.len(), 1, "{audit:#?}");
    assert_eq!(
        lines[0].before.as_ref().unwrap()["seats"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // The next sign-in takes one again.
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(seats(&world).await, [(alice, true), (mallory, true)]);
}

/// Access lets through what no application covers unless told otherwise, and tools send that default. Here it is denied
/// in any case: either value can be sent, and a zone that would be exempt cannot.
#[tokio::test]
async fn what_no_application_covers_is_denied_whichever_is_sent() {
    const KEY: &str = "deny_unmatched_requests";
    const ZONES: &str = "deny_unmatched_requests_exempted_zone_names";
    let world = world().await;
    for (value, said) in [(json!(false), 1), (json!(true), 0), (Value::Null, 0)] {
        let body = json!({ KEY: value, ZONES: [] });
        let answer = call(&world, "PUT", PATH, Some(&body)).await;
        let messages = answer.body["messages"].as_array().unwrap().clone();
        assert_eq!(messages.len(), said, "{value}: {messages:?}");
        for message in messages {
            let message = message["message"].as_str().unwrap();
            assert!(
                message.starts_with("/deny_unmatched_requests: ") && message.contains("denied"),
                "{message}"
            );
        }
        let put = answer.result(200);
        let read = call(&world, "GET", PATH, None).await.result(200);
        for shown in [put, read] {
            assert_eq!(shown.get(KEY).unwrap_or(&Value::Null), &value);
        }
        let mut anonymous = world.anonymous();
        assert_eq!(anonymous.open(&world.host("nowhere"), "/").await.status(), 404);
    }
    let exempt = json!({ KEY: false, ZONES: ["contoso.example"] });
    let refused = call(&world, "PUT", PATH, Some(&exempt)).await.error(400);
    let place = format!("/{ZONES}");
    assert_eq!((refused.0, refused.2), (12130, Some(place)), "{}", refused.1);
}
