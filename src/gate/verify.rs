//! Forward-auth: a request that another proxy has is decided on here, and forwarded there.
//!
//! The way is the gate's own, [`Gate::admit`]; only its ends differ. What asks is told to be a known proxy by the
//! listener. What is permitted is answered 200 with every field that the proxy has to set; everything else is the answer
//! for the person. Nothing that streams can be cut from here once it was let in.

use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, ORIGIN, SET_COOKIE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::admit::Visitor;
use super::question::{Dialect, Question, Unclear};
use super::refuse::{self, Asked};
use super::{Arrival, Gate, Noted, cors, own};
use crate::pages::person::forbid_storing;
use crate::proxy::{Body, request_headers};
use crate::router::{Target, TargetRefused, Via};
use crate::snapshot::Snapshot;
use crate::telemetry::request_id::RequestId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Gate {
    /// Answers a known proxy whether the request that it has may pass. `arrival` is that of the proxy's client.
    pub async fn verify(&self, request: Request<Incoming>, arrival: &Arrival) -> Response<Body> {
        let began = Instant::now();
        let _in_flight = self.metrics.arrived();
        let request_id = self.ids.next();
        let (head, _) = request.into_parts();
        let without_content = head.method == Method::HEAD;
        let version = head.version;
        let mut noted = Noted::default();
        let mut response = match Dialect::of(&head.uri) {
            None => bare(
                StatusCode::NOT_FOUND,
                "There is no forward-auth endpoint at this path.\n",
            ),
            Some(dialect) => match dialect.read(head) {
                Ok(question) => {
                    let answer = self
                        .judge(&question, arrival, request_id, began, &mut noted)
                        .await;
                    let answer = match answer {
                        Ok(leave) => dialect.pass(leave),
                        Err(mut answer) => {
                            // Other sites' scripts may read why, where the application says so.
                            if let Some(cors) = noted.cors() {
                                let origin = question.headers.get(ORIGIN);
                                cors::answer(cors, origin, answer.headers_mut());
                            }
                            dialect.refuse(answer)
                        }
                    };
                    self.tell(&noted, &question.method, version, answer.status(), began);
                    answer
                }
                Err(unclear) => dialect.ask_again(unclear),
            },
        };
        response.headers_mut().insert(REQUEST_ID, request_id.header());
        if without_content {
            refuse::without_content(response)
        } else {
            response
        }
    }

    /// `Ok` is the answer to a request that may pass, and `Err` to one that may not, whatever its status is.
    async fn judge(
        &self,
        question: &Question,
        arrival: &Arrival,
        request_id: RequestId,
        began: Instant,
        noted: &mut Noted,
    ) -> Result<Response<Body>, Response<Body>> {
        let snapshot = self.shared.published.load();
        let Question { method, uri, headers } = question;
        let asked = Asked::new(&self.shared, &snapshot, method, headers, arrival, request_id);
        let target = match Target::parse(method, uri, headers, Via::Http1) {
            Ok(target) => target,
            Err(refused) => return Err(asked.malformed(refused)),
        };
        noted.asked_for(request_id, arrival, &target, || {
            arrival.country(&self.shared, headers)
        });
        if own::is_own(&snapshot, &target) {
            return Err(asked.own_address(&target));
        }
        if is_read_otherwise(&snapshot, &target) {
            return Err(asked.malformed(TargetRefused::Ambiguous));
        }
        let visitor = Visitor {
            asked: &asked,
            target: &target,
            arrival,
            began,
        };
        let admitted = self.admit(visitor, noted).await?;
        let mut response = Response::new(Body::Empty);
        *response.headers_mut() =
            request_headers::for_proxy(headers, request_id.header(), &admitted.permit, admitted.identity);
        forbid_storing(response.headers_mut());
        // One at most: nginx and Caddy hand on no more. A browser that counts on for half a minute comes to no harm.
        let token = admitted.fresh_token.or(admitted.machine_cookie);
        if let Some(cookie) = token.or(admitted.set_cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        Ok(response)
    }
}

/// Whether an application may read the path otherwise than it was decided on. The proxy sends it on as it came: where
/// dot segments or empty segments are left in it, and what they lead to makes a difference, there is no right answer.
fn is_read_otherwise(snapshot: &Snapshot, target: &Target) -> bool {
    let has_public_paths = || {
        snapshot
            .application(target)
            .is_ok_and(|found| found.has_public_paths())
    };
    target.is_resolved() && (!snapshot.routes.is_uniform(target.host()) || has_public_paths())
}

impl Dialect {
    fn pass(self, leave: Response<Body>) -> Response<Body> {
        match self {
            Self::Nginx | Self::Forwarded | Self::Envoy => leave,
            // nginx refused it for a reason of its own, or it would pass by now: there is nothing to explain.
            Self::NginxAnswer => bare(StatusCode::FORBIDDEN, "Forbidden\n"),
        }
    }

    /// The answer to a request that may not pass, as the proxy understands it: never 2xx, which would let it pass.
    fn refuse(self, mut answer: Response<Body>) -> Response<Body> {
        let status = answer.status();
        if self == Self::Nginx {
            // Whatever else it is told is a fault of ours to it; and it passes no content on.
            *answer.status_mut() = match status {
                StatusCode::FOUND | StatusCode::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
                _ => StatusCode::FORBIDDEN,
            };
            *answer.body_mut() = Body::Empty;
            answer.headers_mut().remove(CONTENT_TYPE);
        } else if status.is_success() || status.is_informational() {
            *answer.status_mut() = StatusCode::FORBIDDEN;
        }
        answer
    }

    fn ask_again(self, unclear: Unclear) -> Response<Body> {
        let answer = bare(StatusCode::BAD_REQUEST, &format!("Forward-auth: {unclear}.\n"));
        match unclear {
            // The operator's to mend, so that it may be as loud as it can be.
            Unclear::Missing(_) | Unclear::Repeated(_) => {
                tracing::warn!(reason = %unclear, "Forward-auth cannot tell what is asked");
                answer
            }
            // The client's doing.
            Unclear::Malformed(_) => self.refuse(answer),
        }
    }
}

fn bare(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::Full(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        const { HeaderValue::from_static("text/plain; charset=utf-8") },
    );
    forbid_storing(headers);
    response
}
