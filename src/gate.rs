//! The way of a request: target → route → identify → decide → forward.
//!
//! [`Gate::pass`] is the whole of it, from top to bottom; [`Gate::admit`] is its middle. Everything before the forwarding works from memory, on the
//! core that took the connection; what needs the store or Microsoft crosses to the [control plane](control).

mod admit;
mod caching;
pub mod certificate;
pub mod control;
mod cors;
mod facts;
pub mod machine;
mod own;
pub mod question;
mod refuse;
mod renew;
mod verify;
mod watch;
pub mod written;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::ORIGIN;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use self::admit::Visitor;
use self::certificate::{Handshake, Misdirected};
use self::control::ControlPlane;
use self::machine::{Machines, Passages};
use self::refuse::Asked;
use self::watch::Inputs;
use self::written::WrittenRefusals;
use crate::clock::Clock;
use crate::crypto::seal::Sealer;
use crate::geo::Geo;
use crate::login::renew::Renewal;
use crate::model::cors::Cors;
use crate::model::country::CountryCode;
use crate::model::ids::UserId;
use crate::proxy::open_streams::KillSwitch;
use crate::proxy::{Body, Core, Exchange, Fault, forward};
use crate::router::{Target, Via};
use crate::session::grace::StoreGrace;
use crate::session::identify::Identifier;
use crate::session::limits::FailureLimit;
use crate::session::lookup::SessionLookup;
use crate::session::service_auth;
use crate::session::service_jwt::ServiceJwts;
use crate::session::table::SessionTable;
use crate::shutdown::Shutdown;
use crate::snapshot::{Asks, ProtectedApplication, Published, is_preflight};
use crate::telemetry::access_log::{self, Answered};
use crate::telemetry::metrics::{CoreMetrics, Finished, Metrics};
use crate::telemetry::request_id::{RequestId, RequestIds};

/// What all cores share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The configuration in force.
    pub published: Arc<Published>,
    /// The sessions this replica knows.
    pub sessions: SessionTable,
    /// Finds those it does not know.
    pub lookup: SessionLookup,
    /// How long sessions go on without the store.
    pub grace: StoreGrace,
    /// Limits forged tokens.
    pub failures: Arc<FailureLimit>,
    /// Tells the country of a request.
    pub geo: Geo,
    /// Machines and their service tokens.
    pub machines: Machines,
    /// Writes down who was refused.
    pub refusals: WrittenRefusals,
    /// Answers the gateway's own addresses.
    pub control: ControlPlane,
    /// Renews application tokens.
    pub renewal: Renewal,
    /// Seals what travels through browsers.
    pub sealer: Sealer,
    /// The clock.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Stops everything.
    pub shutdown: Shutdown,
}

/// What the listener found out about a request before its head was looked at.
#[derive(Debug)]
pub struct Arrival {
    /// The client, or the last address a trusted proxy vouched for.
    pub address: IpAddr,
    /// A trusted proxy vouched for something that is no address: rules about addresses cannot be answered.
    pub address_unreadable: bool,
    /// Whether the peer is a trusted proxy.
    pub through_trusted_proxy: bool,
    /// Whether the client speaks https, to us or to the trusted proxy.
    pub https: bool,
    /// The protocol.
    pub via: Via,
    /// Whether the client was asked for a certificate, and what it presented.
    pub handshake: Handshake,
    /// Ends the client's connection.
    pub kill: KillSwitch,
}

/// The gate of one core.
#[derive(Debug)]
pub struct Gate {
    shared: Shared,
    identifier: Identifier,
    jwts: Rc<ServiceJwts>,
    passages: Passages,
    core: Rc<Core<Inputs>>,
    ids: RequestIds,
    metrics: CoreMetrics,
}

/// Nothing is answered: the connection closes, or the stream is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

impl Gate {
    /// The gate of this core. Must be called on the core, within its `LocalSet`.
    pub fn new(shared: Shared) -> Self {
        let jwts = Rc::new(ServiceJwts::new(shared.sessions.clone()));
        let (sessions, failures) = (shared.sessions.clone(), Arc::clone(&shared.failures));
        Self {
            identifier: Identifier::new(sessions, failures, Rc::clone(&jwts)),
            jwts,
            passages: Passages::default(),
            core: Core::start(
                shared.clock.clone(),
                Arc::clone(&shared.metrics),
                shared.shutdown.clone(),
            ),
            ids: RequestIds::new(),
            metrics: shared.metrics.core(),
            shared,
        }
    }

    /// Answers a request, counts it, and tells what became of it.
    ///
    /// # Errors
    /// [`NoAnswer`] where the session that asked ended while its request waited.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        arrival: Arrival,
    ) -> Result<Response<Body>, NoAnswer> {
        let began = Instant::now();
        let _in_flight = self.metrics.arrived();
        let (method, version) = (request.method().clone(), request.version());
        let preflight = is_preflight(&method, request.headers());
        let origin = request.headers().get(ORIGIN).cloned();
        let mut noted = Noted::default();
        let answer = self.pass(request, arrival, began, &mut noted).await;
        self.metrics.streams_open(self.core.open_streams());
        let mut response = answer?;
        // What other sites' scripts may do is said by us, on every answer.
        if let Some(cors) = noted.cors()
            && !preflight
        {
            cors::answer(cors, origin.as_ref(), response.headers_mut());
        }
        self.tell(&noted, &method, version, response.status(), began);
        Ok(if method == Method::HEAD {
            refuse::without_content(response)
        } else {
            response
        })
    }

    /// Counts an answer, and writes its line.
    fn tell(&self, noted: &Noted, method: &Method, version: Version, code: StatusCode, began: Instant) {
        let application = noted.application.as_deref();
        let application = application.map(|application| application.app.name.as_str());
        let duration = began.elapsed();
        self.metrics.finished(&Finished {
            application,
            code,
            method,
            version,
            duration,
        });
        if let Some(line) = &noted.line {
            access_log::answered(&Answered {
                request_id: line.request_id,
                address: line.address,
                country: line.country,
                method,
                host: line.target.host().as_str(),
                path: line.target.path(),
                application,
                user: noted.user,
                status: code,
                duration,
            });
        }
    }

    /// The way of a request, from top to bottom.
    #[expect(clippy::too_many_lines, reason = "it is read from top to bottom")]
    async fn pass(
        &self,
        request: Request<Incoming>,
        arrival: Arrival,
        began: Instant,
        noted: &mut Noted,
    ) -> Result<Response<Body>, NoAnswer> {
        let request_id = self.ids.next();
        let snapshot = self.shared.published.load();
        let asked = Asked::new(
            &self.shared,
            &snapshot,
            request.method(),
            request.headers(),
            &arrival,
            request_id,
        );

        // Target: the one parse of host and path.
        let parsed = Target::parse(request.method(), request.uri(), request.headers(), arrival.via);
        let target = match parsed {
            Ok(target) => target,
            Err(refused) => return Ok(asked.unreadable(request.uri(), refused)),
        };
        noted.asked_for(request_id, &arrival, &target, || {
            arrival.country(&self.shared, request.headers())
        });
        let is_own = own::is_own(&snapshot, &target);
        if is_own || own::asks_about_application(request.method(), request.headers(), &target) {
            let facts = match arrival.facts(
                &self.shared,
                &snapshot,
                request.headers(),
                &target,
                Asks::EVERYTHING,
            ) {
                Ok(facts) => facts,
                Err(Misdirected) => return Ok(asked.misdirected(&target)),
            };
            if is_own || own::is_told(&snapshot, &target, &facts) {
                return Ok(self
                    .cross(request, target, &snapshot, &arrival, (facts, request_id))
                    .await);
            }
        }

        let preflight = is_preflight(request.method(), request.headers());
        if preflight && let Some(answer) = asked.other_sites_may(&target, noted) {
            return Ok(answer);
        }

        // Route, identify, decide: whether the policies of the application that covers it let it in.
        let visitor = Visitor {
            asked: &asked,
            target: &target,
            arrival: &arrival,
            began,
        };
        let admitted = match self.admit(visitor, noted).await {
            Ok(admitted) => admitted,
            Err(answer) => return Ok(answer),
        };

        if own::is_token_check(request.method(), &target) {
            return Ok(refuse::token_is_good());
        }

        // Forward: what was permitted, and nothing else.
        let application = admitted.application;
        let upstream = match snapshot.upstream(&target) {
            Ok(Some(upstream)) => Arc::clone(upstream),
            Ok(None) => {
                return Ok(asked.of(&application, &target, &admitted.facts).no_upstream());
            }
            Err(refused) => return Ok(asked.malformed(refused)),
        };
        let report = asked.for_fault();
        let mut request = request;
        service_auth::strip(request.headers_mut(), &snapshot.credential_headers);
        let exchange = Exchange {
            path: target.forward().clone(),
            upstream,
            client: arrival.client(&self.shared, &snapshot, request_id),
            identity: admitted.identity,
            watch: Inputs {
                published: Arc::clone(&self.shared.published),
                grace: self.shared.grace.clone(),
                application: application.app.id,
                bound: application.app.enable_binding_cookie,
                decided: Cell::new((snapshot.version, admitted.identity_version)),
                target,
                preflight,
                credential: admitted.credential,
                certificate_until_ms: Cell::new(watch::end_of(&admitted.facts.certificate)),
                permit_until_ms: Cell::new(admitted.permit.until_ms().unwrap_or(i64::MAX)),
                handshake: arrival.handshake,
                machine: RefCell::new(admitted.machine),
                nature: Cell::new(admitted.permit.nature()),
                facts: admitted.facts,
            },
            connection: arrival.kill,
            request,
        };
        match forward(&self.core, &admitted.permit, exchange).await {
            Ok(mut response) => {
                if let Some(token) = admitted.fresh_token {
                    renew::hand_out(response.headers_mut(), token);
                }
                if let Some(token) = admitted.machine_cookie {
                    machine::hand_out(response.headers_mut(), token);
                }
                if let Some(cookie) = admitted.set_cookie {
                    renew::hand_out(response.headers_mut(), cookie);
                }
                Ok(response)
            }
            Err(Fault::Cut(_)) => Err(NoAnswer),
            Err(fault) => Ok(report.fault(&fault, &snapshot, &application, &self.shared)),
        }
    }
}

/// What is found out on the way, for the counters and the log.
#[derive(Default)]
struct Noted {
    application: Option<Arc<ProtectedApplication>>,
    user: Option<UserId>,
    /// Kept only where answers are told.
    line: Option<Line>,
}

struct Line {
    request_id: RequestId,
    address: IpAddr,
    country: Option<CountryCode>,
    target: Target,
}

impl Noted {
    fn cors(&self) -> Option<&Cors> {
        self.application.as_ref()?.app.cors.as_ref()
    }

    fn asked_for(
        &mut self,
        request_id: RequestId,
        arrival: &Arrival,
        target: &Target,
        country: impl FnOnce() -> Option<CountryCode>,
    ) {
        if access_log::tells_answers() {
            self.line = Some(Line {
                request_id,
                address: arrival.address,
                country: country(),
                target: target.clone(),
            });
        }
    }
}

/// Bytes of our own as the body of an answer.
fn own_body(bytes: Bytes) -> Body {
    if bytes.is_empty() {
        Body::Empty
    } else {
        Body::Full(bytes)
    }
}
