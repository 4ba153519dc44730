//! Putting another identity under a live session: a refreshed login, a step-up, an evaluation, a changed membership.

use super::changes::ChangeKind;
use super::row::{Cells, maybe_storable};
use super::{Store, StoreError};
use crate::model::identity::Identity;
use crate::model::ids::SessionNonce;

/// Takes the row's lock and reads in one statement, so that two who amend at once do so one after the other.
const TAKE: &str = "UPDATE sessions SET identity_version = identity_version + 1 \
     WHERE nonce = $1 AND ended_ms IS NULL AND expires_ms > $2 RETURNING nonce, identity";
const PUT: &str = "UPDATE sessions SET identity = $1, provider_session = $2 WHERE nonce = $3";

impl Store {
    /// Replaces the identity of a session and says so in the feed. Answers whether the session was live.
    ///
    /// The identity must be of the same user: another person never takes over a session.
    pub async fn replace_identity(
        &self,
        nonce: &SessionNonce,
        identity: &Identity,
    ) -> Result<bool, StoreError> {
        let replaced = self.amend_identity(nonce, &|_| identity.clone()).await?;
        Ok(replaced.is_some())
    }

    /// Makes another identity of a session's present one, as the store has it, and says so in the feed. Answers the
    /// new one, or `None` where the session is over. Nothing that is written meanwhile is lost, so whoever adds
    /// something to an identity does it so. `change` may be called more than once.
    ///
    /// The identity must stay that of the same user: another person never takes over a session.
    pub async fn amend_identity(
        &self,
        nonce: &SessionNonce,
        change: &(dyn Fn(&Identity) -> Identity + Send + Sync),
    ) -> Result<Option<Identity>, StoreError> {
        self.patiently(|| self.amend_once(nonce, change)).await
    }

    async fn amend_once(
        &self,
        nonce: &SessionNonce,
        change: &(dyn Fn(&Identity) -> Identity + Send + Sync),
    ) -> Result<Option<Identity>, StoreError> {
        let mut tx = self.begin_brief().await?;
        let row = sqlx::query(TAKE)
            .bind(nonce.as_str())
            .bind(self.now_ms())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let present: Identity = Cells::new(&row, "sessions", "nonce").json("identity")?;
        let changed = change(&present);
        if changed.user != present.user {
            return Ok(None);
        }
        let json = serde_json::to_string(&changed).map_err(|error| StoreError::Unavailable(error.into()))?;
        sqlx::query(PUT)
            .bind(json)
            .bind(maybe_storable(changed.provider_session.as_deref()))
            .bind(nonce.as_str())
            .execute(&mut *tx)
            .await?;
        self.append_next(&mut tx, ChangeKind::IdentityChanged, nonce.as_str())
            .await?;
        self.commit_changes(tx).await?;
        Ok(Some(changed))
    }
}
