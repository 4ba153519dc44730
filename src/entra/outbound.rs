//! The one client for requests that the gateway makes of its own accord: to Microsoft, and to addresses that objects
//! name.
//!
//! It follows no redirect and no proxy of the environment, and everything it reads has a cap. Plain http is for clouds
//! on loopback, which is how tests and the demo reach their tenant. Clouds stand in the file; addresses of objects can be
//! written through the API, so requests to them go through [`Outbound::send_outside`], which stops at the [`Wall`].

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, Request, Response};
use ipnet::IpNet;
use url::Url;

use super::wall::{Wall, Walled};
use crate::model::host::Host;

/// Microsoft answers in well under a second; a host that takes longer to accept is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the whole exchange. A person waits in front of a browser.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest body of any answer. A page of 999 groups has about 150 kB.
pub const MAX_BODY: usize = 4 * 1024 * 1024;
/// Longest wait believed from `Retry-After`; MSAL uses the same.
const MAX_RETRY_AFTER: f64 = 3600.0;

/// Sends requests. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    /// Connects to public addresses and those the operator named, to nothing else.
    outside: reqwest::Client,
    wall: Wall,
    observer: Option<Observer>,
}

/// Is told what was asked for, in a word, and the status that came; 0 where none did.
type Observer = Arc<dyn Fn(&'static str, u16) + Send + Sync>;

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OutboundFailed {
    /// Plain http to a host that is not this machine.
    #[error("plain http is for loopback only")]
    PlainHttp,
    /// The address has a user name or a password in it, which would be sent as credentials.
    #[error("the address holds credentials")]
    Credentials,
    /// The target is no public address, and the operator has not named it.
    #[error("{Walled}")]
    Walled,
    /// Nothing listens, the name does not resolve, or TLS failed.
    #[error("no connection")]
    Connect,
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The body is larger than allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// The exchange broke off, or the request could not be built.
    #[error("the exchange broke off")]
    Broken,
    /// The client itself could not be made.
    #[error("TLS cannot be set up")]
    Tls,
}

impl OutboundFailed {
    /// Whether the same request may be answered a moment later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Connect | Self::Timeout | Self::Broken)
    }
}

impl Outbound {
    /// The client, trusting Mozilla's roots, which are part of the program: a bare container has no others.
    ///
    /// # Errors
    /// [`OutboundFailed::Tls`], which only a broken build causes.
    pub fn new() -> Result<Self, OutboundFailed> {
        Self::with_opened(Vec::new())
    }

    /// The client, for which the wall is open to these networks (`[outbound] allow`).
    ///
    /// # Errors
    /// As [`Outbound::new`].
    pub fn with_opened(networks: Vec<IpNet>) -> Result<Self, OutboundFailed> {
        let wall = Wall::new(networks);
        let built = |builder: reqwest::ClientBuilder| builder.build().map_err(|_| OutboundFailed::Tls);
        Ok(Self {
            client: built(client()?)?,
            outside: built(client()?.dns_resolver(Arc::new(wall.clone())))?,
            wall,
            observer: None,
        })
    }

    /// With somebody who is told of each request to Graph, for the metrics.
    #[must_use]
    pub fn observed(self, observer: impl Fn(&'static str, u16) + Send + Sync + 'static) -> Self {
        Self {
            observer: Some(Arc::new(observer)),
            ..self
        }
    }

    /// As [`Outbound::send`], told to the observer.
    pub(super) async fn send_observed(
        &self,
        operation: &'static str,
        request: Request<Vec<u8>>,
        max_body: usize,
    ) -> Result<Response<Vec<u8>>, OutboundFailed> {
        let answer = self.send(request, max_body).await;
        if let Some(observer) = &self.observer {
            let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            observer(operation, status);
        }
        answer
    }

    /// Sends a request and reads the whole answer, at most `max_body` bytes of it.
    ///
    /// # Errors
    /// No answer; every status is an answer.
    pub async fn send(
        &self,
        request: Request<Vec<u8>>,
        max_body: usize,
    ) -> Result<Response<Vec<u8>>, OutboundFailed> {
        if !allowed(request.uri()) {
            return Err(OutboundFailed::PlainHttp);
        }
        let request = reqwest::Request::try_from(request).map_err(|_| OutboundFailed::Broken)?;
        exchange(&self.client, request, max_body).await
    }

    /// Sends a request to an address that an object names, and reads the whole answer, at most `max_body` bytes of it.
    /// `patience` is for the whole exchange. Plain http only reaches a literal loopback address that the operator named.
    ///
    /// # Errors
    /// No answer, also where the wall stands in between; every status is an answer.
    pub async fn send_outside(
        &self,
        request: Request<Vec<u8>>,
        max_body: usize,
        patience: Duration,
    ) -> Result<Response<Vec<u8>>, OutboundFailed> {
        let mut request = reqwest::Request::try_from(request).map_err(|_| OutboundFailed::Broken)?;
        let url = request.url();
        if !(url.scheme() == "https" || (url.scheme() == "http" && is_literal_loopback(url))) {
            return Err(OutboundFailed::PlainHttp);
        }
        // The library takes credentials out of the address before it gets here, and puts them into this header.
        let credentials = !url.username().is_empty() || url.password().is_some();
        if credentials || request.headers().contains_key(AUTHORIZATION) {
            return Err(OutboundFailed::Credentials);
        }
        // The client resolves no literal address, so the wall would not see it.
        if !self.wall.permits_literal(url) {
            return Err(OutboundFailed::Walled);
        }
        *request.timeout_mut() = Some(patience);
        exchange(&self.outside, request, max_body).await
    }
}

/// What both clients have in common.
fn client() -> Result<reqwest::ClientBuilder, OutboundFailed> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| OutboundFailed::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .user_agent(concat!("Vestibule/", env!("CARGO_PKG_VERSION"))))
}

async fn exchange(
    client: &reqwest::Client,
    request: reqwest::Request,
    max_body: usize,
) -> Result<Response<Vec<u8>>, OutboundFailed> {
    let mut answer = client.execute(request).await.map_err(|error| failed(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > max_body {
            return Err(OutboundFailed::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

fn allowed(uri: &http::Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => uri
            .host()
            .and_then(|host| host.parse::<Host>().ok())
            .is_some_and(|host| host.is_loopback()),
        _ => false,
    }
}

fn is_literal_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(_)) | None => false,
    }
}

fn failed(error: &reqwest::Error) -> OutboundFailed {
    if stopped_at_the_wall(error) {
        OutboundFailed::Walled
    } else if error.is_timeout() {
        OutboundFailed::Timeout
    } else if error.is_connect() {
        OutboundFailed::Connect
    } else {
        OutboundFailed::Broken
    }
}

fn stopped_at_the_wall(error: &reqwest::Error) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source()).any(<dyn std::error::Error>::is::<Walled>)
}

/// `Retry-After` in seconds. Graph sends fractions ("2.128"), which RFC 9110 §10.2.3 does not know; dates it never sends.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(MAX_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::entra::testing::Stub;

    fn get(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).unwrap()
    }

    #[tokio::test]
    async fn plain_http_reaches_only_this_machine() {
        let outbound = Outbound::new().unwrap();
        for url in [
            "http://login.example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
        ] {
            let refused = outbound.send(get(url), MAX_BODY).await;
            assert!(matches!(refused, Err(OutboundFailed::PlainHttp)), "{url}");
        }
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_bodies_are_capped() {
        let stub = Stub::start(HashMap::from([
            (
                "/moved",
                (302, vec![("location", "/large".to_owned())], String::new()),
            ),
            ("/large", (200, vec![], "x".repeat(2000))),
        ]))
        .await;
        let outbound = Outbound::new().unwrap();
        let moved = outbound.send(get(&stub.at("/moved")), 100).await.unwrap();
        assert_eq!(moved.status(), 302);
        let large = outbound.send(get(&stub.at("/large")), 1999).await;
        assert!(matches!(large, Err(OutboundFailed::TooLarge)));
        assert_eq!(stub.asked("/large"), 1);
        assert_eq!(
            outbound
                .send(get(&stub.at("/large")), 2000)
                .await
                .unwrap()
                .body()
                .len(),
            2000
        );
    }

    #[tokio::test]
    async fn what_an_object_names_is_reached_outside_the_wall_only() {
        let stub = Stub::start(HashMap::from([("/x", (200, vec![], "ok".to_owned()))])).await;
        let second = Duration::from_secs(1);
        let closed = Outbound::new().unwrap();
        let ask = |outbound: Outbound, url: String| async move {
            outbound
                .send_outside(get(&url), 100, second)
                .await
                .map(|answer| answer.status().as_u16())
        };
        let here = stub.at("/x");
        assert!(matches!(
            ask(closed.clone(), here.clone()).await,
            Err(OutboundFailed::Walled)
        ));
        let name = here.replace("127.0.0.1", "localhost");
        assert!(matches!(
            ask(closed.clone(), name.clone()).await,
            Err(OutboundFailed::PlainHttp)
        ));
        let name = name.replace("http:", "https:");
        assert!(matches!(
            ask(closed.clone(), name).await,
            Err(OutboundFailed::Walled)
        ));
        assert!(matches!(
            ask(closed, "http://1.1.1.1/".to_owned()).await,
            Err(OutboundFailed::PlainHttp)
        ));
        assert_eq!(stub.asked("/x"), 0);
        let opened = Outbound::with_opened(vec!["127.0.0.1/32".parse().unwrap()]).unwrap();
        assert_eq!(ask(opened.clone(), here.clone()).await.ok(), Some(200));
        let with_password = here.replace("127.0.0.1", "user:secret@127.0.0.1");
        assert!(matches!(
            ask(opened, with_password).await,
            Err(OutboundFailed::Credentials | OutboundFailed::Broken)
        ));
    }

    #[test]
    fn fractions_of_a_second_are_understood_and_nonsense_is_not() {
        let after = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(after("2.128"), Some(Duration::from_millis(2128)));
        assert_eq!(after("10"), Some(Duration::from_secs(10)));
        assert_eq!(after("999999999"), Some(Duration::from_hours(1)));
        for nonsense in ["-1", "NaN", "inf", "soon", ""] {
            assert_eq!(after(nonsense), None, "{nonsense}");
        }
    }
}
