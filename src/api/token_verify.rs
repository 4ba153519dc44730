//! What a token is told of itself (<https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/verify/>).

use std::future::ready;

use http::Method;
use serde_json::Map;

use super::call::{Answer, Call};
use super::operation::{Gives, Operation};
use super::resource::time;
use super::shape::{Shape, UnknownKeys, What, read_only};
use crate::model::permission::{Area, Permission};

const SHAPE: Shape = Shape {
    name: "VerifiedToken",
    keys: &[
        read_only("id", What::Text),
        read_only("status", What::Text),
        read_only("expires_on", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};

/// A token that came this far is good.
fn verify(call: &Call<'_>) -> Answer {
    let mut result = Map::new();
    result.insert("id".to_owned(), call.token.id.0.simple().to_string().into());
    result.insert("status".to_owned(), "active".into());
    if let Some(until) = call.token.expires_ms {
        result.insert("expires_on".to_owned(), time(until).into());
    }
    Answer::of(result).saying(vec!["This API Token is valid and active".to_owned()])
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, "/user/tokens/verify"),
        Permission::read(Area::Organization),
        ("verify_token", "Tell whether the token is good"),
        Gives::Object(&SHAPE),
        |call| Box::pin(ready(Ok(verify(call)))),
    )
    .for_every_token(),
    Operation::new(
        (&Method::GET, "/accounts/{account_id}/tokens/verify"),
        Permission::read(Area::Organization),
        ("verify_account_token", "Tell whether the token is good"),
        Gives::Object(&SHAPE),
        |call| Box::pin(ready(Ok(verify(call)))),
    )
    .for_every_token(),
];
