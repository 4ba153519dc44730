//! Who of the directory is who of those that sign in: by object; by address once, and never against the object.

use std::time::{Duration, Instant};

use mock_entra::{MemberRef, User};
use serde_json::json;
use vestibule::model::ids::UserId;

use super::client::{Directory, provider};
use super::effects::ALICE_OID;
use super::{EVERYTHING, PROMISE, gets_in, provisioned};
use crate::support::person::Person;
use crate::support::tenant::{ADAM, ALICE, STAFF, TENANT};
use crate::support::world::World;

/// A world whose directory can do everything, and the directory.
async fn told_everything() -> (World, Directory) {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    (world, directory)
}

/// Tells of somebody by a name and an id that is no object's.
async fn called(directory: &Directory, name: &str, external_id: &str) -> String {
    let body = json!({ "userName": name, "externalId": external_id });
    directory.create("/Users", &body).await
}

/// Who signs in by Alice's address is refused.
async fn stays_out(world: &World) {
    let arrival = world.person(ALICE).open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
}

const NEWCOMER: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a770000";

/// Alice leaves, and the account of somebody new is called as hers was.
fn succeeded(world: &World) {
    world.entra.delete_user(ALICE_OID);
    world
        .entra
        .tenant(TENANT)
        .add_user(User::member(ALICE).oid(NEWCOMER).name("Alicia Newcomer"))
        .add_member(STAFF, MemberRef::user(NEWCOMER));
}

async fn user(world: &World, upn: &str) -> UserId {
    let users = world
        .store()
        .await
        .users_with_email(&upn.parse().unwrap())
        .await
        .unwrap();
    assert_eq!(users.len(), 1);
    users[0].id
}

/// The resource that a user is linked to.
async fn linked(world: &World, upn: &str) -> Option<String> {
    let user = user(world, upn).await;
    let linked = world.store().await.scim_user_of(user).await.unwrap();
    linked.map(|linked| linked.id.to_string())
}

/// The user that a resource is linked to.
async fn user_behind(world: &World, resource: &str) -> UserId {
    let id = resource.parse().unwrap();
    let told = world.store().await.scim_user(provider(world), id).await;
    told.unwrap().unwrap().user.unwrap()
}

#[tokio::test]
async fn an_address_links_once_whoever_comes_first() {
    let (world, directory) = told_everything().await;
    // Adam signs in first, Alice is told of first; the directory gives mail nicknames for ids.
    world.signed_in(ADAM, &["wiki"]).await;
    let adam = called(&directory, &ADAM.to_uppercase(), "adam").await;
    let alice = directory
        .create(
            "/Users",
            &json!({ "userName": "u4711@corp.example", "externalId": "alice", "emails": [{ "type": "work", "value": ALICE }] }),
        )
        .await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(linked(&world, ADAM).await.as_deref(), Some(&*adam));
    assert_eq!(linked(&world, ALICE).await.as_deref(), Some(&*alice));
    // The link outlives the address.
    directory
        .patch(
            &format!("/Users/{alice}"),
            json!([{ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "other@corp.example" }]),
        )
        .await;
    assert_eq!(linked(&world, ALICE).await.as_deref(), Some(&*alice));
    directory.set_active(&alice, false).await;
    assert!(!gets_in(&world, &browser).await);
    stays_out(&world).await;
    // Whoever gets the address next is somebody else: nothing links a second time to one that is linked.
    let successor = called(&directory, ALICE, "alice2").await;
    assert_eq!(linked(&world, ALICE).await.as_deref(), Some(&*alice));
    assert_ne!(successor, alice);
    stays_out(&world).await;
}

#[tokio::test]
async fn an_address_links_nobody_against_the_object() {
    let (world, directory) = told_everything().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    // Her address, and the object of somebody else.
    let other = directory
        .person("5bb22cc3-3dd4-4ee5-9ff6-6aa77b88c99d", ALICE)
        .await;
    assert_eq!(linked(&world, ALICE).await, None);
    directory.set_active(&other, false).await;
    assert!(gets_in(&world, &browser).await, "that was somebody else");
    world.signed_in(ALICE, &["wiki"]).await;
    // Her object, whatever the address.
    let alice = directory.person(ALICE_OID, "someone@corp.example").await;
    assert_eq!(linked(&world, ALICE).await.as_deref(), Some(&*alice));
}

#[tokio::test]
async fn two_candidates_are_none() {
    let (world, directory) = told_everything().await;
    let mails = json!([{ "type": "work", "value": ALICE }]);
    for name in ["a@corp.example", "b@corp.example"] {
        directory
            .create("/Users", &json!({ "userName": name, "emails": mails }))
            .await;
    }
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(linked(&world, ALICE).await, None);
}

#[tokio::test]
async fn whoever_was_linked_by_address_and_deleted_stays_out_until_told_of_again() {
    let (world, directory) = told_everything().await;
    let alice = called(&directory, ALICE, "alice").await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    directory.delete(&format!("/Users/{alice}")).await;
    assert!(!gets_in(&world, &browser).await);
    stays_out(&world).await;
    let again = called(&directory, ALICE, "alice").await;
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(linked(&world, ALICE).await.as_deref(), Some(&*again));
}

#[tokio::test]
async fn an_object_belongs_to_one_person() {
    let (_world, directory) = told_everything().await;
    directory.person(ALICE_OID, "a@corp.example").await;
    let body = json!({ "userName": "b@corp.example", "externalId": ALICE_OID });
    let reply = directory.ask("POST", "/Users", Some(&body)).await;
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.text().contains("externalId"));
}

#[tokio::test]
async fn whoever_signed_in_before_provisioning_was_turned_on_is_linked_by_address() {
    let mut world = World::start().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world
        .declare(|builder| {
            builder.provider(&format!(
                "[identity_providers.scim_config]\nenabled = true\n{EVERYTHING}"
            ))
        })
        .await;
    let began = Instant::now();
    while world.running().published.load().providers[&provider(&world)]
        .scim
        .is_none()
    {
        assert!(began.elapsed() < PROMISE, "it is not in force");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let directory = Directory::of(&world).await;
    let alice = called(&directory, ALICE, "alice").await;
    assert_eq!(linked(&world, ALICE).await.as_deref(), Some(&*alice));
    assert!(gets_in(&world, &browser).await);
    directory.set_active(&alice, false).await;
    assert!(!gets_in(&world, &browser).await);
}

#[tokio::test]
async fn an_address_that_went_to_somebody_new_links_them_and_no_longer_the_one_before() {
    let (world, directory) = told_everything().await;
    let resource = called(&directory, ALICE, "alice").await;
    let before = world.signed_in(ALICE, &["wiki"]).await;
    // She left; a year later the account of somebody new is called as hers was.
    succeeded(&world);
    let newcomer = world.signed_in(ALICE, &["wiki"]).await;
    let began = Instant::now();
    while gets_in(&world, &before).await {
        assert!(began.elapsed() < PROMISE, "nobody watches over that one now");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The directory means who has the address.
    directory.set_active(&resource, false).await;
    assert!(!gets_in(&world, &newcomer).await);
    stays_out(&world).await;
    directory.set_active(&resource, true).await;
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn whoever_left_puts_nobody_out_who_got_the_address() {
    let (world, directory) = told_everything().await;
    let resource = called(&directory, ALICE, "alice").await;
    let before = world.signed_in(ALICE, &["wiki"]).await;
    directory.set_active(&resource, false).await;
    assert!(!gets_in(&world, &before).await);
    succeeded(&world);
    // What was said of the one before does not concern her, whatever more is said; from when it is said anew, it does.
    let newcomer = world.signed_in(ALICE, &["wiki"]).await;
    for title in ["Clerk", "Pensioner"] {
        let operations = json!([{ "op": "Replace", "path": "title", "value": title }]);
        directory.patch(&format!("/Users/{resource}"), operations).await;
        assert!(gets_in(&world, &newcomer).await, "{title}");
    }
    directory.set_active(&resource, true).await;
    assert!(gets_in(&world, &newcomer).await);
    directory.set_active(&resource, false).await;
    assert!(!gets_in(&world, &newcomer).await);
}

/// Alice is told of by her own name and signs in; then somebody new comes with her address, of whom the directory has
/// told nothing. Gives the resource, and both browsers.
async fn succeeded_unheard_of(world: &World, directory: &Directory) -> (String, Person, Person) {
    let body = json!({ "userName": ALICE, "externalId": "alice", "displayName": "Alice Example" });
    let resource = directory.create("/Users", &body).await;
    let before = world.signed_in(ALICE, &["wiki"]).await;
    succeeded(world);
    let newcomer = world.signed_in(ALICE, &["wiki"]).await;
    (resource, before, newcomer)
}

#[tokio::test]
async fn deactivating_whoever_left_reaches_nobody_unheard_of_who_has_the_address() {
    let (world, directory) = told_everything().await;
    let (resource, before, newcomer) = succeeded_unheard_of(&world, &directory).await;
    assert!(
        gets_in(&world, &before).await,
        "the directory watches over her still"
    );
    let left = user_behind(&world, &resource).await;
    directory.set_active(&resource, false).await;
    assert!(!gets_in(&world, &before).await);
    assert!(gets_in(&world, &newcomer).await, "that was somebody else");
    world.signed_in(ALICE, &["wiki"]).await;
    let store = world.store().await;
    assert!(store.user(left).await.unwrap().unwrap().deprovisioned);
    // Deleted in the end, nor does that.
    directory.delete(&format!("/Users/{resource}")).await;
    assert!(gets_in(&world, &newcomer).await);
}

#[tokio::test]
async fn deleting_whoever_left_reaches_nobody_unheard_of_who_has_the_address() {
    let (world, directory) = told_everything().await;
    let (resource, before, newcomer) = succeeded_unheard_of(&world, &directory).await;
    directory.delete(&format!("/Users/{resource}")).await;
    assert!(!gets_in(&world, &before).await && gets_in(&world, &newcomer).await);
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn whoever_has_the_address_is_meant_once_the_directory_says_anything_of_them() {
    let (world, directory) = told_everything().await;
    let (resource, before, newcomer) = succeeded_unheard_of(&world, &directory).await;
    let operations = json!([{ "op": "Replace", "path": "displayName", "value": "Alicia Newcomer" }]);
    directory.patch(&format!("/Users/{resource}"), operations).await;
    assert!(
        !gets_in(&world, &before).await,
        "nobody watches over that one now"
    );
    directory.set_active(&resource, false).await;
    assert!(!gets_in(&world, &newcomer).await);
    stays_out(&world).await;
}

#[tokio::test]
async fn whoever_left_and_is_deleted_puts_nobody_out_who_got_the_address() {
    let (world, directory) = told_everything().await;
    let resource = directory
        .create("/Users", &json!({ "userName": ALICE, "externalId": "alice" }))
        .await;
    world.signed_in(ALICE, &["wiki"]).await;
    let left = user(&world, ALICE).await;
    directory.set_active(&resource, false).await;
    succeeded(&world);
    let newcomer = world.signed_in(ALICE, &["wiki"]).await;
    // Thirty days later Entra deletes what it had disabled.
    directory.delete(&format!("/Users/{resource}")).await;
    assert!(gets_in(&world, &newcomer).await);
    world.signed_in(ALICE, &["wiki"]).await;
    let store = world.store().await;
    assert!(store.user(left).await.unwrap().unwrap().deprovisioned);
}

#[tokio::test]
async fn whoever_is_deleted_before_the_first_sign_in_stays_out_by_address_too() {
    let (world, directory) = told_everything().await;
    let alice = directory
        .create(
            "/Users",
            &json!({ "userName": "u4711", "emails": [{ "type": "work", "value": ALICE.to_uppercase() }] }),
        )
        .await;
    directory.delete(&format!("/Users/{alice}")).await;
    for _ in 0..2 {
        stays_out(&world).await;
    }
    world.signed_in(ADAM, &["wiki"]).await;
    // Told of anew, and active, she may sign in; one who is inactive may not.
    let again = directory
        .create("/Users", &json!({ "userName": ALICE, "active": false }))
        .await;
    stays_out(&world).await;
    directory.set_active(&again, true).await;
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn of_several_with_an_address_who_is_active_counts_and_where_none_is_nobody_gets_in() {
    let (world, directory) = told_everything().await;
    let mails = json!([{ "type": "work", "value": ALICE }]);
    let mut made = Vec::new();
    for name in ["a@corp.example", "b@corp.example"] {
        let body = json!({ "userName": name, "emails": mails, "active": false });
        made.push(directory.create("/Users", &body).await);
    }
    stays_out(&world).await;
    directory.set_active(&made[1], true).await;
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(linked(&world, ALICE).await.as_deref(), Some(&*made[1]));
}
