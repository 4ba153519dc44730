//! Countries: from a database by address, from a trusted proxy's header, and unknown without either.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::identity;
use crate::support::person::Person;
use crate::support::world::{Builder, World};

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1/32\"]";

pub(crate) fn database() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/geo/country.mmdb");
    format!("[geo]\ndatabase = {file:?}\n")
}

pub(super) fn header() -> String {
    "[geo]\ncountry_header = \"CF-IPCountry\"\n".to_owned()
}

/// A person who signs in from an address, as a trusted proxy tells.
fn from(world: &World, upn: &str, address: &str) -> Person {
    world.person(upn).saying("X-Forwarded-For", address)
}

fn behind_a_proxy(geo: &str) -> Builder {
    World::builder().listen(TRUSTED).more(geo)
}

/// The country in the application's token.
fn in_token(person: &Person, host: &str) -> String {
    let token = person.cookie(host, "CF_Authorization").unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["country"].as_str().unwrap().to_owned()
}

/// The country that a person who has signed in at *Wiki* is said to have come from, in both places.
async fn told(world: &World, mut person: Person) -> String {
    let arrival = person.open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    let identity = identity(&mut person, world, "wiki").await;
    let country = identity["geo"]["country"].as_str().unwrap().to_owned();
    assert_eq!(country, in_token(&person, &world.host("wiki")));
    country
}

#[tokio::test]
async fn the_database_tells_the_country_of_the_address() {
    let world = behind_a_proxy(&database()).start().await;
    for (address, country) in [
        ("192.0.2.7", "SE"),
        ("203.0.113.9", "DE"),
        ("2001:db8:5e::1", "SE"),
        ("10.1.2.3", ""),
        ("198.51.100.130", ""),
        ("nonsense", ""),
    ] {
        let person = from(&world, "alice@contoso.example", address);
        assert_eq!(told(&world, person).await, country, "{address}");
    }
}

#[tokio::test]
async fn an_address_that_a_stranger_claims_has_no_country() {
    let world = World::builder().more(&database()).start().await;
    let person = from(&world, "alice@contoso.example", "192.0.2.7");
    assert_eq!(told(&world, person).await, "");
}

#[tokio::test]
async fn a_trusted_proxys_header_tells_the_country_and_a_strangers_does_not() {
    let trusting = behind_a_proxy(&header()).start().await;
    let alice = |world: &World| world.person("alice@contoso.example");
    let said = |world: &World, country: &str| alice(world).saying("CF-IPCountry", country);
    for (said_country, country) in [("NO", "NO"), ("no", "NO"), ("XX", ""), ("T1", ""), ("Norway", "")] {
        let person = said(&trusting, said_country);
        assert_eq!(told(&trusting, person).await, country, "{said_country}");
    }
    let twice = said(&trusting, "NO").saying("CF-IPCountry", "SE");
    assert_eq!(told(&trusting, twice).await, "");

    let wary = World::builder().more(&header()).start().await;
    assert_eq!(told(&wary, said(&wary, "NO")).await, "");
    let request = wary.origin.last();
    assert_eq!(request.all("cf-ipcountry"), Vec::<&str>::new());
}

#[tokio::test]
async fn without_a_source_no_country_is_known() {
    let world = behind_a_proxy("").start().await;
    let person = from(&world, "alice@contoso.example", "192.0.2.7").saying("CF-IPCountry", "NO");
    assert_eq!(told(&world, person).await, "");
}
