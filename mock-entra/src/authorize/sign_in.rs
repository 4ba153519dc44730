//! Who signs in, and how: named in the request (direct mode), by the form, or by a session that is still there.

use std::sync::Arc;

use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;

use super::Stop;
use super::request::{AuthorizeRequest, Prompt};
use crate::aadsts::Refusal;
use crate::directory::{Tenant, User};
use crate::grants::{BrowserSession, Code, Login};
use crate::pages;
use crate::pages::sign_in::SignInPage;
use crate::params::Params;
use crate::random;
use crate::server::Context;

/// The password that is always wrong; the mock accepts any other, or none.
const WRONG_PASSWORD: &str = "wrong";

/// How the person came in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By name in the request: nobody looks at a page, so refusals go to the application.
    Direct,
    /// By the form: refusals are shown to the person.
    Form,
    /// By a session: refusals go to the application.
    Session,
}

/// Somebody who may sign in to the request's tenants.
struct Person {
    tenant: Arc<Tenant>,
    user: User,
}

/// Signs somebody in, or shows the page on which somebody can.
pub(crate) fn sign_in(
    context: &Context,
    request: &AuthorizeRequest,
    params: &Params,
    headers: &HeaderMap,
    uri: &Uri,
) -> Response {
    let page = SignInPage::new(request, uri);
    if let Some(name) = params.find("mock_user") {
        let Some(person) = person(request, name) else {
            let tenant = request
                .tenants
                .first()
                .map_or("common", |tenant| tenant.id.as_str());
            return Stop::in_place(Refusal::new(50034).tenant(tenant), &request.reply).answer(context);
        };
        return finish(context, request, &person, Way::Direct, headers, &page);
    }
    if params.find("cancel").is_some() {
        return request.reply.cancelled();
    }
    if let Some(name) = params.find("login") {
        if params.find("passwd") == Some(WRONG_PASSWORD) {
            return page.with_refusal(&Refusal::new(50126));
        }
        let Some(person) = person(request, name) else {
            let tenant = request
                .tenants
                .first()
                .map_or("common", |tenant| tenant.id.as_str());
            return page.with_refusal(&Refusal::new(50034).tenant(tenant));
        };
        return with_consent(context, request, &person, Way::Form, params, headers, &page);
    }
    let session = session(context, request, headers);
    match (request.prompt, session) {
        (Prompt::IfNeeded | Prompt::Never, Some((person, _))) => {
            finish(context, request, &person, Way::Session, headers, &page)
        }
        (Prompt::Consent, Some((person, _))) => {
            with_consent(context, request, &person, Way::Session, params, headers, &page)
        }
        (Prompt::Never, None) => Stop::in_place(Refusal::new(50058), &request.reply).answer(context),
        _ => page.plain(),
    }
}

/// `prompt=consent` puts a page between signing in and the answer.
fn with_consent(
    context: &Context,
    request: &AuthorizeRequest,
    person: &Person,
    way: Way,
    params: &Params,
    headers: &HeaderMap,
    page: &SignInPage<'_>,
) -> Response {
    match (request.prompt, params.find("consent")) {
        (Prompt::Consent, None) => page.consent(&person.user),
        (Prompt::Consent, Some("no")) => Stop::in_place(Refusal::new(65004), &request.reply).answer(context),
        _ => finish(context, request, person, way, headers, page),
    }
}

/// The last checks, then the code.
fn finish(
    context: &Context,
    request: &AuthorizeRequest,
    person: &Person,
    way: Way,
    headers: &HeaderMap,
    page: &SignInPage<'_>,
) -> Response {
    let scopes = match allowed(request, person).and_then(|()| request.scopes.clone().consented(&request.app))
    {
        Ok(scopes) => scopes,
        Err(refusal) if way == Way::Form => return page.with_refusal(&refusal),
        Err(refusal) => return Stop::in_place(refusal, &request.reply).answer(context),
    };
    let now = context.directory.now();
    let (cookie, session) = enter(context, request, person, way, headers, now);
    let login = Login {
        tenant: person.tenant.id.clone(),
        client_id: request.app.client_id.clone(),
        oid: person.user.oid.clone(),
        scopes,
        contexts: request
            .contexts
            .difference(&person.user.ignored_contexts)
            .cloned()
            .collect(),
        auth_time: session.auth_time,
        sid: session.sid.clone(),
        understands_challenges: request.understands_challenges,
        generation: person.user.generation,
        issued: now,
    };
    let code = format!("1.{}", random::long_opaque());
    let issued = Code {
        login,
        redirect_uri: request.reply.redirect_uri.clone(),
        nonce: request.nonce.clone(),
        challenge: request.challenge.clone(),
        redeemed: false,
    };
    context.directory.lock().grants.codes.insert(code.clone(), issued);
    let mut response = request.reply.code(&code, &session.sid);
    pages::set_cookie(&mut response, &cookie_name(&person.tenant), &cookie);
    response
}

fn allowed(request: &AuthorizeRequest, person: &Person) -> Result<(), Refusal> {
    let Person { tenant, user } = person;
    if !user.enabled {
        return Err(Refusal::new(50057).user(user));
    }
    if !tenant.is_assigned(&request.app, user) {
        return Err(Refusal::new(50105).app(&request.app).user(user));
    }
    let failed = request
        .contexts
        .iter()
        .find_map(|context| user.failed_contexts.get(context));
    failed.map_or(Ok(()), |&code| {
        Err(Refusal::new(code).app(&request.app).user(user))
    })
}

/// Notes the sign-in in the browser's session, which is made or renewed where needed.
fn enter(
    context: &Context,
    request: &AuthorizeRequest,
    person: &Person,
    way: Way,
    headers: &HeaderMap,
    now: i64,
) -> (String, BrowserSession) {
    let existing = session(context, request, headers)
        .filter(|(known, _)| known.user.oid == person.user.oid)
        .map(|(_, cookie)| cookie);
    let cookie = existing.unwrap_or_else(random::long_opaque);
    let mut state = context.directory.lock();
    let session = state
        .grants
        .sessions
        .entry(cookie.clone())
        .or_insert_with(|| BrowserSession {
            tenant: person.tenant.id.clone(),
            oid: person.user.oid.clone(),
            sid: random::guid(),
            auth_time: now,
            apps: std::collections::BTreeSet::new(),
        });
    if way == Way::Form || request.prompt == Prompt::Login {
        session.auth_time = now;
    }
    session.apps.insert(request.app.client_id.clone());
    (cookie, session.clone())
}

/// The person a live session of this browser belongs to, if it serves this request, and the cookie it is known by.
fn session(context: &Context, request: &AuthorizeRequest, headers: &HeaderMap) -> Option<(Person, String)> {
    let state = context.directory.lock();
    let now = state.now();
    request.tenants.iter().find_map(|tenant| {
        let cookie = cookie(headers, &cookie_name(tenant))?;
        let session = state
            .grants
            .sessions
            .get(&cookie)
            .filter(|session| session.tenant == tenant.id)?;
        let user = tenant.by_oid(&session.oid)?;
        let expected = request
            .login_hint
            .as_deref()
            .is_none_or(|hint| user.is_called(hint));
        let fresh = request
            .max_age
            .is_none_or(|most| now.saturating_sub(session.auth_time) <= most);
        let person = Person {
            tenant: Arc::clone(tenant),
            user: user.clone(),
        };
        (expected && fresh).then_some((person, cookie))
    })
}

fn person(request: &AuthorizeRequest, name: &str) -> Option<Person> {
    request.tenants.iter().find_map(|tenant| {
        let user = tenant.by_name(name)?.clone();
        Some(Person {
            tenant: Arc::clone(tenant),
            user,
        })
    })
}

/// The session cookie of one tenant; Microsoft calls its own `ESTSAUTH`.
pub(crate) fn cookie_name(tenant: &Tenant) -> String {
    format!("ESTSAUTH-{}", tenant.id)
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}
