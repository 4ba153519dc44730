//! Two gateways on one PostgreSQL: what ends at one has ended at the other.

use std::time::{Duration, Instant};

use vestibule::session::table::Cause;
use vestibule::store::Ending;

use crate::support::database::on_postgres;
use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::world::World;

/// The promise is one second; the machine that tests may be busy.
const PROMISE: Duration = Duration::from_secs(3);

on_postgres! {
    async fn a_session_of_one_gateway_is_good_at_the_other(database) {
        let world = World::builder().gateways(2).on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        alice.via = world.dial_of(1);
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    }

    async fn a_logout_at_one_gateway_is_a_logout_at_the_other(database) {
        let world = World::builder().gateways(2).on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
        let mut elsewhere = alice.clone();
        elsewhere.via = world.dial_of(1);
        elsewhere.upn = None;
        assert_eq!(elsewhere.fetch(&world.host("other"), "/x", &[]).await.status, 200);
        assert_eq!(alice.fetch(&world.host("wiki"), "/cdn-cgi/access/logout", &[]).await.status, 200);
        is_out(&mut elsewhere, &world.host("other")).await;
    }

    async fn a_stream_at_one_gateway_ends_with_a_logout_at_the_other(database) {
        let world = World::builder().gateways(2).on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        let mut elsewhere = alice.clone();
        elsewhere.via = world.dial_of(1);
        let mut events = elsewhere.begin("GET", &world.host("wiki"), "/events", &[]).await;
        assert_eq!(events.head().await.unwrap().status, 200);
        assert!(!events.some().await.is_empty());
        assert_eq!(alice.fetch(&world.host("wiki"), "/cdn-cgi/access/logout", &[]).await.status, 200);
        let took = events.end().await;
        println!("the stream at the other gateway ended after {took:?}");
        assert!(took < PROMISE, "{took:?}");
    }

    async fn a_login_in_flight_does_not_outlive_a_revocation_at_the_other_gateway(database) {
        let world = World::builder().gateways(2).on(&database).start().await;
        let first = world.signed_in(ALICE, &["wiki"]).await;
        drop(first);
        let nonce = world.running().sessions.nonces().into_iter().next().unwrap();
        let user = world.running().sessions.find(&nonce).unwrap().user();

        // The code is being redeemed at the second gateway while the first one ends everything of the person.
        world.entra.fail_next(mock_entra::Fault::Slow { endpoint: mock_entra::Endpoint::Token, ms: 1_500 });
        let mut alice = world.person_at(1, ALICE);
        let callback = alice.up_to_callback(&world.host("wiki"), "/x").await;
        let redeeming = tokio::spawn(async move {
            let reply = alice.get(&callback).await;
            (alice, reply)
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.running_of(0).revoker.revoke(Ending::User(user), Cause::Administrator).await.unwrap();
        let (mut alice, reply) = redeeming.await.unwrap();
        assert_ne!(reply.status, 302, "the login went on: {:?}", reply.headers);
        alice.upn = None;
        assert_eq!(alice.cookie(&world.host("login"), "CF_Authorization"), None);
        assert_ne!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    }

    async fn a_login_begun_at_one_gateway_ends_at_the_other(database) {
        let world = World::builder().gateways(2).on(&database).start().await;
        let mut alice = world.person(ALICE);
        let callback = alice.up_to_callback(&world.host("wiki"), "/deep?x=1").await;
        alice.via = world.dial_of(1);
        let arrival = alice.follow(callback).await;
        assert_eq!(arrival.status(), 200, "{}", arrival.text());
        assert_eq!(world.origin.last().target(), "/deep?x=1");
    }

    async fn a_code_is_redeemed_once_by_all_gateways_together(database) {
        let world = World::builder().gateways(2).on(&database).start().await;
        let mut alice = world.person(ALICE);
        let callback = alice.up_to_callback(&world.host("wiki"), "/x").await;
        let mut elsewhere = alice.clone();
        elsewhere.via = world.dial_of(1);
        let (here, there) = tokio::join!(alice.get(&callback), elsewhere.get(&callback));
        let mut statuses = [here.status, there.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [302, 400], "{} {}", here.text(), there.text());
        assert_eq!(world.entra.count(mock_entra::Endpoint::Token), 1);
    }

    async fn a_changed_policy_holds_at_both_gateways(database) {
        let mut world = World::builder().gateways(2).on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        alice.via = world.dial_of(1);
        alice.upn = None;
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        world.declare(|world| world.wiki_policies("[]")).await;
        is_out(&mut alice, &world.host("wiki")).await;
    }
}

async fn is_out(person: &mut Person, host: &str) {
    let began = Instant::now();
    while person.fetch(host, "/x", &[]).await.status == 200 {
        assert!(
            began.elapsed() < PROMISE,
            "still inside after {:?}",
            began.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("out at the other gateway after {:?}", began.elapsed());
}
