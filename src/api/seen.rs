//! When tokens of the API were last used, written down now and then.

use quick_cache::sync::Cache;

use crate::model::api_token::ApiToken;
use crate::model::ids::ApiTokenId;
use crate::store::Store;

/// A use is written down at most this often, in milliseconds.
const COARSE_MS: i64 = 60_000;
/// Tokens of which it is known when they were written down.
const CAPACITY: usize = 1_000;

/// When the last use of each token was written down.
pub(super) struct Seen(Cache<ApiTokenId, i64>);

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").finish_non_exhaustive()
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl Seen {
    /// Takes note of a use. One that cannot be written down is no reason to refuse it.
    pub(super) async fn note(&self, token: &ApiToken, now_ms: i64, store: &Store) {
        let written = self.0.get(&token.id);
        if written.is_some_and(|written| now_ms - written < COARSE_MS) {
            return;
        }
        self.0.insert(token.id, now_ms);
        if let Err(error) = store.touch_api_token(token.id, now_ms).await {
            tracing::debug!(%error, token = token.name, "The use of a token could not be written down");
        }
    }
}
