//! Long bodies that never end come to the directory's service: the directory is served all the same.

use serde_json::{Value, json};

use super::client::Directory;
use super::{EVERYTHING, provisioned};

/// More than there are places for long bodies.
const MANY: usize = 72;

#[tokio::test]
async fn slow_bodies_of_strangers_do_not_keep_the_directory_out() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let path = format!("{}/Groups", directory.base);
    let login = world.host("login");
    let mut slow = Vec::new();
    for secret in ["", "Bearer wrong"].into_iter().cycle().take(MANY) {
        let headers = [("Content-Length", "500000"), ("Authorization", secret)];
        let mut wire = world.anonymous().begin("POST", &login, &path, &headers).await;
        wire.send(b"{ \"displayName\": \"").await;
        slow.push(wire);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let name = "a long name ".repeat(7000);
    let group =
        json!({ "externalId": "8d5f5dba-0d4a-4b3c-9f1f-1a0d9f0f4a01", "displayName": "all", "note": name });
    let reply = directory.ask("POST", "/Groups", Some(&group)).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    // A stranger with a long body is told what is wrong: not the length, the secret.
    let stranger = Directory {
        token: "wrong".to_owned(),
        ..directory.clone()
    };
    let reply = stranger.ask("POST", "/Groups", Some(&group)).await;
    let said: Value = serde_json::from_slice(&reply.body).unwrap();
    assert!(matches!(reply.status, 401 | 429), "{said}");
}

#[tokio::test]
async fn a_key_that_stands_twice_is_refused() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let adam = directory
        .person("1aa11bb2-2cc3-4dd4-8ee5-5ff66aa77b88", "twice@contoso.example")
        .await;
    let headers = [("Authorization".to_owned(), format!("Bearer {}", directory.token))];
    for (method, path, body, named) in [
        (
            "POST",
            "/Users".to_owned(),
            r#"{"userName":"x@contoso.example","active":false,"active":true}"#,
            "/active",
        ),
        // Names of attributes are the same in any case (RFC 7643 section 2.1).
        (
            "PUT",
            format!("/Users/{adam}"),
            r#"{"userName":"x@contoso.example","name":{"givenName":"x","GivenName":"y"}}"#,
            "/name/GivenName",
        ),
        (
            "PATCH",
            format!("/Users/{adam}"),
            r#"{"Operations":[{"op":"Replace","path":"active","value":"True","value":"False"}]}"#,
            "/Operations/0/value",
        ),
    ] {
        let target = format!("{}{path}", directory.base);
        let reply = directory
            .send(method, &target, &headers, Some(body.as_bytes()))
            .await;
        let said: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            (reply.status, &said["scimType"]),
            (400, &json!("invalidSyntax")),
            "{said}"
        );
        assert!(said["detail"].as_str().unwrap().contains(named), "{said}");
    }
}
