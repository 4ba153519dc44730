//! Clients' certificates at our own TLS listener, as `get-identity` tells of them.

use serde_json::{Value, json};

use super::authority::Authority;
use super::identity;
use crate::support::person::Person;
use crate::support::wire::Wire;
use crate::support::world::World;

/// `common_name` and whether a certificate counted.
fn told(identity: &Value) -> (&str, bool) {
    let mtls = &identity["mtls_auth"];
    let presented = mtls["cert_presented"].as_bool().unwrap();
    let status = if presented { "SUCCESS" } else { "NONE" };
    assert_eq!(
        (mtls["auth_status"].as_str(), identity["auth_status"].as_str()),
        (Some(status), Some(status))
    );
    (identity["common_name"].as_str().unwrap(), presented)
}

/// What the gateway says on a connection that is open already.
async fn told_on(wire: &mut Wire, person: &Person, world: &World, host: &str) -> Value {
    let host = world.host(host);
    let cookies = person.cookie_header(&person.address(&host, "/"));
    wire.send(format!(
        "GET /cdn-cgi/access/get-identity HTTP/1.1\r\nHost: {host}:{}\r\nCookie: {cookies}\r\n\r\n",
        world.port()
    ))
    .await;
    let reply = wire.reply().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    serde_json::from_slice(&reply.body).unwrap()
}

#[tokio::test]
async fn a_certificate_counts_at_the_hosts_of_its_authority_only() {
    let laptops = Authority::new("Laptops");
    let strangers = Authority::new("Laptops");
    let world = World::builder()
        .tls()
        .more(&laptops.at(&["wiki.test"]))
        .start()
        .await;
    let mut alice = world.signed_in("alice@contoso.example", &["wiki", "other"]).await;

    let without = identity(&mut alice, &world, "wiki").await;
    assert_eq!(told(&without), ("", false));
    alice.via = world.dial().showing(&laptops.signs("laptop-1"));
    let with = identity(&mut alice, &world, "wiki").await;
    assert_eq!(told(&with), ("laptop-1", true));
    assert_eq!(with["mtls_auth"]["cert_issuer_dn"], json!("CN=Laptops"));
    assert!(!with["mtls_auth"]["cert_serial"].as_str().unwrap().is_empty());
    let elsewhere = identity(&mut alice, &world, "other").await;
    assert_eq!(told(&elsewhere), ("", false));
    // Access, too, treats what does not verify as not presented: the connection stands, and a page can say more.
    alice.via = world.dial().showing(&strangers.signs("laptop-1"));
    let unverified = identity(&mut alice, &world, "wiki").await;
    assert_eq!(told(&unverified), ("", false));
}

#[tokio::test]
async fn an_authority_that_goes_takes_its_certificates_with_it_on_open_connections() {
    let (laptops, phones) = (Authority::new("Laptops"), Authority::new("Phones"));
    let mut world = World::builder()
        .tls()
        .more(&laptops.at(&["*.test"]))
        .start()
        .await;
    let alice = world.signed_in("alice@contoso.example", &["wiki"]).await;
    let dial = world.dial().showing(&laptops.signs("laptop-1"));
    let mut wire = dial.connect("wiki.test").await;
    assert_eq!(
        told(&told_on(&mut wire, &alice, &world, "wiki").await),
        ("laptop-1", true)
    );

    let both = laptops.at(&["*.test"]) + &phones.at(&["*.test"]);
    for (tables, counts) in [
        (both, true),
        (phones.at(&["*.test"]), false),
        (laptops.at(&["*.test"]), true),
    ] {
        let version = world.running().published.load().version;
        world.declare(|builder| builder.more(&tables)).await;
        while world.running().published.load().version == version {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let identity = told_on(&mut wire, &alice, &world, "wiki").await;
        assert_eq!(told(&identity).1, counts);
    }
}

#[tokio::test]
async fn a_certificate_that_ends_counts_no_longer_on_an_open_connection() {
    let laptops = Authority::new("Laptops");
    let world = World::builder()
        .tls()
        .more(&laptops.at(&["wiki.test"]))
        .start()
        .await;
    let alice = world.signed_in("alice@contoso.example", &["wiki"]).await;
    let certificate = laptops.signs_until("laptop-1", world.clock.now_seconds() + 3600);
    let mut wire = world.dial().showing(&certificate).connect("wiki.test").await;
    assert_eq!(
        told(&told_on(&mut wire, &alice, &world, "wiki").await),
        ("laptop-1", true)
    );
    world.pass(jiff::SignedDuration::from_secs(3601));
    assert_eq!(
        told(&told_on(&mut wire, &alice, &world, "wiki").await),
        ("", false)
    );
}

#[tokio::test]
async fn a_trusted_proxys_own_certificate_is_not_the_clients() {
    let laptops = Authority::new("Laptops");
    let world = World::builder()
        .tls()
        .listen("trusted_proxies = [\"127.0.0.1/32\"]")
        .more(&laptops.at(&["wiki.test"]))
        .start()
        .await;
    let mut alice = world.person("alice@contoso.example");
    alice.via = world.dial().showing(&laptops.signs("proxy"));
    assert_eq!(alice.open("wiki.test", "/").await.status(), 200);
    assert_eq!(told(&identity(&mut alice, &world, "wiki").await), ("", false));
}
