//! What a change in a directory does to users and to their live sessions, within its transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{Any, Transaction};

use super::super::amend::{Amended, AmendedSession};
use super::super::row::{Cells, maybe_storable};
use super::super::users::readmit;
use super::super::{Store, StoreError};
use crate::model::identity::{Identity, PersonKey};
use crate::model::ids::{IdpId, ScimGroupId, ScimUserId, SessionNonce, UserId};
use crate::model::scim::{GroupChange, IdentityUpdate};

/// What a provider wants to follow from changes in its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScimRules {
    /// Whoever is deactivated or deleted is signed out and stays out.
    pub user_deprovision: bool,
    /// Their seats are freed.
    pub seat_deprovision: bool,
    /// What becomes of live sessions otherwise.
    pub identity_update: IdentityUpdate,
    /// Why sessions end that end because somebody is gone, and because groups changed.
    pub causes: (&'static str, &'static str),
}

/// What a change in a directory did besides.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consequences {
    /// Whose sessions ended because they are gone, and which were live.
    pub out: Vec<(UserId, Vec<SessionNonce>)>,
    /// Whose sessions ended because their groups changed.
    pub reauth: Vec<(UserId, Vec<SessionNonce>)>,
    /// Identities as they are now.
    pub amended: Vec<AmendedSession>,
    /// What of their groups changed for those who are signed in.
    pub regrouped: Vec<(PersonKey, UserId, GroupChange)>,
    /// Who may sign in again.
    pub readmitted: Vec<UserId>,
}

/// What is to follow, gathered before anything of it is done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) out: BTreeSet<UserId>,
    pub(super) readmitted: BTreeSet<UserId>,
    pub(super) groups: BTreeMap<UserId, GroupChange>,
    /// Whose memberships changed, in groups that policies can name or not.
    pub(super) moved: BTreeSet<UserId>,
}

/// Up to so many members are looked up one by one; for more, everybody who is signed in is.
const FEW: usize = 200;

const PUT_OUT: &str = "UPDATE users SET deprovisioned = 1 WHERE id = $1";
const FREE_SEAT: &str = "UPDATE users SET seat = 0 WHERE id = $1";
const LOCK_USER: &str = "UPDATE users SET generation = generation WHERE id = $1";
/// The address that the login gave stays beside the new one: whoever looks for the person may know either.
const CALL: &str = "UPDATE users SET name = $2, email = $3, \
     email_at_login = CASE WHEN email = $3 THEN email_at_login ELSE COALESCE(email_at_login, email) END WHERE id = $1";
const LINKED: &str = "SELECT user_id FROM scim_users WHERE id = $1 AND user_id IS NOT NULL";
const SIGNED_IN: &str = "SELECT DISTINCT u.id AS id, u.user_id AS user_id FROM sessions s \
     JOIN scim_users u ON u.user_id = s.user_id \
     WHERE u.provider = $1 AND s.ended_ms IS NULL AND s.expires_ms > $2";
const SIGNED_IN_MEMBERS: &str = "SELECT DISTINCT u.user_id AS user_id FROM sessions s \
     JOIN scim_users u ON u.user_id = s.user_id \
     JOIN scim_members m ON m.scim_user = u.id AND m.scim_group = $1 \
     WHERE s.ended_ms IS NULL AND s.expires_ms > $2";

/// The users of a provider whom its directory has deactivated or deleted, as a sign-in would find it.
macro_rules! inactive {
    () => {
        "(SELECT id FROM users WHERE provider = $1 \
         AND (id IN (SELECT user_id FROM scim_users WHERE provider = $1 AND active = 0 AND user_id IS NOT NULL) \
         OR object IN (SELECT object FROM scim_users WHERE provider = $1 AND active = 0 AND object IS NOT NULL) \
         OR object IN (SELECT object FROM scim_tombstones WHERE provider = $1)) \
         AND id NOT IN (SELECT user_id FROM scim_users WHERE provider = $1 AND active = 1 AND user_id IS NOT NULL))"
    };
}
const SIGNED_IN_INACTIVE: &str = concat!(
    "SELECT DISTINCT user_id FROM sessions WHERE ended_ms IS NULL AND expires_ms > $2 AND user_id IN ",
    inactive!()
);
/// No login counts that is under way, either.
const PUT_OUT_INACTIVE: &str = concat!(
    "UPDATE users SET deprovisioned = 1, generation = CASE WHEN generation < $2 THEN $2 ELSE generation END WHERE id IN ",
    inactive!()
);
const FREE_SEATS_OF_INACTIVE: &str = concat!("UPDATE users SET seat = 0 WHERE id IN ", inactive!());

impl Store {
    /// Does what is planned. Takes change numbers, so it comes last in its transaction; whether it took any.
    pub(super) async fn follow(
        &self,
        tx: &mut Transaction<'static, Any>,
        rules: &ScimRules,
        plan: Plan,
        change: &(dyn Fn(&mut Identity) + Send + Sync),
        amended: Option<UserId>,
    ) -> Result<(Consequences, bool), StoreError> {
        let mut done = Consequences::default();
        let out: Vec<UserId> = plan
            .out
            .iter()
            .copied()
            .filter(|_| rules.user_deprovision)
            .collect();
        for user in &out {
            sqlx::query(PUT_OUT)
                .bind(user.to_string())
                .execute(&mut **tx)
                .await?;
            if rules.seat_deprovision {
                sqlx::query(FREE_SEAT)
                    .bind(user.to_string())
                    .execute(&mut **tx)
                    .await?;
            }
        }
        for user in &plan.readmitted {
            readmit(tx, *user).await?;
            done.readmitted.push(*user);
        }
        let stays = |user: &UserId| !out.contains(user);
        if rules.identity_update == IdentityUpdate::Automatic {
            if let Some(user) = amended.filter(|user| stays(user)) {
                // Before the sessions, as whoever ends them does.
                sqlx::query(LOCK_USER)
                    .bind(user.to_string())
                    .execute(&mut **tx)
                    .await?;
                let amended = self.amend_within(tx, Amended::User(user), change).await?;
                let newest = amended.iter().max_by_key(|session| session.identity.at);
                if let Some(session) = newest {
                    call_as(tx, user, &session.identity).await?;
                }
                done.amended.extend(amended);
            }
            for (user, change) in plan.groups.iter().filter(|(user, _)| stays(user)) {
                let whose = Amended::User(*user);
                let apply = |identity: &mut Identity| change.apply(&mut identity.groups);
                let amended = self.amend_within(tx, whose, &apply).await?;
                let person = amended.first().map(|amended| amended.identity.person);
                done.regrouped
                    .extend(person.map(|person| (person, *user, change.clone())));
                done.amended.extend(amended);
            }
        }
        let reauth: Vec<UserId> = match rules.identity_update {
            IdentityUpdate::Reauth => plan.moved.into_iter().filter(stays).collect(),
            _ => Vec::new(),
        };
        let (gone, moved) = rules.causes;
        let mut marked = self.mark_users(tx, &out, gone).await?;
        let of_groups = marked.len();
        marked.extend(self.mark_users(tx, &reauth, moved).await?);
        // From here on all others wait who take a number.
        self.tell_amended(tx, &done.amended).await?;
        self.tell_users(tx, &marked).await?;
        let told = !done.amended.is_empty() || !marked.is_empty();
        done.reauth = marked.split_off(of_groups);
        done.out = marked;
        Ok((done, told))
    }

    /// The users behind people of a directory, as far as it can matter to a session.
    pub(super) async fn users_behind(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        people: &[ScimUserId],
    ) -> Result<HashMap<ScimUserId, UserId>, StoreError> {
        let mut behind = HashMap::new();
        if people.len() <= FEW {
            for person in people {
                let row = sqlx::query(LINKED)
                    .bind(person.to_string())
                    .fetch_optional(&mut **tx)
                    .await?;
                if let Some(row) = row {
                    behind.insert(
                        *person,
                        Cells::new(&row, "scim_users", "user_id").parsed("user_id")?,
                    );
                }
            }
            return Ok(behind);
        }
        let people: BTreeSet<ScimUserId> = people.iter().copied().collect();
        let rows = sqlx::query(SIGNED_IN)
            .bind(provider.to_string())
            .bind(self.now_ms())
            .fetch_all(&mut **tx)
            .await?;
        for row in &rows {
            let cells = Cells::new(row, "scim_users", "id");
            let person = cells.parsed("id")?;
            if people.contains(&person) {
                behind.insert(person, cells.parsed("user_id")?);
            }
        }
        Ok(behind)
    }

    /// The members of a group who are signed in.
    pub(super) async fn signed_in_members(
        &self,
        tx: &mut Transaction<'static, Any>,
        group: ScimGroupId,
    ) -> Result<Vec<UserId>, StoreError> {
        let rows = sqlx::query(SIGNED_IN_MEMBERS)
            .bind(group.to_string())
            .bind(self.now_ms())
            .fetch_all(&mut **tx)
            .await?;
        rows.iter()
            .map(|row| Cells::new(row, "scim_users", "user_id").parsed("user_id"))
            .collect()
    }

    /// Commits a write, and wakes whoever follows the changes where it told any.
    pub(super) async fn commit_scim(
        &self,
        tx: Transaction<'static, Any>,
        told: bool,
    ) -> Result<(), StoreError> {
        if told {
            self.commit_changes(tx).await
        } else {
            Ok(tx.commit().await?)
        }
    }
}

/// Lists call somebody as the identity under their sessions does, which applications see.
async fn call_as(
    tx: &mut Transaction<'static, Any>,
    user: UserId,
    identity: &Identity,
) -> Result<(), StoreError> {
    let email = identity.email.as_ref().map(|email| email.address.as_str());
    sqlx::query(CALL)
        .bind(user.to_string())
        .bind(maybe_storable(identity.name.as_deref()))
        .bind(maybe_storable(email))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Puts out whoever a directory has deactivated or deleted by now; whose sessions must end, within the transaction. `seq`
/// is its change number.
pub(in super::super) async fn put_out_inactive(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    frees_seats: bool,
    (seq, now_ms): (i64, i64),
) -> Result<Vec<UserId>, StoreError> {
    sqlx::query(PUT_OUT_INACTIVE)
        .bind(provider.to_string())
        .bind(seq)
        .execute(&mut **tx)
        .await?;
    if frees_seats {
        sqlx::query(FREE_SEATS_OF_INACTIVE)
            .bind(provider.to_string())
            .execute(&mut **tx)
            .await?;
    }
    let rows = sqlx::query(SIGNED_IN_INACTIVE)
        .bind(provider.to_string())
        .bind(now_ms)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter()
        .map(|row| Cells::new(row, "sessions", "user_id").parsed("user_id"))
        .collect()
}
