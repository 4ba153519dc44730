//! What passes from one head to the other.

use super::gateway::{Gateway, Setup};
use super::wire::Upstream;

#[tokio::test]
async fn a_request_arrives_with_our_headers_and_without_hop_by_hop_ones() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send(
            "GET /a%20b/?q=%2F HTTP/1.1\r\nHost: app.example.com:8080\r\nX-Kept: 1\r\nConnection: close, X-Gone\r\n\
             connection: cf-access-jwt-assertion, x-forwarded-for\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nTE: gzip, trailers\r\n\
             Proxy-Authorization: secret\r\nCf-Access-Jwt-Assertion: forged\r\nCF-Access-Client-Secret: s\r\n\
             X-Forwarded-For: 10.0.0.1\r\nX-Original-URL: /admin\r\nX-Request-Id: theirs\r\n\
             Cookie: a=1; CF_Session=s; CF_Authorization=app-token; CF_Authorization=old\r\n\r\n",
        )
        .await;
    let mut received: Vec<String> = client
        .message()
        .await
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect();
    let blank = received.iter().position(String::is_empty).unwrap();
    let answer = received.drain(..=blank).collect::<Vec<_>>().join("\n");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(received.remove(0), "GET /a%20b/?q=%2F HTTP/1.1");
    received.sort();
    let expected = [
        "",
        "cf-access-authenticated-user-email: alice@example.com",
        "cf-access-jwt-assertion: app-token",
        "cookie: a=1; CF_Authorization=app-token",
        "host: app.example.com:8080",
        "te: trailers",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: app.example.com:8080",
        "x-forwarded-proto: http",
        "x-kept: 1",
        "x-request-id: request-1",
    ];
    assert_eq!(received, expected);
}

#[tokio::test]
async fn nothing_about_a_person_goes_on_where_a_policy_bypasses() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::to(upstream.address);
    setup.bypass = true;
    let gateway = setup.start();
    let mut client = gateway.client().await;
    client
        .send(
            "OPTIONS / HTTP/1.1\r\nHost: a\r\nCookie: CF_Authorization=app-token\r\n\
             Cf-Access-Authenticated-User-Email: ceo@example.com\r\n\r\n",
        )
        .await;
    let received = client.message().await.to_ascii_lowercase();
    assert!(
        !received.contains("cf-access") && !received.contains("cookie"),
        "{received}"
    );
}

#[tokio::test]
async fn a_response_passes_untouched_but_for_what_is_ours() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send(
            "HTTP/1.1 203 Very Well\r\nConnection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=1\r\n\
             Cache-Control: public\r\nSet-Cookie: a=1\r\nSet-Cookie: CF_Authorization=x\r\nCf-Access-Aud: x\r\n\
             Date: yesterday\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        )
        .await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut received: Vec<String> = client.message().await.lines().map(str::to_owned).collect();
    assert_eq!(received.remove(0), "HTTP/1.1 203 Very Well");
    received.sort();
    let expected = [
        "",
        "cache-control: public",
        "content-length: 2",
        "date: yesterday",
        "hi",
        "set-cookie: a=1",
    ];
    assert_eq!(received, expected);
}

#[tokio::test]
async fn the_host_header_may_be_replaced() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::to(upstream.address);
    setup.origin_request.http_host_header = Some("inner.example".to_owned());
    let gateway = setup.start();
    let mut client = gateway.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
        .await;
    let received = client.message().await;
    assert!(received.contains("\r\nhost: inner.example\r\n"), "{received}");
    assert!(
        received.contains("\r\nx-forwarded-host: app.example.com\r\n"),
        "{received}"
    );
}

#[tokio::test]
async fn head_and_not_modified_keep_their_lengths() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await;
        wire.head().await;
        wire.send("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n").await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.head().await.contains("content-length: 1234"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.head().await;
    assert!(
        head.starts_with("HTTP/1.1 304") && head.contains("etag: x"),
        "{head}"
    );
    assert!(client.is_silent().await);
    assert_eq!(upstream.connections(), 1);
}
