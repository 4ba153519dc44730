//! Putting another identity under a live session: a refreshed login, a changed membership.

use super::changes::ChangeKind;
use super::row::maybe_storable;
use super::{Store, StoreError};
use crate::model::identity::Identity;
use crate::model::ids::SessionNonce;

const REPLACE: &str = "UPDATE sessions SET identity = $1, identity_version = identity_version + 1, \
     provider_session = $2 WHERE nonce = $3 AND user_id = $4 AND ended_ms IS NULL AND expires_ms > $5";

impl Store {
    /// Replaces the identity of a session and says so in the feed. Answers whether the session was live.
    ///
    /// The identity must be of the same user: another person never takes over a session.
    pub async fn replace_identity(
        &self,
        nonce: &SessionNonce,
        identity: &Identity,
    ) -> Result<bool, StoreError> {
        let json = serde_json::to_string(identity).map_err(|error| StoreError::Unavailable(error.into()))?;
        self.patiently(|| self.replace_once(nonce, identity, &json)).await
    }

    async fn replace_once(
        &self,
        nonce: &SessionNonce,
        identity: &Identity,
        json: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_brief().await?;
        let replaced = sqlx::query(REPLACE)
            .bind(json)
            .bind(maybe_storable(identity.provider_session.as_deref()))
            .bind(nonce.as_str())
            .bind(identity.user.to_string())
            .bind(self.now_ms())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if replaced == 0 {
            return Ok(false);
        }
        self.append_next(&mut tx, ChangeKind::IdentityChanged, nonce.as_str())
            .await?;
        self.commit_changes(tx).await?;
        Ok(true)
    }
}
