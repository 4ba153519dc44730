//! For which applications sessions were given tokens, for whoever looks at them. One row a session and application:
//! tokens that are renewed write nothing.

use super::row::Cells;
use super::{Store, StoreError, bounded};
use crate::model::ids::{AudTag, SessionNonce, UserId};

const KNOWN: &str = "SELECT nonce FROM session_apps WHERE nonce = $1 AND aud = $2";
const NOTE: &str =
    "INSERT INTO session_apps (nonce, aud, at_ms) VALUES ($1, $2, $3) ON CONFLICT (nonce, aud) DO NOTHING";
const OF_USER: &str = "SELECT session_apps.nonce, session_apps.aud FROM session_apps \
     JOIN sessions ON sessions.nonce = session_apps.nonce WHERE sessions.user_id = $1 ORDER BY session_apps.at_ms";
/// Those whose tokens are revoked: of all sessions where the second is the empty text.
pub(super) const REVOKED: &str = "DELETE FROM session_apps WHERE aud = $1 AND ($2 = '' OR nonce = $2)";
/// Those of sessions that are kept no more.
pub(super) const FORGET: &str = "DELETE FROM session_apps \
     WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.nonce = session_apps.nonce)";

impl Store {
    /// Notes that a session was given a token of an application.
    pub async fn note_application(&self, nonce: &SessionNonce, aud: &AudTag) -> Result<(), StoreError> {
        bounded(async {
            let known = sqlx::query(KNOWN)
                .bind(nonce.as_str())
                .bind(aud.as_str())
                .fetch_optional(&mut *self.reader().await?)
                .await?;
            if known.is_some() {
                return Ok(());
            }
            sqlx::query(NOTE)
                .bind(nonce.as_str())
                .bind(aud.as_str())
                .bind(self.now_ms())
                .execute(&mut *self.writer().await?)
                .await?;
            Ok(())
        })
        .await
    }

    /// The applications that the sessions of a user were given tokens of, and have not lost since; the oldest first.
    pub async fn applications_of_sessions(
        &self,
        user: UserId,
    ) -> Result<Vec<(SessionNonce, AudTag)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(OF_USER)
                .bind(user.to_string())
                .fetch_all(&mut *connection)
                .await?;
            let read = |row| {
                let cells = Cells::new(row, "session_apps", "nonce");
                Ok((cells.parsed("nonce")?, cells.parsed("aud")?))
            };
            rows.iter().map(read).collect()
        })
        .await
    }
}
