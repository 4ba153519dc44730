//! The middle of a request's way, route → identify → decide: the same whether the request is then forwarded from here
//! or by another proxy that asks.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Response};

use super::certificate::Misdirected;
use super::machine::{Machine, Watched};
use super::refuse::{self, Asked, AskedOf};
use super::renew::{Currency, Door};
use super::{Arrival, Gate, Noted};
use crate::login::bounce;
use crate::model::ids::SessionNonce;
use crate::policy::{Nature, Permit, RequestFacts, Verdict};
use crate::proxy::Body;
use crate::proxy::request_headers::Identity;
use crate::router::Target;
use crate::session::door::{self, Alone};
use crate::session::identify::{Credential, Identified};
use crate::session::lookup::Settled;
use crate::snapshot::{ProtectedApplication, Snapshot, is_preflight};
use crate::telemetry::metrics::Decided;

/// Sessions that one request's tokens may make the gate look up. More cookies than that are nobody's browser.
const LOOK_UPS: usize = 2;

/// A request in front of the door: what is decided on.
#[derive(Clone, Copy)]
pub(super) struct Visitor<'r> {
    /// Its head, and the answers it may get.
    pub(super) asked: &'r Asked<'r>,
    /// Host and path.
    pub(super) target: &'r Target,
    /// Where it comes from.
    pub(super) arrival: &'r Arrival,
    /// When it came.
    pub(super) began: Instant,
}

/// A request that the policies let in.
pub(super) struct Admitted {
    /// The leave.
    pub(super) permit: Permit,
    /// The application that covers it.
    pub(super) application: Arc<ProtectedApplication>,
    /// Who asked; `None` where the permit is for anybody.
    pub(super) credential: Option<Rc<Credential>>,
    /// What the application is told about the person.
    pub(super) identity: Identity,
    /// The version of the identity that was decided by: the session may have another by now.
    pub(super) identity_version: u64,
    /// The facts that were decided by.
    pub(super) facts: RequestFacts,
    /// The service token that policies were told of, whoever is let in: a stream depends on it.
    pub(super) machine: Option<Watched>,
    /// A token that a machine may show in place of its secret ([`super::machine::hand_out`]).
    pub(super) machine_cookie: Option<HeaderValue>,
    /// A cookie for the browser, along with the application's answer.
    pub(super) set_cookie: Option<HeaderValue>,
    /// A cookie with a token in place of the browser's: what hands it on must be kept by no cache ([`super::renew::hand_out`]).
    pub(super) fresh_token: Option<HeaderValue>,
}

/// Who is asking, and what else is known of the request.
struct Asking {
    machine: Machine,
    credential: Option<Rc<Credential>>,
    facts: RequestFacts,
    /// What is decided of it, where that was found out on the way.
    verdict: Option<Verdict>,
}

impl Asking {
    fn new(machine: Machine, facts: RequestFacts) -> Self {
        Self {
            machine,
            credential: None,
            facts,
            verdict: None,
        }
    }
}

/// Why it cannot be said who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unidentified {
    TooManyFailures,
    StoreUnavailable,
}

impl Gate {
    /// Route, identify, decide. `Err` is the answer to a request that is not let in.
    pub(super) async fn admit(
        &self,
        visitor: Visitor<'_>,
        noted: &mut Noted,
    ) -> Result<Admitted, Response<Body>> {
        let Visitor {
            asked,
            target,
            arrival,
            began,
        } = visitor;
        let (snapshot, headers, method) = (asked.snapshot, asked.headers, asked.method);

        // Route: the application that covers it.
        let routed = snapshot.application(target).map(Arc::clone);
        let application = routed.map_err(|unroutable| asked.unroutable(target, unroutable))?;
        noted.application = Some(Arc::clone(&application));
        let facts = match arrival.facts(&self.shared, snapshot, headers, target, application.asks) {
            Ok(facts) => facts,
            Err(Misdirected) => return Err(asked.misdirected(target)),
        };
        let asked = asked.of(&application, target, &facts);

        // Identify: who is asking, unless it passes whoever asks.
        let preflight = is_preflight(method, headers);
        let opening = application.opening(target, preflight);
        let Asking {
            machine,
            credential,
            facts,
            verdict,
        } = match opening {
            Some(_) => Asking::new(Machine::Nobody, facts.clone()),
            None => {
                self.who_asks(&asked, snapshot, &application, arrival, &facts)
                    .await?
            }
        };

        let asked = asked.knowing(&facts);

        // Decide: by the policies, whatever the identity.
        let memo = credential
            .as_ref()
            .map(|credential| credential.memo(snapshot, &application));
        let verdict = verdict.unwrap_or_else(|| {
            let outcomes = memo.as_ref().and_then(|memo| memo.outcomes.as_ref());
            door::decide(&application, opening, outcomes, &facts)
        });
        self.count(&application, &verdict, began);
        let permit = match verdict {
            Verdict::Permit(permit) => permit,
            // What is missing is found out on the auth host, as a sign-in is.
            Verdict::SignIn | Verdict::StepUp(_) => return Err(asked.sign_in()),
            Verdict::Refuse(refusal) => {
                return Err(asked.refused(&refusal, credential.as_deref()));
            }
        };
        if permit.nature() == Nature::Service {
            let door = (snapshot, &application, target);
            return self.admit_machine(&asked, door, permit, machine, &facts).await;
        }
        let credential = credential.filter(|_| permit.nature() == Nature::Identity);
        let now_ms = self.shared.clock.now_ms();
        if let Some(credential) = &credential {
            if self.shared.grace.is_over(now_ms) {
                return Err(asked.store_gone());
            }
            credential.session.used(now_ms);
            noted.user = Some(credential.session.user());
        }
        let (credential, fresh_token) = match credential {
            None => (None, None),
            Some(credential) => {
                let door = Door {
                    snapshot,
                    application: &application,
                    target,
                    address: arrival.address,
                };
                match self.current(credential, &permit, &door, headers).await {
                    Currency::Current(current) => (Some(current.credential), current.cookie),
                    Currency::Over => return Err(asked.sign_in()),
                    Currency::Unavailable => return Err(asked.store_gone()),
                }
            }
        };
        if let Some(origin) = refuse::foreign_origin(headers, target, &application, snapshot) {
            return Err(asked.foreign_origin(&origin));
        }

        // As they were decided by: the identity may have another version by now, and then the sweep decides again.
        let memo = memo.filter(|_| credential.is_some());
        let identity_version = memo.as_ref().map_or(0, |memo| memo.identity_version());
        let identity = memo.map_or_else(Identity::default, |memo| Identity {
            assertion: credential.as_ref().map(|credential| credential.assertion.clone()),
            email: memo.email.clone(),
            cookie: true,
            cookie_added: false,
        });
        let set_cookie = bounce::arrived(credential.as_deref(), headers, &snapshot.organization.auth);
        Ok(Admitted {
            permit,
            application,
            credential,
            identity,
            identity_version,
            facts,
            machine: Watched::new(&machine),
            machine_cookie: None,
            set_cookie,
            fresh_token,
        })
    }

    /// Who is asking: a machine that shows its secret first, then whoever signed in, then a machine that shows a JWT.
    async fn who_asks(
        &self,
        asked: &AskedOf<'_>,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        arrival: &Arrival,
        arrived: &RequestFacts,
    ) -> Result<Asking, Response<Body>> {
        let (headers, now_ms) = (asked.headers(), arrived.now_ms);
        let machine = self.machine(snapshot, application, headers, arrival.address, now_ms);
        let facts = RequestFacts {
            service_token: machine.token(),
            ..arrived.clone()
        };
        let mut asking = Asking::new(machine, facts);
        let by_itself = match door::alone(asking.machine.shown(), snapshot, application, &asking.facts) {
            Alone::Enters(permit) => {
                asking.verdict = Some(Verdict::Permit(permit));
                return Ok(asking);
            }
            Alone::TooMany => return Err(asked.unidentified(Unidentified::TooManyFailures)),
            Alone::Bad => return Err(asked.bad_service_token(asking.machine.named())),
            Alone::NotAuthorized(refusal) => {
                return Err(asked.knowing(&asking.facts).refused(&refusal, None));
            }
            Alone::Asks(verdict) => verdict,
        };
        let identified = self
            .identify(snapshot, application, headers, arrival.address)
            .await;
        let identified = match identified {
            Ok(Some(credential)) if !credential.is_bound(application, headers, &self.shared.sealer) => {
                asked.unbound(&credential);
                Ok(None)
            }
            identified => identified,
        };
        if matches!(asking.machine, Machine::Nobody) && !matches!(identified, Ok(Some(_))) {
            asking.machine = self.bearer(snapshot, application, headers, now_ms);
            asking.facts.service_token = asking.machine.token();
        }
        match identified {
            Ok(Some(credential)) => asking.credential = Some(credential),
            Ok(None) => asking.verdict = by_itself,
            Err(unidentified) => {
                let verdict =
                    by_itself.unwrap_or_else(|| door::decide(application, None, None, &asking.facts));
                // Where it does not matter who signed in, neither does it that this cannot be told.
                if !matches!(verdict, Verdict::Permit(_)) {
                    return Err(asked.unidentified(unidentified));
                }
                asking.verdict = Some(verdict);
            }
        }
        Ok(asking)
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
            Verdict::Permit(permit) => match permit.nature() {
                Nature::Bypass => ("bypass", "policy"),
                Nature::Service => ("service", "policy"),
                Nature::Identity => ("allow", "policy"),
            },
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
