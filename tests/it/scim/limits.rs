//! What nobody can have the gateway do too often or too much of.

use serde_json::{Value, json};

use super::client::{Directory, json_of};
use super::secret::knock;
use super::{EVERYTHING, provisioned};

#[tokio::test]
async fn whoever_waits_for_wrong_secrets_is_answered_without_a_look_into_the_store() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    while knock(&directory, "wrong").await != 429 {}
    let database = world.database();
    database.run("ALTER TABLE scim_secrets RENAME TO elsewhere").await;
    assert_eq!(knock(&directory, "wrong").await, 429);
    let missing = directory
        .send("GET", &format!("{}/Users", directory.base), &[], None)
        .await;
    assert_eq!(missing.status, 429);
    assert_eq!(
        knock(&directory, &directory.token).await,
        503,
        "the right one is looked for"
    );
    database.run("ALTER TABLE elsewhere RENAME TO scim_secrets").await;
    assert_eq!(knock(&directory, &directory.token).await, 200);
}

#[tokio::test]
async fn a_user_is_never_longer_than_one_may_be_whatever_follows() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let id = directory.create("/Users", &json!({ "userName": "long" })).await;
    let mails: Vec<Value> = (0..100)
        .map(|number| json!({ "value": format!("{number}@corp.example") }))
        .collect();
    let long = "x".repeat(8_000);
    let path = |part: &str| format!("emails.{part}");
    let one_path = format!("/Users/{id}");
    let big = json!([{ "op": "add", "path": "emails", "value": mails },
        { "op": "replace", "path": path("display"), "value": long },
        { "op": "replace", "path": path("display"), "value": "short" }]);
    let by_names = json!([{ "op": "add", "value": { "emails": mails, path("display"): long } },
        { "op": "remove", "path": "emails" }]);
    for operations in [big, by_names] {
        let body = json!({ "Operations": operations });
        let reply = directory.ask("PATCH", &one_path, Some(&body)).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(
            json_of(&reply)["detail"]
                .as_str()
                .unwrap()
                .contains("65536 bytes"),
            "{}",
            reply.text()
        );
    }
    let kept = directory.get(&one_path).await;
    assert_eq!(kept.get("emails"), None, "nothing was written");
}

/// People who share an `externalId`, with as much about each as somebody may have.
async fn long_ones(directory: &Directory, number: usize) {
    let long = "x".repeat(7_900);
    let roles: Vec<Value> = (0..7)
        .map(|role| json!({ "value": format!("{long}{role}") }))
        .collect();
    for number in 0..number {
        let body = json!({ "userName": format!("long{number}"), "externalId": "same", "roles": roles });
        directory.create("/Users", &body).await;
    }
}

#[tokio::test]
async fn a_filter_compares_so_much_and_no_more() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    long_ones(&directory, 40).await;
    let terms = |number: usize| {
        let terms: Vec<String> = (0..number)
            .map(|term| format!("roles.value co \"z{term}\""))
            .collect();
        format!("externalId eq \"same\" and ({})", terms.join(" or "))
    };
    let found = directory
        .get(&format!("/Users?count=1&filter={}", terms(3)))
        .await;
    assert_eq!(found["totalResults"], 0);
    for (number, kind) in [(99, "tooMany"), (200, "invalidFilter")] {
        let path = format!("/Users?count=1&filter={}", terms(number));
        let reply = directory.ask("GET", &path, None).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert_eq!(json_of(&reply)["scimType"], kind, "{}", reply.text());
    }
}

#[tokio::test]
async fn operations_go_through_so_much_and_no_more() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    long_ones(&directory, 1).await;
    let found = directory.get("/Users?filter=userName eq \"long0\"").await;
    let path = format!("/Users/{}", found["Resources"][0]["id"].as_str().unwrap());
    let operation = json!({ "op": "add", "path": "roles[value co \"z\"].display", "value": "" });
    let operations = |number: usize| json!({ "Operations": vec![operation.clone(); number] });
    let few = directory.ask("PATCH", &path, Some(&operations(20))).await;
    assert_eq!(few.status, 200, "{}", few.text());
    let many = directory.ask("PATCH", &path, Some(&operations(9_000))).await;
    assert_eq!(many.status, 400, "{}", many.text());
    assert_eq!(json_of(&many)["scimType"], "tooMany", "{}", many.text());
}

/// One directory's secret takes neither the writer nor the places of everybody else, however often it is shown at once.
#[tokio::test]
async fn a_directory_has_so_many_requests_at_once_and_no_more() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let pool = world.database().pool().await;
    let held = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let crowd = (0..60).map(|number| {
        let directory = directory.clone();
        tokio::spawn(async move {
            let body = json!({ "userName": format!("many{number}") });
            let reply = directory.ask("POST", "/Users", Some(&body)).await;
            if reply.status == 503 {
                assert_eq!(reply.header("retry-after"), Some("10"));
                assert!(json_of(&reply)["detail"].as_str().unwrap().contains("try again"));
            }
            reply.status
        })
    });
    let crowd: Vec<_> = crowd.collect();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    held.rollback().await.unwrap();
    let mut answers = Vec::new();
    for one in crowd {
        answers.push(one.await.unwrap());
    }
    let of = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((of(201), of(503)), (35, 25), "{answers:?}");
    let all = directory.get("/Users?count=0").await;
    assert_eq!(all["totalResults"], 35);
}

#[tokio::test]
async fn names_are_texts_that_can_be_seen_and_not_too_long() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let long = |length| "x".repeat(length);
    for (path, body) in [
        ("/Users", json!({ "userName": "a\u{202e}b@corp.example" })),
        ("/Users", json!({ "userName": "a\u{2067}b@corp.example" })),
        ("/Users", json!({ "userName": "a", "externalId": "\u{202d}a" })),
        ("/Users", json!({ "userName": "a\nb@corp.example" })),
        ("/Users", json!({ "userName": 4711 })),
        ("/Users", json!({ "userName": true })),
        ("/Users", json!({ "userName": long(513) })),
        ("/Groups", json!({ "displayName": 4711 })),
        ("/Groups", json!({ "displayName": "a\u{1b}[2K" })),
        ("/Groups", json!({ "displayName": long(513) })),
        ("/Groups", json!({ "displayName": long(5000) })),
    ] {
        let reply = directory.ask("POST", path, Some(&body)).await;
        let kind = &json_of(&reply)["scimType"];
        assert_eq!((reply.status, kind), (400, &json!("invalidValue")), "{body}");
    }
    let digits = json!({ "userName": "4711", "externalId": "4712" });
    let id = directory.create("/Users", &digits).await;
    for value in [json!(4711), json!("a\u{202e}b")] {
        let operations = json!({ "Operations": [{ "op": "replace", "path": "userName", "value": value }] });
        let reply = directory
            .ask("PATCH", &format!("/Users/{id}"), Some(&operations))
            .await;
        assert_eq!(reply.status, 400, "{value}");
    }
    // What Entra has at most, in a script that is written from the right.
    let name = format!("\u{200f}{}", "\u{5d0}".repeat(255));
    directory.create("/Groups", &json!({ "displayName": name })).await;
}

#[tokio::test]
async fn a_filter_that_is_too_long_is_told_of_as_long_as_the_head_of_a_request_may_be() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    for length in [8_200, 12_000, 15_000] {
        let path = format!("/Users?filter=userName+eq+%22{}%22", "x".repeat(length));
        let reply = directory.ask("GET", &path, None).await;
        let kind = &json_of(&reply)["scimType"];
        assert_eq!((reply.status, kind), (400, &json!("invalidFilter")), "{length}");
    }
}
