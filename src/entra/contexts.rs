//! Authentication contexts of Conditional Access: what an organization calls its stronger sign-ins.
//!
//! A context is asked for by its id (`c1` … `c99`) with [`claims_asking_for`], and is satisfied where the *verified* ID
//! token's `acrs` says so. The list serves to name contexts on pages and to offer them in settings; no decision waits
//! for it. <https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context>

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use serde_json::{Value, json};
use url::Url;

use super::cached::Cached;
use super::discovery::{Directory, base};
use super::errors::EntraError;
use super::graph::{Graph, GraphFailed};
use super::outbound::Outbound;
use super::token_endpoint::{Grant, exchange};
use crate::clock::Clock;
use crate::model::idp::EntraSettings;

/// Graph answers one such request a second and tenant, without a word on when to come back.
/// <https://learn.microsoft.com/graph/throttling-limits#identity-and-access-conditional-access-policy-service-limits>
const FRESH_MS: i64 = 10 * 60 * 1000;
/// After a failure with nothing remembered, nobody asks again for so long: the permission is missing more often than not.
const PAUSE_MS: i64 = 60 * 1000;
/// Between two renewals that are asked for.
const RENEWAL_PAUSE_MS: i64 = 5 * 1000;
/// Longest wait for the whole list.
const MAX_TIME: Duration = Duration::from_secs(15);
/// Apps whose lists are remembered. One for each provider is usual.
const MAX_LISTS: usize = 256;

/// An authentication context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticationContext {
    /// Its id, `c1` to `c99`: what rules and tokens say.
    pub id: String,
    /// Its name, a label that may change.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is published, so that it may be asked for.
    pub available: bool,
}

impl AuthenticationContext {
    pub(super) fn of_graph(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text("id")?;
        Some(Self {
            name: text("displayName").unwrap_or_else(|| id.clone()),
            description: text("description").filter(|text| !text.is_empty()),
            available: entry.get("isAvailable").and_then(Value::as_bool).unwrap_or(false),
            id,
        })
    }
}

/// The `claims` parameter of an authorization request that asks for a context. One a request: whether Entra honours
/// several is not documented.
pub fn claims_asking_for(context: &str) -> String {
    json!({"id_token": {"acrs": {"essential": true, "value": context}}}).to_string()
}

/// The contexts of each directory, as far as they have been asked for. Cheap to clone.
#[derive(Clone)]
pub(super) struct ContextLists(Arc<Cache<(Directory, String), Arc<Remembered>>>);

struct Remembered {
    list: Arc<Cached<Vec<AuthenticationContext>>>,
    failed: Mutex<Option<(i64, EntraError)>>,
}

impl ContextLists {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(MAX_LISTS)))
    }

    pub(super) async fn list(
        &self,
        outbound: &Outbound,
        clock: &Clock,
        settings: &EntraSettings,
        token_endpoint: Url,
    ) -> Result<Arc<Vec<AuthenticationContext>>, EntraError> {
        let remembered = self.remembered(settings);
        let now_ms = clock.now_ms();
        if remembered.list.held().is_none()
            && let Some(error) = remembered.failed_within_pause(now_ms)
        {
            return Err(error);
        }
        let now = clock.now_seconds();
        let fetch = || fetch(outbound.clone(), settings.clone(), token_endpoint, now);
        let list = remembered.list.get(now_ms, fetch).await;
        if let Err(error) = &list {
            *remembered.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, error.clone()));
        }
        list
    }

    /// The list as Graph has it now, unless it was asked within the last seconds.
    pub(super) async fn renew(
        &self,
        outbound: &Outbound,
        clock: &Clock,
        settings: &EntraSettings,
        token_endpoint: Url,
    ) -> Result<Arc<Vec<AuthenticationContext>>, EntraError> {
        let remembered = self.remembered(settings);
        let Some(seen) = remembered.list.held() else {
            return self.list(outbound, clock, settings, token_endpoint).await;
        };
        let now = clock.now_seconds();
        let fetch = || fetch(outbound.clone(), settings.clone(), token_endpoint, now);
        let newer = remembered
            .list
            .renew(&seen, clock.now_ms(), RENEWAL_PAUSE_MS, fetch)
            .await?;
        Ok(newer.unwrap_or(seen))
    }

    fn remembered(&self, settings: &EntraSettings) -> Arc<Remembered> {
        let key = (Directory::of(settings), settings.client_id.clone());
        let fresh = || {
            Ok::<_, std::convert::Infallible>(Arc::new(Remembered {
                list: Arc::new(Cached::fresh_for(FRESH_MS)),
                failed: Mutex::new(None),
            }))
        };
        match self.0.get_or_insert_with(&key, fresh) {
            Ok(remembered) => remembered,
            Err(never) => match never {},
        }
    }
}

impl Remembered {
    fn failed_within_pause(&self, now_ms: i64) -> Option<EntraError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (at_ms, error) = failed.as_ref()?;
        (now_ms.saturating_sub(*at_ms) < PAUSE_MS).then(|| error.clone())
    }
}

async fn fetch(
    outbound: Outbound,
    settings: EntraSettings,
    token_endpoint: Url,
    now: i64,
) -> Result<Vec<AuthenticationContext>, EntraError> {
    let graph = &settings.cloud.graph;
    let scope = format!("{}/.default", base(graph));
    let grant = Grant::Application { scope: &scope };
    let tokens = exchange(&outbound, &settings, &token_endpoint, &grant, now).await?;
    let mut graph = Graph::new(&outbound, graph, &tokens.access);
    let listed = tokio::time::timeout(MAX_TIME, graph.authentication_contexts()).await;
    match listed {
        Ok(Ok(contexts)) => Ok(contexts),
        Ok(Err(GraphFailed::Denied)) => Err(EntraError::Misconfigured(
            "Graph denies the list of authentication contexts: grant the application permission \
             Policy.Read.ConditionalAccess, with admin consent"
                .to_owned(),
        )),
        Ok(Err(failed)) => Err(unavailable(failed.to_string())),
        Err(_) => Err(unavailable("it takes too long".to_owned())),
    }
}

fn unavailable(reason: String) -> EntraError {
    EntraError::Unavailable {
        what: "the list of authentication contexts",
        reason,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_asked_for_as_microsoft_documents() {
        let documented = r#"{"id_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
        assert_eq!(claims_asking_for("c1"), documented);
    }

    #[test]
    fn the_list_of_graph_is_read() {
        let file = include_str!("../../tests/fixtures/entra/graph/authenticationContextClassReferences.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let listed: Vec<_> = file["body"]["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| AuthenticationContext::of_graph(entry).unwrap())
            .collect();
        let brief: Vec<_> = listed
            .iter()
            .map(|context| (context.id.as_str(), context.name.as_str(), context.available))
            .collect();
        assert_eq!(
            brief,
            [
                ("c1", "Require strong MFA", true),
                ("c2", "Managed device", true),
                ("c3", "Draft", false)
            ]
        );
        assert_eq!(
            AuthenticationContext::of_graph(&json!({"displayName": "No id"})),
            None
        );
    }
}
