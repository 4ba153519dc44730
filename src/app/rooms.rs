//! Which room of the control plane answers a request for one of the gateway's own addresses.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, Request, State};
use http::Response;
use tower::ServiceExt as _;

use crate::api::{self, Api, Caller};
use crate::login::{self, Login, Place, Visit};
use crate::scim::{self, Scim};

#[derive(Clone)]
struct Rooms {
    api: Api,
    scim: Scim,
    login: Router,
}

/// Answers everything that is not forwarded. Each request carries a [`Visit`], and goes by its path, which is parsed
/// once for the whole gateway.
pub(super) fn router(api: Api, scim: Scim, login: Login) -> Router {
    let login = login::router(login);
    Router::new()
        .fallback(answer)
        .with_state(Rooms { api, scim, login })
}

async fn answer(
    State(rooms): State<Rooms>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response<Body> {
    if visit.place == Place::AuthHost && api::is_path(visit.target.path()) {
        return to_api(&rooms.api, &visit, request).await.map(Body::from);
    }
    if visit.place == Place::AuthHost && scim::concerns(visit.target.path()) {
        return to_scim(&rooms.scim, &visit, request).await.map(Body::from);
    }
    // A router cannot fail.
    let Ok(response) = rooms.login.oneshot(request).await;
    response
}

async fn to_api(api: &Api, visit: &Visit, request: Request) -> Response<Bytes> {
    let caller = Caller {
        address: visit.client,
        address_known: visit.facts.address.is_some(),
        path: visit.target.path().to_owned(),
        request_id: visit.request_id.to_string(),
    };
    let (head, body) = request.into_parts();
    // The gate has read it already, up to its own limit.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    api.answer(&caller, &Request::from_parts(head, body)).await
}

async fn to_scim(scim: &Scim, visit: &Visit, request: Request) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    // The gate has read it already, up to the same limit.
    let body = to_bytes(body, scim::LONGEST_BODY).await.unwrap_or_default();
    let not_kept = head.extensions.get::<scim::NotKept>().copied();
    let asked = scim::Asked {
        path: visit.target.path(),
        client: visit.client,
        request_id: visit.request_id.to_string(),
        head: &head,
        body: not_kept.map_or(Ok(&body), Err),
    };
    scim.answer(asked).await
}
