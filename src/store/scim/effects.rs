//! What a change in a directory does to users and to their live sessions, within its transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::super::amend::{Amended, AmendedSession};
use super::super::many::{AT_ONCE, OfMany, of_many};
use super::super::row::{Cells, maybe_storable};
use super::super::users::readmit;
use super::super::{Actor, Store, StoreError};
use super::link::Said;
use super::updates::Journal;
use super::{ADDRESS_PASSED_ON, Kept as _, ScimUser};
use crate::model::identity::{Group, Identity, PersonKey};
use crate::model::ids::{IdpId, ObjectId, ScimGroupId, ScimUserId, SessionNonce, UserId};
use crate::model::scim::{GroupChange, IdentityUpdate};

/// The cause, as it stands with a session, that somebody is gone from the directory.
pub const DEPROVISIONED: &str = "deprovisioned";
/// The cause that somebody's groups changed there.
pub const GROUPS_CHANGED: &str = "groups_changed";

/// What a provider wants to follow from changes in its directory.
#[derive(Debug, Clone, Copy)]
pub struct ScimRules<'a> {
    /// Whoever is deactivated or deleted is signed out and stays out.
    pub user_deprovision: bool,
    /// Their seats are freed.
    pub seat_deprovision: bool,
    /// What becomes of live sessions otherwise.
    pub identity_update: IdentityUpdate,
    /// Whether groups may be called the same, as they may in Entra.
    pub names_repeat: bool,
    /// The round of reading a directory that writes ([`Store::take_directory_sync`]). One that another has taken over from
    /// writes nothing: [`StoreError::LeaseLost`].
    pub round: Option<Uuid>,
    /// Makes the row that is written down with each write. `None` where whoever writes sees to that.
    pub journal: Option<&'a dyn Journal>,
    /// Who deletes in the directory's place, for the audit log; `None` for the directory itself.
    pub actor: Option<&'a Actor>,
}

/// What a change in a directory did besides.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consequences {
    /// Whose sessions ended because they are gone, and which were live.
    pub out: Vec<(UserId, Vec<SessionNonce>)>,
    /// Whose sessions ended because their groups changed.
    pub reauth: Vec<(UserId, Vec<SessionNonce>)>,
    /// Whose sessions ended because the directory means somebody else now, by an address or by another object.
    pub passed_on: Vec<(UserId, Vec<SessionNonce>)>,
    /// Identities as they are now.
    pub amended: Vec<AmendedSession>,
    /// Whose groups changed of those who are signed in, so that inherited ones are to be read again.
    pub regrouped: Vec<UserId>,
    /// Who may sign in again.
    pub readmitted: Vec<UserId>,
}

/// What is to follow, gathered before anything of it is done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) out: BTreeSet<UserId>,
    pub(super) readmitted: BTreeSet<UserId>,
    pub(super) groups: BTreeMap<UserId, GroupChange>,
    /// A group that is called otherwise, and who is signed in and in it.
    pub(super) renamed: Option<(Group, Vec<UserId>)>,
    /// Whose memberships changed, in groups that policies can name or not.
    pub(super) moved: BTreeSet<UserId>,
    /// Whom the directory meant by an address, or an object, that is somebody else's now.
    pub(super) passed_on: Option<UserId>,
}

impl Plan {
    /// Whoever was linked, and is not because the directory means somebody else now, has to sign in again: nobody watches
    /// over those sessions any more.
    pub(super) fn passed_on(&mut self, before: Option<UserId>, now: &ScimUser) {
        self.passed_on = before.filter(|before| now.user != Some(*before));
    }
}

/// Of so many people, those who are not signed in count too: a sign-in of theirs may be under way. Of more, only those
/// who are.
const FEW: usize = 200;

const PUT_OUT: &str = "UPDATE users SET deprovisioned = 1 WHERE id = $1";
const FREE_SEAT: &str = "UPDATE users SET seat = 0 WHERE id = $1";
const LOCK_USER: &str = "UPDATE users SET generation = generation WHERE id = $1";
/// The address that the login gave stays beside it: links go by it.
const CALL: &str = "UPDATE users SET name = $2, email_told = CASE WHEN email = $3 THEN NULL ELSE $3 END, called_ms = $4 WHERE id = $1";
const LINKED: OfMany = of_many!(
    "SELECT id, user_id FROM scim_users WHERE user_id IS NOT NULL AND id IN (SELECT value ->> 0 FROM ",
    LIST,
    ")"
);
/// Waits for a sign-in of the person that is under way, or makes it wait.
const HELD: &str = "UPDATE scim_users SET user_id = user_id WHERE id = $1 \
     RETURNING id, provider, body, user_id, created_ms, updated_ms";
const TAKEN: OfMany = of_many!(
    "INSERT INTO scim_taken (provider, scim_user, object, at_ms) SELECT $2, value ->> 0, value ->> 1, $3 FROM ",
    LIST,
    ""
);
const TAKEN_FROM_ALL: &str = "INSERT INTO scim_taken (provider, scim_user, object, at_ms) \
     SELECT $1, scim_user, $3, $4 FROM scim_members WHERE scim_group = $2";
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
/// Some of them, in the order of their ids.
const SOME_SIGNED_IN_MEMBERS: &str = "SELECT u.id AS id, u.user_id AS user_id \
     FROM scim_members m CROSS JOIN scim_users u \
     WHERE m.scim_group = $1 AND m.scim_user > $3 AND u.id = m.scim_user AND EXISTS (SELECT 1 FROM sessions s \
     WHERE s.user_id = u.user_id AND s.ended_ms IS NULL AND s.expires_ms > $2) ORDER BY m.scim_user LIMIT $4";

/// The addresses that people of a directory have whom nothing but an address tells from others.
macro_rules! addresses {
    ($which:literal) => {
        concat!(
            "(SELECT user_name FROM scim_users WHERE provider = $1 AND object IS NULL AND ",
            $which,
            " UNION SELECT email FROM scim_emails WHERE provider = $1 AND scim_user IN \
             (SELECT id FROM scim_users WHERE provider = $1 AND object IS NULL AND ",
            $which,
            "))"
        )
    };
}
/// The users of a provider whom its directory has deactivated or deleted, as a sign-in would find it.
macro_rules! inactive {
    () => {
        concat!(
            "(SELECT id FROM users WHERE provider = $1 \
             AND (id IN (SELECT user_id FROM scim_users WHERE provider = $1 AND active = 0 AND user_id IS NOT NULL) \
             OR object IN (SELECT object FROM scim_users WHERE provider = $1 AND active = 0 AND object IS NOT NULL) \
             OR object IN (SELECT object FROM scim_tombstones WHERE provider = $1) \
             OR (linkable = 1 AND email IN (SELECT email FROM scim_buried_addresses WHERE provider = $1)) \
             OR (linkable = 1 AND email IN ",
            addresses!("active = 0 AND user_id IS NULL"),
            " AND email NOT IN ",
            addresses!("active = 1"),
            ")) AND id NOT IN \
             (SELECT user_id FROM scim_users WHERE provider = $1 AND active = 1 AND user_id IS NOT NULL))"
        )
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
        rules: &ScimRules<'_>,
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
                    call_as(tx, user, &session.identity, self.now_ms()).await?;
                }
                done.amended.extend(amended);
            }
            if let Some((group, users)) = &plan.renamed {
                done.amended.extend(self.rename_for(tx, users, group).await?);
            }
            let regrouped: Vec<UserId> = plan.groups.keys().copied().filter(stays).collect();
            let apply = |identity: &mut Identity| {
                if let Some(change) = plan.groups.get(&identity.user) {
                    change.apply(&mut identity.groups);
                }
            };
            let amended = self.amend_users(tx, &regrouped, &apply).await?;
            let people: BTreeMap<UserId, (IdpId, PersonKey)> = amended
                .iter()
                .map(|AmendedSession { identity, .. }| (identity.user, (identity.provider, identity.person)))
                .collect();
            let mut rereads = Vec::with_capacity(people.len());
            for (user, (provider, person)) in people {
                let change = plan.groups.get(&user).cloned().unwrap_or_default();
                rereads.push(((provider, person, user), change));
                done.regrouped.push(user);
            }
            self.note_rereads(tx, &rereads).await?;
            done.amended.extend(amended);
        }
        let reauth: Vec<UserId> = match rules.identity_update {
            IdentityUpdate::Reauth => plan.moved.into_iter().filter(stays).collect(),
            _ => Vec::new(),
        };
        let mut marked = self.mark_users(tx, &out, DEPROVISIONED).await?;
        let of_groups = marked.len();
        marked.extend(self.mark_users(tx, &reauth, GROUPS_CHANGED).await?);
        let of_addresses = marked.len();
        let passed_on: Vec<UserId> = plan.passed_on.into_iter().filter(stays).collect();
        marked.extend(self.mark_users(tx, &passed_on, ADDRESS_PASSED_ON).await?);
        // From here on all others wait who take a number.
        self.tell_amended(tx, &done.amended).await?;
        self.tell_users(tx, &marked).await?;
        let told = !done.amended.is_empty() || !marked.is_empty();
        done.passed_on = marked.split_off(of_addresses);
        done.reauth = marked.split_off(of_groups);
        done.out = marked;
        Ok((done, told))
    }

    /// Writes down that groups were taken from people, for sign-ins that are under way: of each of these people, one
    /// sees it, or its session is seen by whoever asks next for the users behind them.
    pub(super) async fn take_groups(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        people: &[ScimUserId],
        groups: &BTreeSet<ObjectId>,
    ) -> Result<(), StoreError> {
        if people.len() > FEW {
            self.hold_logins(tx).await?;
        }
        for people in people.chunks(AT_ONCE) {
            let taken = people
                .iter()
                .flat_map(|person| groups.iter().map(move |group| (person, group)));
            let taken: Vec<_> = taken
                .map(|(person, group)| (person.to_string(), group.to_string()))
                .collect();
            self.of_many(&TAKEN, &taken)?
                .bind(provider.to_string())
                .bind(self.now_ms())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    /// The same for all members that a group has now.
    pub(super) async fn take_from_all(
        &self,
        tx: &mut Transaction<'static, Any>,
        provider: IdpId,
        id: ScimGroupId,
        group: ObjectId,
    ) -> Result<(), StoreError> {
        self.hold_logins(tx).await?;
        sqlx::query(TAKEN_FROM_ALL)
            .bind(provider.to_string())
            .bind(id.to_string())
            .bind(group.to_string())
            .bind(self.now_ms())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// The users behind people of a directory, as far as it can matter to a session. Those who are `held` can not come
    /// to be somebody's by a sign-in until the transaction ends.
    pub(super) async fn users_behind(
        &self,
        tx: &mut Transaction<'static, Any>,
        people: &[ScimUserId],
        held: bool,
    ) -> Result<HashMap<ScimUserId, UserId>, StoreError> {
        let mut behind = HashMap::with_capacity(people.len().min(AT_ONCE));
        if held && people.len() <= FEW {
            for person in people {
                let user = self.hold(tx, *person).await?;
                behind.extend(user.map(|user| (*person, user)));
            }
            return Ok(behind);
        }
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

    /// The user behind somebody who can come to be nobody else's by a sign-in from here on. Whoever signed in for the
    /// first time while the directory told of them is linked only now.
    async fn hold(
        &self,
        tx: &mut Transaction<'static, Any>,
        person: ScimUserId,
    ) -> Result<Option<UserId>, StoreError> {
        let row = sqlx::query(HELD)
            .bind(person.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let told = ScimUser::read(&row)?;
        if told.user.is_none() && told.record.is_active() {
            return self.link(tx, &told, Said::First).await;
        }
        Ok(told.user)
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

    /// The first so many of them ([`AT_ONCE`]) in the order of their ids, behind one of them.
    pub(super) async fn some_signed_in_members(
        &self,
        tx: &mut Transaction<'static, Any>,
        group: ScimGroupId,
        behind: Option<ScimUserId>,
    ) -> Result<Vec<(ScimUserId, UserId)>, StoreError> {
        let rows = sqlx::query(SOME_SIGNED_IN_MEMBERS)
            .bind(group.to_string())
            .bind(self.now_ms())
            .bind(behind.map(|person| person.to_string()).unwrap_or_default())
            .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
            .fetch_all(&mut **tx)
            .await?;
        let member = |row| {
            let cells = Cells::new(row, "scim_users", "id");
            Ok((cells.parsed("id")?, cells.parsed("user_id")?))
        };
        rows.iter().map(member).collect()
    }

    /// Puts another name of a group under the sessions of users. Nobody's groups change with it.
    pub(super) async fn rename_for(
        &self,
        tx: &mut Transaction<'static, Any>,
        users: &[UserId],
        group: &Group,
    ) -> Result<Vec<AmendedSession>, StoreError> {
        let rename = |identity: &mut Identity| {
            identity.groups.rename(group);
        };
        self.amend_users(tx, users, &rename).await
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
    now_ms: i64,
) -> Result<(), StoreError> {
    let email = identity.email.as_ref().map(|email| email.address.as_str());
    sqlx::query(CALL)
        .bind(user.to_string())
        .bind(maybe_storable(identity.name.as_deref()))
        .bind(maybe_storable(email))
        .bind(now_ms)
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
