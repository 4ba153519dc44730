//! Machines at the door: service tokens, and what Service Auth lets in without anybody signing in.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Response};
use quick_cache::unsync::Cache;

use super::Gate;
use super::admit::Admitted;
use super::caching;
use super::refuse::{self, AskedOf};
use crate::clock::Clock;
use crate::model::certificate::ClientCertificate;
use crate::model::ids::ServiceTokenId;
use crate::policy::{Permit, RequestFacts};
use crate::proxy::Body;
use crate::proxy::request_headers::Identity;
use crate::router::Target;
use crate::session::cookies;
use crate::session::door::Credentials;
use crate::session::keys::Signer;
use crate::session::limits::{Failures, SecretFailures};
use crate::session::service_auth::{self, NotProven, Proven, Shown};
use crate::session::service_jwt::Bearer;
use crate::session::service_mint::{self, CannotMint, Minted, Purpose, ServiceMint, Wanted};
use crate::session::service_uses::ServiceUses;
use crate::session::table::SessionTable;
use crate::shutdown::Shutdown;
use crate::snapshot::{ProtectedApplication, Published, Snapshot};

/// What all cores share about machines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Machines {
    /// When service tokens were last let in.
    pub uses: ServiceUses,
    mint: ServiceMint,
    failures: Arc<SecretFailures>,
}

impl Machines {
    /// Starts making tokens for machines on the present (control) runtime.
    pub fn start(
        published: &Arc<Published>,
        sessions: &SessionTable,
        signer: Signer,
        clock: &Clock,
        shutdown: &Shutdown,
    ) -> Self {
        let (published, sessions) = (Arc::clone(published), sessions.clone());
        Self {
            uses: ServiceUses::default(),
            mint: ServiceMint::start(published, sessions, signer, clock.clone(), shutdown),
            failures: Arc::default(),
        }
    }
}

/// What a request shows of a service token.
#[derive(Debug, Clone)]
pub(super) enum Machine {
    /// Nothing.
    Nobody,
    /// Good credentials.
    Secret(Proven),
    /// A JWT that was made for good credentials.
    Jwt(Bearer),
    /// Credentials that open nothing.
    Bad {
        /// The token that they name, if there is one.
        named: Option<ServiceTokenId>,
        /// Whether there have been so many that whoever sends them is told to wait.
        too_many: bool,
    },
}

impl Machine {
    /// The token whose credentials are good.
    pub(super) fn token(&self) -> Option<ServiceTokenId> {
        self.proven().map(Proven::id)
    }

    /// The token that bad credentials name.
    pub(super) fn named(&self) -> Option<ServiceTokenId> {
        match self {
            Self::Bad { named, .. } => *named,
            Self::Nobody | Self::Secret(_) | Self::Jwt(_) => None,
        }
    }

    /// What of it decides at the door.
    pub(super) fn shown(&self) -> Credentials {
        match self {
            Self::Nobody => Credentials::Nothing,
            Self::Secret(_) | Self::Jwt(_) => Credentials::Good,
            Self::Bad { too_many, .. } => Credentials::Bad { too_many: *too_many },
        }
    }

    fn proven(&self) -> Option<&Proven> {
        match self {
            Self::Secret(proven) => Some(proven),
            Self::Jwt(bearer) => Some(&bearer.proven),
            Self::Nobody | Self::Bad { .. } => None,
        }
    }
}

/// What a machine is let in with.
struct Passage {
    /// What the application is told.
    identity: Identity,
    /// A cookie that may be shown in place of the secret.
    cookie: Option<HeaderValue>,
}

/// JWTs for machines that one core remembers.
pub(super) struct Passages(RefCell<Cache<Purpose, Arc<Minted>>>);

impl std::fmt::Debug for Passages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passages").finish_non_exhaustive()
    }
}

impl Default for Passages {
    fn default() -> Self {
        Self(RefCell::new(Cache::new(service_mint::REMEMBERED)))
    }
}

impl Gate {
    /// Lets in what a Service Auth policy permits.
    pub(super) async fn admit_machine(
        &self,
        asked: &AskedOf<'_>,
        (snapshot, application, target): (&Snapshot, &Arc<ProtectedApplication>, &Target),
        permit: Permit,
        machine: Machine,
        facts: &RequestFacts,
    ) -> Result<Admitted, Response<Body>> {
        if self.shared.grace.is_over(facts.now_ms) {
            return Err(asked.store_gone());
        }
        if let Some(origin) = refuse::foreign_origin(asked.headers(), target, application, snapshot) {
            return Err(asked.foreign_origin(&origin));
        }
        let passage = self
            .passage(snapshot, application, target, (&permit, facts, &machine))
            .await
            .map_err(|CannotMint| asked.busy())?;
        Ok(Admitted {
            permit,
            application: Arc::clone(application),
            credential: None,
            identity: passage.identity,
            identity_version: 0,
            facts: facts.clone(),
            machine: Watched::new(&machine),
            machine_cookie: passage.cookie,
            set_cookie: None,
            fresh_token: None,
        })
    }

    /// The machine whose secret a request shows.
    pub(super) fn machine(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        headers: &HeaderMap,
        address: IpAddr,
        now_ms: i64,
    ) -> Machine {
        let single = application.app.read_service_tokens_from_header.as_ref();
        let refused = match service_auth::shown(headers, single) {
            Shown::Nothing => return Machine::Nobody,
            Shown::Malformed => NotProven { token: None },
            Shown::Twice(_) if snapshot.organization.service_tokens.strict => NotProven { token: None },
            Shown::Pair(pair) | Shown::Twice(pair) => {
                match service_auth::prove(&snapshot.service_tokens, &pair, now_ms) {
                    Ok(proven) => return Machine::Secret(proven),
                    Err(refused) => refused,
                }
            }
        };
        let failures = self
            .shared
            .machines
            .failures
            .failed(address, refused.token, now_ms);
        let token = refused.token.map(tracing::field::display);
        if failures == Failures::TooManyNow {
            tracing::warn!(
                alarm = true, client.address = %address, service_token.id = token,
                "Many bad service tokens: an address, or whoever tries one token, is answered 429 for a while"
            );
        }
        Machine::Bad {
            named: refused.token,
            too_many: failures != Failures::Few,
        }
    }

    /// The machine whose JWT a request shows in place of its secret. In strict mode none is taken.
    pub(super) fn bearer(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        headers: &HeaderMap,
        now_ms: i64,
    ) -> Machine {
        if snapshot.organization.service_tokens.strict {
            return Machine::Nobody;
        }
        let bearer = self.jwts.bearer(snapshot, &application.app.aud, headers, now_ms);
        bearer.map_or(Machine::Nobody, Machine::Jwt)
    }

    /// What a machine is let in with, by a Service Auth policy.
    ///
    /// # Errors
    /// [`CannotMint`] where its JWT cannot be made now.
    async fn passage(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        target: &Target,
        (permit, facts, machine): (&Permit, &RequestFacts, &Machine),
    ) -> Result<Passage, CannotMint> {
        if let Some(proven) = machine.proven() {
            self.shared.machines.uses.used(proven.id(), facts.now_ms);
        }
        if let Machine::Jwt(bearer) = machine {
            return Ok(Passage {
                identity: told(bearer.jwt.assertion.clone()),
                cookie: None,
            });
        }
        let duration = permit
            .session_duration()
            .unwrap_or(&application.app.session_duration);
        let (kind, common_name, until_ms) = named(machine, facts);
        let purpose = Purpose {
            application: application.app.id,
            machine: kind,
            seconds: duration.length().as_secs(),
        };
        let now = facts.now_ms.div_euclid(1000);
        let revocations = self.shared.sessions.tokens_version();
        let known = self.passages.0.borrow().get(&purpose).cloned();
        let minted = if let Some(minted) =
            known.filter(|minted| minted.is_current(snapshot, revocations, until_ms, now))
        {
            minted
        } else {
            let wanted = Wanted {
                purpose: purpose.clone(),
                common_name: common_name.to_owned(),
                until_ms,
            };
            let minted = self.shared.machines.mint.mint(wanted).await?;
            self.passages.0.borrow_mut().insert(purpose, Arc::clone(&minted));
            minted
        };
        let hands_out = matches!(machine, Machine::Secret(_)) && !snapshot.organization.service_tokens.strict;
        Ok(Passage {
            identity: told(minted.assertion.clone()),
            cookie: hands_out
                .then(|| self.cookie(snapshot, target, &minted))
                .flatten(),
        })
    }

    /// The JWT as a cookie. One made for a certificate or an address would open nothing, so there is none.
    fn cookie(&self, snapshot: &Snapshot, target: &Target, minted: &Minted) -> Option<HeaderValue> {
        let now = self.shared.clock.now();
        cookies::set_application(
            &minted.cookie_of,
            &snapshot.organization.auth,
            (target.host(), target.path()),
            minted.assertion.to_str().ok()?,
            now,
            minted.exp.saturating_sub(now.as_second()),
        )
    }
}

/// Machines have no address; the application finds the JWT in the header and, as at Access, in a cookie.
fn told(assertion: HeaderValue) -> Identity {
    Identity {
        assertion: Some(assertion),
        cookie_added: true,
        ..Identity::default()
    }
}

/// By what a machine is known: its service token, else its certificate; and until when that is good.
fn named<'m>(machine: &'m Machine, facts: &'m RequestFacts) -> (service_mint::Machine, &'m str, i64) {
    if let Some(proven) = machine.proven() {
        let kind = service_mint::Machine::Token(proven.id(), proven.mark());
        return (kind, proven.client_id().as_str(), proven.until_ms());
    }
    match &facts.certificate {
        ClientCertificate::Verified(certificate) => {
            let name = certificate.common_name.as_deref().unwrap_or_default();
            let kind = service_mint::Machine::Certificate(name.into());
            (kind, name, i64::MAX)
        }
        ClientCertificate::Unknown | ClientCertificate::Absent => {
            (service_mint::Machine::Nameless, "", i64::MAX)
        }
    }
}

/// A service token that an open stream depends on.
#[derive(Debug)]
pub(super) struct Watched {
    proven: RefCell<Proven>,
    jwt: Option<Bearer>,
}

impl Watched {
    /// That of a machine; `None` where it shows none that is good.
    pub(super) fn new(machine: &Machine) -> Option<Self> {
        let proven = RefCell::new(machine.proven()?.clone());
        let jwt = match machine {
            Machine::Jwt(bearer) => Some(bearer.clone()),
            _ => None,
        };
        Some(Self { proven, jwt })
    }

    /// The token.
    pub(super) fn token(&self) -> ServiceTokenId {
        self.proven.borrow().id()
    }

    /// Whether its time is over, as far as was known when it was last held against a snapshot.
    pub(super) fn over(&self, now_ms: i64) -> bool {
        let jwt = self.jwt.as_ref();
        let jwt_over = jwt.is_some_and(|bearer| bearer.jwt.verified.exp.saturating_mul(1000) <= now_ms);
        jwt_over
            || jwt.is_some_and(|bearer| bearer.jwt.revoked())
            || self.proven.borrow().until_ms() <= now_ms
    }

    /// Whether it still stands under another snapshot.
    pub(super) fn stands(&self, snapshot: &Snapshot, now_ms: i64) -> bool {
        let again = match &self.jwt {
            Some(_) if snapshot.organization.service_tokens.strict => None,
            Some(bearer) if bearer.jwt.revoked() => None,
            Some(bearer) => bearer.jwt.verified.proven(snapshot, now_ms),
            None => self.proven.borrow().again(&snapshot.service_tokens, now_ms),
        };
        let stands = again.is_some();
        if let Some(proven) = again {
            self.proven.replace(proven);
        }
        stands
    }
}

/// Puts a machine's JWT into an answer, unless a cache that others share may keep that: what is not said to be for one
/// client alone is made so, and what is said to be for all goes without.
pub(super) fn hand_out(headers: &mut HeaderMap, cookie: HeaderValue) {
    if caching::keep_to_one_client(headers) {
        headers.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use http::header::CACHE_CONTROL;

    use super::*;

    fn handed_out(caching: &[&'static str]) -> (bool, Vec<String>) {
        let mut headers = HeaderMap::new();
        for line in caching {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(line));
        }
        hand_out(&mut headers, HeaderValue::from_static("CF_Authorization=x"));
        let lines = headers.get_all(CACHE_CONTROL).iter();
        let lines = lines.map(|line| line.to_str().unwrap().to_owned()).collect();
        (headers.contains_key(SET_COOKIE), lines)
    }

    #[test]
    fn no_cache_that_others_share_keeps_a_machines_cookie() {
        assert_eq!(handed_out(&[]), (true, vec!["private".to_owned()]));
        assert_eq!(
            handed_out(&["max-age=60"]),
            (true, vec!["max-age=60".to_owned(), "private".to_owned()])
        );
        assert_eq!(handed_out(&["No-Store"]), (true, vec!["No-Store".to_owned()]));
        assert_eq!(handed_out(&["max-age=60, Private"]).1.len(), 1);
        assert!(!handed_out(&["max-age=60", "Public"]).0);
        assert!(!handed_out(&["s-maxage = 60"]).0);
        // What is private in part is not, and what stands in quotes is no directive.
        for part in [
            "private=\"set-cookie\"",
            "no-cache=\"x, private, no-store\"",
            "max-age=\"1, private\"",
        ] {
            assert_eq!(handed_out(&[part]).1, [part, "private"], "{part}");
        }
    }

    #[test]
    fn what_is_said_to_one_kind_of_cache_counts_too() {
        let handed_out = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
            headers.insert(name, HeaderValue::from_static(value));
            hand_out(&mut headers, HeaderValue::from_static("CF_Authorization=x"));
            headers.contains_key(SET_COOKIE)
        };
        for name in [
            "cdn-cache-control",
            "surrogate-control",
            "cloudflare-cdn-cache-control",
        ] {
            assert!(!handed_out(name, "max-age=60"), "{name}");
            assert!(!handed_out(name, "public"), "{name}");
            assert!(handed_out(name, "no-store"), "{name}");
            assert!(handed_out(name, "max-age=60, private"), "{name}");
        }
    }
}
