//! Requests of the command line: one at a time, no redirect followed, every answer bounded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use url::Url;

use super::trouble::Trouble;
use crate::config;
use crate::model::host::Host;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an ordinary answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest body that is read: keys and tokens are far smaller.
const MAX_BODY: usize = 1024 * 1024;

/// Where systems keep the authorities they trust. The first one that is there counts.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];
/// Names another such file.
const ROOTS_VARIABLE: &str = "SSL_CERT_FILE";

/// Sends requests.
pub(super) struct Web {
    client: reqwest::Client,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where it redirects to.
    pub(super) fn location(&self, from: &Url) -> Option<Url> {
        let location = self.header("location").filter(|_| self.status.is_redirection())?;
        from.join(location).ok()
    }
}

impl Web {
    /// A client that trusts the usual authorities, those of the system, and this one.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, Trouble> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let broken = |_| Trouble::Unavailable("TLS cannot be set up".to_owned());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(broken)?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(Names))
            .connect_timeout(CONNECT_TIMEOUT)
            // The auth host knows by it that this is no browser.
            .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| Trouble::Unavailable("TLS cannot be set up".to_owned()))?;
        Ok(Self { client })
    }

    /// Asks where an address leads. As a browser that goes there would: what wants no page may be told 401 instead of the
    /// way to the login (`unauthenticated_401`).
    pub(super) async fn head(&self, url: &Url, headers: &[(&str, &str)]) -> Result<Reply, Trouble> {
        let headers = [headers, &[("accept", "text/html")]].concat();
        self.send(Method::HEAD, url, &headers, TIMEOUT).await
    }

    pub(super) async fn get(&self, url: &Url, headers: &[(&str, &str)]) -> Result<Reply, Trouble> {
        self.send(Method::GET, url, headers, TIMEOUT).await
    }

    /// A request whose answer may be waited for this long.
    pub(super) async fn wait(&self, url: &Url, timeout: Duration) -> Result<Reply, Trouble> {
        self.send(Method::GET, url, &[], timeout).await
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Reply, Trouble> {
        let mut request = self.client.request(method, url.clone()).timeout(timeout);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send().await.map_err(|error| failed(url, &error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(url, &error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Trouble::Unavailable(format!(
                    "the answer of {} is too long",
                    host(url)
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: answer.status(),
            headers: std::mem::take(answer.headers_mut()),
            body,
        })
    }
}

/// Without path and query, which may hold what is nobody else's business.
fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn failed(url: &Url, error: &reqwest::Error) -> Trouble {
    let host = host(url);
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let why = causes.pop().unwrap_or_else(|| "no answer".to_owned());
    if error.is_timeout() {
        Trouble::Unavailable(format!("{host} does not answer in time"))
    } else {
        Trouble::Unavailable(format!("{host} cannot be reached: {why}"))
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let named = config::environment(ROOTS_VARIABLE);
    let system = named.as_deref().map(Path::new).or_else(|| {
        let mut known = SYSTEM_ROOTS.iter().map(Path::new);
        known.find(|file| file.is_file())
    });
    if let Some(file) = system {
        // A bundle may hold what rustls does not take; the others in it count all the same.
        let readable = CertificateDer::pem_file_iter(file)
            .into_iter()
            .flatten()
            .flatten();
        roots.add_parsable_certificates(readable);
    }
    if let Some(file) = ca {
        let unusable = || Trouble::Usage(format!("{} holds no certificate in PEM", file.display()));
        let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file)
            .map_err(|_| unusable())?
            .collect();
        let read = read.ok().filter(|read| !read.is_empty()).ok_or_else(unusable)?;
        for certificate in read {
            roots.add(certificate).map_err(|_| unusable())?;
        }
    }
    Ok(roots)
}

/// Names are looked up by the system, but for those below `localhost`: they are this machine (RFC 6761 §6.3), and not
/// every system knows.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let here = name.as_str().parse::<Host>().is_ok_and(|host| host.is_loopback());
            let addresses: Addrs = if here {
                let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                Box::new(both.into_iter().map(|address| SocketAddr::new(address, 0)))
            } else {
                let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
                Box::new(found.into_iter())
            };
            Ok(addresses)
        })
    }
}
