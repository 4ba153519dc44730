//! The cookies of an application: bound to the browser, strict, below a path.

use crate::support::log;
use crate::support::tenant::{ADAM, ALICE};
use crate::support::world::World;

use super::asks_to_sign_in;

/// Abuse case 48.
#[tokio::test]
async fn a_token_without_the_binding_cookie_of_its_browser_opens_nothing() {
    let world = World::builder()
        .wiki("enable_binding_cookie = true")
        .start()
        .await;
    let wiki = world.host("wiki");
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let adam = world.signed_in(ADAM, &["wiki"]).await;
    assert!(
        !world.origin.last().head.contains("CF_Binding"),
        "{}",
        world.origin.last().head
    );
    let token = alice.cookie(&wiki, "CF_Authorization").unwrap();
    let binding = alice.cookie(&wiki, "CF_Binding").unwrap();
    let of_adam = adam.cookie(&wiki, "CF_Binding").unwrap();
    assert!(binding != of_adam && !token.contains(&binding));

    let hits = world.origin.hits();
    for shown in [None, Some(""), Some("wrong"), Some(of_adam.as_str())] {
        let mut thief = world.anonymous();
        thief.plant(&wiki, "CF_Authorization", &token);
        if let Some(shown) = shown {
            thief.plant(&wiki, "CF_Binding", shown);
        }
        let reply = thief.fetch(&wiki, "/x", &[]).await;
        assert!(asks_to_sign_in(&reply), "{shown:?}: {}", reply.status);
        let reply = thief.fetch(&wiki, "/cdn-cgi/access/get-identity", &[]).await;
        assert_eq!(reply.status, 400, "{shown:?}: {}", reply.text());
    }
    let reply = world
        .anonymous()
        .fetch(&wiki, "/x", &[("cf-access-token", &token)])
        .await;
    assert!(asks_to_sign_in(&reply), "{}", reply.status);
    assert_eq!(world.origin.hits(), hits);
    assert!(log::contains("binding_cookie"), "nobody was told");

    // The browser itself, and the application on the auth host, are served.
    assert_eq!(alice.fetch(&wiki, "/x", &[]).await.status, 200);
    let mut application = world.anonymous();
    application.plant(&world.host("login"), "CF_Authorization", &token);
    let reply = application
        .fetch(&world.host("login"), "/cdn-cgi/access/get-identity", &[])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn the_binding_cookie_goes_with_the_token() {
    let world = World::builder()
        .tls()
        .wiki("enable_binding_cookie = true\nhttp_only_cookie_attribute = false")
        .start()
        .await;
    let wiki = world.host("wiki");
    let mut alice = world.person(ALICE);
    let start = alice.address(&wiki, "/x");
    let arrival = alice
        .follow_while(start, |url| !url.path().ends_with("/authorized"))
        .await;
    let reply = alice.get(&arrival.url).await;
    let set: Vec<&str> = reply.all("set-cookie").collect();
    let of = |name: &str| *set.iter().find(|line| line.starts_with(name)).unwrap();
    assert!(!of("CF_Authorization=").contains("HttpOnly"));
    let binding = of("CF_Binding=");
    for attribute in ["HttpOnly", "Secure", "SameSite=None", "Path=/", "Max-Age="] {
        assert!(binding.contains(attribute), "{binding}");
    }
    let reply = alice.fetch(&wiki, "/cdn-cgi/access/logout", &[]).await;
    assert!(
        reply
            .all("set-cookie")
            .any(|line| line.starts_with("CF_Binding=;"))
    );
}

#[tokio::test]
async fn tokens_from_before_are_asked_for_the_cookie_once_it_is_enabled() {
    let mut world = World::start().await;
    let wiki = world.host("wiki");
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world
        .declare(|builder| builder.wiki("enable_binding_cookie = true"))
        .await;
    let began = std::time::Instant::now();
    while !asks_to_sign_in(&alice.fetch(&wiki, "/x", &[]).await) {
        assert!(began.elapsed().as_secs() < 10, "it is not asked for");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // Which the organization session answers, without a word.
    let arrival = alice.open(&wiki, "/x").await;
    assert_eq!((arrival.status(), arrival.asked_entra()), (200, false));
}

#[tokio::test]
async fn a_strict_cookie_is_first_sent_from_a_page_of_its_own_host() {
    let world = World::builder()
        .wiki("same_site_cookie_attribute = \"strict\"")
        .start()
        .await;
    let wiki = world.host("wiki");
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&wiki, "/deep?x=1").await;
    // No redirect: a browser would not send the cookie along one that began at the provider's.
    assert_eq!(arrival.status(), 200);
    assert_eq!(arrival.url.path(), "/cdn-cgi/access/authorized");
    let set = arrival
        .reply
        .all("set-cookie")
        .find(|line| line.starts_with("CF_Authorization="))
        .unwrap();
    assert!(set.contains("SameSite=Strict"), "{set}");
    let next = format!("href=\"{}\"", alice.address(&wiki, "/deep?x=1"));
    assert!(arrival.text().contains(&next), "{}", arrival.text());
    assert_eq!(world.origin.hits(), 0);
    assert_eq!(alice.fetch(&wiki, "/deep?x=1", &[]).await.status, 200);
}
