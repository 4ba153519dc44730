//! What can go wrong between a permit and an answer, and whose fault it is.

use std::error::Error as _;
use std::io;

use http::StatusCode;

use super::body::BodyError;
use super::open_streams::{CutCause, Stop};

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The application's server.
    Upstream,
    /// The client.
    Downstream,
    /// Ours, or the operator's configuration.
    Internal,
}

/// An exchange that came to no answer of the upstream's. Not one byte of an upstream has been sent on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The upstream's settings do not work, such as a certificate file that cannot be read.
    #[error("the upstream's settings do not work: {0}")]
    Unusable(String),
    /// No connection.
    #[error("no connection to the upstream: {0}")]
    Connect(#[source] io::Error),
    /// No connection within the connect timeout.
    #[error("no connection to the upstream within {0:?}")]
    ConnectTimeout(std::time::Duration),
    /// The connection ended before a response, or something that is no HTTP came back.
    #[error("the upstream broke off: {0}")]
    Broken(#[source] hyper::Error),
    /// A response that cannot be passed on.
    #[error("the upstream's response cannot be passed on: {0}")]
    ResponseMalformed(&'static str),
    /// No response in time.
    #[error("the upstream took too long to answer")]
    ResponseTimeout,
    /// The client broke off within its body, or its body is no HTTP.
    #[error("the client's body ended early: {0}")]
    RequestBroken(#[source] hyper::Error),
    /// The client paused too long within its body.
    #[error("the client took too long to send its body")]
    RequestTimeout,
    /// A request that cannot be passed on as it is.
    #[error("the request cannot be passed on: {0}")]
    RequestMalformed(&'static str),
    /// What the request depended on has ended while it waited.
    #[error("cut: {0}")]
    Cut(CutCause),
}

impl Fault {
    /// Whose fault it is.
    pub fn source(&self) -> Source {
        match self {
            Self::Connect(_)
            | Self::ConnectTimeout(_)
            | Self::Broken(_)
            | Self::ResponseMalformed(_)
            | Self::ResponseTimeout => Source::Upstream,
            Self::RequestBroken(_) | Self::RequestTimeout | Self::RequestMalformed(_) => Source::Downstream,
            Self::Unusable(_) | Self::Cut(_) => Source::Internal,
        }
    }

    /// The status to answer with; none where the connection is to be closed without an answer, because the session
    /// that asked is over.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Unusable(_) | Self::Connect(_) | Self::Broken(_) | Self::ResponseMalformed(_) => {
                Some(StatusCode::BAD_GATEWAY)
            }
            Self::ConnectTimeout(_) | Self::ResponseTimeout => Some(StatusCode::GATEWAY_TIMEOUT),
            Self::RequestBroken(_) | Self::RequestMalformed(_) => Some(StatusCode::BAD_REQUEST),
            Self::RequestTimeout => Some(StatusCode::REQUEST_TIMEOUT),
            Self::Cut(_) => None,
        }
    }

    /// What a failed exchange means: the cause may be the body that we fed it.
    pub(super) fn of_exchange(error: hyper::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            match inner.downcast_ref::<BodyError>() {
                Some(BodyError::Stopped(stop)) => return (*stop).into(),
                Some(BodyError::Broken(_)) => return Self::RequestBroken(error),
                None => cause = inner.source(),
            }
        }
        Self::Broken(error)
    }
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Cut(cause) => Self::Cut(cause),
            Stop::ResponseOverdue => Self::ResponseTimeout,
            Stop::RequestOverdue => Self::RequestTimeout,
        }
    }
}
