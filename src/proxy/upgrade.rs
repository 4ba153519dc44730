//! From HTTP/1.1 to another protocol: WebSocket and whatever else both ends agree on.
//!
//! The client's wish goes on, but not one byte that it sends after it, until the upstream has answered 101
//! (RUSTSEC-2026-0033). Any other answer is an ordinary response, and what the client sent meanwhile is parsed as its
//! next request. HTTP/2 has no such upgrade (RFC 9113 §8.6), and extended CONNECT is not offered: browsers then open
//! WebSockets over HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};

use super::body::Body;
use super::fault::Fault;
use super::open_streams::Held;
use super::pool::Lease;
use crate::shutdown::Shutdown;

/// What a client offers to switch to.
#[derive(Debug)]
pub(super) struct Offer {
    protocols: HeaderValue,
    client: OnUpgrade,
}

impl Offer {
    /// The offer of a request, before its hop-by-hop fields are stripped.
    pub(super) fn of(request: &mut Request<Incoming>) -> Option<Self> {
        let headers = request.headers();
        // An upgrade with a body would have to wait for its end; nobody does that.
        if !headers.contains_key(header::UPGRADE)
            || request.version() != Version::HTTP_11
            || !request.body().is_end_stream()
            || !tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
        {
            return None;
        }
        let offered: Vec<&[u8]> = tokens(headers, &header::UPGRADE)
            .filter(|protocol| may_tunnel(protocol))
            .collect();
        let protocols = HeaderValue::from_bytes(&offered.join(&b", "[..])).ok()?;
        (!protocols.is_empty()).then(|| Self {
            protocols,
            client: hyper::upgrade::on(request),
        })
    }

    /// Makes the offer to the upstream.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, self.protocols.clone());
    }

    fn includes(&self, chosen: &[u8]) -> bool {
        let mut offered = self.protocols.as_bytes().split(|&byte| byte == b',');
        offered.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(chosen))
    }
}

/// Whether a protocol may run through a tunnel. Not HTTP in any form: requests inside would pass nobody who decides
/// about them (h2c smuggling); and not TLS (RFC 2817), which would hide them.
fn may_tunnel(protocol: &[u8]) -> bool {
    let name = protocol.split(|&byte| byte == b'/').next().unwrap_or_default();
    let refused = [&b"h2c"[..], b"h2", b"http", b"tls"];
    !name.is_empty() && !refused.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Answers an upstream's 101: the client's connection and the upstream's become one tunnel, for as long as `held`
/// stands.
pub(super) fn accept(
    offer: Option<Offer>,
    mut response: Response<Incoming>,
    held: Held,
    lease: Lease,
    shutdown: &Shutdown,
) -> Result<Response<Body>, Fault> {
    let mut chosen = tokens(response.headers(), &header::UPGRADE);
    let protocol = chosen.next().and_then(|name| HeaderValue::from_bytes(name).ok());
    let several = chosen.next().is_some();
    drop(chosen);
    let agreed = offer
        .zip(protocol)
        .filter(|(offer, protocol)| !several && offer.includes(protocol.as_bytes()));
    let Some((offer, protocol)) = agreed else {
        return Err(Fault::ResponseMalformed(
            "a switch of protocols that was not asked for",
        ));
    };
    let upstream = hyper::upgrade::on(&mut response);
    let hard = shutdown.clone();
    tokio::task::spawn_local(shutdown.tasks().track_future(async move {
        tokio::select! {
            () = tunnel(offer.client, upstream, lease, &held) => {}
            stop = stopped(&held) => tracing::debug!(?stop, "A tunnel was cut"),
            () = hard.hard() => {}
        }
    }));

    super::response_headers::prepare(response.headers_mut()).map_err(Fault::ResponseMalformed)?;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
    *response.version_mut() = Version::HTTP_11;
    Ok(response.map(|_| Body::Empty))
}

/// Whether a response switches protocols.
pub(super) fn switches<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

async fn tunnel(client: OnUpgrade, upstream: OnUpgrade, lease: Lease, held: &Held) {
    let (client, upstream) = match tokio::try_join!(client, upstream) {
        Ok(ends) => ends,
        Err(error) => return tracing::debug!(%error, "A tunnel did not open"),
    };
    drop(lease);
    let (from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
    let (from_upstream, mut to_upstream) = tokio::io::split(TokioIo::new(upstream));
    let mut from_client = Noted {
        io: from_client,
        held,
    };
    let mut from_upstream = Noted {
        io: from_upstream,
        held,
    };
    let up = async {
        // A client that has said all (`docker attach`) may still listen.
        let copied = tokio::io::copy(&mut from_client, &mut to_upstream).await;
        let shut = copied.and(to_upstream.shutdown().await);
        if shut.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    let down = async {
        // Either end may break off at any time; that is how tunnels end.
        let _ = tokio::io::copy(&mut from_upstream, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    // Leaving drops all four halves, which closes both connections.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// An end of a tunnel whose bytes count as use of the session.
struct Noted<'h, R> {
    io: R,
    held: &'h Held,
}

impl<R: AsyncRead + Unpin> AsyncRead for Noted<'_, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.held.moved();
        }
        read
    }
}

async fn stopped(held: &Held) -> super::open_streams::Stop {
    std::future::poll_fn(|cx| held.poll_stop(cx)).await
}

/// The comma-separated tokens of all lines of a field.
fn tokens<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    let lines = headers.get_all(name).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_in_disguise_gets_no_tunnel() {
        for protocol in ["h2c", "H2C", "HTTP/2.0", "http/1.1", "TLS/1.0", "h2", ""] {
            assert!(!may_tunnel(protocol.as_bytes()), "{protocol}");
        }
        for protocol in ["websocket", "WebSocket", "SPDY/3.1", "tcp"] {
            assert!(may_tunnel(protocol.as_bytes()), "{protocol}");
        }
    }
}
