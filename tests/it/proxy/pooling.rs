//! Connections to upstreams: used again where that is safe, and only there (abuse case 75).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::gateway::Gateway;
use super::wire::Upstream;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other_of_any_client() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    for _ in 0..3 {
        let mut client = gateway.client().await;
        for request in [GET, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"] {
            client.send(request).await;
            assert!(client.message().await.starts_with("HTTP/1.1 200"));
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_is_passed_on_and_both_connections_are_done_with() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
            .await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
        .await;
    let answer = client.message().await;
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.ends_with("no"),
        "{answer}"
    );
    // What looks like a second request is a part of the body that nobody reads.
    client.send(GET).await;
    assert_eq!(client.rest().await, "");
    let mut other = gateway.client().await;
    other.send(GET).await;
    assert!(other.message().await.ends_with("no"));
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_reach_nobody() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret").await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    for _ in 0..2 {
        let mut client = gateway.client().await;
        client.send(GET).await;
        assert!(client.message().await.ends_with("\r\n\r\nhi"));
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_upstream_closes_is_replaced() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    for _ in 0..5 {
        client.send(GET).await;
        assert!(client.message().await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(upstream.connections(), 5);
}

/// An upstream whose connections answer once and break off at the second request.
async fn closes_at_the_second() -> (Upstream, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let upstream = Upstream::scripted(move |mut wire| {
        let seen = Arc::clone(&seen);
        async move {
            wire.message().await;
            seen.fetch_add(1, Ordering::SeqCst);
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            wire.message().await;
            seen.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    (upstream, requests)
}

async fn second_after_a_pause(gateway: &Gateway, request: &str) -> String {
    let mut client = gateway.client().await;
    client.send(GET).await;
    client.message().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    client.send(request).await;
    client.message().await
}

#[tokio::test]
async fn a_request_that_may_be_repeated_is_when_an_idle_connection_breaks_off() {
    let (upstream, requests) = closes_at_the_second().await;
    let gateway = Gateway::before(&upstream);
    let answer = second_after_a_pause(&gateway, GET).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_request_that_may_not_be_repeated_is_not() {
    let (upstream, requests) = closes_at_the_second().await;
    let gateway = Gateway::before(&upstream);
    let answer = second_after_a_pause(
        &gateway,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_upstream_that_always_breaks_off_is_asked_once_more_at_most() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send(GET).await;
    let answer = client.message().await;
    assert!(
        answer.starts_with("HTTP/1.1 502") && answer.contains("Upstream: "),
        "{answer}"
    );
    assert_eq!(upstream.connections(), 1);
}
