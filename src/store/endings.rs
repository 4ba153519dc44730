//! Ending sessions: rows, generation and change in one transaction.
//!
//! # Against logins in flight
//! A login reads [`Store::head`] before it redeems its code and inserts its session in a transaction of its own. An
//! ending that commits before that insert refuses it: the user's `generation`, or the change of the provider, is
//! newer than what the login had read. An ending that comes later finds the session and ends it. Nothing falls
//! between, because both lock the same thing first: the user's row, or, for endings that concern users not even
//! known yet, an advisory lock which logins share. (SQLite has one writer, which is lock enough.)

use std::collections::HashMap;

use serde_json::{Value, json};
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::audit::{self, Audited, Line};
use super::changes::ChangeKind;
use super::many::{AT_ONCE, OfMany, of_many};
use super::row::{Cells, storable};
use super::{Actor, Backend, Kind, Position, Store, StoreError, bounded};
use crate::model::ids::{IdpId, SessionNonce, UserId};

/// Whose sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// One session.
    Session(SessionNonce),
    /// All of a user; raises the user's generation.
    User(UserId),
    /// Those that belong to a session at the provider: front-channel logout.
    ProviderSession {
        /// The provider.
        provider: IdpId,
        /// Its session, `sid`.
        sid: String,
    },
    /// All of an identity provider, logins in flight included.
    Provider(IdpId),
    /// All, logins in flight included.
    Everybody,
    /// Those that have not been used since then: some hundreds at a time.
    Idle {
        /// Milliseconds since 1970.
        unused_since_ms: i64,
    },
}

/// Held by every login until its session stands. Any number, as long as every release takes the same.
pub(super) const POSTGRES_LOGINS_SHARE: &str = "SELECT pg_advisory_xact_lock_shared(7402118366)";
const POSTGRES_LOGINS_WAIT: &str = "SELECT pg_advisory_xact_lock(7402118366)";
const END_ONE: &str = "UPDATE sessions SET ended_ms = $1, ended_cause = $2 \
     WHERE nonce = $3 AND ended_ms IS NULL RETURNING nonce";
const END_OF_USER: &str = "UPDATE sessions SET ended_ms = $1, ended_cause = $2 \
     WHERE user_id = $3 AND ended_ms IS NULL RETURNING nonce";
const END_OF_PROVIDER_SESSION: &str = "UPDATE sessions SET ended_ms = $1, ended_cause = $2 \
     WHERE provider = $3 AND provider_session = $4 AND ended_ms IS NULL RETURNING nonce";
const LIVE_OF_PROVIDER_SESSION: &str = "SELECT 1 AS live FROM sessions \
     WHERE provider = $1 AND provider_session = $2 AND ended_ms IS NULL LIMIT 1";
const END_OF_PROVIDER: &str = "UPDATE sessions SET ended_ms = $1, ended_cause = $2 \
     WHERE provider = $3 AND ended_ms IS NULL RETURNING nonce";
const END_ALL: &str = "UPDATE sessions SET ended_ms = $1, ended_cause = $2 \
     WHERE ended_ms IS NULL RETURNING nonce";
/// So many in one transaction that they hold up no other ending. The time is asked again in the update: PostgreSQL looks
/// anew at a row that was touched since it was found.
const END_IDLE: &str = "UPDATE sessions SET ended_ms = $1, ended_cause = $2 \
     WHERE ended_ms IS NULL AND last_use_ms < $3 AND nonce IN (SELECT nonce FROM sessions \
     WHERE ended_ms IS NULL AND last_use_ms < $3 ORDER BY nonce LIMIT 200) RETURNING nonce";
/// An update that changes nothing but takes the row's lock, in the one spelling both databases have.
const LOCK_USER: &str = "UPDATE users SET generation = generation WHERE id = $1";
const WHOSE: &str = "SELECT user_id FROM sessions WHERE nonce = $1";
const RAISE_GENERATION: &str = "UPDATE users SET generation = $1 WHERE id = $2";
const LOCK_USERS: OfMany = of_many!(
    "SELECT id FROM users WHERE id IN (SELECT value ->> 0 FROM ",
    LIST,
    ")",
    FOR UPDATE
);
const END_OF_USERS: OfMany = of_many!(
    "UPDATE sessions SET ended_ms = $2, ended_cause = $3 \
     WHERE ended_ms IS NULL AND user_id IN (SELECT value ->> 0 FROM ",
    LIST,
    ") RETURNING user_id, nonce"
);
const RAISE_GENERATIONS: OfMany = of_many!(
    "UPDATE users SET generation = $2 WHERE id IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);
const PROVIDER_ENDED: &str = "SELECT seq FROM changes WHERE seq > $1 \
     AND (kind = 'everybody_ended' OR (kind = 'provider_ended' AND subject = $2)) LIMIT 1";

impl Store {
    /// Ends sessions and says so in the feed. Answers the sessions that were live; asking again is harmless.
    pub async fn end_sessions(&self, ending: &Ending, cause: &str) -> Result<Vec<SessionNonce>, StoreError> {
        self.patiently(|| self.end_once(ending, cause, None)).await
    }

    /// The same on somebody's word, with a line in the audit log where there was anything to end. (For a user's there is
    /// [`super::UserOrder::EndSessions`].)
    pub async fn end_sessions_said(
        &self,
        ending: &Ending,
        cause: &str,
        actor: &Actor,
    ) -> Result<Vec<SessionNonce>, StoreError> {
        self.patiently(|| self.end_once(ending, cause, Some(actor))).await
    }

    /// Whether a session is live that belongs to this session at the provider.
    pub async fn is_provider_session_live(&self, provider: IdpId, sid: &str) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(LIVE_OF_PROVIDER_SESSION)
                .bind(provider.to_string())
                .bind(storable(sid))
                .fetch_optional(&mut *connection)
                .await?;
            Ok(row.is_some())
        })
        .await
    }

    async fn end_once(
        &self,
        ending: &Ending,
        cause: &str,
        said: Option<&Actor>,
    ) -> Result<Vec<SessionNonce>, StoreError> {
        let mut tx = self.begin_brief().await?;
        let (ended, last) = self.end_within(&mut tx, ending, cause).await?;
        if let (Some(last), Some(actor)) = (&last, said) {
            let line = said_of(&mut tx, ending, &ended).await?;
            audit::insert(&mut tx, (last.seq, 1), self.now_ms(), actor, &line).await?;
        }
        if last.is_some() {
            self.commit_changes(tx).await?;
        }
        Ok(ended)
    }

    /// Ends sessions within a transaction; the last change appended, if there was anything to say.
    pub(super) async fn end_within(
        &self,
        tx: &mut Transaction<'static, Any>,
        ending: &Ending,
        cause: &str,
    ) -> Result<(Vec<SessionNonce>, Option<Position>), StoreError> {
        self.lock(tx, ending).await?;
        let ended = self.mark(tx, ending, cause).await?;
        let last = match ending {
            Ending::Session(_) | Ending::ProviderSession { .. } | Ending::Idle { .. } => {
                let nonces: Vec<String> = ended.iter().map(|nonce| nonce.as_str().to_owned()).collect();
                self.append_all(tx, ChangeKind::SessionEnded, &nonces).await?
            }
            Ending::User(user) => Some(self.append_user(tx, *user).await?),
            Ending::Provider(provider) => {
                let subject = provider.to_string();
                Some(self.append_next(tx, ChangeKind::ProviderEnded, &subject).await?)
            }
            Ending::Everybody => Some(self.append_next(tx, ChangeKind::EverybodyEnded, "").await?),
        };
        Ok((ended, last))
    }

    /// Marks all sessions of users as ended. [`Store::tell_users`] must follow in the transaction, after all else.
    pub(super) async fn mark_users(
        &self,
        tx: &mut Transaction<'static, Any>,
        users: &[UserId],
        cause: &str,
    ) -> Result<Vec<(UserId, Vec<SessionNonce>)>, StoreError> {
        let mut ended = Vec::with_capacity(users.len());
        for users in users.chunks(AT_ONCE) {
            let list: Vec<_> = users.iter().map(|user| (user.to_string(),)).collect();
            self.of_many(&LOCK_USERS, &list)?.execute(&mut **tx).await?;
            let rows = self
                .of_many(&END_OF_USERS, &list)?
                .bind(self.now_ms())
                .bind(storable(cause))
                .fetch_all(&mut **tx)
                .await?;
            let mut nonces: HashMap<UserId, Vec<SessionNonce>> = HashMap::new();
            for row in &rows {
                let cells = Cells::new(row, "sessions", "nonce");
                let of_user = nonces.entry(cells.parsed("user_id")?).or_default();
                of_user.push(cells.parsed("nonce")?);
            }
            ended.extend(
                users
                    .iter()
                    .map(|user| (*user, nonces.remove(user).unwrap_or_default())),
            );
        }
        Ok(ended)
    }

    /// Tells the feed that all sessions of these users ended, and lets no login of theirs count that is under way. The
    /// last change appended, if there were any users.
    pub(super) async fn tell_users(
        &self,
        tx: &mut Transaction<'static, Any>,
        ended: &[(UserId, Vec<SessionNonce>)],
    ) -> Result<Option<Position>, StoreError> {
        let users: Vec<String> = ended.iter().map(|(user, _)| user.to_string()).collect();
        let Some(last) = self.append_all(tx, ChangeKind::UserEnded, &users).await? else {
            return Ok(None);
        };
        // All become visible at once, so no login can have read a number between theirs.
        for users in users.chunks(AT_ONCE) {
            let raised: Vec<_> = users.iter().map(|user| (user,)).collect();
            self.of_many(&RAISE_GENERATIONS, &raised)?
                .bind(last.seq)
                .execute(&mut **tx)
                .await?;
        }
        Ok(Some(last))
    }

    /// Waits for every login under way, and makes others wait.
    pub(super) async fn hold_logins(&self, tx: &mut Transaction<'static, Any>) -> Result<(), StoreError> {
        if self.inner.backend == Backend::Postgres {
            sqlx::query(POSTGRES_LOGINS_WAIT).execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Makes logins that could slip through wait, or waits for them.
    async fn lock(&self, tx: &mut Transaction<'static, Any>, ending: &Ending) -> Result<(), StoreError> {
        match ending {
            Ending::Session(_) | Ending::ProviderSession { .. } | Ending::Idle { .. } => {}
            Ending::User(user) => {
                sqlx::query(LOCK_USER)
                    .bind(user.to_string())
                    .execute(&mut **tx)
                    .await?;
            }
            Ending::Provider(_) | Ending::Everybody => self.hold_logins(tx).await?,
        }
        Ok(())
    }

    async fn mark(
        &self,
        tx: &mut Transaction<'static, Any>,
        ending: &Ending,
        cause: &str,
    ) -> Result<Vec<SessionNonce>, StoreError> {
        let query = match ending {
            Ending::Session(_) => sqlx::query(END_ONE),
            Ending::User(_) => sqlx::query(END_OF_USER),
            Ending::ProviderSession { .. } => sqlx::query(END_OF_PROVIDER_SESSION),
            Ending::Provider(_) => sqlx::query(END_OF_PROVIDER),
            Ending::Everybody => sqlx::query(END_ALL),
            Ending::Idle { .. } => sqlx::query(END_IDLE),
        };
        let query = query.bind(self.now_ms()).bind(storable(cause));
        let query = match ending {
            Ending::Session(nonce) => query.bind(nonce.as_str()),
            Ending::User(user) => query.bind(user.to_string()),
            Ending::ProviderSession { provider, sid } => query.bind(provider.to_string()).bind(storable(sid)),
            Ending::Provider(provider) => query.bind(provider.to_string()),
            Ending::Everybody => query,
            Ending::Idle { unused_since_ms } => query.bind(*unused_since_ms),
        };
        let rows = query.fetch_all(&mut **tx).await?;
        rows.iter()
            .map(|row| Cells::new(row, "sessions", "nonce").parsed("nonce"))
            .collect()
    }

    async fn append_user(
        &self,
        tx: &mut Transaction<'static, Any>,
        user: UserId,
    ) -> Result<Position, StoreError> {
        let subject = user.to_string();
        let last = self.append_next(tx, ChangeKind::UserEnded, &subject).await?;
        sqlx::query(RAISE_GENERATION)
            .bind(last.seq)
            .bind(subject)
            .execute(&mut **tx)
            .await?;
        Ok(last)
    }
}

/// Whether the sessions of a provider, or all, ended after `read_at`. Changes are kept far longer than a login takes.
pub(super) async fn provider_ended_since(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    read_at: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query(PROVIDER_ENDED)
        .bind(read_at)
        .bind(provider.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.is_some())
}

/// What the audit log says where somebody ended these sessions.
async fn said_of(
    tx: &mut Transaction<'static, Any>,
    ending: &Ending,
    ended: &[SessionNonce],
) -> Result<Line, StoreError> {
    let (about, id) = match ending {
        Ending::Session(nonce) => {
            let row = sqlx::query(WHOSE)
                .bind(nonce.as_str())
                .fetch_one(&mut **tx)
                .await?;
            let user: UserId = Cells::new(&row, "sessions", "nonce").parsed("user_id")?;
            (Audited::User, user.0)
        }
        Ending::User(user) => (Audited::User, user.0),
        Ending::Provider(provider) | Ending::ProviderSession { provider, .. } => {
            (Audited::Object(Kind::IdentityProvider), provider.0)
        }
        Ending::Everybody | Ending::Idle { .. } => (Audited::Object(Kind::Organization), Uuid::nil()),
    };
    let mut before = json!({ "sessions": ended.len() });
    if let (Ending::Session(nonce), Value::Object(before)) = (ending, &mut before) {
        before.insert("session".to_owned(), nonce.as_str().into());
    }
    Ok(Line {
        action: "revoke",
        about,
        id,
        before: Some(before),
        after: Some(json!({ "sessions": 0 })),
    })
}
