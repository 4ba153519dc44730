//! `GET|POST /{tenant}/oauth2/v2.0/authorize`: where a person signs in.
//!
//! The request is read and checked first ([`request`]), then somebody signs in by page, by session or directly
//! ([`sign_in`]), then the answer goes to the application ([`reply`]).
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>

mod reply;
mod request;
mod sign_in;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;

use crate::aadsts::{Place, Refusal};
use crate::faults::{Endpoint, Fault};
use crate::pages;
use crate::params::Params;
use crate::recorded::Recorded;
use crate::server::Context;

use self::reply::ReplyTo;
pub(crate) use self::request::{AuthorizeRequest, understands_challenges};
pub(crate) use self::sign_in::{cookie, cookie_name};

/// The handler of both methods: parameters come in the query, a sign-in form's fields and a posted request in the body.
pub(crate) async fn authorize(
    State(context): State<Context>,
    Path(segment): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let recorded = Recorded::new(Endpoint::Authorize, &method, &uri);
    context.directory.arrived(recorded).await;
    let query = uri.query().unwrap_or_default();
    let mut params = Params::parse(query);
    if method == Method::POST {
        params.add(&String::from_utf8_lossy(&body));
    }
    let outcome = AuthorizeRequest::read(&context, &segment, query, &params)
        .and_then(|request| on_demand(&context, &params, &request).map_or(Ok(request), Err));
    match outcome {
        Ok(request) => sign_in::sign_in(&context, &request, &params, &headers, &uri),
        Err(stop) => stop.answer(&context),
    }
}

/// A refusal together with whom it is shown.
pub(crate) struct Stop {
    refusal: Refusal,
    /// The application's redirect address, once it is known to be registered.
    reply: Option<ReplyTo>,
}

impl Stop {
    /// Shown on the mock's page, whatever the code.
    fn on_page(refusal: Refusal) -> Self {
        Self { refusal, reply: None }
    }

    /// Shown where Microsoft shows this code.
    fn in_place(refusal: Refusal, reply: &ReplyTo) -> Self {
        match refusal.place() {
            Place::Page => Self::on_page(refusal),
            Place::Callback => Self {
                refusal,
                reply: Some(reply.clone()),
            },
        }
    }

    fn answer(self, context: &Context) -> Response {
        let now = context.directory.now();
        match self.reply {
            Some(reply) => reply.refusal(&self.refusal, now, &context.base_url),
            None => pages::refusal(&self.refusal, now),
        }
    }
}

/// The refusal a test asked for: by the parameter `mock_error`, or by a fault.
fn on_demand(context: &Context, params: &Params, request: &AuthorizeRequest) -> Option<Stop> {
    let asked = params.find("mock_error").and_then(|code| code.parse().ok());
    let code = asked.or_else(|| {
        context.directory.lock().faults.strike(|fault| match fault {
            Fault::Authorize { code } => Some(*code),
            _ => None,
        })
    })?;
    Some(Stop::in_place(
        Refusal::new(code).app(&request.app),
        &request.reply,
    ))
}
