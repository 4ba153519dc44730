//! What is no object is written into the audit log all the same.

use serde_json::{Value, json};
use vestibule::store::{ActorKind, AuditRow, Audited, Kind};

use super::{call, id, world};
use crate::support::tenant::{ADAM, ALICE, MALLORY};
use crate::support::world::World;

/// The newest line, which the token of the tests must have made.
async fn newest(world: &World) -> AuditRow {
    let line = world.store().await.audit(1, 1).await.unwrap().remove(0);
    assert_eq!(
        (line.actor.kind, line.actor.name.as_str()),
        (ActorKind::ApiToken, "terraform"),
        "{line:?}"
    );
    line
}

async fn user(world: &World, email: &str) -> String {
    let found = call(world, "GET", &format!("/access/users?email={email}"), None).await;
    id(&found.result(200)[0])
}

#[tokio::test]
async fn ended_sessions_and_tokens_and_rotated_keys_stand_in_the_audit_log() {
    let world = world().await;
    world.signed_in(ALICE, &["wiki"]).await;

    let was = world.running().store.signing_keys().await.unwrap();
    call(&world, "POST", "/access/keys/rotate", None)
        .await
        .result(200);
    let line = world.store().await.audit(1, 1).await.unwrap().remove(0);
    assert_eq!((line.action.as_str(), line.kind), ("rotate", Audited::SigningKey));
    let (before, after) = (line.before.unwrap(), line.after.unwrap());
    assert!(was.iter().any(|key| before["kid"] == key.kid.as_str()));
    assert_ne!(before["kid"], after["kid"]);
    newest(&world).await;

    let apps = call(&world, "GET", "/access/apps?name=Wiki", None)
        .await
        .result(200);
    let path = format!("/access/apps/{}/revoke_tokens", id(&apps[0]));
    call(&world, "POST", &path, None).await.result(202);
    let line = newest(&world).await;
    assert_eq!(
        (line.action.as_str(), line.kind, line.id.to_string()),
        ("revoke", Audited::Object(Kind::Application), id(&apps[0]))
    );
    let (before, after) = (line.before.unwrap(), line.after.unwrap());
    assert_eq!(
        (&before["name"], &before["token_epoch"]),
        (&json!("Wiki"), &json!(0))
    );
    assert!(after["token_epoch"].as_i64().unwrap() > 0);

    let alice = user(&world, ALICE).await;
    let revoked = json!({ "email": ALICE });
    call(
        &world,
        "POST",
        "/access/organizations/revoke_user",
        Some(&revoked),
    )
    .await
    .result(200);
    let line = newest(&world).await;
    assert_eq!(
        (line.action.as_str(), line.kind, line.id.to_string()),
        ("revoke", Audited::User, alice.clone())
    );
    let (before, after) = (line.before.unwrap(), line.after.unwrap());
    assert_eq!(
        (&before["email"], &before["sessions"]),
        (&json!(ALICE), &json!(1))
    );
    assert_eq!(after["sessions"], 0);
}

#[tokio::test]
async fn what_became_of_users_and_their_seats_stands_in_the_audit_log() {
    let world = world().await;
    for person in [ALICE, ADAM] {
        world.signed_in(person, &["wiki"]).await;
    }
    world.person(MALLORY).open(&world.host("wiki"), "/").await;
    let alice = user(&world, ALICE).await;
    let renamed = json!({ "name": "Alice in lists", "email": ALICE });
    call(&world, "PUT", &format!("/access/users/{alice}"), Some(&renamed))
        .await
        .result(200);
    let line = newest(&world).await;
    assert_eq!(
        (line.action.as_str(), line.id.to_string()),
        ("update", alice.clone())
    );
    let name = |body: Option<Value>| body.unwrap()["name"].clone();
    assert_eq!(
        (name(line.before), name(line.after)),
        (json!("Alice Example"), json!("Alice in lists"))
    );
    // Nothing is written of what changes nothing.
    let lines = world.store().await.audit(1000, 1).await.unwrap().len();
    call(&world, "PUT", &format!("/access/users/{alice}"), Some(&renamed))
        .await
        .result(200);
    assert_eq!(world.store().await.audit(1000, 1).await.unwrap().len(), lines);

    let adam = user(&world, ADAM).await;
    let mallory = user(&world, MALLORY).await;
    let seat = |id: &str| json!({ "seat_uid": id, "access_seat": false, "gateway_seat": false });
    let seats = json!([seat(&adam), seat(&mallory)]);
    call(&world, "PATCH", "/access/seats", Some(&seats))
        .await
        .result(200);
    let rows = world.store().await.audit(2, 1).await.unwrap();
    for (row, id, sessions) in [(&rows[0], &mallory, 1), (&rows[1], &adam, 1)] {
        assert_eq!(
            (row.action.as_str(), row.kind, &row.id.to_string()),
            ("update", Audited::User, id)
        );
        let (before, after) = (row.before.as_ref().unwrap(), row.after.as_ref().unwrap());
        assert_eq!(
            (&before["access_seat"], &after["access_seat"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(
            (&before["sessions"], &after["sessions"]),
            (&json!(sessions), &json!(0))
        );
    }

    call(&world, "DELETE", &format!("/access/users/{adam}"), None)
        .await
        .result(202);
    let line = newest(&world).await;
    assert_eq!(
        (line.action.as_str(), line.id.to_string(), line.after),
        ("delete", adam, None)
    );
    assert_eq!(line.before.unwrap()["email"], ADAM);
}
