//! People who signed in and whom a directory told of, through Cloudflare's own clients.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::json;

use super::super::{call, tokens};
use super::client::Client;
use crate::scim::{ALICE_OID, Directory, EVERYTHING, gets_in, provisioned};
use crate::support::person::Person;
use crate::support::tenant::{ADAM, ALICE, CLIENT, MALLORY, STAFF, TENANT};
use crate::support::world::World;

const KIM: &str = "kim@contoso.example";
const LEE: &str = "lee@contoso.example";

#[tokio::test]
async fn people_are_found_and_put_out_by_the_python_client() {
    people(Client::Python).await;
}

#[tokio::test]
async fn people_are_found_and_put_out_by_the_node_client() {
    people(Client::Node).await;
}

async fn people(client: Client) {
    if !client.is_installed() {
        return;
    }
    let world = World::builder()
        .auth_host("localhost")
        .more(&tokens())
        .start()
        .await;
    let signed_in = sign_in(&world).await;
    let known = [
        ("ALICE", ALICE),
        ("ADAM", ADAM),
        ("MALLORY", MALLORY),
        ("STAFF", STAFF),
    ];
    for browser in &signed_in {
        assert!(has_in(&world, browser).await);
    }
    client.live(&world, "people", &known).await;
    for browser in &signed_in {
        assert!(!has_in(&world, browser).await, "what was open is over");
    }
    // Whoever may sign in can, and has a seat again.
    world.signed_in(ADAM, &["wiki"]).await;
    let adam = call(&world, "GET", &format!("/access/users?email={ADAM}"), None).await;
    assert_eq!(adam.result(200)[0]["access_seat"], true);
}

/// Whether a browser is inside at *Wiki* or *Other*, wherever it was.
async fn has_in(world: &World, browser: &Person) -> bool {
    let mut browser = browser.clone();
    let other = browser.fetch(&world.host("other"), "/x", &[]).await.status == 200;
    other || gets_in(world, &browser).await
}

#[tokio::test]
async fn what_was_decided_is_told_to_the_python_client() {
    decisions(Client::Python).await;
}

#[tokio::test]
async fn what_was_decided_is_told_to_the_node_client() {
    decisions(Client::Node).await;
}

async fn decisions(client: Client) {
    if !client.is_installed() {
        return;
    }
    let world = World::builder()
        .auth_host("localhost")
        .more(&tokens())
        .start()
        .await;
    sign_in(&world).await;
    let provider = provider(&world);
    let known = [
        ("ALICE", ALICE),
        ("ADAM", ADAM),
        ("MALLORY", MALLORY),
        ("STAFF", STAFF),
        ("PROVIDER", provider.as_str()),
    ];
    client.live(&world, "decisions", &known).await;
}

/// Alice in two browsers, at *Wiki* and at *Other*; Adam at *Wiki*; and Mallory, who is refused there.
async fn sign_in(world: &World) -> [Person; 3] {
    let first = world.signed_in(ALICE, &["wiki"]).await;
    world.pass(SignedDuration::from_secs(60));
    let second = world.signed_in(ALICE, &["other"]).await;
    world.pass(SignedDuration::from_secs(60));
    let adam = world.signed_in(ADAM, &["wiki"]).await;
    world.pass(SignedDuration::from_secs(60));
    let refused = world.person(MALLORY).open(&world.host("wiki"), "/").await;
    assert_eq!(refused.status(), 403);
    [first, second, adam]
}

fn provider(world: &World) -> String {
    let snapshot = world.running().published.load();
    snapshot.providers.keys().next().unwrap().to_string()
}

#[tokio::test]
async fn what_a_directory_told_is_told_to_the_python_client() {
    directory(Client::Python).await;
}

#[tokio::test]
async fn what_a_directory_told_is_told_to_the_node_client() {
    directory(Client::Node).await;
}

async fn directory(client: Client) {
    if !client.is_installed() {
        return;
    }
    let world = provisioned(EVERYTHING)
        .auth_host("localhost")
        .more(&tokens())
        .start()
        .await;
    world
        .entra
        .tenant(TENANT)
        .edit(|tenant| tenant.auth_context("c1", "Strong", "With a key", true))
        .edit_app(CLIENT, |app| app.app_permission("Policy.Read.ConditionalAccess"));
    let mut directory = Directory::of(&world).await;
    tell(&world, &directory).await;
    let provider = provider(&world);
    let known = [
        ("ALICE", ALICE),
        ("ALICE_OID", ALICE_OID),
        ("KIM", KIM),
        ("PROVIDER", provider.as_str()),
        ("SECRET", directory.token.as_str()),
    ];
    let left = client.live(&world, "directory", &known).await;
    assert_eq!(directory.ask("GET", "/Users", None).await.status, 401);
    directory.token = left["secret"].as_str().unwrap().to_owned();
    assert_eq!(directory.ask("GET", "/Users", None).await.status, 200);
}

/// Three people, two groups, a change, and what is refused.
async fn tell(world: &World, directory: &Directory) {
    let person = |number: u32, oid: &str, email: &str, name: &str| {
        (
            number,
            json!({
                "externalId": oid, "userName": email, "active": true, "displayName": name,
                "emails": [{ "primary": true, "type": "work", "value": email }],
            }),
        )
    };
    let told = [
        person(1, ALICE_OID, ALICE, "Told Alice"),
        person(2, "0aa11bb2-2cc3-4dd4-8ee5-000000000002", KIM, "Told Kim"),
        person(3, "0aa11bb2-2cc3-4dd4-8ee5-000000000003", LEE, "Told Lee"),
    ];
    let mut ids = Vec::new();
    for (rows, body) in &told {
        ids.push(directory.create("/Users", body).await);
        written(world, *rows).await;
    }
    let (sailors, pilots) = (
        "0aa11bb2-2cc3-4dd4-8ee5-000000000011",
        "0aa11bb2-2cc3-4dd4-8ee5-000000000012",
    );
    directory
        .group(sailors, "Sailors", &[ids[0].as_str(), ids[1].as_str()])
        .await;
    written(world, 4).await;
    directory.group(pilots, "Pilots", &[]).await;
    written(world, 5).await;
    directory.set_active(&ids[1], false).await;
    written(world, 6).await;
    let again = directory.ask("POST", "/Users", Some(&told[0].1)).await;
    assert_eq!(again.status, 409, "{}", again.text());
    written(world, 7).await;
}

/// Waits until the log has so many rows, and lets a second pass: rows are written behind the answers, and stand in the
/// log by their times.
async fn written(world: &World, rows: u32) {
    let path = format!("/access/logs/scim/updates?idp_id={}", provider(world));
    let began = Instant::now();
    loop {
        let log = call(world, "GET", &path, None).await.result(200);
        if log
            .as_array()
            .is_some_and(|log| log.len() >= usize::try_from(rows).unwrap())
        {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.pass(SignedDuration::from_secs(1));
}
