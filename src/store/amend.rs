//! Putting another identity under live sessions, or adding to it what was found out since the login: a step-up, an
//! evaluation, a reason given, leave granted.
//!
//! What stands there is read and written in one transaction, so that two additions at once both remain.

use sqlx::{Any, Transaction};

use super::changes::ChangeKind;
use super::row::{Cells, maybe_storable};
use super::{Store, StoreError};
use crate::model::identity::Identity;
use crate::model::ids::{SessionNonce, UserId};

/// Locks the row: an update that changes nothing, in the one spelling that both databases have.
const LOCK_SESSION: &str = "UPDATE sessions SET identity_version = identity_version \
     WHERE nonce = $1 AND ended_ms IS NULL AND expires_ms > $2 RETURNING nonce, identity";
const LOCK_OF_USER: &str = "UPDATE sessions SET identity_version = identity_version \
     WHERE user_id = $1 AND ended_ms IS NULL AND expires_ms > $2 RETURNING nonce, identity";
const AMEND: &str = "UPDATE sessions SET identity = $1, identity_version = identity_version + 1, \
     provider_session = $2 WHERE nonce = $3 RETURNING identity_version";

/// Whose identity is added to.
#[derive(Debug, Clone, Copy)]
pub enum Amended<'a> {
    /// That of one session.
    Session(&'a SessionNonce),
    /// Those of all live sessions of a user.
    User(UserId),
}

/// A session whose identity was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct AmendedSession {
    /// Its key.
    pub nonce: SessionNonce,
    /// The identity as it is now.
    pub identity: Identity,
    /// The version of that ([`SessionRow::identity_version`](super::SessionRow::identity_version)).
    pub version: i64,
}

impl Store {
    /// Changes the identities of live sessions and says so in the feed. Answers them as they are now; none where
    /// nothing is live.
    ///
    /// `change` may be called several times, each time with what stands in the store. The identity must stay that of
    /// the same user: another person never takes over a session, which is then left as it was and not answered.
    pub async fn amend_identities(
        &self,
        whose: Amended<'_>,
        change: &(dyn Fn(&mut Identity) + Send + Sync),
    ) -> Result<Vec<AmendedSession>, StoreError> {
        self.patiently(|| async {
            let mut tx = self.begin_brief().await?;
            let amended = self.amend_within(&mut tx, whose, change).await?;
            if !amended.is_empty() {
                self.tell_amended(&mut tx, &amended).await?;
                self.commit_changes(tx).await?;
            }
            Ok(amended)
        })
        .await
    }

    /// The change itself, within a transaction whose last statements must be [`Store::tell_amended`].
    pub(super) async fn amend_within(
        &self,
        tx: &mut Transaction<'static, Any>,
        whose: Amended<'_>,
        change: &(dyn Fn(&mut Identity) + Send + Sync),
    ) -> Result<Vec<AmendedSession>, StoreError> {
        let now_ms = self.now_ms();
        let rows = match whose {
            Amended::Session(nonce) => sqlx::query(LOCK_SESSION).bind(nonce.as_str().to_owned()),
            Amended::User(user) => sqlx::query(LOCK_OF_USER).bind(user.to_string()),
        };
        let rows = rows.bind(now_ms).fetch_all(&mut **tx).await?;
        let mut amended = Vec::with_capacity(rows.len());
        for row in &rows {
            let cells = Cells::new(row, "sessions", "nonce");
            let nonce: SessionNonce = cells.parsed("nonce")?;
            let mut identity: Identity = cells.json("identity")?;
            let user = identity.user;
            change(&mut identity);
            if identity.user != user {
                continue;
            }
            let json =
                serde_json::to_string(&identity).map_err(|error| StoreError::Unavailable(error.into()))?;
            let row = sqlx::query(AMEND)
                .bind(json)
                .bind(maybe_storable(identity.provider_session.as_deref()))
                .bind(nonce.as_str())
                .fetch_one(&mut **tx)
                .await?;
            let version = Cells::new(&row, "sessions", "identity_version").int("identity_version")?;
            amended.push(AmendedSession {
                nonce,
                identity,
                version,
            });
        }
        Ok(amended)
    }

    /// Tells the feed. Takes change numbers, so it comes last in its transaction.
    pub(super) async fn tell_amended(
        &self,
        tx: &mut Transaction<'static, Any>,
        amended: &[AmendedSession],
    ) -> Result<(), StoreError> {
        for session in amended {
            self.append_next(tx, ChangeKind::IdentityChanged, session.nonce.as_str())
                .await?;
        }
        Ok(())
    }
}
