//! The secret: made, shown once, replaced; what comes without it, or with too much of it.

use serde_json::{Value, json};
use vestibule::store::{Actor, ActorKind};

use super::client::{Directory, fresh_secret, json_of, provider};
use super::{EVERYTHING, provisioned};
use crate::support::tenant::ALICE;
use crate::support::world::World;

/// What whoever shows this secret is answered.
pub(super) async fn knock(directory: &Directory, secret: &str) -> u16 {
    let headers = [("Authorization".to_owned(), format!("Bearer {secret}"))];
    let target = format!("{}/Users?count=0", directory.base);
    directory.send("GET", &target, &headers, None).await.status
}

#[tokio::test]
async fn a_new_secret_ends_the_one_before_at_once() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    assert_eq!(knock(&directory, &directory.token).await, 200);
    let second = fresh_secret(&world).await;
    assert_eq!(knock(&directory, &directory.token).await, 401);
    assert_eq!(knock(&directory, &second).await, 200);
    let written = std::fs::read(world.file()).unwrap();
    assert!(!String::from_utf8_lossy(&written).contains(&second));
}

#[tokio::test]
async fn wrong_secrets_are_limited_and_the_right_one_still_counts() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let mut statuses = Vec::new();
    for number in 0..70 {
        statuses.push(knock(&directory, &format!("wrong-{number}")).await);
    }
    assert_eq!(statuses[..60], [401; 60]);
    assert_eq!(statuses[65..], [429; 5]);
    assert_eq!(
        knock(&directory, &directory.token).await,
        200,
        "nobody locks the directory out"
    );
}

#[tokio::test]
async fn nothing_is_answered_to_cookies_or_where_scim_is_off() {
    let mut world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let reply = alice
        .fetch(&world.host("login"), &format!("{}/Users", directory.base), &[])
        .await;
    assert_eq!(reply.status, 401, "a session of a person opens nothing here");
    // Another host has no such addresses.
    let elsewhere = alice
        .fetch(&world.host("wiki"), "/populations/x/scim/v2/Users", &[])
        .await;
    assert!(
        elsewhere.text().contains("GET /populations/"),
        "it is the application's own"
    );
    // No such provider, and one that is off, look alike.
    let unknown = Directory {
        base: "/populations/7335d417-61da-459d-899c-0a01c76a2f94/scim/v2".to_owned(),
        ..directory.clone()
    };
    assert_eq!(knock(&unknown, &directory.token).await, 401);
    world.declare(|world| world.provider("")).await;
    let began = std::time::Instant::now();
    while knock(&directory, &directory.token).await != 401 {
        assert!(began.elapsed().as_secs() < 5);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let actor = Actor {
        kind: ActorKind::CommandLine,
        name: "a test".to_owned(),
    };
    let refused = world
        .running()
        .manage
        .refresh_scim_secret(provider(&world), actor)
        .await;
    assert!(refused.unwrap_err().to_string().contains("SCIM is off"));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of bad input and what each is told")]
async fn bad_input_is_refused_in_words_and_never_a_failure_of_ours() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory
        .create("/Users", &json!({ "userName": "alice@corp.example" }))
        .await;
    let long = "x".repeat(9_000);
    let deep = format!("{}active pr{}", "(".repeat(40), ")".repeat(40));
    let nested: Value = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let cases: Vec<(&str, String, Option<Value>, &[u16])> = vec![
        (
            "GET",
            format!("/Users?filter=userName eq \"{long}\""),
            None,
            &[400],
        ),
        ("GET", format!("/Users?filter={deep}"), None, &[400]),
        ("GET", "/Users?startIndex=x".to_owned(), None, &[400]),
        ("GET", "/Users?attributes=a b".to_owned(), None, &[400]),
        (
            "GET",
            "/Users?filter=userName eq \"%5Cu0000\"".to_owned(),
            None,
            &[200],
        ),
        ("GET", "/Groups?filter=members co \"x\"".to_owned(), None, &[200]),
        ("GET", "/Users?filter=title pr".to_owned(), None, &[200]),
        (
            "GET",
            "/Users?filter=not (title pr) or nickName eq \"x\"".to_owned(),
            None,
            &[200],
        ),
        (
            "GET",
            "/Groups?filter=displayName sw \"x\"".to_owned(),
            None,
            &[200],
        ),
        ("GET", "/Users/%2e%2e/Users".to_owned(), None, &[200, 404]),
        ("POST", "/Users".to_owned(), Some(json!([])), &[400]),
        (
            "POST",
            "/Users".to_owned(),
            Some(json!({ "userName": 5, "active": "no" })),
            &[400],
        ),
        (
            "POST",
            "/Users".to_owned(),
            Some(json!({ "userName": "a\u{0}b" })),
            &[400],
        ),
        (
            "POST",
            "/Users".to_owned(),
            Some(json!({ "userName": long })),
            &[400],
        ),
        (
            "POST",
            "/Users".to_owned(),
            Some(json!({ "userName": "z", "emails": nested })),
            &[400],
        ),
        (
            "POST",
            "/Groups".to_owned(),
            Some(json!({ "members": [] })),
            &[400],
        ),
        (
            "POST",
            "/Groups".to_owned(),
            Some(json!({ "displayName": "g", "members": [5] })),
            &[400],
        ),
        ("PATCH", format!("/Users/{alice}"), Some(json!({})), &[400]),
        (
            "PATCH",
            format!("/Users/{alice}"),
            Some(json!({ "Operations": [{ "op": "add" }] })),
            &[400],
        ),
        (
            "PUT",
            format!("/Users/{alice}"),
            Some(json!({ "userName": "" })),
            &[400],
        ),
        ("DELETE", "/Users".to_owned(), None, &[405]),
        ("HEAD", "/Users".to_owned(), None, &[405]),
        ("POST", "/Users/.search".to_owned(), Some(json!({})), &[501]),
        (
            "GET",
            "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User".to_owned(),
            None,
            &[200],
        ),
        ("GET", "/ResourceTypes/User".to_owned(), None, &[200]),
        ("GET", "/Schemas/x".to_owned(), None, &[404]),
        ("GET", "/../../../cdn-cgi/access/certs".to_owned(), None, &[401]),
    ];
    for (method, path, body, wanted) in cases {
        let reply = directory.ask(method, &path, body.as_ref()).await;
        assert!(
            wanted.contains(&reply.status),
            "{method} {path:.60} {body:?}: {} {}",
            reply.status,
            reply.text()
        );
        if reply.status >= 400 && method != "HEAD" {
            assert_eq!(
                json_of(&reply)["status"],
                json!(reply.status.to_string()),
                "{method} {path:.60}"
            );
        }
    }
    let found = directory.get(&format!("/Users/{alice}")).await;
    assert_eq!(found["userName"], "alice@corp.example", "nothing was written");
    assert_eq!(directory.get("/Users?count=0").await["totalResults"], 1);
}

#[tokio::test]
async fn the_command_line_shows_a_secret_once_and_a_declared_one_is_the_files() {
    let world: World = provisioned(EVERYTHING).start().await;
    let out = world.type_in(&["idp", "scim-secret", "Entra ID"]).await.fine();
    let secret = out
        .lines()
        .find_map(|line| line.strip_prefix("Secret token"))
        .unwrap()
        .trim();
    let mut directory = Directory::of(&world).await;
    assert_eq!(
        knock(&directory, secret).await,
        401,
        "another one has taken its place since"
    );
    let out = world.type_in(&["idp", "scim-secret", "Entra ID"]).await.fine();
    directory.token = out
        .lines()
        .find_map(|line| line.strip_prefix("Secret token"))
        .unwrap()
        .trim()
        .to_owned();
    assert_eq!(knock(&directory, &directory.token).await, 200);
    let out = world.type_in(&["idp", "list"]).await.fine();
    assert!(
        out.contains(&directory.base) && !out.contains(&directory.token),
        "{out}"
    );
    // What login and directory say of somebody, side by side.
    world.signed_in(ALICE, &["wiki"]).await;
    let told = directory
        .person(super::effects::ALICE_OID, "alice@corp.example")
        .await;
    let group = directory
        .group("a1000009-1111-4a11-8a11-000000000009", "Told of", &[&told])
        .await;
    assert!(!group.is_empty());
    let out = world.type_in(&["users", "list", "ALICE"]).await.fine();
    assert!(
        out.contains(ALICE) && out.contains("seat") && !out.contains("no seat"),
        "{out}"
    );
    let out = world.type_in(&["users", "show", ALICE]).await.fine();
    for part in ["session ", "Staff", "alice@corp.example", "active", "Told of"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    directory.set_active(&told, false).await;
    let out = world.type_in(&["users", "list"]).await.fine();
    assert!(
        out.contains("no seat") && out.contains("out: the directory says so"),
        "{out}"
    );
    let id = out.split_whitespace().next().unwrap().to_owned();
    let out = world.type_in(&["users", "readmit", &id]).await.fine();
    assert!(out.starts_with("may sign in again"), "{out}");
    // The directory still says so.
    assert_eq!(
        world.person(ALICE).open(&world.host("wiki"), "/").await.status(),
        403
    );
    let said = world.type_in(&["idp", "scim-secret", "Nobody"]).await;
    assert_eq!(said.code, Some(64), "{said:?}");
}
