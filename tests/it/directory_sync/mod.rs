//! Directories that are read by Graph: what is changed in Entra has happened here within a round.

mod brake;
mod command_line;
mod effects;
mod faults;
mod groups_missing;
mod in_force;
mod links;
mod log;
mod replicas;
mod settings;

use std::time::{Duration, Instant};

use mock_entra::Recorded;
use vestibule::model::ids::{IdpId, ObjectId};
use vestibule::store::{DirectorySync, ScimKey, ScimUser};

use crate::scim::EVERYTHING;
use crate::support::somebody;
use crate::support::tenant::{CLIENT, TENANT};
use crate::support::world::{Builder, World};

const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";
const ADAM_OID: &str = "1bb22cc3-3dd4-4ee5-9ff6-6aa77b88c99d";

/// A world whose provider's directory is read, with these settings.
fn read_with(settings: &str) -> Builder {
    World::builder().provider(&sync_settings(settings))
}

/// The settings of reading, among those of a provider.
fn sync_settings(settings: &str) -> String {
    format!("[identity_providers.directory_sync]\ninterval = \"24h\"\n{settings}")
}

/// One with every effect, whose application may read and has.
async fn read() -> World {
    granted(read_with(EVERYTHING)).await
}

/// The application's permissions are granted, and the directory is read for the first time.
async fn granted(builder: Builder) -> World {
    let world = builder.start().await;
    grant(&world);
    let stands = sync(&world).await;
    assert_eq!(stands.failure, None);
    world
}

fn grant(world: &World) {
    world.entra.tenant(TENANT).edit_app(CLIENT, |app| {
        app.app_permission("User.Read.All")
            .app_permission("GroupMember.Read.All")
    });
}

/// The world's only provider.
fn provider(world: &World) -> IdpId {
    *world.running().published.load().providers.keys().next().unwrap()
}

/// A round, and how reading stands after it.
async fn sync(world: &World) -> DirectorySync {
    let (store, provider) = (&world.running().store, provider(world));
    let asked_ms = store.want_directory_sync(provider, &somebody()).await.unwrap();
    let began = Instant::now();
    loop {
        let stands = store.directory_sync(provider).await.unwrap().unwrap();
        if stands.began_ms >= asked_ms && stands.ended_ms >= stands.began_ms {
            return stands;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{stands:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A person as the directory told of them.
async fn told(world: &World, oid: &str) -> Option<ScimUser> {
    let object: ObjectId = oid.parse().unwrap();
    let found = world
        .running()
        .store
        .scim_with(provider(world), ScimKey::Object(object))
        .await;
    found.unwrap().into_iter().next()
}

/// The delta queries that came since the last look.
fn asked(world: &World) -> Vec<Recorded> {
    let mut requests = world.entra.requests();
    requests.retain(|request| request.path.ends_with("/delta"));
    world.entra.forget_requests();
    requests
}
