//! Tokens, held against the keys of the auth host that is said to have signed them.

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::obtain::Obtained;
use super::trouble::Trouble;
use super::web::Web;
use crate::model::ids::AudTag;
use crate::model::organization::AuthUrl;

/// Most keys in a set. Auth hosts have two or three.
const MAX_KEYS: usize = 100;

/// Seconds by which this machine's clock may differ from the auth host's. Whether a token still counts, the gateway says.
const CLOCKS_DIFFER: u64 = 5 * 60;

/// The keys of an auth host.
pub(super) struct Keys {
    by_id: HashMap<String, DecodingKey>,
    issuer: String,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    n: String,
    e: String,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    email: String,
    exp: i64,
}

impl Keys {
    /// Fetches them.
    pub(super) async fn of(web: &Web, auth: &AuthUrl) -> Result<Self, Trouble> {
        let none = || Trouble::Unavailable(format!("{} shows no keys", auth.host()));
        let address: Url = auth
            .address("/cdn-cgi/access/certs")
            .parse()
            .map_err(|_| none())?;
        let reply = web.get(&address, &[]).await?;
        let document: Document = serde_json::from_slice(&reply.body).map_err(|_| none())?;
        let usable = document
            .keys
            .into_iter()
            .take(MAX_KEYS)
            .filter(|key| key.kty == "RSA");
        let by_id: HashMap<_, _> = usable
            .filter_map(|key| {
                let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
                Some((key.kid, decoding))
            })
            .collect();
        if by_id.is_empty() {
            return Err(none());
        }
        Ok(Self {
            by_id,
            issuer: auth.origin().to_owned(),
        })
    }

    /// The claims of a text that one of the keys signed, whatever its time.
    pub(super) fn verify_timeless<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        let mut checks = Validation::new(Algorithm::RS256);
        checks.validate_exp = false;
        checks.validate_aud = false;
        checks.required_spec_claims.clear();
        self.decode(text, &checks)
    }

    /// A token for an application, if it is one and good now.
    pub(super) fn application_token(&self, text: &str, aud: &AudTag) -> Option<Obtained> {
        let mut checks = Validation::new(Algorithm::RS256);
        checks.set_audience(&[aud.as_str()]);
        self.token(text, "app", checks)
    }

    /// An organization token, likewise.
    pub(super) fn organization_token(&self, text: &str) -> Option<Obtained> {
        let mut checks = Validation::new(Algorithm::RS256);
        checks.validate_aud = false;
        self.token(text, "org", checks)
    }

    fn token(&self, text: &str, kind: &str, mut checks: Validation) -> Option<Obtained> {
        checks.set_issuer(&[self.issuer.as_str()]);
        checks.leeway = CLOCKS_DIFFER;
        checks.validate_nbf = true;
        let claims: Claims = self.decode(text, &checks)?;
        (claims.kind == kind).then(|| Obtained {
            text: text.to_owned(),
            email: claims.email,
            expires: claims.exp,
        })
    }

    fn decode<T: DeserializeOwned>(&self, text: &str, checks: &Validation) -> Option<T> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        let key = self.by_id.get(&header.kid?)?;
        let decoded = jsonwebtoken::decode::<T>(text, key, checks).ok()?;
        Some(decoded.claims)
    }
}
