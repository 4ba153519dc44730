//! Service tokens
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/service_tokens/>).

use http::{Method, StatusCode};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::page::{self, Page, Sizes};
use super::resource::{Shown, named, take, time};
use super::shape::{Shape, UnknownKeys, What, needed, optional, read_only};
use crate::manage::{Issued, ManageError, NewServiceToken, ServiceTokenChanges, Written};
use crate::model::ids::ServiceTokenId;
use crate::model::number;
use crate::model::permission::{Area, Permission};
use crate::model::service_token::TokenLife;
use crate::store::{Document, Kind, Object};

pub(super) const SHAPE: Shape = Shape {
    name: "ServiceToken",
    keys: &[
        read_only("id", What::Id),
        needed("name", What::Text),
        read_only("client_id", What::Text),
        read_only("client_secret", What::Text),
        optional("duration", What::Text),
        optional("enabled", What::Flag),
        optional("client_secret_version", What::Number),
        optional("previous_client_secret_expires_at", What::Time),
        read_only("expires_at", What::Time),
        read_only("last_seen_at", What::Time),
        read_only("read_only", What::Flag),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};
const ROTATION: Shape = Shape {
    name: "Rotation",
    keys: &[optional("previous_client_secret_expires_at", What::Time)],
    unknown: UnknownKeys::Refused,
};
const SIZES: Sizes = Sizes {
    usual: 1000,
    most: 1000,
};

async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&call.query, SIZES)?;
    let around = call.around().await?;
    let (objects, total) = around.found(Kind::ServiceToken, &call.query, page);
    let ids: Vec<ServiceTokenId> = objects.iter().map(|object| ServiceTokenId(object.id)).collect();
    let uses = call.api.store.service_token_uses_of(&ids).await?;
    let seen = |object: &Object| uses.get(&ServiceTokenId(object.id)).copied();
    let shown: Vec<Value> = objects
        .iter()
        .map(|object| show(&object.document(), seen(object), None))
        .collect();
    let info = page.info(shown.len(), total);
    Ok(Answer::page(shown, info))
}

async fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = id(call)?;
    let snapshot = call.latest().await?;
    let object = snapshot.objects.get(Kind::ServiceToken, id.0);
    let object = object.ok_or_else(|| ApiError::unknown(Unknown::ServiceToken))?;
    answer(call, &object.document(), None).await
}

async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, _) = take(call, &SHAPE, call.object()?)?;
    let read = Read(&taken.body);
    let new = NewServiceToken {
        name: read
            .text("name")?
            .ok_or_else(|| ApiError::invalid_at("/name", "it is missing"))?
            .to_owned(),
        duration: read.life()?.unwrap_or_default(),
        enabled: read.flag("enabled")?.unwrap_or(true),
        secret_version: read.version("client_secret_version")?.unwrap_or(1),
    };
    issued(
        call,
        &call.api.manage.create_service_token(new, call.actor()).await?,
    )
    .await
}

async fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, _) = take(call, &SHAPE, call.object()?)?;
    let read = Read(&taken.body);
    let asked = read.version("client_secret_version")?;
    let changes = ServiceTokenChanges {
        name: read.text("name")?.map(str::to_owned),
        enabled: read.flag("enabled")?,
        duration: read.life()?,
        client_secret_version: asked,
        previous_client_secret_expires_at: read.time("previous_client_secret_expires_at")?,
    };
    let updated = call
        .api
        .manage
        .update_service_token(id(call)?, changes, call.actor())
        .await;
    let (Written { document, position }, secret) =
        updated.map_err(|error| named(error, Unknown::ServiceToken))?;
    call.in_force(&position).await;
    let present = document.body.get("client_secret_version").and_then(number::whole);
    let behind = asked.zip(present).filter(|(asked, present)| asked < present);
    // Whoever writes the token may not know that another has raised it: nothing is taken away from either.
    let said = behind.map(|(_, present)| {
        format!("client_secret_version is {present} already: the secret stays, and a higher one rotates it")
    });
    let answer = answer(call, &document, secret.as_ref()).await?;
    Ok(answer.saying(said.into_iter().collect()))
}

async fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let deleted = call
        .api
        .manage
        .delete_service_token(id(call)?, call.actor())
        .await;
    written(call, deleted).await
}

async fn refresh(call: &Call<'_>) -> Result<Answer, ApiError> {
    let refreshed = call
        .api
        .manage
        .refresh_service_token(id(call)?, call.actor())
        .await;
    written(call, refreshed).await
}

async fn rotate(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, _) = take(call, &ROTATION, call.object_or_nothing()?)?;
    let until = Read(&taken.body).time("previous_client_secret_expires_at")?;
    let rotated = call
        .api
        .manage
        .rotate_service_token(id(call)?, until, call.actor())
        .await;
    issued(
        call,
        &rotated.map_err(|error| named(error, Unknown::ServiceToken))?,
    )
    .await
}

fn id(call: &Call<'_>) -> Result<ServiceTokenId, ApiError> {
    call.id("service_token_id", Unknown::ServiceToken)
        .map(ServiceTokenId)
}

/// Answers with a token that was written.
async fn written(call: &Call<'_>, written: Result<Written, ManageError>) -> Result<Answer, ApiError> {
    let written = written.map_err(|error| named(error, Unknown::ServiceToken))?;
    call.in_force(&written.position).await;
    answer(call, &written.document, None).await
}

/// Answers with a token that got a secret.
async fn issued(call: &Call<'_>, issued: &Issued) -> Result<Answer, ApiError> {
    call.in_force(&issued.position).await;
    answer(call, &issued.document, Some(&issued.client_secret)).await
}

async fn answer(
    call: &Call<'_>,
    document: &Document,
    secret: Option<&SecretString>,
) -> Result<Answer, ApiError> {
    let id = ServiceTokenId(document.id);
    let uses = call.api.store.service_token_uses_of(&[id]).await?;
    let seen = uses.get(&id).copied();
    Ok(Answer::of(show(document, seen, secret)))
}

/// A token as it is shown; its secret only where it was made just now.
fn show(document: &Document, last_seen_ms: Option<i64>, secret: Option<&SecretString>) -> Value {
    let mut shown = Shown::begin(&["id"], document);
    if let Some(secret) = secret {
        shown = shown.with("client_secret", secret.expose_secret());
    }
    shown
        .with("last_seen_at", last_seen_ms.map(time))
        .timed(document)
        .into_value()
}

/// Reads what is written of a token.
struct Read<'b>(&'b Map<String, Value>);

impl<'b> Read<'b> {
    fn given(&self, key: &str) -> Option<&'b Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn read<T>(
        &self,
        key: &str,
        what: &str,
        read: impl Fn(&'b Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.given(key) else {
            return Ok(None);
        };
        let value = read(value).ok_or_else(|| ApiError::invalid_at(format!("/{key}"), what))?;
        Ok(Some(value))
    }

    fn text(&self, key: &str) -> Result<Option<&'b str>, ApiError> {
        self.read(key, "text is needed", Value::as_str)
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        self.read(key, "true or false is needed", Value::as_bool)
    }

    /// Versions begin with 1; 0 is what cloudflare-go before version 1 sends for none.
    fn version(&self, key: &str) -> Result<Option<u64>, ApiError> {
        let read = self.read(key, "a whole number from 1 is needed", number::whole)?;
        Ok(read.filter(|number| *number > 0))
    }

    fn time(&self, key: &str) -> Result<Option<Timestamp>, ApiError> {
        self.read(key, "a time such as 2026-01-31T12:00:00Z is needed", |value| {
            value.as_str()?.parse().ok()
        })
    }

    fn life(&self) -> Result<Option<TokenLife>, ApiError> {
        self.read(
            "duration",
            "a duration such as 8760h is needed, or forever",
            |value| value.as_str()?.parse().ok(),
        )
    }
}

const READ: Permission = Permission::read(Area::ServiceTokens);
const WRITE: Permission = Permission::write(Area::ServiceTokens);
const ALL: &str = "/accounts/{account_id}/access/service_tokens";
const ONE: &str = "/accounts/{account_id}/access/service_tokens/{service_token_id}";
const REFRESH: &str = "/accounts/{account_id}/access/service_tokens/{service_token_id}/refresh";
const ROTATE: &str = "/accounts/{account_id}/access/service_tokens/{service_token_id}/rotate";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, ALL),
        READ,
        ("list_service_tokens", "List service tokens"),
        Gives::Page(&SHAPE),
        |call| Box::pin(list(call)),
    )
    .asked(page::NAMED),
    Operation::new(
        (&Method::POST, ALL),
        WRITE,
        (
            "create_service_token",
            "Make a service token; its secret is told this once",
        ),
        Gives::Object(&SHAPE),
        |call| Box::pin(create(call)),
    )
    .taking(&SHAPE)
    .status(StatusCode::CREATED),
    Operation::new(
        (&Method::GET, ONE),
        READ,
        ("get_service_token", "Read a service token"),
        Gives::Object(&SHAPE),
        |call| Box::pin(get(call)),
    ),
    Operation::new(
        (&Method::PUT, ONE),
        WRITE,
        (
            "update_service_token",
            "Change a service token; a higher client_secret_version rotates its secret",
        ),
        Gives::Object(&SHAPE),
        |call| Box::pin(update(call)),
    )
    .taking(&SHAPE),
    Operation::new(
        (&Method::DELETE, ONE),
        WRITE,
        (
            "delete_service_token",
            "Delete a service token that no rule names",
        ),
        Gives::Object(&SHAPE),
        |call| Box::pin(delete(call)),
    ),
    Operation::new(
        (&Method::POST, REFRESH),
        WRITE,
        ("refresh_service_token", "Let a service token live a year longer"),
        Gives::Object(&SHAPE),
        |call| Box::pin(refresh(call)),
    ),
    Operation::new(
        (&Method::POST, ROTATE),
        WRITE,
        (
            "rotate_service_token",
            "Give a service token another secret, told this once",
        ),
        Gives::Object(&SHAPE),
        |call| Box::pin(rotate(call)),
    )
    .may_take(&ROTATION),
];
