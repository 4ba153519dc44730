//! `cors_headers`, `options_preflight_bypass`, and preflights where neither is set.

use crate::support::person::Person;
use crate::support::tenant::ALICE;
use crate::support::wire::Reply;
use crate::support::world::World;

use super::refused;

const APP: &str = "https://app.example.com";

/// A browser's question in the name of a script of this origin.
async fn preflight(world: &World, browser: &mut Person, origin: &str, headers: &str) -> Reply {
    let url = browser.address(&world.host("wiki"), "/api");
    let asked = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", headers),
    ];
    browser.request("OPTIONS", &url, &asked, b"").await
}

/// Everything an answer says about other sites.
fn said(reply: &Reply) -> Vec<String> {
    [
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-allow-credentials",
        "access-control-max-age",
    ]
    .into_iter()
    .filter_map(|name| Some(format!("{name}: {}", reply.header(name)?)))
    .collect()
}

#[tokio::test]
async fn without_a_setting_a_preflight_is_refused() {
    let world = World::start().await;
    let reply = preflight(&world, &mut world.anonymous(), APP, "x-own").await;
    assert_eq!(reply.status, 403);
    assert!(said(&reply).is_empty());
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn the_gateway_answers_preflights_with_what_the_application_says() {
    let world = World::builder()
        .wiki(
            "cors_headers = { allowed_origins = [\"https://app.example.com\"], allowed_methods = [\"GET\", \"PUT\"], \
             allowed_headers = [\"X-Own\"], allow_credentials = true, max_age = 600 }",
        )
        .start()
        .await;
    let reply = preflight(&world, &mut world.anonymous(), APP, "x-own").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        said(&reply),
        [
            "access-control-allow-origin: https://app.example.com",
            "access-control-allow-methods: GET, PUT",
            "access-control-allow-headers: X-Own",
            "access-control-allow-credentials: true",
            "access-control-max-age: 600",
        ]
    );
    assert_eq!(
        reply.header("vary"),
        Some("Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
    );
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.com.evil.example",
    ] {
        let reply = preflight(&world, &mut world.anonymous(), origin, "x-own").await;
        assert_eq!((reply.status, said(&reply)), (403, Vec::new()), "{origin}");
    }
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn an_answer_of_the_application_says_to_other_sites_what_is_set() {
    let world = World::builder()
        .wiki("cors_headers = { allowed_origins = [\"https://app.example.com\"], allow_credentials = true }")
        .start()
        .await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let wiki = world.host("wiki");
    // The origin's own word, `*`, is replaced.
    let reply = alice.fetch(&wiki, "/cors", &[("Origin", APP)]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        said(&reply),
        [
            "access-control-allow-origin: https://app.example.com",
            "access-control-allow-credentials: true"
        ]
    );
    for headers in [&[("Origin", "https://evil.example")][..], &[]] {
        let reply = alice.fetch(&wiki, "/cors", headers).await;
        assert_eq!((reply.status, said(&reply)), (200, Vec::new()));
        assert!(reply.all("vary").any(|vary| vary == "Origin"));
    }
    // A script that is not signed in may read that it is not.
    let script = [("Origin", APP), ("X-Requested-With", "XMLHttpRequest")];
    let reply = world.anonymous().fetch(&wiki, "/cors", &script).await;
    assert_eq!((reply.status, said(&reply).len()), (401, 2));
}

#[tokio::test]
async fn everybodys_scripts_are_let_in_without_credentials() {
    let world = World::builder()
        .wiki(
            "cors_headers = { allow_all_origins = true, allow_all_methods = true, allow_all_headers = true }",
        )
        .start()
        .await;
    let reply = preflight(
        &world,
        &mut world.anonymous(),
        "https://any.example",
        "x-own, authorization",
    )
    .await;
    assert_eq!(
        said(&reply),
        [
            "access-control-allow-origin: *",
            "access-control-allow-methods: GET, POST, HEAD, PUT, DELETE, OPTIONS, PATCH",
            "access-control-allow-headers: x-own, authorization",
        ]
    );
}

#[tokio::test]
async fn a_preflight_goes_on_to_the_application_where_it_answers_itself() {
    let world = World::builder()
        .wiki("options_preflight_bypass = true")
        .start()
        .await;
    let wiki = world.host("wiki");
    // Even a preflight with Alice's cookies tells nobody who she is.
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let hits = world.origin.hits();
    for browser in [&mut world.anonymous(), &mut alice] {
        assert_eq!(preflight(&world, browser, APP, "x-own").await.status, 200);
        let seen = world.origin.last();
        assert!(seen.all("cf-access-jwt-assertion").is_empty(), "{}", seen.head);
        assert!(
            seen.all("cf-access-authenticated-user-email").is_empty(),
            "{}",
            seen.head
        );
        assert!(!seen.head.contains("CF_Authorization"), "{}", seen.head);
    }
    assert_eq!(world.origin.hits(), hits + 2);
    // What is no preflight is not let through by the name of it.
    let mut anonymous = world.anonymous();
    let url = anonymous.address(&wiki, "/api");
    for (method, headers) in [
        ("OPTIONS", &[("Origin", APP)][..]),
        ("OPTIONS", &[("Access-Control-Request-Method", "PUT")]),
        (
            "GET",
            &[("Origin", APP), ("Access-Control-Request-Method", "PUT")],
        ),
        (
            "POST",
            &[("Origin", APP), ("Access-Control-Request-Method", "PUT")],
        ),
    ] {
        let reply = anonymous.request(method, &url, headers, b"").await;
        assert_eq!(reply.status, 302, "{method} {headers:?}");
    }
    assert_eq!(world.origin.hits(), hits + 2);
}

#[tokio::test]
async fn what_could_not_be_meant_is_refused() {
    let world = World::start().await;
    for (lines, reason) in [
        (
            "cors_headers = { allow_all_origins = true, allow_credentials = true }",
            "allow_credentials cannot stand with allow_all_origins",
        ),
        (
            "cors_headers = { allow_all_methods = true }",
            "no origin is allowed",
        ),
        (
            "cors_headers = { allowed_origins = [\"*\"] }",
            "allowed_origins[0]",
        ),
        (
            "cors_headers = { allow_all_origins = true, allowed_methods = [\"FETCH\"] }",
            "allowed_methods[0]",
        ),
        (
            "cors_headers = { allow_all_origins = true, max_age = 90000 }",
            "max_age",
        ),
        (
            "cors_headers = { allow_all_origins = true }\noptions_preflight_bypass = true",
            "it cannot stand with cors_headers",
        ),
        ("service_auth_401_redirect = 1", "service_auth_401_redirect"),
    ] {
        let faults = refused(&world, lines);
        assert!(faults.contains(reason), "{lines}: {faults}");
    }
}

#[tokio::test]
async fn machines_are_told_401_where_the_application_asks_for_it() {
    let machines =
        "[{ name = \"plant\", decision = \"bypass\", include = [{ ip = { ip = \"203.0.113.0/24\" } }] }]";
    for (lines, status) in [("", 403), ("service_auth_401_redirect = true", 401)] {
        let world = World::builder().wiki_policies(machines).wiki(lines).start().await;
        let reply = world.anonymous().fetch(&world.host("wiki"), "/", &[]).await;
        assert_eq!(reply.status, status, "{lines}");
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401);
        assert!(reply.header("cf-access-aud").is_some());
    }
}
