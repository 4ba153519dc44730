//! The JWT by which an upstream knows a machine, and which a machine may show in place of its secret.
//!
//! It is worth no more than the service token it was made for: every request asks whether that still stands, with the
//! secret that the JWT was made by. One made for a certificate or an address opens nothing: what it was made for must
//! come along with each request anyway.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::Algorithm;
use quick_cache::unsync::Cache;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::cookies;
use super::identify::TOKEN_HEADER;
use super::service_auth::{Proven, stands};
use super::table::SessionTable;
use super::token::{Kind, MAX_READ, TrustedKeys as _, is_first_epoch};
use crate::crypto::digest::{Sha256, sha256};
use crate::model::ids::{AudTag, ClientId, KeyId};
use crate::model::service_token::SecretMark;
use crate::snapshot::Snapshot;

/// Verified JWTs that one core remembers.
const CACHE_CAPACITY: usize = 4096;

/// Claims of an application token of a machine. No address, no session, an empty `sub`: by these applications tell it
/// from a person's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceClaims {
    /// [`Kind::App`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The application's audience tag.
    pub aud: [AudTag; 1],
    /// End, seconds since 1970.
    pub exp: i64,
    /// Origin of the auth host.
    pub iss: String,
    /// The client id of a service token, the common name of a certificate, or nothing.
    pub common_name: String,
    /// Issue, seconds since 1970.
    pub iat: i64,
    /// Nothing.
    pub sub: String,
    /// Ours: the epoch of the application's tokens it was made in, as in a person's; left out while it is 0.
    #[serde(skip_serializing_if = "is_first_epoch")]
    pub epoch: i64,
    /// Ours: the mark of the secret that it was made by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_mark: Option<SecretMark>,
}

/// What a JWT of a service token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedService {
    /// Its audience.
    pub aud: AudTag,
    /// The key it was signed with.
    pub kid: KeyId,
    /// Its end, seconds since 1970.
    pub exp: i64,
    /// The epoch it was made in.
    pub epoch: i64,
    client_id: ClientId,
    mark: SecretMark,
}

impl VerifiedService {
    /// The service token behind it, if that still stands and the JWT does.
    pub fn proven(&self, snapshot: &Snapshot, now_ms: i64) -> Option<Proven> {
        let over = self.exp.saturating_mul(1000) <= now_ms || !snapshot.keys.trusts(&self.kid);
        stands(&snapshot.service_tokens, &self.client_id, self.mark, now_ms).filter(|_| !over)
    }
}

#[derive(Deserialize)]
struct Claimed {
    #[serde(rename = "type")]
    kind: Kind,
    aud: [AudTag; 1],
    exp: i64,
    iss: String,
    common_name: ClientId,
    secret_mark: SecretMark,
    #[serde(default)]
    epoch: i64,
    #[serde(default)]
    identity_nonce: Option<IgnoredAny>,
}

/// A text as the JWT of a service token that stands, for an application that `takes` its audience. The token is asked
/// for before the signature: who does not know a good one's mark costs us none.
pub fn verify(
    text: &str,
    snapshot: &Snapshot,
    takes: impl Fn(&AudTag) -> bool,
    now_ms: i64,
) -> Option<VerifiedService> {
    if text.len() > MAX_READ {
        return None;
    }
    let (message, signature) = text.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let (kid, key) = snapshot.keys.key_of_header(header)?;
    let claims: Claimed = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let [aud] = claims.aud;
    let for_this = claims.kind == Kind::App
        && claims.identity_nonce.is_none()
        && claims.iss == snapshot.organization.auth.origin()
        && takes(&aud);
    if !for_this {
        return None;
    }
    let verified = VerifiedService {
        aud,
        kid: kid.clone(),
        exp: claims.exp,
        epoch: claims.epoch,
        client_id: claims.common_name,
        mark: claims.secret_mark,
    };
    verified.proven(snapshot, now_ms)?;
    let signed = jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, Algorithm::RS256);
    matches!(signed, Ok(true)).then_some(verified)
}

/// The texts of a request that may be tokens of an application.
pub fn candidates(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let header = headers.get_all(TOKEN_HEADER).iter().take(cookies::MAX_SAME_NAME);
    let header = header.filter_map(|value| value.to_str().ok());
    cookies::values(headers, cookies::AUTHORIZATION).chain(header)
}

/// A machine that shows a JWT.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// Its service token.
    pub proven: Proven,
    /// What the JWT says.
    pub jwt: Rc<KnownJwt>,
}

/// A JWT that was verified.
#[derive(Debug)]
pub struct KnownJwt {
    /// What it says.
    pub verified: VerifiedService,
    /// The JWT as the value of a header.
    pub assertion: HeaderValue,
    sessions: SessionTable,
    /// Whether it is revoked, under which version of what is.
    revoked: Cell<(u64, bool)>,
}

impl KnownJwt {
    /// Whether the application's tokens were revoked since it was made. One atomic read where nothing was revoked since
    /// it was last asked.
    pub fn revoked(&self) -> bool {
        let version = self.sessions.tokens_version();
        let (asked, revoked) = self.revoked.get();
        if asked == version {
            return revoked;
        }
        let revoked = self.verified.epoch < self.sessions.token_epoch(&self.verified.aud);
        self.revoked.set((version, revoked));
        revoked
    }
}

/// Reads the JWTs of machines. One per core.
pub struct ServiceJwts {
    cache: RefCell<Cache<Sha256, Rc<KnownJwt>>>,
    sessions: SessionTable,
}

impl std::fmt::Debug for ServiceJwts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceJwts").finish_non_exhaustive()
    }
}

impl ServiceJwts {
    /// A reader that knows none yet. The table knows what was revoked.
    pub fn new(sessions: SessionTable) -> Self {
        Self {
            cache: RefCell::new(Cache::new(CACHE_CAPACITY)),
            sessions,
        }
    }

    /// Whether a text with this digest has been seen to be the JWT of a machine: then it is no person's token.
    pub fn knows(&self, digest: &Sha256) -> bool {
        self.cache.borrow().get(digest).is_some()
    }

    /// The machine whose JWT for this audience the request shows. JWTs of two service tokens are none.
    pub fn bearer(
        &self,
        snapshot: &Snapshot,
        aud: &AudTag,
        headers: &HeaderMap,
        now_ms: i64,
    ) -> Option<Bearer> {
        let mut found: Option<Bearer> = None;
        for text in candidates(headers) {
            let Some(bearer) = self.known(snapshot, aud, text, now_ms) else {
                continue;
            };
            if found
                .as_ref()
                .is_some_and(|other| other.proven.id() != bearer.proven.id())
            {
                return None;
            }
            found = found.or(Some(bearer));
        }
        found
    }

    fn known(&self, snapshot: &Snapshot, aud: &AudTag, text: &str, now_ms: i64) -> Option<Bearer> {
        if text.len() > MAX_READ {
            return None;
        }
        let digest = sha256(text.as_bytes());
        let cached = self.cache.borrow().get(&digest).cloned();
        let jwt = if let Some(jwt) = cached {
            jwt
        } else {
            let verified = verify(text, snapshot, |shown| shown == aud, now_ms)?;
            let assertion = HeaderValue::from_str(text).ok()?;
            let jwt = Rc::new(KnownJwt {
                verified,
                assertion,
                // Of no version yet, so that it is asked for.
                revoked: Cell::new((self.sessions.tokens_version().wrapping_sub(1), true)),
                sessions: self.sessions.clone(),
            });
            self.cache.borrow_mut().insert(digest, Rc::clone(&jwt));
            jwt
        };
        let proven = jwt.verified.proven(snapshot, now_ms)?;
        (jwt.verified.aud == *aud && !jwt.revoked()).then_some(Bearer { proven, jwt })
    }
}
