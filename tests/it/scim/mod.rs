//! SCIM as Entra speaks it, over real HTTP, and what it does to people who are signed in.

mod addresses;
mod answers;
mod by_api;
mod client;
mod effects;
mod engine;
mod expect;
mod fixtures;
mod former;
mod grammar;
mod in_flight;
mod in_force;
mod inherited;
mod large;
mod limits;
mod linking;
mod log;
mod replicas;
mod secret;
mod sequences;
mod silence;
mod slow_bodies;

use std::time::Duration;

pub(crate) use self::client::Directory;
pub(crate) use self::effects::ALICE_OID;
use crate::support::person::Person;
use crate::support::wire::Wire;
use crate::support::world::{Builder, World};

/// The promise of the design, from the answer of SCIM on.
pub(crate) const PROMISE: Duration = Duration::from_secs(1);

/// A world whose provider's directory provisions, with these further settings.
pub(crate) fn provisioned(settings: &str) -> Builder {
    World::builder().provider(&format!(
        "[identity_providers.scim_config]\nenabled = true\n{settings}"
    ))
}

/// Everything that a directory can do.
pub(crate) const EVERYTHING: &str =
    "user_deprovision = true\nseat_deprovision = true\nidentity_update_behavior = \"automatic\"\n";

/// A WebSocket of a person who is inside, idle.
pub(crate) async fn socket(world: &World, person: &Person) -> Wire {
    let upgrade = [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut socket = person.begin("GET", &world.host("wiki"), "/ws", &upgrade).await;
    assert_eq!(socket.head().await.unwrap().status, 101);
    socket.send(b"hello").await;
    assert_eq!(socket.take(5).await, b"hello");
    socket
}

/// Whether a request with the person's cookies reaches the application, without any sign-in.
pub(crate) async fn gets_in(world: &World, person: &Person) -> bool {
    let mut person = person.clone();
    person.fetch(&world.host("wiki"), "/x", &[]).await.status == 200
}
