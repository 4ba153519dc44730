//! Ours: testing an identity provider, as far as it takes no browser, and the link for the rest.

use http::Method;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::resource::named;
use super::shape::{Shape, UnknownKeys, What, read_only};
use crate::entra::check::WayBack;
use crate::model::check::{Check, CheckState};
use crate::model::permission::{Area, Permission};

const LINK: Shape = Shape {
    name: "IdentityProviderTestLink",
    keys: &[read_only("url", What::Text), read_only("expires_at", What::Time)],
    unknown: UnknownKeys::Refused,
};
const CHECK: Shape = Shape {
    name: "IdentityProviderCheck",
    keys: &[
        read_only("step", What::Text),
        read_only("about", What::Text),
        read_only("state", What::Text),
        read_only("found", What::Text),
        read_only("mend", What::Text),
        read_only("details", What::Texts),
    ],
    unknown: UnknownKeys::Refused,
};
const TEST: Shape = Shape {
    name: "IdentityProviderTest",
    keys: &[
        read_only("works", What::Flag),
        read_only("checks", What::Objects(&CHECK)),
    ],
    unknown: UnknownKeys::Refused,
};

/// Seconds after which another test may find a place.
const TRY_AGAIN: u32 = 5;

/// Makes a link. Whoever opens it signs in at the provider and sees the whole checklist.
async fn link(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = call.provider().await?;
    let link = call.api.manage.test_link(provider.id, call.actor()).await;
    let link = link.map_err(|error| named(error, Unknown::IdentityProvider))?;
    tracing::info!(
        request.id = call.request_id, provider.id = %provider.id, token = call.token.name,
        "A link to a provider's test was made"
    );
    Ok(Answer::of(
        json!({ "url": link.url, "expires_at": link.expires_at.to_string() }),
    ))
}

/// Asks Microsoft what can be asked without a person.
async fn test(call: &Call<'_>) -> Result<Answer, ApiError> {
    let provider = call.provider().await?;
    let Ok(_place) = call.api.tests.try_acquire() else {
        return Err(ApiError::too_many(TRY_AGAIN));
    };
    let auth = &call.snapshot.organization.auth;
    let address = auth.callback();
    let checks = call
        .api
        .relying_party
        .check_setup(&provider, WayBack::Ask(&address))
        .await;
    let works = checks.iter().all(|check| check.state != CheckState::Bad);
    let checks: Vec<Value> = checks.iter().map(show).collect();
    Ok(Answer::of(json!({ "works": works, "checks": checks })))
}

fn show(check: &Check) -> Value {
    json!({
        "step": check.step.as_str(),
        "about": check.about,
        "state": check.state.as_str(),
        "found": check.found,
        "mend": check.mend,
        "details": check.details,
    })
}

const PATH: &str = "/accounts/{account_id}/access/identity_providers/{identity_provider_id}/test";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, PATH),
        Permission::read(Area::Organization),
        (
            "test_identity_provider",
            "Test an identity provider as far as it takes no browser: discovery, clock, redirect address, credential, \
             permissions of the application",
        ),
        Gives::Object(&TEST),
        |call| Box::pin(test(call)),
    ),
    Operation::new(
        (&Method::POST, PATH),
        Permission::write(Area::Organization),
        (
            "make_identity_provider_test_link",
            "Make a link, good for ten minutes and once, that opens a sign-in at the provider and shows the checklist",
        ),
        Gives::Object(&LINK),
        |call| Box::pin(link(call)),
    ),
];
