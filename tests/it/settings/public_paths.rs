//! `overrides`: paths of a protected address that are open to everybody.

use std::time::{Duration, Instant};

use crate::support::tenant::ALICE;
use crate::support::world::World;

use super::{asks_to_sign_in, refused};

fn with_overrides(overrides: &str) -> String {
    format!(
        "[[applications]]\nname = \"Shop\"\npolicies = [\"staff\"]\n\
         destinations = [{{ uri = \"wiki.localhost/shop\", overrides = {overrides} }}, \"wiki.localhost/shop/back\"]\n"
    )
}

#[tokio::test]
async fn a_public_path_is_open_and_nothing_beside_it() {
    let overrides = "[{ behavior = \"public\", path_pattern = \"/shop/health\" }, \
        { behavior = \"public\", path_pattern = \"/shop/hooks/*\" }, \
        { behavior = \"public\", path_pattern = \"/shop/back/*\" }]";
    let world = World::builder().more(&with_overrides(overrides)).start().await;
    let wiki = world.host("wiki");
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let mut anonymous = world.anonymous();
    for path in [
        "/shop/health",
        "/shop/health?x=1",
        "/shop/hooks/a",
        "/shop/hooks/%61",
        "/shop/x/../health",
    ] {
        for browser in [&mut anonymous, &mut alice] {
            assert_eq!(browser.fetch(&wiki, path, &[]).await.status, 200, "{path}");
            let seen = world.origin.last();
            assert!(seen.all("cf-access-jwt-assertion").is_empty(), "{}", seen.head);
            assert!(!seen.head.contains("CF_Authorization"), "{}", seen.head);
        }
    }
    let hits = world.origin.hits();
    for path in [
        "/shop",
        "/shop/",
        "/shop/health/",
        "/shop/health/deep",
        "/shop/healthy",
        "/shop/Health",
        "/shop/hooks/a/b",
        "/shop/hooks/../secret",
        "/shop/secret?/shop/health",
        // Its own destination is more specific, and nothing of it was opened.
        "/shop/back/x",
    ] {
        let reply = anonymous.fetch(&wiki, path, &[]).await;
        assert!(asks_to_sign_in(&reply), "{path}: {}", reply.status);
    }
    let encoded = anonymous.fetch(&wiki, "/shop/hooks%2fa", &[]).await;
    assert_eq!(encoded.status, 400);
    assert_eq!(world.origin.hits(), hits);
}

#[tokio::test]
async fn a_path_that_is_no_longer_public_asks_to_sign_in() {
    let open = "[{ behavior = \"public\", path_pattern = \"/shop/health\" }]";
    let mut world = World::builder().more(&with_overrides(open)).start().await;
    let wiki = world.host("wiki");
    assert_eq!(
        world.anonymous().fetch(&wiki, "/shop/health", &[]).await.status,
        200
    );
    world.declare(|builder| builder.more(&with_overrides("[]"))).await;
    let changed = Instant::now();
    while !asks_to_sign_in(&world.anonymous().fetch(&wiki, "/shop/health", &[]).await) {
        assert!(changed.elapsed() < Duration::from_secs(10), "it is still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_override_that_opens_nothing_or_too_much_is_refused() {
    let world = World::start().await;
    for (overrides, reason) in [
        ("[{ behavior = \"private\", path_pattern = \"/x\" }]", "behavior"),
        ("[{ behavior = \"public\" }]", "path_pattern"),
        (
            "[{ behavior = \"public\", path_pattern = \"x\" }]",
            "path_pattern",
        ),
        (
            "[{ behavior = \"public\", path_pattern = \"/a**\" }]",
            "path_pattern",
        ),
        (
            "[{ behavior = \"public\", path_pattern = \"/x\", more = 1 }]",
            "unknown key",
        ),
    ] {
        let lines = format!("destinations = [{{ uri = \"wiki.localhost\", overrides = {overrides} }}]");
        let faults = refused(&world, &lines);
        assert!(faults.contains(reason), "{overrides}: {faults}");
    }
    let elsewhere = "destinations = [{ uri = \"wiki.localhost\" }, { uri = \"wiki.localhost/docs\", \
        overrides = [{ behavior = \"public\", path_pattern = \"/x\" }] }]";
    let faults = refused(&world, elsewhere);
    assert!(
        faults.contains("the path must lie below the destination's own path"),
        "{faults}"
    );
}
