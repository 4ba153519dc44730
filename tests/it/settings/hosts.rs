//! Applications of several hosts: one sign-in for all of them (`eager_redirect_cookie_setting`).

use jiff::SignedDuration;

use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::world::World;

use super::asks_to_sign_in;

/// *Wiki* on further hosts, which have no upstream: who is let in there gets 502.
async fn world(hosts: &[&str], lines: &str) -> World {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
    let lines = format!(
        "destinations = [\"wiki.localhost\", {}]\n{lines}",
        hosts.join(", ")
    );
    World::builder().wiki(&lines).start().await
}

fn has_token(person: &Person, host: &str) -> bool {
    person.cookie(host, "CF_Authorization").is_some()
}

#[tokio::test]
async fn the_first_sign_in_gives_every_host_its_cookie() {
    let world = world(
        &["second.localhost", "third.localhost/part", "*.fourth.localhost"],
        "",
    )
    .await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("wiki"), "/deep?x=1").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(arrival.url, alice.address(&world.host("wiki"), "/deep?x=1"));
    assert_eq!(alice.fetch("second.localhost", "/", &[]).await.status, 502);
    assert_eq!(alice.fetch("third.localhost", "/part/x", &[]).await.status, 502);
    // Hosts of a wildcard are not known.
    assert!(
        arrival.way.iter().all(|url| !url.as_str().contains("fourth")),
        "{:?}",
        arrival.way
    );
    // Once they have it, they are not visited again.
    let mut again = alice.clone();
    again.plant(&world.host("wiki"), "CF_Authorization", "gone");
    let arrival = again.open(&world.host("wiki"), "/deep").await;
    assert_eq!((arrival.status(), arrival.asked_entra()), (200, false));
}

#[tokio::test]
async fn without_the_setting_only_the_host_asked_for_gets_it() {
    let world = world(&["second.localhost"], "eager_redirect_cookie_setting = false").await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    assert!(!has_token(&alice, "second.localhost"));
}

#[tokio::test]
async fn no_more_than_five_hosts_are_visited() {
    let hosts = [
        "b.localhost",
        "c.localhost",
        "d.localhost",
        "e.localhost",
        "f.localhost",
        "g.localhost",
    ];
    let world = world(&hosts, "").await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 200);
    assert!(arrival.way.len() <= 20, "browsers give up: {}", arrival.way.len());
    let reached = hosts.iter().filter(|host| has_token(&alice, host)).count();
    assert_eq!(reached, 4);
}

#[tokio::test]
async fn whoever_is_lost_on_the_way_round_comes_home() {
    let world = world(&["second.localhost"], "").await;
    let wiki = world.host("wiki");
    let deep = world.anonymous().address(&wiki, "/deep");
    let stops = ["eager=", "/eager?", "second.localhost"];
    for stop in stops {
        let mut alice = world.person(ALICE);
        let start = alice.address(&wiki, "/deep");
        let lost = alice
            .follow_while(start, |url| {
                !(url.as_str().contains(stop)
                    && (stop != "second.localhost" || url.as_str().contains("nonce=")))
            })
            .await;
        // Another browser at this point of the way: it is let in nowhere.
        let mut other = world.anonymous();
        let arrival = other.follow_while(lost.url.clone(), |url| *url != deep).await;
        assert!(!has_token(&other, "second.localhost"), "{stop}");
        assert_eq!(arrival.url, deep, "{stop}");
        assert!(asks_to_sign_in(&other.get(&deep).await), "{stop}");
        // The person's own, too late: it is told or sent where it wanted to go.
        world.pass(SignedDuration::from_secs(61));
        let arrival = alice.follow_while(lost.url, |url| *url != deep).await;
        let leads = arrival.url == deep || arrival.text().contains(&format!("href=\"{deep}\""));
        assert!(leads, "{stop}: {}", arrival.text());
    }
}

/// A redirect that began at another site would bring no `SameSite=Strict` cookie along; a page of the host's own does.
#[tokio::test]
async fn whoever_is_lost_with_a_strict_cookie_comes_home_by_a_page() {
    let world = world(&["second.localhost"], "same_site_cookie_attribute = \"strict\"").await;
    let (wiki, login) = (world.host("wiki"), world.host("login"));
    let mut alice = world.person(ALICE);
    let start = alice.address(&wiki, "/deep");
    let lost = alice
        .follow_while(start, |url| !url.as_str().contains("/eager?"))
        .await;
    alice.plant(&login, "CF_Authorization", "gone");
    let arrival = alice.follow(lost.url).await;
    assert_eq!(
        arrival.url.path(),
        "/cdn-cgi/access/authorized",
        "{:?}",
        arrival.way
    );
    assert_eq!(arrival.url.host_str(), Some(wiki.as_str()));
    let next = format!("href=\"{}\"", alice.address(&wiki, "/deep"));
    assert!(arrival.text().contains(&next), "{}", arrival.text());
    assert!(!has_token(&alice, "second.localhost"));
    assert_eq!(alice.fetch(&wiki, "/deep", &[]).await.status, 200);
}
