//! The listener: caps on heads, clients that still send, and stopping.

use std::time::Duration;

use super::gateway::Gateway;
use super::wire::{Upstream, Wire};

#[tokio::test]
async fn heads_that_are_too_long_are_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    let long = format!("X: {}\r\n", "x".repeat(17 * 1024));
    let many = "x: y\r\n".repeat(101);
    let endless = "x".repeat(64 * 1024);
    for fields in [long, many, endless] {
        let mut client = gateway.client().await;
        client
            .send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
            .await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

/// Abuse case 78.
#[tokio::test]
async fn clients_that_send_nothing_or_a_byte_a_second_are_closed() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    let mut silent = gateway.client().await;
    let mut slow = gateway.client().await;
    let silent = tokio::spawn(async move { silent.closes_after().await });
    let start = tokio::time::Instant::now();
    while slow.still_takes("x").await {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "a slow head is read for ever"
        );
    }
    assert!(silent.await.unwrap() < Duration::from_secs(20));
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    for bytes in [
        "\x16\x03\x01\x02\x00\x01",
        "GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut client = gateway.client().await;
        client.send(bytes).await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{bytes:?}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_is_still_sending() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = super::gateway::Setup::to(nobody).start();
    for _ in 0..10 {
        let mut client = gateway.client().await;
        let body = "x".repeat(200_000);
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{body}"
            ))
            .await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    }
}

#[tokio::test]
async fn a_soft_stop_lets_requests_finish_and_takes_no_new_connection() {
    let upstream = Upstream::scripted(|mut wire| async move {
        loop {
            wire.head().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                .await;
        }
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut busy = gateway.client().await;
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut idle = gateway.client().await;
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.message().await;
    busy.message().await;
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;

    let shutdown = gateway.shutdown.clone();
    let finished = tokio::spawn(async move { shutdown.finish(Duration::from_secs(5)).await });
    assert!(idle.closes_after().await < Duration::from_millis(400));
    let answer = busy.rest().await;
    assert!(
        answer.contains("connection: close") && answer.ends_with("done"),
        "{answer}"
    );
    assert!(tokio::net::TcpStream::connect(gateway.http).await.is_err());
    let started = tokio::time::Instant::now();
    finished.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_hard_stop_ends_what_is_left() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.is_silent().await);
    gateway.shutdown.finish(Duration::from_millis(200)).await;
    assert!(client.closes_after().await < Duration::from_secs(1));
}

#[tokio::test]
async fn http_1_0_is_served_and_closed() {
    let upstream = Upstream::scripted(|mut wire| async move {
        let head = wire.head().await;
        assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
            .await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = Wire::to(gateway.http).await;
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(
        answer.ends_with("\r\n\r\nhi") && !answer.contains("chunked"),
        "{answer}"
    );
}
