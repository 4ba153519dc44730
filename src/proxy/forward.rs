//! One permitted request, forwarded.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri, Version};
use hyper::body::{Body as _, Incoming};

use super::body::{Body, RESPONSE_HEAD, RequestBody};
use super::fault::Fault;
use super::open_streams::{Held, KillSwitch, OpenStreams, Watch};
use super::pool::Lease;
use super::request_headers::{self, Client, Identity, Withheld};
use super::upgrade::{self, Offer};
use super::upstream::{Origin, Origins};
use super::{response_headers, upgrade::switches};
use crate::clock::Clock;
use crate::model::upstream::Upstream;
use crate::policy::Permit;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;

/// Between two rounds of closing upstream connections that have waited too long.
const PRUNE: Duration = Duration::from_secs(5);

/// A connection idle for less than this is not being closed by an upstream's idle timeout, the shortest of which
/// (Node.js) is five seconds. Only beyond it is a copy of the request kept for a second attempt.
const MAY_HAVE_BEEN_CLOSED: Duration = Duration::from_millis(500);

/// What one core needs to forward: its open streams and its upstream connections.
#[derive(Debug)]
pub struct Core<W> {
    open: OpenStreams<W>,
    origins: Origins,
    shutdown: Shutdown,
}

impl<W: Watch + 'static> Core<W> {
    /// Starts the core's housekeeping too; must be called on the core, within its `LocalSet`.
    pub fn start(clock: Clock, metrics: Arc<Metrics>, shutdown: Shutdown) -> Rc<Self> {
        let core = Rc::new(Self {
            open: OpenStreams::new(metrics),
            origins: Origins::default(),
            shutdown,
        });
        let kept = Rc::clone(&core);
        tokio::task::spawn_local(async move { kept.open.keep_sweeping(&clock, &kept.shutdown).await });
        let kept = Rc::clone(&core);
        tokio::task::spawn_local(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PRUNE) => kept.origins.prune(),
                    () = kept.shutdown.hard() => return,
                }
            }
        });
        core
    }

    /// How many exchanges are in flight.
    pub fn open_streams(&self) -> usize {
        self.open.count()
    }
}

/// A request with everything its forwarding needs.
#[derive(Debug)]
pub struct Exchange<W> {
    /// The request as the client sent it.
    pub request: Request<Incoming>,
    /// The path and query to send, from the one parse of the target.
    pub path: PathAndQuery,
    /// Where to.
    pub upstream: Arc<Upstream>,
    /// Who asks.
    pub client: Client,
    /// What the upstream learns about the person.
    pub identity: Identity,
    /// What the exchange depends on for as long as it lasts.
    pub watch: W,
    /// The client's connection.
    pub connection: KillSwitch,
}

/// Sends a permitted request to its upstream and returns the response, whose body is still on its way.
///
/// # Errors
/// A [`Fault`] where there is no response; not one byte of the upstream has been passed on then.
pub async fn forward<W: Watch + 'static>(
    core: &Core<W>,
    permit: &Permit,
    exchange: Exchange<W>,
) -> Result<Response<Body>, Fault> {
    let origin = core.origins.find(&exchange.upstream)?;
    let held = core.open.register(exchange.watch, exchange.connection);
    held.await_response(RESPONSE_HEAD);

    let mut request = exchange.request;
    let offer = Offer::of(&mut request);
    let host = asked_host(&request)?;
    let (mut parts, body) = request.into_parts();
    let identity = exchange.identity.under(permit);
    request_headers::prepare(&mut parts.headers, &exchange.client, identity, &host);
    parts
        .headers
        .insert(header::HOST, origin.host_header().cloned().unwrap_or(host));
    settle_framing(&mut parts.headers, &parts.method, &body)?;
    if let Some(offer) = &offer {
        offer.write(&mut parts.headers);
    }
    parts.uri = Uri::from(exchange.path);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let request = Request::from_parts(
        parts,
        RequestBody::new(body, &held, Withheld::of(&exchange.client)),
    );

    let (mut response, lease) = send(&origin, &held, request).await?;
    held.response_began();
    if switches(&response) {
        return upgrade::accept(offer, response, held, lease, &core.shutdown);
    }
    response_headers::prepare(response.headers_mut()).map_err(Fault::ResponseMalformed)?;
    *response.version_mut() = Version::HTTP_11;
    Ok(response.map(|incoming| Body::upstream(incoming, held, lease)))
}

/// The `Host` that the client asked for; HTTP/2 has it in `:authority` (RFC 9113 §8.3.1).
fn asked_host(request: &Request<Incoming>) -> Result<HeaderValue, Fault> {
    if let Some(host) = request.headers().get(header::HOST) {
        return Ok(host.clone());
    }
    let authority = request.uri().authority();
    authority
        .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
        .ok_or(Fault::RequestMalformed("no host"))
}

/// States the body's length anew, as hyper has understood it, so that the upstream cannot understand it otherwise.
fn settle_framing(headers: &mut HeaderMap, method: &Method, body: &Incoming) -> Result<(), Fault> {
    let stated = headers.remove(header::CONTENT_LENGTH);
    if !body.is_end_stream() {
        match body.size_hint().exact() {
            Some(length) => headers.insert(header::CONTENT_LENGTH, length.into()),
            None => headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
        };
        return Ok(());
    }
    match stated {
        Some(length) if length.as_bytes().iter().any(|&digit| digit != b'0') => {
            return Err(Fault::RequestMalformed("a length without a body"));
        }
        // RFC 9110 §8.6: methods that expect content state that there is none.
        None if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {}
        _ => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    }
    Ok(())
}

/// Sends the request over an idle connection or a new one.
///
/// A connection that was idle may have been closed by the upstream at the very moment. A request that was never
/// written goes over the next one; one that was written, only if it has no body, its method is idempotent and nothing
/// came back (RFC 9110 §9.2.2), and only over a new connection.
async fn send(
    origin: &Origin,
    held: &Held,
    mut request: Request<RequestBody>,
) -> Result<(Response<Incoming>, Lease), Fault> {
    let mut idle = origin.idle();
    loop {
        let mut lease = match idle.take() {
            Some(lease) => lease,
            None => until_stopped(held, origin.connect()).await??,
        };
        let spare = copy_for_retry(&lease, &request);
        let mut failed = match until_stopped(held, lease.send(request)).await? {
            Ok(response) => return Ok((response, lease)),
            Err(failed) => failed,
        };
        let unsent = failed.take_message();
        let error = failed.into_error();
        request = match (unsent, spare) {
            (Some(unsent), _) if lease.waited().is_some() => {
                idle = origin.idle();
                unsent
            }
            (None, Some(spare)) if closed_without_answer(&error) => spare,
            _ => return Err(Fault::of_exchange(error)),
        };
    }
}

fn copy_for_retry(lease: &Lease, request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let repeatable = lease.waited().is_some_and(|waited| waited > MAY_HAVE_BEEN_CLOSED)
        && request.body().is_end_stream()
        && request.method().is_idempotent();
    repeatable.then(|| {
        let mut copy = Request::new(RequestBody::Empty);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

fn closed_without_answer(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    error.is_incomplete_message()
        || error.is_closed()
        || error.is_canceled()
        || io.is_some_and(|io| {
            use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
            matches!(
                io.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected
            )
        })
}

/// Waits for `step`, but no longer than what the exchange depends on.
async fn until_stopped<F: Future>(held: &Held, step: F) -> Result<F::Output, Fault> {
    let mut step = std::pin::pin!(step);
    std::future::poll_fn(|cx| match held.poll_stop(cx) {
        Poll::Ready(reason) => Poll::Ready(Err(reason.into())),
        Poll::Pending => step.as_mut().poll(cx).map(Ok),
    })
    .await
}
