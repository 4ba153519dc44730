//! One client's connection, and HTTP on it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::framing;
use super::gauge::Gauge;
use super::wire::Wire;
use super::{Entrance, Service};
use crate::gate::certificate::Handshake;
use crate::model::host::Host;
use crate::proxy::Body;
use crate::proxy::body::BodyError;
use crate::proxy::open_streams::KillSwitch;

/// A request's head may be this long, its trailers too; beyond is 431. Cookies of a browser fit twice.
const HEAD_CAP: usize = 16 * 1024;

/// Fields of a request's head; one more is 431.
const FIELDS_CAP: usize = 100;

/// The same for what proxies ask: the head of a client as long as they take one (nginx: four lines of 8 KiB), and what
/// they add. A longer one would be a fault of ours in their eyes.
const ASKING_HEAD_CAP: usize = 64 * 1024;
const ASKING_FIELDS_CAP: usize = 256;

/// Requests one HTTP/2 connection may have open; a browser has that many at most.
const STREAMS: u32 = 128;

/// Streams that a client may reset before we accept them (rapid reset, CVE-2023-44487) or make us reset
/// (CVE-2025-8671) before the connection is ended.
const RESETS: usize = 32;

/// Bytes of a response that wait for one slow HTTP/2 stream.
const STREAM_BUFFER: usize = 64 * 1024;

/// A peer that answers no ping for this long after an interval of silence is gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The request gets no answer: the connection closes (HTTP/1.1), or its stream is reset (HTTP/2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("aborted")]
pub struct Abort;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A client's connection, as the service sees it.
#[derive(Debug)]
pub struct Connection {
    peer: SocketAddr,
    local: SocketAddr,
    protocol: Protocol,
    entrance: Entrance,
    tls: bool,
    server_name: Option<Host>,
    handshake: Handshake,
    kill: KillSwitch,
    retire: KillSwitch,
    once: Cell<bool>,
    gauge: Arc<Gauge>,
    open_requests: Cell<u32>,
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, local: SocketAddr, protocol: Protocol) -> Self {
        let gauge = Arc::new(Gauge::new());
        if protocol == Protocol::Http2 {
            gauge.multiplex();
        }
        Self {
            peer,
            local,
            protocol,
            entrance: Entrance::Public,
            tls: false,
            server_name: None,
            handshake: Handshake::Elsewhere,
            kill: KillSwitch::new(),
            retire: KillSwitch::new(),
            once: Cell::new(false),
            gauge,
            open_requests: Cell::new(0),
        }
    }

    /// Over TLS, where the client may have named a host.
    pub(super) fn encrypted(self, server_name: Option<Host>, handshake: Handshake) -> Self {
        Self {
            tls: true,
            server_name,
            handshake,
            ..self
        }
    }

    /// Which came to this kind of address.
    pub(super) fn through(self, entrance: Entrance) -> Self {
        Self { entrance, ..self }
    }

    /// The kind of address it came to.
    pub fn entrance(&self) -> Entrance {
        self.entrance
    }

    /// The other end: a client, or a proxy in front.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// This end.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What is spoken.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host that the TLS handshake named.
    pub fn server_name(&self) -> Option<&Host> {
        self.server_name.as_ref()
    }

    /// Whether the client was asked for a certificate, and which it presented.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// Ends the connection at once, whatever is open on it.
    pub fn kill_switch(&self) -> &KillSwitch {
        &self.kill
    }

    pub(super) fn gauge(&self) -> &Arc<Gauge> {
        &self.gauge
    }

    /// No request after those that are open.
    pub(super) fn retire(&self) {
        self.retire.kill();
    }

    /// No request after the first.
    pub(super) fn serve_once(&self) {
        self.once.set(true);
    }
}

/// How HTTP is spoken; one for all connections of a core.
pub(super) struct Http {
    http1: http1::Builder,
    http2: http2::Builder<Local>,
}

impl Http {
    pub(super) fn new(entrance: Entrance) -> Self {
        let (head, fields) = match entrance {
            Entrance::Public => (HEAD_CAP, FIELDS_CAP),
            Entrance::ForwardAuth => (ASKING_HEAD_CAP, ASKING_FIELDS_CAP),
        };
        let mut http1 = http1::Builder::new();
        http1
            .header_read_timeout(None) // the gauge keeps time
            .max_headers(fields)
            .max_header_size(head);
        let mut http2 = http2::Builder::new(Local);
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(HEAD_CAP).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(RESETS)
            .max_send_buf_size(STREAM_BUFFER)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        Self { http1, http2 }
    }

    /// Serves a connection to its end.
    pub(super) async fn serve<T, S>(&self, wire: Wire<T>, service: &Rc<S>, connection: &Rc<Connection>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service,
    {
        let io = TokioIo::new(wire);
        let (service, asked) = (Rc::clone(service), Rc::clone(connection));
        let answer = service_fn(move |request| answer(&service, request, &asked));
        let ended = match connection.protocol {
            Protocol::Http1 => {
                drive(
                    self.http1.serve_connection(io, answer).with_upgrades(),
                    connection,
                )
                .await
            }
            Protocol::Http2 => drive(self.http2.serve_connection(io, answer), connection).await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "A client's connection ended");
        }
    }
}

/// Polls a connection until it ends or is killed; retiring it lets what is open finish.
async fn drive<C: Conversation>(conversation: C, connection: &Connection) -> Result<(), hyper::Error> {
    let mut conversation = std::pin::pin!(conversation);
    let mut retiring = false;
    std::future::poll_fn(|cx| {
        if connection.kill.poll_killed(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        // First what has come in already, so that a request on its way is no idle connection.
        let polled = conversation.as_mut().poll(cx);
        if polled.is_ready() || retiring || connection.retire.poll_killed(cx).is_pending() {
            return polled;
        }
        retiring = true;
        conversation.as_mut().finish();
        conversation.as_mut().poll(cx)
    })
    .await
}

/// hyper's two kinds of connection.
trait Conversation: Future<Output = Result<(), hyper::Error>> {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S> Conversation for http1::UpgradeableConnection<I, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = Tracked>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Conversation for http2::Connection<I, S, Local>
where
    S: hyper::service::HttpService<Incoming, ResBody = Tracked>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs the streams of an HTTP/2 connection on its core.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local
where
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Asks the service, unless the request's framing speaks with two tongues.
fn answer<S: Service>(
    service: &Rc<S>,
    request: Request<Incoming>,
    connection: &Rc<Connection>,
) -> impl Future<Output = Result<Response<Tracked>, Abort>> + use<S> {
    let open = OpenRequest::new(connection);
    let ambiguous = connection.gauge.request_began(!request.body().is_end_stream());
    if connection.once.get() {
        connection.retire();
    }
    let refused = ambiguous || !framing::is_plain(request.headers());
    let answer = (!refused).then(|| Rc::clone(service).answer(request, Rc::clone(connection)));
    async move {
        let response = match answer {
            Some(answer) => answer.await?,
            None => bad_request(),
        };
        Ok(response.map(|body| Tracked { body, _open: open }))
    }
}

/// As bare as hyper's own 400 for what it cannot parse.
fn bad_request() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Counts a request from its head to the last byte of its answer.
#[derive(Debug)]
struct OpenRequest(Rc<Connection>);

impl OpenRequest {
    fn new(connection: &Rc<Connection>) -> Self {
        connection.open_requests.update(|open| open + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.open_requests.update(|open| open.saturating_sub(1));
        if self.0.open_requests.get() == 0 {
            self.0.gauge.all_answered();
        }
    }
}

/// A response's body; the request is open until it is dropped.
#[derive(Debug)]
struct Tracked {
    body: Body,
    _open: OpenRequest,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
