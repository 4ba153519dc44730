//! What the tokens say about a session (reference Access §3.2, §3.4).

use std::time::Duration;

use serde_json::{Map, Value};

use super::identity_json;
use super::renew::SHORTEST;
use crate::crypto::random;
use crate::model::identity::Identity;
use crate::model::ids::{AudTag, SessionNonce};
use crate::model::organization::Organization;
use crate::session::table::LiveSession;
use crate::session::token::{AppClaims, Kind, MAX_WRITTEN, OrgClaims, organization_audience};

/// What base64url, header and signature add to the claims of a token: a third, 150 and 350 bytes.
const SIGNED_SHARE: usize = MAX_WRITTEN / 4 * 3 - 400;

/// How long an application token lives, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// By the policy that lets the person in, or the application.
    pub(super) duration: Duration,
    /// The epoch of the application's tokens ([`crate::store::Store::minted_in`]).
    pub(super) epoch: i64,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// How long the cookie of an application token lives, in seconds: as long as its session, because a token past its end
/// is renewed in place from that. Only one without duration never is.
pub(super) fn cookie_seconds(session: &LiveSession, duration: Duration, now: i64) -> i64 {
    let session = session.expires_ms().div_euclid(1000).saturating_sub(now);
    if duration.is_zero() {
        seconds(SHORTEST).min(session)
    } else {
        session
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Claims of an application token for a session. It ends when its duration or its session does.
pub(super) fn application(
    organization: &Organization,
    aud: &AudTag,
    session: &LiveSession,
    identity: &Identity,
    life: Life,
) -> AppClaims {
    let now = life.now;
    let exp = now
        .saturating_add(seconds(life.duration.max(SHORTEST)))
        .min(session.expires_ms().div_euclid(1000));
    let claims = AppClaims {
        aud: [aud.clone()],
        email: identity_json::address(identity).to_owned(),
        exp,
        iat: now,
        nbf: now,
        iss: organization.auth.origin().to_owned(),
        kind: Kind::App,
        identity_nonce: session.nonce().clone(),
        sub: identity.user.to_string(),
        country: identity.country.clone().unwrap_or_default(),
        amr: identity.amr.clone(),
        epoch: life.epoch,
        jti: life.duration.is_zero().then(|| random::alphanumeric(16)),
        custom: identity.claims.clone(),
    };
    without_what_does_not_fit(claims)
}

/// `custom` is only included when it fits, as at Access; `get-identity` has it in any case.
fn without_what_does_not_fit(claims: AppClaims) -> AppClaims {
    let fits = |claims: &AppClaims| serde_json::to_vec(claims).is_ok_and(|json| json.len() <= SIGNED_SHARE);
    if fits(&claims) {
        return claims;
    }
    let claims = AppClaims {
        custom: Map::new(),
        ..claims
    };
    if fits(&claims) {
        claims
    } else {
        AppClaims {
            amr: Vec::new(),
            ..claims
        }
    }
}

/// Claims of the organization token of a session; `None` only where the account is malformed.
pub(super) fn organization(
    organization: &Organization,
    nonce: &SessionNonce,
    identity: &Identity,
    now: i64,
    exp: i64,
) -> Option<OrgClaims> {
    let brief = Value::Object(identity_json::brief(identity, &organization.account_id));
    let fits = serde_json::to_vec(&brief).is_ok_and(|json| json.len() <= SIGNED_SHARE - 600);
    Some(OrgClaims {
        kind: Kind::Org,
        aud: [organization_audience(&organization.account_id)?],
        email: identity_json::address(identity).to_owned(),
        account_id: organization.account_id.clone(),
        iss: organization.auth.origin().to_owned(),
        sub: identity.user.to_string(),
        iat: now,
        nbf: now,
        exp,
        identity_nonce: nonce.clone(),
        identity: if fits { brief } else { Value::Null },
    })
}
