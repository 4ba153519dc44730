//! Many who are missing at once are not believed the first time.

use jiff::SignedDuration;
use mock_entra::{MemberRef, User};

use super::{ALICE_OID, provider, read, sync, told};
use crate::scim::gets_in;
use crate::support::log;
use crate::support::tenant::{ALICE, STAFF, TENANT};
use crate::support::world::World;

fn oid(number: usize) -> String {
    uuid::Uuid::new_v5(
        &uuid::Uuid::NAMESPACE_URL,
        format!("many{number}@contoso.example").as_bytes(),
    )
    .to_string()
}

/// Forty people; then Alice and twenty of them are gone, and Graph does not say so one by one.
async fn many_gone() -> (World, crate::support::person::Person) {
    let world = read().await;
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
    assert_eq!(store.count_scim_users(provider(&world)).await.unwrap(), 43);
    // Five minutes later it is read again by itself.
    world.pass(SignedDuration::from_mins(6));
    let began = std::time::Instant::now();
    while gets_in(&world, &browser).await {
        assert!(began.elapsed().as_secs() < 20);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
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
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(sync(&world).await.failure, None);
    assert!(!gets_in(&world, &browser).await);
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
