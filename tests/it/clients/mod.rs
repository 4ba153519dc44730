//! Clients that are no browsers: what cloudflared does, step by step, and our own command line.

mod cloudflared;
mod command_line;

mod discovery;
mod exchange;
mod transfer;

use url::Url;

use crate::support::person::{Arrival, Person};
use crate::support::wire::Reply;
use crate::support::world::World;

/// The audience tag of an application, by its name.
fn aud(world: &World, name: &str) -> String {
    let snapshot = world.running().published.load();
    let found = snapshot
        .applications
        .values()
        .find(|known| known.app.name == name);
    found.unwrap().app.aud.to_string()
}

/// A hidden field of a page's form.
fn field(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no field {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Says yes on the page that asks, as the form does.
async fn say_yes(person: &mut Person, asked: &Arrival) -> Reply {
    assert_eq!(asked.status(), 200, "{}", asked.text());
    send(person, &asked.url, &field(&asked.text(), "consent"), &[]).await
}

/// Sends the form of the page at an address.
async fn send(person: &mut Person, page: &Url, consent: &str, headers: &[(&str, &str)]) -> Reply {
    let url = page.join("/cdn-cgi/access/transfer").unwrap();
    let own = url.origin().ascii_serialization();
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    if !headers.iter().any(|(name, _)| *name == "Origin") {
        all.push(("Origin", &own)); // as every browser does
    }
    let body = format!("consent={consent}");
    person.request("POST", &url, &all, body.as_bytes()).await
}
