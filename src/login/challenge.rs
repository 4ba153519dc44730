//! The answer to a request that nobody may pass without signing in.
//!
//! Made on the core that serves the request, without I/O and without a signature. It holds not one byte of the
//! upstream's, and no cache keeps it.

use bytes::Bytes;
use http::header::{ACCEPT, ACCESS_CONTROL_ALLOW_CREDENTIALS, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::answer::{redirect, set_cookie};
use super::bounce::{self, Bounces};
use super::call::{claimed_audience, label, login_address};
use super::denial::{self, Denied};
use super::fingerprint::Fingerprint;
use super::landing::Landing;
use super::provider::ANOTHER_ACCOUNT;
use super::return_path::ReturnPath;
use super::{meta, protected_resource};
use crate::clock::Clock;
use crate::crypto::random;
use crate::crypto::seal::Sealer;
use crate::model::certificate::ClientCertificate;
use crate::model::identity::{Groups, Identity};
use crate::model::organization::AuthUrl;
use crate::pages::person::{
    Accept, Because, Frame, Page as _, Refused, Requirement, SignIn, Stop, allow_framing,
};
use crate::policy::{Failing, Refusal, RefusalReason};
use crate::router::Target;
use crate::session::cookies;
use crate::snapshot::{ProtectedApplication, Snapshot, is_preflight};

/// Names the application to clients that are no browsers.
const AUDIENCE: HeaderName = HeaderName::from_static("cf-access-aud");
/// Names its domain to them.
const DOMAIN: HeaderName = HeaderName::from_static("cf-access-domain");

/// A request that has not been let in.
#[derive(Debug)]
pub struct Unadmitted<'r> {
    /// The configuration it was decided by.
    pub snapshot: &'r Snapshot,
    /// The application asked for.
    pub application: &'r ProtectedApplication,
    /// The method.
    pub method: &'r Method,
    /// Host and path.
    pub target: &'r Target,
    /// The client's certificate.
    pub certificate: &'r ClientCertificate,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// The request's id.
    pub request_id: &'r str,
}

impl Unadmitted<'_> {
    /// Asks for a sign-in: by redirect, or by 401 for requests that cannot follow one.
    pub fn challenge(&self, sealer: &Sealer, clock: &Clock) -> Response<Bytes> {
        if self.is_preflight() {
            // A preflight carries no cookies and follows no redirect (Fetch §4.8).
            return self.forbid(Because::NoRule, &[], clock);
        }
        let auth = &self.snapshot.organization.auth;
        let app_session = app_session(self.headers);
        let landing = Landing {
            app: self.application.app.id,
            host: self.target.host().clone(),
            path: ReturnPath::of(self.target, &self.application.app),
            app_session: Fingerprint::of(&app_session),
            certificate: self.certificate.into(),
            bounces: self.bounces(clock),
        };
        if landing.bounces.is_loop() {
            return self.stop(&landing, clock);
        }
        let meta = meta::seal(landing.clone(), sealer, clock);
        let login = login_address(auth, self.application.app.aud.as_str(), &meta, &landing);
        let mut answer = match self.way_of_asking() {
            Asking::Redirect => redirect(&login),
            Asking::Page => self.sign_in(&landing, &login).respond(&self.frame(clock)),
            Asking::Json => self
                .sign_in(&landing, &login)
                .respond_as(Accept::Json, &self.frame(clock)),
        };
        if !answer.status().is_redirection() {
            name_application(answer.headers_mut(), self.application);
        }
        let headers = answer.headers_mut();
        self.let_be_framed(headers);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        self.name_resource(headers, landing.path.path());
        set_cookie(&mut answer, cookies::set_app_session(auth, &app_session));
        answer
    }

    /// Refuses (403) where nobody has signed in.
    pub fn forbid(
        &self,
        because: Because<'_>,
        requirements: &[Requirement],
        clock: &Clock,
    ) -> Response<Bytes> {
        let app = &self.application.app;
        let page = Refused {
            app: crate::pages::person::AppLabel {
                name: &app.name,
                host: self.target.host().as_str(),
            },
            who: None,
            because,
            requirements,
            note: app.custom_deny_message.as_deref(),
            again: None,
            another_account: None,
        };
        let mut answer = self
            .of_the_operator(Failing::Request)
            .unwrap_or_else(|| page.respond_as(denial::form(self.headers), &self.frame(clock)));
        self.let_be_framed(answer.headers_mut());
        if app.service_auth_401_redirect && !self.is_preflight() {
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
            self.name_resource(answer.headers_mut(), ReturnPath::of(self.target, app).path());
        }
        name_application(answer.headers_mut(), self.application);
        answer
    }

    /// What the operator has to say to somebody who is refused. A preflight could do nothing with it.
    fn of_the_operator(&self, failing: Failing) -> Option<Response<Bytes>> {
        if self.is_preflight() {
            return None;
        }
        let origin = self.snapshot.organization.auth.origin_of(self.target.host());
        let path = ReturnPath::of(self.target, &self.application.app);
        let denied = Denied {
            application: self.application,
            headers: self.headers,
            asked: &format!("{origin}{path}"),
            failing,
            request_id: self.request_id,
        };
        denied.answer()
    }

    fn let_be_framed(&self, headers: &mut HeaderMap) {
        if self.application.app.allow_iframe {
            allow_framing(headers);
        }
    }

    /// Says where machines read how to sign in (RFC 9728).
    fn name_resource(&self, headers: &mut HeaderMap, path: &str) {
        let auth = &self.snapshot.organization.auth;
        let resource = protected_resource::address(auth, self.target.host(), path);
        let told = format!("Cloudflare-Access resource_metadata=\"{resource}\"");
        if let Ok(told) = HeaderValue::from_str(&told) {
            headers.insert(WWW_AUTHENTICATE, told);
        }
    }

    /// Refuses somebody who has signed in (403), and offers to sign in as somebody else.
    pub fn refuse(
        &self,
        who: &str,
        (because, failing): (Because<'_>, Failing),
        requirements: &[Requirement],
        sealer: &Sealer,
        clock: &Clock,
    ) -> Response<Bytes> {
        let auth = &self.snapshot.organization.auth;
        let app = &self.application.app;
        let app_session = app_session(self.headers);
        let landing = Landing {
            app: app.id,
            host: self.target.host().clone(),
            path: ReturnPath::of(self.target, app),
            app_session: Fingerprint::of(&app_session),
            certificate: self.certificate.into(),
            bounces: Bounces::default(),
        };
        let meta = meta::seal(landing.clone(), sealer, clock);
        let another = login_address(auth, app.aud.as_str(), &meta, &landing) + ANOTHER_ACCOUNT;
        let page = Refused {
            app: label(self.application, &landing),
            who: Some(who),
            because,
            requirements,
            note: app.custom_deny_message.as_deref(),
            again: None,
            another_account: Some(&another),
        };
        let mut answer = self
            .of_the_operator(failing)
            .unwrap_or_else(|| page.respond_as(denial::form(self.headers), &self.frame(clock)));
        self.let_be_framed(answer.headers_mut());
        name_application(answer.headers_mut(), self.application);
        set_cookie(&mut answer, cookies::set_app_session(auth, &app_session));
        answer
    }

    fn stop(&self, landing: &Landing, clock: &Clock) -> Response<Bytes> {
        let auth: &AuthUrl = &self.snapshot.organization.auth;
        let page = Stop {
            app: label(self.application, landing),
            again: &landing.address(auth),
        };
        let mut answer = page.respond(&self.frame(clock));
        set_cookie(&mut answer, bounce::forget(auth));
        answer
    }

    fn sign_in<'a>(&'a self, landing: &'a Landing, login: &'a str) -> SignIn<'a> {
        SignIn {
            app: label(self.application, landing),
            login,
        }
    }

    fn way_of_asking(&self) -> Asking {
        if self.is("x-requested-with", "xmlhttprequest") {
            return Asking::Page;
        }
        let script = self.is("sec-fetch-mode", "cors") || self.is("sec-fetch-mode", "no-cors");
        if self.application.app.unauthenticated_401 && (script || !self.accepts_html()) {
            return Asking::Json;
        }
        Asking::Redirect
    }

    fn is(&self, name: &str, value: &str) -> bool {
        let sent = self.headers.get(name);
        sent.is_some_and(|sent| sent.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    }

    /// A client that names what it accepts, and HTML is not among it, could do nothing with a login page.
    fn accepts_html(&self) -> bool {
        let mut values = self
            .headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .peekable();
        values.peek().is_none() || values.any(|value| value.to_ascii_lowercase().contains("text/html"))
    }

    fn is_preflight(&self) -> bool {
        is_preflight(self.method, self.headers)
    }

    /// How often the browser came back without its token. Where two applications share a host, the token of one takes
    /// the place of the other's: whoever shows that keeps cookies, and only goes to and fro.
    fn bounces(&self, clock: &Clock) -> Bounces {
        let of_another = |token| {
            let claimed = claimed_audience(token).and_then(|aud| self.snapshot.by_aud.get(&aud));
            claimed.is_some_and(|other| other.app.id != self.application.app.id)
        };
        if cookies::values(self.headers, cookies::AUTHORIZATION).any(of_another) {
            return Bounces::default();
        }
        Bounces::of(self.headers, clock.now_seconds())
    }

    fn frame(&self, clock: &Clock) -> Frame<'_> {
        Frame {
            organization: &self.snapshot.organization.name,
            request_id: self.request_id,
            at: clock.now(),
            auth_origin: self.snapshot.organization.auth.origin(),
            design: &self.snapshot.organization.login_design,
        }
    }
}

/// The browser's `CF_AppSession`, kept if it looks like one of ours, so that all its tabs share it; else a new one.
pub(super) fn app_session(headers: &HeaderMap) -> String {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let well_formed = |value: &&str| {
        value
            .strip_prefix('n')
            .is_some_and(|hex| hex.len() == 16 && hex.bytes().all(digit))
    };
    let known = cookies::values(headers, cookies::APP_SESSION).find(well_formed);
    known.map_or_else(|| format!("n{}", random::hex_digits::<8>()), str::to_owned)
}

enum Asking {
    Redirect,
    Page,
    Json,
}

/// Why somebody is refused, as far as the person may know.
pub fn because(
    application: &ProtectedApplication,
    identity: Option<&Identity>,
    refusal: &Refusal,
) -> Because<'static> {
    let groups_unknown = identity.is_some_and(|known| matches!(known.groups, Groups::Unknown { .. }));
    match refusal.reason {
        _ if application.broken.is_some() => Because::Broken,
        RefusalReason::Denied => Because::Blocked,
        _ if groups_unknown => Because::GroupsUnknown,
        RefusalReason::NotRuledOut => Because::Blocked,
        RefusalReason::NoPolicyMatched | RefusalReason::Unmet => Because::NoRule,
    }
}

/// Sets `cf-access-aud` and `cf-access-domain`, by which clients that are no browsers know the application.
pub(super) fn name_application(headers: &mut HeaderMap, application: &ProtectedApplication) {
    let app = &application.app;
    if let Ok(aud) = HeaderValue::from_str(app.aud.as_str()) {
        headers.insert(AUDIENCE, aud);
    }
    let domain = app
        .destinations
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    if let Ok(domain) = HeaderValue::from_str(&domain) {
        headers.insert(DOMAIN, domain);
    }
}
