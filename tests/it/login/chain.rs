//! The chain itself: there, back, and out again.

use jiff::SignedDuration;

use crate::support::database::on_both;
use crate::support::tenant::{ADAM, ALICE, MALLORY};
use crate::support::world::World;

on_both! {
    async fn a_deep_link_with_its_query_is_where_a_login_ends(database) {
        let world = World::builder().on(&database).start().await;
        let mut alice = world.person(ALICE);
        let arrival = alice.open(&world.host("wiki"), "/deep/link?x=1&y=%2F").await;
        assert_eq!(arrival.status(), 200, "{}", arrival.text());
        assert!(arrival.asked_entra());
        assert_eq!(arrival.url, alice.address(&world.host("wiki"), "/deep/link?x=1&y=%2F"));
        let seen = world.origin.last();
        assert_eq!(seen.target(), "/deep/link?x=1&y=%2F");
        assert_eq!(seen.header("cf-access-authenticated-user-email"), Some(ALICE));
        assert_eq!(seen.header("cf-access-jwt-assertion"), alice.cookie(&world.host("wiki"), "CF_Authorization").as_deref());
    }

    async fn the_second_application_asks_nobody(database) {
        let world = World::builder().on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        let arrival = alice.open(&world.host("other"), "/").await;
        assert_eq!(arrival.status(), 200);
        assert!(!arrival.asked_entra(), "{:?}", arrival.way);
    }

    async fn a_restart_in_the_middle_of_a_login_loses_nothing(database) {
        let mut world = World::builder().on(&database).start().await;
        let mut alice = world.person(ALICE);
        let callback = alice.up_to_callback(&world.host("wiki"), "/deep").await;
        world.restart().await;
        let arrival = alice.follow(callback).await;
        assert_eq!(arrival.status(), 200, "{}", arrival.text());
        assert_eq!(world.origin.last().target(), "/deep");
        // And nobody who is in has to sign in again.
        world.restart().await;
        assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    }

    async fn a_copied_cookie_is_worth_nothing_after_the_logout(database) {
        let world = World::builder().on(&database).start().await;
        let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
        let mut thief = alice.clone();
        thief.upn = None;
        let reply = alice.fetch(&world.host("wiki"), "/cdn-cgi/access/logout", &[]).await;
        assert_eq!(reply.status, 200);
        let removed = reply.all("set-cookie").find(|cookie| cookie.starts_with("CF_Authorization=;")).unwrap();
        assert!(removed.contains("Path=/") && removed.contains("Expires=Thu, 01 Jan 1970"), "{removed}");
        for host in ["wiki", "other"] {
            assert_eq!(thief.fetch(&world.host(host), "/x", &[]).await.status, 302, "{host}");
        }
        // The organization session has ended too: the copied cookie of the auth host leads to Entra.
        let login = thief.follow_while(thief.address(&world.host("other"), "/x"), |url| url.host_str() != Some("127.0.0.1")).await;
        assert!(login.url.path().ends_with("/authorize"), "{:?}", login.way);
    }
}

#[tokio::test]
async fn every_address_survives_a_login_byte_for_byte() {
    let world = World::start().await;
    let wiki = world.host("wiki");
    for path in [
        "/caf%C3%A9?x=%20&y=a+b",
        "/100%25?q=%2525",
        "/a%20b/c.d/e~f/(g)",
        "/x?redirect=https://evil.com//x&y=\\",
        "/?=&&a",
        "/@user/:id,1",
        "/%5Bx%5D?a[]=1&a[]=2",
    ] {
        let mut alice = world.person(ALICE);
        assert_eq!(alice.open(&wiki, path).await.status(), 200, "{path}");
        let asked = alice.address(&wiki, path);
        let target = &asked[url::Position::BeforePath..url::Position::AfterQuery];
        assert_eq!(world.origin.last().target(), target);
    }
}

#[tokio::test]
async fn an_address_too_long_for_the_way_ends_at_the_applications_root() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let arrival = alice
        .open(&world.host("wiki"), &format!("/{}", "a".repeat(3_000)))
        .await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(arrival.url, alice.address(&world.host("wiki"), "/"));
    let longest = arrival.way.iter().map(|url| url.as_str().len()).max().unwrap();
    assert!(longest < 8_000, "an address of {longest} bytes on the way");
}

#[tokio::test]
async fn on_tls_every_cookie_is_bound_to_its_host() {
    let world = World::builder().tls().start().await;
    let mut alice = world.person(ALICE);
    let mut url = alice.address(&world.host("wiki"), "/x");
    let mut cookies = Vec::new();
    loop {
        let reply = alice.get(&url).await;
        let ours = url.host_str() != Some("127.0.0.1");
        let set = reply.all("set-cookie").filter(|_| ours);
        cookies.extend(set.map(|cookie| (url.host_str().unwrap().to_owned(), cookie.to_owned())));
        let Some(next) = reply.header("location") else {
            break;
        };
        url = url.join(next).unwrap();
    }
    for (host, cookie) in &cookies {
        assert!(cookie.contains("; Secure"), "{host}: {cookie}");
        assert!(cookie.contains("; HttpOnly"), "{host}: {cookie}");
        assert!(!cookie.contains("Domain="), "{host}: {cookie}");
        if *host == world.host("login") {
            assert!(cookie.starts_with("__Host-"), "{cookie}");
        }
    }
    assert!(
        alice
            .cookie(&world.host("login"), "__Host-CF_Authorization")
            .is_some()
    );
    assert!(alice.cookie(&world.host("wiki"), "CF_Authorization").is_some());
}

#[tokio::test]
async fn somebody_whom_no_policy_lets_in_is_told_so() {
    let world = World::builder()
        .wiki("custom_deny_message = \"Ask the librarian.\"")
        .start()
        .await;
    let mut mallory = world.person(MALLORY);
    let arrival = mallory.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 403);
    let page = arrival.text();
    assert!(
        page.contains(MALLORY) && page.contains("Ask the librarian."),
        "{page}"
    );
    assert_eq!(world.origin.hits(), 0);
    assert_eq!(mallory.cookie(&world.host("wiki"), "CF_Authorization"), None);
}

#[tokio::test]
async fn an_expired_application_token_is_renewed_without_a_page() {
    let world = World::builder().wiki("session_duration = \"30m\"").start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world.pass(SignedDuration::from_mins(31));
    let before = alice.cookie(&world.host("wiki"), "CF_Authorization");
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    assert_ne!(alice.cookie(&world.host("wiki"), "CF_Authorization"), before);
    // A browser that has lost it is given one by way of the auth host.
    world.pass(SignedDuration::from_mins(31));
    alice.plant(&world.host("wiki"), "CF_Authorization", "lost");
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 200);
    assert!(
        arrival.way.len() > 1 && !arrival.asked_entra(),
        "{:?}",
        arrival.way
    );
}

#[tokio::test]
async fn a_rule_for_administrators_holds_below_its_path_only() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(alice.open(&world.host("wiki"), "/admin/x").await.status(), 403);
    assert_eq!(
        alice.open(&world.host("wiki"), "/administration").await.status(),
        200
    );
    let mut adam = world.signed_in(ADAM, &["wiki"]).await;
    assert_eq!(adam.open(&world.host("wiki"), "/admin/x").await.status(), 200);
    assert_eq!(adam.open(&world.host("wiki"), "/x").await.status(), 200);
}

#[tokio::test]
async fn a_page_elsewhere_cannot_sign_anybody_out() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let wiki = world.host("wiki");
    let image = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Dest", "image"),
        ("Sec-Fetch-Mode", "no-cors"),
    ];
    let frame = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Dest", "iframe"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    for request in [image, frame] {
        assert_eq!(
            alice
                .fetch(&wiki, "/cdn-cgi/access/logout", &request)
                .await
                .status,
            403
        );
        assert_eq!(alice.fetch(&wiki, "/x", &[]).await.status, 200);
    }
    let away = "/cdn-cgi/access/logout?returnTo=https%3A%2F%2Fevil.com%2F";
    let reply = alice.fetch(&wiki, away, &[]).await;
    assert_eq!(reply.header("location"), None);
    assert!(!reply.text().contains("evil.com"), "{}", reply.text());
}

#[tokio::test]
async fn the_hand_over_leaves_nothing_in_referrers() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let start = alice.address(&world.host("wiki"), "/x");
    let arrival = alice
        .follow_while(start, |url| !url.path().ends_with("/authorized"))
        .await;
    let reply = alice.get(&arrival.url).await;
    assert_eq!(reply.status, 302);
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(
        reply.header("location"),
        Some(alice.address(&world.host("wiki"), "/x").as_str())
    );
    // Copied into another browser it is worth nothing.
    let stolen = world.anonymous().get(&arrival.url).await;
    assert_eq!(stolen.status, 400);
    assert_eq!(
        stolen
            .all("set-cookie")
            .filter(|cookie| cookie.starts_with("CF_Authorization"))
            .count(),
        0
    );
}

#[tokio::test]
async fn after_signing_out_a_listed_address_is_gone_to_and_none_that_only_begins_like_it() {
    let world = World::builder()
        .organization("logout_return_to = [\"https://www.example.com/bye?from=gateway\"]")
        .start()
        .await;
    let wiki = world.host("wiki");
    for (asked, leads) in [
        ("https://www.example.com/bye?from=gateway", true),
        ("https://WWW.example.com:443/bye?from=gateway", true),
        ("https://www.example.com/bye", false),
        ("https://www.example.com/bye?from=gateway&to=x", false),
        ("https://www.example.com/bye?from=gateway#x", false),
        ("http://www.example.com/bye?from=gateway", false),
        ("https://www.example.com.evil.com/bye?from=gateway", false),
        ("https://a@www.example.com/bye?from=gateway", false),
    ] {
        let mut alice = world.signed_in(ALICE, &["wiki"]).await;
        let mut url = alice.address(&wiki, "/cdn-cgi/access/logout");
        url.query_pairs_mut().append_pair("returnTo", asked);
        let reply = alice.get(&url).await;
        let listed = Some("https://www.example.com/bye?from=gateway");
        assert_eq!(reply.header("location"), listed.filter(|_| leads), "{asked}");
        assert!(leads || reply.status == 200, "{asked}");
        alice.upn = None;
        assert_eq!(alice.fetch(&wiki, "/x", &[]).await.status, 302, "{asked}");
    }
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let mut url = alice.address(&wiki, "/cdn-cgi/access/logout");
    let launcher = alice.address(&world.host("login"), "/");
    url.query_pairs_mut().append_pair("returnTo", launcher.as_str());
    assert_eq!(alice.get(&url).await.header("location"), Some(launcher.as_str()));
}
