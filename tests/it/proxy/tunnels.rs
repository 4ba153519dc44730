//! Upgrades.

use super::gateway::Gateway;
use super::wire::Upstream;

const UPGRADE: &str = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                       Sec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_after_101() {
    let upstream = Upstream::scripted(|mut wire| async move {
        let head = wire.head().await;
        assert!(
            head.contains("connection: upgrade\r\n") && head.contains("upgrade: WebSocket\r\n"),
            "{head}"
        );
        assert!(head.contains("sec-websocket-version: 13\r\n"), "{head}");
        assert!(wire.is_silent().await, "bytes before the 101");
        wire.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst",
        )
        .await;
        assert_eq!(wire.until("early").await, "early");
        wire.send("bye").await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send(format!("{UPGRADE}early")).await;
    let head = client.head().await;
    assert!(
        head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: websocket\r\n"),
        "{head}"
    );
    assert_eq!(client.rest().await, "firstbye");
    gateway.everything_is_over().await;
}

/// Abuse case 73.
#[tokio::test]
async fn after_an_upgrade_that_was_not_accepted_pipelined_bytes_are_the_next_request() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send(format!(
            "{UPGRADE}GET /second HTTP/1.1\r\nHost: a\r\nCf-Access-Token: forged\r\n\r\n"
        ))
        .await;
    let first = client.message().await;
    assert!(
        first.starts_with("HTTP/1.1 200 OK") && first.contains("GET /socket"),
        "{first}"
    );
    let second = client.message().await;
    assert!(second.contains("GET /second"), "{second}");
    assert!(
        second.contains("cf-access-jwt-assertion: app-token") && !second.contains("forged"),
        "{second}"
    );
}

#[tokio::test]
async fn no_http_runs_through_a_tunnel() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        )
        .await;
    let received = client.message().await.to_ascii_lowercase();
    assert!(received.contains("get / http/1.1"), "{received}");
    assert!(
        !received.contains("upgrade") && !received.contains("http2-settings"),
        "{received}"
    );
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_a_bad_gateway() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nsecret")
            .await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    for request in [UPGRADE, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut client = gateway.client().await;
        client.send(request).await;
        let answer = client.message().await;
        assert!(
            answer.starts_with("HTTP/1.1 502 ") && !answer.contains("secret"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_tunnel_ends_when_either_end_leaves() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await;
        assert_eq!(wire.rest().await, "");
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client.send(UPGRADE).await;
    client.head().await;
    drop(client);
    gateway.everything_is_over().await;
}
