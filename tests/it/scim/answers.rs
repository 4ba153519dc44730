//! What is answered stands: a refusal means that nothing was written, and what was written is answered as done.

use serde_json::json;

use super::client::{Directory, json_of, provider};
use super::effects::ALICE_OID;
use super::{EVERYTHING, gets_in, provisioned};
use crate::support::tenant::{ALICE, STAFF};

#[tokio::test]
async fn whoever_asks_for_attributes_in_a_way_that_cannot_be_read_has_written_nothing() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let out = json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
    let (user, group) = (format!("/Users/{alice}"), format!("/Groups/{staff}"));
    for (method, path, body) in [
        ("PATCH", &*user, out),
        ("PUT", &user, json!({ "userName": ALICE, "active": false })),
        ("POST", "/Users", json!({ "userName": "new@corp.example" })),
        (
            "PUT",
            &group,
            json!({ "displayName": "New", "externalId": STAFF }),
        ),
        ("POST", "/Groups", json!({ "displayName": "New" })),
    ] {
        for wrong in ["attributes=a b", "excludedAttributes=a b"] {
            let reply = directory
                .ask(method, &format!("{path}?{wrong}"), Some(&body))
                .await;
            assert_eq!(reply.status, 400, "{method} {path} {wrong}: {}", reply.text());
        }
    }
    assert_eq!(directory.get(&user).await["active"], true);
    assert!(gets_in(&world, &browser).await);
    assert_eq!(directory.get("/Users").await["totalResults"], 1);
    let groups = directory.get("/Groups").await;
    assert_eq!(
        (&groups["totalResults"], &groups["Resources"][0]["displayName"]),
        (&json!(1), &json!("Staff"))
    );
}

#[tokio::test]
async fn a_group_that_was_written_is_answered_without_members_that_cannot_be_read() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    // A member that no gateway wrote.
    let pool = world.database().pool().await;
    for (sql, bound) in [
        (
            "INSERT INTO scim_users (id, provider, user_name, active, body, created_ms, updated_ms) \
             VALUES ('nobody', $1, 'nobody', 1, '{}', 0, 0)",
            provider(&world).to_string(),
        ),
        (
            "INSERT INTO scim_members (scim_group, scim_user) VALUES ($1, 'nobody')",
            staff.clone(),
        ),
    ] {
        sqlx::query(sql).bind(bound).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let group = format!("/Groups/{staff}");
    assert_eq!(directory.ask("GET", &group, None).await.status, 500);
    let put = json!({ "displayName": "New", "externalId": STAFF });
    let reply = directory.ask("PUT", &group, Some(&put)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let told = json_of(&reply);
    assert_eq!((&told["displayName"], told.get("members")), (&json!("New"), None));
    let named = directory
        .get(&format!("{group}?excludedAttributes=members"))
        .await;
    assert_eq!(named["displayName"], "New");
}
