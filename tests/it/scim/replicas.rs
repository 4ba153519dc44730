//! Two gateways on one PostgreSQL: what is told to one has happened at the other within a second.

use std::time::{Duration, Instant};

use super::client::Directory;
use super::effects::ALICE_OID;
use super::{EVERYTHING, PROMISE, provisioned, socket};
use crate::support::database::on_postgres;
use crate::support::tenant::{ALICE, STAFF};

on_postgres! {
    async fn whoever_is_deactivated_at_one_gateway_is_out_at_the_other(database) {
        let world = provisioned(EVERYTHING).gateways(2).on(&database).start().await;
        let directory = Directory::of(&world).await;
        let alice = directory.person(ALICE_OID, ALICE).await;
        let staff = directory.group(STAFF, "Staff", &[&alice]).await;
        let mut elsewhere = world.signed_in(ALICE, &["wiki"]).await;
        elsewhere.via = world.dial_of(1);
        elsewhere.upn = None;
        assert_eq!(elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);

        // Groups first: she stays signed in, and is not let in.
        directory.remove_member(&staff, &alice).await;
        let answered = Instant::now();
        while elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status == 200 {
            assert!(answered.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("decided anew at the other gateway after {:?}", answered.elapsed());
        assert!(answered.elapsed() < PROMISE);
        directory.add_member(&staff, &alice).await;
        while elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }

        let mut socket = socket(&world, &elsewhere).await;
        directory.set_active(&alice, false).await;
        let answered = Instant::now();
        socket.end().await;
        let cut = answered.elapsed();
        let refused = elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status;
        println!("cut at the other gateway {cut:?} after the answer of SCIM");
        assert!(cut < PROMISE && refused != 200, "{cut:?} {refused}");

        // The secret of one is the secret of both, and so is the next.
        let second = directory.at(world.dial_of(1));
        assert_eq!(second.ask("GET", "/Users?count=0", None).await.status, 200);
        super::client::fresh_secret(&world).await;
        assert_eq!(second.ask("GET", "/Users?count=0", None).await.status, 401);
    }

    async fn a_deactivation_and_a_first_login_at_once_leave_nobody_inside(database) {
        let world = provisioned(EVERYTHING).gateways(2).on(&database).start().await;
        let directory = Directory::of(&world).await;
        for _ in 0..5 {
            let alice = directory.person(ALICE_OID, ALICE).await;
            let mut browser = world.person_at(1, ALICE);
            let callback = browser.up_to_callback(&world.host("wiki"), "/x").await;
            let (_, ()) = tokio::join!(browser.follow(callback), directory.set_active(&alice, false));
            tokio::time::sleep(PROMISE).await;
            browser.upn = None;
            assert_ne!(browser.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
            directory.delete(&format!("/Users/{alice}")).await;
        }
    }

    async fn a_store_that_is_gone_is_said_to_be(database) {
        let world = provisioned(EVERYTHING).on(&database).start().await;
        let directory = Directory::of(&world).await;
        database.vanish().await;
        let reply = directory.ask("GET", "/Users?count=0", None).await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(super::client::json_of(&reply)["status"], "503");
        database.return_to_work().await;
    }
}
