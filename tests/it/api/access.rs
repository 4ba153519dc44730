//! Who may use the API.

use serde_json::json;

use super::{ELSEWHERE, ENDED, READER, TOKEN, account, ask, call, made, world};
use crate::support::log;

#[tokio::test]
async fn a_token_is_told_that_it_is_good() {
    let world = world().await;
    let bearer = format!("Bearer {TOKEN}");
    let answer = ask(
        &world,
        "GET",
        "/user/tokens/verify",
        &[("Authorization", &bearer)],
        None,
    )
    .await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{answer:?}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let result = answer.result(200);
    assert_eq!(result["status"], "active");
    assert_eq!(result["id"].as_str().unwrap().len(), 32);
    // The old way of old clients.
    let old = [("X-Auth-Email", "root@example.com"), ("X-Auth-Key", TOKEN)];
    assert_eq!(
        ask(&world, "GET", "/user/tokens/verify", &old, None)
            .await
            .result(200),
        result
    );
}

#[tokio::test]
async fn a_token_is_shown_in_one_way_at_a_time() {
    let world = world().await;
    let bearer = format!("Bearer {TOKEN}");
    let email = ("X-Auth-Email", "root@example.com");
    let unknown = "x".repeat(40);
    for (headers, code, status) in [
        (vec![("X-Auth-Key", TOKEN)], 6003, 400),
        (vec![email], 6003, 400),
        (vec![email, ("X-Auth-Key", unknown.as_str())], 9109, 403),
        (vec![email, ("X-Auth-Key", ENDED)], 9109, 403),
        (vec![email, ("X-Auth-Key", ELSEWHERE)], 9109, 403),
        // Two that may differ: which of them was meant is not guessed.
        (
            vec![email, ("X-Auth-Key", TOKEN), ("Authorization", bearer.as_str())],
            6003,
            400,
        ),
        (
            vec![
                ("Authorization", bearer.as_str()),
                ("Authorization", bearer.as_str()),
            ],
            6003,
            400,
        ),
        (vec![("Authorization", TOKEN)], 6003, 400),
    ] {
        let answer = ask(&world, "GET", "/user/tokens/verify", &headers, None).await;
        assert_eq!(answer.error(status).0, code, "{headers:?}");
    }
    // The address beside a token says nothing.
    let both = [("Authorization", bearer.as_str()), email];
    let own = ask(&world, "GET", "/user/tokens/verify", &both, None)
        .await
        .result(200);
    let of_account = ask(&world, "GET", &account("/tokens/verify"), &both, None).await;
    assert_eq!(of_account.result(200), own);
    let other = "/accounts/00000000000000000000000000000000/tokens/verify";
    let answer = ask(&world, "GET", other, &both, None).await;
    assert_eq!(answer.error(404).0, 7003);
}

#[tokio::test]
async fn whoever_shows_no_good_token_learns_nothing() {
    let world = world().await;
    log::capture();
    let unknown = "x".repeat(40);
    for (shown, code, status) in [
        (None, 10001, 403),
        (Some("Basic abc".to_owned()), 6003, 400),
        (Some("Bearer short".to_owned()), 9109, 403),
        (Some(format!("Bearer {unknown}")), 9109, 403),
        (Some(format!("Bearer {ENDED}")), 9109, 403),
        (Some(format!("Bearer {ELSEWHERE}")), 9109, 403),
    ] {
        let headers: Vec<(&str, &str)> = shown
            .iter()
            .map(|shown| ("Authorization", shown.as_str()))
            .collect();
        for path in [
            account("/access/apps"),
            "/nowhere".to_owned(),
            "/openapi.json".to_owned(),
        ] {
            let answer = ask(&world, "GET", &path, &headers, None).await;
            assert_eq!(answer.error(status).0, code, "{shown:?} {path}");
        }
    }
    assert!(log::contains("API request refused") && log::contains("expired token"));
    assert!(!log::contains(&unknown) && !log::contains(ENDED));
    // Whose token it was is for the operator to know.
    for (reason, name) in [
        ("expired token", "ended"),
        ("token of other addresses", "elsewhere"),
    ] {
        let told = log::told_of(reason);
        assert!(
            !told.is_empty() && told.iter().all(|line| line["token"] == name),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_session_of_a_browser_opens_nothing_here() {
    let world = world().await;
    let mut alice = world.signed_in("alice@contoso.example", &["wiki"]).await;
    let reply = alice
        .fetch(
            &world.host("login"),
            &format!("/client/v4{}", account("/access/apps")),
            &[],
        )
        .await;
    assert_eq!(reply.status, 403);
    // And it stands on the auth host alone.
    let reply = alice
        .fetch(&world.host("wiki"), "/client/v4/user/tokens/verify", &[])
        .await;
    assert!(reply.text().contains("GET /client/v4/user/tokens/verify") || reply.status == 200);
    assert_ne!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_token_does_what_it_may_and_no_more() {
    let world = world().await;
    let bearer = format!("Bearer {READER}");
    let headers = [("Authorization", bearer.as_str())];
    ask(&world, "GET", &account("/access/groups"), &headers, None)
        .await
        .result(200);
    let group = json!({ "name": "g", "include": [{ "everyone": {} }] });
    let answer = ask(&world, "POST", &account("/access/groups"), &headers, Some(&group)).await;
    let (code, message, _) = answer.error(403);
    assert_eq!(code, 10000);
    assert!(
        message.contains("Access: Organizations, Identity Providers, and Groups Write"),
        "{message}"
    );
    let answer = ask(&world, "GET", &account("/access/service_tokens"), &headers, None).await;
    assert_eq!(answer.error(403).0, 10000);
    // What tells of people takes the permission for people.
    let asked = account(&format!(
        "/access/apps/{}/user_policy_checks?user=alice@contoso.example",
        uuid::Uuid::new_v4()
    ));
    assert_eq!(
        ask(&world, "GET", &asked, &headers, None).await.error(403).0,
        10000
    );
    // Another account is nowhere.
    let foreign = format!("/accounts/{}/access/groups", "0".repeat(32));
    assert_eq!(
        ask(&world, "GET", &foreign, &headers, None).await.error(404).0,
        7003
    );
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_done_is_said() {
    let world = world().await;
    assert_eq!(
        call(&world, "GET", "/access/nothing", None).await.error(404).0,
        7003
    );
    let answer = call(&world, "PATCH", "/access/groups", None).await;
    assert_eq!(answer.error(405).0, 7001);
    assert_eq!(answer.header("allow"), Some("GET, POST"));
    let nobody = uuid::Uuid::new_v4();
    for (path, word) in [
        ("apps", "unknown_application"),
        ("policies", "unknown_policy"),
        ("groups", "unknown_group"),
        ("identity_providers", "unknown_identity_provider"),
        ("service_tokens", "unknown_service_token"),
        ("certificates", "unknown_certificate"),
        ("custom_pages", "unknown_custom_page"),
        ("tags", "unknown_tag"),
    ] {
        for id in [nobody.to_string(), "not-an-id".to_owned()] {
            for method in ["GET", "DELETE"] {
                let answer = call(&world, method, &format!("/access/{path}/{id}"), None).await;
                assert!(answer.error(404).1.ends_with(word), "{path}: {}", answer.body);
            }
        }
    }
    assert_eq!(
        call(&world, "POST", "/access/groups", Some(&json!([])))
            .await
            .error(400)
            .0,
        12130
    );
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_in_the_words_of_the_api() {
    let world = world().await;
    let long = json!({ "name": "x".repeat(1_100_000), "include": [] });
    let answer = call(&world, "POST", "/access/groups", Some(&long)).await;
    assert_eq!(answer.error(413).0, 1001);
}

#[tokio::test]
async fn a_change_stands_in_the_audit_log_with_the_token_that_made_it() {
    let world = world().await;
    made(
        &world,
        "/access/groups",
        json!({ "name": "g", "include": [{ "everyone": {} }] }),
    )
    .await;
    let store = world.store().await;
    let newest = store.audit(1, 1).await.unwrap().remove(0);
    assert_eq!(
        (newest.action.as_str(), newest.actor.name.as_str()),
        ("create", "terraform")
    );
    assert_eq!(newest.before, None);
    assert_eq!(newest.after.unwrap()["name"], "g");
}
