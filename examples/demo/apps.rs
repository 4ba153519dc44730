//! Two small applications that know nothing of logins: they read what the gateway tells them.
//!
//! *Wiki* shows who you are and every header it received. *Live* has a page with a WebSocket and server-sent events,
//! to see that open streams end with the session.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// What the sample applications need to know of the gateway: where to ask for more about a person.
#[derive(Clone)]
pub(crate) struct Gateway {
    /// Address of the gateway's listener.
    pub(crate) address: SocketAddr,
    /// The auth host with its port, for the `Host` header.
    pub(crate) auth_host: String,
}

/// Starts the wiki and gives its address.
pub(crate) async fn start_wiki(gateway: Gateway) -> std::io::Result<SocketAddr> {
    start(Router::new().fallback(wiki).with_state(gateway)).await
}

/// Starts the live application and gives its address.
pub(crate) async fn start_live() -> std::io::Result<SocketAddr> {
    let app = Router::new()
        .route("/socket", get(socket))
        .route("/events", get(events))
        .fallback(|| async { Html(LivePage.render().unwrap_or_default()) });
    start(app).await
}

async fn start(app: Router) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

#[derive(Template)]
#[template(path = "../examples/demo/templates/wiki.html")]
struct WikiPage {
    path: String,
    email: String,
    name: String,
    policy: String,
    groups: Vec<(String, String)>,
    claims: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

async fn wiki(State(gateway): State<Gateway>, uri: Uri, headers: HeaderMap) -> Response {
    let assertion = headers
        .get("cf-access-jwt-assertion")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let identity = identity(&gateway, assertion).await.unwrap_or(Value::Null);
    let text = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let groups = identity
        .get("groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let page = WikiPage {
        path: uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .to_owned(),
        email: text(&identity, "/email"),
        name: text(&identity, "/name"),
        policy: text(&identity, "/policy/name"),
        groups: groups
            .map(|group| (text(group, "/name"), text(group, "/id")))
            .collect(),
        claims: claims(assertion),
        headers: headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
    };
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Asks the gateway for the whole identity, as Access's own sample does: the assertion goes in as the cookie.
async fn identity(gateway: &Gateway, assertion: &str) -> Option<Value> {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(connection);
    let request = Request::get("/cdn-cgi/access/get-identity")
        .header(header::HOST, &gateway.auth_host)
        .header(header::COOKIE, format!("CF_Authorization={assertion}"))
        .body(Body::empty())
        .ok()?;
    let response = sender.send_request(request).await.ok()?;
    let body = axum::body::to_bytes(Body::new(response.into_body()), 64 * 1024)
        .await
        .ok()?;
    serde_json::from_slice(&body).ok()
}

/// The claims of the assertion, shown and not verified: a real application verifies it against `certs`.
fn claims(assertion: &str) -> Vec<(String, String)> {
    let payload = assertion
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Option<serde_json::Map<String, Value>> =
        payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    let text = |value: Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned)
    };
    claims
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

#[derive(Template)]
#[template(path = "../examples/demo/templates/live.html")]
struct LivePage;

async fn events() -> Response {
    let ticks = stream::unfold(0_u64, |count| async move {
        if count > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Some((Ok::<_, Infallible>(format!("data: {count}\n\n")), count + 1))
    });
    (
        [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        Body::from_stream(ticks),
    )
        .into_response()
}

async fn socket(mut request: Request<Body>) -> Response {
    let key = request
        .headers()
        .get(header::SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()));
    let Some(accept) = key.and_then(|key| HeaderValue::from_str(&key).ok()) else {
        return (StatusCode::UPGRADE_REQUIRED, "This address speaks WebSocket.").into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        echo(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await).await;
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Sends back what comes, until the other side ends.
async fn echo<S>(mut socket: WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = socket.next().await {
        let answer = match message {
            Message::Text(text) => Message::Text(text),
            Message::Binary(bytes) => Message::Binary(bytes),
            _ => continue,
        };
        if socket.send(answer).await.is_err() {
            return;
        }
    }
}
