//! The data plane without the gate: every request is permitted and goes to one upstream.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use vestibule::clock::Clock;
use vestibule::config::listen::CertificateFiles;
use vestibule::listener::{self, Abort, Connection, Service, Sockets, client_ip, tls::Certificates};
use vestibule::model::policy::{Decision, Policy, Selector};
use vestibule::model::upstream::{OriginRequest, Upstream};
use vestibule::policy::{self, CompiledPolicies, RequestFacts, Verdict};
use vestibule::proxy::open_streams::{CutCause, Standing, Watch};
use vestibule::proxy::request_headers::{Client, Identity};
use vestibule::proxy::{Body, Core, Exchange, Fault};
use vestibule::shutdown::Shutdown;

use super::wire::Wire;

/// How it is set up; what a test does not care about has a default.
pub(super) struct Setup {
    pub(super) service: String,
    pub(super) origin_request: OriginRequest,
    pub(super) certificates: Vec<CertificateFiles>,
    /// Anybody, instead of a person.
    pub(super) bypass: bool,
}

/// A running data plane.
pub(super) struct Gateway {
    pub(super) http: SocketAddr,
    pub(super) https: Option<SocketAddr>,
    pub(super) shutdown: Shutdown,
    session: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
}

/// The one session that all exchanges of a gateway depend on.
struct Session(Arc<AtomicBool>);

impl Watch for Session {
    fn check(&self, _now_ms: i64) -> Standing {
        if self.0.load(Ordering::SeqCst) {
            Standing::Stands
        } else {
            Standing::Cut(CutCause("logout"))
        }
    }

    fn moved(&self, _now_ms: i64) {}
}

impl Setup {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self {
            service: format!("http://{address}"),
            origin_request: OriginRequest::default(),
            certificates: Vec::new(),
            bypass: false,
        }
    }

    pub(super) fn start(self) -> Gateway {
        let shutdown = Shutdown::new();
        let http = listener::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let plain = http.address();
        let https = (!self.certificates.is_empty()).then(|| {
            let certificates = Arc::new(Certificates::read(self.certificates.clone()).unwrap());
            tokio::spawn(Arc::clone(&certificates).keep_fresh(shutdown.clone()));
            (
                listener::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap(),
                certificates,
            )
        });
        let encrypted = https.as_ref().map(|(bound, _)| bound.address());
        let upstream = Arc::new(upstream(&self.service, self.origin_request));
        let session = Arc::new(AtomicBool::new(true));
        let open = Arc::new(AtomicUsize::new(0));
        let (stop, alive, count, bypass) = (shutdown.clone(), session.clone(), open.clone(), self.bypass);
        let make = move || Everything {
            core: Core::start(Clock::system(), Arc::default(), stop.clone()),
            policies: policies(bypass),
            upstream: Arc::clone(&upstream),
            session: Arc::clone(&alive),
            open: Arc::clone(&count),
        };
        listener::start(
            Sockets {
                forward_auth: None,
                http: Some(http),
                https,
                published: None,
            },
            &shutdown,
            make,
        )
        .unwrap();
        Gateway {
            http: plain,
            https: encrypted,
            shutdown,
            session,
            open,
        }
    }
}

impl Gateway {
    /// In front of an upstream, for a person who is signed in.
    pub(super) fn before(upstream: &super::wire::Upstream) -> Self {
        Setup::to(upstream.address).start()
    }

    pub(super) async fn client(&self) -> Wire {
        Wire::to(self.http).await
    }

    /// Ends the session.
    pub(super) fn log_out(&self) {
        self.session.store(false, Ordering::SeqCst);
    }

    /// Begins it again.
    pub(super) fn log_in(&self) {
        self.session.store(true, Ordering::SeqCst);
    }

    /// Waits until nothing is registered any more.
    pub(super) async fn everything_is_over(&self) {
        for _ in 0..100 {
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} exchanges are still open", self.open.load(Ordering::SeqCst));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move { shutdown.finish(Duration::ZERO).await });
    }
}

struct Everything {
    core: Rc<Core<Session>>,
    policies: CompiledPolicies,
    upstream: Arc<Upstream>,
    session: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
}

impl Service for Everything {
    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
    ) -> Result<Response<Body>, Abort> {
        let peer = connection.peer().ip();
        let facts = RequestFacts {
            address: Some(peer),
            ..RequestFacts::default()
        };
        let outcomes = self.policies.outcomes(&alice());
        let Verdict::Permit(permit) = self.policies.decide(Some(&outcomes), &facts) else {
            panic!("everyone is permitted");
        };
        let path = request.uri().path_and_query().cloned().unwrap();
        let client = client_ip::client(peer, connection.is_tls(), request.headers(), &[]);
        let exchange = Exchange {
            request,
            path,
            upstream: Arc::clone(&self.upstream),
            client: Client {
                address: client.address,
                https: client.https,
                through_trusted_proxy: client.through_trusted_proxy,
                believed_header: None,
                credential_headers: Arc::default(),
                request_id: HeaderValue::from_static("request-1"),
            },
            identity: Identity {
                assertion: Some(HeaderValue::from_static("app-token")),
                email: Some(HeaderValue::from_static("alice@example.com")),
                cookie: true,
                cookie_added: false,
            },
            watch: Session(Arc::clone(&self.session)),
            connection: connection.kill_switch().clone(),
        };
        let answer = vestibule::proxy::forward(&self.core, &permit, exchange).await;
        let (core, open) = (Rc::clone(&self.core), Arc::clone(&self.open));
        open.store(core.open_streams(), Ordering::SeqCst);
        tokio::task::spawn_local(async move {
            while core.open_streams() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            open.store(0, Ordering::SeqCst);
        });
        answer.or_else(|fault| fault_page(&fault))
    }
}

fn fault_page(fault: &Fault) -> Result<Response<Body>, Abort> {
    let status = fault.status().ok_or(Abort)?;
    let text = format!("{:?}: {fault}", fault.source());
    let mut response = Response::new(Body::from(hyper::body::Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

fn policies(bypass: bool) -> CompiledPolicies {
    let id = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let decision = if bypass { Decision::Bypass } else { Decision::Allow };
    let everyone = Policy::new(id, "everyone", decision, vec![Selector::Everyone]);
    let app = "00000000-0000-0000-0000-000000000002".parse().unwrap();
    policy::compile(app, &[everyone], &Arc::default()).unwrap()
}

fn alice() -> vestibule::model::identity::Identity {
    let id = "00000000-0000-0000-0000-00000000000a";
    serde_json::from_value(serde_json::json!({
        "user": id,
        "person": { "tenant": id, "object": id },
        "provider": id,
        "email": { "address": "alice@example.com", "trusted": true },
        "guest": false,
        "groups": { "state": "not_asked" },
        "amr": [],
        "contexts": [],
        "claims": {},
        "address": "127.0.0.1",
        "at": 0,
    }))
    .unwrap()
}

fn upstream(service: &str, origin_request: OriginRequest) -> Upstream {
    use vestibule::model::upstream::Service;
    let address = |rest: &str| {
        let (host, port) = rest.rsplit_once(':').unwrap();
        (host.parse().unwrap(), port.parse().unwrap())
    };
    let service = if let Some(rest) = service.strip_prefix("https://") {
        let (host, port) = address(rest);
        Service::Https { host, port }
    } else if let Some(rest) = service.strip_prefix("http://") {
        let (host, port) = address(rest);
        Service::Http { host, port }
    } else {
        Service::Unix(service.strip_prefix("unix:").unwrap().into())
    };
    Upstream {
        covers: "app.example.com".parse().unwrap(),
        service,
        origin_request,
    }
}
