//! Revoked application tokens: an application's *epoch* is the number of the change that revoked all of its tokens.
//!
//! A token says which epoch it was minted in, read in the statement that allows the minting. Numbers of changes are
//! given in commit order, so no clock decides whether a token came before the revocation or after it.

use serde_json::json;
use sqlx::any::AnyRow;

use super::audit::{self, Audited, Line};
use super::changes::ChangeKind;
use super::row::Cells;
use super::{Actor, Document, Store, StoreError, bounded, session_apps};
use crate::model::ids::{AudTag, SessionNonce};

/// Whose application tokens are revoked. Organization sessions stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensOf {
    /// The application, by its audience: that is what tokens name.
    pub aud: AudTag,
    /// One session's alone; everybody's where absent.
    pub session: Option<SessionNonce>,
}

impl TokensOf {
    /// As the subject of a change: the audience, and behind a space the session.
    fn subject(&self) -> String {
        match &self.session {
            Some(nonce) => format!("{} {nonce}", self.aud),
            None => self.aud.to_string(),
        }
    }

    /// Reads the subject of a change; `None` where it is none.
    pub fn from_subject(subject: &str) -> Option<Self> {
        let (aud, nonce) = match subject.split_once(' ') {
            Some((aud, nonce)) => (aud, Some(nonce)),
            None => (subject, None),
        };
        Some(Self {
            aud: aud.parse().ok()?,
            session: nonce.map(str::parse).transpose().ok()?,
        })
    }

    fn nonce(&self) -> &str {
        self.session.as_ref().map_or("", SessionNonce::as_str)
    }
}

const SET: &str = "INSERT INTO token_epochs (aud, nonce, epoch) VALUES ($1, $2, $3) \
     ON CONFLICT (aud, nonce) DO UPDATE SET epoch = excluded.epoch";
const PRESENT: &str =
    "SELECT COALESCE(MAX(epoch), 0) AS epoch FROM token_epochs WHERE aud = $1 AND nonce = $2";
const OF_APPLICATIONS: &str = "SELECT aud, epoch FROM token_epochs WHERE nonce = ''";
const OF_SESSION: &str = "SELECT aud, epoch FROM token_epochs WHERE nonce = $1";
/// The session as in [`Store::may_mint`], and the newest epoch that holds for a token minted now.
const MINTED_IN: &str = "SELECT (SELECT COALESCE(MAX(epoch), 0) FROM token_epochs \
     WHERE aud = $3 AND (nonce = '' OR nonce = $1)) AS epoch, sessions.nonce \
     FROM sessions JOIN users ON users.id = sessions.user_id \
     WHERE sessions.nonce = $1 AND sessions.ended_ms IS NULL AND sessions.expires_ms > $2 \
     AND users.generation <= sessions.read_at AND users.deprovisioned = 0";
/// Those of sessions that are kept no more; an application's stay.
pub(super) const FORGET: &str = "DELETE FROM token_epochs WHERE nonce <> '' \
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.nonce = token_epochs.nonce)";

impl Store {
    /// Revokes application tokens and says so in the feed. Gives the epoch from which on tokens count.
    pub async fn revoke_tokens(&self, of: &TokensOf) -> Result<i64, StoreError> {
        self.patiently(|| self.revoke_once(of, None)).await
    }

    /// The same, for all tokens of an application, on somebody's word: with a line in the audit log.
    pub async fn revoke_tokens_of(
        &self,
        application: &Document,
        aud: &AudTag,
        actor: &Actor,
    ) -> Result<i64, StoreError> {
        let of = TokensOf {
            aud: aud.clone(),
            session: None,
        };
        self.patiently(|| self.revoke_once(&of, Some((application, actor))))
            .await
    }

    async fn revoke_once(&self, of: &TokensOf, said: Option<(&Document, &Actor)>) -> Result<i64, StoreError> {
        let mut tx = self.begin_brief().await?;
        let change = self
            .append_next(&mut tx, ChangeKind::TokensRevoked, &of.subject())
            .await?;
        let before = sqlx::query(PRESENT)
            .bind(of.aud.as_str())
            .bind(of.nonce())
            .fetch_one(&mut *tx)
            .await?;
        let before = Cells::new(&before, "token_epochs", "epoch").int("epoch")?;
        sqlx::query(SET)
            .bind(of.aud.as_str())
            .bind(of.nonce())
            .bind(change.seq)
            .execute(&mut *tx)
            .await?;
        sqlx::query(session_apps::REVOKED)
            .bind(of.aud.as_str())
            .bind(of.nonce())
            .execute(&mut *tx)
            .await?;
        if let Some((application, actor)) = said {
            let described = |epoch: i64| json!({ "name": application.name, "aud": of.aud.as_str(), "token_epoch": epoch });
            let line = Line {
                action: "revoke",
                about: Audited::Object(application.kind),
                id: application.id,
                before: Some(described(before)),
                after: Some(described(change.seq)),
            };
            audit::insert(&mut tx, (change.seq, 1), self.now_ms(), actor, &line).await?;
        }
        self.commit_changes(tx).await?;
        Ok(change.seq)
    }

    /// The epochs of all applications that have one.
    pub async fn token_epochs(&self) -> Result<Vec<(AudTag, i64)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(OF_APPLICATIONS).fetch_all(&mut *connection).await?;
            rows.iter().map(epoch).collect()
        })
        .await
    }

    /// The epochs that hold for one session alone.
    pub async fn token_epochs_of(&self, nonce: &SessionNonce) -> Result<Vec<(AudTag, i64)>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(OF_SESSION)
                .bind(nonce.as_str())
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(epoch).collect()
        })
        .await
    }

    /// The epoch of a token minted now; `None` where none may be minted, as [`Store::may_mint`] says.
    pub async fn minted_in(&self, nonce: &SessionNonce, aud: &AudTag) -> Result<Option<i64>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(MINTED_IN)
                .bind(nonce.as_str())
                .bind(self.now_ms())
                .bind(aud.as_str())
                .fetch_optional(&mut *connection)
                .await?;
            row.map(|row| Cells::new(&row, "sessions", "nonce").int("epoch"))
                .transpose()
        })
        .await
    }
}

fn epoch(row: &AnyRow) -> Result<(AudTag, i64), StoreError> {
    let cells = Cells::new(row, "token_epochs", "aud");
    Ok((cells.parsed("aud")?, cells.int("epoch")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_what_it_was_made_of() {
        let aud: AudTag = "a".repeat(64).parse().unwrap();
        let session = Some("6ei69kawdKzMIAPF".parse().unwrap());
        for of in [
            TokensOf {
                aud: aud.clone(),
                session,
            },
            TokensOf { aud, session: None },
        ] {
            assert_eq!(TokensOf::from_subject(&of.subject()), Some(of));
        }
        for subject in ["", "x", " 6ei69kawdKzMIAPF", "6ei69kawdKzMIAPF"] {
            assert_eq!(TokensOf::from_subject(subject), None, "{subject:?}");
        }
    }
}
