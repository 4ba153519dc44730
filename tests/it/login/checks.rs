//! What comes back from Entra and is not right: a page with a way to start again, nothing set, nothing told, and one
//! line in the log that says which check failed.

use jiff::SignedDuration;
use mock_entra::{Endpoint, Fault, IdTokenFault};
use url::Url;

use crate::support::log;
use crate::support::origin::MARK;
use crate::support::person::Person;
use crate::support::tenant::{ADAM, ALICE};
use crate::support::wire::Reply;
use crate::support::world::World;

/// Opens a callback that must fail, and holds the answer to all that is said above.
async fn refused(world: &World, person: &mut Person, callback: &Url, check: &str) -> Reply {
    let hits = world.origin.hits();
    let reply = person.get(callback).await;
    assert!(
        matches!(reply.status, 400 | 403),
        "{check}: {} {}",
        reply.status,
        reply.text()
    );
    assert_eq!(reply.all("set-cookie").count(), 0, "{check}: {:?}", reply.headers);
    assert!(
        reply
            .header("cache-control")
            .is_some_and(|caching| caching.contains("no-store")),
        "{check}"
    );
    let page = reply.text();
    assert!(!page.contains(MARK), "{check}");
    for (name, value) in callback.query_pairs().filter(|(_, value)| value.len() > 8) {
        assert!(!page.contains(&*value), "{check}: {name} is in the page");
    }
    assert_eq!(world.origin.hits(), hits, "{check}");

    let id = log::request_id(&page).unwrap_or_else(|| panic!("{check}: no request id in {page}"));
    let lines = log::told_of(&id);
    assert_eq!(lines.len(), 1, "{check}: {lines:#?}");
    assert!(
        lines[0].to_string().contains(check),
        "{check} is not in {}",
        lines[0]
    );
    reply
}

/// That the page leads back to where the login wanted to go.
fn starts_again(world: &World, reply: &Reply, path: &str) {
    let address = format!("href=\"{}://{}{path}\"", world.scheme(), world.authority("wiki"));
    assert!(
        reply.text().contains(&address),
        "no {address} in {}",
        reply.text()
    );
}

#[tokio::test]
async fn a_state_of_another_browser_is_refused() {
    let world = World::start().await;
    let callback = world
        .person(ADAM)
        .up_to_callback(&world.host("wiki"), "/theirs")
        .await;
    let asked = world.entra.count(Endpoint::Token);
    // A browser without any cookie, and one in the middle of a login of its own.
    refused(&world, &mut world.anonymous(), &callback, "another browser").await;
    let mut alice = world.person(ALICE);
    alice.up_to_callback(&world.host("wiki"), "/own").await;
    let reply = refused(&world, &mut alice, &callback, "another browser").await;
    starts_again(&world, &reply, "/theirs");
    assert_eq!(world.entra.count(Endpoint::Token), asked, "the code was redeemed");
}

#[tokio::test]
async fn a_state_is_good_once() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let callback = alice.up_to_callback(&world.host("wiki"), "/x").await;
    let mut before = alice.clone();
    assert_eq!(alice.follow(callback.clone()).await.status(), 200);
    let asked = world.entra.count(Endpoint::Token);
    // Again with what the browser had before: no session, so there is nothing to go on with.
    let reply = refused(&world, &mut before, &callback, "used before").await;
    starts_again(&world, &reply, "/x");
    // Again in the browser that signed in: it goes where it wanted to.
    assert_eq!(alice.follow(callback).await.status(), 200);
    assert_eq!(
        world.entra.count(Endpoint::Token),
        asked,
        "the code was redeemed again"
    );
}

#[tokio::test]
async fn a_state_older_than_ten_minutes_is_refused() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let callback = alice.up_to_callback(&world.host("wiki"), "/x").await;
    world.pass(SignedDuration::from_secs(601));
    let reply = refused(&world, &mut alice, &callback, "older than").await;
    starts_again(&world, &reply, "/x");
}

#[tokio::test]
async fn a_state_that_we_did_not_seal_is_refused() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let callback = alice.up_to_callback(&world.host("wiki"), "/x").await;
    let state = callback
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let mut flipped = state.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    for forged in [
        flipped,
        state[..state.len() - 1].to_owned(),
        format!("{state}A"),
        "A".repeat(300),
    ] {
        let changed = Url::parse(&callback.as_str().replace(&state, &forged)).unwrap();
        refused(&world, &mut alice, &changed, "state").await;
    }
    // The genuine one is still good: nothing of the above has spent it.
    assert_eq!(alice.follow(callback).await.status(), 200);
}

#[tokio::test]
async fn a_parameter_that_comes_twice_is_refused() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let callback = alice.up_to_callback(&world.host("wiki"), "/x").await;
    for name in ["state", "code", "code[]"] {
        let mut twice = callback.clone();
        twice.query_pairs_mut().append_pair(name, "x");
        assert_eq!(alice.get(&twice).await.status, 400, "{name}");
    }
    assert_eq!(world.entra.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn an_id_token_that_fails_a_check_signs_nobody_in() {
    let world = World::start().await;
    for (fault, check) in [
        (IdTokenFault::WrongNonce, "nonce"),
        (IdTokenFault::WrongAudience, "aud"),
        (IdTokenFault::WrongIssuer, "iss"),
        (IdTokenFault::OtherTenant, "tid"),
        (IdTokenFault::AlgNone, "alg"),
        (IdTokenFault::Hs256, "alg"),
        (IdTokenFault::UnknownKey, "key"),
        (IdTokenFault::Expired, "exp"),
        (IdTokenFault::NotYetValid, "nbf"),
        (IdTokenFault::NoOid, "oid"),
    ] {
        let mut alice = world.person(ALICE);
        let callback = alice.up_to_callback(&world.host("wiki"), "/x").await;
        world.entra.fail_next(Fault::IdToken(fault.clone()));
        let reply = refused(&world, &mut alice, &callback, check).await;
        starts_again(&world, &reply, "/x");
        world.entra.clear_faults();
    }
    assert!(world.running().sessions.nonces().is_empty());
}

#[tokio::test]
async fn markup_in_parameters_is_never_part_of_a_page() {
    let world = World::start().await;
    let payload = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%3E%3Cimg%20src%3Dx%3E";
    for path in [
        format!("/cdn-cgi/access/callback?error=access_denied&error_description={payload}&state={payload}"),
        format!("/cdn-cgi/access/callback?code={payload}&state={payload}"),
        format!("/cdn-cgi/access/login/{payload}?meta={payload}&redirect_url={payload}&kid={payload}"),
        format!("/cdn-cgi/access/logout?returnTo={payload}"),
        format!("/cdn-cgi/access/{payload}"),
    ] {
        for host in ["login", "wiki"] {
            let reply = world.anonymous().fetch(&world.host(host), &path, &[]).await;
            let page = reply.text();
            assert!(
                !page.contains("<script>alert") && !page.contains("<img src=x"),
                "{host}{path}: {page}"
            );
            if reply
                .header("content-type")
                .is_some_and(|kind| kind.contains("html"))
                && reply.status != 302
            {
                let policy = reply.header("content-security-policy").unwrap_or_default();
                assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
                assert!(!policy.contains("unsafe-inline"), "{path}: {policy}");
                assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
                assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
            }
        }
    }
}
