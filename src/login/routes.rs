//! Which address of the chain is answered by whom.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Request, State};
use http::{Method, Response};

use super::answer::Answer;
use super::call::Call;
use super::failure::{Ended, Why};
use super::query::Query;
use super::visit::{Place, Visit};
use super::{
    Login, approvers, authorized, callback, certs, eager, front_channel, get_identity, launcher,
    leave_to_enter, logout, metadata, protected_resource, reason, record, reference, refresh, start,
    test_idp, transfer,
};
use crate::manage::TEST_PAGE;
use crate::pages::person::NotFound;
use crate::pages::reference::{DOCUMENT, PAGE, Reference};

/// Everything below `/cdn-cgi/access/` that belongs to signing in and out. Each request carries a [`Visit`].
///
/// Routing goes by the visit's path, which is parsed once for the whole gateway: a router that reads the raw path
/// would take `/cdn-cgi/access//logout` for something else than the gate did.
pub fn router(login: Login) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(login))
}

async fn answer(
    State(login): State<Arc<Login>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // The gate has read it already, up to its own limit.
    let form = to_bytes(body, LONGEST_FORM).await.unwrap_or_default();
    let snapshot = login.published.load();
    let query = Query::parse(parts.uri.query());
    let refused = query.as_ref().err().copied();
    let call = Call {
        login: &login,
        snapshot,
        visit: &visit,
        request_id: visit.request_id.to_string(),
        parts: &parts,
        query: query.unwrap_or_default(),
        form: &form,
    };
    let answered = match refused {
        Some(refused) => Err(Ended::from(refused)),
        None => route(&call).await,
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(ended) => {
            record::ended(&call, &ended).await;
            ended.page(&call)
        }
    };
    answer.map(Body::from)
}

const PREFIX: &str = "/cdn-cgi/access/";

/// The longest form that is sent here, in bytes. A longer one reads as an empty one, which asks for nothing.
const LONGEST_FORM: usize = 64 * 1024;

async fn route(call: &Call<'_>) -> Result<Answer, Ended> {
    let path = call.visit.target.path();
    // HEAD is how cloudflared walks the chain; it must see what GET would.
    let reading = matches!(call.parts.method, Method::GET | Method::HEAD);
    let place = call.visit.place;
    if place == Place::ApplicationHost && metadata::is_asked_for(call) {
        return metadata::answer(call).await;
    }
    if matches!(place, Place::AuthHost | Place::TransferHost)
        && let Some(key) = path.strip_prefix(transfer::COLLECT)
    {
        return transfer::collect(call, key).await;
    }
    let Some(name) = path.strip_prefix(PREFIX) else {
        if place == Place::AuthHost && path == launcher::HOME {
            return if reading {
                launcher::show(call).await
            } else {
                Err(Why::Method.into())
            };
        }
        return Ok(match protected_resource::which(path) {
            Some(asked) if reading && place.is_ours() => asked.answer(call),
            _ => not_found(call),
        });
    };
    if (place, name) == (Place::AuthHost, transfer::NAME) {
        return transfer::approve(call).await;
    }
    if place == Place::AuthHost {
        match name {
            launcher::ACT => return launcher::act(call).await,
            reason::NAME => return reason::answer(call).await,
            leave_to_enter::NAME => return leave_to_enter::answer(call).await,
            approvers::NAME => return approvers::answer(call).await,
            _ => {}
        }
    }
    if !reading {
        return Err(Why::Method.into());
    }
    if place == Place::AuthHost {
        match path {
            PAGE => return reference::answer(call, Reference::page).await,
            DOCUMENT => return reference::answer(call, Reference::document).await,
            _ => {}
        }
    }
    match (place, name) {
        (Place::Unknown | Place::TransferHost, _) => Ok(not_found(call)),
        (_, "certs") => Ok(certs::answer(call)),
        (_, "get-identity") => get_identity::answer(call).await,
        (_, "logout") => logout::answer(call).await,
        (Place::ApplicationHost, "cli") => transfer::begin(call),
        (Place::ApplicationHost, "authorized") => authorized::answer(call).await,
        (Place::AuthHost, "login") if call.query.value("meta").is_none() => launcher::sign_in(call).await,
        (Place::AuthHost, "eager") => eager::hub(call).await,
        (Place::AuthHost, "login") => start::answer(call, "").await,
        (Place::AuthHost, "callback") => callback::answer(call).await,
        (Place::AuthHost, "logged-out") => Ok(logout::logged_out(call)),
        (Place::AuthHost, "frontchannel-logout") => front_channel::answer(call).await,
        (Place::AuthHost, "refresh-identity") => refresh::answer(call).await,
        (Place::AuthHost, other) => {
            if let Some(address) = other.strip_prefix("login/") {
                return start::answer(call, address).await;
            }
            match path.strip_prefix(TEST_PAGE) {
                Some(id) => test_idp::answer(call, id)
                    .await
                    .map_err(|ended| ended.of_a_test(false)),
                None => Ok(not_found(call)),
            }
        }
        (Place::ApplicationHost, _) => Ok(not_found(call)),
    }
}

pub(super) fn not_found(call: &Call<'_>) -> Answer {
    call.page(&NotFound::Page)
}
