//! A directory read at once because somebody said so: by a command, or through the API.

use vestibule::store::{ActorKind, Audited, Kind};

use super::{provider, read, read_with};
use crate::scim::EVERYTHING;
use crate::support::world::World;

#[tokio::test]
async fn the_command_tells_how_reading_went_and_is_written_down() {
    let world = read().await;
    let said = world.type_in(&["idp", "list"]).await.fine();
    assert!(said.contains("3 people, 2 groups"), "{said}");

    let said = world.type_in(&["idp", "sync", "Entra ID"]).await.fine();
    assert!(said.contains("3 people, 2 groups"), "{said}");
    let line = world.store().await.audit(1, 1).await.unwrap().remove(0);
    assert_eq!(
        (line.action.as_str(), line.kind, line.id),
        (
            "start_directory_sync",
            Audited::Object(Kind::IdentityProvider),
            provider(&world).0
        )
    );
    assert_eq!(
        (line.actor.kind, line.actor.name.as_str()),
        (ActorKind::CommandLine, "vestibule idp")
    );
}

#[tokio::test]
async fn a_reading_that_fails_is_told_of_with_the_reason() {
    // Nothing was granted.
    let world = read_with(EVERYTHING).start().await;
    let said = world.type_in(&["idp", "sync", "Entra ID"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.out.contains("never successfully") && said.out.contains("GroupMember.Read.All"),
        "{said:?}"
    );
}

#[tokio::test]
async fn where_no_directory_is_read_the_command_says_what_it_takes() {
    let world = World::start().await;
    let said = world.type_in(&["idp", "sync", "Entra ID"]).await;
    assert_eq!(said.code, Some(64), "{said:?}");
    assert!(
        said.err.contains("[identity_providers.directory_sync]"),
        "{said:?}"
    );
    let nobody = world.type_in(&["idp", "sync", "Okta"]).await;
    assert!(
        nobody.err.contains("no identity provider is called \"Okta\""),
        "{nobody:?}"
    );
}
