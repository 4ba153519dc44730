//! Seats of users
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/seats/>). Nothing is counted or paid by
//! them here: freeing one says that somebody is not expected any more, and ends what they have open.

use http::Method;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::resource::time;
use super::shape::{Shape, UnknownKeys, What, needed, read_only};
use crate::model::ids::UserId;
use crate::model::permission::{Area, Permission};
use crate::session::table::Cause;
use crate::store::{User, UserOrder};

const SHAPE: Shape = Shape {
    name: "Seat",
    keys: &[
        needed("seat_uid", What::Id),
        needed("access_seat", What::Flag),
        needed("gateway_seat", What::Flag),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};
/// Seats changed at once.
const MOST: usize = 1000;

/// A seat as it is to be.
struct Wanted {
    user: User,
    access: bool,
}

/// Frees or gives seats; nothing happens unless all of it can.
async fn edit(call: &Call<'_>) -> Result<Answer, ApiError> {
    let items = call.list()?;
    if items.is_empty() || items.len() > MOST {
        return Err(ApiError::invalid_at("", format!("1 to {MOST} seats are needed")));
    }
    let mut wanted = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        wanted.push(read(call, &format!("/{index}"), item).await?);
    }
    let mut shown = Vec::with_capacity(wanted.len());
    for Wanted { user, access } in wanted {
        // One that is to be had is had already.
        if !access {
            call.api
                .revoker
                .order(user.id, UserOrder::FreeSeat, Cause::Administrator, call.actor())
                .await?;
            tracing::info!(
                request.id = call.request_id, token = call.token.name, user.id = %user.id,
                "A seat was freed through the API"
            );
        }
        shown.push(json!({
            "seat_uid": user.id,
            "access_seat": access,
            "gateway_seat": false,
            "created_at": time(user.created_ms),
            "updated_at": time(call.api.clock.now_ms()),
        }));
    }
    Ok(Answer::of(shown))
}

async fn read(call: &Call<'_>, at: &str, item: Value) -> Result<Wanted, ApiError> {
    let Value::Object(item) = item else {
        return Err(ApiError::invalid_at(at, "an object is needed"));
    };
    let taken = SHAPE.take(item);
    if let Some(problem) = taken.problems.first() {
        return Err(ApiError::invalid_at(
            format!("{at}{}", problem.pointer),
            &problem.reason,
        ));
    }
    let flag = |key: &str| {
        let value = taken.body.get(key).and_then(Value::as_bool);
        value.ok_or_else(|| ApiError::invalid_at(format!("{at}/{key}"), "true or false is needed"))
    };
    let (access, gateway) = (flag("access_seat")?, flag("gateway_seat")?);
    if gateway {
        let pointer = format!("{at}/gateway_seat");
        return Err(ApiError::invalid_at(
            pointer,
            "there is no Gateway here, so no seat in it",
        ));
    }
    let id = taken.body.get("seat_uid").and_then(Value::as_str);
    let id = id.and_then(|id| uuid::Uuid::try_parse(id).ok());
    let pointer = || format!("{at}/seat_uid");
    let id = id.ok_or_else(|| ApiError::invalid_at(pointer(), "the uid of a seat is needed"))?;
    let user = call.api.store.registered(UserId(id)).await?;
    let user = user.ok_or_else(|| ApiError::unknown(Unknown::Seat))?;
    if access && !user.seat {
        return Err(ApiError::invalid_at(
            format!("{at}/access_seat"),
            "a seat is taken by the next login; it can only be freed here",
        ));
    }
    Ok(Wanted { user, access })
}

const SEATS: &str = "/accounts/{account_id}/access/seats";

pub(super) const OPERATIONS: &[Operation] = &[Operation::new(
    (&Method::PATCH, SEATS),
    Permission::write(Area::Seats),
    ("edit_seats", "Free seats, and end what their users have open"),
    Gives::Objects(&SHAPE),
    |call| Box::pin(edit(call)),
)
.taking_each(&SHAPE)];
