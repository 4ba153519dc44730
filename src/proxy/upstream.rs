//! Upstreams made ready: what is needed to connect, and the connections one core has.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hashbrown::HashMap;
use http::header::HeaderValue;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::body::RequestBody;
use super::fault::Fault;
use super::pool::{Lease, Link, Pool};
use crate::model::upstream::{Service, Upstream};

/// The response's head may be this long: applications set many cookies, but no megabytes of them.
const RESPONSE_HEAD_CAP: usize = 64 * 1024;

/// The upstreams of one core. They follow the snapshot: what no snapshot holds any more is forgotten.
#[derive(Debug, Default)]
pub(super) struct Origins {
    // Found by address for each request, since hashing all of an upstream would cost more than the rest.
    by_address: RefCell<HashMap<*const Upstream, Known>>,
    // A new snapshot may hold an equal upstream elsewhere: its connections serve on.
    by_value: RefCell<HashMap<Upstream, Rc<Origin>>>,
}

/// An upstream of the snapshot; as long as it is held here, its address is no other's.
#[derive(Debug)]
struct Known {
    upstream: Arc<Upstream>,
    origin: Rc<Origin>,
}

/// One upstream, ready to connect.
#[derive(Debug)]
pub(super) struct Origin {
    service: Service,
    connect_timeout: Duration,
    tls: Option<Tls>,
    host_header: Option<HeaderValue>,
    pool: Rc<Pool>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Origins {
    /// The upstream with its connections.
    pub(super) fn find(&self, upstream: &Arc<Upstream>) -> Result<Rc<Origin>, Fault> {
        let address = Arc::as_ptr(upstream);
        if let Some(known) = self.by_address.borrow().get(&address) {
            return Ok(Rc::clone(&known.origin));
        }
        let mut by_value = self.by_value.borrow_mut();
        let origin = if let Some(origin) = by_value.get(&**upstream) {
            Rc::clone(origin)
        } else {
            let origin = Rc::new(Origin::new(upstream)?);
            by_value.insert(Upstream::clone(upstream), Rc::clone(&origin));
            origin
        };
        let known = Known {
            upstream: Arc::clone(upstream),
            origin: Rc::clone(&origin),
        };
        self.by_address.borrow_mut().insert(address, known);
        Ok(origin)
    }

    /// Closes connections that have waited too long, and forgets upstreams that nobody can ask for any more.
    pub(super) fn prune(&self) {
        let mut by_address = self.by_address.borrow_mut();
        by_address.retain(|_, known| Arc::strong_count(&known.upstream) > 1);
        let mut by_value = self.by_value.borrow_mut();
        by_value.retain(|_, origin| Rc::strong_count(origin) > 1);
        by_value.values().for_each(|origin| origin.pool.prune());
    }
}

impl Origin {
    fn new(upstream: &Upstream) -> Result<Self, Fault> {
        let tls = match &upstream.service {
            Service::Https { host, .. } => Some(Tls::new(upstream, host.as_str())?),
            Service::Http { .. } | Service::Unix(_) => None,
        };
        let host_header = match &upstream.origin_request.http_host_header {
            Some(text) => Some(HeaderValue::from_str(text).map_err(|_| {
                Fault::Unusable("`http_host_header` has characters that no header may have".to_owned())
            })?),
            None => None,
        };
        Ok(Self {
            service: upstream.service.clone(),
            connect_timeout: upstream.origin_request.connect_timeout,
            tls,
            host_header,
            pool: Rc::default(),
        })
    }

    /// The `Host` to send instead of the one asked for.
    pub(super) fn host_header(&self) -> Option<&HeaderValue> {
        self.host_header.as_ref()
    }

    /// An idle connection.
    pub(super) fn idle(&self) -> Option<Lease> {
        self.pool.take()
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Lease, Fault> {
        let patience = self.connect_timeout;
        let io = tokio::time::timeout(patience, self.open())
            .await
            .map_err(|_| Fault::ConnectTimeout(patience))?
            .map_err(Fault::Connect)?;
        let (sender, connection) = http1::Builder::new()
            .max_header_size(RESPONSE_HEAD_CAP)
            .handshake::<_, RequestBody>(TokioIo::new(io))
            .await
            .map_err(Fault::Broken)?;
        let task = tokio::task::spawn_local(async move {
            // Whoever waits for a response or a body is told; an idle connection's end concerns nobody.
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "An upstream connection ended");
            }
        });
        Ok(self.pool.lease(Link::new(sender, task.abort_handle())))
    }

    async fn open(&self) -> io::Result<Wire> {
        let (host, port) = match &self.service {
            Service::Unix(path) => return Ok(Wire::Unix(UnixStream::connect(path).await?)),
            Service::Http { host, port } | Service::Https { host, port } => (bare(host.as_str()), *port),
        };
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Wire::Tcp(stream)),
            Some(tls) => {
                let stream = tls.connector.connect(tls.name.clone(), stream).await?;
                Ok(Wire::Tls(Box::new(stream)))
            }
        }
    }
}

/// An IPv6 literal without its brackets, as the resolver and rustls take it.
fn bare(host: &str) -> &str {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host)
}

impl Tls {
    fn new(upstream: &Upstream, host: &str) -> Result<Self, Fault> {
        let settings = &upstream.origin_request;
        let name = settings
            .origin_server_name
            .as_ref()
            .map_or(host, |name| name.as_str());
        let name = ServerName::try_from(bare(name).to_owned())
            .map_err(|_| Fault::Unusable(format!("{name} cannot be a name in a certificate")))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if settings.no_tls_verify {
            Arc::new(Unverified(Arc::clone(&provider)))
        } else {
            let roots = match &settings.ca_pool {
                Some(file) => pem_roots(file)?,
                None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
            };
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| Fault::Unusable(error.to_string()))?
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::Unusable(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, name })
    }
}

fn pem_roots(file: &std::path::Path) -> Result<RootCertStore, Fault> {
    let unusable = |reason: String| Fault::Unusable(format!("{}: {reason}", file.display()));
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// `no_tls_verify`: any certificate will do, though its holder must still prove that he has its key.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The bytes to and from an upstream.
enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

macro_rules! each_wire {
    ($self:ident, $io:ident => $do:expr) => {
        match $self.get_mut() {
            Wire::Tcp(stream) => {
                let $io = Pin::new(stream);
                $do
            }
            Wire::Tls(stream) => {
                let $io = Pin::new(stream.as_mut());
                $do
            }
            Wire::Unix(stream) => {
                let $io = Pin::new(stream);
                $do
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each_wire!(self, io => io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each_wire!(self, io => io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each_wire!(self, io => io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Wire::Tcp(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
            Wire::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_wire!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_wire!(self, io => io.poll_shutdown(cx))
    }
}
