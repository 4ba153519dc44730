//! `[listen]`: addresses, certificates, and whose forwarding headers are believed.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

/// Where the gateway listens. At least one of `http` and `https` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Plain HTTP: development, or behind a TLS terminator.
    pub http: Option<SocketAddr>,
    /// TLS.
    pub https: Option<Https>,
    /// Peers whose forwarding headers are believed; nobody's by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Health and metrics, never on a public listener.
    pub internal: Option<SocketAddr>,
}

/// The TLS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// Where it listens.
    pub address: SocketAddr,
    /// Certificates by file, the first for clients that name no host. Never empty.
    pub certificates: Vec<CertificateFiles>,
}

/// A certificate and its key as PEM files. They matched when the configuration was read, and are read anew when
/// they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate followed by its intermediates.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}
