//! The tokens we sign, and how one of ours is told from everything else.
//!
//! A token is accepted in the order of cost: its size, its header byte for byte as we write it, its claims, its
//! signature. There is no choice of algorithm to be confused about: the header of each trusted key is known in
//! advance, and what does not begin with one of them is not ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::crypto::digest::sha256_hex;
use crate::model::ids::{AccountId, AudTag, KeyId, SessionNonce};
use crate::snapshot::KeyRing;

/// The longest token that is looked at, in bytes. Ours stay below [`MAX_WRITTEN`].
pub const MAX_READ: usize = 4096;
/// The longest token that is written, in bytes: cookies end at 4096 with name and attributes (RFC 6265 §6.1).
pub const MAX_WRITTEN: usize = 3500;

/// What a token is for. Each kind has its own `type` and its own audience, and both are demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Opens one application.
    App,
    /// Stands for the organization session on the auth host.
    Org,
}

/// Claims of an application token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppClaims {
    /// The application's audience tag, alone in an array: several validators accept nothing else.
    pub aud: [AudTag; 1],
    /// The person's address; empty where the directory gave none.
    pub email: String,
    /// End, seconds since 1970.
    pub exp: i64,
    /// Issue, seconds since 1970.
    pub iat: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// Origin of the auth host, without trailing slash.
    pub iss: String,
    /// [`Kind::App`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The session.
    pub identity_nonce: SessionNonce,
    /// Our user.
    pub sub: String,
    /// Country at login; empty where unknown.
    pub country: String,
    /// Authentication methods, where the provider tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Ours: the epoch of the application's tokens it was minted in ([`crate::store::TokensOf`]); left out while it is 0.
    #[serde(default, skip_serializing_if = "is_first_epoch")]
    pub epoch: i64,
    /// Ours: tells tokens of one second apart where each is good for one navigation; left out elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Claims the provider is configured to copy, where they fit.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub custom: Map<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_first_epoch(epoch: &i64) -> bool {
    *epoch == 0
}

/// Claims of an organization token. Groups are left out: they belong to the session, not into a cookie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrgClaims {
    /// [`Kind::Org`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The organization's audience.
    pub aud: [AudTag; 1],
    /// The person's address.
    pub email: String,
    /// The account.
    pub account_id: AccountId,
    /// Origin of the auth host.
    pub iss: String,
    /// Our user.
    pub sub: String,
    /// Issue, seconds since 1970.
    pub iat: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// End, seconds since 1970.
    pub exp: i64,
    /// The session.
    pub identity_nonce: SessionNonce,
    /// A part of the identity in the shape of `get-identity`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub identity: Value,
}

/// The audience of organization tokens: like an application's, but derived from the account.
pub fn organization_audience(account: &AccountId) -> Option<AudTag> {
    sha256_hex(format!("organization\n{account}").as_bytes())
        .parse()
        .ok()
}

/// The first segment of every token signed with this key.
pub fn header_segment(kid: &KeyId) -> String {
    URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"RS256","kid":"{kid}","typ":"JWT"}}"#))
}

/// What every token of ours says; enough to know which session and key to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its kind.
    pub kind: Kind,
    /// Its audience.
    pub aud: AudTag,
    /// The key it was signed with.
    pub kid: KeyId,
    /// Its session.
    pub nonce: SessionNonce,
    /// Its end, seconds since 1970.
    pub exp: i64,
    /// Its issue, seconds since 1970.
    pub iat: i64,
    /// The epoch it was minted in.
    pub epoch: i64,
}

/// Why a text is not a token of ours for what it was shown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Not three segments, too long, or not text as base64url writes it.
    #[error("it has not the shape of a token")]
    Shape,
    /// The header is not one that we write with a trusted key.
    #[error("its header names no trusted key")]
    Header,
    /// The claims are not ours or lack one.
    #[error("its claims are malformed")]
    Claims,
    /// Another kind or audience than demanded here.
    #[error("it is for something else")]
    Audience,
    /// Another organization.
    #[error("it is from another issuer")]
    Issuer,
    /// Past its end, or before its beginning.
    #[error("it has expired or is not valid yet")]
    Time,
    /// The signature does not hold.
    #[error("its signature is wrong")]
    Signature,
}

/// What a token must say to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The kind demanded.
    pub kind: Kind,
    /// The audience demanded.
    pub aud: &'a AudTag,
    /// The issuer.
    pub issuer: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// A key whose signatures are trusted.
pub trait TrustedKeys {
    /// The key whose tokens begin with this segment.
    fn key_of_header(&self, segment: &str) -> Option<(&KeyId, &DecodingKey)>;
}

impl TrustedKeys for KeyRing {
    fn key_of_header(&self, segment: &str) -> Option<(&KeyId, &DecodingKey)> {
        let key = self
            .keys()
            .iter()
            .find(|key| header_segment(&key.kid) == segment)?;
        Some((&key.kid, &key.decoding))
    }
}

/// Clocks of replicas may differ by this much; tokens are valid for hours.
const NOT_BEFORE_SKEW_SECONDS: i64 = 60;

#[derive(Deserialize)]
struct CommonClaims {
    #[serde(rename = "type")]
    kind: Kind,
    aud: [AudTag; 1],
    iss: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    #[serde(default)]
    epoch: i64,
    identity_nonce: SessionNonce,
}

/// Accepts a token of ours, or says why not. The one costly step, the signature, comes last.
///
/// # Errors
/// [`TokenRefused`] with the first check that failed, in the order of cost.
pub fn verify<K: TrustedKeys>(token: &str, keys: &K, demand: Demand<'_>) -> Result<Verified, TokenRefused> {
    verify_late(token, keys, demand, 0)
}

/// [`verify`] that takes a token up to `late` seconds past its end too. Such a token opens nothing: at most it is renewed.
///
/// # Errors
/// As [`verify`].
pub fn verify_late<K: TrustedKeys>(
    token: &str,
    keys: &K,
    demand: Demand<'_>,
    late: i64,
) -> Result<Verified, TokenRefused> {
    if token.len() > MAX_READ {
        return Err(TokenRefused::Shape);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenRefused::Shape)?;
    let (header, claims) = message.split_once('.').ok_or(TokenRefused::Shape)?;
    if claims.contains('.') {
        return Err(TokenRefused::Shape);
    }
    let (kid, key) = keys.key_of_header(header).ok_or(TokenRefused::Header)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenRefused::Shape)?;
    let claims: CommonClaims = serde_json::from_slice(&claims).map_err(|_| TokenRefused::Claims)?;
    let [aud] = claims.aud;
    if claims.kind != demand.kind || aud != *demand.aud {
        return Err(TokenRefused::Audience);
    }
    if claims.iss != demand.issuer {
        return Err(TokenRefused::Issuer);
    }
    let too_early = claims.nbf > demand.now.saturating_add(NOT_BEFORE_SKEW_SECONDS);
    if claims.exp.saturating_add(late) <= demand.now || too_early {
        return Err(TokenRefused::Time);
    }
    let signed = jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, Algorithm::RS256);
    if !matches!(signed, Ok(true)) {
        return Err(TokenRefused::Signature);
    }
    Ok(Verified {
        kind: claims.kind,
        aud,
        kid: kid.clone(),
        nonce: claims.identity_nonce,
        exp: claims.exp,
        iat: claims.iat,
        epoch: claims.epoch,
    })
}

/// The session that a text claims as a token, unverified: good for finding out whether verifying is worth while.
pub(super) fn claimed_session(token: &str) -> Option<SessionNonce> {
    #[derive(Deserialize)]
    struct Claims {
        identity_nonce: SessionNonce,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(claims.identity_nonce)
}

#[cfg(test)]
mod tests;
