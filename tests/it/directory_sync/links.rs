//! Where a round begins: after the one before, or with everybody.

use mock_entra::{MemberRef, User};
use vestibule::store::ScimUpdateFilter;

use super::{ADAM_OID, ALICE_OID, asked, provider, read, sync, told};
use crate::scim::gets_in;
use crate::support::tenant::{ALICE, STAFF, TENANT};
use crate::support::world::World;

async fn rows(world: &World) -> usize {
    let filter = ScimUpdateFilter {
        providers: vec![provider(world)],
        limit: 1000,
        ..ScimUpdateFilter::default()
    };
    world.running().store.scim_updates(&filter).await.unwrap().len()
}

#[tokio::test]
async fn a_gateway_that_is_started_again_goes_on_where_it_was() {
    let mut world = read().await;
    let first = asked(&world);
    assert!(first.iter().any(|request| request.query.contains("$select")));
    world.restart().await;
    world.entra.disable_user(ALICE_OID);
    sync(&world).await;
    let after = asked(&world);
    assert!(!after.is_empty());
    for request in &after {
        assert!(request.query.starts_with("$deltatoken="), "{request:?}");
    }
    assert!(!told(&world, ALICE_OID).await.unwrap().record.is_active());
}

#[tokio::test]
async fn a_link_that_graph_knows_no_more_leads_to_a_whole_round_and_to_who_is_missing_in_it() {
    let world = read().await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.purge_user(ALICE_OID).expire_delta_tokens();
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.people), (None, 2));
    assert!(!gets_in(&world, &browser).await);
    assert_eq!(told(&world, ALICE_OID).await, None);
    assert!(told(&world, ADAM_OID).await.is_some());
    // From there on changes are asked for again.
    asked(&world);
    sync(&world).await;
    assert!(
        asked(&world)
            .iter()
            .all(|request| request.query.starts_with("$deltatoken="))
    );
}

#[tokio::test]
async fn everybody_is_read_anew_each_day_and_after_a_change_of_the_app() {
    let world = read().await;
    asked(&world);
    world.pass(jiff::SignedDuration::from_hours(25));
    sync(&world).await;
    let requests = asked(&world);
    assert!(
        requests.iter().any(|request| request.query.contains("$select")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn pages_of_any_size_and_changes_told_twice_make_no_difference() {
    let world = read().await;
    for number in 0..5 {
        let person = User::member(format!("p{number}@contoso.example"));
        world.entra.tenant(TENANT).add_user(person);
        let oid = uuid::Uuid::new_v5(
            &uuid::Uuid::NAMESPACE_URL,
            format!("p{number}@contoso.example").as_bytes(),
        );
        world.entra.add_member(STAFF, MemberRef::user(oid.to_string()));
    }
    world
        .entra
        .graph_page_size(2)
        .graph_empty_first_page(true)
        .graph_delta_replays(true);
    let stands = sync(&world).await;
    assert_eq!((stands.failure, stands.people), (None, 8));
    let group = world
        .running()
        .store
        .scim_with::<vestibule::store::ScimGroup>(
            provider(&world),
            vestibule::store::ScimKey::Object(STAFF.parse().unwrap()),
        )
        .await
        .unwrap()
        .remove(0);
    let members = world
        .running()
        .store
        .scim_members(group.id, None, 100)
        .await
        .unwrap();
    assert_eq!(members.len(), 7);
    let written = rows(&world).await;
    asked(&world);
    sync(&world).await;
    assert!(asked(&world).len() > 4, "the same again, in pages");
    assert_eq!(
        rows(&world).await,
        written,
        "nothing happened: {:#?}",
        world
            .running()
            .store
            .scim_updates(&vestibule::store::ScimUpdateFilter {
                providers: vec![provider(&world)],
                limit: 3,
                ..Default::default()
            })
            .await
            .unwrap()
    );
    // And as a whole.
    world.entra.expire_delta_tokens();
    sync(&world).await;
    assert_eq!(
        world
            .running()
            .store
            .scim_members(group.id, None, 100)
            .await
            .unwrap()
            .len(),
        7
    );
}
