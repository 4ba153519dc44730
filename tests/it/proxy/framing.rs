//! Requests that say two things at once: refused, and nothing of them reaches an upstream (abuse case 72).

use super::gateway::Gateway;
use super::wire::Upstream;

#[tokio::test]
async fn contradictory_framing_is_refused_and_the_connection_closed() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Content-Length: 6\r\nContent-Length: 7",
        "Content-Length: 6\r\nContent-Length: 6",
        "Content-Length: +6",
        "Content-Length: 6,6",
        "Content-Length: 0x6",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "X: y\r\n Transfer-Encoding: chunked",
    ] {
        let mut client = gateway.client().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n"
            ))
            .await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fields}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{fields}: {answer}");
    }
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        .await;
    assert!(client.rest().await.contains(" 400 "));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn the_second_request_of_a_kept_connection_is_looked_at_as_closely() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    for second in [
        "POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /second#/public HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = gateway.client().await;
        client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(client.until("/first").await.starts_with("HTTP/1.1 200 "));
        client.send(second).await;
        let rest = client.rest().await;
        assert!(
            rest.contains("HTTP/1.1 400 ") && !rest.contains("/second"),
            "{rest}"
        );
    }
}

/// Abuse case 7.
#[tokio::test]
async fn a_fragment_in_the_request_line_is_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    for target in ["/admin#/public", "/public#/../admin", "/a?b#c"] {
        let mut client = gateway.client().await;
        client
            .send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn malformed_chunks_reach_no_upstream_as_a_whole_request() {
    let upstream = Upstream::scripted(|mut wire| async move {
        let received = wire.rest().await;
        assert!(!received.contains("0\r\n\r\n"), "{received}");
    })
    .await;
    let gateway = Gateway::before(&upstream);
    for chunk in [
        "0x1\r\na\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\na\r\n0\r\n\r\n",
        "1\na\n0\n\n",
        "-1\r\na\r\n0\r\n\r\n",
    ] {
        let mut client = gateway.client().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"
            ))
            .await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{chunk:?}: {answer}");
    }
}

#[tokio::test]
async fn bodies_arrive_framed_as_they_were() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    for (request, expected) in [
        (
            "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "content-length: 3",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "content-length: 0",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "content-length: 0"),
    ] {
        client.send(request).await;
        let received = client.message().await;
        let (_, received) = received.split_once("\r\n\r\n").unwrap();
        assert!(received.contains(expected), "{received}");
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let received = client.message().await;
    let (_, received) = received.split_once("\r\n\r\n").unwrap();
    assert!(
        !received.contains("content-length") && !received.contains("transfer-encoding"),
        "{received}"
    );
}

#[tokio::test]
async fn a_body_of_a_get_is_not_lost() {
    let upstream = Upstream::scripted(|mut wire| async move {
        let head = wire.head().await;
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        wire.until("3\r\nabc\r\n0\r\n\r\n").await;
        wire.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&upstream);
    let mut client = gateway.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 204"));
}

#[tokio::test]
async fn an_upstreams_odd_framing_is_a_bad_gateway() {
    for head in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        let upstream = Upstream::scripted(move |mut wire| async move {
            wire.head().await;
            wire.send(head).await;
            wire.rest().await;
        })
        .await;
        let gateway = Gateway::before(&upstream);
        let mut client = gateway.client().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = client.message().await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{head}: {answer}");
    }
}
