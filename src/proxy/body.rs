//! Bodies on their way. Nothing is buffered and nothing is boxed: a frame is handed on as it came.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

use super::open_streams::{Held, Stop};
use super::pool::Lease;
use super::request_headers::{Withheld, strip_trailers};

/// How long a client may pause within its body before a response has begun. A slow client costs an upstream
/// connection, so it is not for ever; nginx's `client_body_timeout` is the same minute.
const REQUEST_BODY_PAUSE: Duration = Duration::from_mins(1);

/// How long an upstream may take to begin its response once it has the whole request.
pub(super) const RESPONSE_HEAD: Duration = Duration::from_mins(5);

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// No bytes.
    Empty,
    /// Bytes of our own.
    Full(Bytes),
    /// What an upstream sends.
    Upstream(UpstreamBody),
}

/// A response body that comes from an upstream, with the connection it comes from.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    held: Held,
    lease: Lease,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// What it depended on ended.
    #[error("cut: {0:?}")]
    Stopped(Stop),
    /// The other side broke off or sent what is no HTTP.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Body {
    /// The body of an upstream's response. Gives the connection back at once if there are no bytes.
    pub(super) fn upstream(incoming: Incoming, held: Held, lease: Lease) -> Self {
        if incoming.is_end_stream() {
            lease.give_back();
            return Self::Empty;
        }
        Self::Upstream(UpstreamBody {
            incoming,
            held,
            lease,
        })
    }

    /// Ends the body; a connection that has given all of it serves the next request.
    fn finish(&mut self) {
        if let Self::Upstream(done) = std::mem::replace(self, Self::Empty) {
            done.lease.give_back();
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Full(bytes)
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let upstream = match this {
            Self::Empty => return Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Self::Upstream(upstream) => upstream,
        };
        if let Poll::Ready(stop) = upstream.held.poll_stop(cx) {
            // Dropping the lease closes the upstream connection.
            *this = Self::Empty;
            return Poll::Ready(Some(Err(BodyError::Stopped(stop))));
        }
        let frame = match std::task::ready!(Pin::new(&mut upstream.incoming).poll_frame(cx)) {
            None => {
                this.finish();
                return Poll::Ready(None);
            }
            Some(Err(error)) => {
                *this = Self::Empty;
                return Poll::Ready(Some(Err(error.into())));
            }
            Some(Ok(frame)) => frame,
        };
        match frame.into_trailers() {
            Ok(mut trailers) => {
                strip_trailers(&mut trailers, &Withheld::default());
                this.finish();
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Err(data) => {
                upstream.held.moved();
                // hyper does not ask again after the last byte of a body of known length.
                if upstream.incoming.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(upstream) => upstream.incoming.size_hint(),
        }
    }
}

/// The body of a request on its way to an upstream.
#[derive(Debug)]
pub(super) enum RequestBody {
    /// No bytes.
    Empty,
    /// What the client sends, and what of it does not go on behind the body.
    Client(Incoming, Held, Withheld),
}

impl RequestBody {
    /// The body of a client's request.
    pub(super) fn new(incoming: Incoming, held: &Held, withheld: Withheld) -> Self {
        if incoming.is_end_stream() {
            Self::Empty
        } else {
            Self::Client(incoming, held.for_request_body(), withheld)
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Self::Client(incoming, held, withheld) = this else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(stop) = held.poll_stop(cx) {
            *this = Self::Empty;
            return Poll::Ready(Some(Err(BodyError::Stopped(stop))));
        }
        let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
            held.await_request(REQUEST_BODY_PAUSE);
            return Poll::Pending;
        };
        held.await_response(RESPONSE_HEAD);
        let frame = match frame {
            None => {
                *this = Self::Empty;
                return Poll::Ready(None);
            }
            Some(Err(error)) => {
                *this = Self::Empty;
                return Poll::Ready(Some(Err(error.into())));
            }
            Some(Ok(frame)) => frame,
        };
        match frame.into_trailers() {
            Ok(mut trailers) => {
                strip_trailers(&mut trailers, withheld);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Err(data) => {
                held.moved();
                if incoming.is_end_stream() {
                    *this = Self::Empty;
                }
                Poll::Ready(Some(Ok(data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(incoming, ..) => incoming.size_hint(),
        }
    }
}
