//! What the gate found out about a request before it handed it to the control plane.

use std::net::IpAddr;

use crate::policy::RequestFacts;
use crate::router::Target;
use crate::telemetry::request_id::RequestId;

/// An extension of every request that reaches the control plane.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Host and path.
    pub target: Target,
    /// The client's address, as the listener and the trusted proxies tell.
    pub client: IpAddr,
    /// What policies may ask about the request, as it came.
    pub facts: RequestFacts,
    /// The request's id, on every page and in every log line.
    pub request_id: RequestId,
    /// Whose host was asked.
    pub place: Place,
}

impl Visit {
    /// What policies may ask about the request now.
    pub fn facts(&self, now_ms: i64) -> RequestFacts {
        RequestFacts {
            now_ms,
            ..self.facts.clone()
        }
    }
}

/// Whose host a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The organization's own.
    AuthHost,
    /// One that at least one application covers.
    ApplicationHost,
    /// The one that cloudflared fetches its tokens from, besides the organization's own.
    TransferHost,
    /// Nobody's.
    Unknown,
}

impl Place {
    /// Whether it belongs to the organization or to an application.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::AuthHost | Self::ApplicationHost)
    }
}
