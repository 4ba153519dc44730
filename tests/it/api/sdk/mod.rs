//! The API through Cloudflare's own clients, which know nothing of this gateway but its base URL.
//!
//! `.ci/run` installs them under `target/sdk`, in the versions that `requirements.txt` and `package.json` name.

mod client;
mod people;

use jiff::SignedDuration;
use serde_json::Value;

use self::client::Client;
use super::{authority, tokens};
use crate::support::tenant::{self, ADAM, ALICE};
use crate::support::world::World;

#[tokio::test]
async fn objects_live_through_the_python_client() {
    objects(Client::Python).await;
}

#[tokio::test]
async fn objects_live_through_the_node_client() {
    objects(Client::Node).await;
}

async fn objects(client: Client) {
    if !client.is_installed() {
        return;
    }
    // Clients ask the system for addresses, and it knows no names below `localhost`.
    let world = World::builder()
        .auth_host("localhost")
        .more(&tokens())
        .start()
        .await;
    let authority = authority();
    let known = [("AUTHORITY", authority.as_str())];
    client.live(&world, "applications", &known).await;
    let name = world.host("login");
    // As old as the keys of a gateway are that has been running for a while.
    world.pass(SignedDuration::from_hours(30));
    let known = [("AUTH_DOMAIN", name.as_str())];
    client.live(&world, "account", &known).await;
}

/// What the client wrote is what people are signed in by: with the secret that was sent once, and asked as was put.
#[tokio::test]
async fn a_provider_of_the_python_client_signs_people_in() {
    provider(Client::Python).await;
}

#[tokio::test]
async fn a_provider_of_the_node_client_signs_people_in() {
    provider(Client::Node).await;
}

async fn provider(client: Client) {
    if !client.is_installed() {
        return;
    }
    let world = World::builder()
        .auth_host("localhost")
        .more(&tokens())
        .start()
        .await;
    let third = world.host("third");
    let known = [
        ("TENANT", tenant::TENANT),
        ("CLIENT", tenant::CLIENT),
        ("CLIENT_SECRET", tenant::SECRET),
        ("THIRD", third.as_str()),
        ("ALICE", ALICE),
    ];
    let left = client.live(&world, "providers", &known).await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&third, "/deep").await;
    // No upstream serves it: the decision has fallen, and she was let in.
    assert_eq!(arrival.status(), 502, "{}", arrival.text());
    let asked = arrival.way.iter().find(|url| url.path().ends_with("/authorize"));
    let asked: Vec<_> = asked.unwrap().query_pairs().into_owned().collect();
    assert!(
        asked.contains(&("prompt".to_owned(), "login".to_owned())),
        "{asked:?}"
    );
    assert_eq!(world.person(ADAM).open(&third, "/deep").await.status(), 403);

    // The directory gets in with the secret that was told last, and with no other.
    let text = |key: &str| left[key].as_str().unwrap_or_else(|| panic!("{key} in {left}"));
    for (secret, status) in [("first", 401), ("second", 200)] {
        let filter = "/Users?filter=userName%20eq%20%22kim%22";
        let (answered, told) =
            super::directories::tell(&world, "GET", text("provider"), filter, text(secret), None).await;
        assert_eq!(answered, status, "{secret}: {told}");
        assert_eq!(
            told["totalResults"],
            if status == 200 { 0.into() } else { Value::Null }
        );
    }
}
