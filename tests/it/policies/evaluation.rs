//! External evaluation: another service's yes opens, and nothing else does.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::evaluator::{Evaluator, Says};
use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::{Builder, World};

/// Loopback is behind the wall; tests open it.
const OPENED: &str = "[outbound]\nallow = [\"127.0.0.0/8\"]";

/// A world in which only the evaluation decides who opens *Wiki*.
async fn world() -> (World, Evaluator) {
    with(|builder| builder.more(OPENED)).await
}

async fn with(change: impl FnOnce(Builder) -> Builder) -> (World, Evaluator) {
    let evaluator = Evaluator::start().await;
    let policies = format!(
        r#"[{{ name = "evaluated", decision = "allow", include = [{}] }}]"#,
        evaluator.rule()
    );
    let world = change(World::builder().wiki_policies(&policies)).start().await;
    (world, evaluator)
}

#[tokio::test]
async fn yes_opens_and_no_does_not() {
    let (world, evaluator) = world().await;
    world.signed_in(MALLORY, &["wiki"]).await;
    evaluator.says(Says::No);
    let refused = world.person(ALICE).open(&world.host("wiki"), "/x").await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert_eq!(evaluator.asked().len(), 2);
    assert_eq!(world.origin.hits(), 1);
}

#[tokio::test]
async fn a_verdict_decides_every_request_without_asking_again() {
    let (world, evaluator) = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    for _ in 0..5 {
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    }
    assert_eq!((evaluator.asked().len(), evaluator.key_looks()), (1, 1));
}

#[tokio::test]
async fn it_is_asked_again_each_time_an_application_token_is_issued() {
    let (world, evaluator) = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world.pass(SignedDuration::from_mins(2));
    alice.plant(&world.host("wiki"), "CF_Authorization", "gone");
    assert_eq!(alice.open(&world.host("wiki"), "/x").await.status(), 200);
    assert_eq!(evaluator.asked().len(), 2);
    world.pass(SignedDuration::from_mins(2));
    evaluator.says(Says::No);
    alice.plant(&world.host("wiki"), "CF_Authorization", "gone");
    assert_eq!(alice.open(&world.host("wiki"), "/x").await.status(), 403);
}

#[tokio::test]
async fn whatever_goes_wrong_is_neither_yes_nor_no() {
    let (world, evaluator) = world().await;
    for says in [
        Says::Status(500),
        Says::Status(204),
        Says::Status(403),
        Says::Body(""),
        Says::Body("<html>welcome</html>"),
        Says::Body("{\"success\":true}"),
        Says::Body("{\"token\":\"a.b.c\"}"),
        Says::Body("{\"token\":null}"),
        Says::Flood,
        Says::Redirect,
        Says::OtherNonce,
        Says::Expired,
        Says::ForeignKey,
        Says::Unsigned,
        Says::Words,
    ] {
        evaluator.says(says);
        let before = evaluator.asked().len();
        let began = Instant::now();
        let refused = world.person(ALICE).open(&world.host("wiki"), "/x").await;
        assert_eq!(refused.status(), 403, "{says:?}: {}", refused.text());
        assert!(
            refused.text().contains("gave no valid answer"),
            "{says:?}: {}",
            refused.text()
        );
        assert_eq!(
            evaluator.asked().len(),
            before + 1,
            "{says:?} is not asked again and again"
        );
        assert!(began.elapsed() < Duration::from_secs(5), "{says:?}");
    }
    assert_eq!(world.origin.hits(), 0);
    evaluator.says(Says::Yes);
    world.signed_in(ALICE, &["wiki"]).await;
}

#[tokio::test]
async fn who_does_not_answer_is_not_waited_for() {
    let (world, evaluator) = world().await;
    evaluator.says(Says::Nothing);
    let began = Instant::now();
    let refused = world.person(ALICE).open(&world.host("wiki"), "/x").await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

#[tokio::test]
async fn somebody_refused_for_want_of_an_answer_may_try_again_without_signing_in() {
    let (world, evaluator) = world().await;
    evaluator.says(Says::Status(503));
    let mut alice = world.person(ALICE);
    assert_eq!(alice.open(&world.host("wiki"), "/x").await.status(), 403);
    evaluator.says(Says::Yes);
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert!(!arrival.asked_entra());
}

#[tokio::test]
async fn a_new_key_is_found_and_a_key_that_does_not_exist_is_not_looked_for_again_and_again() {
    let (world, evaluator) = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    evaluator.says(Says::NewKey);
    // The set in memory does not have it, nor does the one fetched for it; that look publishes it.
    for _ in 0..3 {
        assert_eq!(
            world.person(ALICE).open(&world.host("wiki"), "/x").await.status(),
            403
        );
    }
    assert_eq!(evaluator.key_looks(), 2);
    world.pass(SignedDuration::from_secs(61));
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(evaluator.key_looks(), 3);
}

#[tokio::test]
async fn the_question_says_who_the_person_is_and_carries_nobodys_credentials() {
    let (world, evaluator) = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let asked = evaluator.asked().pop().unwrap();
    assert_eq!(asked.claims["identity"]["email"], ALICE);
    assert_eq!(
        asked.claims["iss"],
        alice
            .address(&world.host("login"), "")
            .as_str()
            .trim_end_matches('/')
    );
    assert_eq!(
        asked.claims["exp"].as_i64().unwrap() - asked.claims["iat"].as_i64().unwrap(),
        60
    );
    // No application may take the question for a token of the person's.
    assert_eq!(asked.claims["type"], "external_evaluation");
    assert!(asked.claims["aud"][0].as_str().unwrap().ends_with("/evaluate"));
    for header in [
        "cookie",
        "authorization",
        "cf-access-client-secret",
        "cf-access-jwt-assertion",
    ] {
        assert!(!asked.headers.contains_key(header), "{header}");
    }
    for secret in ["CF_Authorization", "CF_Session", "CF_AppSession"] {
        for host in ["wiki", "login"] {
            if let Some(cookie) = alice.cookie(&world.host(host), secret) {
                assert!(!asked.body.contains(&cookie), "{secret}");
            }
        }
    }
    // It is signed with the key that `certs` shows.
    let certs = alice
        .fetch(&world.host("login"), "/cdn-cgi/access/certs", &[])
        .await;
    let certs: Value = serde_json::from_slice(&certs.body).unwrap();
    let kid = jsonwebtoken::decode_header(asked.token()).unwrap().kid.unwrap();
    let key = certs["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == kid.as_str());
    let key: Jwk = serde_json::from_value(key.unwrap().clone()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    let key = DecodingKey::from_jwk(&key).unwrap();
    jsonwebtoken::decode::<Value>(asked.token(), &key, &validation).unwrap();
}

#[tokio::test]
async fn a_question_shown_to_the_application_opens_nothing() {
    let (world, evaluator) = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    let question = evaluator.asked().pop().unwrap().token();
    let hits = world.origin.hits();
    let mut thief = world.anonymous();
    thief.plant(&world.host("wiki"), "CF_Authorization", &question);
    assert_eq!(thief.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
    assert_eq!(world.origin.hits(), hits);
}

#[tokio::test]
async fn behind_the_wall_nobody_is_asked_and_nobody_let_in() {
    let (world, evaluator) = with(|builder| builder).await;
    let refused = world.person(ALICE).open(&world.host("wiki"), "/x").await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert_eq!((evaluator.asked().len(), evaluator.key_looks()), (0, 0));
}

#[tokio::test]
async fn a_policy_that_asks_from_now_on_is_answered_on_the_next_page() {
    let evaluator = Evaluator::start().await;
    let mut world = World::builder().more(OPENED).start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let policies = format!(
        r#"[{{ name = "evaluated", decision = "allow", include = [{{ everyone = {{}} }}], require = [{}] }}]"#,
        evaluator.rule()
    );
    world.declare(|builder| builder.wiki_policies(&policies)).await;
    let script = [("X-Requested-With", "XMLHttpRequest")];
    super::until(async || alice.fetch(&world.host("wiki"), "/api", &script).await.status == 401).await;
    assert!(evaluator.asked().is_empty(), "no request of the data plane asks");
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert!(!arrival.asked_entra());
    assert_eq!(evaluator.asked().len(), 1);
}

/// The second waits for the first, and must not begin to wait anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_do_not_come_are_waited_for_once() {
    let (world, evaluator) = world().await;
    evaluator.says(Says::NoKeys);
    let began = Instant::now();
    let refused = [ALICE, MALLORY, ALICE].map(|upn| {
        let (mut person, wiki) = (world.person(upn), world.host("wiki"));
        tokio::spawn(async move { person.open(&wiki, "/x").await.status() })
    });
    for refused in refused {
        assert_eq!(refused.await.unwrap(), 403);
    }
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!(evaluator.key_looks(), 1);
    // It is not forgotten at once, and not remembered for long.
    evaluator.says(Says::Yes);
    assert_eq!(
        world.person(ALICE).open(&world.host("wiki"), "/x").await.status(),
        403
    );
    world.pass(SignedDuration::from_secs(11));
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(evaluator.key_looks(), 2);
}
