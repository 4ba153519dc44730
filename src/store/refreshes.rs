//! Refresh tokens that are tried in the background: whose is due, and what became of it.

use sqlx::any::AnyRow;

use super::row::Cells;
use super::{Store, StoreError, bounded};
use crate::model::identity::Identity;
use crate::model::ids::{IdpId, SessionNonce, UserId};

/// A session whose refresh token is to be tried. No `Debug`: it carries the token.
pub struct DueRefresh {
    /// The session's key, which the token is sealed to.
    pub nonce: SessionNonce,
    /// The user.
    pub user: UserId,
    /// What is known of the person.
    pub identity: Identity,
    /// The token, sealed (`Purpose::RefreshToken`).
    pub token_sealed: Vec<u8>,
    /// Since when the provider has not vouched for the person though it was asked, milliseconds since 1970; `None` where it
    /// did when it was asked last.
    pub failing_since_ms: Option<i64>,
}

/// Tokens taken at once, at most: where there are as many, there may be more.
pub const REFRESHES_TAKEN: usize = 64;

/// Sessions `s` of the provider `$3` whose refresh token was last tried before `$2`; `$1` is the present time. One token a
/// person: that of the session that began last.
macro_rules! due {
    () => {
        "s.provider = $3 AND s.ended_ms IS NULL AND s.expires_ms > $1 AND s.refresh_token IS NOT NULL \
         AND s.refresh_tried_ms < $2 AND s.created_ms < $2 AND NOT EXISTS (SELECT 1 FROM sessions o \
         WHERE o.user_id = s.user_id AND o.ended_ms IS NULL AND o.expires_ms > $1 AND o.refresh_token IS NOT NULL \
         AND (o.created_ms > s.created_ms OR (o.created_ms = s.created_ms AND o.nonce > s.nonce)))"
    };
}
/// Taking it is one statement, so that of several gateways one does; PostgreSQL looks anew at a row that was taken since
/// it was found.
const TAKE: &str = concat!(
    "UPDATE sessions SET refresh_tried_ms = $1 WHERE refresh_tried_ms < $2 AND ended_ms IS NULL \
     AND nonce IN (SELECT nonce FROM sessions s WHERE ",
    due!(),
    " ORDER BY s.refresh_tried_ms LIMIT $4) RETURNING nonce, user_id, identity, refresh_token, refresh_failing_since_ms"
);
const DUE: &str = concat!("SELECT COUNT(*) AS n FROM sessions s WHERE ", due!());
/// `refresh_confirmed_ms` is what the release before goes by.
const DONE: &str = "UPDATE sessions SET refresh_confirmed_ms = $1, refresh_failing_since_ms = NULL, \
     refresh_token = COALESCE($2, refresh_token) WHERE nonce = $3 AND ended_ms IS NULL";
const FAILED: &str = "UPDATE sessions SET refresh_failing_since_ms = COALESCE(refresh_failing_since_ms, $1) \
     WHERE nonce = $2 AND ended_ms IS NULL";
const GIVE_UP: &str = "UPDATE sessions SET refresh_token = NULL WHERE nonce = $1 AND refresh_token = $2";

impl Store {
    /// Takes some refresh tokens of a provider that were last tried before this time, [`REFRESHES_TAKEN`] at most; no other
    /// gateway takes them too.
    pub async fn take_due_refreshes(
        &self,
        provider: IdpId,
        before_ms: i64,
    ) -> Result<Vec<DueRefresh>, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let rows = sqlx::query(TAKE)
                .bind(self.now_ms())
                .bind(before_ms)
                .bind(provider.to_string())
                .bind(i64::try_from(REFRESHES_TAKEN).unwrap_or(i64::MAX))
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(due).collect()
        })
        .await
    }

    /// Of how many people of a provider the refresh token was last tried before this time, if ever, and would be taken.
    pub async fn count_due_refreshes(&self, provider: IdpId, before_ms: i64) -> Result<usize, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(DUE)
                .bind(self.now_ms())
                .bind(before_ms)
                .bind(provider.to_string())
                .fetch_one(&mut *connection)
                .await?;
            let count = Cells::new(&row, "sessions", "n").int("n")?;
            Ok(usize::try_from(count).unwrap_or(0))
        })
        .await
    }

    /// The provider vouched for the person, and may have given another token.
    pub async fn refresh_done(
        &self,
        nonce: &SessionNonce,
        token_sealed: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(DONE)
                .bind(self.now_ms())
                .bind(token_sealed)
                .bind(nonce.as_str())
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }

    /// The provider said nothing of the person, and why is not theirs to answer for. The first time since it vouched for
    /// them is remembered.
    pub async fn refresh_failed(&self, nonce: &SessionNonce) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(FAILED)
                .bind(self.now_ms())
                .bind(nonce.as_str())
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }

    /// Forgets a token that is of no use, unless another has taken its place.
    pub async fn give_up_refresh(&self, due: &DueRefresh) -> Result<(), StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            sqlx::query(GIVE_UP)
                .bind(due.nonce.as_str())
                .bind(due.token_sealed.clone())
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
        .await
    }
}

fn due(row: &AnyRow) -> Result<DueRefresh, StoreError> {
    let cells = Cells::new(row, "sessions", "nonce");
    Ok(DueRefresh {
        nonce: cells.parsed("nonce")?,
        user: cells.parsed("user_id")?,
        identity: cells.json("identity")?,
        token_sealed: cells.bytes("refresh_token")?,
        failing_since_ms: cells.maybe_int("refresh_failing_since_ms")?,
    })
}
