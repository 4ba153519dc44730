//! HTTP/2 from clients, HTTP/1.1 to upstreams.

use std::time::Duration;

use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::time::timeout;

use super::gateway::{Gateway, Setup};
use super::tls::{Certificate, connect};
use super::wire::Upstream;

type Anything = BoxBody<Bytes, std::convert::Infallible>;

/// A gateway over TLS and a client on it; the folder holds the certificate.
async fn before(upstream: &Upstream) -> (Gateway, SendRequest<Anything>, TempDir) {
    let folder = TempDir::new().unwrap();
    let certificate = Certificate::write(folder.path(), "app", &["app.example.com"]);
    let mut setup = Setup::to(upstream.address);
    setup.certificates = vec![certificate.files.clone()];
    let gateway = setup.start();
    let stream = connect(
        gateway.https.unwrap(),
        "app.example.com",
        &["h2"],
        &[&certificate],
    )
    .await
    .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    (gateway, sender, folder)
}

fn get(path: &str) -> Request<Anything> {
    let body = Empty::new().boxed();
    Request::get(format!("https://app.example.com{path}"))
        .body(body)
        .unwrap()
}

async fn text(body: Incoming) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Reads until the stream ends; true if it was reset rather than finished.
async fn is_reset_soon(body: &mut Incoming) -> bool {
    timeout(Duration::from_secs(1), async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return true,
                None => return false,
            }
        }
    })
    .await
    .expect("ended within a second")
}

#[tokio::test]
async fn a_request_is_translated() {
    let upstream = Upstream::echo().await;
    let (_gateway, mut sender, _folder) = before(&upstream).await;
    let mut request = get("/path?q");
    request.headers_mut().append("cookie", "a=1".parse().unwrap());
    request
        .headers_mut()
        .append("cookie", "CF_Session=x".parse().unwrap());
    request.headers_mut().append("cookie", "b=2".parse().unwrap());
    let received = text(sender.send_request(request).await.unwrap().into_body()).await;
    assert!(received.starts_with("GET /path?q HTTP/1.1\r\n"), "{received}");
    assert!(received.contains("\r\nhost: app.example.com\r\n"), "{received}");
    assert!(received.contains("\r\ncookie: a=1; b=2\r\n"), "{received}");
    assert!(
        received.contains("\r\nx-forwarded-proto: https\r\n"),
        "{received}"
    );
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let upstream = Upstream::scripted(|mut wire| async move {
        let head = wire.head().await;
        assert!(head.contains("te: trailers") && head.contains("trailer: x-mine"), "{head}");
        assert_eq!(wire.until("\r\n\r\n").await, "2\r\nhi\r\n0\r\nx-mine: 1\r\n\r\n");
        // No announcement: gRPC servers make none.
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ngrpc-status: 0\r\nCf-Access-Aud: x\r\n\r\n")
            .await;
        wire.rest().await;
    })
    .await;
    let (_gateway, mut sender, _folder) = before(&upstream).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-mine", "1".parse().unwrap());
    trailers.insert("cf-access-jwt-assertion", "forged".parse().unwrap());
    let frames = [Frame::data(Bytes::from("hi")), Frame::trailers(trailers)].map(Ok);
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed();
    let request = Request::post("https://app.example.com/")
        .header("te", "trailers")
        .header("trailer", "x-mine, cf-access-jwt-assertion")
        .body(body)
        .unwrap();
    let answer = sender
        .send_request(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let trailers = answer.trailers().unwrap();
    assert_eq!(trailers.len(), 1);
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn an_idle_stream_is_reset_when_its_session_ends_and_the_connection_goes_on() {
    let upstream = Upstream::scripted(|mut wire| async move {
        if wire.head().await.contains("/events") {
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
                .await;
        } else {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
        wire.rest().await;
    })
    .await;
    let (gateway, mut sender, _folder) = before(&upstream).await;
    let mut body = sender.send_request(get("/events")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    gateway.log_out();
    assert!(is_reset_soon(&mut body).await);
    gateway.everything_is_over().await;
    gateway.log_in();
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stream_whose_client_does_not_read_ends_with_its_session() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            .await;
        wire.send_until_blocked().await;
        wire.rest().await;
    })
    .await;
    let (gateway, mut sender, _folder) = before(&upstream).await;
    let mut body = sender.send_request(get("/big")).await.unwrap().into_body();
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.log_out();
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.everything_is_over().await;
    assert!(is_reset_soon(&mut body).await);
}

#[tokio::test]
async fn an_upload_is_reset_when_its_session_ends() {
    let upstream = Upstream::scripted(|mut wire| async move {
        wire.head().await;
        wire.rest().await;
    })
    .await;
    let (gateway, mut sender, _folder) = before(&upstream).await;
    let silent = futures_util::stream::pending::<Result<Frame<Bytes>, _>>();
    let request = Request::put("https://app.example.com/")
        .body(StreamBody::new(silent).boxed())
        .unwrap();
    let answer = tokio::spawn(sender.send_request(request));
    tokio::time::sleep(Duration::from_millis(300)).await;
    gateway.log_out();
    let ended = timeout(Duration::from_secs(1), answer)
        .await
        .expect("within a second");
    assert!(ended.unwrap().is_err());
}

/// Abuse case 74: what HTTP/2 frames otherwise must not become framing of HTTP/1.1.
#[tokio::test]
async fn a_length_that_the_data_contradicts_reaches_no_upstream() {
    let upstream = Upstream::echo().await;
    let (_gateway, mut sender, _folder) = before(&upstream).await;
    let request = Request::post("https://app.example.com/")
        .header("content-length", "6")
        .body(Full::new(Bytes::from("0123456789")).boxed())
        .unwrap();
    assert!(sender.send_request(request).await.is_err());
    let request = Request::post("https://app.example.com/")
        .header("content-length", "6")
        .body(Empty::new().boxed())
        .unwrap();
    assert!(sender.send_request(request).await.is_err());
}
