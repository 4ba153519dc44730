//! Ending everything that somebody has open
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/organizations/methods/revoke_users/>).

use http::Method;
use serde_json::Value;

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::resource::take;
use super::shape::{Shape, UnknownKeys, What, optional};
use crate::model::email::EmailAddress;
use crate::model::ids::UserId;
use crate::model::permission::{Area, Permission};
use crate::session::table::Cause;
use crate::store::{User, UserOrder};

const SHAPE: Shape = Shape {
    name: "RevokeUser",
    keys: &[
        optional("email", What::Text),
        optional("user_uid", What::Id),
        optional("devices", What::Flag),
        optional("warp_session_reauth", What::Flag),
    ],
    unknown: UnknownKeys::Refused,
};

/// Ends every session of everybody whose last login gave the address, or of one user: sessions, tokens and open streams,
/// and logins under way. Whoever may still sign in can.
async fn revoke(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, _) = take(call, &SHAPE, call.object()?)?;
    let given = |key: &str| taken.body.get(key).filter(|value| !value.is_null());
    let text = |key: &str| match given(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(ApiError::invalid_at(format!("/{key}"), "text is needed")),
    };
    let flag = |key: &str| match given(key) {
        None | Some(Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(_) => Err(ApiError::invalid_at(format!("/{key}"), "true or false is needed")),
    };
    let mut messages = Vec::new();
    let asked = call.query.flag("devices")?.unwrap_or(false);
    if flag("devices")? || asked || flag("warp_session_reauth")? {
        messages.push(
            "devices and warp_session_reauth mean nothing here: there are no device sessions".to_owned(),
        );
    }
    let users = users(call, text("email")?, text("user_uid")?).await?;
    let mut ended = 0;
    for user in &users {
        let order = UserOrder::EndSessions;
        let done = call
            .api
            .revoker
            .order(user.id, order, Cause::Administrator, call.actor())
            .await?;
        ended += done.unwrap_or(0);
        tracing::info!(
            request.id = call.request_id, token = call.token.name, user.id = %user.id,
            "A user's sessions were revoked through the API"
        );
    }
    messages.push(format!("{ended} sessions of {} users were ended", users.len()));
    Ok(Answer::of(true).saying(messages))
}

async fn users(call: &Call<'_>, email: Option<&str>, id: Option<&str>) -> Result<Vec<User>, ApiError> {
    let unknown = || ApiError::unknown(Unknown::User);
    if let Some(id) = id {
        let id =
            uuid::Uuid::try_parse(id).map_err(|_| ApiError::invalid_at("/user_uid", "a UUID is needed"))?;
        let user = call.api.store.registered(UserId(id)).await?.ok_or_else(unknown)?;
        let other = |email: &str| {
            !user
                .email
                .as_deref()
                .unwrap_or_default()
                .eq_ignore_ascii_case(email)
        };
        if email.is_some_and(other) {
            return Err(ApiError::invalid_at(
                "/email",
                "it is not the address of user_uid",
            ));
        }
        return Ok(vec![user]);
    }
    let email = email.ok_or_else(|| ApiError::invalid_at("/email", "it is missing"))?;
    let email: EmailAddress = email
        .parse()
        .map_err(|_| ApiError::invalid_at("/email", "an e-mail address is needed"))?;
    let users = call.api.store.users_with_email(&email).await?;
    if users.is_empty() {
        return Err(unknown());
    }
    Ok(users)
}

const PATH: &str = "/accounts/{account_id}/access/organizations/revoke_user";

pub(super) const OPERATIONS: &[Operation] = &[Operation::new(
    (&Method::POST, PATH),
    Permission::revoke(Area::Organization),
    ("revoke_user", "End everything that somebody has open"),
    Gives::Any,
    |call| Box::pin(revoke(call)),
)
.taking(&SHAPE)
.asked(&[("devices", "accepted; there are no device sessions here")])];
