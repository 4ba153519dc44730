//! One request of the API, with what handlers need, and what they answer.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Api;
use super::error::{ApiError, Unknown};
use super::operation::Params;
use super::query::Query;
use crate::model::api_token::ApiToken;
use crate::snapshot::Snapshot;
use crate::store::{Actor, ActorKind, Position};

/// A request whose token may do what it asks.
pub(super) struct Call<'r> {
    pub(super) api: &'r Api,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) token: &'r ApiToken,
    pub(super) params: Params<'r>,
    pub(super) query: Query<'r>,
    pub(super) body: &'r Bytes,
    pub(super) request_id: &'r str,
}

impl Call<'_> {
    /// Who is written into the audit log.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::ApiToken,
            name: self.token.name.clone(),
        }
    }

    /// An id out of the path. 32 digits without hyphens are one too, as Cloudflare's clients may send it.
    pub(super) fn id(&self, name: &str, what: Unknown) -> Result<Uuid, ApiError> {
        Uuid::try_parse(self.params.get(name)).map_err(|_| ApiError::unknown(what))
    }

    /// The body, which must be a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, ApiError> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            _ => Err(ApiError::invalid_at("", "an object is needed")),
        }
    }

    /// The body where it may be left out: an empty object then.
    pub(super) fn object_or_nothing(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        self.object()
    }

    /// The body, which must be a list.
    pub(super) fn list(&self) -> Result<Vec<Value>, ApiError> {
        match self.json()? {
            Value::Array(items) => Ok(items),
            _ => Err(ApiError::invalid_at("", "a list is needed")),
        }
    }

    fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(self.body)
            .map_err(|error| ApiError::invalid(format!("the body is not JSON: {error}")))
    }

    /// Waits until whatever is written by now is in force at this gateway.
    pub(super) async fn latest_in_force(&self) -> Result<(), ApiError> {
        let position = self.api.store.head().await?;
        self.in_force(&position).await;
        Ok(())
    }

    /// Waits until a change is in force at this gateway, so that whoever was told of it can rely on it. Others follow
    /// within a second.
    pub(super) async fn in_force(&self, position: &Position) {
        self.api.published.reached(position).await;
    }
}

/// What an operation answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) result: Value,
    /// Of lists.
    pub(super) info: Option<Value>,
    /// What is worth knowing about it.
    pub(super) messages: Vec<String>,
}

impl Answer {
    pub(super) fn of(result: impl Into<Value>) -> Self {
        Self {
            result: result.into(),
            info: None,
            messages: Vec::new(),
        }
    }

    pub(super) fn page(result: Vec<Value>, info: Value) -> Self {
        Self {
            info: Some(info),
            ..Self::of(result)
        }
    }

    pub(super) fn saying(mut self, messages: Vec<String>) -> Self {
        self.messages = messages;
        self
    }
}
