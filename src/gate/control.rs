//! The way to the control plane: requests of the gateway's own addresses leave their core here, and answers come back.
//!
//! The way is bounded. Where the control plane cannot keep up, the answer is 503 at once, and no proxied byte waits.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as _;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tower::ServiceExt as _;

use super::refuse::{self, Report};
use super::{Arrival, Gate, own_body};
use crate::api;
use crate::login::{Place, Visit};
use crate::pages::person::{BadRequest, Unavailable};
use crate::policy::RequestFacts;
use crate::proxy::Body;
use crate::router::Target;
use crate::scim;
use crate::shutdown::Shutdown;
use crate::snapshot::Snapshot;
use crate::telemetry::request_id::RequestId;

/// Requests that may wait for the control plane.
const WAITING: usize = 512;
/// Requests that the control plane works on at once. Most of their time is waiting for Microsoft or the store.
const AT_ONCE: usize = 512;
/// The longest answer of the control plane, in bytes: a thousand applications, or a list of fifty thousand addresses.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// The longest body of a request to the gateway's own addresses, in bytes: forms, nothing more.
const LONGEST_OWN_BODY: usize = 64 * 1024;

/// How long such a body may take to come: they are short.
const OWN_BODY_TIME: Duration = Duration::from_secs(10);

/// Long bodies that are taken at once from whoever shows a token of the API that there is, of all cores together.
const LONG_BODIES: usize = 64;
/// The same from whoever shows a secret of a directory's. Entra sends few at a time.
const DIRECTORY_BODIES: usize = 32;
/// How much of a body that is too long is read all the same, so that its sender comes to read the answer.
const PASSED_OVER: usize = 4 * 1024 * 1024;
/// How long a stranger's long body is read for the same reason. None of it is kept.
const STRANGER_TIME: Duration = Duration::from_secs(2);

/// The control plane as the cores see it. Cheap to clone; usable on any runtime.
#[derive(Debug, Clone)]
pub struct ControlPlane {
    queue: mpsc::Sender<Crossing>,
    long_bodies: Arc<Semaphore>,
    directory_bodies: Arc<Semaphore>,
}

#[derive(Debug)]
struct Crossing {
    request: Request<Bytes>,
    reply: oneshot::Sender<Response<Bytes>>,
}

/// The control plane has more to do than it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the control plane is busy")]
pub struct Busy;

impl ControlPlane {
    /// Starts answering with this router on the present (control) runtime.
    pub fn start(router: Router, shutdown: &Shutdown) -> Self {
        let (queue, crossings) = mpsc::channel(WAITING);
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = serve(router, crossings) => {}
                () = stop.hard() => {}
            }
        });
        Self {
            queue,
            long_bodies: Arc::new(Semaphore::new(LONG_BODIES)),
            directory_bodies: Arc::new(Semaphore::new(DIRECTORY_BODIES)),
        }
    }

    /// Has a request answered.
    ///
    /// # Errors
    /// [`Busy`] where too many wait already, or the answer failed.
    pub async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Busy> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .try_send(Crossing { request, reply })
            .map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }
}

async fn serve(router: Router, mut crossings: mpsc::Receiver<Crossing>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(crossing) = crossings.recv().await {
        // The semaphore is never closed; without a place nothing is taken from the queue, which then fills and refuses.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let router = router.clone();
        tokio::spawn(async move {
            let request = crossing.request.map(AxumBody::from);
            // A router cannot fail; an answer that cannot be read in full is dropped, which reads as busy.
            let Ok(response) = router.oneshot(request).await;
            let (head, body) = response.into_parts();
            if let Ok(body) = axum::body::to_bytes(body, LONGEST_ANSWER).await {
                let _ = crossing.reply.send(Response::from_parts(head, body)); // the client may have gone
            }
            drop(place);
        });
    }
}

impl Gate {
    /// Takes a request for one of the gateway's own addresses to the control plane.
    pub(super) async fn cross(
        &self,
        request: Request<Incoming>,
        target: Target,
        snapshot: &Snapshot,
        arrival: &Arrival,
        (facts, request_id): (RequestFacts, RequestId),
    ) -> Response<Body> {
        let place = match target.host() {
            host if *host == *snapshot.organization.auth.host() => Place::AuthHost,
            host if snapshot.organization.transfer_host.as_ref() == Some(host) => Place::TransferHost,
            _ if refuse::knows_host(snapshot, target.host()) => Place::ApplicationHost,
            _ => Place::Unknown,
        };
        let report = Report::new(&request, arrival, request_id);
        let is_api = place == Place::AuthHost && api::is_path(target.path());
        let is_scim = place == Place::AuthHost && scim::concerns(target.path());
        let turned_away = |status, page: &dyn Fn() -> Response<Body>| {
            if is_api {
                api::turned_away(status).map(own_body)
            } else {
                page()
            }
        };
        let busy = || {
            turned_away(StatusCode::SERVICE_UNAVAILABLE, &|| {
                report.page(&Unavailable::Busy, snapshot, &self.shared)
            })
        };
        let (mut head, body) = request.into_parts();
        let control = &self.shared.control;
        let body = if is_api {
            let is_known = || api::shows_a_token(&head.headers, snapshot);
            long(body, &control.long_bodies, is_known).await
        } else if is_scim {
            let is_known = || scim::shows_a_secret(&head.headers, snapshot);
            long(body, &control.directory_bodies, is_known).await
        } else {
            own(body, LONGEST_OWN_BODY).await
        };
        head.extensions.clear();
        let body = match body {
            Ok(body) => body,
            // What SCIM clients are told they are told in their own words.
            Err(NoBody::TooLong) if is_scim => {
                head.extensions.insert(scim::NotKept::TooLong);
                Bytes::new()
            }
            // Who it is that has no credential is told in the same words as without a body.
            Err(NoBody::OfAStranger) if is_scim => {
                head.extensions.insert(scim::NotKept::OfAStranger);
                Bytes::new()
            }
            Err(NoBody::OfAStranger) => {
                head.extensions.insert(api::Unread);
                Bytes::new()
            }
            Err(NoBody::TooLong) => {
                return turned_away(StatusCode::PAYLOAD_TOO_LARGE, &|| {
                    report.page(&BadRequest::TooLong, snapshot, &self.shared)
                });
            }
            Err(NoBody::TooSlow) => {
                return turned_away(StatusCode::REQUEST_TIMEOUT, &|| {
                    report.page(&BadRequest::TooSlow, snapshot, &self.shared)
                });
            }
            Err(NoBody::Busy) => return busy(),
        };
        head.extensions.insert(Visit {
            target,
            client: arrival.address,
            facts,
            request_id,
            place,
        });
        match self.shared.control.answer(Request::from_parts(head, body)).await {
            Ok(response) => response.map(own_body),
            Err(_) => busy(),
        }
    }
}

/// Why a body was not taken.
enum NoBody {
    TooLong,
    TooSlow,
    OfAStranger,
    Busy,
}

/// A body that may be long. One that says it is short takes no place among the long ones; of the others only those take
/// one that come with a credential which is known: anybody may begin to send a long body and never end it.
async fn long(
    body: Incoming,
    places: &Arc<Semaphore>,
    is_known: impl FnOnce() -> bool,
) -> Result<Bytes, NoBody> {
    let upper = body.size_hint().upper();
    if upper.is_some_and(|upper| upper <= LONGEST_OWN_BODY as u64) {
        return own(body, LONGEST_OWN_BODY).await;
    }
    if !is_known() {
        // However it ends: its sender is told of the credential.
        let _ = tokio::time::timeout(STRANGER_TIME, read(body, 0)).await;
        return Err(NoBody::OfAStranger);
    }
    let _place = places.try_acquire().map_err(|_| NoBody::Busy)?;
    let read = tokio::time::timeout(OWN_BODY_TIME, read(body, scim::LONGEST_BODY)).await;
    read.unwrap_or(Err(NoBody::TooSlow))
}

/// A whole body of at most `longest` bytes. What is longer is read for a while all the same, and not kept.
async fn read(mut body: Incoming, longest: usize) -> Result<Bytes, NoBody> {
    let (mut kept, mut length) = (BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        // One that breaks off is no body.
        let Ok(data) = frame.map_err(|_| NoBody::TooLong)?.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length > PASSED_OVER {
            break;
        }
        if length > longest {
            kept = BytesMut::new();
        } else {
            kept.extend_from_slice(&data);
        }
    }
    if length <= longest {
        Ok(kept.freeze())
    } else {
        Err(NoBody::TooLong)
    }
}

/// A whole body of at most `longest` bytes.
async fn own(body: Incoming, longest: usize) -> Result<Bytes, NoBody> {
    let body = Limited::new(body, longest).collect();
    match tokio::time::timeout(OWN_BODY_TIME, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(NoBody::TooLong),
        Err(_) => Err(NoBody::TooSlow),
    }
}
