//! The way of a request: target → route → identify → decide → forward.
//!
//! [`Gate::pass`] is the whole of it, from top to bottom. Everything before the forwarding works from memory, on the
//! core that took the connection; what needs the store or Microsoft crosses to the [control plane](control).

pub mod control;
mod refuse;
mod watch;

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;

use self::control::ControlPlane;
use self::refuse::Asked;
use self::watch::Inputs;
use crate::clock::Clock;
use crate::crypto::seal::Sealer;
use crate::login::bounce;
use crate::model::ids::{SessionNonce, UserId};
use crate::policy::{Nature, RequestFacts, Verdict};
use crate::proxy::open_streams::KillSwitch;
use crate::proxy::request_headers::{Client, Identity};
use crate::proxy::{Body, Core, Exchange, Fault, forward};
use crate::router::{Target, Via};
use crate::session::grace::StoreGrace;
use crate::session::identify::{Credential, Identified, Identifier};
use crate::session::limits::FailureLimit;
use crate::session::lookup::{SessionLookup, Settled};
use crate::session::table::SessionTable;
use crate::shutdown::Shutdown;
use crate::snapshot::{ProtectedApplication, Published, Snapshot, Unroutable};
use crate::telemetry::access_log::{self, Answered};
use crate::telemetry::metrics::{CoreMetrics, Decided, Finished, Metrics};
use crate::telemetry::request_id::{RequestId, RequestIds};

/// Sessions that one request's tokens may make the gate look up. More cookies than that are nobody's browser.
const LOOK_UPS: usize = 2;

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
    /// Answers the gateway's own addresses.
    pub control: ControlPlane,
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
    /// Ends the client's connection.
    pub kill: KillSwitch,
}

impl Arrival {
    /// What policies may ask about the request.
    fn facts(&self, now_ms: i64) -> RequestFacts {
        RequestFacts {
            address: (!self.address_unreadable).then_some(self.address),
            now_ms,
            ..RequestFacts::default()
        }
    }
}

/// The gate of one core.
#[derive(Debug)]
pub struct Gate {
    shared: Shared,
    identifier: Identifier,
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
        Self {
            identifier: Identifier::new(shared.sessions.clone(), Arc::clone(&shared.failures)),
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
        let mut noted = Noted::default();
        let answer = self.pass(request, arrival, began, &mut noted).await;
        self.metrics.streams_open(self.core.open_streams());
        let response = answer?;
        let application = noted.application.as_deref();
        let application = application.map(|application| application.app.name.as_str());
        let (code, duration) = (response.status(), began.elapsed());
        self.metrics.finished(&Finished {
            application,
            code,
            method: &method,
            version,
            duration,
        });
        if let Some(line) = &noted.line {
            access_log::answered(&Answered {
                request_id: line.request_id,
                address: line.address,
                method: &method,
                host: line.target.host().as_str(),
                path: line.target.path(),
                application,
                user: noted.user,
                status: code,
                duration,
            });
        }
        Ok(if method == Method::HEAD {
            refuse::without_content(response)
        } else {
            response
        })
    }

    /// The way of a request, from top to bottom.
    async fn pass(
        &self,
        request: Request<Incoming>,
        arrival: Arrival,
        began: Instant,
        noted: &mut Noted,
    ) -> Result<Response<Body>, NoAnswer> {
        let request_id = self.ids.next();
        let snapshot = self.shared.published.load();
        let asked = Asked::new(&self.shared, &snapshot, &request, &arrival, request_id);

        // Target: the one parse of host and path.
        let parsed = Target::parse(request.method(), request.uri(), request.headers(), arrival.via);
        let target = match parsed {
            Ok(target) => target,
            Err(refused) => return Ok(asked.malformed(refused)),
        };
        if access_log::tells_answers() {
            noted.line = Some(Line {
                request_id,
                address: arrival.address,
                target: target.clone(),
            });
        }
        let on_auth_host = *target.host() == *snapshot.organization.auth.host();
        if target.is_reserved() || on_auth_host {
            return Ok(self.cross(request, target, &snapshot, &arrival, request_id).await);
        }

        // Route: the application that covers it.
        let application = match snapshot.application(&target) {
            Ok(application) => Arc::clone(application),
            Err(Unroutable::UnknownHost) => return Ok(asked.unknown_host(&target)),
            Err(Unroutable::NotCovered) => return Ok(asked.not_covered(&target)),
            Err(Unroutable::Refused(refused)) => return Ok(asked.malformed(refused)),
        };
        noted.application = Some(Arc::clone(&application));
        let visitor = Visitor {
            request,
            target,
            arrival,
            request_id,
            began,
        };
        self.enter(visitor, &snapshot, &application, &mut noted.user)
            .await
    }

    /// The second half of the way: a request for an application, in front of its door.
    async fn enter(
        &self,
        visitor: Visitor,
        snapshot: &Snapshot,
        application: &Arc<ProtectedApplication>,
        user: &mut Option<UserId>,
    ) -> Result<Response<Body>, NoAnswer> {
        let Visitor {
            request,
            target,
            arrival,
            request_id,
            began,
        } = visitor;
        let asked =
            Asked::new(&self.shared, snapshot, &request, &arrival, request_id).of(application, &target);

        // Identify: who is asking.
        let identified = self
            .identify(snapshot, application, request.headers(), arrival.address)
            .await;
        let facts = arrival.facts(self.shared.clock.now_ms());
        let credential = match identified {
            Ok(credential) => credential,
            // Where everybody may pass it does not matter who asks.
            Err(_) if matches!(application.policies.decide(None, &facts), Verdict::Permit(_)) => None,
            Err(unidentified) => return Ok(asked.unidentified(unidentified)),
        };

        // Decide: by the policies, whatever the identity.
        let memo = credential
            .as_ref()
            .map(|credential| credential.memo(snapshot, application));
        let outcomes = memo.as_ref().and_then(|memo| memo.outcomes.as_ref());
        let verdict = application.policies.decide(outcomes, &facts);
        self.count(application, &verdict, began);
        let permit = match verdict {
            Verdict::Permit(permit) => permit,
            // What is missing is found out on the auth host, as a sign-in is.
            Verdict::SignIn | Verdict::StepUp(_) => return Ok(asked.sign_in()),
            Verdict::Refuse(refusal) => {
                return Ok(asked.refused(&refusal, credential.as_deref()));
            }
        };
        let credential = credential.filter(|_| permit.nature() == Nature::Identity);
        let now_ms = self.shared.clock.now_ms();
        if let Some(credential) = &credential {
            if self.shared.grace.is_over(now_ms) {
                return Ok(asked.store_gone());
            }
            credential.session.used(now_ms);
            *user = Some(credential.session.user());
        }
        if let Some(origin) = refuse::foreign_origin(request.headers(), &target, application, snapshot) {
            return Ok(asked.foreign_origin(&origin));
        }

        // Forward: what was permitted, and nothing else.
        let upstream = match snapshot.upstream(&target) {
            Ok(Some(upstream)) => Arc::clone(upstream),
            Ok(None) => return Ok(asked.no_upstream()),
            Err(refused) => return Ok(asked.malformed(refused)),
        };
        // As they were decided by: the identity may have another version by now, and then the sweep decides again.
        let identity_version = memo.as_ref().filter(|_| credential.is_some());
        let identity_version = identity_version.map_or(0, |memo| memo.identity_version());
        let identity = memo
            .filter(|_| credential.is_some())
            .map_or_else(Identity::default, |memo| Identity {
                assertion: credential.as_ref().map(|credential| credential.assertion.clone()),
                email: memo.email.clone(),
                cookie: true,
            });
        let report = asked.for_fault();
        let arrived = bounce::arrived(
            credential.as_deref(),
            request.headers(),
            &snapshot.organization.auth,
        );
        let exchange = Exchange {
            path: target.forward().clone(),
            upstream,
            client: Client {
                address: arrival.address,
                https: arrival.https,
                through_trusted_proxy: arrival.through_trusted_proxy,
                request_id: request_id.header(),
            },
            identity,
            watch: Inputs {
                published: Arc::clone(&self.shared.published),
                grace: self.shared.grace.clone(),
                application: application.app.id,
                decided: Cell::new((snapshot.version, identity_version)),
                target,
                credential,
                facts,
            },
            connection: arrival.kill,
            request,
        };
        match forward(&self.core, &permit, exchange).await {
            Ok(mut response) => {
                if let Some(forget) = arrived {
                    response.headers_mut().append(SET_COOKIE, forget);
                }
                Ok(response)
            }
            Err(Fault::Cut(_)) => Err(NoAnswer),
            Err(fault) => Ok(report.fault(&fault, snapshot, application, &self.shared)),
        }
    }

    /// The live session behind the request's tokens, if there is one.
    async fn identify(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Option<Rc<Credential>>, Unidentified> {
        let mut gone: Vec<SessionNonce> = Vec::new();
        loop {
            let now_ms = self.shared.clock.now_ms();
            match self
                .identifier
                .identify(snapshot, application, headers, address, &gone, now_ms)
            {
                Identified::Nobody => return Ok(None),
                Identified::Session(credential) => return Ok(Some(credential)),
                Identified::TooManyFailures => return Err(Unidentified::TooManyFailures),
                Identified::Unsettled(_) if gone.len() >= LOOK_UPS => return Ok(None),
                Identified::Unsettled(nonce) => match self.shared.lookup.settle(nonce.clone()).await {
                    // What was found is in the table now; an ending since then is seen there.
                    Settled::Alive(session) if session.over(now_ms).is_none() => {}
                    Settled::Alive(_) | Settled::Gone => gone.push(nonce),
                    Settled::Unavailable => return Err(Unidentified::StoreUnavailable),
                },
            }
        }
    }

    fn count(&self, application: &ProtectedApplication, verdict: &Verdict, began: Instant) {
        let (decision, reason) = match verdict {
            Verdict::Permit(permit) if permit.nature() == Nature::Bypass => ("bypass", "policy"),
            Verdict::Permit(_) => ("allow", "policy"),
            Verdict::SignIn => ("sign_in", "nobody"),
            Verdict::StepUp(step_up) => ("step_up", step_up.need.word()),
            Verdict::Refuse(refusal) => ("deny", refusal.reason.word()),
        };
        let decided = Decided {
            application: Some(&application.app.name),
            decision,
            reason,
        };
        self.metrics.decided(&decided, began.elapsed());
    }
}

/// A request whose application is known.
struct Visitor {
    request: Request<Incoming>,
    target: Target,
    arrival: Arrival,
    request_id: RequestId,
    began: Instant,
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
    target: Target,
}

/// Why it cannot be said who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unidentified {
    TooManyFailures,
    StoreUnavailable,
}

/// Bytes of our own as the body of an answer.
fn own_body(bytes: Bytes) -> Body {
    if bytes.is_empty() {
        Body::Empty
    } else {
        Body::Full(bytes)
    }
}
