//! What a round does to people who are signed in.

use std::time::Instant;

use mock_entra::{Group, MemberRef, User};
use vestibule::store::ScimUpdateFilter;

use super::{ADAM_OID, ALICE_OID, grant, granted, provider, read, read_with, sync, told};
use crate::scim::{EVERYTHING, PROMISE, gets_in, socket};
use crate::support::tenant::{ADAM, ALICE, MALLORY, STAFF, TENANT};
use crate::support::world::World;

const TEAM: &str = "a1000021-1111-4a11-8a11-000000000021";

fn oid(upn: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, upn.as_bytes()).to_string()
}

async fn is_refused(world: &World, upn: &str) {
    let arrival = world.person(upn).open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
    assert!(arrival.asked_entra());
}

#[tokio::test]
async fn whoever_is_disabled_is_out_within_a_round_and_stays_out_until_another_says_otherwise() {
    let world = read().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let mut socket = socket(&world, &browser).await;
    world.entra.disable_user(ALICE_OID);
    let stands = sync(&world).await;
    let done = Instant::now();
    socket.end().await;
    assert!(!gets_in(&world, &browser).await);
    assert!(done.elapsed() < PROMISE);
    assert_eq!((stands.people, stands.groups), (3, 2));
    // Entra lets her in again; the directory has not been read since.
    world.entra.enable_user(ALICE_OID);
    is_refused(&world, ALICE).await;
    sync(&world).await;
    world.signed_in(ALICE, &["wiki"]).await;
    // It is written down as SCIM would have been.
    let filter = ScimUpdateFilter {
        providers: vec![provider(&world)],
        external_ids: vec![ALICE_OID.to_owned()],
        ..ScimUpdateFilter::default()
    };
    let rows = world.running().store.scim_updates(&filter).await.unwrap();
    let brief: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| (row.method.as_str(), row.status, row.effect.is_some()))
        .collect();
    assert_eq!(
        brief,
        [("POST", 201, false), ("PATCH", 200, true), ("PATCH", 200, true)],
        "{rows:#?}"
    );
    assert_eq!(rows[0].user_email.as_deref(), Some(ALICE));
}

#[tokio::test]
async fn groups_change_under_a_live_session() {
    let world = read().await;
    let mut mallory = world.person(MALLORY);
    assert_eq!(mallory.open(&world.host("wiki"), "/").await.status(), 403);
    let member = MemberRef::user(oid(MALLORY));
    world.entra.add_member(STAFF, member.clone());
    sync(&world).await;
    let arrival = mallory.open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert!(!arrival.asked_entra(), "no new sign-in");
    let mut socket = socket(&world, &mallory).await;
    world.entra.remove_member(STAFF, &member);
    sync(&world).await;
    let done = Instant::now();
    assert!(!gets_in(&world, &mallory).await);
    socket.end().await;
    assert!(done.elapsed() < PROMISE);
    // With the group itself.
    world.entra.add_member(STAFF, member);
    sync(&world).await;
    assert!(gets_in(&world, &mallory).await);
    world.entra.delete_group(STAFF);
    let stands = sync(&world).await;
    assert!(!gets_in(&world, &mallory).await);
    assert_eq!(stands.groups, 1);
}

#[tokio::test]
async fn sessions_end_where_groups_change_and_a_new_sign_in_is_wanted() {
    let world = granted(read_with("group_member_deprovision = true\n")).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world
        .entra
        .tenant(TENANT)
        .add_group(Group::new(TEAM, "Team").member(MemberRef::user(ALICE_OID)));
    sync(&world).await;
    assert!(!gets_in(&world, &browser).await);
    let again = world.signed_in(ALICE, &["wiki"]).await;
    sync(&world).await;
    assert!(gets_in(&world, &again).await, "nothing changed");
}

#[tokio::test]
async fn whoever_is_deleted_may_be_restored_and_whoever_is_purged_is_forgotten() {
    let world = read().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.delete_user(ALICE_OID);
    sync(&world).await;
    assert!(!gets_in(&world, &browser).await);
    assert!(!told(&world, ALICE_OID).await.unwrap().record.is_active());
    world.entra.restore_user(ALICE_OID);
    is_refused(&world, ALICE).await;
    sync(&world).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    // Her groups are still known: one is taken away.
    world.entra.remove_member(STAFF, &MemberRef::user(ALICE_OID));
    sync(&world).await;
    assert!(!gets_in(&world, &browser).await);
    world.entra.purge_user(ALICE_OID);
    let stands = sync(&world).await;
    assert_eq!((told(&world, ALICE_OID).await, stands.people), (None, 2));
    // Somebody of the same object comes out of nowhere.
    let alice = User::member(ALICE).oid(ALICE_OID);
    world.entra.tenant(TENANT).add_user(alice);
    world.entra.add_member(STAFF, MemberRef::user(ALICE_OID));
    is_refused(&world, ALICE).await;
    sync(&world).await;
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn whoever_was_made_and_deleted_between_two_rounds_is_out() {
    let world = read().await;
    let bob = "bob@contoso.example";
    world.entra.tenant(TENANT).add_user(User::member(bob));
    world.entra.add_member(STAFF, MemberRef::user(oid(bob)));
    let browser = world.signed_in(bob, &["wiki"]).await;
    assert!(gets_in(&world, &browser).await);
    world.entra.delete_user(&oid(bob));
    sync(&world).await;
    assert!(!gets_in(&world, &browser).await);
    world.entra.restore_user(&oid(bob));
    is_refused(&world, bob).await;
}

#[tokio::test]
async fn groups_within_groups_take_effect_when_they_come_and_go() {
    let world = read().await;
    let entra = world.entra.tenant(TENANT);
    entra
        .remove_member(STAFF, &MemberRef::user(ALICE_OID))
        .add_group(Group::new(TEAM, "Team").member(MemberRef::user(ALICE_OID)))
        .add_member(STAFF, MemberRef::group(TEAM));
    sync(&world).await;
    // What was taken from her a moment before a sign-in may have been taken during it, and is read again first.
    world.pass(jiff::SignedDuration::from_mins(3));
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    entra.remove_member(STAFF, &MemberRef::group(TEAM));
    sync(&world).await;
    assert!(
        !gets_in(&world, &browser).await,
        "she moved nowhere, her group did"
    );
    entra.add_member(STAFF, MemberRef::group(TEAM));
    sync(&world).await;
    assert!(gets_in(&world, &browser).await);
    // The group in between goes.
    entra.delete_group(TEAM);
    sync(&world).await;
    assert!(!gets_in(&world, &browser).await);
}

#[tokio::test]
async fn names_move_between_people_and_groups_may_be_called_the_same() {
    let world = read().await;
    let entra = world.entra.tenant(TENANT);
    // They swap names; whichever is told of first.
    entra
        .add_user(User::member("swap@contoso.example").oid(ALICE_OID))
        .add_user(User::member(ALICE).oid(ADAM_OID))
        .add_user(User::member(ADAM).oid(ALICE_OID))
        .add_group(Group::new(TEAM, "Staff").member(MemberRef::user(ALICE_OID)));
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.groups), (None, 3));
    let name = async |oid| told(&world, oid).await.unwrap().record.user_name().to_owned();
    assert_eq!(name(ALICE_OID).await, ADAM);
    assert_eq!(name(ADAM_OID).await, ALICE);
    let filter = ScimUpdateFilter {
        succeeded: Some(false),
        ..ScimUpdateFilter::default()
    };
    let refused = world.running().store.scim_updates(&filter).await.unwrap();
    assert_eq!(refused, []);
}

#[tokio::test]
async fn whoever_was_deleted_before_the_directory_was_ever_read_is_out_with_the_first_round() {
    let world = read_with(EVERYTHING).start().await;
    let old = world.signed_in(ALICE, &["wiki"]).await;
    world.pass(jiff::SignedDuration::from_hours(2));
    let new = world.signed_in(ADAM, &["wiki"]).await;
    world.entra.purge_user(ALICE_OID).purge_user(ADAM_OID);
    grant(&world);
    assert_eq!(sync(&world).await.failure, None);
    assert!(!gets_in(&world, &old).await);
    assert!(gets_in(&world, &new).await, "Graph may not know of him yet");
}

#[tokio::test]
async fn a_membership_that_was_not_told_of_ends_where_a_sign_in_found_it() {
    let world = read().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let (store, provider) = (&world.running().store, provider(&world));
    let staff = vestibule::store::ScimKey::Object(STAFF.parse().unwrap());
    let staff = store
        .scim_with::<vestibule::store::ScimGroup>(provider, staff)
        .await
        .unwrap()
        .remove(0);
    let alice = told(&world, ALICE_OID).await.unwrap();
    // As after a restoration: the row is not there.
    let settings = world.running().published.load().providers[&provider]
        .sync
        .clone()
        .unwrap();
    let rules = crate::support::telling::Fixed(vestibule::store::ScimRules {
        identity_update: vestibule::model::scim::IdentityUpdate::NoAction,
        ..vestibule::manage::rules_of(&settings.told)
    });
    let change = |before: &vestibule::model::scim::GroupRecord| {
        let left = vestibule::store::Membership::Remove(vec![alice.id]);
        Ok::<_, std::convert::Infallible>((before.clone(), vec![left]))
    };
    store
        .update_scim_group(provider, staff.id, &change, &rules)
        .await
        .unwrap();
    assert!(gets_in(&world, &browser).await);
    world.entra.remove_member(STAFF, &MemberRef::user(ALICE_OID));
    sync(&world).await;
    assert!(!gets_in(&world, &browser).await);
}
