//! Microsoft Graph, as far as a login needs it: profile, memberships, authentication contexts, revocation; and changes of
//! people and groups, for those who follow them.
//!
//! <https://learn.microsoft.com/graph/api/overview>

mod bearer;
mod delta;
mod error;
mod memberships;
mod objects;
mod paging;
mod users;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{Full, Limited};
use serde_json::{Value, json};

use self::bearer::Caller;
use self::error::GraphRefusal;
use crate::faults::{Endpoint, Fault};
use crate::params::Params;
use crate::recorded::Recorded;
use crate::server::Context;

/// How Graph labels its answers.
const CONTENT_TYPE: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// One request to Graph by a caller whose token is good.
struct GraphRequest<'a> {
    context: &'a Context,
    caller: Caller,
    uri: &'a Uri,
    params: Params,
    headers: &'a HeaderMap,
    body: &'a Bytes,
}

/// `/v1.0/…`
pub(crate) async fn graph(
    State(context): State<Context>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    arrived(&context, &method, &uri).await;
    if let Some(text) = text_on_demand(&context, &uri) {
        return (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response();
    }
    if breaks_off_on_demand(&context, &uri) {
        return broken_off();
    }
    let outcome = answer(&context, &method, &uri, &headers, &body);
    respond(&context, &headers, outcome)
}

/// `/oidc/userinfo`: nothing the ID token lacks, but libraries ask.
/// <https://learn.microsoft.com/entra/identity-platform/userinfo>
pub(crate) async fn userinfo(
    State(context): State<Context>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    arrived(&context, &method, &uri).await;
    let outcome = Caller::identify(&context, &headers).and_then(|caller| users::userinfo(&context, &caller));
    respond(&context, &headers, outcome)
}

async fn arrived(context: &Context, method: &Method, uri: &Uri) {
    let recorded = Recorded::new(Endpoint::Graph, method, uri);
    context.directory.arrived(recorded).await;
}

fn answer(
    context: &Context,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Value, GraphRefusal> {
    let params = Params::parse(uri.query().unwrap_or_default());
    on_demand(context, paging::number(context, &params))?;
    let caller = Caller::identify(context, headers)?;
    let request = GraphRequest {
        context,
        caller,
        uri,
        params,
        headers,
        body,
    };
    let path = percent_decoded(uri.path());
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .skip(1)
        .collect();
    route(&request, method, &segments)
}

/// The paths of Graph that exist here; people are `me`, or `users/` with object id or user principal name.
fn route(request: &GraphRequest<'_>, method: &Method, segments: &[&str]) -> Result<Value, GraphRefusal> {
    let get = method == Method::GET;
    let post = method == Method::POST;
    match segments {
        ["users", function] if get && delta::is_called(function) => delta::users(request),
        ["groups", function] if get && delta::is_called(function) => delta::groups(request),
        ["me", rest @ ..] => of_person(request, method, users::Who::Me, rest),
        ["users", id, rest @ ..] => of_person(request, method, users::Who::Named(id), rest),
        ["directoryObjects", "getByIds"] if post => objects::by_ids(request),
        [
            "identity",
            "conditionalAccess",
            "authenticationContextClassReferences",
        ] if get => objects::contexts(request),
        [application] if get && application.starts_with("applications(") => {
            objects::application(request, application)
        }
        _ => Err(GraphRefusal::no_such_path(segments)),
    }
}

fn of_person(
    request: &GraphRequest<'_>,
    method: &Method,
    who: users::Who<'_>,
    rest: &[&str],
) -> Result<Value, GraphRefusal> {
    /// The type cast that leaves only groups in a list of memberships.
    const GROUPS_ONLY: &str = "microsoft.graph.group";
    let person = users::find(request, who)?;
    match (method.as_str(), rest) {
        ("GET", []) => users::profile(request, &person),
        ("GET", ["transitiveMemberOf"]) => memberships::list(request, &person, memberships::Cast::None),
        ("GET", ["transitiveMemberOf", GROUPS_ONLY]) => {
            memberships::list(request, &person, memberships::Cast::Groups)
        }
        ("POST", ["getMemberGroups" | "getMemberObjects"]) => memberships::ids(request, &person),
        ("POST", ["checkMemberGroups"]) => memberships::check(request, &person),
        ("POST", ["revokeSignInSessions"]) => users::revoke(request, &person),
        _ => Err(GraphRefusal::no_such_path(rest)),
    }
}

/// The text a test asked for in place of an answer.
fn text_on_demand(context: &Context, uri: &Uri) -> Option<String> {
    let page = paging::number(context, &Params::parse(uri.query().unwrap_or_default()));
    let mut state = context.directory.lock();
    state.faults.strike(|fault| match fault {
        Fault::GraphText {
            path_ends,
            from_page,
            body,
        } if uri.path().ends_with(path_ends) && page >= *from_page => Some(body.clone()),
        _ => None,
    })
}

/// Whether a test asked for this answer to break off.
fn breaks_off_on_demand(context: &Context, uri: &Uri) -> bool {
    let page = paging::number(context, &Params::parse(uri.query().unwrap_or_default()));
    let mut state = context.directory.lock();
    let struck = state.faults.strike(|fault| match fault {
        Fault::GraphBreaksOff { path_ends, from_page } => {
            (uri.path().ends_with(path_ends) && page >= *from_page).then_some(())
        }
        _ => None,
    });
    struck.is_some()
}

/// An answer that ends before its length: reading more of it than the limit is an error, which closes the connection.
fn broken_off() -> Response {
    let body = Limited::new(Full::from("{\"value\":["), 4);
    Response::new(Body::new(body))
}

/// The refusal a test asked for.
fn on_demand(context: &Context, page: u32) -> Result<(), GraphRefusal> {
    let struck = context.directory.lock().faults.strike(|fault| match fault {
        Fault::Graph { from_page, .. } if page < *from_page => None,
        Fault::Graph { .. } | Fault::GraphClaimsChallenge => Some(fault.clone()),
        _ => None,
    });
    match struck {
        Some(Fault::Graph {
            status,
            code,
            retry_after,
            ..
        }) => Err(GraphRefusal::on_demand(status, &code, retry_after.as_deref())),
        Some(_) => Err(GraphRefusal::claims_challenge(
            &context.base_url,
            context.directory.now(),
        )),
        None => Ok(()),
    }
}

fn respond(context: &Context, headers: &HeaderMap, outcome: Result<Value, GraphRefusal>) -> Response {
    match outcome {
        Ok(body) => {
            let headers = [
                (header::CONTENT_TYPE, CONTENT_TYPE),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (StatusCode::OK, headers, body.to_string()).into_response()
        }
        Err(refusal) => {
            let client = headers.get("client-request-id").and_then(|id| id.to_str().ok());
            let (status, headers, body) = refusal.into_parts(context.directory.now(), client);
            (status, headers, Json(body)).into_response()
        }
    }
}

/// `@odata.context` of an answer.
fn odata_context(base_url: &str, of: &str) -> Value {
    json!(format!("{base_url}/v1.0/$metadata#{of}"))
}

fn percent_decoded(path: &str) -> String {
    // The decoder of forms also turns `+` into a space, so it is kept from it.
    let kept = format!("p={}", path.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(kept.as_bytes())
        .next()
        .map(|(_, path)| path.into_owned())
        .unwrap_or_default()
}

impl GraphRequest<'_> {
    /// The body of an action.
    fn json(&self) -> Result<Value, GraphRefusal> {
        serde_json::from_slice(self.body)
            .map_err(|_| GraphRefusal::bad_request("Unable to read JSON request payload."))
    }
}
