//! What is ordered on the command line stands in the audit log with who ordered it.

use serde_json::json;
use vestibule::model::ids::UserId;
use vestibule::store::{ActorKind, AuditRow, Audited, Kind};

use super::world;
use crate::support::tenant::{ADAM, ALICE};
use crate::support::world::World;

/// Types in a command, and gives the line that it wrote.
async fn written(world: &World, words: &[&str]) -> AuditRow {
    world.type_in(words).await.fine();
    let lines = world.store().await.audit(5, 1).await.unwrap();
    let line = lines
        .into_iter()
        .find(|line| line.actor.kind == ActorKind::CommandLine)
        .unwrap();
    assert_eq!(line.actor.name, format!("vestibule {}", words[0]));
    line
}

async fn user(world: &World, email: &str) -> UserId {
    let found = world
        .store()
        .await
        .users_with_email(&email.parse().unwrap())
        .await;
    found.unwrap()[0].id
}

#[tokio::test]
async fn whoever_ends_sessions_by_a_command_stands_in_the_audit_log() {
    let world = world().await;
    for person in [ALICE, ADAM, ADAM] {
        world.signed_in(person, &["wiki"]).await;
    }
    let (alice, adam) = (user(&world, ALICE).await, user(&world, ADAM).await);

    let line = written(&world, &["sessions", "end", ALICE]).await;
    assert_eq!(
        (line.action.as_str(), line.kind, line.id),
        ("revoke", Audited::User, alice.0)
    );
    assert_eq!(line.before.unwrap()["sessions"], 1);

    let hers = world.store().await.live_sessions_of(adam).await.unwrap();
    let nonce = hers[0].nonce.as_str();
    let line = written(&world, &["sessions", "end", "--session", nonce]).await;
    assert_eq!(
        (line.action.as_str(), line.kind, line.id),
        ("revoke", Audited::User, adam.0)
    );
    assert_eq!(line.before, Some(json!({ "session": nonce, "sessions": 1 })));

    let line = written(&world, &["sessions", "end", "--application", "Wiki"]).await;
    assert_eq!(
        (line.action.as_str(), line.kind),
        ("revoke", Audited::Object(Kind::Application))
    );
    let line = written(&world, &["sessions", "end", "--everybody"]).await;
    assert_eq!(
        (line.action.as_str(), line.kind),
        ("revoke", Audited::Object(Kind::Organization))
    );
    assert_eq!(line.before, Some(json!({ "sessions": 1 })));

    let lines = world.store().await.audit(1000, 1).await.unwrap().len();
    let nothing = world.type_in(&["sessions", "end", "--session", nonce]).await;
    assert_eq!(nothing.code, Some(64), "it is over: {nothing:?}");
    assert_eq!(world.store().await.audit(1000, 1).await.unwrap().len(), lines);
}

#[tokio::test]
async fn whoever_withdraws_a_key_by_a_command_stands_in_the_audit_log() {
    let world = world().await;
    let keys = world.store().await.signing_keys().await.unwrap();
    let kid = keys[0].kid.as_str();
    let line = written(&world, &["keys", "revoke", kid]).await;
    assert_eq!((line.action.as_str(), line.kind), ("revoke", Audited::SigningKey));
    assert_eq!((line.before, line.after), (Some(json!({ "kid": kid })), None));
    let line = written(&world, &["keys", "rotate"]).await;
    assert_eq!((line.action.as_str(), line.kind), ("rotate", Audited::SigningKey));
}
