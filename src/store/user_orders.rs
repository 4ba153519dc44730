//! What is done to somebody who signed in, on somebody's word: in one transaction with the ending of sessions that belongs
//! to it and with its line in the audit log.

use serde_json::{Value, json};
use sqlx::{Any, Transaction};

use super::audit::{self, Audited, Line};
use super::register::registered;
use super::row::storable;
use super::users::{one, readmit};
use super::{Actor, Store, StoreError, User};
use crate::model::ids::{SessionNonce, UserId};

/// What is to be done to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserOrder {
    /// All sessions end, logins under way included.
    EndSessions,
    /// The same, and the seat is freed.
    FreeSeat,
    /// The same, and the person leaves the register. The next login brings them back, unless a directory has put them out.
    TakeOut,
    /// The person is called so, until the next login. Nothing ends.
    Rename(String),
    /// A person whom a directory has put out may sign in again; also one who was taken out of the register. Where the
    /// directory still says so, the next login is refused all the same.
    Readmit,
}

impl UserOrder {
    fn ends(&self) -> bool {
        !matches!(self, Self::Rename(_) | Self::Readmit)
    }

    fn action(&self) -> &'static str {
        match self {
            Self::EndSessions => "revoke",
            Self::FreeSeat | Self::Rename(_) => "update",
            Self::TakeOut => "delete",
            Self::Readmit => "readmit",
        }
    }
}

/// What an order did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserOrdered {
    /// The sessions that were live.
    pub ended: Vec<SessionNonce>,
}

const FREE_SEAT: &str = "UPDATE users SET seat = 0 WHERE id = $1";
/// What names the person goes; the row stays with its generation, which logins under way are held against.
const TAKE_OUT: &str = "UPDATE users SET deleted = 1, seat = 0, email = NULL, email_told = NULL, name = NULL, \
     called_ms = $2 WHERE id = $1";
const RENAME: &str = "UPDATE users SET name = $3, called_ms = $2 WHERE id = $1";

impl Store {
    /// Carries out an order; `None` where nobody in the register has this id. `cause` is written down with the sessions
    /// that end.
    pub async fn order(
        &self,
        user: UserId,
        order: &UserOrder,
        cause: &str,
        actor: &Actor,
    ) -> Result<Option<UserOrdered>, StoreError> {
        self.patiently(|| self.order_once(user, order, cause, actor))
            .await
    }

    async fn order_once(
        &self,
        user: UserId,
        order: &UserOrder,
        cause: &str,
        actor: &Actor,
    ) -> Result<Option<UserOrdered>, StoreError> {
        let mut tx = self.begin_brief().await?;
        let ended = if order.ends() {
            self.mark_users(&mut tx, &[user], cause).await?
        } else {
            Vec::new()
        };
        let Some(before) = known(&mut tx, order, user).await? else {
            return Ok(None);
        };
        let id = user.to_string();
        let change = match order {
            UserOrder::EndSessions => None,
            UserOrder::Readmit => {
                readmit(&mut tx, user).await?;
                None
            }
            UserOrder::FreeSeat => Some(sqlx::query(FREE_SEAT).bind(id)),
            UserOrder::TakeOut => Some(sqlx::query(TAKE_OUT).bind(id).bind(self.now_ms())),
            UserOrder::Rename(name) => {
                let query = sqlx::query(RENAME).bind(id).bind(self.now_ms());
                Some(query.bind(storable(name)))
            }
        };
        if let Some(change) = change {
            change.execute(&mut *tx).await?;
        }
        let after = known(&mut tx, order, user).await?;
        // The number of a change comes last: from here on others wait.
        let told = self.tell_users(&mut tx, &ended).await?;
        let place = match &told {
            Some(position) => (position.seq, 1),
            None => audit::behind_last(&mut tx).await?,
        };
        let mut nonces: Vec<SessionNonce> = ended.into_iter().flat_map(|(_, nonces)| nonces).collect();
        nonces.sort_unstable();
        let sessions = order.ends().then_some(nonces.len());
        let line = Line {
            action: order.action(),
            about: Audited::User,
            id: user.0,
            before: Some(described(&before, sessions)),
            after: after.map(|after| described(&after, sessions.map(|_| 0))),
        };
        audit::insert(&mut tx, place, self.now_ms(), actor, &line).await?;
        if told.is_some() {
            self.commit_changes(tx).await?;
        } else {
            tx.commit().await?;
        }
        Ok(Some(UserOrdered { ended: nonces }))
    }
}

/// Whom an order is about. Whoever was taken out of the register can still be readmitted.
async fn known(
    tx: &mut Transaction<'static, Any>,
    order: &UserOrder,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    match order {
        UserOrder::Readmit => one(tx, id).await,
        _ => registered(tx, id).await,
    }
}

/// A user as the audit log shows one; with how many sessions there are, where that is what changes.
fn described(user: &User, sessions: Option<usize>) -> Value {
    let mut described = json!({
        "email": user.email, "name": user.name, "identity_provider_id": user.provider, "access_seat": user.seat,
        "deprovisioned": user.deprovisioned,
    });
    if let (Value::Object(described), Some(sessions)) = (&mut described, sessions) {
        described.insert("sessions".to_owned(), sessions.into());
    }
    described
}
