//! Which room of the control plane answers a request.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Request, State};
use http::Response;
use tower::ServiceExt as _;

use crate::login::{Place, Visit};
use crate::scim::{self, Scim};

#[derive(Clone)]
struct Rooms {
    scim: Scim,
    login: Router,
}

/// Everything that is answered here rather than forwarded. Each request carries a [`Visit`].
pub(super) fn router(scim: Scim, login: Router) -> Router {
    Router::new().fallback(answer).with_state(Rooms { scim, login })
}

async fn answer(
    State(rooms): State<Rooms>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response<Body> {
    if visit.place == Place::AuthHost && scim::concerns(visit.target.path()) {
        return tell(&rooms.scim, &visit, request).await;
    }
    let mut request = request;
    request.extensions_mut().insert(visit);
    let Ok(response) = rooms.login.oneshot(request).await;
    response
}

async fn tell(scim: &Scim, visit: &Visit, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    // The gate has read it already, up to the same limit.
    let body = to_bytes(body, scim::LONGEST_BODY).await.unwrap_or_default();
    let too_large = head.extensions.get::<scim::TooLarge>().is_some();
    let asked = scim::Asked {
        path: visit.target.path(),
        client: visit.client,
        request_id: visit.request_id.to_string(),
        head: &head,
        body: (!too_large).then_some(&body),
    };
    scim.answer(asked).await.map(Body::from)
}
