//! A record that comes to mean another object: whoever it meant before is not forgotten.

use serde_json::json;

use super::client::Directory;
use super::effects::ALICE_OID;
use super::{EVERYTHING, gets_in, provisioned};
use crate::support::tenant::{ALICE, STAFF};
use crate::support::world::World;

const OTHER: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a770000";

async fn told() -> (World, Directory, String) {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    (world, directory, alice)
}

/// Entra matches by `userName` and writes the id of the account that is called so now.
async fn becomes(directory: &Directory, id: &str, object: &str) {
    let operations = json!([{ "op": "Replace", "path": "externalId", "value": object }]);
    directory.patch(&format!("/Users/{id}"), operations).await;
}

async fn stays_out(world: &World) {
    let arrival = world.person(ALICE).open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
}

#[tokio::test]
async fn whoever_a_record_meant_before_is_signed_out_when_it_means_another_object() {
    let (world, directory, record) = told().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    becomes(&directory, &record, OTHER).await;
    assert!(
        !gets_in(&world, &browser).await,
        "nobody watches over that one now"
    );
}

#[tokio::test]
async fn what_is_said_of_the_record_later_concerns_whoever_it_meant_before() {
    // Whether the one before comes in the meantime or not.
    for comes in [true, false] {
        for deleted in [false, true] {
            let (world, directory, record) = told().await;
            let staff = directory.group(STAFF, "Staff", &[&record]).await;
            world.signed_in(ALICE, &["wiki"]).await;
            becomes(&directory, &record, OTHER).await;
            let mut browser = world.person(ALICE);
            if comes {
                browser = world.signed_in(ALICE, &["wiki"]).await;
            }
            directory.remove_member(&staff, &record).await;
            if deleted {
                directory.delete(&format!("/Users/{record}")).await;
            } else {
                directory.set_active(&record, false).await;
            }
            assert!(!gets_in(&world, &browser).await);
            stays_out(&world).await;
            if !deleted {
                // That is another one, and is told of.
                directory.set_active(&record, true).await;
                stays_out(&world).await;
                directory.delete(&format!("/Users/{record}")).await;
            }
            stays_out(&world).await;
            directory.person(ALICE_OID, ALICE).await;
            world.signed_in(ALICE, &["wiki"]).await;
        }
    }
}

#[tokio::test]
async fn whoever_was_inactive_stays_out_when_the_record_means_another_object() {
    let (world, directory, record) = told().await;
    directory.set_active(&record, false).await;
    // Nobody has seen her here yet.
    let operations = json!([{ "op": "Replace", "path": "externalId", "value": OTHER },
        { "op": "Replace", "path": "active", "value": "True" }]);
    directory.patch(&format!("/Users/{record}"), operations).await;
    stays_out(&world).await;
    becomes(&directory, &record, ALICE_OID).await;
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn whoever_is_told_of_by_a_record_of_their_own_is_meant_by_no_other() {
    let (world, directory, record) = told().await;
    becomes(&directory, &record, OTHER).await;
    let own = directory.person(ALICE_OID, "renamed@contoso.example").await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    directory.set_active(&record, false).await;
    assert!(gets_in(&world, &browser).await);
    directory.delete(&format!("/Users/{record}")).await;
    assert!(gets_in(&world, &browser).await);
    world.signed_in(ALICE, &["wiki"]).await;
    directory.set_active(&own, false).await;
    assert!(!gets_in(&world, &browser).await);
    stays_out(&world).await;
}

#[tokio::test]
async fn what_a_record_was_before_is_no_attribute_of_it() {
    let (_world, directory, record) = told().await;
    becomes(&directory, &record, OTHER).await;
    let shown = directory.get(&format!("/Users/{record}")).await;
    assert!(!shown.to_string().contains(ALICE_OID), "{shown}");
    let found = directory
        .get(&format!("/Users?filter=externalId eq \"{OTHER}\""))
        .await;
    assert!(!found.to_string().contains(ALICE_OID), "{found}");
}
