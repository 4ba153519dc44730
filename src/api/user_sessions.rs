//! What a user has open, and what was refused to them
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/users/>).

use http::Method;
use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::resource::time;
use super::users;
use crate::model::destination::Destination;
use crate::model::identity_json;
use crate::model::ids::{AudTag, SessionNonce};
use crate::model::permission::{Area, Permission};
use crate::store::{AccessRequest, AccessRequestFilter, SessionRow};

/// Refusals shown at once.
const MOST_REFUSALS: u32 = 100;
/// How long a line of the log is kept, in seconds: six months.
const KEPT_S: i64 = 183 * 86_400;

async fn active(call: &Call<'_>) -> Result<Answer, ApiError> {
    let user = users::named(call).await?;
    let sessions = call.api.store.live_sessions_of(user.id).await?;
    let given = call.api.store.applications_of_sessions(user.id).await?;
    let show = |session: &SessionRow| {
        let own = given.iter().filter(|(nonce, _)| *nonce == session.nonce);
        show(session, &apps(call, own.map(|(_, aud)| aud)))
    };
    let shown: Vec<Value> = sessions.iter().map(show).collect();
    Ok(Answer::of(shown))
}

/// The applications that a session was given tokens of, by audience tag. One that has gone is left out.
fn apps<'a>(call: &Call<'_>, audiences: impl Iterator<Item = &'a AudTag>) -> Map<String, Value> {
    let shown = audiences.filter_map(|aud| {
        let app = &call.snapshot.by_aud.get(aud)?.app;
        let hostname = app.destinations.first().map(Destination::host);
        let shown = json!({ "hostname": hostname, "name": app.name, "type": "self_hosted", "uid": app.id });
        Some((aud.to_string(), shown))
    });
    shown.collect()
}

fn show(session: &SessionRow, apps: &Map<String, Value>) -> Value {
    let (made, ends) = (session.created_ms / 1000, session.expires_ms / 1000);
    json!({
        "name": session.nonce,
        "expiration": ends,
        "metadata": {
            "apps": apps,
            "expires": ends,
            "iat": made,
            "nonce": session.nonce,
            "ttl": ends - made,
            "ip": session.address.to_string(),
            "user_agent": session.agent,
            "country": session.identity.country,
            "last_seen_at": time(session.last_use_ms),
        },
    })
}

async fn one(call: &Call<'_>) -> Result<Answer, ApiError> {
    let user = users::named(call).await?;
    let unknown = || ApiError::unknown(Unknown::Session);
    let nonce: SessionNonce = call.params.get("nonce").parse().map_err(|_| unknown())?;
    let session = call.api.store.session(&nonce).await?;
    let session = session
        .filter(|session| session.user == user.id)
        .ok_or_else(unknown)?;
    let live = session.ended_ms.is_none() && session.expires_ms > call.api.clock.now_ms();
    let mut shown = identity(call, &session);
    if let Value::Object(shown) = &mut shown {
        shown.insert("isActive".to_owned(), live.into());
    }
    Ok(Answer::of(shown))
}

async fn last_seen(call: &Call<'_>) -> Result<Answer, ApiError> {
    let user = users::named(call).await?;
    let newest = call.api.store.newest_session_of(user.id).await?;
    let newest = newest.ok_or_else(|| ApiError::unknown(Unknown::Session))?;
    let mut shown = identity(call, &newest);
    if let Value::Object(shown) = &mut shown {
        shown.insert("passkeys".to_owned(), json!([]));
    }
    Ok(Answer::of(shown))
}

fn identity(call: &Call<'_>, session: &SessionRow) -> Value {
    identity_json::whole(&session.identity, &call.snapshot.organization.account_id)
}

async fn failed(call: &Call<'_>) -> Result<Answer, ApiError> {
    let user = users::named(call).await?;
    let filter = AccessRequestFilter {
        user: Some(user.id),
        allowed: Some(false),
        action: Some("login"),
        limit: MOST_REFUSALS,
        ..AccessRequestFilter::default()
    };
    let refusals = call.api.store.access_requests(&filter).await?;
    let shown: Vec<Value> = refusals.iter().map(|refusal| refused(call, refusal)).collect();
    Ok(Answer::of(shown))
}

fn refused(call: &Call<'_>, refusal: &AccessRequest) -> Value {
    let app = refusal.app.and_then(|app| call.snapshot.applications.get(&app));
    json!({
        "expiration": refusal.at_ms / 1000 + KEPT_S,
        "metadata": {
            "app_name": refusal.app_name.as_deref().unwrap_or_default(),
            "aud": app.map(|known| known.app.aud.as_str()).unwrap_or_default(),
            "datetime": time(refusal.at_ms),
            "ray_id": refusal.request_id,
            "user_email": refusal.email.as_deref().unwrap_or_default(),
            "user_uuid": refusal.user,
            "reason": refusal.reason,
        },
    })
}

const READ: Permission = Permission::read(Area::AuditLogs);
const SESSIONS: &str = "/accounts/{account_id}/access/users/{user_id}/active_sessions";
const SESSION: &str = "/accounts/{account_id}/access/users/{user_id}/active_sessions/{nonce}";
const FAILED: &str = "/accounts/{account_id}/access/users/{user_id}/failed_logins";
const LAST_SEEN: &str = "/accounts/{account_id}/access/users/{user_id}/last_seen_identity";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, SESSIONS),
        READ,
        ("list_user_sessions", "List what a user has open, at most fifty"),
        Gives::Any,
        |call| Box::pin(active(call)),
    ),
    Operation::new(
        (&Method::GET, SESSION),
        READ,
        (
            "get_user_session",
            "Read the identity of one of a user's sessions",
        ),
        Gives::Any,
        |call| Box::pin(one(call)),
    ),
    Operation::new(
        (&Method::GET, FAILED),
        READ,
        (
            "list_user_failed_logins",
            "List what was refused to a user, at most a hundred",
        ),
        Gives::Any,
        |call| Box::pin(failed(call)),
    ),
    Operation::new(
        (&Method::GET, LAST_SEEN),
        READ,
        (
            "get_user_last_seen_identity",
            "Read what a user's last login said",
        ),
        Gives::Any,
        |call| Box::pin(last_seen(call)),
    ),
];
