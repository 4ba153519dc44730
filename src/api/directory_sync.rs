//! Ours: how reading a provider's directory by Graph stands, and having it read at once.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::error::ApiError;
use super::operation::{Gives, Operation};
use super::resource::time;
use super::shape::{Shape, UnknownKeys, What, read_only};
use crate::model::ids::IdpId;
use crate::model::permission::{Area, Permission};
use crate::store::DirectorySync;

const STANDS: Shape = Shape {
    name: "DirectorySyncState",
    keys: &[
        read_only("last_success_at", What::Time),
        read_only("last_ended_at", What::Time),
        read_only("last_whole_at", What::Time),
        read_only("under_way", What::Flag),
        read_only("people", What::Number),
        read_only("groups", What::Number),
        read_only("failure", What::Text),
        read_only("held_back", What::Number),
    ],
    unknown: UnknownKeys::Refused,
};

async fn stands(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = provider(call).await?;
    let stands = call.api.store.directory_sync(provider).await?;
    Ok(Answer::of(show(
        &stands.unwrap_or_default(),
        call.api.clock.now_ms(),
    )))
}

/// A gateway takes it up within a second or two. It confirms a round that was held back.
async fn read(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = provider(call).await?;
    call.api
        .store
        .want_directory_sync(provider, &call.actor())
        .await?;
    tracing::info!(
        request.id = call.request_id, provider.id = %provider, token = call.token.name,
        "A directory is to be read at once"
    );
    stands(call).await
}

/// A provider whose directory is read, as it is in force here.
async fn provider(call: &Call<'_>) -> Result<IdpId, ApiError> {
    let provider = call.provider().await?;
    if provider.sync.is_none() {
        let why = "directory_sync is off for this provider: set directory_sync.enabled to true";
        return Err(ApiError::invalid(why));
    }
    Ok(provider.id)
}

fn show(stands: &DirectorySync, now_ms: i64) -> Value {
    let at = |ms: i64| (ms > 0).then(|| time(ms));
    json!({
        "last_success_at": at(stands.succeeded_ms),
        "last_ended_at": at(stands.ended_ms),
        "last_whole_at": at(stands.whole_ms),
        "under_way": stands.held_until_ms > now_ms,
        "people": stands.people,
        "groups": stands.groups,
        "failure": stands.failure,
        "held_back": stands.held_back,
    })
}

const PATH: &str = "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/directory_sync";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, PATH),
        Permission::read(Area::Organization),
        ("get_directory_sync", "How reading the directory by Graph stands"),
        Gives::Object(&STANDS),
        |call| Box::pin(stands(call)),
    ),
    Operation::new(
        (&Method::POST, PATH),
        Permission::write(Area::Organization),
        (
            "start_directory_sync",
            "Have the directory read by Graph at once; confirms a reading that was held back",
        ),
        Gives::Object(&STANDS),
        |call| Box::pin(read(call)),
    )
    .status(StatusCode::ACCEPTED),
];
