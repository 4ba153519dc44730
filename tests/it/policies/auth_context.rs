//! Authentication contexts: asked for once, and never in circles.

use mock_entra::{Endpoint, User};
use url::Url;

use crate::support::person::{Arrival, Person};
use crate::support::tenant::{ADAM, ALICE, CLIENT, STAFF, TENANT};
use crate::support::world::{Builder, World};

const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";
/// Only the context decides about *staff*: everybody else in the rule would be let in without it.
const REQUIRES_C1: &str = r#"[{ name = "strong", decision = "allow", include = [{ everyone = {} }], require = [{ auth_context = { ac_id = "c1" } }] }]"#;
const ASKS: &str = "conditional_access_enabled = true";
/// What the directory calls c1.
const NAME: &str = "Phishing-resistant sign-in";

/// A world in which opening *Wiki* takes context c1.
async fn strict() -> World {
    named(World::builder().wiki_policies(REQUIRES_C1).provider(ASKS)).await
}

async fn named(builder: Builder) -> World {
    let world = builder.start().await;
    world
        .entra
        .tenant(TENANT)
        .edit(|tenant| tenant.auth_context("c1", NAME, "", true))
        .edit_app(CLIENT, |app| app.app_permission("Policy.Read.ConditionalAccess"));
    world
}

/// Alice, with something about her contexts.
fn alice_who(world: &World, change: impl FnOnce(User) -> User) {
    let alice = User::member(ALICE).oid(ALICE_OID).name("Alice Example");
    world.entra.tenant(TENANT).add_user(change(alice));
}

/// How often Entra's sign-in was asked for, and how often for a context.
fn trips(world: &World) -> (usize, usize) {
    let all = world.entra.requests();
    let trips: Vec<_> = all
        .iter()
        .filter(|request| request.endpoint == Endpoint::Authorize)
        .collect();
    let for_context = trips.iter().filter(|trip| trip.query.contains("claims=")).count();
    (trips.len(), for_context)
}

fn asks_for_context(url: &Url) -> bool {
    url.path().ends_with("/authorize") && url.query_pairs().any(|(name, _)| name == "claims")
}

async fn email(world: &World, person: &mut Person) -> String {
    let identity = person
        .fetch(&world.host("wiki"), "/cdn-cgi/access/get-identity", &[])
        .await;
    let identity: serde_json::Value = serde_json::from_slice(&identity.body).unwrap();
    identity["email"].as_str().unwrap_or_default().to_owned()
}

fn refused_in_words(arrival: &Arrival) {
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
    let text = arrival.text();
    assert!(text.contains("asks for a stronger sign-in"), "{text}");
    assert!(text.contains(NAME), "{text}");
}

#[tokio::test]
async fn who_satisfied_the_context_at_sign_in_is_let_in_at_once() {
    let world = strict().await;
    world
        .entra
        .tenant(TENANT)
        .edit_app(CLIENT, |app| app.optional_claims(["acrs"]));
    alice_who(&world, |alice| alice.satisfies_context("c1"));
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(trips(&world), (1, 0));
}

#[tokio::test]
async fn a_context_is_asked_for_once_and_then_belongs_to_the_session() {
    let world = strict().await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("wiki"), "/deep?x=1").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert!(arrival.url.as_str().ends_with("/deep?x=1"));
    assert_eq!(trips(&world), (2, 1));
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    let user = world.running().sessions.nonces();
    assert_eq!(user.len(), 1, "the session has been extended, not replaced");
    // Without its application token the browser is handed over by the same session.
    let mut again = alice.clone();
    again.plant(&world.host("wiki"), "CF_Authorization", "gone");
    assert_eq!(again.open(&world.host("wiki"), "/x").await.status(), 200);
    assert_eq!(trips(&world), (2, 1));
}

#[tokio::test]
async fn who_comes_back_without_it_is_refused_in_words_and_never_sent_round() {
    let world = strict().await;
    alice_who(&world, |alice| alice.ignores_context("c1"));
    let mut alice = world.person(ALICE);
    refused_in_words(&alice.open(&world.host("wiki"), "/x").await);
    assert_eq!(trips(&world), (2, 1));
    // Opening it anew may try once more: the organization may have mended something.
    refused_in_words(&alice.open(&world.host("wiki"), "/x").await);
    assert_eq!(trips(&world), (3, 2));
    assert_eq!(world.origin.hits(), 0);
    alice_who(&world, |alice| alice);
    assert_eq!(alice.open(&world.host("wiki"), "/x").await.status(), 200);
}

#[tokio::test]
async fn a_sign_in_that_entra_stops_ends_with_its_reason_and_without_a_second_trip() {
    for (code, status) in [(53003, 403), (53000, 403), (50079, 403)] {
        let world = strict().await;
        alice_who(&world, |alice| alice.fails_context_with("c1", code));
        let mut alice = world.person(ALICE);
        let arrival = alice.open(&world.host("wiki"), "/x").await;
        assert_eq!(arrival.status(), status, "{code}: {}", arrival.text());
        assert_eq!(trips(&world), (2, 1), "{code}");
        assert_eq!(world.origin.hits(), 0);
    }
}

#[tokio::test]
async fn somebody_else_at_the_stronger_sign_in_gets_a_session_of_their_own() {
    let world = strict().await;
    let mut browser = world.person(ALICE);
    let start = browser.address(&world.host("wiki"), "/x");
    let leaving = browser.follow_while(start, |url| !asks_for_context(url)).await;
    assert!(asks_for_context(&leaving.url));
    let before = world.running().sessions.nonces();
    ADAM.clone_into(browser.upn.as_mut().unwrap());
    let arrival = browser.follow(leaving.url).await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(email(&world, &mut browser).await, ADAM);
    let now_ms = world.clock.now_ms();
    for nonce in before {
        let over = world
            .running()
            .sessions
            .find(&nonce)
            .is_none_or(|old| old.over(now_ms).is_some());
        assert!(
            over,
            "Alice's session has ended with this browser's sign-in as Adam"
        );
    }
}

#[tokio::test]
async fn where_contexts_are_not_asked_for_the_rule_is_unknown_and_nobody_is_sent() {
    let world = named(World::builder().wiki_policies(REQUIRES_C1)).await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 403, "{}", arrival.text());
    assert!(arrival.text().contains("not set up to ask"), "{}", arrival.text());
    assert_eq!(trips(&world), (1, 0));
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn a_policy_that_asks_for_a_context_from_now_on_cuts_what_is_open() {
    let mut world = named(World::builder().provider(ASKS)).await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let upgrade = [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut socket = alice.begin("GET", &world.host("wiki"), "/ws", &upgrade).await;
    assert_eq!(socket.head().await.unwrap().status, 101);
    world.declare(|builder| builder.wiki_policies(REQUIRES_C1)).await;
    let took = socket.end().await;
    assert!(took < std::time::Duration::from_secs(3), "{took:?}");
    // With the context it opens anew.
    let mut alice = alice;
    assert_eq!(alice.open(&world.host("wiki"), "/x").await.status(), 200);
    let mut socket = alice.begin("GET", &world.host("wiki"), "/ws", &upgrade).await;
    assert_eq!(socket.head().await.unwrap().status, 101);
}

#[tokio::test]
async fn a_policy_that_asks_for_a_context_from_now_on_sends_to_it_and_lets_scripts_wait() {
    let mut world = named(World::builder().provider(ASKS)).await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let strict = format!(
        r#"[{{ name = "strong", decision = "allow", include = [{{ azureAD = {{ id = "{STAFF}" }} }}], require = [{{ auth_context = {{ ac_id = "c1" }} }}] }}]"#
    );
    world.declare(|builder| builder.wiki_policies(&strict)).await;
    let script = [("X-Requested-With", "XMLHttpRequest")];
    super::until(async || alice.fetch(&world.host("wiki"), "/api", &script).await.status == 401).await;
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(trips(&world), (2, 1));
    assert_eq!(
        alice.fetch(&world.host("wiki"), "/api", &script).await.status,
        200
    );
}
