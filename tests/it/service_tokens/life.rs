//! A service token from its making to its end, over HTTP/1.1 and HTTP/2.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::SignedDuration;
use serde_json::json;
use vestibule::store::TokensOf;

use super::{Credentials, Factory, PATIENCE, claims, clerk, token_set};
use crate::support::frames::{Frames, Outcome};
use crate::support::world::World;

#[tokio::test]
async fn a_machine_is_let_in_and_the_application_learns_which() {
    let factory = Factory::start().await;
    let (reply, seen) = factory.let_in("www", &factory.ci.pair()).await;

    let assertion = seen.header("cf-access-jwt-assertion").unwrap();
    let told = claims(assertion);
    let keys: BTreeSet<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "aud",
        "common_name",
        "exp",
        "iat",
        "iss",
        "secret_mark",
        "sub",
        "type",
    ];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(told["type"], "app");
    assert_eq!(
        told["aud"],
        json!([vestibule::crypto::digest::sha256_hex(b"www")])
    );
    assert_eq!(
        told["iss"],
        format!("http://{}", factory.world.authority("login"))
    );
    assert_eq!(told["common_name"], factory.ci.client_id);
    assert_eq!(told["sub"], "");
    assert_eq!(
        told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap(),
        6 * 3600
    );

    // The same in a cookie; neither part of the credentials, and no address.
    assert_eq!(
        seen.header("cookie"),
        Some(format!("CF_Authorization={assertion}").as_str())
    );
    assert!(
        !seen.head.contains(&factory.ci.secret) && !seen.head.contains("lient-"),
        "{}",
        seen.head
    );
    assert_eq!(seen.header("cf-access-authenticated-user-email"), None);
    assert_eq!(token_set(&reply).as_deref(), Some(assertion));
    assert_eq!(reply.header("cache-control"), Some("private"));

    // Whichever core is asked, one token is made.
    for _ in 0..8 {
        let (_, seen) = factory.let_in("www", &factory.ci.pair()).await;
        assert_eq!(seen.header("cf-access-jwt-assertion"), Some(assertion));
    }
}

#[tokio::test]
async fn the_clients_own_cookies_stay_beside_the_token() {
    let factory = Factory::start().await;
    let [id, secret] = factory.ci.pair();
    let headers = [id, secret, ("Cookie", "a=1; CF_Authorization=forged; b=2")];
    let (_, seen) = factory.let_in("www", &headers).await;
    let token = seen.header("cf-access-jwt-assertion").unwrap();
    assert_eq!(
        seen.header("cookie"),
        Some(format!("a=1; b=2; CF_Authorization={token}").as_str())
    );
}

#[tokio::test]
async fn the_cookie_stands_for_the_secret_and_for_nothing_else() {
    let factory = Factory::start().await;
    let (reply, _) = factory.let_in("www", &factory.ci.pair()).await;
    let token = token_set(&reply).unwrap();
    let cookie = format!("CF_Authorization={token}");
    let (again, seen) = factory.let_in("www", &[("Cookie", &cookie)]).await;
    assert_eq!(token_set(&again), None);
    assert_eq!(seen.header("cf-access-jwt-assertion"), Some(token.as_str()));
    assert_eq!(seen.header("cookie"), Some(cookie.as_str()));
    factory.let_in("www", &[("cf-access-token", &token)]).await;

    // Of another application, with another signature, and for people's applications.
    assert_eq!(factory.ask("unlisted", &[("Cookie", &cookie)]).await.status, 302);
    assert_eq!(factory.ask("wiki", &[("Cookie", &cookie)]).await.status, 302);
    let forged = format!("{}A", &cookie[..cookie.len() - 1]);
    let forged = if forged == cookie {
        format!("{}B", &cookie[..cookie.len() - 1])
    } else {
        forged
    };
    assert_eq!(factory.ask("www", &[("Cookie", &forged)]).await.status, 403);

    // It lives as long as it says.
    factory.world.pass(SignedDuration::from_hours(6));
    assert_eq!(
        factory.until(403, "www", &[("Cookie", &cookie)]).await.status,
        403
    );
    let (later, _) = factory.let_in("www", &factory.ci.pair()).await;
    assert_ne!(token_set(&later).unwrap(), token);
}

#[tokio::test]
async fn a_token_that_is_disabled_opens_nothing_until_it_is_enabled() {
    let factory = Factory::start().await;
    let (reply, _) = factory.let_in("www", &factory.ci.pair()).await;
    let cookie = format!("CF_Authorization={}", token_set(&reply).unwrap());
    factory.enable(false).await;
    factory.until(403, "www", &factory.ci.pair()).await;
    assert_eq!(factory.ask("www", &[("Cookie", &cookie)]).await.status, 403);
    factory.enable(true).await;
    factory.until(200, "www", &factory.ci.pair()).await;
}

#[tokio::test]
async fn a_rotation_leaves_the_secret_before_its_grace_and_no_more() {
    let factory = Factory::start().await;
    let (reply, _) = factory.let_in("www", &factory.ci.pair()).await;
    let old_cookie = format!("CF_Authorization={}", token_set(&reply).unwrap());
    let running = factory.world.running();
    let until = running.clock.now() + SignedDuration::from_hours(1);
    let rotated = running
        .manage
        .rotate_service_token(factory.ci.id, Some(until), clerk())
        .await
        .unwrap();
    let new = Credentials::from(rotated);
    factory.until(200, "www", &new.pair()).await;
    factory.let_in("www", &factory.ci.pair()).await;
    factory.let_in("www", &[("Cookie", &old_cookie)]).await;

    factory.world.pass(SignedDuration::from_mins(61));
    assert_eq!(factory.ask("www", &factory.ci.pair()).await.status, 403);
    assert_eq!(factory.ask("www", &[("Cookie", &old_cookie)]).await.status, 403);
    let (reply, _) = factory.let_in("www", &new.pair()).await;

    let new_cookie = format!("CF_Authorization={}", token_set(&reply).unwrap());
    let rotated = running
        .manage
        .rotate_service_token(factory.ci.id, None, clerk())
        .await
        .unwrap();
    let newest = Credentials::from(rotated);
    factory.until(200, "www", &newest.pair()).await;
    assert_eq!(factory.ask("www", &new.pair()).await.status, 403);
    assert_eq!(
        factory.ask("www", &[("Cookie", &new_cookie)]).await.status,
        403,
        "minted by the secret before"
    );
}

#[tokio::test]
async fn a_token_ends_with_its_duration_and_its_jwt_no_later() {
    let factory = Factory::start().await;
    factory
        .change(vestibule::manage::ServiceTokenChanges {
            duration: Some("2h".parse().unwrap()),
            ..Default::default()
        })
        .await;
    let began = Instant::now();
    let (reply, seen) = loop {
        assert!(began.elapsed() < PATIENCE, "the JWT outlives its service token");
        let (reply, seen) = factory.let_in("www", &factory.ci.pair()).await;
        let told = claims(seen.header("cf-access-jwt-assertion").unwrap());
        if told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap() <= 2 * 3600 {
            break (reply, seen);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let cookie = format!("CF_Authorization={}", token_set(&reply).unwrap());
    assert_eq!(seen.header("cookie"), Some(cookie.as_str()));
    factory.world.pass(SignedDuration::from_hours(2));
    assert_eq!(factory.ask("www", &factory.ci.pair()).await.status, 403);
    assert_eq!(factory.ask("www", &[("Cookie", &cookie)]).await.status, 403);
    let manage = &factory.world.running().manage;
    manage
        .refresh_service_token(factory.ci.id, clerk())
        .await
        .unwrap();
    factory.until(200, "www", &factory.ci.pair()).await;
}

#[tokio::test]
async fn revoking_an_applications_tokens_leaves_machines_their_secret() {
    let factory = Factory::start().await;
    let (reply, _) = factory.let_in("www", &factory.ci.pair()).await;
    let token = token_set(&reply).unwrap();
    let cookie = format!("CF_Authorization={token}");
    factory.let_in("www", &[("Cookie", &cookie)]).await;
    let aud = claims(&token)["aud"][0].as_str().unwrap().parse().unwrap();
    let everybodys = TokensOf { aud, session: None };
    let revoker = &factory.world.running().revoker;
    revoker.revoke_application_tokens(&everybodys).await.unwrap();
    assert_eq!(factory.ask("www", &[("Cookie", &cookie)]).await.status, 403);
    let (reply, _) = factory.let_in("www", &factory.ci.pair()).await;
    let fresh = token_set(&reply).unwrap();
    assert_ne!(fresh, token);
    factory
        .let_in("www", &[("Cookie", &format!("CF_Authorization={fresh}"))])
        .await;
}

#[tokio::test]
async fn get_identity_tells_which_machine_it_is() {
    let factory = Factory::start().await;
    let (reply, _) = factory.let_in("www", &factory.ci.pair()).await;
    let cookie = format!("CF_Authorization={}", token_set(&reply).unwrap());
    for host in ["www", "login"] {
        let host = factory.world.host(host);
        let mut client = factory.world.anonymous();
        let reply = client
            .fetch(&host, "/cdn-cgi/access/get-identity", &[("Cookie", &cookie)])
            .await;
        assert_eq!(reply.status, 200, "{host}");
        let told: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(told["common_name"], factory.ci.client_id);
        assert_eq!(told["service_token_id"], factory.ci.id.to_string());
        assert_eq!(
            (&told["service_token_status"], &told["email"]),
            (&json!(true), &json!(""))
        );
    }
    factory.enable(false).await;
    factory.until(403, "www", &factory.ci.pair()).await;
    let host = factory.world.host("www");
    let mut client = factory.world.anonymous();
    let reply = client
        .fetch(&host, "/cdn-cgi/access/get-identity", &[("Cookie", &cookie)])
        .await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn the_use_of_a_token_is_noted() {
    let factory = Factory::start().await;
    let uses = || factory.world.running().machines.uses.since(0);
    assert!(uses().is_empty());
    factory.ask("www", &factory.ci.with_secret("wrong").pair()).await;
    assert!(uses().is_empty(), "a wrong secret is no use");
    factory.let_in("www", &factory.ci.pair()).await;
    assert_eq!(uses().len(), 1);
    assert_eq!(uses()[0].0, factory.ci.id);
}

#[tokio::test]
async fn machines_are_let_in_over_http_2_as_over_http_1() {
    let factory = Factory::start_in(World::builder().tls(), "test", json!({})).await;
    let host = factory.world.host("www");
    let authority = factory.world.authority("www");
    let mut frames = Frames::connect(&factory.world.dial(), &host).await;
    let wrong = factory.ci.with_secret(&factory.ci.secret.to_uppercase());
    for (credentials, status) in [(&factory.ci, 200), (&wrong, 403), (&factory.ci, 200)] {
        let fields: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", authority.as_bytes()),
            (b":path", b"/x"),
            (b"cf-access-client-id", credentials.client_id.as_bytes()),
            (b"cf-access-client-secret", credentials.secret.as_bytes()),
        ];
        assert_eq!(frames.request(&fields).await, Outcome::Status(status));
    }
}
