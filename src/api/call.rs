//! One request of the API, with what handlers need, and what they answer.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Api;
use super::error::{ApiError, Unknown};
use super::operation::Params;
use super::query::Query;
use super::resource::Around;
use crate::model::api_token::ApiToken;
use crate::model::idp::IdentityProvider;
use crate::model::ids::IdpId;
use crate::model::strict_json::{self, JsonRefused, Keys};
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
    /// Who asks.
    pub(super) address: IpAddr,
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
        let value = strict_json::read(self.body, Keys::Exact).map_err(|refused| match refused {
            JsonRefused::NoJson(error) => ApiError::invalid(format!("the body is not JSON: {error}")),
            JsonRefused::Repeated { pointer } => ApiError::invalid_at(pointer, "the key stands here twice"),
        })?;
        if is_deeper(&value, DEEPEST) {
            return Err(ApiError::invalid("the body is nested too deeply"));
        }
        Ok(value)
    }

    /// The snapshot with whatever is written by now, wherever it was written.
    pub(super) async fn latest(&self) -> Result<Arc<Snapshot>, ApiError> {
        let change = self.api.latest.ask(&self.api.store).await?;
        if self.snapshot.position.seq >= change {
            return Ok(Arc::clone(&self.snapshot));
        }
        self.api.published.reached(change).await;
        Ok(self.api.published.load())
    }

    /// The identity provider that the path names, with whatever is written by now.
    pub(super) async fn provider(&self) -> Result<Arc<IdentityProvider>, ApiError> {
        let id = IdpId(self.id("identity_provider_id", Unknown::IdentityProvider)?);
        let provider = self.latest().await?.providers.get(&id).cloned();
        provider.ok_or_else(|| ApiError::unknown(Unknown::IdentityProvider))
    }

    /// What objects are shown by, with whatever is written by now.
    pub(super) async fn around(&self) -> Result<Around<'_>, ApiError> {
        Ok(Around {
            api: self.api,
            snapshot: self.latest().await?,
        })
    }

    /// What an object is shown by that this request has written.
    pub(super) fn around_now(&self) -> Around<'_> {
        Around {
            api: self.api,
            snapshot: self.api.published.load(),
        }
    }

    /// Waits until a change is in force at this gateway, so that whoever was told of it can rely on it. Others follow
    /// within a second.
    pub(super) async fn in_force(&self, position: &Position) {
        self.api.published.reached(position.seq).await;
    }
}

/// How deep a body may be nested. Objects are half as deep at most, and come back inside others: readers have limits.
const DEEPEST: usize = 32;

fn is_deeper(value: &Value, most: usize) -> bool {
    let Some(most) = most.checked_sub(1) else {
        return value.is_object() || value.is_array();
    };
    match value {
        Value::Object(map) => map.values().any(|value| is_deeper(value, most)),
        Value::Array(items) => items.iter().any(|value| is_deeper(value, most)),
        _ => false,
    }
}

/// What an operation answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) result: Content,
    /// Of lists.
    pub(super) info: Option<Value>,
    /// What is worth knowing about it.
    pub(super) messages: Vec<String>,
}

/// The `result` of an answer.
#[derive(Debug)]
pub(super) enum Content {
    Made(Value),
    /// One object, as text that was made before.
    Kept(Arc<str>),
    /// A list of such objects.
    AllKept(Vec<Arc<str>>),
}

impl Content {
    /// Appends it as JSON.
    pub(super) fn write(&self, text: &mut String) {
        match self {
            Self::Made(value) => text.push_str(&value.to_string()),
            Self::Kept(kept) => text.push_str(kept),
            Self::AllKept(items) => {
                text.reserve(items.iter().map(|item| item.len() + 1).sum::<usize>() + 2);
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(item);
                }
                text.push(']');
            }
        }
    }
}

impl Answer {
    pub(super) fn of(result: impl Into<Value>) -> Self {
        Self::with(Content::Made(result.into()), None)
    }

    pub(super) fn page(result: Vec<Value>, info: Value) -> Self {
        Self::with(Content::Made(result.into()), Some(info))
    }

    pub(super) fn with(result: Content, info: Option<Value>) -> Self {
        Self {
            result,
            info,
            messages: Vec::new(),
        }
    }

    pub(super) fn saying(mut self, messages: Vec<String>) -> Self {
        self.messages = messages;
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_has_a_bottom() {
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!({ "a": [inner] }));
        assert!(!is_deeper(&nested(16), 32));
        assert!(is_deeper(&nested(17), 32));
        assert!(is_deeper(&json!([]), 0) && !is_deeper(&json!(1), 0));
    }
}
