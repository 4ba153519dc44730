//! The key set by which a directory's ID tokens are verified.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::cached::Cached;
use super::discovery;
use super::errors::{EntraError, TokenRejected};
use super::outbound::Outbound;

/// Most keys in a set. Real sets have about ten.
const MAX_KEYS: usize = 100;
/// Shortest RSA modulus, in bytes: 2048 bits (RFC 7518 §3.3).
const MIN_MODULUS: usize = 256;
/// An unknown key id leads to one refresh, and to no other for this long.
const RENEWAL_PAUSE_MS: i64 = 5 * 60 * 1000;

/// RSA keys by key id: a directory's, or those of an external evaluation.
pub(crate) struct KeySet(HashMap<String, Arc<SigningKey>>);

/// A key that signatures are verified with.
pub(crate) struct SigningKey {
    pub(crate) decoding: DecodingKey,
    /// The issuer this key signs for; may hold `{tenantid}`.
    pub(super) issuer: Option<String>,
    /// The cloud the key belongs to: sets hold keys of other clouds.
    pub(super) instance_name: Option<String>,
}

/// What of a key is read. There is no `alg`: Microsoft's keys are RS256 keys.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: String,
    n: String,
    e: String,
    issuer: Option<String>,
    cloud_instance_name: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The key of a token, with one refresh where the set does not know it.
pub(super) async fn find(
    keys: &Arc<Cached<KeySet>>,
    kid: &str,
    outbound: &Outbound,
    jwks_uri: &Url,
    now_ms: i64,
) -> Result<Arc<SigningKey>, EntraError> {
    let fetch = || fetch(outbound.clone(), jwks_uri.clone());
    let set = keys.get(now_ms, fetch).await?;
    if let Some(key) = set.find(kid) {
        return Ok(key);
    }
    let again = || {
        tracing::info!(kid, "Fetching Microsoft's keys again after an unknown key id");
        fetch()
    };
    let renewed = keys.renew(&set, now_ms, RENEWAL_PAUSE_MS, again).await?;
    renewed
        .and_then(|set| set.find(kid))
        .ok_or_else(|| TokenRejected::KeyUnknown.into())
}

async fn fetch(outbound: Outbound, jwks_uri: Url) -> Result<KeySet, EntraError> {
    let body = discovery::get(&outbound, jwks_uri.as_str(), "the directory's keys").await?;
    KeySet::parse(&body).map_err(|reason| EntraError::Unavailable {
        what: "the directory's keys",
        reason: reason.to_owned(),
        retry_after: None,
    })
}

impl KeySet {
    /// Reads a set. Keys of other kinds are passed over: a set may hold them beside those that count.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, &'static str> {
        let document: Document = serde_json::from_slice(body).map_err(|_| "no key set")?;
        if document.keys.len() > MAX_KEYS {
            return Err("too many keys");
        }
        let mut keys = HashMap::new();
        for jwk in document.keys {
            if let Some((kid, key)) = serde_json::from_value(jwk).ok().and_then(usable) {
                keys.entry(kid).or_insert(Arc::new(key));
            }
        }
        if keys.is_empty() {
            return Err("no usable key");
        }
        Ok(Self(keys))
    }

    pub(crate) fn find(&self, kid: &str) -> Option<Arc<SigningKey>> {
        self.0.get(kid).cloned()
    }

    /// The key of a set that has no other.
    pub(crate) fn only(&self) -> Option<Arc<SigningKey>> {
        let mut keys = self.0.values();
        keys.next().filter(|_| keys.next().is_none()).cloned()
    }
}

fn usable(jwk: Jwk) -> Option<(String, SigningKey)> {
    let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
    let rs256 = jwk.kty == "RSA" && jwk.alg.as_deref().is_none_or(|alg| alg == "RS256");
    // Base64url: four characters for three bytes.
    let long_enough = jwk.n.len() * 3 / 4 >= MIN_MODULUS;
    if !(for_signatures && rs256 && long_enough) || jwk.kid.is_empty() {
        return None;
    }
    let decoding = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).ok()?;
    let key = SigningKey {
        decoding,
        issuer: jwk.issuer,
        instance_name: jwk.cloud_instance_name,
    };
    Some((jwk.kid, key))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;
    use crate::entra::testing::Stub;

    const BEFORE: &str =
        include_str!("../../tests/fixtures/entra/jwks/public_tenant_v2_before_rollover.json");
    const AFTER: &str = include_str!("../../tests/fixtures/entra/jwks/public_tenant_v2.json");
    const NEW_KID: &str = "SnTFcocOyuG8mPGLPKPdz53c8n0";
    const OLD_KID: &str = "rq72u5s0x7tBzClTbijo-u1_Pw4";

    async fn stub(body: &str) -> Stub {
        Stub::start(HashMap::from([("/keys", (200, vec![], body.to_owned()))])).await
    }

    async fn look_for(
        cache: &Arc<Cached<KeySet>>,
        stub: &Stub,
        kid: &str,
        now_ms: i64,
    ) -> Result<Arc<SigningKey>, EntraError> {
        let uri = stub.at("/keys").parse().unwrap();
        find(cache, kid, &Outbound::new().unwrap(), &uri, now_ms).await
    }

    #[tokio::test]
    async fn a_new_key_is_found_by_exactly_one_refresh() {
        let (cache, stub) = (Arc::new(Cached::new()), stub(BEFORE).await);
        look_for(&cache, &stub, OLD_KID, 0).await.unwrap();
        stub.answer("/keys", 200, AFTER);
        let (one, other) = tokio::join!(
            look_for(&cache, &stub, NEW_KID, 1),
            look_for(&cache, &stub, NEW_KID, 1)
        );
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(stub.asked("/keys"), 2);
        look_for(&cache, &stub, OLD_KID, 2).await.unwrap();
        assert_eq!(stub.asked("/keys"), 2);
    }

    #[tokio::test]
    async fn an_unknown_key_is_asked_for_once_in_five_minutes() {
        let (cache, stub) = (Arc::new(Cached::new()), stub(AFTER).await);
        look_for(&cache, &stub, OLD_KID, 0).await.unwrap();
        for now_ms in [1, 2, RENEWAL_PAUSE_MS] {
            let unknown = look_for(&cache, &stub, "nobody", now_ms).await;
            assert!(matches!(
                unknown,
                Err(EntraError::IdToken(TokenRejected::KeyUnknown))
            ));
            assert_eq!(stub.asked("/keys"), 2, "at {now_ms}");
        }
        assert!(
            look_for(&cache, &stub, "nobody", RENEWAL_PAUSE_MS + 1)
                .await
                .is_err()
        );
        assert_eq!(stub.asked("/keys"), 3);
    }

    #[tokio::test]
    async fn the_last_good_set_outlives_an_outage() {
        let (cache, stub) = (Arc::new(Cached::new()), stub(AFTER).await);
        look_for(&cache, &stub, OLD_KID, 0).await.unwrap();
        stub.answer("/keys", 503, "<html>down</html>");
        let two_days_ms = 2 * 24 * 60 * 60 * 1000;
        assert!(look_for(&cache, &stub, OLD_KID, two_days_ms).await.is_ok());
    }

    #[test]
    fn only_rsa_signature_keys_of_2048_bits_count() {
        let real: Value = serde_json::from_str(AFTER).unwrap();
        let with = |name: &str, value: Value| {
            let mut key = real["keys"][0].clone();
            key[name] = value;
            KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).is_ok()
        };
        assert!(with("alg", "RS256".into()));
        assert!(!with("alg", "RS512".into()));
        assert!(!with("use", "enc".into()));
        assert!(!with("kty", "EC".into()));
        assert!(!with("kid", "".into()));
        assert!(!with("n", "AQAB".into()));
        let many = vec![real["keys"][0].clone(); MAX_KEYS + 1];
        assert_eq!(
            KeySet::parse(json!({ "keys": many }).to_string().as_bytes()).err(),
            Some("too many keys")
        );
    }
}
