//! Putting another identity under live sessions, or adding to it what was found out since the login: a step-up, an
//! evaluation, a reason given, leave granted.
//!
//! What stands there is read and written in one transaction, so that two additions at once both remain.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::changes::ChangeKind;
use super::many::{AT_ONCE, OfMany, of_many};
use super::row::{Cells, maybe_storable};
use super::{Store, StoreError, bounded};
use crate::model::identity::Identity;
use crate::model::ids::{SessionNonce, UserId};

/// Locks the row: an update that changes nothing, in the one spelling that both databases have.
const LOCK_SESSION: &str = "UPDATE sessions SET identity_version = identity_version \
     WHERE nonce = $1 AND ended_ms IS NULL AND expires_ms > $2 RETURNING nonce, identity, identity_version";
const LOCK_OF_USERS: OfMany = of_many!(
    "SELECT nonce, identity, identity_version FROM sessions \
     WHERE ended_ms IS NULL AND expires_ms > $2 AND user_id IN (SELECT value ->> 0 FROM ",
    LIST,
    ")",
    FOR UPDATE
);
const AMEND: OfMany = of_many!(
    "UPDATE sessions SET identity = given.identity, provider_session = given.provider_session, \
     identity_version = identity_version + 1 FROM (SELECT value ->> 0 AS nonce, value ->> 1 AS identity, \
     value ->> 2 AS provider_session FROM ",
    LIST,
    ") AS given WHERE sessions.nonce = given.nonce"
);
const STANDING: OfMany = of_many!(
    "SELECT nonce, identity, identity_version FROM sessions WHERE nonce IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);

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
        match whose {
            Amended::Session(nonce) => {
                let rows = sqlx::query(LOCK_SESSION)
                    .bind(nonce.as_str().to_owned())
                    .bind(self.now_ms())
                    .fetch_all(&mut **tx)
                    .await?;
                self.amend_rows(tx, &rows, change).await
            }
            Amended::User(user) => self.amend_users(tx, &[user], change).await,
        }
    }

    /// The same for all live sessions of many users.
    pub(super) async fn amend_users(
        &self,
        tx: &mut Transaction<'static, Any>,
        users: &[UserId],
        change: &(dyn Fn(&mut Identity) + Send + Sync),
    ) -> Result<Vec<AmendedSession>, StoreError> {
        let mut amended = Vec::with_capacity(users.len());
        for users in users.chunks(AT_ONCE) {
            let list: Vec<_> = users.iter().map(|user| (user.to_string(),)).collect();
            let rows = self
                .of_many(&LOCK_OF_USERS, &list)?
                .bind(self.now_ms())
                .fetch_all(&mut **tx)
                .await?;
            amended.extend(self.amend_rows(tx, &rows, change).await?);
        }
        Ok(amended)
    }

    /// Writes what locked sessions are to be.
    async fn amend_rows(
        &self,
        tx: &mut Transaction<'static, Any>,
        rows: &[AnyRow],
        change: &(dyn Fn(&mut Identity) + Send + Sync),
    ) -> Result<Vec<AmendedSession>, StoreError> {
        let mut amended = Vec::with_capacity(rows.len());
        for row in rows {
            let mut session = standing(row)?;
            let user = session.identity.user;
            change(&mut session.identity);
            if session.identity.user == user {
                session.version += 1;
                amended.push(session);
            }
        }
        // Somebody may have many sessions, and an identity be long.
        for sessions in amended.chunks(AT_ONCE) {
            let mut given = Vec::with_capacity(sessions.len());
            for AmendedSession { nonce, identity, .. } in sessions {
                let json =
                    serde_json::to_string(identity).map_err(|error| StoreError::Unavailable(error.into()))?;
                given.push((
                    nonce.as_str(),
                    json,
                    maybe_storable(identity.provider_session.as_deref()),
                ));
            }
            self.of_many(&AMEND, &given)?.execute(&mut **tx).await?;
        }
        Ok(amended)
    }

    /// Tells the feed. Takes change numbers, so it comes last in its transaction.
    pub(super) async fn tell_amended(
        &self,
        tx: &mut Transaction<'static, Any>,
        amended: &[AmendedSession],
    ) -> Result<(), StoreError> {
        let nonces: Vec<String> = amended
            .iter()
            .map(|session| session.nonce.as_str().to_owned())
            .collect();
        self.append_all(tx, ChangeKind::IdentityChanged, &nonces).await?;
        Ok(())
    }

    /// The identities under these sessions as they stand, whether the sessions are live or not.
    pub async fn identities(&self, nonces: &[SessionNonce]) -> Result<Vec<AmendedSession>, StoreError> {
        bounded(async {
            let mut connection = self.follower().await?;
            let mut found = Vec::with_capacity(nonces.len());
            for nonces in nonces.chunks(AT_ONCE) {
                let list: Vec<_> = nonces.iter().map(|nonce| (nonce.as_str(),)).collect();
                let rows = self
                    .of_many(&STANDING, &list)?
                    .fetch_all(&mut *connection)
                    .await?;
                for row in &rows {
                    found.push(standing(row)?);
                }
            }
            Ok(found)
        })
        .await
    }
}

/// A session with the identity that stands under it.
fn standing(row: &AnyRow) -> Result<AmendedSession, StoreError> {
    let cells = Cells::new(row, "sessions", "nonce");
    Ok(AmendedSession {
        nonce: cells.parsed("nonce")?,
        identity: cells.json("identity")?,
        version: cells.int("identity_version")?,
    })
}
