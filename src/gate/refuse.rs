//! The gate's own answers: what a request gets that is not forwarded. Never one byte of an upstream, never cached.

mod rows;

use std::cell::LazyCell;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST, HeaderValue, ORIGIN, UPGRADE, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;

use super::admit::Unidentified;
use super::{Arrival, Noted, Shared, cors, own_body};
use crate::api;
use crate::login::challenge::{Unadmitted, because};
use crate::login::requirements::requirements;
use crate::model::host::Host;
use crate::model::ids::ServiceTokenId;
use crate::pages::person::{
    Accept, BadRequest, BadServiceToken, Because, Frame, NotFound, Page, TooMany, Unavailable, UpstreamFault,
    forbid_storing,
};
use crate::policy::{Explanation, Refusal, RequestFacts, explain, failing};
use crate::proxy::fault::Source;
use crate::proxy::{Body, Fault};
use crate::router::{Found, Target, TargetRefused};
use crate::session::identify::Credential;
use crate::snapshot::{ProtectedApplication, Snapshot, Unroutable};
use crate::telemetry::access_log::{self, RefusedRequest};
use crate::telemetry::request_id::RequestId;

/// What may reach an application: everything but CONNECT and TRACE. Other methods exist; these are the known ones.
const SERVED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Seconds after which an address that failed too often may try again.
const RETRY_AFTER: u32 = 10;

/// A request that may have to be refused: what its answer depends on.
pub(super) struct Asked<'r> {
    shared: &'r Shared,
    /// The configuration that it is answered by.
    pub(super) snapshot: &'r Snapshot,
    /// Its method.
    pub(super) method: &'r Method,
    /// Its header fields.
    pub(super) headers: &'r HeaderMap,
    address: IpAddr,
    request_id: RequestId,
}

impl<'r> Asked<'r> {
    pub(super) fn new(
        shared: &'r Shared,
        snapshot: &'r Snapshot,
        method: &'r Method,
        headers: &'r HeaderMap,
        arrival: &Arrival,
        request_id: RequestId,
    ) -> Self {
        Self {
            shared,
            snapshot,
            method,
            headers,
            address: arrival.address,
            request_id,
        }
    }

    /// The request leads to no application.
    pub(super) fn unroutable(&self, target: &Target, unroutable: Unroutable) -> Response<Body> {
        match unroutable {
            Unroutable::UnknownHost => self.unknown_host(target),
            Unroutable::NotCovered => self.not_covered(target),
            Unroutable::Refused(refused) => self.malformed(refused),
        }
    }

    /// The same for the application that covers it.
    pub(super) fn of<'a>(
        &'a self,
        application: &'a ProtectedApplication,
        target: &'a Target,
        facts: &'a RequestFacts,
    ) -> AskedOf<'a> {
        AskedOf {
            asked: self,
            application,
            target,
            facts,
        }
    }

    /// The host takes clients' certificates, and this connection was not asked for any.
    pub(super) fn misdirected(&self, target: &Target) -> Response<Body> {
        let host = target.host().as_str();
        tracing::debug!(request.id = %self.request_id, client.address = %self.address, host, "Misdirected request");
        self.page(&BadRequest::Misdirected(host))
    }

    /// The same where not even host and path are known for certain: a client of the API is told in the API's words.
    pub(super) fn unreadable(&self, uri: &Uri, refused: TargetRefused) -> Response<Body> {
        let host = uri.authority().map(Authority::as_str);
        let host = host.or_else(|| self.headers.get(HOST)?.to_str().ok());
        let host = host.and_then(|host| host.parse::<Authority>().ok());
        let is_auth_host = host.is_some_and(|host| {
            let own = self.snapshot.organization.auth.host().as_str();
            host.host().eq_ignore_ascii_case(own)
        });
        if !(is_auth_host && api::is_path(uri.path())) {
            return self.malformed(refused);
        }
        let reason = refused.to_string();
        tracing::debug!(request.id = %self.request_id, client.address = %self.address, reason, "Malformed request");
        let method = matches!(refused, TargetRefused::Method).then_some(self.method);
        api::unreadable(uri.path(), method, &reason).map(own_body)
    }

    /// The target has no reading that everybody would share, or the method is never served.
    pub(super) fn malformed(&self, refused: TargetRefused) -> Response<Body> {
        let reason = refused.to_string();
        tracing::debug!(request.id = %self.request_id, client.address = %self.address, reason, "Malformed request");
        match refused {
            TargetRefused::Method => self.page(&BadRequest::Method(SERVED)),
            _ => self.page(&BadRequest::Malformed(&reason)),
        }
    }

    /// No application has this host.
    pub(super) fn unknown_host(&self, target: &Target) -> Response<Body> {
        self.page(&NotFound::Host(target.host().as_str()))
    }

    /// One of the gateway's own addresses, which another proxy must send to the gateway itself.
    pub(super) fn own_address(&self, target: &Target) -> Response<Body> {
        tracing::warn!(
            request.id = %self.request_id,
            http.host = target.host().as_str(),
            http.path = target.path(),
            "Forward-auth was asked about an address of the gateway's own: the proxy must send it to the public listener"
        );
        self.page(&NotFound::Page)
    }

    /// The host has applications, none of which covers the path.
    pub(super) fn not_covered(&self, target: &Target) -> Response<Body> {
        self.page(&NotFound::Path(target.host().as_str()))
    }

    /// The answer to a preflight, where the application leaves it to us.
    pub(super) fn other_sites_may(&self, target: &Target, noted: &mut Noted) -> Option<Response<Body>> {
        let application = self.snapshot.application(target).ok()?;
        let cors = application.app.cors.as_ref()?;
        noted.application = Some(Arc::clone(application));
        let answer = cors::preflight(cors, self.headers);
        Some(answer.unwrap_or_else(|| {
            self.of(application, target, &RequestFacts::default())
                .foreign_script()
        }))
    }

    fn page(&self, page: &impl Page) -> Response<Body> {
        self.for_fault().page(page, self.snapshot, self.shared)
    }

    /// What is needed to report a fault once the request itself is gone.
    pub(super) fn for_fault(&self) -> Report {
        Report {
            accept: Accept::of(self.headers),
            request_id: self.request_id,
            address: self.address,
        }
    }
}

/// A request for a known application that may have to be refused.
#[derive(Clone, Copy)]
pub(super) struct AskedOf<'r> {
    asked: &'r Asked<'r>,
    application: &'r ProtectedApplication,
    target: &'r Target,
    facts: &'r RequestFacts,
}

impl AskedOf<'_> {
    /// The same, now that more is known of the request.
    pub(super) fn knowing<'a>(&'a self, facts: &'a RequestFacts) -> AskedOf<'a> {
        AskedOf { facts, ..*self }
    }

    /// Its header fields.
    pub(super) fn headers(&self) -> &HeaderMap {
        self.asked.headers
    }

    /// It cannot be said who asks.
    pub(super) fn unidentified(&self, why: Unidentified) -> Response<Body> {
        match why {
            Unidentified::TooManyFailures => {
                self.log("too_many_failures", None);
                self.asked.page(&TooMany {
                    retry_after: RETRY_AFTER,
                })
            }
            Unidentified::StoreUnavailable => self.store_gone(),
        }
    }

    /// A service token that is not good, in strict mode: 401, whatever else the request shows.
    pub(super) fn bad_service_token(&self, named: Option<ServiceTokenId>) -> Response<Body> {
        let reason = "bad_service_token";
        access_log::refused(&RefusedRequest {
            service_token: named,
            ..self.line(reason)
        });
        self.write_stranger(named, reason);
        let mut answer = self.asked.page(&BadServiceToken);
        // RFC 9110 §15.5.2: a 401 says how to do better. There is no scheme for it but Access' own.
        let scheme = const { HeaderValue::from_static("Cloudflare-Access") };
        answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        answer
    }

    /// Permitted, but what the application must be told cannot be made now.
    pub(super) fn busy(&self) -> Response<Body> {
        self.log("busy", None);
        self.asked.page(&Unavailable::Busy)
    }

    /// A token came from another browser than the one it was made for: it may have been stolen.
    pub(super) fn unbound(&self, credential: &Credential) {
        self.log("binding_cookie", Some(credential));
    }

    /// Nobody is signed in, and signing in could help.
    pub(super) fn sign_in(&self) -> Response<Body> {
        let id = self.asked.request_id.to_string();
        self.unadmitted(&id)
            .challenge(&self.asked.shared.sealer, &self.asked.shared.clock)
            .map(own_body)
    }

    /// The policies refuse.
    pub(super) fn refused(&self, refusal: &Refusal, credential: Option<&Credential>) -> Response<Body> {
        let id = self.asked.request_id.to_string();
        let unadmitted = self.unadmitted(&id);
        let shared = self.asked.shared;
        let identity = credential.map(|credential| credential.session.identity().identity.clone());
        let due = self.row_is_due_of(identity.as_deref(), refusal.reason.word());
        // Once, and only where somebody is told: strangers may come in great numbers, and so may machines.
        let explanation = LazyCell::new(|| {
            explain(
                &self.application.policy_docs,
                self.application.policies.referents(),
                identity.as_deref(),
                self.facts,
            )
        });
        let told = credential.is_some() || due.is_some();
        let told = told.then(|| LazyCell::force(&explanation));
        self.log_refusal(refusal, credential, told);
        if let Some(more) = due {
            self.write(
                refusal.reason.word(),
                identity.as_deref(),
                LazyCell::force(&explanation),
                more,
            );
        }
        let because = because(self.application, identity.as_deref(), refusal);
        let asked = requirements(self.asked.snapshot, self.application, refusal, || {
            LazyCell::force(&explanation)
        });
        let (sealer, clock) = (&shared.sealer, &shared.clock);
        let answer = match &identity {
            Some(identity) => {
                let why = (because, failing(&explanation, refusal));
                unadmitted.refuse(identity.label(), why, &asked, sealer, clock)
            }
            None => unadmitted.forbid(because, &asked, clock),
        };
        answer.map(own_body)
    }

    /// The session may be good, but the store that would know has been away for too long.
    pub(super) fn store_gone(&self) -> Response<Body> {
        self.log("store_unavailable", None);
        self.asked.page(&Unavailable::Store(None))
    }

    /// Another site's script asks for a WebSocket in the person's name.
    pub(super) fn foreign_origin(&self, origin: &str) -> Response<Body> {
        tracing::info!(request.id = %self.asked.request_id, origin, "WebSocket of a foreign origin refused");
        self.log("foreign_origin", None);
        self.asked.page(&BadRequest::CrossSite)
    }

    /// A browser asks in the name of another site's script, which may do nothing here.
    pub(super) fn foreign_script(&self) -> Response<Body> {
        self.log("foreign_script", None);
        let id = self.asked.request_id.to_string();
        self.unadmitted(&id)
            .forbid(Because::NoRule, &[], &self.asked.shared.clock)
            .map(own_body)
    }

    /// Permitted, but no upstream is configured for it.
    pub(super) fn no_upstream(&self) -> Response<Body> {
        let name = &self.application.app.name;
        tracing::error!(request.id = %self.asked.request_id, application = name, "No upstream is configured");
        self.asked.shared.metrics.upstream_failed(name, "not_configured");
        self.asked.page(&UpstreamFault::NotConfigured(name))
    }

    fn unadmitted<'a>(&'a self, request_id: &'a str) -> Unadmitted<'a> {
        Unadmitted {
            snapshot: self.asked.snapshot,
            application: self.application,
            method: self.asked.method,
            target: self.target,
            certificate: &self.facts.certificate,
            headers: self.asked.headers,
            request_id,
        }
    }

    fn log_refusal(
        &self,
        refusal: &Refusal,
        credential: Option<&Credential>,
        explanation: Option<&Explanation>,
    ) {
        access_log::refused(&RefusedRequest {
            policy: refusal.policy.as_ref().map(|policy| policy.name.as_str()),
            user: credential.map(|credential| credential.session.user()),
            service_token: self.facts.service_token,
            explanation: explanation.map(|explanation| explanation as &dyn std::fmt::Display),
            ..self.line(refusal.reason.word())
        });
    }

    fn log(&self, reason: &'static str, credential: Option<&Credential>) {
        access_log::refused(&RefusedRequest {
            user: credential.map(|credential| credential.session.user()),
            ..self.line(reason)
        });
    }

    fn line(&self, reason: &'static str) -> RefusedRequest<'_> {
        RefusedRequest {
            request_id: self.asked.request_id,
            address: self.asked.address,
            host: self.target.host().as_str(),
            path: self.target.path(),
            application: Some(&self.application.app.name),
            policy: None,
            user: None,
            service_token: None,
            reason,
            explanation: None,
        }
    }
}

/// What outlives the request, for its fault.
#[derive(Clone, Copy)]
pub(super) struct Report {
    accept: Accept,
    request_id: RequestId,
    address: IpAddr,
}

impl Report {
    pub(super) fn new(request: &Request<Incoming>, arrival: &Arrival, request_id: RequestId) -> Self {
        Self {
            accept: Accept::of(request.headers()),
            request_id,
            address: arrival.address,
        }
    }

    /// The upstream, the client or we ourselves failed after the permit.
    pub(super) fn fault(
        &self,
        fault: &Fault,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        shared: &Shared,
    ) -> Response<Body> {
        let name = application.app.name.as_str();
        let id = self.request_id;
        let (page, reason) = match fault.source() {
            Source::Downstream => {
                tracing::debug!(request.id = %id, client.address = %self.address, %fault, "The client's request failed");
                let reason = fault.to_string();
                let page = match fault {
                    Fault::RequestTimeout => BadRequest::TooSlow,
                    _ => BadRequest::Malformed(&reason),
                };
                return self.page(&page, snapshot, shared);
            }
            Source::Upstream => {
                tracing::warn!(request.id = %id, application = name, %fault, "The upstream failed");
                match fault {
                    Fault::Connect(_) => (UpstreamFault::Unreachable(name), "unreachable"),
                    Fault::ConnectTimeout(_) | Fault::ResponseTimeout => {
                        (UpstreamFault::TimedOut(name), "timed_out")
                    }
                    _ => (UpstreamFault::BadAnswer(name), "bad_answer"),
                }
            }
            Source::Internal => {
                tracing::error!(request.id = %id, application = name, %fault, "The upstream cannot be used");
                (UpstreamFault::NotConfigured(name), "unusable")
            }
        };
        shared.metrics.upstream_failed(name, reason);
        self.page(&page, snapshot, shared)
    }

    /// A page as the answer.
    pub(super) fn page(
        &self,
        page: &(impl Page + ?Sized),
        snapshot: &Snapshot,
        shared: &Shared,
    ) -> Response<Body> {
        let id = self.request_id.to_string();
        let frame = Frame {
            organization: &snapshot.organization.name,
            request_id: &id,
            at: shared.clock.now(),
            auth_origin: snapshot.organization.auth.origin(),
            design: &snapshot.organization.login_design,
        };
        page.respond_as(self.accept, &frame).map(own_body)
    }
}

/// The answer to a request that is let in and asked only whether it is (`gate::own`). Never one byte of an upstream.
pub(super) fn token_is_good() -> Response<Body> {
    let mut answer = Response::new(Body::Empty);
    forbid_storing(answer.headers_mut());
    answer
}

/// Whether any application covers a path of this host.
pub(super) fn knows_host(snapshot: &Snapshot, host: &Host) -> bool {
    !matches!(snapshot.routes.find(host, "/"), Found::None)
}

/// The origin of a WebSocket that another site's script asks for, unless the application allows it.
///
/// Browsers send cookies with such a request and ask nobody first (RFC 6455 §10.2).
pub(super) fn foreign_origin(
    headers: &HeaderMap,
    target: &Target,
    application: &ProtectedApplication,
    snapshot: &Snapshot,
) -> Option<String> {
    if !headers.contains_key(UPGRADE) {
        return None;
    }
    let origin = headers.get(ORIGIN)?;
    let own = snapshot.organization.auth.origin_of(target.host());
    let allowed = |allowed: &String| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes());
    if allowed(&own) || application.app.websocket_origins.iter().any(allowed) {
        return None;
    }
    Some(String::from_utf8_lossy(origin.as_bytes()).into_owned())
}

/// The answer to HEAD: what GET would be answered, without the content (RFC 9110 §9.3.2). hyper sees to it on HTTP/1.1
/// only.
pub(super) fn without_content(mut response: Response<Body>) -> Response<Body> {
    if let Body::Full(bytes) = response.body() {
        let length = HeaderValue::from(bytes.len());
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length);
        *response.body_mut() = Body::Empty;
    }
    response
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn the_answer_to_head_has_the_length_of_the_content_and_not_the_content() {
        let answer = without_content(Response::new(Body::Full(Bytes::from_static(b"a page"))));
        assert_eq!(answer.headers()[CONTENT_LENGTH], "6");
        assert!(matches!(answer.body(), Body::Empty));
    }
}
