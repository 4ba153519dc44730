//! The ID token: every check before a word of it is believed.
//!
//! <https://learn.microsoft.com/entra/identity-platform/id-tokens#validate-tokens> and
//! <https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer>. The checks stand here one by
//! one because the general library has no word for `tid`, for the issuer of a key or for the cloud it belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;

use super::claims::{Claims, ClaimsMalformed};
use super::keys::SigningKey;
use crate::crypto::equal::constant_time;
use crate::model::identity::PersonKey;
use crate::model::ids::TenantId;

/// Most bytes of a token. 200 groups and long extension claims make about 20 kB.
const MAX_LENGTH: usize = 128 * 1024;
/// How far Microsoft's clock and ours may differ, in seconds.
const SKEW: i64 = 300;

/// Which check failed. `Display` names it for the log and repeats nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenRejected {
    /// The answer carried none.
    #[error("there is none: is the scope openid missing?")]
    Missing,
    /// Not three parts of base64url with JSON objects in them, or too long.
    #[error("malformed")]
    Malformed,
    /// A member name stands there twice, perhaps in another case.
    #[error("a member is repeated")]
    MemberRepeated,
    /// `alg` is not RS256, or the header demands something unknown (`crit`).
    #[error("alg is not RS256")]
    Algorithm,
    /// The key id is not in the directory's set, not even after a refresh.
    #[error("its key is unknown")]
    KeyUnknown,
    /// The key signs for another issuer.
    #[error("its key belongs to another issuer")]
    KeyIssuer,
    /// The key belongs to another cloud.
    #[error("its key belongs to another cloud")]
    KeyCloud,
    /// The signature is wrong.
    #[error("signature")]
    Signature,
    /// `aud` is not this client, and nothing but it.
    #[error("aud")]
    Audience,
    /// `ver` is not 2.0.
    #[error("ver is not 2.0")]
    Version,
    /// `tid` is absent or no GUID.
    #[error("tid is missing or no GUID")]
    TenantMalformed,
    /// `tid` is another directory.
    #[error("tid is another directory")]
    Tenant,
    /// `iss` is not the directory's.
    #[error("iss")]
    Issuer,
    /// `exp` has passed or is absent.
    #[error("exp")]
    Expired,
    /// `nbf` lies ahead or is absent.
    #[error("nbf")]
    NotYetValid,
    /// `nonce` is not the login's.
    #[error("nonce")]
    Nonce,
    /// `oid` is absent or no GUID: the scope `profile` is missing.
    #[error("oid is missing: is the scope profile missing?")]
    ObjectMissing,
    /// A refresh answered with another person's token.
    #[error("it is another person's")]
    OtherPerson,
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) client_id: &'a str,
    pub(super) tenant: TenantId,
    pub(super) issuer: &'a str,
    pub(super) instance_name: Option<&'a str>,
    pub(super) bound_to: BoundTo<'a>,
}

/// By what a token belongs to the exchange it came in.
#[derive(Debug, Clone, Copy)]
pub(super) enum BoundTo<'a> {
    /// A login: the nonce of its authorization request.
    Login { nonce: &'a str },
    /// A refresh, whose tokens have no nonce: the person of the session.
    Refresh { person: PersonKey },
}

/// A token that passed every check; only [`verify`] makes one.
#[derive(Debug, Clone)]
pub(super) struct IdToken {
    person: PersonKey,
    claims: Claims,
}

impl IdToken {
    pub(super) fn person(&self) -> PersonKey {
        self.person
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// The key id of a token whose algorithm is acceptable.
pub(super) fn key_id(jwt: &str) -> Result<String, TokenRejected> {
    let parts = Parts::of(jwt)?;
    let header = Parts::object(parts.header)?;
    if header.text("alg") != Some("RS256") || header.value("crit").is_some() {
        return Err(TokenRejected::Algorithm);
    }
    header
        .text("kid")
        .map(str::to_owned)
        .ok_or(TokenRejected::KeyUnknown)
}

/// Checks a token against its key and what it must say.
pub(super) fn verify(
    jwt: &str,
    key: &SigningKey,
    expected: &Expected<'_>,
    now: i64,
) -> Result<IdToken, TokenRejected> {
    key_id(jwt)?;
    let parts = Parts::of(jwt)?;
    let signed = jsonwebtoken::crypto::verify(
        parts.signature,
        parts.signed.as_bytes(),
        &key.decoding,
        Algorithm::RS256,
    );
    if !signed.unwrap_or(false) {
        return Err(TokenRejected::Signature);
    }
    let claims = Parts::object(parts.claims)?;
    check_issuer(&claims, key, expected)?;
    // A string and not an array: Entra never names a second audience.
    if claims.text("aud") != Some(expected.client_id) {
        return Err(TokenRejected::Audience);
    }
    check_times(&claims, now)?;
    let person = PersonKey {
        tenant: expected.tenant,
        object: claims
            .text("oid")
            .and_then(|oid| oid.to_ascii_lowercase().parse().ok())
            .ok_or(TokenRejected::ObjectMissing)?,
    };
    check_binding(&claims, person, expected.bound_to)?;
    Ok(IdToken { person, claims })
}

/// `ver`, `tid`, `iss`, and that the key may sign for them.
fn check_issuer(claims: &Claims, key: &SigningKey, expected: &Expected<'_>) -> Result<(), TokenRejected> {
    if claims.text("ver") != Some("2.0") {
        return Err(TokenRejected::Version);
    }
    let tid = claims.text("tid").ok_or(TokenRejected::TenantMalformed)?;
    let tenant: TenantId = tid.parse().map_err(|_| TokenRejected::TenantMalformed)?;
    if tenant != expected.tenant {
        return Err(TokenRejected::Tenant);
    }
    let issuer = claims.text("iss").ok_or(TokenRejected::Issuer)?;
    if issuer != expected.issuer {
        return Err(TokenRejected::Issuer);
    }
    let for_this_issuer = |of_key: &String| of_key.replace("{tenantid}", tid) == issuer;
    if !key.issuer.as_ref().is_none_or(for_this_issuer) {
        return Err(TokenRejected::KeyIssuer);
    }
    if let (Some(of_key), Some(of_cloud)) = (key.instance_name.as_deref(), expected.instance_name)
        && of_key != of_cloud
    {
        return Err(TokenRejected::KeyCloud);
    }
    Ok(())
}

/// `iat` is no measure: Entra dates it five minutes back. `auth_time` tells when the person signed in.
fn check_times(claims: &Claims, now: i64) -> Result<(), TokenRejected> {
    let expires = claims.whole("exp").ok_or(TokenRejected::Expired)?;
    if expires.saturating_add(SKEW) <= now {
        return Err(TokenRejected::Expired);
    }
    let begins = claims.whole("nbf").ok_or(TokenRejected::NotYetValid)?;
    if begins > now.saturating_add(SKEW) {
        return Err(TokenRejected::NotYetValid);
    }
    Ok(())
}

fn check_binding(claims: &Claims, person: PersonKey, to: BoundTo<'_>) -> Result<(), TokenRejected> {
    match to {
        BoundTo::Login { nonce } => {
            let given = claims.text("nonce").unwrap_or_default();
            if nonce.is_empty() || !constant_time(given.as_bytes(), nonce.as_bytes()) {
                return Err(TokenRejected::Nonce);
            }
        }
        BoundTo::Refresh { person: of_session } if person != of_session => {
            return Err(TokenRejected::OtherPerson);
        }
        BoundTo::Refresh { .. } => {}
    }
    Ok(())
}

/// The three parts of a compact JWS (RFC 7515 §7.1), still encoded.
struct Parts<'a> {
    signed: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(jwt: &'a str) -> Result<Self, TokenRejected> {
        if jwt.len() > MAX_LENGTH {
            return Err(TokenRejected::Malformed);
        }
        let (signed, signature) = jwt.rsplit_once('.').ok_or(TokenRejected::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenRejected::Malformed)?;
        Ok(Self {
            signed,
            header,
            claims,
            signature,
        })
    }

    fn object(part: &str) -> Result<Claims, TokenRejected> {
        let bytes = URL_SAFE_NO_PAD
            .decode(part)
            .map_err(|_| TokenRejected::Malformed)?;
        Claims::parse(&bytes).map_err(|fault| match fault {
            ClaimsMalformed::NoObject => TokenRejected::Malformed,
            ClaimsMalformed::Repeated => TokenRejected::MemberRepeated,
        })
    }
}

#[cfg(test)]
mod tests;
