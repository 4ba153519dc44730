//! Bodies and trailers both ways, and `Expect`.

use super::gateway::Gateway;
use super::wire::Upstream;

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        wire.until("ping\r\n").await;
        wire.send("4\r\npong\r\n").await;
        wire.until("0\r\n\r\n").await;
        wire.send("0\r\n\r\n").await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    assert!(client.head().await.contains("transfer-encoding: chunked"));
    client.send("4\r\nping\r\n").await;
    assert_eq!(client.until("pong\r\n").await, "4\r\npong\r\n");
    client.send("0\r\n\r\n").await;
    assert_eq!(client.until("0\r\n\r\n").await, "0\r\n\r\n");
    gateway.everything_is_over().await;
}

#[tokio::test]
async fn trailers_pass_both_ways_but_for_reserved_ones() {
    let upstream = Upstream::scripted(|mut wire| async move {
        let head = wire.head().await;
        let body = wire.until("\r\n\r\n").await;
        let echo = format!("{head}{body}").replace("\r\n", "|");
        let length = echo.len();
        wire.send(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Cf-Access-Aud\r\n\r\n\
             {length:x}\r\n{echo}\r\n0\r\nX-Sum: 7\r\nCf-Access-Aud: x\r\nContent-Length: 9\r\n\r\n"
        ))
        .await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\
             Trailer: Grpc-Status, Cf-Access-Jwt-Assertion\r\n\r\n\
             2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nCf-Access-Jwt-Assertion: forged\r\n\r\n",
        )
        .await;
    let head = client.head().await;
    assert!(head.contains("trailer: x-sum\r\n"), "{head}");
    let body = client.until("\r\n\r\n").await;
    assert!(body.contains("|trailer: grpc-status|"), "{body}");
    assert!(body.contains("2|hi|0|grpc-status: 0||"), "{body}");
    assert!(!body.contains("forged"), "{body}");
    assert!(body.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{body}");
}

#[tokio::test]
async fn an_expectation_is_met_by_us_once_there_is_a_connection() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello").await;
    let received = client.message().await;
    assert!(
        received.ends_with("hello") && !received.contains("expect"),
        "{received}"
    );
}

#[tokio::test]
async fn an_expectation_without_an_upstream_gets_the_final_answer_only() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = super::gateway::Setup::to(nobody).start();
    let mut client = gateway.client().await;
    client
        .send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("\r\n\r\nUpstream: no connection"), "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_upstream_request_with_it() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        assert_eq!(wire.rest().await, "");
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.is_silent().await);
    drop(client);
    gateway.everything_is_over().await;
}

#[tokio::test]
async fn an_upstream_that_breaks_off_breaks_off_for_the_client_too() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
            .await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.head().await;
    // No last chunk: whoever reads it knows that something is missing.
    assert_eq!(client.rest().await, "2\r\nhi\r\n");
}
