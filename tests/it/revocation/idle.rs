//! Sessions that nobody uses end, on whichever gateway they were used last.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::support::database::{on_both, on_postgres};
use crate::support::tenant::ALICE;
use crate::support::world::{Builder, World};

fn half_an_hour() -> Builder {
    World::builder().organization("idle_timeout = \"30m\"")
}

on_both! {
    async fn a_session_in_use_lasts_and_one_out_of_use_is_over(database) {
        let world = half_an_hour().on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
        alice.upn = None;
        for _ in 0..4 {
            world.pass(SignedDuration::from_mins(25));
            assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        }
        let nonce = world.running().sessions.nonces().into_iter().next().unwrap();
        world.pass(SignedDuration::from_mins(32));
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
        // For every application, on the auth host, and for good.
        assert_eq!(alice.fetch(&world.host("other"), "/x", &[]).await.status, 302);
        let again = alice.open(&world.host("wiki"), "/x").await;
        assert!(again.asked_entra(), "{:?}", again.way);
        let store = world.store().await;
        let row = store.session(&nonce).await.unwrap().unwrap();
        assert_eq!(row.ended_cause.as_deref(), Some("idle"));
    }

    async fn a_restart_is_no_use(database) {
        let mut world = half_an_hour().on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        alice.upn = None;
        world.pass(SignedDuration::from_mins(32));
        world.restart().await;
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
    }
}

on_postgres! {
    async fn a_session_in_use_at_one_gateway_is_not_idle_at_the_other(database) {
        let world = half_an_hour().gateways(2).on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        let mut elsewhere = alice.clone();
        elsewhere.via = world.dial_of(1);
        elsewhere.upn = None;
        assert_eq!(elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        for _ in 0..3 {
            world.pass(SignedDuration::from_mins(20));
            assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        }
        // The chores of the first gateway write its uses down.
        let first = world.running();
        let uses = first.sessions.used_since(first.clock.now_ms() - 60_000);
        first.store.touch_sessions(&uses).await.unwrap();
        assert_eq!(elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status, 200, "used elsewhere");
        world.pass(SignedDuration::from_mins(32));
        assert_eq!(elsewhere.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
        let began = Instant::now();
        alice.upn = None;
        while alice.fetch(&world.host("wiki"), "/x", &[]).await.status == 200 {
            assert!(began.elapsed() < Duration::from_secs(3));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Where gateways share a database, each learns of the others' uses up to a minute and a half later.
#[tokio::test]
async fn where_no_other_gateway_could_have_used_it_it_is_over_to_the_second() {
    let world = half_an_hour().start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    alice.upn = None;
    world.pass(SignedDuration::from_secs(30 * 60 + 1));
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
}

#[tokio::test]
async fn a_stream_with_traffic_is_use_and_a_silent_one_is_not() {
    let world = half_an_hour().start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let upgrade = [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut socket = alice.begin("GET", &world.host("wiki"), "/ws", &upgrade).await;
    assert_eq!(socket.head().await.unwrap().status, 101);
    let session = {
        let sessions = &world.running().sessions;
        let nonce = sessions.nonces().into_iter().next().unwrap();
        sessions.find(&nonce).unwrap()
    };
    world.pass(SignedDuration::from_mins(25));
    let before = session.last_use_ms();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(session.last_use_ms(), before, "nothing was said");
    socket.send(b"hello").await;
    assert_eq!(socket.take(5).await, b"hello");
    let began = Instant::now();
    while session.last_use_ms() == before {
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "what was said is no use"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(session.last_use_ms() - before >= 20 * 60_000);
}

#[tokio::test]
async fn without_a_time_out_sessions_wait() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    alice.upn = None;
    world.pass(SignedDuration::from_hours(20));
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
}
