//! TLS towards clients: certificates by the host they name, read anew when their files change, and the certificates of
//! clients where that host takes them.
//!
//! A client's certificate is asked for only where the host named takes certificates, and is never required here: what
//! it is worth is judged for each request ([`crate::gate::certificate`]). So one that does not verify counts as none,
//! as at Access, and its owner gets a page instead of a broken connection. Only a chain that is longer than anybody's ends
//! the handshake: what it costs to look at one is bounded.

use std::fmt;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    Acceptor as Hello, ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert,
    ServerConnection,
};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::Protocol;
use crate::config::listen::CertificateFiles;
use crate::gate::certificate::{Handshake, Presented};
use crate::model::host::Host;
use crate::shutdown::Shutdown;
use crate::snapshot::{ClientAuthorities, Published};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Names of authorities that a client is told at most, in bytes: they stand in one message of 64 KiB. Beyond it the
/// client is told none, and may show any certificate it has.
const NAMES: usize = 16 * 1024;

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

/// Shakes hands with clients. Cheap to clone.
#[derive(Clone)]
pub(super) struct Acceptor {
    certificates: Arc<Certificates>,
    /// Who knows which hosts take certificates; nobody where none does.
    published: Option<Arc<Published>>,
    /// For hosts that take none.
    plain: Arc<ServerConfig>,
}

impl Acceptor {
    pub(super) fn new(
        certificates: Arc<Certificates>,
        published: Option<Arc<Published>>,
    ) -> Result<Self, Error> {
        Ok(Self {
            plain: Arc::new(plain(Arc::clone(&certificates))?),
            certificates,
            published,
        })
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Handshake)> {
        let hello = LazyConfigAcceptor::new(Hello::default(), stream).await?;
        let host: Option<Host> = hello
            .client_hello()
            .server_name()
            .and_then(|name| name.parse().ok());
        let authorities = host.as_ref().and_then(|host| self.authorities(host));
        let (Some(host), Some(authorities)) = (host, authorities) else {
            let stream = hello.into_stream(Arc::clone(&self.plain)).await?;
            return Ok((stream, Handshake::Unasked));
        };
        // Made anew each time: a handshake costs a hundred times as much, and nothing of an old one stays.
        let config = asking(&authorities, Arc::clone(&self.certificates)).map_err(io::Error::other)?;
        let stream = hello.into_stream(Arc::new(config)).await?;
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let chain = chain.iter().map(|der| der.clone().into_owned()).collect();
        let presented = Rc::new(Presented::new(host, chain));
        Ok((stream, Handshake::Asked(presented)))
    }

    fn authorities(&self, host: &Host) -> Option<Arc<ClientAuthorities>> {
        let published = self.published.as_ref()?;
        published.borrow().client_authorities(host).cloned()
    }
}

/// TLS 1.2 and 1.3 with HTTP/2 preferred, resumption by tickets that any core can read, and no early data: a request
/// in it could be replayed (RFC 8470 §1).
fn plain(certificates: Arc<Certificates>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

/// The same with a client's certificate asked for, and without resumption: a resumed session would bring along a
/// certificate whose key nobody has shown on this connection.
fn asking(authorities: &ClientAuthorities, certificates: Arc<Certificates>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(AnyCertificate::of(authorities)))
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

/// Takes any certificate of a chain that is not too long whose key the client shows to hold, and none as well. What it is worth is judged later.
struct AnyCertificate {
    names: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl AnyCertificate {
    fn of(authorities: &ClientAuthorities) -> Self {
        let names: Vec<DistinguishedName> = authorities.subjects().collect();
        let length: usize = names.iter().map(|name| name.as_ref().len()).sum();
        Self {
            names: if length <= NAMES { names } else { Vec::new() },
            provider: provider(),
        }
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.names
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if ClientAuthorities::takes_length(end_entity, intermediates) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl fmt::Debug for AnyCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCertificate").finish_non_exhaustive()
    }
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
