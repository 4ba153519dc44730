//! Two gateways on one PostgreSQL: one reads, both follow.

use std::time::{Duration, Instant};

use mock_entra::{Endpoint, Fault};

use super::{ALICE_OID, asked, granted, provider, read, read_with, sync, told};
use crate::scim::{EVERYTHING, PROMISE};
use crate::support::database::on_postgres;
use crate::support::somebody;
use crate::support::tenant::ALICE;

#[tokio::test]
async fn a_round_that_another_gateway_has_taken_over_from_does_nothing_any_more() {
    let world = read().await;
    let store = &world.running().store;
    world.entra.disable_user(ALICE_OID);
    let asked = world.entra.count(Endpoint::Graph);
    world.entra.fail_next(Fault::Slow {
        endpoint: Endpoint::Graph,
        ms: 1_500,
    });
    store
        .want_directory_sync(provider(&world), &somebody())
        .await
        .unwrap();
    let began = Instant::now();
    while world.entra.count(Endpoint::Graph) == asked {
        assert!(began.elapsed() < Duration::from_secs(20), "Graph is not asked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // While Graph is asked, as if this gateway had been asleep for long.
    let another = "UPDATE directory_syncs SET holder = 'another'";
    world.database().run(another).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let alice = told(&world, ALICE_OID).await.unwrap();
    assert!(alice.record.is_active(), "it was the other's to write");
    let stands = store.directory_sync(provider(&world)).await.unwrap().unwrap();
    assert!(stands.held_until_ms > 0, "it still is the other's: {stands:?}");
    let gone = "UPDATE directory_syncs SET holder = NULL, held_until_ms = 0";
    world.database().run(gone).await;
    sync(&world).await;
    assert!(!told(&world, ALICE_OID).await.unwrap().record.is_active());
}

on_postgres! {
    async fn of_two_gateways_one_reads_and_both_know(database) {
        let world = granted(read_with(EVERYTHING).gateways(2).on(&database)).await;
        let mut elsewhere = world.signed_in(ALICE, &["wiki"]).await;
        elsewhere.via = world.dial_of(1);
        elsewhere.upn = None;
        assert_eq!(elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        for _ in 0..5 {
            asked(&world);
            sync(&world).await;
            // Whoever would read as well has had the time to.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert_eq!(asked(&world).len(), 2, "people and groups, once each");
        }
        world.entra.disable_user(ALICE_OID);
        sync(&world).await;
        tokio::time::sleep(PROMISE).await;
        assert_ne!(elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    }
}
