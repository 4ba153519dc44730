//! Nested groups: SCIM never tells of them; Graph is asked again where the application may.

use std::time::{Duration, Instant};

use mock_entra::{Endpoint, Fault, Group, MemberRef};
use serde_json::json;

use super::client::Directory;
use super::effects::ALICE_OID;
use super::{gets_in, provisioned};
use crate::support::tenant::{ALICE, CLIENT, STAFF, TENANT};
use crate::support::world::World;

const TEAM: &str = "a1000021-1111-4a11-8a11-000000000021";

async fn within_a_while(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() > Duration::from_secs(5) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Alice is in Team alone, and Team is in Staff, which opens the wiki.
async fn nested(permitted: bool) -> (World, Directory, String, String) {
    let world = provisioned("identity_update_behavior = \"automatic\"\n")
        .start()
        .await;
    let entra = world.entra.tenant(TENANT);
    entra
        .remove_member(STAFF, &MemberRef::user(ALICE_OID))
        .add_group(Group::new(TEAM, "Team").member(MemberRef::user(ALICE_OID)))
        .add_member(STAFF, MemberRef::group(TEAM));
    if permitted {
        entra.edit_app(CLIENT, |app| app.app_permission("GroupMember.Read.All"));
    }
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    // Both groups are assigned; Entra sends direct members alone.
    let team = directory.group(TEAM, "Team", &[&alice]).await;
    directory.group(STAFF, "Staff", &[]).await;
    (world, directory, alice, team)
}

#[tokio::test]
async fn what_is_inherited_from_a_group_goes_with_it() {
    for permitted in [true, false] {
        let (world, directory, alice, team) = nested(permitted).await;
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        // Entra tells both: Graph and the directory.
        world.entra.remove_member(TEAM, &MemberRef::user(ALICE_OID));
        directory.remove_member(&team, &alice).await;
        assert!(
            within_a_while(async || !gets_in(&world, &browser).await).await,
            "{permitted}"
        );
        world.entra.add_member(TEAM, MemberRef::user(ALICE_OID));
        directory.add_member(&team, &alice).await;
        if permitted {
            assert!(
                within_a_while(async || gets_in(&world, &browser).await).await,
                "read again from Graph"
            );
        } else {
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(!gets_in(&world, &browser).await, "nobody can say that she is in");
            world.signed_in(ALICE, &["wiki"]).await;
        }
    }
}

#[tokio::test]
async fn a_change_elsewhere_leaves_an_inherited_group_where_graph_confirms_it() {
    let (world, directory, alice, _) = nested(true).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let other = directory
        .group("a1000022-1111-4a11-8a11-000000000022", "Other", &[&alice])
        .await;
    directory.remove_member(&other, &alice).await;
    let asked = world.entra.count(mock_entra::Endpoint::Graph);
    directory
        .patch(
            &format!("/Groups/{other}"),
            json!([{ "op": "Add", "path": "members", "value": alice }]),
        )
        .await;
    assert!(within_a_while(async || world.entra.count(mock_entra::Endpoint::Graph) > asked).await);
    for _ in 0..10 {
        assert!(gets_in(&world, &browser).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn whoever_stops_before_groups_are_read_again_leaves_it_to_whoever_starts() {
    let (mut world, directory, alice, team) = nested(false).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.remove_member(TEAM, &MemberRef::user(ALICE_OID));
    world.entra.fail_next(Fault::Slow {
        endpoint: Endpoint::Token,
        ms: 60_000,
    });
    directory.remove_member(&team, &alice).await;
    assert!(
        gets_in(&world, &browser).await,
        "until it is known that it is inherited no longer"
    );
    world.entra.clear_faults();
    world.restart().await;
    assert!(within_a_while(async || !gets_in(&world, &browser).await).await);
}
