//! What is turned away at the door of the API, and in which words.

use serde_json::json;

use super::{call, made, world};

/// Names stand on pages, in terminals and in logs.
#[tokio::test]
async fn names_have_no_characters_that_are_not_seen() {
    let world = world().await;
    let rules = json!([{ "everyone": {} }]);
    let policy = |name: &str| json!({ "name": name, "decision": "allow", "include": rules });
    let app = |name: &str| json!({ "name": name, "type": "self_hosted", "domain": world.host("third") });
    for name in [
        "a\u{1b}[2Kb",
        "a\nb",
        "a\0",
        "a\u{202e}b",
        "a\u{2066}b",
        "\u{9b}31m",
    ] {
        let mut inside = app("Third");
        inside["policies"] = json!([policy("fine"), policy(name)]);
        for (path, body, place) in [
            (
                "/access/groups",
                json!({ "name": name, "include": rules }),
                "/name",
            ),
            ("/access/policies", policy(name), "/name"),
            ("/access/apps", app(name), "/name"),
            ("/access/apps", inside, "/policies/1/name"),
            ("/access/service_tokens", json!({ "name": name }), "/name"),
            ("/access/tags", json!({ "name": name }), "/name"),
            ("/gateway/lists", json!({ "name": name, "type": "IP" }), "/name"),
            (
                "/access/custom_pages",
                json!({ "name": name, "type": "forbidden", "custom_html": "x" }),
                "/name",
            ),
        ] {
            let answer = call(&world, "POST", path, Some(&body)).await;
            assert_eq!(answer.error(400).2.as_deref(), Some(place), "{path} {name:?}");
        }
    }
    for name in ["Gr\u{f6}\u{df}e \u{2014} \u{5e9}\u{5dc}", "\u{1f600}"] {
        made(
            &world,
            "/access/groups",
            json!({ "name": name, "include": rules }),
        )
        .await;
    }
}

/// What Cloudflare's API has and this does not is told by name, not as an object that is gone.
#[tokio::test]
async fn what_there_is_not_is_named() {
    let world = world().await;
    let nowhere = "11111111-1111-4111-8111-111111111111";
    for (method, path, what) in [
        ("GET", "/access/apps/ca".to_owned(), "certificates for SSH"),
        (
            "POST",
            format!("/access/apps/{nowhere}/ca"),
            "certificates for SSH",
        ),
        ("GET", "/access/bookmarks".to_owned(), "bookmarks"),
    ] {
        let (code, message, _) = call(&world, method, &path, None).await.error(404);
        assert!(code == 7003 && message.contains(what), "{message}");
    }
    let (_, message, _) = call(
        &world,
        "POST",
        "/access/users",
        Some(&json!({ "email": "a@b.example" })),
    )
    .await
    .error(400);
    assert!(message.contains("first login"), "{message}");
}

/// Nobody who speaks JSON is answered with a page.
#[tokio::test]
async fn addresses_that_nobody_can_read_are_answered_in_the_envelope() {
    let world = world().await;
    for path in ["/access/groups/%ff", "/access/tags/%00", "/access/groups/%zz"] {
        let answer = call(&world, "GET", path, None).await;
        assert_eq!(answer.error(400).0, 7003, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let answer = call(&world, "TRACE", "/access/groups", None).await;
    assert_eq!(answer.error(405).0, 7001);
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")));
    // Elsewhere it is a page as ever.
    let mut anybody = world.anonymous();
    let url = anybody.address(&world.host("wiki"), "/client/v4/%ff");
    let reply = anybody
        .request("GET", &url, &[("Accept", "text/html")], b"")
        .await;
    assert!(
        reply.status == 400 && reply.text().contains("<html"),
        "{}",
        reply.text()
    );
}
