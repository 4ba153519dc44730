//! `strict_service_token_auth`: whoever shows a service token is judged by it alone.

use serde_json::json;

use super::{Factory, issue, token_set};
use crate::support::tenant::ALICE;
use crate::support::wire::Reply;
use crate::support::world::World;

async fn strict() -> Factory {
    let world = World::builder().organization("strict_service_token_auth = true");
    let settings = json!({"read_service_tokens_from_header": "X-Service-Token"});
    Factory::start_in(world, "localhost", settings).await
}

fn sets_nothing(reply: &Reply, status: u16, what: &str) {
    assert_eq!(reply.status, status, "{what}: {}", reply.text());
    assert_eq!(reply.all("set-cookie").count(), 0, "{what}");
    assert_eq!(reply.header("location"), None, "{what}");
    assert!(
        reply.header("cache-control").unwrap().contains("no-store"),
        "{what}"
    );
}

/// Abuse case 65.
#[tokio::test]
async fn bad_credentials_get_401_whatever_else_comes_along() {
    let factory = strict().await;
    let [id, secret] = factory.ci.pair();
    let written = factory.ci.written();
    let wrong = factory.ci.with_secret("wrong");
    let other = issue(&factory.world, "Other", "1h").await;
    let other_written = other.written();
    for (what, headers) in [
        ("wrong secret", wrong.pair().to_vec()),
        ("id alone", vec![id]),
        ("secret alone", vec![secret]),
        ("id twice", vec![id, id, secret]),
        ("secret twice", vec![id, secret, secret]),
        ("no JSON", vec![("X-Service-Token", "x")]),
        (
            "two carriers that differ",
            vec![id, secret, ("X-Service-Token", &other_written)],
        ),
        (
            "two carriers that agree",
            vec![id, secret, ("X-Service-Token", &written)],
        ),
        (
            "one header twice",
            vec![("X-Service-Token", &written), ("X-Service-Token", &written)],
        ),
    ] {
        let reply = factory.ask("www", &headers).await;
        sets_nothing(&reply, 401, what);
        assert!(reply.header("www-authenticate").is_some(), "{what}");
    }
    // Neither a sign-in nor a good session takes the place of a token that is bad.
    sets_nothing(
        &factory.ask("unlisted", &wrong.pair()).await,
        401,
        "where people may sign in",
    );
    let mut alice = factory.world.signed_in(ALICE, &["unlisted"]).await;
    let host = factory.world.host("unlisted");
    sets_nothing(
        &alice.fetch(&host, "/x", &wrong.pair()).await,
        401,
        "with a good session",
    );
    assert_eq!(
        alice.fetch(&host, "/x", &[]).await.status,
        200,
        "without the token"
    );
}

#[tokio::test]
async fn good_credentials_get_in_without_a_cookie_or_403() {
    let factory = strict().await;
    let (reply, seen) = factory.let_in("www", &factory.ci.pair()).await;
    assert_eq!(reply.all("set-cookie").count(), 0);
    factory
        .let_in("www", &[("X-Service-Token", &factory.ci.written())])
        .await;

    let other = issue(&factory.world, "Other", "1h").await;
    factory.until(403, "www", &other.pair()).await;
    for host in ["www", "unlisted", "wiki"] {
        sets_nothing(&factory.ask(host, &other.pair()).await, 403, host);
    }
    let mut alice = factory.world.signed_in(ALICE, &["unlisted"]).await;
    let host = factory.world.host("unlisted");
    sets_nothing(
        &alice.fetch(&host, "/x", &other.pair()).await,
        403,
        "with a good session",
    );

    // What the application was told opens nothing here: nobody was given it as a cookie.
    let token = seen.header("cf-access-jwt-assertion").unwrap();
    let cookie = format!("CF_Authorization={token}");
    assert_eq!(factory.ask("www", &[("Cookie", &cookie)]).await.status, 403);
}

#[tokio::test]
async fn where_everybody_may_pass_no_token_is_asked_about() {
    let factory = strict().await;
    let wiki = factory.world.host("wiki");
    let mut client = factory.world.anonymous();
    let wrong = factory.ci.with_secret("wrong");
    assert_eq!(client.fetch(&wiki, "/public/x", &wrong.pair()).await.status, 200);
}

#[tokio::test]
async fn an_address_does_not_stand_in_for_a_bad_token() {
    let factory = strict().await;
    let here =
        json!({"name": "here", "decision": "non_identity", "include": [{"ip": {"ip": "127.0.0.0/8"}}]});
    factory.protect("www", &[here], json!({})).await;
    factory.let_in("www", &[]).await;
    let wrong = factory.ci.with_secret("wrong");
    let reply = factory.ask("www", &wrong.pair()).await;
    sets_nothing(&reply, 401, "wrong secret");
    assert_eq!(token_set(&reply), None);
}
