//! One request of the login chain, with what every step needs.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::Deserialize;

use super::answer::Answer;
use super::failure::{Ended, Who, Why};
use super::landing::Landing;
use super::query::Query;
use super::visit::{Place, Visit};
use super::{Login, meta};
use crate::model::application::Application;
use crate::model::host::Host;
use crate::model::identity::Identity;
use crate::model::idp::IdentityProvider;
use crate::model::ids::{AudTag, IdpId, SessionNonce};
use crate::model::organization::{AuthUrl, Organization};
use crate::pages::person::{AppLabel, Frame, Page};
use crate::router::{Found, Target, Via};
use crate::session::lookup::Settled;
use crate::session::service_auth::Proven;
use crate::session::table::LiveSession;
use crate::session::token::{self, Demand, Kind, Verified};
use crate::session::{binding, cookies, identify, service_jwt};
use crate::snapshot::{ProtectedApplication, Snapshot};
use crate::store::Amended;

/// A request under the configuration that was in force when it came.
pub(super) struct Call<'r> {
    pub(super) login: &'r Login,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) visit: &'r Visit,
    pub(super) request_id: String,
    pub(super) parts: &'r Parts,
    pub(super) query: Query<'r>,
    /// The body of a form that was sent; empty for what only reads.
    pub(super) form: &'r [u8],
}

/// What a browser's application token stands for.
pub(super) struct Shown {
    pub(super) session: Arc<LiveSession>,
    pub(super) application: Arc<ProtectedApplication>,
}

impl Call<'_> {
    /// The organization.
    pub(super) fn organization(&self) -> &Organization {
        &self.snapshot.organization
    }

    /// Where the auth host is.
    pub(super) fn auth(&self) -> &AuthUrl {
        &self.snapshot.organization.auth
    }

    /// Milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.login.clock.now_ms()
    }

    /// A page as the answer.
    pub(super) fn page(&self, page: &impl Page) -> Answer {
        page.respond(&Frame {
            organization: &self.organization().name,
            request_id: &self.request_id,
            at: self.login.clock.now(),
            auth_origin: self.auth().origin(),
            design: &self.organization().login_design,
        })
    }

    /// The application of a landing, if it still covers host and path. The launcher's covers what is the auth host's own.
    pub(super) fn application_at(&self, landing: &Landing) -> Option<Arc<ProtectedApplication>> {
        if landing.host == *self.auth().host() {
            let guard = self.snapshot.launcher.as_ref().map(|launcher| &launcher.guard);
            return guard.filter(|guard| guard.app.id == landing.app).cloned();
        }
        let uri: http::Uri = landing.address(self.auth()).parse().ok()?;
        let host = uri.authority()?.as_str().parse().ok()?;
        let headers = [(http::header::HOST, host)].into_iter().collect();
        let target = Target::parse(&http::Method::GET, &uri, &headers, Via::Http1).ok()?;
        let application = self.snapshot.application(&target).ok()?;
        (application.app.id == landing.app).then(|| application.clone())
    }

    /// The providers an application lets people sign in with, by name.
    pub(super) fn providers_of(&self, application: &ProtectedApplication) -> Vec<Arc<IdentityProvider>> {
        self.providers(&application.app.allowed_idps)
    }

    /// These providers, by name; all where none is named.
    pub(super) fn providers(&self, allowed: &[IdpId]) -> Vec<Arc<IdentityProvider>> {
        let providers = self.snapshot.providers.values();
        let mut providers: Vec<_> = providers
            .filter(|provider| allowed.is_empty() || allowed.contains(&provider.id))
            .cloned()
            .collect();
        providers.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        providers
    }

    /// This browser's organization session, if it has a live one. Only the auth host is shown its token.
    pub(super) async fn organization_session(&self) -> Result<Option<Arc<LiveSession>>, Why> {
        match identify::organization_token(&self.snapshot, &self.parts.headers, self.now_ms()) {
            Ok(verified) => self.session(verified.nonce).await,
            Err(_) => Ok(None),
        }
    }

    /// The session of this key, if it is alive.
    pub(super) async fn session(&self, nonce: SessionNonce) -> Result<Option<Arc<LiveSession>>, Why> {
        match self.login.lookup.settle(nonce).await {
            Settled::Alive(session) => Ok(Some(session)),
            Settled::Gone => Ok(None),
            Settled::Unavailable => Err(Why::SessionsUnavailable),
        }
    }

    /// Why a session is over, as far as its person is told: the directory put them out, or it is over.
    pub(super) async fn why_over(&self, nonce: &SessionNonce) -> Result<Ended, Why> {
        let store = &self.login.store;
        let Some(row) = store.session(nonce).await? else {
            return Ok(Why::SessionOver.into());
        };
        let user = store.user(row.user).await?;
        Ok(match user {
            Some(user) if user.deprovisioned => Ended::from(Why::Deprovisioned).of(Who::from(&user)),
            _ => Why::SessionOver.into(),
        })
    }

    /// Adds to the identity of a live session what was found out since the login: here and in the store, so that the next
    /// request is decided by it. Answers the new one; `None` where the session is over. `change` may be called twice.
    pub(super) async fn amend(
        &self,
        session: &LiveSession,
        change: &(dyn Fn(&mut Identity) + Send + Sync),
    ) -> Result<Option<Identity>, Why> {
        let whose = Amended::Session(session.nonce());
        let amended = self.login.store.amend_identities(whose, change).await?;
        let identity = amended.first().map(|session| session.identity.clone());
        self.login.sessions.take_over(amended);
        Ok(identity)
    }

    /// The application whose token the browser shows, with its live session. Each token must be for an application that
    /// `counts`; tokens of two sessions are none.
    pub(super) async fn application_session(
        &self,
        counts: impl Fn(&ProtectedApplication) -> bool,
    ) -> Result<Option<Shown>, Why> {
        self.shown(counts, 0).await
    }

    /// As [`Call::application_session`], for who signs out: a token past its end counts too. Whoever else holds it could
    /// have it renewed for as long as the session lives.
    pub(super) async fn renewable_session(
        &self,
        counts: impl Fn(&ProtectedApplication) -> bool,
    ) -> Result<Option<Shown>, Why> {
        self.shown(counts, identify::RENEWED_UNTIL_SECONDS).await
    }

    /// `late` is how far past its end a token may be, in seconds.
    async fn shown(
        &self,
        counts: impl Fn(&ProtectedApplication) -> bool,
        late: i64,
    ) -> Result<Option<Shown>, Why> {
        let header = self
            .parts
            .headers
            .get_all(identify::TOKEN_HEADER)
            .iter()
            .take(cookies::MAX_SAME_NAME);
        let header = header.filter_map(|value| value.to_str().ok());
        let mut found: Vec<(Verified, Arc<ProtectedApplication>)> = Vec::new();
        for token in cookies::values(&self.parts.headers, cookies::AUTHORIZATION).chain(header) {
            let Some(shown) = self.application_token(token, &counts, late) else {
                continue;
            };
            if found
                .first()
                .is_some_and(|(first, _)| first.nonce != shown.0.nonce)
            {
                return Ok(None);
            }
            found.push(shown);
        }
        let Some((first, _)) = found.first() else {
            return Ok(None);
        };
        let Some(session) = self.session(first.nonce.clone()).await? else {
            return Ok(None);
        };
        // Of several applications the first counts: browsers send the cookie of the longer path first.
        let stands = |verified: &Verified| verified.epoch >= session.token_epoch(&verified.aud);
        let standing = found.into_iter().find(|(verified, _)| stands(verified));
        Ok(standing.map(|(_, application)| Shown { session, application }))
    }

    /// The service token whose JWT is shown, for an application that `counts`. JWTs of two service tokens are none.
    pub(super) fn service_token(&self, counts: impl Fn(&ProtectedApplication) -> bool) -> Option<Proven> {
        let now_ms = self.now_ms();
        let takes = |aud: &AudTag| {
            self.snapshot
                .by_aud
                .get(aud)
                .is_some_and(|application| counts(application))
        };
        let mut found: Option<Proven> = None;
        for text in service_jwt::candidates(&self.parts.headers) {
            let verified = service_jwt::verify(text, &self.snapshot, takes, now_ms);
            let current =
                verified.filter(|verified| verified.epoch >= self.login.sessions.token_epoch(&verified.aud));
            let Some(proven) = current.and_then(|current| current.proven(&self.snapshot, now_ms)) else {
                continue;
            };
            if found.as_ref().is_some_and(|other| other.id() != proven.id()) {
                return None;
            }
            found = found.or(Some(proven));
        }
        found
    }

    fn application_token(
        &self,
        token: &str,
        counts: impl Fn(&ProtectedApplication) -> bool,
        late: i64,
    ) -> Option<(Verified, Arc<ProtectedApplication>)> {
        // Read before the signature is checked, only to know which application to ask.
        let aud = claimed_audience(token)?;
        let application = self.snapshot.by_aud.get(&aud)?;
        if !counts(application) {
            return None;
        }
        let demand = Demand {
            kind: Kind::App,
            aud: &aud,
            issuer: self.auth().origin(),
            now: self.login.clock.now_seconds(),
        };
        let verified = token::verify_late(token, &*self.snapshot.keys, demand, late).ok()?;
        // On the auth host it is the application that asks, which is not given the browser's binding cookie.
        let binds = application.app.enable_binding_cookie && self.visit.place == Place::ApplicationHost;
        let bound = || {
            let value = binding::value(&self.login.sealer, &verified.nonce, &aud);
            binding::is_shown(&self.parts.headers, &value)
        };
        (!binds || bound()).then(|| (verified, application.clone()))
    }

    /// Whether an application covers anything on the host asked.
    pub(super) fn is_on_this_host(&self, application: &ProtectedApplication) -> bool {
        self.is_on(self.visit.target.host(), application)
    }

    /// Whether an application covers anything on a host.
    pub(super) fn is_on(&self, host: &Host, application: &ProtectedApplication) -> bool {
        application.app.destinations.iter().any(|destination| {
            let path = destination.path().replace('*', "x");
            let path = if path.is_empty() { "/" } else { &path };
            let found = self.snapshot.routes.find(host, path);
            matches!(found, Found::Match(covering) if covering.app.id == application.app.id)
        })
    }

    /// The login page for a landing, with a fresh `meta`; `extra` are further parameters, as they stand in a query.
    pub(super) fn login_address(&self, landing: &Landing, extra: &str) -> String {
        let aud = self
            .snapshot
            .applications
            .get(&landing.app)
            .map_or("", |known| known.app.aud.as_str());
        let meta = meta::seal(landing.clone(), &self.login.sealer, &self.login.clock);
        login_address(self.auth(), aud, &meta, landing) + extra
    }
}

/// An application as its cookie goes by. Those that share a host keep their tokens under their own paths: under `/` each
/// would overwrite the other's.
pub(super) fn with_cookie_path<'a>(
    snapshot: &Snapshot,
    application: &'a Application,
) -> Cow<'a, Application> {
    if !snapshot.shares_a_host(application) {
        return Cow::Borrowed(application);
    }
    Cow::Owned(Application {
        path_cookie_attribute: true,
        ..application.clone()
    })
}

/// The login page of an application. Only `meta` is believed; the rest is for cloudflared.
pub(super) fn login_address(auth: &AuthUrl, aud: &str, meta: &str, landing: &Landing) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("kid", aud)
        .append_pair("meta", meta)
        .append_pair("redirect_url", landing.path.as_str())
        .finish();
    auth.address(&format!("/cdn-cgi/access/login/{}?{query}", landing.host))
}

/// The audience a text claims as a token, unverified.
pub(super) fn claimed_audience(token: &str) -> Option<AudTag> {
    #[derive(Deserialize)]
    struct Claims {
        aud: [AudTag; 1],
    }
    if token.len() > token::MAX_READ {
        return None;
    }
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let Claims { aud: [aud] } = serde_json::from_slice(&claims).ok()?;
    Some(aud)
}

/// An application as pages name it.
pub(super) fn label<'a>(application: &'a ProtectedApplication, landing: &'a Landing) -> AppLabel<'a> {
    AppLabel {
        name: &application.app.name,
        host: landing.host.as_str(),
    }
}
