//! Many who are missing at once are not believed the first time.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mock_entra::{Fault, Group, MemberRef, User};
use serde_json::json;
use vestibule::model::scim::{IdentityUpdate, UserRecord};
use vestibule::store::{DirectorySync, ScimRules};

use super::{ALICE_OID, grant, granted, provider, read, read_with, sync, told};
use crate::scim::{EVERYTHING, gets_in};
use crate::support::database::on_postgres;
use crate::support::log;
use crate::support::person::Person;
use crate::support::telling::Fixed;
use crate::support::tenant::{ALICE, STAFF, TENANT};
use crate::support::world::World;

fn oid(number: usize) -> String {
    uuid::Uuid::new_v5(
        &uuid::Uuid::NAMESPACE_URL,
        format!("many{number}@contoso.example").as_bytes(),
    )
    .to_string()
}

async fn many_gone() -> (World, Person) {
    many_gone_in(read().await).await
}

/// Forty people; then Alice and twenty of them are gone, and Graph does not say so one by one.
async fn many_gone_in(world: World) -> (World, Person) {
    let entra = world.entra.tenant(TENANT);
    for number in 0..40 {
        entra.add_user(User::member(format!("many{number}@contoso.example")));
    }
    assert_eq!(sync(&world).await.people, 43);
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    for number in 0..20 {
        entra.purge_user(&oid(number));
    }
    entra.purge_user(ALICE_OID);
    world.entra.expire_delta_tokens();
    (world, browser)
}

#[tokio::test]
async fn whoever_is_missing_among_many_is_out_when_a_second_round_says_so() {
    let (world, browser) = many_gone().await;
    let store = &world.running().store;
    let stands = sync(&world).await;
    let why = stands.failure.unwrap();
    assert!(why.starts_with("21 of 43 people"), "{why}");
    assert_eq!(stands.held_back, 21);
    assert!(gets_in(&world, &browser).await, "nothing was done yet");
    assert!(log::contains("21 of 43 people would be put out at once"));
    assert_eq!(
        store
            .count_scim::<vestibule::store::ScimUser>(provider(&world))
            .await
            .unwrap(),
        43
    );
    // Five minutes later it is read again by itself.
    world.pass(SignedDuration::from_mins(6));
    let began = Instant::now();
    while gets_in(&world, &browser).await {
        assert!(began.elapsed().as_secs() < 20);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let stands = sync(&world).await;
    assert_eq!(
        (stands.failure, stands.held_back_ms, stands.people),
        (None, None, 22)
    );
}

#[tokio::test]
async fn an_operator_who_asks_for_another_round_confirms_it() {
    let (world, browser) = many_gone().await;
    assert!(sync(&world).await.failure.is_some());
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(sync(&world).await.failure, None);
    assert!(!gets_in(&world, &browser).await);
}

#[tokio::test]
async fn a_second_round_that_says_more_is_held_back_as_the_first_was() {
    let (world, browser) = many_gone().await;
    assert!(sync(&world).await.failure.is_some());
    for number in 20..36 {
        world.entra.purge_user(&oid(number));
    }
    // By its own time, and then by the operator's word.
    world.pass(SignedDuration::from_mins(6));
    let stands = next_round(&world, |stands| stands.held_back != 21).await;
    assert_eq!(stands.held_back, 37, "{stands:?}");
    let why = stands.failure.unwrap();
    assert!(why.contains("not what the round before said"), "{why}");
    world.entra.purge_user(&oid(36));
    world.entra.purge_user(&oid(37));
    for number in 0..20 {
        restore(&world, number);
    }
    assert!(gets_in(&world, &browser).await, "nothing was done");
    // Fewer than were held back, and two more, who may go unasked.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.people), (None, 24));
    assert!(!gets_in(&world, &browser).await);
}

#[tokio::test]
async fn what_was_held_back_long_ago_confirms_nothing() {
    let (world, _browser) = many_gone().await;
    assert!(sync(&world).await.failure.is_some());
    world.entra.fail_always(Fault::Graph {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        retry_after: Some("3600".to_owned()),
        from_page: 0,
    });
    world.pass(SignedDuration::from_hours(25));
    let stands = next_round(&world, is_outage).await;
    assert_eq!(stands.held_back, 21);
    world.entra.clear_faults();
    let stands = sync(&world).await;
    let why = stands.failure.unwrap_or_default();
    assert!(why.starts_with("21 of 43 people"), "{why}");
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(sync(&world).await.failure, None);
}

fn is_outage(stands: &DirectorySync) -> bool {
    stands.failure.as_ref().is_some_and(|why| why.contains("503"))
}

/// Somebody who was gone for good is in the directory again.
fn restore(world: &World, number: usize) {
    let user = User::member(format!("many{number}@contoso.example"));
    world.entra.tenant(TENANT).add_user(user);
}

/// How reading stands once it stands like this, by rounds that nobody asked for.
async fn next_round(world: &World, stands_so: impl Fn(&DirectorySync) -> bool) -> DirectorySync {
    let began = Instant::now();
    loop {
        let stands = world.running().store.directory_sync(provider(world)).await;
        let stands = stands.unwrap().unwrap();
        if stands_so(&stands) {
            return stands;
        }
        assert!(began.elapsed().as_secs() < 20, "{stands:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn whoever_scim_told_of_by_another_id_stays_where_graph_tells_the_name() {
    let world = read_with(EVERYTHING).start().await;
    let provider = provider(&world);
    let rules = Fixed(ScimRules {
        user_deprovision: true,
        seat_deprovision: true,
        identity_update: IdentityUpdate::Automatic,
        names_repeat: false,
        round: None,
        journal: None,
        actor: None,
    });
    for number in 0..40 {
        let name = format!("many{number}@contoso.example");
        world.entra.tenant(TENANT).add_user(User::member(&name));
        let record = json!({ "userName": name, "externalId": format!("many{number}"), "active": true });
        let record = UserRecord(record.as_object().unwrap().clone());
        let store = &world.running().store;
        store.insert_scim_user(provider, &record, &rules).await.unwrap();
    }
    grant(&world);
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.people), (None, 43));
    assert!(told(&world, &oid(39)).await.unwrap().record.is_active());
}

#[tokio::test]
async fn many_who_are_named_one_by_one_are_out_at_once() {
    let world = read().await;
    let entra = world.entra.tenant(TENANT);
    for number in 0..20 {
        entra.add_user(User::member(format!("many{number}@contoso.example")));
        entra.add_member(STAFF, MemberRef::user(oid(number)));
    }
    sync(&world).await;
    let browser = world.signed_in("many7@contoso.example", &["wiki"]).await;
    for number in 0..20 {
        world.entra.disable_user(&oid(number));
    }
    assert_eq!(sync(&world).await.failure, None);
    assert!(!gets_in(&world, &browser).await);
    assert!(!told(&world, &oid(19)).await.unwrap().record.is_active());
}

on_postgres! {
    async fn what_is_held_back_is_kept_on_postgresql_as_well(database) {
        let world = granted(read_with(EVERYTHING).gateways(2).on(&database)).await;
        let (world, mut browser) = many_gone_in(world).await;
        assert_eq!(sync(&world).await.held_back, 21);
        let hold = world.running().store.directory_hold(provider(&world)).await.unwrap().unwrap();
        assert_eq!((hold.losses.people.len(), hold.losses.count()), (21, 21));
        assert!(gets_in(&world, &browser).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(sync(&world).await.failure, None);
        browser.via = world.dial_of(1);
        tokio::time::sleep(crate::scim::PROMISE).await;
        assert!(!gets_in(&world, &browser).await, "whichever gateway read the directory");

        // Memberships, one by one.
        let big = "a1000022-1111-4a11-8a11-000000000022";
        let entra = world.entra.tenant(TENANT);
        let group = (20..40).fold(Group::new(big, "Big"), |group, number| group.member(MemberRef::user(oid(number))));
        entra.add_group(group);
        assert_eq!(sync(&world).await.failure, None);
        for number in 20..36 {
            entra.remove_member(big, &MemberRef::user(oid(number)));
        }
        world.entra.expire_delta_tokens();
        let stands = sync(&world).await;
        let hold = world.running().store.directory_hold(provider(&world)).await.unwrap().unwrap();
        assert_eq!((stands.held_back, hold.losses.memberships()), (16, 16), "{stands:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
        let stands = sync(&world).await;
        assert_eq!((stands.failure, stands.held_back), (None, 0));
    }
}
