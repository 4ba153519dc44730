//! Refresh tokens tried in the background: whoever Microsoft refuses is out, and whoever it cannot be asked about is not.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mock_entra::{Endpoint, Fault, MemberRef, User};
use vestibule::store::{NewSession, SessionInserted};

use crate::support::log;
use crate::support::person::Person;
use crate::support::tenant::{ALICE, MALLORY, STAFF, TENANT};
use crate::support::world::World;

const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";

async fn world() -> World {
    World::builder()
        .provider("refresh_check = \"10m\"\nrefresh_check_grace = \"1h\"\n")
        .start()
        .await
}

async fn is_in(world: &World, person: &Person) -> bool {
    let mut person = person.clone();
    person.fetch(&world.host("wiki"), "/x", &[]).await.status == 200
}

/// Waits until the token endpoint has been asked this often.
async fn asked(world: &World, times: usize) {
    let began = Instant::now();
    while world.entra.count(Endpoint::Token) < times {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody asks");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn out(world: &World, person: &Person) -> bool {
    let began = Instant::now();
    while is_in(world, person).await {
        if began.elapsed() > Duration::from_secs(5) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

#[tokio::test]
async fn whoever_is_disabled_at_microsoft_is_out_without_scim() {
    let world = world().await;
    let (first, second) = (
        world.signed_in(ALICE, &["wiki"]).await,
        world.signed_in(ALICE, &["wiki"]).await,
    );
    assert_eq!(world.entra.count(Endpoint::Token), 2);
    world.pass(SignedDuration::from_mins(11));
    asked(&world, 3).await;
    assert!(is_in(&world, &first).await && is_in(&world, &second).await);
    world.entra.disable_user(ALICE_OID);
    world.pass(SignedDuration::from_mins(11));
    asked(&world, 4).await;
    assert!(
        out(&world, &first).await && out(&world, &second).await,
        "all sessions of the person, by one token"
    );
    assert_eq!(world.entra.count(Endpoint::Token), 4, "one token a person");
}

#[tokio::test]
async fn groups_follow_and_an_outage_ends_nobody_before_the_grace() {
    let world = world().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.fail_always(Fault::TokenHtml { status: 503 });
    world.pass(SignedDuration::from_mins(11));
    asked(&world, 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_in(&world, &alice).await, "an outage is nobody's fault");
    world.entra.clear_faults();
    world.entra.remove_member(STAFF, &MemberRef::user(ALICE_OID));
    world.pass(SignedDuration::from_mins(11));
    assert!(out(&world, &alice).await, "she is signed in, and not let in");
    world.entra.add_member(STAFF, MemberRef::user(ALICE_OID));
    world.pass(SignedDuration::from_mins(11));
    let began = Instant::now();
    while !is_in(&world, &alice).await {
        assert!(began.elapsed() < Duration::from_secs(15));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.entra.fail_always(Fault::TokenHtml { status: 503 });
    let before = world.entra.count(Endpoint::Token);
    world.pass(SignedDuration::from_mins(11));
    asked(&world, before + 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_in(&world, &alice).await, "the grace has only begun");
    world.pass(SignedDuration::from_mins(75));
    let began = Instant::now();
    while is_in(&world, &alice).await {
        assert!(began.elapsed() < Duration::from_secs(15), "the grace is over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.person(MALLORY).upn.as_deref(), Some(MALLORY));
}

#[tokio::test]
async fn the_grace_begins_with_the_first_answer_that_does_not_come() {
    let mut world = world().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    // We are away for longer than the grace, and come back to a bad moment of theirs.
    world.stop().await;
    world.pass(SignedDuration::from_hours(3));
    world.entra.fail_always(Fault::TokenHtml { status: 503 });
    world.restart().await;
    asked(&world, 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_in(&world, &alice).await, "one answer that did not come");
    world.pass(SignedDuration::from_mins(30));
    asked(&world, 3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_in(&world, &alice).await, "half of the grace");
    // A success in between, and it begins anew.
    world.entra.clear_faults();
    world.pass(SignedDuration::from_mins(11));
    asked(&world, 4).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.entra.fail_always(Fault::TokenHtml { status: 503 });
    world.pass(SignedDuration::from_mins(40));
    asked(&world, 5).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_in(&world, &alice).await, "it was vouched for meanwhile");
    world.pass(SignedDuration::from_mins(70));
    assert!(out(&world, &alice).await, "and now for longer than the grace");
}

#[tokio::test]
async fn a_token_that_cannot_be_unsealed_is_given_up_and_told_of_once() {
    let world = world().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let store = world.store().await;
    let user = store
        .users_with_email(&ALICE.parse().unwrap())
        .await
        .unwrap()
        .remove(0);
    let told = store.sessions_of(user.id).await.unwrap().remove(0);
    // A later session of hers, whose token was sealed with another key.
    world.pass(SignedDuration::from_secs(1));
    let inserted = store
        .insert_session(&NewSession {
            nonce: "ABCDEFGHIJKLMNOP".parse().unwrap(),
            signs_in: true,
            provider: user.provider,
            person: user.person,
            email: user.email.clone(),
            name: None,
            identity_of: &|_| told.identity.clone(),
            provider_session: None,
            expires_ms: told.expires_ms,
            address: told.address,
            agent: None,
            refresh_token_sealed: Some(vec![1, 2, 3]),
            linkable: true,
            read_at: store.head().await.unwrap().seq,
            began_ms: world.clock.now_ms(),
            asks: &|_| None,
        })
        .await
        .unwrap();
    assert!(matches!(inserted, SessionInserted::Yes(_)));
    let lines = || {
        let mut lines = log::lines_with(&user.id.to_string());
        lines.retain(|line| line["level"] == "ERROR");
        lines.len()
    };
    world.pass(SignedDuration::from_mins(11));
    // Then the token of her other session is tried.
    asked(&world, 2).await;
    world.pass(SignedDuration::from_mins(11));
    asked(&world, 3).await;
    assert_eq!(lines(), 1);
    assert!(is_in(&world, &alice).await);
}

#[tokio::test]
async fn many_are_tried_a_few_at_once_and_without_a_pause_and_who_waits_too_long_is_told_once() {
    // As many as are taken up at a time, and 25.
    const MANY: usize = 89;
    const SLOW_MS: u64 = 300;
    let world = world().await;
    for number in 0..MANY {
        let user = User::member(format!("person{number}@contoso.example"));
        let oid = format!("5e5e5e5e-0000-4000-8000-{number:012}");
        let entra = world.entra.tenant(TENANT);
        entra
            .add_user(user.oid(&oid))
            .add_member(STAFF, MemberRef::user(oid));
    }
    for number in 0..MANY {
        let upn = format!("person{number}@contoso.example");
        world.signed_in(&upn, &["wiki"]).await;
    }
    let provider = *world.running().published.load().providers.keys().next().unwrap();
    let before = world.entra.count(Endpoint::Token);
    assert_eq!(before, MANY);
    world.entra.fail_always(Fault::Slow {
        endpoint: Endpoint::Token,
        ms: SLOW_MS,
    });
    // More than twice the interval, as after a gateway that stood still.
    world.pass(SignedDuration::from_mins(25));
    asked(&world, before + 1).await;
    let began = Instant::now();
    asked(&world, before + MANY).await;
    let took = began.elapsed();
    println!("{MANY} people tried in {took:?}");
    let one_by_one = Duration::from_millis(SLOW_MS) * 89;
    assert!(took < one_by_one / 2, "{took:?}");
    assert!(took > one_by_one / 24, "not too many at once: {took:?}");
    let told = |words: &str| {
        let lines = log::lines_with(&provider.to_string());
        let said = |line: &&serde_json::Value| line.to_string().contains(words);
        lines.iter().filter(said).cloned().collect::<Vec<_>>()
    };
    let began = Instant::now();
    while told("as often as is wanted again").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(15), "nobody waits any more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let warned = told("cannot be tried as often");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].to_string().contains("25 people"), "{warned:?}");
    // In time, nothing is told.
    world.pass(SignedDuration::from_mins(11));
    asked(&world, before + 2 * MANY).await;
    assert_eq!(told("cannot be tried as often").len(), 1);
}

fn many(number: usize) -> String {
    format!("many{number}@contoso.example")
}

/// People who are signed in, and whose tokens are due.
async fn many_due(count: usize) -> World {
    let world = world().await;
    for number in 0..count {
        let oid = uuid::Uuid::from_u128(number as u128 + 1).to_string();
        let entra = world.entra.tenant(TENANT);
        entra.add_user(User::member(many(number)).oid(&oid));
        entra.add_member(STAFF, MemberRef::user(&oid));
        world.signed_in(&many(number), &["wiki"]).await;
    }
    assert_eq!(world.entra.count(Endpoint::Token), count);
    world
}

#[tokio::test]
async fn many_tokens_are_tried_at_once_where_microsoft_takes_its_time() {
    let world = many_due(48).await;
    world.entra.fail_always(Fault::Slow {
        endpoint: Endpoint::Token,
        ms: 500,
    });
    world.pass(SignedDuration::from_mins(11));
    asked(&world, 49).await;
    let began = Instant::now();
    asked(&world, 96).await;
    // Sixteen at once take three waves; four would take twelve.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn microsoft_is_left_alone_for_as_long_as_it_asks_and_nobody_is_forgotten() {
    let world = many_due(24).await;
    world.entra.fail_next(Fault::TokenBusy { retry_after: 3 });
    world.pass(SignedDuration::from_mins(11));
    // Those that are under way when the answer comes go to their end.
    asked(&world, 25).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let so_far = world.entra.count(Endpoint::Token);
    assert!(so_far < 24 + 24, "asked on and on: {so_far}");
    let began = Instant::now();
    asked(&world, 24 + 24).await;
    assert!(began.elapsed() > Duration::from_millis(800));
    for number in 0..24 {
        let browser = world.person(&many(number)).open(&world.host("wiki"), "/").await;
        assert_eq!(browser.status(), 200);
    }
}
