//! The store does not answer: what goes on, for how long, and what stops at once.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::support::database::on_postgres;
use crate::support::tenant::{ADAM, ALICE};
use crate::support::world::World;

on_postgres! {
    async fn a_store_that_is_gone_stops_logins_and_after_the_grace_everything(database) {
        let world = World::builder().on(&database).store("grace = \"10m\"").start().await;
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        let mut events = alice.begin("GET", &world.host("wiki"), "/events", &[]).await;
        assert_eq!(events.head().await.unwrap().status, 200);
        assert!(!events.some().await.is_empty());
        database.vanish().await;

        // Who is in stays in, and nobody new comes in.
        let wiki = world.host("wiki");
        assert_eq!(alice.fetch(&wiki, "/x", &[]).await.status, 200);
        let mut adam = world.person(ADAM);
        let callback = adam.up_to_callback(&wiki, "/x").await;
        assert_eq!(adam.get(&callback).await.status, 503);

        // Once the grace is over nobody is in.
        world.pass(SignedDuration::from_mins(11));
        let began = Instant::now();
        let reply = alice.fetch(&wiki, "/x", &[]).await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        events.end().await;
        assert!(began.elapsed() < Duration::from_secs(3), "the stream was open for {:?}", began.elapsed());
        database.return_to_work().await;
    }

    async fn a_machine_without_a_token_is_cut_when_the_grace_is_over_and_what_is_open_to_all_is_not(database) {
        let here = r#"[{ name = "here", decision = "non_identity", include = [{ ip = { ip = "127.0.0.0/8" } }] }]"#;
        let world = World::builder().on(&database).wiki_policies(here).store("grace = \"10m\"").start().await;
        let wiki = world.host("wiki");
        let client = world.anonymous();
        let mut events = client.begin("GET", &wiki, "/events", &[]).await;
        let mut public = client.begin("GET", &wiki, "/public/ws", &[
            ("Connection", "upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]).await;
        assert_eq!(events.head().await.unwrap().status, 200);
        assert_eq!(public.head().await.unwrap().status, 101);
        assert!(!events.some().await.is_empty());
        database.vanish().await;
        world.pass(SignedDuration::from_mins(11));
        let took = events.end().await;
        assert!(took < Duration::from_secs(3), "the stream was open for {took:?}");
        public.send(b"hello").await;
        assert_eq!(public.take(5).await, b"hello");
        database.return_to_work().await;
    }

    async fn a_store_that_is_back_serves_without_a_restart(database) {
        let world = World::builder().on(&database).store("grace = \"0s\"").start().await;
        let wiki = world.host("wiki");
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        database.vanish().await;
        let began = Instant::now();
        while alice.fetch(&wiki, "/x", &[]).await.status != 503 {
            assert!(began.elapsed() < Duration::from_secs(5), "served without a store");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        database.return_to_work().await;
        let began = Instant::now();
        while alice.fetch(&wiki, "/x", &[]).await.status != 200 {
            assert!(began.elapsed() < Duration::from_secs(30), "not served though the store is back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut adam = world.person(ADAM);
        assert_eq!(adam.open(&wiki, "/x").await.status(), 200);
    }
}
