//! Two gateways on one PostgreSQL: one reads, both follow.

use std::time::Duration;

use super::{ALICE_OID, asked, granted, read_with, sync};
use crate::scim::{EVERYTHING, PROMISE};
use crate::support::database::on_postgres;
use crate::support::tenant::ALICE;

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
