//! Tokens of one application end, for everybody or for one session, and the session lives on.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use vestibule::model::ids::AudTag;
use vestibule::store::TokensOf;

use crate::support::database::{on_both, on_postgres};
use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::world::World;

/// The promise is one second; the machine that tests may be busy.
const PROMISE: Duration = Duration::from_secs(3);

fn audience(world: &World, name: &str) -> AudTag {
    let snapshot = world.running().published.load();
    let mut applications = snapshot.applications.values();
    applications
        .find(|known| known.app.name == name)
        .unwrap()
        .app
        .aud
        .clone()
}

fn everybodys(world: &World, name: &str) -> TokensOf {
    TokensOf {
        aud: audience(world, name),
        session: None,
    }
}

/// This browser, for which the auth host knows nobody: what its application tokens alone are worth.
fn tokens_alone(person: &Person) -> Person {
    let mut alone = person.clone();
    alone.upn = None;
    alone
}

on_both! {
    async fn revoked_tokens_are_worth_nothing_and_the_session_gives_new_ones(database) {
        let mut world = World::builder().on(&database).wiki("session_duration = \"1h\"").start().await;
        let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
        let mut copy = tokens_alone(&alice);
        let revoker = world.running().revoker.clone();
        revoker.revoke_application_tokens(&everybodys(&world, "Wiki")).await.unwrap();
        assert_eq!(copy.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
        // The other application's cookie is sent to its own host only: nobody is told by the revoked one who she is, nor
        // is her session ended by it.
        for path in ["/cdn-cgi/access/get-identity", "/cdn-cgi/access/logout"] {
            let reply = copy.fetch(&world.host("wiki"), path, &[]).await;
            assert!(!reply.text().contains("alice"), "{path}: {}", reply.text());
        }
        assert_eq!(copy.fetch(&world.host("other"), "/x", &[]).await.status, 200, "another application's stay");
        // Past its end it is not renewed either.
        world.pass(SignedDuration::from_hours(2));
        assert_eq!(copy.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
        let arrival = alice.open(&world.host("wiki"), "/x").await;
        assert!(arrival.status() == 200 && !arrival.asked_entra(), "{:?}", arrival.way);
        // After a restart the old ones are worth nothing still, and the new ones good.
        world.restart().await;
        assert_eq!(copy.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        // A renewed token belongs to the epoch of now.
        world.pass(SignedDuration::from_hours(2));
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    }

    async fn a_sign_out_of_one_application_leaves_the_others_and_the_session(database) {
        let world = World::builder().on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
        let mut copy = tokens_alone(&alice);
        let mut second = world.signed_in(ALICE, &["wiki"]).await;
        let reply = alice.fetch(&world.host("wiki"), "/cdn-cgi/access/logout?scope=application", &[]).await;
        assert_eq!(reply.status, 200);
        assert!(reply.text().contains("signed out of"), "{}", reply.text());
        assert_eq!(alice.cookie(&world.host("wiki"), "CF_Authorization"), None);
        assert_eq!(copy.fetch(&world.host("wiki"), "/x", &[]).await.status, 302, "the copied token");
        assert_eq!(copy.fetch(&world.host("other"), "/x", &[]).await.status, 200);
        assert_eq!(second.fetch(&world.host("wiki"), "/x", &[]).await.status, 200, "another browser's");
        let arrival = alice.open(&world.host("wiki"), "/x").await;
        assert!(arrival.status() == 200 && !arrival.asked_entra());
        assert_eq!(copy.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);
    }

    async fn signing_out_with_a_token_past_its_end_leaves_nothing_that_could_be_renewed(database) {
        let world = World::builder().on(&database).wiki("session_duration = \"1h\"").start().await;
        let wiki = world.host("wiki");
        let script = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")];
        for path in ["/cdn-cgi/access/logout?scope=application", "/cdn-cgi/access/logout"] {
            let mut alice = world.signed_in(ALICE, &["wiki"]).await;
            let mut copy = tokens_alone(&alice);
            world.pass(SignedDuration::from_hours(2));
            // Nobody is told by it who she is.
            let told = copy.fetch(&wiki, "/cdn-cgi/access/get-identity", &[]).await;
            assert_eq!((told.status, told.text().contains("no app token set")), (400, true));
            let reply = alice.fetch(&wiki, path, &script).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            assert_eq!(copy.fetch(&wiki, "/x", &[]).await.status, 302, "{path}");
        }
    }
}

on_postgres! {
    async fn tokens_revoked_at_one_gateway_are_worth_nothing_at_the_other(database) {
        let world = World::builder().gateways(2).on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
        alice.via = world.dial_of(1);
        let mut copy = tokens_alone(&alice);
        assert_eq!(copy.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
        let mut events = alice.begin("GET", &world.host("wiki"), "/events", &[]).await;
        assert_eq!(events.head().await.unwrap().status, 200);
        assert!(!events.some().await.is_empty());
        let began = Instant::now();
        let revoker = world.running_of(0).revoker.clone();
        revoker.revoke_application_tokens(&everybodys(&world, "Wiki")).await.unwrap();
        events.end().await;
        assert!(began.elapsed() < PROMISE, "the stream was open for {:?}", began.elapsed());
        while copy.fetch(&world.host("wiki"), "/x", &[]).await.status == 200 {
            assert!(began.elapsed() < PROMISE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("tokens were refused at the other gateway after {:?}", began.elapsed());
        assert_eq!(copy.fetch(&world.host("other"), "/x", &[]).await.status, 200);
        let arrival = alice.open(&world.host("wiki"), "/x").await;
        assert!(arrival.status() == 200 && !arrival.asked_entra());

        // One session's alone: signed out here, refused there, and not for good.
        let mut here = alice.clone();
        here.via = world.dial_of(0);
        let mut copy = tokens_alone(&alice);
        let reply = here.fetch(&world.host("wiki"), "/cdn-cgi/access/logout?scope=application", &[]).await;
        assert_eq!(reply.status, 200);
        let began = Instant::now();
        while copy.fetch(&world.host("wiki"), "/x", &[]).await.status == 200 {
            assert!(began.elapsed() < PROMISE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        here.via = world.dial_of(1);
        assert_eq!(here.open(&world.host("wiki"), "/x").await.status(), 200);
        assert_eq!(here.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    }
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_out_of_an_application() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let wiki = world.host("wiki");
    let image = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
        ("Sec-Fetch-Dest", "image"),
    ];
    let path = "/cdn-cgi/access/logout?scope=application";
    assert_eq!(alice.fetch(&wiki, path, &image).await.status, 403);
    assert_eq!(alice.fetch(&wiki, "/x", &[]).await.status, 200);
}

#[tokio::test]
async fn the_command_ends_what_it_is_told_to() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
    let mut copy = tokens_alone(&alice);
    let type_in = async |arguments: &[&str]| {
        let words = [&["sessions", "end"], arguments].concat();
        world.type_in(&words).await
    };
    let is_out = async |person: &mut Person, host: &str| {
        let began = Instant::now();
        while person.fetch(&world.host(host), "/x", &[]).await.status == 200 {
            assert!(began.elapsed() < PROMISE, "{host}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    for wrong in [
        &["--application", "Nothing"][..],
        &["--session", "aaaaaaaaaaaaaaaa"],
        &["--user", "00000000-0000-4000-8000-000000000000"],
    ] {
        assert_eq!(type_in(wrong).await.code, Some(64), "{wrong:?}");
    }
    assert_ne!(type_in(&[]).await.code, Some(0), "nobody is meant");
    assert_ne!(type_in(&["--everybody", ALICE]).await.code, Some(0));

    type_in(&["--application", "Wiki"]).await.fine();
    is_out(&mut copy, "wiki").await;
    assert_eq!(copy.fetch(&world.host("other"), "/x", &[]).await.status, 200);

    let nonce = world.running().sessions.nonces().into_iter().next().unwrap();
    let said = type_in(&["--session", nonce.as_str()]).await.fine();
    assert_eq!(said, "1 ended\n");
    is_out(&mut copy, "other").await;

    for whose in [&["--user", ""][..], &["--everybody"]] {
        assert_eq!(alice.open(&world.host("other"), "/x").await.status(), 200);
        let user = {
            let sessions = &world.running().sessions;
            let now = world.clock.now_ms();
            let mut known = sessions
                .nonces()
                .into_iter()
                .filter_map(|nonce| sessions.find(&nonce));
            known
                .find(|session| session.over(now).is_none())
                .unwrap()
                .user()
                .to_string()
        };
        let arguments: Vec<&str> = whose
            .iter()
            .map(|word| if word.is_empty() { user.as_str() } else { word })
            .collect();
        type_in(&arguments).await.fine();
        is_out(&mut tokens_alone(&alice), "other").await;
    }
}
