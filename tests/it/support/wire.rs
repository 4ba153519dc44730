//! A client on bare sockets: it sends what it is told, byte for byte, and never tidies anything up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// How to reach a gateway.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) address: SocketAddr,
    /// For TLS: whom to trust.
    pub(crate) roots: Option<Arc<RootCertStore>>,
    /// For TLS: what is shown where a certificate is asked for.
    pub(crate) certificate: Option<Arc<OwnCertificate>>,
}

/// A client's certificate with its key.
pub(crate) struct OwnCertificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Dial {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            roots: None,
            certificate: None,
        }
    }

    /// The same with a certificate to show.
    pub(crate) fn showing(self, certificate: &Arc<OwnCertificate>) -> Self {
        Self {
            certificate: Some(Arc::clone(certificate)),
            ..self
        }
    }

    /// TLS as this client speaks it.
    pub(crate) fn tls(&self, protocol: &[u8]) -> ClientConfig {
        let roots = self.roots.as_ref().expect("the world has TLS");
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(Arc::clone(roots));
        let mut config = match &self.certificate {
            Some(own) => config
                .with_client_auth_cert(own.chain.clone(), own.key.clone_key())
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        config
    }

    /// A connection that speaks HTTP/1.1 to this host.
    pub(crate) async fn connect(&self, host: &str) -> Wire {
        self.connect_as(host, b"http/1.1").await
    }

    /// A connection with this protocol agreed by ALPN, where there is TLS.
    pub(crate) async fn connect_as(&self, host: &str, protocol: &[u8]) -> Wire {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        if self.roots.is_none() {
            return Wire::new(stream);
        }
        let config = self.tls(protocol);
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        Wire::new(connector.connect(name, stream).await.unwrap())
    }
}

/// One connection.
pub(crate) struct Wire {
    stream: Box<dyn Duplex>,
    read: Vec<u8>,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Wire {
    pub(crate) fn new(stream: impl Duplex + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            read: Vec::new(),
        }
    }

    /// Sends bytes. A peer that has closed already shows in what is read.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// The next answer, whole; `None` where the connection closes without one.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let mut reply = self.head().await?;
        reply.body = self.body(&reply).await;
        Some(reply)
    }

    /// The head of the next answer; interim answers are passed over.
    pub(crate) async fn head(&mut self) -> Option<Reply> {
        loop {
            let head = self.interim_or_final().await?;
            if head.status >= 200 || head.status == 101 {
                return Some(head);
            }
        }
    }

    /// The head of whatever answer comes next, 1xx included.
    pub(crate) async fn interim_or_final(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if self.more().await == 0 {
                return None;
            }
        };
        let rest = self.read.split_off(end);
        let head = std::mem::replace(&mut self.read, rest);
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Some(Reply {
            status: status.unwrap_or_else(|| panic!("no HTTP: {head}")),
            headers: headers.collect(),
            body: Vec::new(),
        })
    }

    /// The body that follows a head.
    pub(crate) async fn body(&mut self, head: &Reply) -> Vec<u8> {
        if head.status == 304 || head.status == 204 || head.status == 101 {
            return Vec::new();
        }
        if head.header("transfer-encoding").is_some() {
            return self.chunks().await;
        }
        if let Some(length) = head.header("content-length") {
            let length = length.parse().unwrap();
            return self.take(length).await;
        }
        while self.more().await > 0 {}
        std::mem::take(&mut self.read)
    }

    /// At least one byte, or nothing where the connection has ended.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        if self.read.is_empty() {
            self.more().await;
        }
        std::mem::take(&mut self.read)
    }

    /// This many bytes, or fewer where the connection ends before.
    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length && self.more().await > 0 {}
        let rest = self.read.split_off(length.min(self.read.len()));
        std::mem::replace(&mut self.read, rest)
    }

    /// How long it takes until the other side ends the connection.
    pub(crate) async fn end(&mut self) -> Duration {
        let began = Instant::now();
        while self.more().await > 0 {}
        began.elapsed()
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await;
            let size = usize::from_str_radix(size.split(';').next().unwrap(), 16).unwrap_or(0);
            if size == 0 {
                while !self.line().await.is_empty() {}
                return body;
            }
            body.extend(self.take(size).await);
            self.take(2).await;
        }
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                let line = self.take(end + 2).await;
                return String::from_utf8_lossy(&line).trim().to_owned();
            }
            if self.more().await == 0 {
                return String::new();
            }
        }
    }

    async fn more(&mut self) -> usize {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        read.expect("the gateway answers or closes").unwrap_or(0)
    }
}
