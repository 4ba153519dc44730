//! Authentication contexts of a provider's directory, as rules name them
//! (<https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context>).

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::ApiError;
use super::identity_providers;
use super::operation::{Gives, Operation};
use super::shape::{Shape, UnknownKeys, What, needed};
use crate::entra::{AuthenticationContext, EntraError};
use crate::model::idp::IdentityProvider;
use crate::model::ids::IdpId;
use crate::model::permission::{Area, Permission};

const SHAPE: Shape = Shape {
    name: "AuthContext",
    keys: &[
        needed("id", What::Id),
        needed("uid", What::Id),
        needed("ac_id", What::Text),
        needed("display_name", What::Text),
        needed("description", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};

/// The list as remembered, at most ten minutes old.
async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = call.provider().await?;
    let listed = call.api.relying_party.authentication_contexts(&provider).await;
    answer(&provider, listed)
}

/// Has the list read from Graph now, and answers with the provider, as Access does.
async fn refresh(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = call.provider().await?;
    let renewed = call
        .api
        .relying_party
        .renew_authentication_contexts(&provider)
        .await;
    renewed.map_err(refused)?;
    Ok(Answer::of(identity_providers::shown(call, provider.id.0).await?))
}

fn refused(error: EntraError) -> ApiError {
    match error {
        error @ EntraError::Unavailable { .. } => ApiError::provider_unavailable(error.to_string()),
        error => ApiError::invalid(error.to_string()),
    }
}

fn answer(
    provider: &IdentityProvider,
    listed: Result<Arc<Vec<AuthenticationContext>>, EntraError>,
) -> Result<Answer, ApiError> {
    let listed = listed.map_err(refused)?;
    let published = listed.iter().filter(|context| context.available);
    let shown: Vec<Value> = published.map(|context| show(provider.id, context)).collect();
    Ok(Answer::of(shown))
}

/// Microsoft knows a context by its short id alone; ours is the same wherever it is asked for.
fn show(provider: IdpId, context: &AuthenticationContext) -> Value {
    let id = Uuid::new_v5(&provider.0, context.id.as_bytes());
    json!({
        "id": id,
        "uid": id,
        "ac_id": context.id,
        "display_name": context.name,
        "description": context.description.as_deref().unwrap_or_default(),
    })
}

const PATH: &str = "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/auth_context";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, PATH),
        Permission::read(Area::Organization),
        (
            "list_auth_contexts",
            "List the authentication contexts of a provider's directory",
        ),
        Gives::Objects(&SHAPE),
        |call| Box::pin(list(call)),
    ),
    Operation::new(
        (&Method::PUT, PATH),
        Permission::write(Area::Organization),
        (
            "refresh_auth_contexts",
            "Read the authentication contexts of a provider's directory anew",
        ),
        Gives::Object(&identity_providers::SHAPE),
        |call| Box::pin(refresh(call)),
    ),
];
