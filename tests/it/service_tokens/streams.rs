//! What a machine has open ends with its service token, within a second.

use std::time::Instant;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Factory, PATIENCE, clerk, token_set};
use crate::support::frames::{Frames, Outcome};
use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::wire::Wire;
use crate::support::world::World;

/// Idle streams of a machine: by its secret and by its cookie, over HTTP/1.1 and over HTTP/2.
struct Open {
    factory: Factory,
    wires: Vec<Wire>,
    frames: Frames,
    stream: u32,
}

impl Open {
    async fn start() -> Self {
        let factory = Factory::start_in(World::builder().tls(), "test", json!({})).await;
        let any =
            json!({"name": "any", "decision": "non_identity", "include": [{"any_valid_service_token": {}}]});
        factory.protect("www", &[any], json!({})).await;
        factory.protect("unlisted", &[], json!({})).await;
        let host = factory.world.host("www");
        let (reply, _) = factory.let_in("www", &factory.ci.pair()).await;
        let cookie = format!("CF_Authorization={}", token_set(&reply).unwrap());
        let client = factory.world.anonymous();
        let upgrade = [
            ("Connection", "upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut wires = Vec::new();
        for credentials in [&factory.ci.pair()[..], &[("Cookie", cookie.as_str())]] {
            let mut socket = client
                .begin("GET", &host, "/ws", &[&upgrade, credentials].concat())
                .await;
            assert_eq!(socket.head().await.unwrap().status, 101);
            wires.push(socket);
            let mut events = client.begin("GET", &host, "/events", credentials).await;
            assert_eq!(events.head().await.unwrap().status, 200);
            events.some().await;
            wires.push(events);
        }
        let authority = factory.world.authority("www");
        let mut frames = Frames::connect(&factory.world.dial(), &host).await;
        let fields: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", authority.as_bytes()),
            (b":path", b"/events"),
            (b"cf-access-client-id", factory.ci.client_id.as_bytes()),
            (b"cf-access-client-secret", factory.ci.secret.as_bytes()),
        ];
        let stream = frames.open(&fields, true).await;
        assert_eq!(frames.outcome(stream).await, Outcome::Status(200));
        Self {
            factory,
            wires,
            frames,
            stream,
        }
    }

    async fn must_be_cut(mut self, cause: &str) {
        let began = Instant::now();
        for wire in &mut self.wires {
            wire.end().await;
        }
        let outcome = self.frames.end(self.stream).await;
        assert!(
            matches!(outcome, Outcome::Reset(_) | Outcome::Gone(_)),
            "{cause}: {outcome:?}"
        );
        let took = began.elapsed();
        println!("{cause}: cut after {took:?}");
        assert!(took < PATIENCE, "{cause}: {took:?}");
        assert_eq!(
            self.factory.ask("www", &self.factory.ci.pair()).await.status,
            403,
            "{cause}"
        );
    }

    async fn stays_open(&mut self) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        self.wires[0].send(b"hello").await;
        assert_eq!(self.wires[0].take(5).await, b"hello");
        assert!(self.factory.world.origin.streaming() >= 5);
    }
}

#[tokio::test]
async fn disabling_a_token_cuts_its_streams() {
    let open = Open::start().await;
    open.factory.enable(false).await;
    open.must_be_cut("disabled").await;
}

#[tokio::test]
async fn deleting_a_token_cuts_its_streams() {
    let open = Open::start().await;
    let manage = open.factory.world.running().manage.clone();
    manage
        .delete_service_token(open.factory.ci.id, clerk())
        .await
        .unwrap();
    open.must_be_cut("deleted").await;
}

#[tokio::test]
async fn rotating_a_token_cuts_its_streams_when_the_grace_is_over() {
    let mut open = Open::start().await;
    let running = open.factory.world.running();
    let until = running.clock.now() + SignedDuration::from_mins(5);
    running
        .manage
        .rotate_service_token(open.factory.ci.id, Some(until), clerk())
        .await
        .unwrap();
    open.stays_open().await;
    open.factory.world.pass(SignedDuration::from_mins(5));
    open.must_be_cut("end of the grace").await;
}

#[tokio::test]
async fn rotating_a_token_without_grace_cuts_its_streams() {
    let open = Open::start().await;
    let manage = open.factory.world.running().manage.clone();
    manage
        .rotate_service_token(open.factory.ci.id, None, clerk())
        .await
        .unwrap();
    open.must_be_cut("rotated").await;
}

#[tokio::test]
async fn the_end_of_a_token_cuts_its_streams() {
    let open = Open::start().await;
    open.factory
        .change(vestibule::manage::ServiceTokenChanges {
            duration: Some("1h".parse().unwrap()),
            ..Default::default()
        })
        .await;
    open.factory.world.pass(SignedDuration::from_mins(61));
    open.must_be_cut("expired").await;
}

#[tokio::test]
async fn a_policy_that_names_others_cuts_a_machines_streams() {
    let open = Open::start().await;
    let nobody =
        json!({"name": "there", "decision": "non_identity", "include": [{"ip": {"ip": "192.0.2.0/24"}}]});
    open.factory.protect("www", &[nobody], json!({})).await;
    open.must_be_cut("policy").await;
}

/// Policies on `unlisted` in place of those there were, for people and for everybody.
impl Factory {
    async fn unlisted(&self, decision: &str, rules: Value) {
        let mut policy = json!({"name": "only", "decision": decision});
        for (list, rules) in rules.as_object().unwrap() {
            policy[list] = rules.clone();
        }
        self.protect("unlisted", &[policy], json!({})).await;
    }

    /// A stream of somebody who shows the service token too.
    async fn events(&self, person: &Person) -> Wire {
        let host = self.world.host("unlisted");
        let mut events = person.begin("GET", &host, "/events", &self.ci.pair()).await;
        assert_eq!(events.head().await.unwrap().status, 200);
        events.some().await;
        events
    }

    fn rule(&self) -> Value {
        json!([{"service_token": {"token_id": self.ci.id}}])
    }
}

async fn is_cut(mut events: Wire, what: &str) {
    let took = events.end().await;
    assert!(took < PATIENCE, "{what}: {took:?}");
}

#[tokio::test]
async fn a_person_let_in_with_a_token_is_cut_when_the_token_ends() {
    let factory = Factory::start().await;
    let alice = factory.world.signed_in(ALICE, &["unlisted"]).await;
    let rules = json!({"include": [{"everyone": {}}], "require": factory.rule()});
    factory.unlisted("allow", rules).await;
    let events = factory.events(&alice).await;
    factory.enable(false).await;
    is_cut(events, "disabled").await;

    factory.enable(true).await;
    factory.until(200, "www", &factory.ci.pair()).await;
    let events = factory.events(&alice).await;
    factory
        .change(vestibule::manage::ServiceTokenChanges {
            duration: Some("1h".parse().unwrap()),
            ..Default::default()
        })
        .await;
    factory.world.pass(SignedDuration::from_mins(61));
    is_cut(events, "expired").await;
}

#[tokio::test]
async fn whoever_is_let_past_by_a_token_is_cut_when_it_ends() {
    for ends in ["disabled", "expired", "rotated"] {
        let factory = Factory::start().await;
        factory
            .unlisted("bypass", json!({"include": factory.rule()}))
            .await;
        let events = factory.events(&factory.world.anonymous()).await;
        match ends {
            "disabled" => factory.enable(false).await,
            "expired" => factory.world.pass(SignedDuration::from_hours(8761)),
            _ => {
                let manage = factory.world.running().manage.clone();
                manage
                    .rotate_service_token(factory.ci.id, None, clerk())
                    .await
                    .unwrap();
            }
        }
        is_cut(events, ends).await;
    }
}

/// What does not depend on the token goes on without it.
#[tokio::test]
async fn a_token_that_was_not_needed_takes_no_stream_with_it() {
    let factory = Factory::start().await;
    let alice = factory.world.signed_in(ALICE, &["unlisted"]).await;
    let host = factory.world.host("unlisted");
    factory
        .unlisted("allow", json!({"include": [{"everyone": {}}]}))
        .await;
    let upgrade = [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let headers = [&upgrade[..], &factory.ci.pair()].concat();
    let mut socket = alice.begin("GET", &host, "/ws", &headers).await;
    assert_eq!(socket.head().await.unwrap().status, 101);
    factory.enable(false).await;
    factory.until(403, "www", &factory.ci.pair()).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    socket.send(b"hello").await;
    assert_eq!(socket.take(5).await, b"hello");
}
