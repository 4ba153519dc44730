//! Rules about country and certificate, where only they decide.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use vestibule::config::declared::DeclaredKind;
use vestibule::store::{Actor, ActorKind};

use super::authority::Authority;
use super::countries;
use crate::support::log;
use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::world::{Builder, World};

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1/32\"]";

/// The promise is one second; the machine that tests may be busy.
const PROMISE: Duration = Duration::from_secs(3);

/// A world in which *Wiki* has one policy, which allows by these rules.
async fn by(world: Builder, rules: Value) -> World {
    let only = "[{ name = \"only\", decision = \"allow\", include = [{ everyone = {} }] }]";
    let world = world.wiki_policies(only).start().await;
    declare(&world, &rules).await;
    world
}

/// Gives the policy of *Wiki* these rules, in the shape of the API.
async fn declare(world: &World, rules: &Value) {
    let config = vestibule::config::load(world.file(), &|_| None).unwrap();
    let manage = &world.running().manage;
    let mut declared = config.declarations.resolve(manage.account());
    let policy = declared.iter_mut().find(|object| object.name == "only").unwrap();
    let body = policy.body.as_object_mut().unwrap();
    for (list, rules) in rules.as_object().unwrap() {
        body.insert(list.clone(), rules.clone());
    }
    let version = world.running().published.load().version;
    manage
        .reconcile(&declared, actor(), vestibule::manage::OlderFile::Applied)
        .await
        .unwrap();
    while world.running().published.load().version == version {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn actor() -> Actor {
    Actor {
        kind: ActorKind::File,
        name: "a test".to_owned(),
    }
}

/// What a person who comes from an address is answered at *Wiki*, signing in on the way where asked to.
async fn from(world: &World, address: &str) -> u16 {
    let mut alice = world.person(ALICE).saying("X-Forwarded-For", address);
    alice.open(&world.host("wiki"), "/").await.status()
}

#[tokio::test]
async fn a_country_opens_and_nothing_else_does() {
    let world = World::builder().listen(TRUSTED).more(&countries::database());
    let world = by(world, json!({"include": [{"geo": {"country_code": "SE"}}]})).await;
    for (address, status) in [("192.0.2.7", 200), ("203.0.113.9", 403), ("10.1.2.3", 403)] {
        assert_eq!(from(&world, address).await, status, "{address}");
    }
}

#[tokio::test]
async fn a_country_that_is_kept_out_is_not_let_in_by_being_unknown() {
    let world = World::builder().listen(TRUSTED).more(&countries::header());
    let world = by(world, json!({"exclude": [{"geo": {"country_code": "DE"}}]})).await;
    for (country, status) in [("SE", 200), ("DE", 403), ("XX", 403), ("T1", 403)] {
        let mut alice = world.person(ALICE).saying("CF-IPCountry", country);
        let arrival = alice.open(&world.host("wiki"), "/").await;
        assert_eq!(arrival.status(), status, "{country}");
    }
}

#[tokio::test]
async fn a_live_session_is_judged_by_the_country_of_each_request() {
    let world = World::builder().listen(TRUSTED).more(&countries::database());
    let world = by(world, json!({"include": [{"geo": {"country_code": "SE"}}]})).await;
    let mut alice = world.person(ALICE).saying("X-Forwarded-For", "192.0.2.7");
    let wiki = world.host("wiki");
    assert_eq!(alice.open(&wiki, "/").await.status(), 200);
    for (address, status) in [("203.0.113.9", 403), ("10.1.2.3", 403), ("192.0.2.7", 200)] {
        alice.says.clear();
        let mut alice = alice.clone().saying("X-Forwarded-For", address);
        assert_eq!(alice.fetch(&wiki, "/", &[]).await.status, status, "{address}");
    }
}

#[tokio::test]
async fn without_a_source_a_country_lets_nobody_in() {
    let world = World::builder().listen(TRUSTED);
    let world = by(world, json!({"include": [{"geo": {"country_code": "SE"}}]})).await;
    assert_eq!(from(&world, "192.0.2.7").await, 403);
}

async fn takes(laptops: &Authority, rules: Value) -> World {
    by(World::builder().tls().more(&laptops.at(&["wiki.test"])), rules).await
}

fn with(world: &World, authority: &Authority, common_name: &str) -> Person {
    let mut alice = world.person(ALICE);
    alice.via = world.dial().showing(&authority.signs(common_name));
    alice
}

#[tokio::test]
async fn a_certificate_opens_through_the_whole_login_and_on_each_request() {
    let laptops = Authority::new("Laptops");
    let world = takes(&laptops, json!({"require": [{"certificate": {}}]})).await;
    let mut alice = with(&world, &laptops, "laptop-1");
    assert_eq!(alice.open("wiki.test", "/").await.status(), 200);
    assert_eq!(alice.fetch("wiki.test", "/", &[]).await.status, 200);
    // The session without the certificate, as a stolen cookie would be used.
    alice.via = world.dial();
    assert_eq!(alice.fetch("wiki.test", "/", &[]).await.status, 403);
    alice.via = world.dial().showing(&Authority::new("Laptops").signs("laptop-1"));
    assert_eq!(alice.fetch("wiki.test", "/", &[]).await.status, 403);

    let mut without = world.person(ALICE);
    assert_eq!(without.open("wiki.test", "/").await.status(), 403);
    let mut strange = with(&world, &Authority::new("Strangers"), "laptop-1");
    assert_eq!(strange.open("wiki.test", "/").await.status(), 403);
}

#[tokio::test]
async fn every_host_of_an_application_gets_its_cookie_by_a_certificate() {
    let laptops = Authority::new("Laptops");
    let world = World::builder()
        .tls()
        .wiki("destinations = [\"wiki.test\", \"www.test\"]")
        .more(&laptops.at(&["wiki.test", "www.test"]));
    let world = by(world, json!({"require": [{"certificate": {}}]})).await;
    let mut alice = with(&world, &laptops, "laptop-1");
    assert_eq!(alice.open("wiki.test", "/").await.status(), 200);
    assert!(alice.cookie("www.test", "CF_Authorization").is_some());
}

/// The one explanation of a refusal knows what the application's host knew.
#[tokio::test]
async fn a_refusal_at_the_login_is_explained_with_the_certificate() {
    let laptops = Authority::new("Laptops");
    let rules =
        json!({"include": [{"email": {"email": "bob@contoso.example"}}], "require": [{"certificate": {}}]});
    let world = takes(&laptops, rules).await;
    let mut alice = with(&world, &laptops, "laptop-1");
    let refused = alice.open("wiki.test", "/").await;
    assert_eq!(refused.status(), 403);
    let id = log::request_id(&refused.text()).unwrap();
    let told: Vec<String> = log::told_of(&id).iter().map(ToString::to_string).collect();
    let explained = told.iter().find(|line| line.contains("only (allow)"));
    let explained = explained.unwrap_or_else(|| panic!("{told:?}"));
    assert!(
        explained.contains("certificate: yes") && !explained.contains("unknown"),
        "{explained}"
    );
}

#[tokio::test]
async fn a_common_name_opens_to_its_bearer() {
    let laptops = Authority::new("Laptops");
    let rules = json!({"include": [{"common_name": {"common_name": "laptop-1"}}]});
    let world = takes(&laptops, rules).await;
    for (name, status) in [
        ("laptop-1", 200),
        ("laptop-2", 403),
        ("LAPTOP-1", 403),
        ("laptop-1.example.com", 403),
    ] {
        let mut alice = with(&world, &laptops, name);
        assert_eq!(alice.open("wiki.test", "/").await.status(), status, "{name}");
    }
}

#[tokio::test]
async fn a_certificate_opens_a_service_auth_policy_without_a_sign_in() {
    let laptops = Authority::new("Laptops");
    let world = takes(
        &laptops,
        json!({"decision": "non_identity", "include": [{"certificate": {}}]}),
    )
    .await;
    let mut machine = world.anonymous();
    machine.via = world.dial().showing(&laptops.signs("machine-1"));
    assert_eq!(machine.fetch("wiki.test", "/", &[]).await.status, 200);
    machine.via = world
        .dial()
        .showing(&Authority::new("Strangers").signs("machine-1"));
    assert_eq!(machine.fetch("wiki.test", "/", &[]).await.status, 403);
    machine.via = world.dial();
    assert_eq!(machine.fetch("wiki.test", "/", &[]).await.status, 403);
}

#[tokio::test]
async fn behind_a_tls_terminator_certificates_are_unknown() {
    for rules in [
        json!({"include": [{"certificate": {}}]}),
        json!({"include": [{"common_name": {"common_name": "laptop-1"}}]}),
        json!({"exclude": [{"common_name": {"common_name": "laptop-1"}}]}),
    ] {
        let world = World::builder().more(&Authority::new("Laptops").at(&["wiki.localhost"]));
        let world = by(world, rules.clone()).await;
        let mut alice = world.person(ALICE);
        assert_eq!(alice.open("wiki.localhost", "/").await.status(), 403, "{rules}");
    }
}

#[tokio::test]
async fn a_connection_of_another_host_is_misdirected_only_where_policies_ask_for_certificates() {
    let laptops = Authority::new("Laptops");
    let world = takes(&laptops, json!({"include": [{"certificate": {}}]})).await;
    for (path, status) in [("/", 421), ("/public/x", 200), ("/admin", 302)] {
        let mut wire = world.dial().connect("other.test").await;
        let host = world.authority("wiki");
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        assert_eq!(wire.reply().await.unwrap().status, status, "{path}");
    }
}

#[tokio::test]
async fn open_streams_end_with_the_certificate_that_opened_them() {
    let laptops = Authority::new("Laptops");
    let world = takes(&laptops, json!({"include": [{"certificate": {}}]})).await;
    let mut alice = world.person(ALICE);
    let certificate = laptops.signs_until("laptop-1", world.clock.now_seconds() + 3600);
    alice.via = world.dial().showing(&certificate);
    assert_eq!(alice.open("wiki.test", "/").await.status(), 200);
    let mut events = alice.begin("GET", "wiki.test", "/events", &[]).await;
    assert_eq!(events.head().await.unwrap().status, 200);
    assert!(!events.some().await.is_empty());
    world.pass(SignedDuration::from_secs(3601));
    assert!(events.end().await < PROMISE, "the certificate has ended");

    alice.via = world.dial().showing(&laptops.signs("laptop-1"));
    let mut events = alice.begin("GET", "wiki.test", "/events", &[]).await;
    assert_eq!(events.head().await.unwrap().status, 200);
    assert!(!events.some().await.is_empty());
    let manage = &world.running().manage;
    let config = vestibule::config::load(world.file(), &|_| None).unwrap();
    let mut declared = config.declarations.resolve(manage.account());
    // With the policy as it is, and without the authority.
    declared.retain(|object| object.kind != DeclaredKind::Certificate);
    let policy = declared.iter_mut().find(|object| object.name == "only").unwrap();
    policy.body["include"] = json!([{"certificate": {}}]);
    manage
        .reconcile(&declared, actor(), vestibule::manage::OlderFile::Applied)
        .await
        .unwrap();
    assert!(events.end().await < PROMISE, "its authority has gone");
}
