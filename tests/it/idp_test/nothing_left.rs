//! A test leaves nothing: no session, no user, no cookie, no way into any application.

use super::{rows, tested, world};
use crate::support::tenant::{ADAM, ALICE};
use crate::support::wire::Dial;
use crate::support::world::World;

#[tokio::test]
async fn a_test_leaves_no_session_no_user_no_cookie_and_opens_nothing() {
    let (world, database) = world(|builder| builder).await;
    let login = world.host("login");
    let mut adam = world.person(ADAM);
    let list = tested(&world, &mut adam).await;
    list.says("Person", "ok", &["Adam Example"]);
    for (name, value) in [("set-cookie", "CF_Authorization"), ("location", "/")] {
        let set = list.0.reply.all(name).any(|sent| sent.contains(value));
        assert!(!set, "{name}: {:?}", list.0.reply.headers);
    }
    let at_login = adam.address(&login, "/cdn-cgi/access/login");
    assert_eq!(adam.cookie_header(&at_login), "", "a cookie of ours is left");
    for table in ["users", "sessions", "access_requests"] {
        assert_eq!(rows(&database, table).await, 0, "{table}");
    }
    // Nothing opens without a sign-in of its own.
    let hits = world.origin.hits();
    for path in ["/", "/admin"] {
        let reply = adam.fetch(&world.host("wiki"), path, &[]).await;
        assert_eq!(reply.status, 302, "{path}: {}", reply.text());
    }
    let identity = adam.fetch(&login, "/cdn-cgi/access/get-identity", &[]).await;
    assert_ne!(identity.status, 200, "{}", identity.text());
    assert_eq!(world.origin.hits(), hits);
}

#[tokio::test]
async fn who_is_signed_in_stays_so_as_whoever_they_are() {
    let (world, database) = world(|builder| builder).await;
    let (login, wiki) = (world.host("login"), world.host("wiki"));
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let before = [
        alice.cookie(&login, "CF_Authorization"),
        alice.cookie(&login, "CF_Session"),
        alice.cookie(&wiki, "CF_Authorization"),
    ];
    let [users, sessions] = [rows(&database, "users").await, rows(&database, "sessions").await];
    assert!(before.iter().all(Option::is_some), "{before:?}");
    // Somebody else signs in at Microsoft for the test.
    alice.upn = Some(ADAM.to_owned());
    tested(&world, &mut alice)
        .await
        .says("Person", "ok", &["Adam Example"]);
    let after = [
        alice.cookie(&login, "CF_Authorization"),
        alice.cookie(&login, "CF_Session"),
        alice.cookie(&wiki, "CF_Authorization"),
    ];
    assert_eq!(before, after);
    assert_eq!(rows(&database, "users").await, users);
    assert_eq!(rows(&database, "sessions").await, sessions);
    assert_eq!(alice.fetch(&wiki, "/", &[]).await.status, 200);
    assert_eq!(
        alice.fetch(&wiki, "/admin", &[]).await.status,
        302,
        "Alice is no administrator by it"
    );
}

#[tokio::test]
async fn the_callback_of_a_test_makes_no_session_in_whatever_browser() {
    let (world, database) = world(|builder| builder).await;
    let mut adam = world.person(ADAM);
    let link = super::link(&world).await;
    let go = super::ready(&mut adam, &link).await;
    let callback = adam
        .follow_while(go, |url| !url.path().ends_with("/cdn-cgi/access/callback"))
        .await
        .url;
    // A browser without a cookie of ours, and one that is signed in.
    let asked = world.entra.count(mock_entra::Endpoint::Token);
    let foreign = world.anonymous().get(&callback).await;
    assert_eq!(foreign.status, 400, "{}", foreign.text());
    assert_eq!(foreign.all("set-cookie").count(), 0);
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let counted = world.entra.count(mock_entra::Endpoint::Token);
    let sessions = rows(&database, "sessions").await;
    let foreign = alice.get(&callback).await;
    assert_eq!(foreign.status, 400, "{}", foreign.text());
    assert!(!foreign.text().contains("class=\"checks\""));
    assert_eq!(world.entra.count(mock_entra::Endpoint::Token), counted);
    assert_eq!(counted, asked + 1, "the code was redeemed elsewhere");
    // In its own browser it is good once.
    assert_eq!(adam.get(&callback).await.status, 200);
    let again = adam.get(&callback).await;
    assert_eq!(again.status, 400, "{}", again.text());
    assert_eq!(rows(&database, "sessions").await, sessions);
}

/// The counters of logins.
async fn logins(world: &World) -> String {
    let internal = world.running().internal.expect("an internal listener");
    let mut wire = Dial::plain(internal).connect("localhost").await;
    wire.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    let reply = wire.reply().await.expect("metrics").text();
    let lines = reply.lines().filter(|line| line.starts_with("vestibule_logins"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_test_that_breaks_off_is_no_failed_login_and_leaves_no_cookie() {
    let (world, database) = world(|builder| builder.listen("internal = \"127.0.0.1:0\"")).await;
    let login = world.host("login");
    for had_cookie in [false, true] {
        let mut adam = world.person(ADAM);
        let known = "n0123456789ABCDEF";
        if had_cookie {
            adam.plant(&login, "CF_Session", known);
        }
        let go = super::ready(&mut adam, &super::link(&world).await).await;
        let mut gone = adam.get(&go).await;
        // Whoever never comes back is left with nothing after the test's ten minutes.
        let cookies: Vec<String> = gone.all("set-cookie").map(str::to_owned).collect();
        if had_cookie {
            assert_eq!(cookies, [""; 0]);
        } else {
            let short = |cookie: &String| cookie.contains("Max-Age=600");
            assert!(!cookies.is_empty() && cookies.iter().all(short), "{cookies:?}");
        }
        let location = gone.headers.drain(..).find(|(name, _)| name == "location");
        let callback = adam
            .follow_while(location.expect("a redirect").1.parse().unwrap(), |url| {
                !url.path().ends_with("/cdn-cgi/access/callback")
            })
            .await
            .url;
        // Neither a code nor an error: the way back is broken.
        let state = callback
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1;
        let broken = adam.address(&login, &format!("/cdn-cgi/access/callback?state={state}"));
        let reply = adam.get(&broken).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        let left = adam.cookie(&login, "CF_Session");
        assert_eq!(left.as_deref(), had_cookie.then_some(known));
        // A link that is none, and a link whose test is over.
        let forged = adam.address(&login, &format!("{}?token=x", go.path()));
        for url in [&forged, &go] {
            assert_eq!(adam.get(url).await.status, 403);
        }
        assert_eq!(rows(&database, "access_requests").await, 0);
        assert_eq!(logins(&world).await, "");
    }
}

#[tokio::test]
async fn whoever_makes_a_link_stands_in_the_audit_log() {
    let (world, _) = world(|builder| builder).await;
    super::link(&world).await;
    let newest = world.store().await.audit(1, 1).await.unwrap().remove(0);
    assert_eq!(
        (
            newest.action.as_str(),
            newest.actor.name.as_str(),
            newest.id.to_string()
        ),
        ("make_test_link", "terraform", super::provider(&world))
    );
    world.type_in(&["idp", "test", "Entra ID"]).await.fine();
    let newest = world.store().await.audit(1, 1).await.unwrap().remove(0);
    assert_eq!(
        (newest.action.as_str(), newest.actor.kind),
        ("make_test_link", vestibule::store::ActorKind::CommandLine)
    );
}
