//! The keys whose signatures are good.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::Value;

use crate::model::ids::KeyId;
use crate::store::{KeyState, SigningKeyRow};

/// Our public keys: those that sign, signed until lately, or will sign. Never a revoked one.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: Vec<VerificationKey>,
}

/// A public key of ours.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    /// Its id.
    pub kid: KeyId,
    /// Where it stands in its life.
    pub state: KeyState,
    /// When it is no longer trusted, milliseconds since 1970; `None` while that is not decided.
    pub retires_ms: Option<i64>,
    /// The key, ready to verify.
    pub decoding: DecodingKey,
    /// The key as `certs` publishes it.
    pub jwk: Value,
    /// Its certificate, PEM.
    pub certificate: String,
}

impl KeyRing {
    /// The keys that are good at `now_ms`, the one that signs first, and the ids of those that cannot be read.
    pub(super) fn new(rows: &[SigningKeyRow], now_ms: i64) -> (Self, Vec<KeyId>) {
        let mut keys = Vec::new();
        let mut unreadable = Vec::new();
        for row in rows {
            let retired = row.retires_ms.is_some_and(|retires| retires <= now_ms);
            if row.state == KeyState::Revoked || retired {
                continue;
            }
            match decoding_key(&row.public_jwk) {
                Some(decoding) => keys.push(VerificationKey {
                    kid: row.kid.clone(),
                    state: row.state,
                    retires_ms: row.retires_ms,
                    decoding,
                    jwk: row.public_jwk.clone(),
                    certificate: row.certificate.clone(),
                }),
                None => unreadable.push(row.kid.clone()),
            }
        }
        // Some validators look at the first key only.
        keys.sort_by_key(|key| key.state != KeyState::Current);
        (Self { keys }, unreadable)
    }

    /// All keys, the one that signs first.
    pub fn keys(&self) -> &[VerificationKey] {
        &self.keys
    }

    /// The key of this id, as a token's header names it.
    pub fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.keys.iter().find(|key| key.kid.as_str() == kid)
    }

    /// Whether signatures of this key are good.
    pub fn trusts(&self, kid: &KeyId) -> bool {
        self.find(kid.as_str()).is_some()
    }

    /// The key that signs.
    pub fn current(&self) -> Option<&VerificationKey> {
        self.keys.iter().find(|key| key.state == KeyState::Current)
    }
}

/// An RSA key: nothing else verifies our tokens.
fn decoding_key(jwk: &Value) -> Option<DecodingKey> {
    if jwk.get("kty").and_then(Value::as_str) != Some("RSA") {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
    DecodingKey::from_jwk(&jwk).ok()
}
