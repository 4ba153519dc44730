//! Upstream services in cloudflared's ingress vocabulary.

use std::path::PathBuf;
use std::time::Duration;

use super::destination::Destination;
use super::host::Host;

/// Where requests for some addresses are sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// The addresses: `hostname` and `path` of the ingress rule.
    pub covers: Destination,
    /// The service behind them.
    pub service: Service,
    /// How to reach it.
    pub origin_request: OriginRequest,
}

/// A service that answers requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Service {
    /// `http://host:port`
    Http {
        /// Name or address.
        host: Host,
        /// Port.
        port: u16,
    },
    /// `https://host:port`
    Https {
        /// Name or address.
        host: Host,
        /// Port.
        port: u16,
    },
    /// `unix:/path`: HTTP over a Unix socket.
    Unix(PathBuf),
}

/// cloudflared's `origin_request` keys that are enforced here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginRequest {
    /// How long connecting (and the TLS handshake) may take.
    pub connect_timeout: Duration,
    /// Name in SNI and expected in the certificate, instead of the service's host.
    pub origin_server_name: Option<Host>,
    /// PEM file of certificate authorities trusted instead of the public ones.
    pub ca_pool: Option<PathBuf>,
    /// Do not verify the upstream's certificate. Warned about.
    pub no_tls_verify: bool,
    /// `Host` header sent instead of the one asked for.
    pub http_host_header: Option<String>,
}

impl Default for OriginRequest {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(30), // cloudflared's default
            origin_server_name: None,
            ca_pool: None,
            no_tls_verify: false,
            http_host_header: None,
        }
    }
}
