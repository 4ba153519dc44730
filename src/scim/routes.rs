//! Which address is answered by whom, under whose secret, and what is written down of it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use super::bearer::{self, Refused};
use super::call::{About, Call, Done, Query};
use super::error::ScimError;
use super::{Scim, groups, log, page, schema, users};
use crate::model::ids::IdpId;
use crate::store::ScimUpdate;

/// The longest body, in bytes. Entra sends far shorter ones; a group with some thousand members fits.
pub const LONGEST_BODY: usize = 1024 * 1024;

/// What all addresses begin with.
const PREFIX: &str = "/populations/";
/// The type of every answer (RFC 7644 §8.1).
const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

/// Whether a path of the auth host belongs to SCIM.
pub fn concerns(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Stands in the extensions of a request whose body was not kept, and says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKept {
    /// It was longer than [`LONGEST_BODY`].
    TooLong,
    /// It was long, and no secret was shown that there is.
    OfAStranger,
}

/// A request, as the gate took it.
#[derive(Debug)]
pub struct Asked<'r> {
    /// The path, decoded.
    pub path: &'r str,
    /// Who asks.
    pub client: IpAddr,
    /// The request's id.
    pub request_id: String,
    /// The head.
    pub head: &'r Parts,
    /// The body.
    pub body: Result<&'r Bytes, NotKept>,
}

/// The resource that a path names.
enum Endpoint<'p> {
    Users,
    User(&'p str),
    Groups,
    Group(&'p str),
    Discovery(&'p str, Option<&'p str>),
    NotOffered(&'static str),
}

impl Scim {
    /// Answers a request.
    pub async fn answer(&self, asked: Asked<'_>) -> Response<Bytes> {
        let snapshot = self.published.load();
        let mut segments = asked
            .path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .skip(1);
        let id = segments.next().and_then(|id| id.parse::<IdpId>().ok());
        let provider = id.and_then(|id| snapshot.providers.get(&id).cloned());
        // Where a secret stands, nobody looks for whoever has to wait and shows none that there is.
        if self.failures.must_wait(asked.client, self.clock.now_ms())
            && !bearer::shows_a_secret(&asked.head.headers, &snapshot)
        {
            return respond(Err(ScimError::TooManyFailures));
        }
        if let Err(refused) = bearer::check(&asked.head.headers, provider.as_deref(), &self.store).await {
            return self
                .refuse(&asked, id.filter(|_| provider.is_some()), refused)
                .await;
        }
        // Who shows the secret of a provider has one with SCIM.
        let Some(provider) = provider.filter(|provider| provider.scim.is_some()) else {
            return respond(Err(ScimError::Unauthorized("a bearer secret is needed")));
        };
        let origin = snapshot.organization.auth.origin();
        let call = Call {
            scim: self,
            base: format!("{origin}{PREFIX}{}/scim/v2", provider.id),
            provider,
            method: &asked.head.method,
            query: Query::parse(asked.head.uri.query().unwrap_or_default()),
            body: asked.body.map_or(&[], Bytes::as_ref),
            request_id: &asked.request_id,
            address: asked.client,
            noted: AtomicBool::new(false),
        };
        let segments: Vec<&str> = segments.collect();
        let endpoint = match segments.as_slice() {
            ["scim", "v2", rest @ ..] => endpoint(rest),
            _ => None,
        };
        let turn = match self.turns.turn(call.provider.id).await {
            Ok(turn) => turn,
            Err(busy) => return respond(Err(busy)),
        };
        let done = match &endpoint {
            None => Err(ScimError::NotFound("there is no such endpoint".to_owned())),
            Some(endpoint) => match asked.body {
                Ok(_) => carry_out(&call, endpoint).await,
                Err(NotKept::TooLong) => Err(ScimError::TooLarge(LONGEST_BODY)),
                // The secret has become known since: the client tries again.
                Err(NotKept::OfAStranger) => Err(ScimError::Busy),
            },
        };
        // The row of what was written is written with it.
        if done.is_err() || !call.noted.load(Ordering::Relaxed) {
            self.log
                .add(self.row(&asked, call.provider.id, endpoint.as_ref(), &done))
                .await;
        }
        let mut response = respond(done);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = endpoint.as_ref().map_or("GET", Endpoint::methods);
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response.map(|body| turn.until_sent(body))
    }

    /// A wrong secret is counted and told of; a right one always counts, so that nobody locks the directory out.
    async fn refuse(&self, asked: &Asked<'_>, provider: Option<IdpId>, refused: Refused) -> Response<Bytes> {
        let error = match refused {
            Refused::Store(error) => return respond(Err(ScimError::of_store(error, &asked.request_id))),
            Refused::Secret(error) => error,
        };
        let now_ms = self.clock.now_ms();
        if self.failures.must_wait(asked.client, now_ms) {
            return respond(Err(ScimError::TooManyFailures));
        }
        self.failures.failed(asked.client, now_ms);
        if self.failures.must_wait(asked.client, now_ms) {
            tracing::warn!(address = %asked.client, "SCIM: too many wrong secrets came from one address; it waits");
        }
        let Some(provider) = provider else {
            return respond(Err(error));
        };
        tracing::warn!(request.id = %asked.request_id, provider.id = %provider, address = %asked.client, "SCIM: {error}");
        let done = Err(error);
        self.log.add(self.row(asked, provider, None, &done)).await;
        respond(done)
    }

    fn row(
        &self,
        asked: &Asked<'_>,
        provider: IdpId,
        endpoint: Option<&Endpoint<'_>>,
        done: &Result<Done, ScimError>,
    ) -> ScimUpdate {
        let nothing = About::default();
        let (status, error, about) = match done {
            Ok(done) => (done.status, None, &done.about),
            Err(error) => (error.status(), Some(error.to_string()), &nothing),
        };
        let (kind, named) = endpoint.map_or((None, None), Endpoint::named);
        // Of somebody who did not show the secret, nothing is kept but that he came.
        let known = !matches!(done, Err(ScimError::Unauthorized(_)));
        ScimUpdate {
            resource_type: kind.map(str::to_owned),
            resource: about.resource.clone().or_else(|| named.map(str::to_owned)),
            external_id: about.external_id.clone(),
            user_email: about.user_email.clone(),
            group_name: about.group_name.clone(),
            succeeded: error.is_none(),
            error,
            body: asked.body.ok().filter(|_| known).and_then(|body| log::kept(body)),
            ..ScimUpdate::of(
                (asked.request_id.as_str(), asked.client),
                self.clock.now_ms(),
                provider,
                (asked.head.method.as_str(), status.as_u16()),
            )
        }
    }
}

fn endpoint<'p>(segments: &[&'p str]) -> Option<Endpoint<'p>> {
    let is = |segment: &str, name: &str| segment.eq_ignore_ascii_case(name);
    match segments {
        [kind] if is(kind, "Users") => Some(Endpoint::Users),
        [kind] if is(kind, "Groups") => Some(Endpoint::Groups),
        [.., last] if is(last, ".search") => Some(Endpoint::NotOffered("searching by POST")),
        [kind, id] if is(kind, "Users") => Some(Endpoint::User(id)),
        [kind, id] if is(kind, "Groups") => Some(Endpoint::Group(id)),
        [kind] if is(kind, "Bulk") => Some(Endpoint::NotOffered("bulk")),
        [kind, ..] if is(kind, "Me") => Some(Endpoint::NotOffered("/Me")),
        [kind, rest @ ..] if rest.len() <= 1 => {
            let known = ["ServiceProviderConfig", "ResourceTypes", "Schemas"];
            let known = known.iter().any(|known| is(kind, known));
            known.then(|| Endpoint::Discovery(kind, rest.first().copied()))
        }
        _ => None,
    }
}

impl<'p> Endpoint<'p> {
    /// What kind of resource it is, and which one, where the path says so.
    fn named(&self) -> (Option<&'static str>, Option<&'p str>) {
        match self {
            Self::Users => (Some("USER"), None),
            Self::User(id) => (Some("USER"), Some(id)),
            Self::Groups => (Some("GROUP"), None),
            Self::Group(id) => (Some("GROUP"), Some(id)),
            Self::Discovery(..) | Self::NotOffered(_) => (None, None),
        }
    }

    fn methods(&self) -> &'static str {
        match self {
            Self::Users | Self::Groups => "GET, POST",
            Self::User(_) | Self::Group(_) => "GET, PUT, PATCH, DELETE",
            Self::Discovery(..) | Self::NotOffered(_) => "GET",
        }
    }
}

async fn carry_out(call: &Call<'_>, endpoint: &Endpoint<'_>) -> Result<Done, ScimError> {
    match (endpoint, call.method) {
        (Endpoint::NotOffered(what), _) => Err(ScimError::NotOffered(what)),
        (Endpoint::Discovery(kind, id), &Method::GET) => discover(call, kind, *id),
        (Endpoint::Users, &Method::GET) => users::list(call).await,
        (Endpoint::Users, &Method::POST) => users::create(call).await,
        (Endpoint::User(id), &Method::GET) => users::get(call, id).await,
        (Endpoint::User(id), &Method::PATCH) => users::patch(call, id).await,
        (Endpoint::User(id), &Method::PUT) => users::put(call, id).await,
        (Endpoint::User(id), &Method::DELETE) => users::delete(call, id).await,
        (Endpoint::Groups, &Method::GET) => groups::list(call).await,
        (Endpoint::Groups, &Method::POST) => groups::create(call).await,
        (Endpoint::Group(id), &Method::GET) => groups::get(call, id).await,
        (Endpoint::Group(id), &Method::PATCH) => groups::patch(call, id).await,
        (Endpoint::Group(id), &Method::PUT) => groups::put(call, id).await,
        (Endpoint::Group(id), &Method::DELETE) => groups::delete(call, id).await,
        _ => Err(ScimError::Method),
    }
}

/// What the service says of itself (RFC 7644 §4).
fn discover(call: &Call<'_>, kind: &str, id: Option<&str>) -> Result<Done, ScimError> {
    if kind.eq_ignore_ascii_case("ServiceProviderConfig") {
        return match id {
            None => {
                let config = schema::service_provider_config(&call.base, page::MOST);
                Ok(Done::found(config.to_string()))
            }
            Some(_) => Err(ScimError::NotFound("there is no such endpoint".to_owned())),
        };
    }
    let described = if kind.eq_ignore_ascii_case("Schemas") {
        schema::schemas(&call.base)
    } else {
        schema::resource_types(&call.base)
    };
    let Some(id) = id else {
        let total = described.len();
        let described: Vec<String> = described.iter().map(|(_, value)| value.to_string()).collect();
        return Ok(Done::found(schema::list(&described, total, 1)));
    };
    let found = described
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(id));
    match found {
        Some((_, value)) => Ok(Done::found(value.to_string())),
        None => Err(ScimError::NotFound(format!("{kind} has nothing of this id"))),
    }
}

fn respond(done: Result<Done, ScimError>) -> Response<Bytes> {
    let (status, body, location) = match done {
        Ok(done) => (done.status, done.body, done.location),
        Err(error) => (error.status(), Some(error.body().to_string()), None),
    };
    let body = body.map(Bytes::from).unwrap_or_default();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, SCIM_JSON);
    if let Some(location) = location.and_then(|location| location.parse().ok()) {
        headers.insert(LOCATION, location);
    }
    match status {
        // RFC 6750 §3
        StatusCode::UNAUTHORIZED => {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"SCIM\""),
            );
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        StatusCode::NO_CONTENT => {
            headers.remove(CONTENT_TYPE);
        }
        _ => {}
    }
    response
}
