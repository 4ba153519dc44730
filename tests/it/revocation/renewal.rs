//! Application tokens are renewed in place: whoever has a live session sees no redirect because one ended.

use jiff::SignedDuration;
use vestibule::session::keys;

use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::wire::Reply;
use crate::support::world::World;

const SCRIPT: &[(&str, &str)] = &[("X-Requested-With", "XMLHttpRequest")];

/// Tokens of *Wiki* last an hour, sessions a day.
async fn hourly() -> World {
    World::builder().wiki("session_duration = \"1h\"").start().await
}

fn token(world: &World, person: &Person) -> String {
    person.cookie(&world.host("wiki"), "CF_Authorization").unwrap()
}

/// The token that an answer puts into the browser, if any.
fn given(reply: &Reply) -> Option<String> {
    let set = reply
        .all("set-cookie")
        .find(|line| line.starts_with("CF_Authorization="))?;
    let value = set.strip_prefix("CF_Authorization=").unwrap();
    Some(value.split(';').next().unwrap().to_owned()).filter(|value| !value.is_empty())
}

#[tokio::test]
async fn a_token_past_its_end_is_replaced_on_the_answer_to_a_script() {
    let world = hourly().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    alice.upn = None;
    let old = token(&world, &alice);
    world.pass(SignedDuration::from_hours(3));
    let url = alice.address(&world.host("wiki"), "/api");
    let reply = alice.request("POST", &url, SCRIPT, b"what it sent").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let new = given(&reply).expect("a new token");
    assert_ne!(new, old);
    assert_eq!(reply.header("cache-control"), Some("private, no-store"));
    // The application is told by the new one, and gets no other.
    let seen = world.origin.last();
    assert_eq!(seen.header("cf-access-jwt-assertion"), Some(new.as_str()));
    assert!(!seen.head.contains(&old), "{}", seen.head);
    // From then on it is the browser's, and nothing is renewed again.
    let reply = alice.fetch(&world.host("wiki"), "/api", SCRIPT).await;
    assert_eq!((reply.status, given(&reply)), (200, None));
    // It ends with its session all the same.
    world.pass(SignedDuration::from_hours(22));
    assert_eq!(alice.fetch(&world.host("wiki"), "/api", SCRIPT).await.status, 401);
}

#[tokio::test]
async fn many_requests_with_one_token_get_one_new_one() {
    let world = hourly().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    alice.upn = None;
    world.pass(SignedDuration::from_hours(2));
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let (mut tab, wiki) = (alice.clone(), world.host("wiki"));
        asked.spawn(async move { tab.fetch(&wiki, "/x", SCRIPT).await });
    }
    let replies = asked.join_all().await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    let tokens: std::collections::BTreeSet<_> = replies.iter().map(given).collect();
    assert_eq!(tokens.len(), 1, "each got the same");
}

#[tokio::test]
async fn a_token_near_its_end_is_replaced_and_one_far_from_it_is_not() {
    let world = hourly().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world.pass(SignedDuration::from_mins(50));
    assert_eq!(given(&alice.fetch(&world.host("wiki"), "/x", &[]).await), None);
    world.pass(SignedDuration::from_mins(6));
    // The moved clock makes the store look silent until it is asked the next time.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let reply = alice.fetch(&world.host("wiki"), "/x", &[]).await;
    assert!(reply.status == 200 && given(&reply).is_some());
}

#[tokio::test]
async fn a_token_of_the_previous_key_is_replaced() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let running = world.running();
    let before = running.published.load().keys.current().unwrap().kid.clone();
    keys::rotate(
        &running.store,
        &running.sealer,
        &running.clock,
        &crate::support::somebody(),
    )
    .await
    .unwrap();
    while running.published.load().keys.current().unwrap().kid == before {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let reply = alice.fetch(&world.host("wiki"), "/x", &[]).await;
    let new = given(&reply).expect("a new token");
    let kid = jsonwebtoken::decode_header(new.as_bytes()).unwrap().kid.unwrap();
    assert_ne!(kid, before.as_str());
    let reply = alice.fetch(&world.host("wiki"), "/x", &[]).await;
    assert_eq!((reply.status, given(&reply)), (200, None));
}

#[tokio::test]
async fn a_token_past_its_end_opens_nothing_that_its_session_may_not() {
    let mut world = hourly().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let mut copy = alice.clone();
    alice.upn = None;
    world.pass(SignedDuration::from_hours(2));
    // Policies are asked as for any request.
    world.declare(|world| world.wiki_policies("[]")).await;
    let reply = until(&mut alice, &world, |reply| reply.status != 200).await;
    assert_eq!(given(&reply), None);
    world.declare(|world| world.wiki_policies("[\"staff\"]")).await;
    until(&mut alice, &world, |reply| reply.status == 200).await;
    // Nor is it worth anything after a sign-out.
    let out = alice.open(&world.host("wiki"), "/cdn-cgi/access/logout").await;
    assert_eq!(out.status(), 200, "{:?}", out.way);
    copy.upn = None;
    assert_eq!(copy.fetch(&world.host("wiki"), "/x", SCRIPT).await.status, 401);
    let hits = world.origin.hits();
    let other = copy.fetch(&world.host("other"), "/x", SCRIPT).await;
    assert_eq!((other.status, world.origin.hits()), (401, hits));
}

async fn until(person: &mut Person, world: &World, right: impl Fn(&Reply) -> bool) -> Reply {
    for _ in 0..150 {
        let reply = person.clone().fetch(&world.host("wiki"), "/x", SCRIPT).await;
        if right(&reply) {
            return reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it did not come to it");
}

#[tokio::test]
async fn a_token_in_a_header_is_not_renewed() {
    let world = hourly().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let token = token(&world, &alice);
    let mut client = world.anonymous();
    let header = [("cf-access-token", token.as_str()), SCRIPT[0]];
    assert_eq!(client.fetch(&world.host("wiki"), "/x", &header).await.status, 200);
    world.pass(SignedDuration::from_hours(2));
    assert_eq!(client.fetch(&world.host("wiki"), "/x", &header).await.status, 401);
}

#[tokio::test]
async fn while_the_store_is_away_good_tokens_go_on_and_ended_ones_are_told_to_wait() {
    let world = hourly().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world.pass(SignedDuration::from_mins(56));
    world.running().store.close().await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let reply = alice.fetch(&world.host("wiki"), "/x", SCRIPT).await;
    assert_eq!((reply.status, given(&reply)), (200, None));
    world.pass(SignedDuration::from_mins(10));
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", SCRIPT).await.status, 503);
}

const NAVIGATION: &[(&str, &str)] = &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
const PICTURE: &[(&str, &str)] = &[("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")];

#[tokio::test]
async fn a_token_without_duration_is_good_for_one_navigation_and_what_its_page_fetches() {
    let world = World::builder().wiki("session_duration = \"0s\"").start().await;
    let wiki = world.host("wiki");
    let mut alice = world.person(ALICE);
    let start = alice.address(&wiki, "/x");
    let arrival = alice
        .follow_while(start, |url| {
            !(url.path() == "/x" && url.host_str() == Some(wiki.as_str()))
        })
        .await;
    assert_eq!(arrival.url, alice.address(&wiki, "/x"));
    assert_eq!(alice.fetch(&wiki, "/x", NAVIGATION).await.status, 200);
    for _ in 0..3 {
        assert_eq!(alice.fetch(&wiki, "/logo.png", PICTURE).await.status, 200);
    }
    // The next navigation goes by the auth host, where the session is asked anew: without a page of Entra.
    assert_eq!(alice.fetch(&wiki, "/y", NAVIGATION).await.status, 302);
    let arrival = alice.open(&wiki, "/y").await;
    assert!(arrival.status() == 200 && !arrival.asked_entra());
    // Nothing renews it.
    world.pass(SignedDuration::from_secs(61));
    assert_eq!(alice.fetch(&wiki, "/logo.png", PICTURE).await.status, 302);
}

#[tokio::test]
async fn a_duration_made_shorter_holds_for_tokens_that_there_are() {
    let mut world = World::builder()
        .wiki("session_duration = \"12h\"")
        .wiki_policies("[{ name = \"all\", decision = \"allow\", include = [{ everyone = {} }], session_duration = \"6h\" }]")
        .start()
        .await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world.pass(SignedDuration::from_hours(1));
    assert_eq!(given(&alice.fetch(&world.host("wiki"), "/x", &[]).await), None);
    world
        .declare(|world| {
            world.wiki_policies("[{ name = \"all\", decision = \"allow\", include = [{ everyone = {} }], session_duration = \"30m\" }]")
        })
        .await;
    let reply = until(&mut alice, &world, |reply| given(reply).is_some()).await;
    let claims = given(&reply).unwrap();
    let claims = jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(claims.as_bytes())
        .unwrap()
        .claims;
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(
        life,
        30 * 60,
        "the policy's duration goes before the application's"
    );
}
