//! The verdict: a compact JWS, read before its key is known and believed after.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::NotEvaluated;
use crate::crypto::equal::constant_time;

/// Most bytes of a token. One with a 4096-bit signature has about 1 kB.
const MAX_LENGTH: usize = 16 * 1024;
/// How far the service's clock and ours may differ, in seconds, where it dates an answer ahead. An end is an end.
const SKEW: i64 = 60;

/// A verdict whose signature has not been checked yet.
pub(super) struct Answer<'t> {
    signed: &'t str,
    signature: &'t str,
    key_id: Option<String>,
    claims: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    success: bool,
    nonce: String,
    iat: i64,
    exp: i64,
}

impl<'t> Answer<'t> {
    /// Reads a token whose algorithm is acceptable: RS256, and no other.
    pub(super) fn read(token: &'t str) -> Result<Self, NotEvaluated> {
        const NO_TOKEN: NotEvaluated = NotEvaluated::Refused("it is no token");
        if token.len() > MAX_LENGTH {
            return Err(NO_TOKEN);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NO_TOKEN)?;
        let (header, claims) = signed.split_once('.').ok_or(NO_TOKEN)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| NO_TOKEN);
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| NO_TOKEN)?;
        if header.alg != "RS256" || header.crit.is_some() {
            return Err(NotEvaluated::Refused("alg is not RS256"));
        }
        Ok(Self {
            signed,
            signature,
            key_id: header.kid,
            claims: decoded(claims)?,
        })
    }

    /// The key it names, if it names one.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What it says, if it is signed, answers this question and is still good.
    pub(super) fn verify(&self, key: &DecodingKey, nonce: &str, now: i64) -> Result<bool, NotEvaluated> {
        let signed =
            jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, Algorithm::RS256);
        if !matches!(signed, Ok(true)) {
            return Err(NotEvaluated::Refused("signature"));
        }
        let claims: Claims = serde_json::from_slice(&self.claims)
            .map_err(|_| NotEvaluated::Refused("success, nonce, iat or exp is missing or malformed"))?;
        if !constant_time(claims.nonce.as_bytes(), nonce.as_bytes()) {
            return Err(NotEvaluated::Refused("nonce"));
        }
        if claims.exp <= now {
            return Err(NotEvaluated::Refused("exp has passed"));
        }
        if claims.iat > now.saturating_add(SKEW) {
            return Err(NotEvaluated::Refused("iat lies ahead"));
        }
        Ok(claims.success)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header as Jose};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_767_226_200;
    const NONCE: &str = "n-0S6_WzA2Mj";

    struct Service {
        private: EncodingKey,
        public: DecodingKey,
    }

    impl Service {
        fn new() -> Self {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
            Self {
                private: EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap(),
                public: DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap(),
            }
        }

        fn says(&self, claims: &Value) -> Result<bool, String> {
            let token = jsonwebtoken::encode(&Jose::new(Algorithm::RS256), claims, &self.private).unwrap();
            self.check(&token)
        }

        fn check(&self, token: &str) -> Result<bool, String> {
            Answer::read(token)
                .and_then(|answer| answer.verify(&self.public, NONCE, NOW))
                .map_err(|error| error.to_string())
        }
    }

    fn yes() -> Value {
        json!({ "success": true, "nonce": NONCE, "iat": NOW, "exp": NOW + 60 })
    }

    fn but(name: &str, value: Value) -> Value {
        let mut claims = yes();
        claims[name] = value;
        claims
    }

    #[test]
    fn a_verdict_is_yes_or_no_and_everything_else_is_neither() {
        let service = Service::new();
        assert_eq!(service.says(&yes()), Ok(true));
        assert_eq!(service.says(&but("success", false.into())), Ok(false));
        for (claims, check) in [
            (but("success", "true".into()), "missing or malformed"),
            (but("success", 1.into()), "missing or malformed"),
            (but("success", Value::Null), "missing or malformed"),
            (but("nonce", "another".into()), "nonce"),
            (but("nonce", Value::Null), "missing or malformed"),
            (but("exp", NOW.into()), "exp has passed"),
            (but("exp", Value::Null), "missing or malformed"),
            (but("iat", (NOW + 3600).into()), "iat lies ahead"),
            (json!({}), "missing or malformed"),
        ] {
            let refused = service.says(&claims).unwrap_err();
            assert!(refused.ends_with(check), "{claims}: {refused}");
        }
    }

    #[test]
    fn only_an_rs256_signature_of_its_key_counts() {
        let service = Service::new();
        assert!(Service::new().says(&yes()).is_ok(), "each by its own key");
        let other = Service::new();
        let token = jsonwebtoken::encode(&Jose::new(Algorithm::RS256), &yes(), &other.private).unwrap();
        assert!(service.check(&token).unwrap_err().ends_with("signature"));
        let rs512 = jsonwebtoken::encode(&Jose::new(Algorithm::RS512), &yes(), &service.private).unwrap();
        assert!(service.check(&rs512).unwrap_err().ends_with("alg is not RS256"));
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let unsigned = format!("{}.{}.", encoded(&json!({ "alg": "none" })), encoded(&yes()));
        assert!(
            service
                .check(&unsigned)
                .unwrap_err()
                .ends_with("alg is not RS256")
        );
        let critical = json!({ "alg": "RS256", "crit": ["exp"] });
        let critical = format!("{}.{}.x", encoded(&critical), encoded(&yes()));
        assert!(
            service
                .check(&critical)
                .unwrap_err()
                .ends_with("alg is not RS256")
        );
        for garbage in ["", "a.b", "a.b.c", "....", "<html>no</html>"] {
            assert!(service.check(garbage).is_err(), "{garbage}");
        }
        assert!(service.check(&"A".repeat(MAX_LENGTH + 1)).is_err());
    }
}
