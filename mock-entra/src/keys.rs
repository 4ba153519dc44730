//! The signing keys of the mock and the key sets it publishes.
//!
//! Microsoft signs with RSA keys of 2048 bit, publishes several at once, names each by the SHA-1 thumbprint
//! of its certificate and rolls over without notice.
//! <https://learn.microsoft.com/entra/identity-platform/signing-key-rollover>

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::jose::{base64url, signing_input, with_signature};

/// How many keys a set publishes: the one that signs and those before it, as Microsoft keeps them for a while.
const PUBLISHED: usize = 3;

/// The first key of every mock of this process. Making one takes a quarter of a second, which a suite that starts a
/// mock for each test would pay again and again; keys after a rotation, and apps' own keys, are always fresh.
static FIRST_KEY: Mutex<Option<Arc<SigningKey>>> = Mutex::new(None);

/// Why a signing key could not be made. Only a broken machine gets here.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a signing key: {0}")]
pub struct KeyFailure(String);

impl KeyFailure {
    /// A key set without keys.
    pub(crate) fn none() -> Self {
        Self("the key set is empty".to_owned())
    }
}

/// One signing key with its certificate.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    certificate: Vec<u8>,
    /// `kid` and `x5t` alike: base64url of the certificate's SHA-1.
    kid: String,
}

impl SigningKey {
    /// Makes a fresh key of 2048 bit and a self-signed certificate for it.
    pub(crate) fn generate() -> Result<Self, KeyFailure> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyFailure("no RSA key".to_owned()))?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyFailure("no PKCS#8".to_owned()))?;
        let certificate = self_signed(pkcs8.as_ref()).map_err(|error| KeyFailure(error.to_string()))?;
        let kid = base64url(digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate));
        Ok(Self {
            pair,
            certificate,
            kid,
        })
    }

    /// A compact token over these claims, signed RS256, with Entra's JOSE header.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid });
        let input = signing_input(&header, claims);
        with_signature(&input, &self.signature(input.as_bytes()))
    }

    /// The RSA modulus, big-endian: what a client that mistakes the public key for an HMAC secret would use.
    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.pair
            .public_key()
            .modulus()
            .big_endian_without_leading_zero()
            .to_vec()
    }

    /// The name of this key.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        // Signing with a whole key cannot fail; were it to, the token would carry zeros and be refused.
        let _ = self
            .pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signature
    }

    /// The key as Microsoft publishes it: no `alg`, but certificate, issuer and cloud.
    fn jwk(&self, issuer: &str, cloud: &str) -> Value {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": base64url(public.modulus().big_endian_without_leading_zero()),
            "e": base64url(public.exponent().big_endian_without_leading_zero()),
            "x5c": [STANDARD.encode(&self.certificate)],
            "issuer": issuer,
            "cloud_instance_name": cloud,
        })
    }
}

fn self_signed(pkcs8: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &rcgen::PKCS_RSA_SHA256)?;
    let mut parameters = rcgen::CertificateParams::default();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "accounts.accesscontrol.windows.net");
    Ok(parameters.self_signed(&key)?.der().to_vec())
}

/// The keys of one publisher, newest first; the newest signs.
#[derive(Clone)]
pub(crate) struct KeySet {
    keys: Vec<Arc<SigningKey>>,
}

impl KeySet {
    /// A set of one key that no other set has.
    pub(crate) fn generate() -> Result<Self, KeyFailure> {
        Ok(Self {
            keys: vec![Arc::new(SigningKey::generate()?)],
        })
    }

    /// The set every mock of this process begins with.
    pub(crate) fn first() -> Result<Self, KeyFailure> {
        let mut first = FIRST_KEY.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match &*first {
            Some(key) => Arc::clone(key),
            None => Arc::clone(first.insert(Arc::new(SigningKey::generate()?))),
        };
        Ok(Self { keys: vec![key] })
    }

    /// Lets a new key sign from now on; the ones before stay published, up to [`PUBLISHED`].
    pub(crate) fn rotate(&mut self, fresh: SigningKey) {
        self.keys.insert(0, Arc::new(fresh));
        self.keys.truncate(PUBLISHED);
    }

    /// Withdraws every key but the one that signs.
    pub(crate) fn forget_old(&mut self) {
        self.keys.truncate(1);
    }

    /// The key that signs now.
    pub(crate) fn current(&self) -> Option<Arc<SigningKey>> {
        self.keys.first().cloned()
    }

    /// The published key set; `issuer` stands on every key.
    pub(crate) fn jwks(&self, issuer: &str, cloud: &str) -> Value {
        json!({ "keys": self.keys.iter().map(|key| key.jwk(issuer, cloud)).collect::<Vec<_>>() })
    }
}
