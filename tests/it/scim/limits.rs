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
