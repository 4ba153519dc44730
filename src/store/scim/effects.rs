//! What a change in a directory does to users and to their live sessions, within its transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{Any, Transaction};

use super::super::amend::{Amended, AmendedSession};
use super::super::many::{AT_ONCE, OfMany, of_many};
use super::super::row::Cells;
use super::super::users::readmit;
use super::super::{Store, StoreError};
use crate::model::identity::{Identity, PersonKey};
use crate::model::ids::{ScimGroupId, ScimUserId, SessionNonce, UserId};
use crate::model::scim::{GroupChange, IdentityUpdate};

/// The cause, as it stands with a session, that somebody is gone from the directory.
pub const DEPROVISIONED: &str = "deprovisioned";
/// The cause that somebody's groups changed there.
pub const GROUPS_CHANGED: &str = "groups_changed";

/// What a provider wants to follow from changes in its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScimRules {
    /// Whoever is deactivated or deleted is signed out and stays out.
    pub user_deprovision: bool,
    /// Their seats are freed.
    pub seat_deprovision: bool,
    /// What becomes of live sessions otherwise.
    pub identity_update: IdentityUpdate,
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

/// Of so many people, those who are not signed in count too: a sign-in of theirs may be under way. Of more, only those
/// who are.
const FEW: usize = 200;

const PUT_OUT: &str = "UPDATE users SET deprovisioned = 1 WHERE id = $1";
const FREE_SEAT: &str = "UPDATE users SET seat = 0 WHERE id = $1";
const LINKED: OfMany = of_many!(
    "SELECT id, user_id FROM scim_users WHERE user_id IS NOT NULL AND id IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);
const SIGNED_IN: OfMany = of_many!(
    "SELECT id, user_id FROM scim_users WHERE user_id IS NOT NULL AND EXISTS (SELECT 1 FROM sessions s \
     WHERE s.user_id = scim_users.user_id AND s.ended_ms IS NULL AND s.expires_ms > $2) \
     AND id IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);
/// From the members to their sessions, in SQLite too, which takes the order of `CROSS JOIN` as it is written
/// (<https://www.sqlite.org/optoverview.html#crossjoin>): a group has fewer members than there are sessions, mostly.
const SIGNED_IN_MEMBERS: &str = "SELECT u.user_id AS user_id FROM scim_members m CROSS JOIN scim_users u \
     WHERE m.scim_group = $1 AND u.id = m.scim_user AND EXISTS (SELECT 1 FROM sessions s \
     WHERE s.user_id = u.user_id AND s.ended_ms IS NULL AND s.expires_ms > $2)";

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
                let whose = Amended::User(user);
                done.amended.extend(self.amend_within(tx, whose, change).await?);
            }
            let regrouped: Vec<UserId> = plan.groups.keys().copied().filter(stays).collect();
            let apply = |identity: &mut Identity| {
                if let Some(change) = plan.groups.get(&identity.user) {
                    change.apply(&mut identity.groups);
                }
            };
            let amended = self.amend_users(tx, &regrouped, &apply).await?;
            let people: BTreeMap<UserId, PersonKey> = amended
                .iter()
                .map(|session| (session.identity.user, session.identity.person))
                .collect();
            for (user, person) in people {
                let change = plan.groups.get(&user).cloned().unwrap_or_default();
                done.regrouped.push((person, user, change));
            }
            done.amended.extend(amended);
        }
        let reauth: Vec<UserId> = match rules.identity_update {
            IdentityUpdate::Reauth => plan.moved.into_iter().filter(stays).collect(),
            _ => Vec::new(),
        };
        let mut marked = self.mark_users(tx, &out, DEPROVISIONED).await?;
        let of_groups = marked.len();
        marked.extend(self.mark_users(tx, &reauth, GROUPS_CHANGED).await?);
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
        people: &[ScimUserId],
    ) -> Result<HashMap<ScimUserId, UserId>, StoreError> {
        let mut behind = HashMap::with_capacity(people.len().min(AT_ONCE));
        for chunk in people.chunks(AT_ONCE) {
            let list: Vec<_> = chunk.iter().map(|person| (person.to_string(),)).collect();
            let rows = if people.len() <= FEW {
                self.of_many(&LINKED, &list)?
            } else {
                self.of_many(&SIGNED_IN, &list)?.bind(self.now_ms())
            };
            for row in &rows.fetch_all(&mut **tx).await? {
                let cells = Cells::new(row, "scim_users", "id");
                behind.insert(cells.parsed("id")?, cells.parsed("user_id")?);
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
