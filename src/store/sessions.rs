//! Organization sessions: one login of one person in one browser.

use std::net::IpAddr;

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::row::{Cells, maybe_storable};
use super::users::user;
use super::{
    ADDRESS_PASSED_ON, Backend, Kind, ScimAtLogin, Store, StoreError, User, bounded, documents, endings,
    epochs, held, scim, session_apps,
};
use crate::model::identity::{Identity, PersonKey};
use crate::model::ids::{IdpId, SessionNonce, UserId};
use crate::model::scim::GroupChange;

/// A login that succeeded, to be kept as a session. No `Debug`: it carries a refresh token.
pub struct NewSession<'a> {
    /// The session's key.
    pub nonce: SessionNonce,
    /// Whether the person signs in now. A session made from a live one leaves the labels of the user, and when they last
    /// signed in, as they are.
    pub signs_in: bool,
    /// The identity provider signed in with.
    pub provider: IdpId,
    /// The person there.
    pub person: PersonKey,
    /// The address, as a label of the user.
    pub email: Option<String>,
    /// The name, as a label of the user.
    pub name: Option<String>,
    /// The identity, made once the user is known.
    pub identity_of: &'a (dyn Fn(UserId) -> Identity + Send + Sync),
    /// The provider's session (`sid`).
    pub provider_session: Option<String>,
    /// When the session ends by itself.
    pub expires_ms: i64,
    /// Where the browser is.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: Option<String>,
    /// The refresh token, sealed (`Purpose::RefreshToken`).
    pub refresh_token_sealed: Option<Vec<u8>>,
    /// Whether the address of a sign-in may say which person of a directory this is: a member's, on which rules may rely.
    pub linkable: bool,
    /// [`Store::head`] before the code was redeemed. Whatever ended after it refuses this login.
    pub read_at: i64,
    /// When that was read, milliseconds since 1970.
    pub began_ms: i64,
    /// What is asked of the directory's word, by the provider as it stands in the store when the session is kept: the
    /// snapshot that the login went by may be older. `None` where no directory tells of the provider's people.
    pub asks: &'a (dyn Fn(&Value) -> Option<ScimAtLogin> + Send + Sync),
}

/// Whether a login became a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionInserted {
    /// It did, of this user.
    Yes(User),
    /// It did, but without groups that the directory took from the person meanwhile: what stands in the store is not what
    /// the login found, and inherited groups are to be read again.
    Regrouped(User),
    /// The user's sessions, or the provider's, or everybody's, were ended while the login was under way; or there is no
    /// such provider any more, of which the snapshot that the login went by may not tell yet.
    UserEndedMeanwhile,
    /// The directory says that this person may not sign in.
    Deprovisioned,
}

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    /// Its key.
    pub nonce: SessionNonce,
    /// The user signed in.
    pub user: UserId,
    /// The provider signed in with.
    pub provider: IdpId,
    /// What the provider said.
    pub identity: Identity,
    /// 1 at login, one more with every change of the identity.
    pub identity_version: i64,
    /// The provider's session (`sid`).
    pub provider_session: Option<String>,
    /// When the person signed in.
    pub created_ms: i64,
    /// When it ends by itself.
    pub expires_ms: i64,
    /// When it was last seen in use, as far as that has been written down.
    pub last_use_ms: i64,
    /// When it was ended before its time.
    pub ended_ms: Option<i64>,
    /// Why it was.
    pub ended_cause: Option<String>,
    /// Where the browser was at login.
    pub address: IpAddr,
    /// What the browser called itself.
    pub agent: Option<String>,
}

/// A question for sessions: all that [`session`] reads, of those that the rest keeps.
macro_rules! sessions {
    ($rest:literal) => {
        concat!(
            "SELECT nonce, user_id, provider, provider_session, identity, identity_version, created_ms, expires_ms, \
             last_use_ms, ended_ms, ended_cause, address, agent \
             FROM sessions ",
            $rest
        )
    };
}
pub(super) use sessions;

const ADD_USER: &str = "INSERT INTO users \
     (id, provider, tenant, object, email, name, generation, deprovisioned, created_ms, last_login_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7, $7) ON CONFLICT (provider, tenant, object) DO NOTHING";
/// Locks the user's row: an ending of this user waits until the session stands and then ends it, or was first and
/// raised `generation`.
const ADMIT: &str = "UPDATE users SET last_login_ms = $1, email = $2, email_told = NULL, name = $3, linkable = $8, seat = 1, \
     deleted = 0 \
     WHERE provider = $4 AND tenant = $5 AND object = $6 AND generation <= $7 AND deprovisioned = 0 \
     RETURNING id, provider, tenant, object, email, name, generation, deprovisioned, seat, created_ms, last_login_ms";
/// The same for a session made from a live one. Links go by the address that the last sign-in gave, and seats are freed by
/// its time.
const ADMIT_ANOTHER: &str = "UPDATE users SET seat = 1 \
     WHERE provider = $1 AND tenant = $2 AND object = $3 AND generation <= $4 AND deprovisioned = 0 \
     RETURNING id, provider, tenant, object, COALESCE(email_told, email) AS email, name, generation, deprovisioned, seat, \
     created_ms, last_login_ms";
const DEPROVISIONED: &str = "SELECT id FROM users \
     WHERE provider = $1 AND tenant = $2 AND object = $3 AND deprovisioned = 1";
const INSERT: &str = "INSERT INTO sessions \
     (nonce, user_id, provider, provider_session, identity, identity_version, refresh_token, read_at, created_ms, \
     expires_ms, last_use_ms, address, agent) \
     VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $8, $10, $11)";
const ONE: &str = sessions!("WHERE nonce = $1");
const OF_USER: &str = sessions!("WHERE user_id = $1 ORDER BY created_ms DESC, nonce");
/// The live ones that were used last: more than a person has browsers.
const LIVE_OF_USER: &str = sessions!(
    "WHERE user_id = $1 AND ended_ms IS NULL AND expires_ms > $2 ORDER BY last_use_ms DESC, nonce LIMIT 50"
);
const NEWEST_OF_USER: &str = sessions!("WHERE user_id = $1 ORDER BY created_ms DESC, nonce LIMIT 1");
const MAY_MINT: &str = "SELECT sessions.nonce FROM sessions JOIN users ON users.id = sessions.user_id \
     WHERE sessions.nonce = $1 AND sessions.ended_ms IS NULL AND sessions.expires_ms > $2 \
     AND users.generation <= sessions.read_at AND users.deprovisioned = 0";
const TOUCH: &str = "UPDATE sessions SET last_use_ms = $1 WHERE nonce = $2 AND last_use_ms < $1";
/// Each of these deletes some hundreds at once: enough to be quick, few enough to hold up nobody.
const FORGET_SESSIONS: &str = "DELETE FROM sessions WHERE nonce IN \
     (SELECT nonce FROM sessions WHERE expires_ms < $1 ORDER BY expires_ms LIMIT 500)";
const FORGET_SPENT: &str = "DELETE FROM spent WHERE hash IN (SELECT hash FROM spent WHERE until_ms < $1 ORDER BY until_ms LIMIT 500)";
const FORGET_TRANSFERS: &str = "DELETE FROM transfers WHERE until_ms < $1";
/// Numbers have no gaps, and times follow them but for the clocks of those who wrote.
const FORGET_CHANGES: &str = "DELETE FROM changes WHERE at_ms < $1 \
     AND seq < (SELECT MIN(seq) FROM changes) + 500 AND seq < (SELECT seq FROM change_head WHERE one = 1)";

/// Sessions touched in one transaction: enough to be quick, few enough to hold up no ending.
const TOUCHED_AT_ONCE: usize = 200;

impl Store {
    /// Keeps a login as a session, with its user found or made: one transaction, which nothing that ended since
    /// `read_at` lets through.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the nonce is taken.
    pub async fn insert_session(&self, new: &NewSession<'_>) -> Result<SessionInserted, StoreError> {
        self.patiently(|| self.insert_once(new)).await
    }

    async fn insert_once(&self, new: &NewSession<'_>) -> Result<SessionInserted, StoreError> {
        let mut tx = self.begin().await?;
        if self.inner.backend == Backend::Postgres {
            sqlx::query(endings::POSTGRES_LOGINS_SHARE)
                .execute(&mut *tx)
                .await?;
        }
        self.know(&mut tx, new).await?;
        // Whoever turns deprovisioning on holds logins first, so what is read here counts until the session stands.
        // So does whoever deletes the provider, by ending its sessions.
        let Some(provider) = documents::one(&mut tx, Kind::IdentityProvider, new.provider.0).await? else {
            return Ok(SessionInserted::UserEndedMeanwhile);
        };
        let word = match (new.asks)(&provider.body) {
            Some(asks) => Some(self.directory_says(&mut tx, new, &asks).await?),
            None => None,
        };
        if word.as_ref().is_some_and(|word| !word.admits) {
            return Ok(SessionInserted::Deprovisioned);
        }
        let Some(user) = self.admit(&mut tx, new).await? else {
            let refused = is_deprovisioned(&mut tx, new).await?;
            return Ok(if refused {
                SessionInserted::Deprovisioned
            } else {
                SessionInserted::UserEndedMeanwhile
            });
        };
        if endings::provider_ended_since(&mut tx, new.provider, new.read_at).await? {
            return Ok(SessionInserted::UserEndedMeanwhile);
        }
        let mut identity = (new.identity_of)(user.id);
        let word = word.unwrap_or_default();
        let change = GroupChange::taking(&word.taken, &identity.groups);
        if !change.is_empty() {
            change.apply(&mut identity.groups);
            let who = (new.provider, new.person, user.id);
            self.note_rereads(&mut tx, &[(who, change.clone())]).await?;
        }
        insert(&mut tx, new, user.id, &identity, self.now_ms()).await?;
        match word.instead_of {
            None => tx.commit().await?,
            Some(other) => self.pass_on(tx, other).await?,
        }
        Ok(if change.is_empty() {
            SessionInserted::Yes(user)
        } else {
            SessionInserted::Regrouped(user)
        })
    }

    /// Ends what somebody has open whose address has gone to the one who signs in, and commits.
    async fn pass_on(&self, mut tx: Transaction<'static, Any>, other: UserId) -> Result<(), StoreError> {
        // From here on this is an ending, which gives way where others have begun.
        self.wait_briefly(&mut tx).await?;
        let ended = self.mark_users(&mut tx, &[other], ADDRESS_PASSED_ON).await?;
        self.tell_users(&mut tx, &ended).await?;
        self.commit_changes(tx).await
    }

    /// Makes the user, where there is none.
    async fn know(&self, tx: &mut Transaction<'static, Any>, new: &NewSession<'_>) -> Result<(), StoreError> {
        sqlx::query(ADD_USER)
            .bind(Uuid::new_v4().to_string())
            .bind(new.provider.to_string())
            .bind(new.person.tenant.to_string())
            .bind(new.person.object.to_string())
            .bind(maybe_storable(new.email.as_deref()))
            .bind(maybe_storable(new.name.as_deref()))
            .bind(self.now_ms())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Locks the user's row; `None` where the user may not sign in now.
    async fn admit(
        &self,
        tx: &mut Transaction<'static, Any>,
        new: &NewSession<'_>,
    ) -> Result<Option<User>, StoreError> {
        let query = if new.signs_in {
            sqlx::query(ADMIT)
                .bind(self.now_ms())
                .bind(maybe_storable(new.email.as_deref()))
                .bind(maybe_storable(new.name.as_deref()))
        } else {
            sqlx::query(ADMIT_ANOTHER)
        };
        let mut query = query
            .bind(new.provider.to_string())
            .bind(new.person.tenant.to_string())
            .bind(new.person.object.to_string())
            .bind(new.read_at);
        if new.signs_in {
            query = query.bind(i64::from(new.linkable));
        }
        let row = query.fetch_optional(&mut **tx).await?;
        row.as_ref().map(user).transpose()
    }

    /// One session, ended or not.
    pub async fn session(&self, nonce: &SessionNonce) -> Result<Option<SessionRow>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(ONE)
                .bind(nonce.as_str())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(session).transpose()
        })
        .await
    }

    /// The sessions of a user, newest first, ended ones included.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<SessionRow>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(OF_USER)
                .bind(user.to_string())
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(session).collect()
        })
        .await
    }

    /// The newest session of a user, ended or not.
    pub async fn newest_session_of(&self, user: UserId) -> Result<Option<SessionRow>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(NEWEST_OF_USER)
                .bind(user.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(session).transpose()
        })
        .await
    }

    /// The live sessions of a user, the one used last first; at most fifty.
    pub async fn live_sessions_of(&self, user: UserId) -> Result<Vec<SessionRow>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(LIVE_OF_USER)
                .bind(user.to_string())
                .bind(self.now_ms())
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(session).collect()
        })
        .await
    }

    /// Whether tokens may be minted for a session: it has not ended or expired, nor has its user since the login.
    pub async fn may_mint(&self, nonce: &SessionNonce) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(MAY_MINT)
                .bind(nonce.as_str())
                .bind(self.now_ms())
                .fetch_optional(&mut *connection)
                .await?;
            Ok(row.is_some())
        })
        .await
    }

    /// Writes down when sessions were last used. Never moves backwards, so gateways may report in any order.
    pub async fn touch_sessions(&self, uses: &[(SessionNonce, i64)]) -> Result<(), StoreError> {
        // One order for all gateways, so that two of them cannot each hold what the other waits for.
        let mut uses: Vec<_> = uses.iter().collect();
        uses.sort_unstable();
        for some in uses.chunks(TOUCHED_AT_ONCE) {
            bounded(async {
                let mut tx = self.begin().await?;
                for (nonce, at_ms) in some {
                    sqlx::query(TOUCH)
                        .bind(*at_ms)
                        .bind(nonce.as_str())
                        .execute(&mut *tx)
                        .await?;
                }
                Ok(tx.commit().await?)
            })
            .await?;
        }
        Ok(())
    }

    /// Deletes sessions that expired before this time, changes older than it, and what could be used once and has
    /// expired by now. A gateway that has not followed for so long reads everything anew; a login that took so long
    /// would miss what ended meanwhile, so `before_ms` lies days back.
    pub async fn forget_expired(&self, before_ms: i64) -> Result<(), StoreError> {
        for (sql, before) in [
            (FORGET_SESSIONS, before_ms),
            (FORGET_CHANGES, before_ms),
            (FORGET_SPENT, self.now_ms()),
            (FORGET_TRANSFERS, self.now_ms()),
            (scim::FORGET_TAKEN, self.now_ms() - scim::TAKEN_KEPT_MS),
        ] {
            // Others write in between.
            while bounded(async {
                let mut connection = self.writer().await?;
                let forgotten = sqlx::query(sql).bind(before).execute(&mut *connection).await?;
                Ok(forgotten.rows_affected() > 0)
            })
            .await?
            {}
        }
        for sql in [epochs::FORGET, held::FORGET, session_apps::FORGET] {
            bounded(async {
                let mut connection = self.writer().await?;
                sqlx::query(sql).execute(&mut *connection).await?;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

async fn is_deprovisioned(
    tx: &mut Transaction<'static, Any>,
    new: &NewSession<'_>,
) -> Result<bool, StoreError> {
    let row = sqlx::query(DEPROVISIONED)
        .bind(new.provider.to_string())
        .bind(new.person.tenant.to_string())
        .bind(new.person.object.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.is_some())
}

async fn insert(
    tx: &mut Transaction<'static, Any>,
    new: &NewSession<'_>,
    user: UserId,
    identity: &Identity,
    now_ms: i64,
) -> Result<(), StoreError> {
    let identity = serde_json::to_string(identity).map_err(|error| StoreError::Unavailable(error.into()))?;
    sqlx::query(INSERT)
        .bind(new.nonce.as_str())
        .bind(user.to_string())
        .bind(new.provider.to_string())
        .bind(maybe_storable(new.provider_session.as_deref()))
        .bind(identity)
        .bind(new.refresh_token_sealed.clone())
        .bind(new.read_at)
        .bind(now_ms)
        .bind(new.expires_ms)
        .bind(new.address.to_string())
        .bind(maybe_storable(new.agent.as_deref()))
        .execute(&mut **tx)
        .await
        .map_err(|error| StoreError::or_conflict(error, "the session"))?;
    Ok(())
}

pub(super) fn session(row: &AnyRow) -> Result<SessionRow, StoreError> {
    let cells = Cells::new(row, "sessions", "nonce");
    Ok(SessionRow {
        nonce: cells.parsed("nonce")?,
        user: cells.parsed("user_id")?,
        provider: cells.parsed("provider")?,
        identity: cells.json("identity")?,
        identity_version: cells.int("identity_version")?,
        provider_session: cells.maybe_text("provider_session")?,
        created_ms: cells.int("created_ms")?,
        expires_ms: cells.int("expires_ms")?,
        last_use_ms: cells.int("last_use_ms")?,
        ended_ms: cells.maybe_int("ended_ms")?,
        ended_cause: cells.maybe_text("ended_cause")?,
        address: cells.parsed("address")?,
        agent: cells.maybe_text("agent")?,
    })
}
