//! Our signing keys: making, rotating and signing with them.
//!
//! Two keys always stand in `certs`: the *current* one signs, the *next* one waits, so that validators which cache
//! know it long before it signs. Rotation promotes the next one by compare-and-set, so that of several replicas one
//! does it, makes another next one, and leaves the *previous* one trusted for seven days.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::token::header_segment;
use crate::clock::Clock;
use crate::crypto::digest::sha256_hex;
use crate::crypto::seal::{Purpose, Sealer};
use crate::model::ids::KeyId;
use crate::store::{Actor, ActorKind, KeyState, SigningKeyRow, Store, StoreError};

const DAY_MS: i64 = 86_400_000;
/// How long a previous key stays trusted: seven days, as at Access. Longer than any application token lives by default.
pub const PREVIOUS_TRUSTED_MS: i64 = 7 * DAY_MS;
/// Signatures in work at once. RSA signing takes a core for about a millisecond; logins come in bursts.
const SIGNATURES_AT_ONCE: usize = 2;

/// Why a key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library refused.
    #[error("the signing key cannot be made or read: {0}")]
    Crypto(Box<dyn std::error::Error + Send + Sync>),
    /// The stored key is sealed under another master key, or damaged.
    #[error("signing key {0} cannot be opened: the master key is not the one it was sealed with")]
    Sealed(KeyId),
    /// There is no key to sign with.
    #[error("there is no signing key")]
    None,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeyError {
    fn crypto(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Crypto(error.into())
    }
}

/// A new key with what others need to verify its signatures.
#[derive(Debug)]
pub struct KeyMaterial {
    /// Its id: SHA-256 of the public key.
    pub kid: KeyId,
    /// The private key, PKCS#8 in PEM.
    pub private_pem: SecretString,
    /// The public key as `certs` shows it.
    pub public_jwk: Value,
    /// A self-signed certificate of it, PEM, for validators that want X.509.
    pub certificate: String,
}

impl KeyMaterial {
    /// Makes an RSA key of 2048 bits, the size that every validator of Access tokens takes. Blocks for a moment.
    pub fn generate(now_ms: i64) -> Result<Self, KeyError> {
        let pair =
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(KeyError::crypto)?;
        let private_pem = SecretString::from(pair.serialize_pem());
        let encoding = encoding_key(&private_pem)?;
        let jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256).map_err(KeyError::crypto)?;
        let AlgorithmParameters::RSA(public) = jwk.algorithm else {
            return Err(KeyError::crypto("not an RSA key"));
        };
        let (modulus, exponent) = (public.n, public.e);
        let kid = sha256_hex(modulus.as_bytes());
        let public_jwk =
            json!({"kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "e": exponent, "n": modulus});
        let certificate = certificate(&pair, &kid, now_ms)?;
        Ok(Self {
            kid: kid.parse().map_err(KeyError::crypto)?,
            private_pem,
            public_jwk,
            certificate,
        })
    }

    fn into_row(self, state: KeyState, sealer: &Sealer, now_ms: i64) -> SigningKeyRow {
        let private = self.private_pem.expose_secret().as_bytes();
        SigningKeyRow {
            private_sealed: sealer.seal(Purpose::SigningKey, self.kid.as_str().as_bytes(), private, now_ms),
            kid: self.kid,
            public_jwk: self.public_jwk,
            certificate: self.certificate,
            state,
            created_ms: now_ms,
            signs_from_ms: (state == KeyState::Current).then_some(now_ms),
            retires_ms: None,
        }
    }
}

fn certificate(pair: &KeyPair, kid: &str, now_ms: i64) -> Result<String, KeyError> {
    let mut params = CertificateParams::default();
    let name = format!("Vestibule signing key {}", kid.get(..16).unwrap_or(kid));
    params.distinguished_name.push(DnType::CommonName, name);
    let today = jiff::Timestamp::from_millisecond(now_ms)
        .map_err(KeyError::crypto)?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let day = |date: jiff::civil::Date, years: i32| {
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs().min(28));
        rcgen::date_time_ymd(i32::from(date.year()) + years, month, day)
    };
    // Yesterday's month start tolerates slow clocks; the end lies beyond every rotation.
    params.not_before = day(today.first_of_month(), 0);
    params.not_after = day(today, 2);
    Ok(params.self_signed(pair).map_err(KeyError::crypto)?.pem())
}

fn encoding_key(private_pem: &SecretString) -> Result<EncodingKey, KeyError> {
    EncodingKey::from_rsa_pem(private_pem.expose_secret().as_bytes()).map_err(KeyError::crypto)
}

/// Signs tokens with the current key, a few at a time and never on a core of the data plane. Cheap to clone.
#[derive(Clone)]
pub struct Signer {
    current: Arc<ArcSwapOption<SigningKey>>,
    pool: Arc<Semaphore>,
}

struct SigningKey {
    kid: KeyId,
    header: String,
    encoding: EncodingKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

impl Signer {
    /// A signer that has no key yet.
    pub fn new() -> Self {
        Self {
            current: Arc::new(ArcSwapOption::empty()),
            pool: Arc::new(Semaphore::new(SIGNATURES_AT_ONCE)),
        }
    }

    /// Takes up the current key among the stored ones, and puts down the one before it in any case.
    ///
    /// # Errors
    /// [`KeyError::None`] without a current key, [`KeyError::Sealed`] under another master key.
    pub fn take_up(&self, rows: &[SigningKeyRow], sealer: &Sealer, now_ms: i64) -> Result<(), KeyError> {
        let row = rows.iter().find(|row| row.state == KeyState::Current);
        if let (Some(key), Some(row)) = (self.current.load().as_ref(), row)
            && key.kid == row.kid
        {
            return Ok(());
        }
        self.current.store(None);
        let row = row.ok_or(KeyError::None)?;
        let private = sealer
            .open(
                Purpose::SigningKey,
                row.kid.as_str().as_bytes(),
                &row.private_sealed,
                now_ms,
            )
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| KeyError::Sealed(row.kid.clone()))?;
        let key = SigningKey {
            kid: row.kid.clone(),
            header: header_segment(&row.kid),
            encoding: encoding_key(&SecretString::from(private))?,
        };
        self.current.store(Some(Arc::new(key)));
        Ok(())
    }

    /// Signs claims as a compact RS256 token.
    pub async fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        use base64::Engine as _;
        let key = self.current.load_full().ok_or(KeyError::None)?;
        let claims = serde_json::to_vec(claims).map_err(KeyError::crypto)?;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        let message = format!("{}.{claims}", key.header);
        let _permit = self.pool.acquire().await.map_err(KeyError::crypto)?;
        tokio::task::spawn_blocking(move || {
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key.encoding, Algorithm::RS256)
                .map_err(KeyError::crypto)?;
            Ok(format!("{message}.{signature}"))
        })
        .await
        .map_err(KeyError::crypto)?
    }
}

/// Makes the first two keys of an organization, and what is missing of two after a revocation.
pub async fn ensure(store: &Store, sealer: &Sealer, clock: &Clock) -> Result<(), KeyError> {
    let rows = store.signing_keys().await?;
    let has = |state| rows.iter().any(|row| row.state == state);
    if !has(KeyState::Next) {
        add(store, sealer, clock, KeyState::Next).await?;
    }
    if !has(KeyState::Current) {
        // Promotion by compare-and-set from "none": two replicas starting at once end with one current key.
        promote(store, sealer, clock, &itself()).await?;
    }
    Ok(())
}

/// Rotates if the current key has signed for so many days, and forgets keys that nobody trusts any longer.
///
/// Gives whether it rotated.
pub async fn rotate_if_due(
    store: &Store,
    sealer: &Sealer,
    clock: &Clock,
    days: u16,
) -> Result<bool, KeyError> {
    let interval_ms = i64::from(days) * DAY_MS;
    let now = clock.now_ms();
    store.forget_signing_keys(now).await?;
    let rows = store.signing_keys().await?;
    let current = rows.iter().find(|row| row.state == KeyState::Current);
    let fresh = |row: &SigningKeyRow| row.signs_from_ms.is_some_and(|from| now - from < interval_ms);
    if current.is_some_and(fresh) {
        return Ok(false);
    }
    // Whoever withdrew a key may not have got round to putting another in its place.
    ensure(store, sealer, clock).await?;
    if current.is_none() {
        return Ok(true);
    }
    promote(store, sealer, clock, &itself()).await
}

/// Rotates now, on somebody's word. Gives whether this call did it: of several at once, one does.
pub async fn rotate(store: &Store, sealer: &Sealer, clock: &Clock, actor: &Actor) -> Result<bool, KeyError> {
    promote(store, sealer, clock, actor).await
}

/// Who changes keys when it is time.
fn itself() -> Actor {
    Actor {
        kind: ActorKind::System,
        name: "rotation of keys".to_owned(),
    }
}

/// Withdraws a key at once: no token signed with it is accepted any longer. A withdrawn current key is replaced.
///
/// Gives whether there was such a key.
pub async fn revoke(
    store: &Store,
    sealer: &Sealer,
    clock: &Clock,
    kid: &KeyId,
    actor: &Actor,
) -> Result<bool, KeyError> {
    let known = store.revoke_signing_key(kid, actor).await?;
    ensure(store, sealer, clock).await?;
    Ok(known)
}

async fn promote(store: &Store, sealer: &Sealer, clock: &Clock, actor: &Actor) -> Result<bool, KeyError> {
    let rows = store.signing_keys().await?;
    let current = rows
        .iter()
        .find(|row| row.state == KeyState::Current)
        .map(|row| &row.kid);
    let next = rows
        .iter()
        .filter(|row| row.state == KeyState::Next)
        .min_by_key(|row| row.created_ms);
    let Some(next) = next else {
        return Err(KeyError::None);
    };
    let now = clock.now_ms();
    let promoted = store
        .promote_signing_key(current, &next.kid, (now, now + PREVIOUS_TRUSTED_MS), actor)
        .await?;
    if promoted {
        add(store, sealer, clock, KeyState::Next).await?;
    }
    Ok(promoted)
}

async fn add(store: &Store, sealer: &Sealer, clock: &Clock, state: KeyState) -> Result<(), KeyError> {
    let now = clock.now_ms();
    let material = tokio::task::spawn_blocking(move || KeyMaterial::generate(now))
        .await
        .map_err(KeyError::crypto)??;
    store
        .add_signing_key(&material.into_row(state, sealer, now))
        .await?;
    Ok(())
}
