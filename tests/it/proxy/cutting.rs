//! What is open ends with its session, within a second, although nothing moves on it.

use std::time::Duration;

use super::gateway::Gateway;
use super::wire::{Upstream, Wire};

/// The promise.
const SOON: Duration = Duration::from_secs(1);

/// An upstream that reads a head, does `then`, and expects to be cut off.
async fn upstream(then: &'static str) -> Upstream {
    Upstream::scripted(move |mut wire| async move {
        wire.head().await;
        wire.send(then).await;
        wire.rest().await;
    })
    .await
}

async fn is_cut(gateway: &Gateway, client: &mut Wire) {
    gateway.log_out();
    let took = client.closes_after().await;
    assert!(took < SOON, "{took:?}");
    gateway.everything_is_over().await;
}

#[tokio::test]
async fn idle_server_sent_events_are_cut() {
    let upstream =
        upstream("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.head().await;
    assert!(client.is_silent().await);
    is_cut(&gateway, &mut client).await;
}

#[tokio::test]
async fn a_request_that_waits_for_its_answer_is_cut() {
    let upstream = upstream("").await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.is_silent().await);
    is_cut(&gateway, &mut client).await;
}

#[tokio::test]
async fn a_slow_upload_is_cut() {
    let upstream = upstream("").await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("PUT /file HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nslow")
        .await;
    assert!(client.is_silent().await);
    is_cut(&gateway, &mut client).await;
}

#[tokio::test]
async fn an_upload_that_the_upstream_does_not_read_is_cut() {
    let upstream = Upstream::scripted(|wire| async move {
        let _unread = wire;
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("PUT /file HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        .await;
    client.send_until_blocked().await;
    is_cut(&gateway, &mut client).await;
}

#[tokio::test]
async fn an_upload_whose_answer_has_begun_is_cut() {
    let upstream = upstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nping\r\n")
        .await;
    client.head().await;
    is_cut(&gateway, &mut client).await;
}

#[tokio::test]
async fn a_download_that_the_client_does_not_read_is_cut() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            .await;
        wire.send_until_blocked().await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.head().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.log_out();
    tokio::time::sleep(SOON).await;
    gateway.everything_is_over().await;
    // What the sockets still held is all that comes.
    assert!(client.rest().await.len() < 100_000_000);
}

#[tokio::test]
async fn a_tunnel_is_cut_both_ways() {
    let (told, mut closed) = tokio::sync::mpsc::channel(1);
    let upstream = Upstream::scripted(move |mut wire| {
        let told = told.clone();
        async move {
            wire.head().await;
            wire.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            )
            .await;
            wire.rest().await;
            told.send(()).await.unwrap();
        }
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    client.head().await;
    is_cut(&gateway, &mut client).await;
    tokio::time::timeout(SOON, closed.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_connection_of_a_cut_exchange_serves_nobody_else() {
    let upstream = upstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.head().await;
    is_cut(&gateway, &mut client).await;
    gateway.log_in();
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.head().await;
    assert_eq!(upstream.connections(), 2);
}
