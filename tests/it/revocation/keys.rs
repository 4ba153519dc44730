//! Signing keys: what a rotation and what a withdrawal means for people who are signed in.

use std::time::{Duration, Instant};

use serde_json::Value;
use vestibule::session::keys;

use crate::support::person::Person;
use crate::support::somebody;
use crate::support::tenant::ALICE;
use crate::support::world::World;

/// The ids of the keys under `certs`.
async fn published(world: &World) -> Vec<String> {
    let certs = world
        .anonymous()
        .fetch(&world.host("login"), "/cdn-cgi/access/certs", &[])
        .await;
    let certs: Value = serde_json::from_slice(&certs.body).unwrap();
    let keys = certs["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the gateway shows keys as they should be, and gives them.
async fn published_once(world: &World, right: impl Fn(&[String]) -> bool) -> Vec<String> {
    let began = Instant::now();
    loop {
        let now = published(world).await;
        if right(&now) {
            return now;
        }
        assert!(began.elapsed() < Duration::from_secs(3), "still {now:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The key that signed a person's token for *Wiki*.
fn signed_with(world: &World, person: &Person) -> String {
    let token = person.cookie(&world.host("wiki"), "CF_Authorization").unwrap();
    let header = jsonwebtoken::decode_header(token.as_bytes()).unwrap();
    header.kid.unwrap()
}

#[tokio::test]
async fn a_rotation_disturbs_nobody() {
    let world = World::start().await;
    let before = published(&world).await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let running = world.running();
    assert!(
        keys::rotate(
            &running.store,
            &running.sealer,
            &running.clock,
            &crate::support::somebody()
        )
        .await
        .unwrap()
    );
    // The next, the current and the previous one.
    let after = published_once(&world, |keys| keys.len() == 3).await;
    assert!(before.iter().all(|kid| after.contains(kid)));
    // The token of before is good, and the key that waited signs from now on.
    let old = signed_with(&world, &alice);
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    let again = world.signed_in(ALICE, &["wiki"]).await;
    let new = signed_with(&world, &again);
    assert_ne!(old, new);
    assert!(before.contains(&new), "{new} did not stand in certs beforehand");
}

#[tokio::test]
async fn after_a_withdrawal_everybody_signs_in_once_more_with_another_key() {
    let world = World::start().await;
    let before = published(&world).await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let stolen = signed_with(&world, &alice);
    let running = world.running();
    let kid = stolen.parse().unwrap();
    assert!(
        keys::revoke(&running.store, &running.sealer, &running.clock, &kid, &somebody())
            .await
            .unwrap()
    );
    published_once(&world, |keys| keys.len() == 2 && !keys.contains(&stolen)).await;
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert!(
        arrival.asked_entra(),
        "the organization token was signed with the stolen key too"
    );
    assert_ne!(signed_with(&world, &alice), stolen);
    assert!(before.contains(&stolen));
}
