//! The sessions this replica knows, in memory.
//!
//! The table answers two questions: which session does this nonce name, and which sessions end with this person or
//! provider. A session that is not here may still be alive in the store; one that ended here is ended for good.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::common::{Common, raise};
use crate::model::identity::Identity;
use crate::model::ids::{AudTag, IdpId, SessionNonce, UserId};
use crate::store::{self, AmendedSession};

/// Why a session ended. The order is that of the stored byte; 0 is a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The person signed out.
    Logout = 1,
    /// It reached its end.
    Expired = 2,
    /// An administrator ended it.
    Administrator = 3,
    /// The person was deprovisioned.
    Deprovisioned = 4,
    /// The person signed out at the identity provider.
    ProviderLogout = 5,
    /// Its provider was changed or deleted.
    ProviderChanged = 6,
    /// Another replica ended it.
    ElsewhereEnded = 7,
    /// Nobody used it for too long.
    Idle = 8,
    /// The person's groups changed in the directory.
    GroupsChanged = 9,
    /// The provider vouches for the person no longer.
    ProviderRefused = 10,
    /// The address by which the directory meant the person is somebody else's now.
    AddressPassedOn = 11,
}

impl Cause {
    /// The word that logs and the store use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Expired => "expired",
            Self::Administrator => "administrator",
            Self::Deprovisioned => store::DEPROVISIONED,
            Self::ProviderLogout => "provider_logout",
            Self::ProviderChanged => "provider_changed",
            Self::ElsewhereEnded => "ended_elsewhere",
            Self::Idle => "idle",
            Self::GroupsChanged => store::GROUPS_CHANGED,
            Self::ProviderRefused => "provider_refused",
            Self::AddressPassedOn => store::ADDRESS_PASSED_ON,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Logout,
            2 => Self::Expired,
            3 => Self::Administrator,
            4 => Self::Deprovisioned,
            5 => Self::ProviderLogout,
            6 => Self::ProviderChanged,
            7 => Self::ElsewhereEnded,
            8 => Self::Idle,
            9 => Self::GroupsChanged,
            10 => Self::ProviderRefused,
            11 => Self::AddressPassedOn,
            _ => return None,
        })
    }
}

/// An identity and its version, which grows when the identity changes under a live session.
#[derive(Debug, Clone)]
pub struct VersionedIdentity {
    /// Grows with each change, unique in this process.
    pub version: u64,
    /// The version that the store gave it.
    stored: i64,
    /// The identity.
    pub identity: Arc<Identity>,
}

/// An organization session that was alive when it was read.
#[derive(Debug)]
pub struct LiveSession {
    nonce: SessionNonce,
    user: UserId,
    provider: IdpId,
    expires_ms: i64,
    ended: AtomicU8,
    last_use_ms: AtomicI64,
    identity: ArcSwap<VersionedIdentity>,
    /// Epochs that hold for this session alone: where the person signed out of one application.
    epochs: Mutex<Vec<(AudTag, i64)>>,
    common: Arc<Common>,
}

impl LiveSession {
    /// The session's key.
    pub fn nonce(&self) -> &SessionNonce {
        &self.nonce
    }

    /// The user.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The provider signed in with.
    pub fn provider(&self) -> IdpId {
        self.provider
    }

    /// When it ends by itself, milliseconds since 1970.
    pub fn expires_ms(&self) -> i64 {
        self.expires_ms
    }

    /// Why it is over, or `None` while it is alive. One atomic read.
    pub fn over(&self, now_ms: i64) -> Option<Cause> {
        match Cause::from_byte(self.ended.load(Ordering::Acquire)) {
            None if now_ms >= self.expires_ms => Some(Cause::Expired),
            ended => ended,
        }
    }

    /// The present identity.
    pub fn identity(&self) -> Guard<Arc<VersionedIdentity>> {
        self.identity.load()
    }

    /// Notes a use. Written at most once in ten seconds, so that cores do not fight for the line.
    pub fn used(&self, now_ms: i64) {
        const COARSE_MS: i64 = 10_000;
        if now_ms - self.last_use_ms.load(Ordering::Relaxed) >= COARSE_MS {
            self.last_use_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Whether it has gone unused for too long as far as this replica knows. Another one may have seen it in use: the
    /// store must be asked before it is called over ([`super::lookup`]).
    pub fn may_be_idle(&self, now_ms: i64) -> bool {
        self.common
            .may_be_idle(self.last_use_ms.load(Ordering::Relaxed), now_ms)
    }

    /// The store says that it was last used then. Whether that is too long ago.
    pub(super) fn idle_by_store(&self, written_ms: i64, now_ms: i64) -> bool {
        self.common.is_idle(written_ms, now_ms) && self.may_be_idle(now_ms)
    }

    /// The version of what is revoked of its application tokens: a new one asks for [`Self::token_epoch`] anew.
    pub fn tokens_version(&self) -> u64 {
        self.common.version()
    }

    /// The epoch from which on its tokens for this audience count.
    pub fn token_epoch(&self, aud: &AudTag) -> i64 {
        let own = self.epochs();
        let own = own
            .iter()
            .find(|(known, _)| known == aud)
            .map_or(0, |(_, epoch)| *epoch);
        own.max(self.common.epoch(aud))
    }

    fn raise_epoch(&self, aud: &AudTag, epoch: i64) {
        let mut own = self.epochs();
        match own.iter_mut().find(|(known, _)| known == aud) {
            Some((_, known)) => raise(known, epoch),
            None => own.push((aud.clone(), epoch)),
        }
        drop(own);
        self.common.changed();
    }

    fn epochs(&self) -> MutexGuard<'_, Vec<(AudTag, i64)>> {
        // Nothing that holds the lock can leave it half-written, so a poisoned one is whole.
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it was last used, milliseconds since 1970, to ten seconds.
    pub fn last_use_ms(&self) -> i64 {
        self.last_use_ms.load(Ordering::Relaxed)
    }

    /// Ends it. The first cause stays.
    fn end(&self, cause: Cause) -> bool {
        self.ended
            .compare_exchange(0, cause as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// A session as it was read from the store.
#[derive(Debug, Clone)]
pub struct Found {
    /// The session's key.
    pub nonce: SessionNonce,
    /// The user.
    pub user: UserId,
    /// The provider signed in with.
    pub provider: IdpId,
    /// When it ends by itself, milliseconds since 1970.
    pub expires_ms: i64,
    /// When it was last used, milliseconds since 1970.
    pub last_use_ms: i64,
    /// The identity.
    pub identity: Identity,
    /// The version that the store gave it.
    pub identity_version: i64,
    /// From which epochs on its application tokens count, where that is not the application's own.
    pub epochs: Vec<(AudTag, i64)>,
}

/// Proof of *when* the store was asked: a session read before it ended must not be installed after that.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    events: u64,
}

/// What the store said of the session may be out of date: it must be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session ended or changed meanwhile")]
pub struct EndedMeanwhile;

/// What ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// One session.
    Session(SessionNonce),
    /// Every session of a user.
    User(UserId),
    /// Every session that signed in with a provider.
    Provider(IdpId),
    /// Every session there is.
    Everybody,
}

impl Whose {
    fn includes(&self, nonce: &SessionNonce, user: UserId, provider: IdpId) -> bool {
        match self {
            Self::Session(session) => session == nonce,
            Self::User(ended) => *ended == user,
            Self::Provider(ended) => *ended == provider,
            Self::Everybody => true,
        }
    }
}

/// What happened to sessions of late: enough for whatever is being read from the store meanwhile. Of an answer that is
/// older than all of it, it cannot be said any more whether something happened to its session.
const EVENTS_KEPT: usize = 4096;

/// The table. Cheap to clone; all clones are one table.
#[derive(Debug, Clone, Default)]
pub struct SessionTable {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    common: Arc<Common>,
    // Asked on login, on the first request of a token on a core and on endings: never on the fast path.
    known: Mutex<Known>,
    identity_versions: AtomicU64,
}

/// An ending that the store has not been told of yet. The store calls alive whom it concerns: as long as there is one,
/// ended sessions are remembered, and none of those that it names is taken in.
#[derive(Debug)]
pub struct Owed {
    inner: Arc<Inner>,
    number: u64,
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.inner.known().owed.remove(&self.number);
    }
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<SessionNonce, Arc<LiveSession>>,
    /// The same by their users: a directory puts out a hundred thousand people at once, and none of them may be looked
    /// for among all.
    of_users: HashMap<UserId, Vec<Arc<LiveSession>>>,
    /// Endings and changed identities, the newest last.
    events: VecDeque<Whose>,
    /// How many there have been in all.
    counted: u64,
    /// Endings that the store has not been told of yet; without a name where only the store knows whose they are.
    owed: HashMap<u64, Option<Whose>>,
    owed_in_all: u64,
}

impl Known {
    fn note(&mut self, whose: Whose) {
        if self.events.len() >= EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(whose);
        self.counted += 1;
    }

    /// Whether what the store said, when asked then, still holds for a session.
    fn holds(&self, asked: Asked, found: &Found) -> bool {
        let since = usize::try_from(self.counted.saturating_sub(asked.events)).unwrap_or(usize::MAX);
        let concerns = |whose: &Whose| whose.includes(&found.nonce, found.user, found.provider);
        let late = since > self.events.len() || self.events.iter().rev().take(since).any(concerns);
        let owed = self.owed.values().flatten().any(concerns);
        !late && !owed
    }

    fn end(&mut self, whose: &Whose, cause: Cause) -> usize {
        self.note(whose.clone());
        let ended = |session: &Arc<LiveSession>| usize::from(session.end(cause));
        match whose {
            Whose::Session(nonce) => self.sessions.get(nonce).map_or(0, ended),
            Whose::User(user) => self.of_users.get(user).into_iter().flatten().map(ended).sum(),
            Whose::Provider(_) | Whose::Everybody => self
                .sessions
                .values()
                .filter(|session| whose.includes(&session.nonce, session.user, session.provider))
                .map(ended)
                .sum(),
        }
    }
}

impl SessionTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty table of sessions that end when nobody uses them for so long.
    pub fn with_idle_timeout(idle: Option<Duration>) -> Self {
        Self {
            inner: Arc::new(Inner {
                common: Arc::new(Common::new(idle)),
                ..Inner::default()
            }),
        }
    }

    /// Whether a session that this replica does not know has gone unused for too long.
    pub(super) fn is_idle(&self, written_ms: i64, now_ms: i64) -> bool {
        self.inner.common.is_idle(written_ms, now_ms)
    }

    /// Since when sessions must have been used, as the store knows it; `None` where they need not be.
    pub fn unused_since_ms(&self, now_ms: i64) -> Option<i64> {
        self.inner.common.unused_since_ms(now_ms)
    }

    /// The version of what is revoked of application tokens: a new one asks for [`Self::token_epoch`] anew.
    pub fn tokens_version(&self) -> u64 {
        self.inner.common.version()
    }

    /// The epoch from which on everybody's tokens for an audience count.
    pub fn token_epoch(&self, aud: &AudTag) -> i64 {
        self.inner.common.epoch(aud)
    }

    /// Application tokens of an audience count from this epoch on: of one session, or everybody's.
    pub fn tokens_revoked(&self, aud: &AudTag, session: Option<&SessionNonce>, epoch: i64) {
        let Some(nonce) = session else {
            self.inner.common.raise(aud, epoch);
            return;
        };
        let mut known = self.known();
        // Whoever reads the session at this moment may not have read this.
        known.note(Whose::Session(nonce.clone()));
        if let Some(session) = known.sessions.get(nonce) {
            session.raise_epoch(aud, epoch);
        }
    }

    /// The session of this nonce, if this replica knows it; ended ones included until they are forgotten.
    pub fn find(&self, nonce: &SessionNonce) -> Option<Arc<LiveSession>> {
        self.known().sessions.get(nonce).cloned()
    }

    /// To be called *before* the store is asked for a session.
    pub fn asking(&self) -> Asked {
        Asked {
            events: self.known().counted,
        }
    }

    /// Takes in a live session that the store gave after `asked`.
    ///
    /// # Errors
    /// [`EndedMeanwhile`] where it ended or changed since, or may have: the store must be asked again. What happens to
    /// other sessions meanwhile, however much, is no hindrance.
    pub fn install(&self, asked: Asked, found: Found) -> Result<Arc<LiveSession>, EndedMeanwhile> {
        // One lock for the check and the insertion: no ending can slip between.
        let mut known = self.known();
        if !known.holds(asked, &found) {
            return Err(EndedMeanwhile);
        }
        if let Some(session) = known.sessions.get(&found.nonce) {
            return Ok(session.clone());
        }
        let session = Arc::new(LiveSession {
            nonce: found.nonce.clone(),
            user: found.user,
            provider: found.provider,
            expires_ms: found.expires_ms,
            ended: AtomicU8::new(0),
            last_use_ms: AtomicI64::new(found.last_use_ms),
            identity: ArcSwap::from_pointee(self.version(found.identity, found.identity_version)),
            epochs: Mutex::new(found.epochs),
            common: Arc::clone(&self.inner.common),
        });
        let own = known.of_users.entry(found.user).or_default();
        own.push(session.clone());
        known.sessions.insert(found.nonce, session.clone());
        Ok(session)
    }

    /// Ends sessions in memory and gives how many were alive.
    pub fn end(&self, whose: &Whose, cause: Cause) -> usize {
        self.known().end(whose, cause)
    }

    /// To be called *before* sessions end that the store does not know to have ended, and kept until it does.
    pub fn owe(&self, whose: Option<Whose>) -> Owed {
        let mut known = self.known();
        known.owed_in_all += 1;
        let number = known.owed_in_all;
        known.owed.insert(number, whose);
        Owed {
            inner: Arc::clone(&self.inner),
            number,
        }
    }

    /// The store holds another identity for this session from now on; what was read before is out of date.
    pub fn identity_changed(&self, nonce: &SessionNonce) {
        self.known().note(Whose::Session(nonce.clone()));
    }

    /// Puts another identity under a live session: the next request is decided by it. `stored` is the version that the
    /// store gave it: of two changes the later one stays, whichever is told of first.
    pub fn replace_identity(&self, nonce: &SessionNonce, identity: Identity, stored: i64) {
        let mut known = self.known();
        known.note(Whose::Session(nonce.clone()));
        if let Some(session) = known.sessions.get(nonce)
            && stored >= session.identity().stored
        {
            session.identity.store(Arc::new(self.version(identity, stored)));
        }
    }

    /// The same of several that were written down.
    pub fn take_over(&self, amended: Vec<AmendedSession>) {
        for session in amended {
            self.replace_identity(&session.nonce, session.identity, session.version);
        }
    }

    /// Forgets what is over. A token of a forgotten session asks the store again and learns that it ended, so what the
    /// store may not know yet is kept.
    pub fn forget_over(&self, now_ms: i64) {
        let mut known = self.known();
        let all_told = known.owed.is_empty();
        let stays = |session: &Arc<LiveSession>| match session.over(now_ms) {
            None => true,
            Some(Cause::Expired) => false,
            Some(_) => !all_told,
        };
        known.sessions.retain(|_, session| stays(session));
        // Sessions end under the lock that is held here alone: the same ones go.
        known.of_users.retain(|_, own| {
            own.retain(stays);
            !own.is_empty()
        });
    }

    /// The live sessions used since `since_ms`, for the store to note.
    pub fn used_since(&self, since_ms: i64) -> Vec<(SessionNonce, i64)> {
        let used = |session: &Arc<LiveSession>| {
            let at = session.last_use_ms();
            (at >= since_ms).then(|| (session.nonce.clone(), at))
        };
        self.known().sessions.values().filter_map(used).collect()
    }

    /// Every session known, for asking the store about each after the feed was lost.
    pub fn nonces(&self) -> HashSet<SessionNonce> {
        self.known().sessions.keys().cloned().collect()
    }

    /// How many live sessions this replica knows.
    pub fn count(&self, now_ms: i64) -> usize {
        let live = |session: &&Arc<LiveSession>| session.over(now_ms).is_none();
        self.known().sessions.values().filter(live).count()
    }

    fn version(&self, identity: Identity, stored: i64) -> VersionedIdentity {
        let version = self.inner.identity_versions.fetch_add(1, Ordering::Relaxed) + 1;
        VersionedIdentity {
            version,
            stored,
            identity: Arc::new(identity),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.inner.known()
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing that holds the lock can leave it half-written, so a poisoned one is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::{Groups, PersonKey};
    use crate::model::ids::{ObjectId, TenantId};

    const NOW: i64 = 1_767_226_200_000;

    fn found(nonce: &str, user: u128) -> Found {
        let user = UserId(uuid::Uuid::from_u128(user));
        let provider = IdpId(uuid::Uuid::from_u128(9));
        Found {
            nonce: nonce.parse().unwrap(),
            user,
            provider,
            expires_ms: NOW + 60_000,
            last_use_ms: NOW,
            identity: Identity {
                user,
                person: PersonKey {
                    tenant: TenantId(uuid::Uuid::nil()),
                    object: ObjectId(uuid::Uuid::nil()),
                },
                provider,
                email: None,
                name: None,
                given_name: None,
                family_name: None,
                guest: false,
                groups: Groups::NotAsked,
                amr: Vec::new(),
                contexts: Vec::new(),
                claims: serde_json::Map::new(),
                provider_session: None,
                login_hint: None,
                address: "203.0.113.5".parse().unwrap(),
                country: None,
                at: jiff::Timestamp::from_millisecond(NOW).unwrap(),
                contexts_asked: false,
                claims_asked: Vec::new(),
                evaluations: Vec::new(),
                justifications: Vec::new(),
                approvals: Vec::new(),
            },
            identity_version: 1,
            epochs: Vec::new(),
        }
    }

    #[test]
    fn an_ended_session_is_over_for_everybody_who_holds_it() {
        let table = SessionTable::new();
        let held = table
            .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
            .unwrap();
        assert_eq!(held.over(NOW), None);
        assert_eq!(table.end(&Whose::Session(held.nonce().clone()), Cause::Logout), 1);
        assert_eq!(held.over(NOW), Some(Cause::Logout));
        assert_eq!(
            table.end(&Whose::Everybody, Cause::Administrator),
            0,
            "the first cause stays"
        );
        assert_eq!(held.over(NOW), Some(Cause::Logout));
    }

    #[test]
    fn a_session_expires_by_itself() {
        let table = SessionTable::new();
        let held = table
            .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
            .unwrap();
        assert_eq!(held.over(NOW + 59_999), None);
        assert_eq!(held.over(NOW + 60_000), Some(Cause::Expired));
    }

    #[test]
    fn an_answer_older_than_an_ending_is_not_installed() {
        let table = SessionTable::new();
        let asked = table.asking();
        table.end(
            &Whose::User(UserId(uuid::Uuid::from_u128(1))),
            Cause::Administrator,
        );
        assert_eq!(
            table.install(asked, found("aaaaaaaaaaaaaaaa", 1)).unwrap_err(),
            EndedMeanwhile
        );
        assert!(
            table
                .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
                .is_ok()
        );
    }

    #[test]
    fn endings_of_others_do_not_hinder_an_installation() {
        let table = SessionTable::new();
        let asked = table.asking();
        for user in 2..1000 {
            table.end(&Whose::User(UserId(uuid::Uuid::from_u128(user))), Cause::Logout);
        }
        assert!(table.install(asked, found("aaaaaaaaaaaaaaaa", 1)).is_ok());
    }

    #[test]
    fn an_answer_older_than_all_that_is_remembered_is_not_installed() {
        let table = SessionTable::new();
        let asked = table.asking();
        table.end(
            &Whose::Session("aaaaaaaaaaaaaaaa".parse().unwrap()),
            Cause::Logout,
        );
        for _ in 0..EVENTS_KEPT {
            table.end(
                &Whose::Session("bbbbbbbbbbbbbbbb".parse().unwrap()),
                Cause::Logout,
            );
        }
        assert!(table.install(asked, found("aaaaaaaaaaaaaaaa", 1)).is_err());
    }

    #[test]
    fn an_identity_read_before_it_changed_is_not_installed() {
        let table = SessionTable::new();
        let asked = table.asking();
        table.identity_changed(&"aaaaaaaaaaaaaaaa".parse().unwrap());
        assert!(table.install(asked, found("aaaaaaaaaaaaaaaa", 1)).is_err());
    }

    #[test]
    fn endings_reach_the_sessions_they_name_and_no_others() {
        let table = SessionTable::new();
        let one = table
            .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
            .unwrap();
        let two = table
            .install(table.asking(), found("bbbbbbbbbbbbbbbb", 2))
            .unwrap();
        table.end(&Whose::User(one.user()), Cause::Administrator);
        assert!(one.over(NOW).is_some() && two.over(NOW).is_none());
        table.end(&Whose::Provider(two.provider()), Cause::ProviderChanged);
        assert_eq!(two.over(NOW), Some(Cause::ProviderChanged));
        table.forget_over(NOW);
        assert!(table.find(one.nonce()).is_none());
    }

    #[test]
    fn a_hundred_thousand_people_are_put_out_one_by_one() {
        let table = SessionTable::new();
        let nonce = |number: u128| format!("{number:016x}");
        for number in 0..100_000 {
            table
                .install(table.asking(), found(&nonce(number), number))
                .unwrap();
        }
        // If each were looked for among all, this would take minutes.
        let of = |number| Whose::User(UserId(uuid::Uuid::from_u128(number)));
        let ended = (0..100_000).map(|number| table.end(&of(number), Cause::GroupsChanged));
        assert_eq!(ended.sum::<usize>(), 100_000);
        table.forget_over(NOW);
        assert_eq!(table.count(NOW), 0);
        assert!(table.known().of_users.is_empty());
    }

    #[test]
    fn a_user_s_other_sessions_end_with_the_user_after_one_is_forgotten() {
        let table = SessionTable::new();
        let one = table
            .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
            .unwrap();
        let two = table
            .install(table.asking(), found("bbbbbbbbbbbbbbbb", 1))
            .unwrap();
        table.end(&Whose::Session(one.nonce().clone()), Cause::Logout);
        table.forget_over(NOW);
        assert_eq!(table.end(&Whose::User(two.user()), Cause::Administrator), 1);
        assert_eq!(two.over(NOW), Some(Cause::Administrator));
    }

    #[test]
    fn what_the_store_has_not_been_told_of_is_not_forgotten() {
        let table = SessionTable::new();
        table
            .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
            .unwrap();
        let owed = table.owe(None);
        let nonce: SessionNonce = "aaaaaaaaaaaaaaaa".parse().unwrap();
        table.end(&Whose::Session(nonce.clone()), Cause::Logout);
        table.forget_over(NOW);
        assert!(table.find(&nonce).is_some());
        drop(owed);
        table.forget_over(NOW);
        assert!(table.find(&nonce).is_none());
    }

    #[test]
    fn a_changed_identity_has_a_new_version() {
        let table = SessionTable::new();
        let held = table
            .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
            .unwrap();
        let before = held.identity().version;
        table.replace_identity(held.nonce(), found("aaaaaaaaaaaaaaaa", 1).identity, 2);
        assert!(held.identity().version > before);
    }

    /// Two changes that the store made one after the other may be told of here in any order.
    #[test]
    fn an_older_identity_never_replaces_a_newer_one() {
        let table = SessionTable::new();
        let held = table
            .install(table.asking(), found("aaaaaaaaaaaaaaaa", 1))
            .unwrap();
        let named = |name: &str| Identity {
            name: Some(name.to_owned()),
            ..found("aaaaaaaaaaaaaaaa", 1).identity
        };
        table.replace_identity(held.nonce(), named("third"), 3);
        table.replace_identity(held.nonce(), named("second"), 2);
        assert_eq!(held.identity().identity.name.as_deref(), Some("third"));
    }

    #[test]
    fn whom_the_store_has_not_been_told_of_is_not_taken_in() {
        let table = SessionTable::new();
        let one = found("aaaaaaaaaaaaaaaa", 1);
        let owed = table.owe(Some(Whose::User(one.user)));
        table.end(&Whose::User(one.user), Cause::Administrator);
        // Asked after the ending, of a store that knows nothing of it.
        assert_eq!(
            table.install(table.asking(), one.clone()).unwrap_err(),
            EndedMeanwhile
        );
        assert!(
            table
                .install(table.asking(), found("bbbbbbbbbbbbbbbb", 2))
                .is_ok()
        );
        drop(owed);
        assert!(table.install(table.asking(), one).is_ok());
    }
}
