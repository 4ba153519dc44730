//! Who is asking: from the credentials of a request to a session, on the core that serves it.
//!
//! A token seen before costs one digest and one look-up. What an entry of the cache says is *checked on every
//! request*: its kind and audience against the routed application, its key against the keys trusted now, its session
//! against the session's flag. A hit spares the signature, nothing else.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use quick_cache::unsync::Cache;

use super::limits::FailureLimit;
use super::service_jwt::ServiceJwts;
use super::table::{LiveSession, SessionTable};
use super::token::{self, Demand, Kind, TokenRefused, Verified};
use super::{binding, cookies, door};
use crate::crypto::digest::{Sha256, sha256};
use crate::crypto::seal::Sealer;
use crate::model::ids::{AppId, SessionNonce};
use crate::policy::Outcomes;
use crate::snapshot::{ProtectedApplication, Snapshot};

/// Header in which clients without cookies send an application token (cloudflared).
pub const TOKEN_HEADER: &str = "cf-access-token";

/// Verified tokens that one core remembers. At about 1.5 kB each this is 25 MB when full.
const CACHE_CAPACITY: usize = 16_384;

/// How long past its end a token may still be renewed from a live session: as long as any session lasts.
pub const RENEWED_UNTIL_SECONDS: i64 = 31 * 86_400;

/// What the credentials of a request amount to.
#[derive(Debug)]
pub enum Identified {
    /// No credential that is good here.
    Nobody,
    /// A live session, by a token that may be past its end: [`Credential::expired`] must be asked before it opens anything.
    Session(Rc<Credential>),
    /// A token of ours whose session this replica does not know: the store must be asked, then identify again.
    Unsettled(SessionNonce),
    /// Its address has shown too many tokens that were not ours.
    TooManyFailures,
}

/// A verified token of a session that was alive when it was looked up.
#[derive(Debug)]
pub struct Credential {
    /// What the token says.
    pub verified: Verified,
    /// The digest it is known by.
    pub digest: Sha256,
    /// Its session.
    pub session: Arc<LiveSession>,
    /// The token as the value of a header: the assertion, made once.
    pub assertion: HeaderValue,
    memo: RefCell<Option<Rc<Memo>>>,
    /// What the browser's binding cookie must say, once it is asked for.
    binding: OnceCell<String>,
    seen: Cell<bool>,
    /// Whether it is revoked, under which version of what is.
    revoked: Cell<(u64, bool)>,
}

/// What was worked out for a token under one snapshot and one version of the identity.
#[derive(Debug)]
pub struct Memo {
    application: AppId,
    snapshot: u64,
    identity: u64,
    /// What each policy says of the identity; `None` where the token is not acceptable under this snapshot.
    pub outcomes: Option<Outcomes>,
    /// The address for `Cf-Access-Authenticated-User-Email`.
    pub email: Option<HeaderValue>,
}

impl Memo {
    /// The version of the identity that the outcomes are of.
    pub fn identity_version(&self) -> u64 {
        self.identity
    }
}

impl Credential {
    /// Whether this is the first time that it is asked, on this core.
    pub fn first_seen(&self) -> bool {
        !self.seen.replace(true)
    }

    /// Whether the token is past its end. Its session may be alive.
    pub fn expired(&self, now_ms: i64) -> bool {
        self.verified.exp.saturating_mul(1000) <= now_ms
    }

    /// Whether the application's tokens, or this session's for it, were revoked since it was minted. One atomic read
    /// where nothing was revoked since it was last asked.
    pub fn revoked(&self) -> bool {
        let version = self.session.tokens_version();
        let (asked, revoked) = self.revoked.get();
        if asked == version {
            return revoked;
        }
        let revoked = self.verified.epoch < self.session.token_epoch(&self.verified.aud);
        self.revoked.set((version, revoked));
        revoked
    }

    /// Whether the request comes from the browser that the token was made for, where the application asks that
    /// (`enable_binding_cookie`).
    pub fn is_bound(&self, application: &ProtectedApplication, headers: &HeaderMap, sealer: &Sealer) -> bool {
        if !application.app.enable_binding_cookie {
            return true;
        }
        let value = || binding::value(sealer, &self.verified.nonce, &self.verified.aud);
        binding::is_shown(headers, self.binding.get_or_init(value))
    }

    /// The memo under this snapshot, worked out anew where snapshot or identity changed.
    pub fn memo(&self, snapshot: &Snapshot, application: &ProtectedApplication) -> Rc<Memo> {
        let identity = self.session.identity();
        if let Some(memo) = self.memo.borrow().as_ref()
            && memo.snapshot == snapshot.version
            && memo.identity == identity.version
            && memo.application == application.app.id
        {
            return memo.clone();
        }
        let trusted = snapshot.keys.trusts(&self.verified.kid);
        let provider = self.session.provider();
        let memo = Rc::new(Memo {
            application: application.app.id,
            snapshot: snapshot.version,
            identity: identity.version,
            outcomes: trusted
                .then(|| door::outcomes(snapshot, application, provider, &identity.identity))
                .flatten(),
            email: identity
                .identity
                .email
                .as_ref()
                .and_then(|email| HeaderValue::from_str(email.address.as_str()).ok()),
        });
        *self.memo.borrow_mut() = Some(memo.clone());
        memo
    }
}

/// Identifies requests. One per core.
pub struct Identifier {
    cache: RefCell<Cache<Sha256, Rc<Credential>>>,
    table: SessionTable,
    failures: Arc<FailureLimit>,
    machines: Rc<ServiceJwts>,
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identifier").finish_non_exhaustive()
    }
}

impl Identifier {
    /// An identifier with an empty cache. What is known as the JWT of a machine is not looked at again.
    pub fn new(table: SessionTable, failures: Arc<FailureLimit>, machines: Rc<ServiceJwts>) -> Self {
        Self {
            cache: RefCell::new(Cache::new(CACHE_CAPACITY)),
            table,
            failures,
            machines,
        }
    }

    /// The session that this request's credentials open the application with.
    ///
    /// `gone` names sessions that the store was asked about for this request and does not hold alive.
    pub fn identify(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        headers: &HeaderMap,
        address: IpAddr,
        gone: &[SessionNonce],
        now_ms: i64,
    ) -> Identified {
        let mut found: Option<Rc<Credential>> = None;
        let mut late: Option<Rc<Credential>> = None;
        for (token, carrier) in tokens(headers) {
            match self.credential(snapshot, application, token, address, now_ms) {
                // Only browsers can be given another one in its place.
                Ok(credential) if credential.expired(now_ms) => {
                    late = late.or(Some(credential).filter(|_| carrier == Carrier::Cookie));
                }
                Ok(credential) => match &found {
                    // Two tokens of one session may meet while one replaces the other; two sessions may not.
                    Some(other) if other.session.nonce() != credential.session.nonce() => {
                        return Identified::Nobody;
                    }
                    Some(_) => {}
                    None => found = Some(credential),
                },
                Err(Unfit::Refused) => {}
                Err(Unfit::Unsettled(nonce)) if gone.contains(&nonce) => {}
                Err(Unfit::Unsettled(nonce)) => return Identified::Unsettled(nonce),
                Err(Unfit::TooManyFailures) => return Identified::TooManyFailures,
            }
        }
        found.or(late).map_or(Identified::Nobody, Identified::Session)
    }

    /// A token that was minted just now in place of another; `None` where it is not good here, or not yet.
    pub fn take_in(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        token: &str,
        address: IpAddr,
        now_ms: i64,
    ) -> Option<Rc<Credential>> {
        let fresh = self
            .credential(snapshot, application, token, address, now_ms)
            .ok();
        fresh.filter(|credential| !credential.expired(now_ms))
    }

    fn credential(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        token: &str,
        address: IpAddr,
        now_ms: i64,
    ) -> Result<Rc<Credential>, Unfit> {
        if token.len() > token::MAX_READ || token.is_empty() {
            return Err(Unfit::Refused);
        }
        let digest = sha256(token.as_bytes());
        let cached = self.cache.borrow().get(&digest).cloned();
        let credential = match cached {
            Some(credential) => credential,
            None if self.machines.knows(&digest) => return Err(Unfit::Refused),
            None => self.admit(snapshot, application, token, digest, address, now_ms)?,
        };
        let verified = &credential.verified;
        let fits = verified.kind == Kind::App && verified.aud == application.app.aud;
        if !fits || credential.session.over(now_ms).is_some() || credential.revoked() {
            return Err(Unfit::Refused);
        }
        if credential.session.may_be_idle(now_ms) {
            return Err(Unfit::Unsettled(verified.nonce.clone()));
        }
        Ok(credential)
    }

    fn admit(
        &self,
        snapshot: &Snapshot,
        application: &ProtectedApplication,
        token: &str,
        digest: Sha256,
        address: IpAddr,
        now_ms: i64,
    ) -> Result<Rc<Credential>, Unfit> {
        if self.failures.must_wait(address, now_ms) && !self.names_live_session(token, now_ms) {
            return Err(Unfit::TooManyFailures);
        }
        let demand = Demand {
            kind: Kind::App,
            aud: &application.app.aud,
            issuer: snapshot.organization.auth.origin(),
            now: now_ms.div_euclid(1000),
        };
        let verified = match token::verify_late(token, &*snapshot.keys, demand, RENEWED_UNTIL_SECONDS) {
            Ok(verified) => verified,
            Err(TokenRefused::Signature) => {
                self.failures.failed(address, now_ms);
                return Err(Unfit::Refused);
            }
            // Expired tokens and those of other applications are everyday.
            Err(_) => return Err(Unfit::Refused),
        };
        let Some(session) = self.table.find(&verified.nonce) else {
            return Err(Unfit::Unsettled(verified.nonce));
        };
        let assertion = HeaderValue::from_str(token).map_err(|_| Unfit::Refused)?;
        let credential = Rc::new(Credential {
            verified,
            digest,
            // Of no version yet, so that it is asked for.
            revoked: Cell::new((session.tokens_version().wrapping_sub(1), true)),
            session,
            assertion,
            memo: RefCell::new(None),
            binding: OnceCell::new(),
            seen: Cell::new(false),
        });
        self.cache.borrow_mut().insert(digest, credential.clone());
        Ok(credential)
    }

    /// Whether a token claims a session that lives here. Nobody guesses one, so whoever shares an address with somebody
    /// who floods it is not locked out by him.
    fn names_live_session(&self, token: &str, now_ms: i64) -> bool {
        let session = token::claimed_session(token).and_then(|nonce| self.table.find(&nonce));
        session.is_some_and(|session| session.over(now_ms).is_none())
    }
}

enum Unfit {
    Refused,
    Unsettled(SessionNonce),
    TooManyFailures,
}

/// What a token came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Cookie,
    Header,
}

fn tokens(headers: &HeaderMap) -> impl Iterator<Item = (&str, Carrier)> {
    let header = headers.get_all(TOKEN_HEADER).iter().take(cookies::MAX_SAME_NAME);
    let header = header.filter_map(|value| value.to_str().ok());
    let cookie = cookies::values(headers, cookies::AUTHORIZATION).map(|token| (token, Carrier::Cookie));
    cookie.chain(header.map(|token| (token, Carrier::Header)))
}

/// The organization session of a browser on the auth host, for the control plane.
///
/// An application token is never one: it opens `get-identity` on the auth host and nothing else.
pub fn organization_token(
    snapshot: &Snapshot,
    headers: &HeaderMap,
    now_ms: i64,
) -> Result<Verified, OrganizationTokenRefused> {
    let name = cookies::organization_name(&snapshot.organization.auth);
    organization_token_named(name, snapshot, headers, now_ms)
}

/// The same for a cookie of another name, which only clients that are no browsers may use: over https the name's prefix
/// is what keeps sibling hosts from planting a token.
pub fn organization_token_named(
    name: &str,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    now_ms: i64,
) -> Result<Verified, OrganizationTokenRefused> {
    let aud = token::organization_audience(&snapshot.organization.account_id)
        .ok_or(OrganizationTokenRefused::NoneGood)?;
    let demand = Demand {
        kind: Kind::Org,
        aud: &aud,
        issuer: snapshot.organization.auth.origin(),
        now: now_ms.div_euclid(1000),
    };
    let mut found: Option<Verified> = None;
    let mut shown = false;
    for token in cookies::values(headers, name) {
        shown = true;
        let Ok(verified) = token::verify(token, &*snapshot.keys, demand) else {
            continue;
        };
        if found.as_ref().is_some_and(|other| other.nonce != verified.nonce) {
            return Err(OrganizationTokenRefused::NoneGood);
        }
        found = Some(verified);
    }
    match found {
        Some(verified) => Ok(verified),
        None if shown => Err(OrganizationTokenRefused::NoneGood),
        None => Err(OrganizationTokenRefused::Absent),
    }
}

/// Why a browser has no organization session here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationTokenRefused {
    /// It sent no organization token.
    #[error("no organization token was sent")]
    Absent,
    /// It sent tokens, none of which is good, or good ones of two sessions.
    #[error("the organization token is not good")]
    NoneGood,
}
