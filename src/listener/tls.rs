//! TLS towards clients: certificates by the host they name, read anew when their files change.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert, ServerConnection};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, server::NoServerSessionStorage};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsAcceptor;

use super::connection::Protocol;
use crate::config::listen::CertificateFiles;
use crate::model::host::Host;
use crate::shutdown::Shutdown;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateUnusable {
    /// The file cannot be read, or has no PEM of the kind in it.
    #[error("{file}: {reason}")]
    File {
        /// Which.
        file: String,
        /// Why.
        reason: String,
    },
    /// The key is not the certificate's, or of a kind that is not supported.
    #[error("{chain}: the certificate and its key cannot be used together: {reason}")]
    Pair {
        /// The certificate's file.
        chain: String,
        /// Why.
        reason: rustls::Error,
    },
}

/// The certificates in use.
#[derive(Debug)]
pub struct Certificates {
    files: Vec<CertificateFiles>,
    // In the order of the files: the first that covers the host is taken, and the first of all where none does.
    current: ArcSwap<Vec<Arc<CertifiedKey>>>,
}

impl Certificates {
    /// Reads the files.
    pub fn read(files: Vec<CertificateFiles>) -> Result<Self, CertificateUnusable> {
        let current = ArcSwap::from_pointee(read_all(&files)?);
        Ok(Self { files, current })
    }

    /// Reads the files anew whenever they have changed, until the process stops. Open connections keep what they have.
    /// While new files cannot be used, the old certificates stay and the log says why.
    pub async fn keep_fresh(self: Arc<Self>, shutdown: Shutdown) {
        let mut seen = self.clone().changed_at().await;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.soft() => return,
            }
            let now = self.clone().changed_at().await;
            if now == seen {
                continue;
            }
            seen = now;
            let this = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || read_all(&this.files)).await {
                Ok(Ok(fresh)) => {
                    self.current.store(Arc::new(fresh));
                    tracing::info!("Certificates were read anew");
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "Changed certificates cannot be used; the old ones stay");
                }
                Err(error) => {
                    tracing::error!(%error, "Reading changed certificates failed; the old ones stay");
                }
            }
        }
    }

    /// When each file was written; nothing for one that is not there at the moment.
    async fn changed_at(self: Arc<Self>) -> Vec<Option<SystemTime>> {
        let look = move || {
            let paths = self.files.iter().flat_map(|pair| [&pair.chain, &pair.key]);
            let written = paths.map(|path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok());
            written.collect()
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        let name = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let covering = name.and_then(|name| current.iter().find(|key| covers(key, &name)));
        covering.or(current.first()).cloned()
    }
}

fn covers(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

/// TLS 1.2 and 1.3 with HTTP/2 preferred, resumption by tickets that any core can read, and no early data: a request
/// in it could be replayed (RFC 8470 §1).
pub(super) fn acceptor(certificates: Arc<Certificates>) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What was agreed on; HTTP/1.1 where the client did not say.
pub(super) fn protocol(session: &ServerConnection) -> Protocol {
    if session.alpn_protocol() == Some(b"h2") {
        Protocol::Http2
    } else {
        Protocol::Http1
    }
}

/// The host that the client named.
pub(super) fn server_name(session: &ServerConnection) -> Option<Host> {
    session.server_name().and_then(|name| name.parse().ok())
}

fn read_all(files: &[CertificateFiles]) -> Result<Vec<Arc<CertifiedKey>>, CertificateUnusable> {
    files.iter().map(|pair| read_pair(pair).map(Arc::new)).collect()
}

fn read_pair(pair: &CertificateFiles) -> Result<CertifiedKey, CertificateUnusable> {
    let chain = CertificateDer::pem_file_iter(&pair.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(&pair.chain, &error))?;
    if chain.is_empty() {
        return Err(unusable(&pair.chain, &"no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(|error| unusable(&pair.key, &error))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|reason| CertificateUnusable::Pair {
        chain: pair.chain.display().to_string(),
        reason,
    })
}

fn unusable(file: &Path, reason: &dyn std::fmt::Display) -> CertificateUnusable {
    CertificateUnusable::File {
        file: file.display().to_string(),
        reason: reason.to_string(),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

impl From<CertificateUnusable> for io::Error {
    fn from(error: CertificateUnusable) -> Self {
        io::Error::other(error)
    }
}
