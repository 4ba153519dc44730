//! When the key that signs tokens is changed for another
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/keys/>).

use http::Method;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::error::ApiError;
use super::operation::{Gives, Operation};
use super::resource::{take, time};
use super::shape::{Shape, UnknownKeys, What, needed, read_only};
use crate::model::number;
use crate::model::organization::KEY_ROTATION_DAYS;
use crate::model::permission::{Area, Permission};
use crate::session::keys::KeyError;
use crate::snapshot::read::KEY_ROTATION;
use crate::store::{KeyState, Kind};

const SHAPE: Shape = Shape {
    name: "KeyConfiguration",
    keys: &[
        needed("key_rotation_interval_days", What::Number),
        read_only("last_key_rotation_at", What::Time),
        read_only("days_until_next_rotation", What::Number),
    ],
    unknown: UnknownKeys::Refused,
};
const DAY_MS: i64 = 86_400_000;

async fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    answer(call).await
}

async fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, _) = take(call, &SHAPE, call.object()?)?;
    let written = taken.body.get(KEY_ROTATION).cloned();
    let can_stand = |days: &Value| {
        let days = number::whole(days).and_then(|days| u16::try_from(days).ok());
        days.is_some_and(|days| KEY_ROTATION_DAYS.contains(&days))
    };
    let days = written.filter(can_stand).ok_or_else(|| {
        ApiError::invalid_at(
            format!("/{KEY_ROTATION}"),
            "a whole number from 21 to 365 is needed",
        )
    })?;
    let written = call.api.manage.set_key_rotation(days, call.actor()).await?;
    call.in_force(&written.position).await;
    answer(call).await
}

/// The next key signs from now on; the one before stays trusted for a week, so nobody is signed out.
async fn rotate(call: &Call<'_>) -> Result<Answer, ApiError> {
    let rotated = call
        .api
        .manage
        .rotate_signing_key(&call.actor())
        .await
        .map_err(|error| match error {
            KeyError::Store(error) => error.into(),
            error => {
                tracing::error!(request.id = call.request_id, %error, "The signing key could not be rotated");
                ApiError::unavailable()
            }
        })?;
    if rotated {
        tracing::info!(
            request.id = call.request_id,
            token = call.token.name,
            "The signing key was rotated through the API"
        );
    }
    call.latest().await?;
    answer(call).await
}

async fn answer(call: &Call<'_>) -> Result<Answer, ApiError> {
    let snapshot = call.api.published.load();
    let days = snapshot.organization.key_rotation_days;
    let document = snapshot.objects.of_kind(Kind::Organization).first();
    let sent = document.and_then(|object| object.body().get(KEY_ROTATION).cloned());
    // As it was sent, so that it comes back equal.
    let shown = sent.filter(|sent| number::whole(sent) == Some(days.into()));
    let keys = call.api.store.signing_keys().await?;
    let current = keys.iter().find(|key| key.state == KeyState::Current);
    let since_ms = current.and_then(|key| key.signs_from_ms);
    let left = since_ms.map(|since_ms| {
        let due_ms = since_ms + i64::from(days) * DAY_MS;
        let left_ms = (due_ms - call.api.clock.now_ms()).max(0);
        (left_ms + DAY_MS - 1) / DAY_MS
    });
    Ok(Answer::of(json!({
        KEY_ROTATION: shown.unwrap_or_else(|| days.into()),
        "last_key_rotation_at": since_ms.map(time),
        "days_until_next_rotation": left,
    })))
}

const READ: Permission = Permission::read(Area::Organization);
const WRITE: Permission = Permission::write(Area::Organization);
const PATH: &str = "/accounts/{account_id}/access/keys";
const ROTATE: &str = "/accounts/{account_id}/access/keys/rotate";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, PATH),
        READ,
        ("get_keys", "Read when the signing key is changed"),
        Gives::Object(&SHAPE),
        |call| Box::pin(get(call)),
    ),
    Operation::new(
        (&Method::PUT, PATH),
        WRITE,
        ("update_keys", "Set after how many days another key signs"),
        Gives::Object(&SHAPE),
        |call| Box::pin(update(call)),
    )
    .taking(&SHAPE),
    Operation::new(
        (&Method::POST, ROTATE),
        WRITE,
        ("rotate_keys", "Let the next key sign from now on"),
        Gives::Object(&SHAPE),
        |call| Box::pin(rotate(call)),
    ),
];
