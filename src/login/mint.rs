//! What the tokens say about a session.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::crypto::random;
use crate::model::application::{Application, TokenGroups};
use crate::model::identity::Identity;
use crate::model::identity_json;
use crate::model::ids::SessionNonce;
use crate::model::organization::Organization;
use crate::model::token_duration::SHORTEST;
use crate::session::table::LiveSession;
use crate::session::token::{AppClaims, Kind, MAX_WRITTEN, OrgClaims, organization_audience};

/// What base64url, header and signature add to the claims of a token: a third, 150 and 350 bytes.
const SIGNED_SHARE: usize = MAX_WRITTEN / 4 * 3 - 400;

/// The claim that names groups, within `custom`.
const GROUPS: &str = "groups";

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
    app: &Application,
    session: &LiveSession,
    identity: &Identity,
    life: Life,
) -> AppClaims {
    let now = life.now;
    let exp = now
        .saturating_add(seconds(life.duration.max(SHORTEST)))
        .min(session.expires_ms().div_euclid(1000));
    let claims = AppClaims {
        aud: [app.aud.clone()],
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
        custom: custom(app, identity),
    };
    without_what_does_not_fit(app, claims)
}

/// What an application is told about the person besides: claims that the provider sent, and groups where it asks for
/// them. All of it stands under `custom`, where it takes no claim of ours' place.
fn custom(app: &Application, identity: &Identity) -> Map<String, Value> {
    let mut custom = identity.claims.clone();
    if let Some(wanted) = &app.token_claims {
        custom.retain(|name, _| wanted.iter().any(|claim| claim.as_str() == name));
    }
    if let Some(naming) = app.token_groups {
        // The word is ours here; what the provider may have sent under it is not asked for.
        custom.remove(GROUPS);
        // Not all of them would read as all of them.
        if identity.groups.complete() {
            custom.insert(GROUPS.to_owned(), groups(naming, identity));
        }
    }
    custom
}

fn groups(naming: TokenGroups, identity: &Identity) -> Value {
    let held = identity.groups.held().iter();
    match naming {
        TokenGroups::Ids => held.map(|group| Value::from(group.id.to_string())).collect(),
        TokenGroups::Names => held
            .filter_map(|group| group.name.clone())
            .map(Value::from)
            .collect(),
    }
}

/// `custom` is only included when it fits, as at Access, and groups go first; `get-identity` has it all in any case.
fn without_what_does_not_fit(app: &Application, mut claims: AppClaims) -> AppClaims {
    let fits = |claims: &AppClaims| serde_json::to_vec(claims).is_ok_and(|json| json.len() <= SIGNED_SHARE);
    if fits(&claims) {
        return claims;
    }
    if app.token_groups.is_some() && claims.custom.remove(GROUPS).is_some() {
        let (application, user) = (&app.name, &claims.sub);
        tracing::warn!(application, user.id = %user, "Groups do not fit into a token and were left out of it");
        if fits(&claims) {
            return claims;
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ids::AppId;

    fn claims(custom: Value) -> AppClaims {
        AppClaims {
            aud: ["a".repeat(64).parse().unwrap()],
            email: "alice@example.com".to_owned(),
            exp: 60,
            iat: 0,
            nbf: 0,
            iss: "https://login.example.com".to_owned(),
            kind: Kind::App,
            identity_nonce: "6ei69kawdKzMIAPF".parse().unwrap(),
            sub: "7335d417-61da-459d-899c-0a01c76a2f94".to_owned(),
            country: String::new(),
            amr: Vec::new(),
            epoch: 0,
            jti: None,
            custom: serde_json::from_value(custom).unwrap(),
        }
    }

    fn application(naming: Option<TokenGroups>) -> Application {
        Application {
            token_groups: naming,
            ..Application::new(AppId(uuid::Uuid::nil()), "a".repeat(64).parse().unwrap(), "Wiki")
        }
    }

    #[test]
    fn groups_that_do_not_fit_are_left_out_whole_and_the_rest_stays() {
        let many: Vec<String> = (0..200)
            .map(|number| format!("a1000001-1111-4a11-8a11-{number:012}"))
            .collect();
        let app = application(Some(TokenGroups::Ids));
        let kept = without_what_does_not_fit(&app, claims(json!({"groups": many, "department": "Research"})));
        assert_eq!(Value::Object(kept.custom), json!({"department": "Research"}));
        let few = json!({"groups": many.get(..20).unwrap(), "department": "Research"});
        let kept = without_what_does_not_fit(&app, claims(few.clone()));
        assert_eq!(Value::Object(kept.custom), few);
        let long = claims(json!({"department": "x".repeat(4000)}));
        assert!(
            without_what_does_not_fit(&application(None), long)
                .custom
                .is_empty()
        );
    }
}
