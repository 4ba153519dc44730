//! The refresh-token sensor: each person's refresh token is tried in the background, and where Microsoft says that the
//! person is out, so is the session. It needs neither SCIM nor the person.
//!
//! What Microsoft answers to whom: <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>. An outage of
//! theirs, or a secret of ours that has expired, ends nobody's session until the grace is over. Where they ask to be left
//! alone for some time (`Retry-After`), they are.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::task::JoinSet;

use super::revoke::Revoker;
use super::table::{Cause, SessionTable};
use crate::clock::Clock;
use crate::crypto::seal::{Purpose, Sealer};
use crate::entra::errors::{Class, EntraError};
use crate::entra::{Refresh, RelyingParty, SignedIn};
use crate::model::identity::Identity;
use crate::model::idp::{IdentityProvider, RefreshCheck};
use crate::model::ids::{IdpId, ObjectId};
use crate::model::scim::GroupChange;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Amended, DueRefresh, Ending, REFRESHES_TAKEN, Store, StoreError};

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(5);
/// Tokens of a provider tried at once. Each is an exchange at Microsoft, and often a list of groups: a third of a second
/// or so, so that some forty are tried in a second, and those of 10,000 people in five minutes. That costs Graph fewer
/// than a hundred of the 500 resource units that it grants each second to an application in a middle-sized tenant
/// (<https://learn.microsoft.com/graph/throttling-limits>); the rest is for people who sign in.
const AT_ONCE: usize = 16;

/// What the sensor works with.
pub struct Sensor {
    /// The providers.
    pub published: Arc<Published>,
    /// Where sessions and tokens are.
    pub store: Store,
    /// The sessions of this replica.
    pub sessions: SessionTable,
    /// Ends sessions.
    pub revoker: Revoker,
    /// Talks to Microsoft.
    pub relying_party: RelyingParty,
    /// Opens and seals refresh tokens.
    pub sealer: Sealer,
    /// The clock.
    pub clock: Clock,
}

impl Sensor {
    /// Tries what is due until the process ends.
    pub async fn keep_trying(self, shutdown: Shutdown) {
        let sensor = Arc::new(self);
        let trying = async {
            let mut under_way: JoinSet<(IdpId, bool)> = JoinSet::new();
            let mut busy: HashSet<IdpId> = HashSet::new();
            let mut behind: HashSet<IdpId> = HashSet::new();
            loop {
                while let Some(done) = under_way.try_join_next() {
                    match done {
                        Ok((provider, true)) => {
                            busy.remove(&provider);
                            behind.insert(provider);
                        }
                        Ok((provider, false)) => {
                            busy.remove(&provider);
                            behind.remove(&provider);
                        }
                        // Which one panicked is not known. A token is taken once, whoever looks.
                        Err(_) => busy.clear(),
                    }
                }
                let snapshot = sensor.published.load();
                for provider in snapshot.providers.values() {
                    // One that is slow keeps the others waiting for nothing.
                    if provider.entra.refresh_check.is_some() && busy.insert(provider.id) {
                        let look = Arc::clone(&sensor).look_at(provider.id, behind.contains(&provider.id));
                        under_way.spawn(look);
                    }
                }
                drop(snapshot);
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = trying => {}
            () = shutdown.hard() => {}
        }
    }

    /// Tries what is due of a provider until nothing is. Takes, and gives with the provider, whether people wait too long
    /// and the operator was told.
    async fn look_at(self: Arc<Self>, id: IdpId, mut behind: bool) -> (IdpId, bool) {
        loop {
            // It may be set otherwise by now, or be gone: there may be hours of work.
            let Some(provider) = self.published.load().providers.get(&id).cloned() else {
                return (id, false);
            };
            let Some(check) = provider.entra.refresh_check else {
                return (id, false);
            };
            match self.try_some(&provider, check, &mut behind).await {
                Ok(true) => {}
                Ok(false) => return (id, behind),
                Err(error) => {
                    tracing::warn!(provider.id = %id, %error, "Refresh tokens could not be tried, or what came of it not be kept");
                    return (id, behind);
                }
            }
        }
    }

    /// Tries some of what is due; whether there may be more. All of them are taken, so what happens to one must not keep
    /// the others from being tried: of what went wrong in the store, the last is answered.
    async fn try_some(
        self: &Arc<Self>,
        provider: &Arc<IdentityProvider>,
        check: RefreshCheck,
        behind: &mut bool,
    ) -> Result<bool, StoreError> {
        let before_ms = self.clock.now_ms().saturating_sub(millis(check.every));
        let due = self.store.take_due_refreshes(provider.id, before_ms).await?;
        let is_more = due.len() == REFRESHES_TAKEN;
        let (mut due, mut under_way, mut outcome) = (due.into_iter(), JoinSet::new(), Ok(()));
        let mut wait: Option<Duration> = None;
        loop {
            // Those who are not tried yet wait their turn; those under way are not called back.
            if under_way.is_empty()
                && let Some(wait) = wait.take()
            {
                tracing::info!(provider.id = %provider.id, seconds = wait.as_secs(), "Microsoft asks to be left alone: refresh tokens wait");
                tokio::time::sleep(wait).await;
            }
            while wait.is_none() && under_way.len() < AT_ONCE {
                let Some(next) = due.next() else { break };
                let (sensor, provider) = (Arc::clone(self), Arc::clone(provider));
                under_way.spawn(async move { sensor.try_one(&provider, &check, next).await });
            }
            match under_way.join_next().await {
                None if wait.is_none() => break,
                Some(Ok(Err(error))) => outcome = Err(error),
                // Longer than the interval nobody waits: whether the grace is over is to be found out.
                Some(Ok(Ok(Some(asked)))) => wait = wait.max(Some(asked.min(check.every))),
                // One that panicked has said so, and is tried again when it is due again.
                Some(Ok(Ok(None)) | Err(_)) | None => {}
            }
        }
        outcome?;
        // What is always done in time need not be counted.
        if is_more != *behind {
            *behind = self.tell_whether_behind(provider.id, check, *behind).await?;
        }
        Ok(is_more)
    }

    /// Tells the operator once when people wait for longer than another interval, and once when nobody does any more;
    /// whether anybody does.
    async fn tell_whether_behind(
        &self,
        id: IdpId,
        check: RefreshCheck,
        was: bool,
    ) -> Result<bool, StoreError> {
        let before_ms = self.clock.now_ms().saturating_sub(millis(check.every * 2));
        let people = self.store.count_due_refreshes(id, before_ms).await?;
        let every = check.every.as_secs();
        if people > 0 && !was {
            tracing::warn!(
                provider.id = %id, people, every,
                "Refresh tokens cannot be tried as often as is wanted: those of {people} people have waited for more than \
                 twice {every} seconds. A longer refresh_check, or another gateway, would help where this lasts"
            );
        } else if people == 0 && was {
            tracing::info!(provider.id = %id, every, "Refresh tokens are tried as often as is wanted again");
        }
        Ok(people > 0)
    }

    /// Tries one; how long Microsoft asks to be left alone, where it does.
    async fn try_one(
        &self,
        provider: &IdentityProvider,
        check: &RefreshCheck,
        due: DueRefresh,
    ) -> Result<Option<Duration>, StoreError> {
        let now_ms = self.clock.now_ms();
        let Some(token) = self.opened(&due, now_ms) else {
            tracing::error!(user.id = %due.user, "A refresh token cannot be unsealed and is given up: is this the master key it was sealed with?");
            return self.store.give_up_refresh(&due).await.map(|()| None);
        };
        let refresh = Refresh {
            refresh_token: token,
            person: due.identity.person,
        };
        // Before Microsoft is asked: what changes of their groups from here on is newer than its answer.
        let before = self.store.live_sessions_of(due.user).await?;
        let before: Vec<Identity> = before.into_iter().map(|session| session.identity).collect();
        let error = match self.relying_party.refresh(provider, &refresh).await {
            Ok(signed_in) => {
                self.confirmed(&due, &before, &signed_in, now_ms).await?;
                return Ok(None);
            }
            Err(error) => error,
        };
        if is_out(&error) {
            tracing::info!(provider.id = %provider.id, user.id = %due.user, "Microsoft vouches for a person no longer: {error}");
            self.put_out(&due).await?;
            return Ok(None);
        }
        let failing_ms = now_ms.saturating_sub(due.failing_since_ms.unwrap_or(now_ms));
        if failing_ms <= millis(check.grace) {
            tracing::warn!(provider.id = %provider.id, user.id = %due.user, "A refresh token could not be tried: {error}");
            self.store.refresh_failed(&due.nonce).await?;
        } else {
            tracing::error!(alarm = true, provider.id = %provider.id, user.id = %due.user, "Nobody has vouched for a person for longer than the grace: {error}");
            self.put_out(&due).await?;
        }
        Ok(error.retry_after())
    }

    fn opened(&self, due: &DueRefresh, now_ms: i64) -> Option<SecretString> {
        let associated = due.nonce.as_str().as_bytes();
        let opened = self
            .sealer
            .open(Purpose::RefreshToken, associated, &due.token_sealed, now_ms)
            .ok()?;
        std::str::from_utf8(&opened).ok().map(SecretString::from)
    }

    async fn put_out(&self, due: &DueRefresh) -> Result<(), StoreError> {
        let ending = Ending::User(due.user);
        self.revoker
            .revoke(ending, Cause::ProviderRefused)
            .await
            .map(drop)
    }

    /// The person is there. What has changed of them since is known to their sessions from the next request on.
    async fn confirmed(
        &self,
        due: &DueRefresh,
        before: &[Identity],
        signed_in: &SignedIn,
        began_ms: i64,
    ) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        let token = signed_in.refresh_token.as_ref().map(|token| {
            let token = token.expose_secret().as_bytes();
            let associated = due.nonce.as_str().as_bytes();
            self.sealer.seal(Purpose::RefreshToken, associated, token, now_ms)
        });
        self.store.refresh_done(&due.nonce, token).await?;
        let lost = self.store.taken_lately(due.user, began_ms).await?;
        let change = |identity: &mut Identity| renewed(identity, before, signed_in, &lost);
        let is_news = before.iter().any(|known| {
            let mut identity = known.clone();
            change(&mut identity);
            identity != *known
        });
        if !is_news {
            return Ok(());
        }
        let whose = Amended::User(due.user);
        let amended = self.store.amend_identities(whose, &change).await?;
        self.sessions.take_over(amended);
        Ok(())
    }
}

/// Puts what Microsoft says now under an identity. A list of groups that did not come whole says nothing, nor does what
/// was asked for before the directory, or a sign-in, said something else.
fn renewed(identity: &mut Identity, before: &[Identity], signed_in: &SignedIn, taken: &[ObjectId]) {
    let is_as_before = before.iter().any(|before| before.groups == identity.groups);
    if signed_in.groups.complete() && is_as_before {
        identity.groups = signed_in.groups.clone();
        let taken = GroupChange::taking(taken, &identity.groups);
        if !taken.is_empty() {
            taken.apply(&mut identity.groups);
        }
    }
    let is_address_as_before = before.iter().any(|before| before.email == identity.email);
    if signed_in.email.is_some() && is_address_as_before {
        identity.email.clone_from(&signed_in.email);
    }
    for (known, said) in [
        (&mut identity.name, &signed_in.name),
        (&mut identity.given_name, &signed_in.given_name),
        (&mut identity.family_name, &signed_in.family_name),
    ] {
        if said.is_some() {
            known.clone_from(said);
        }
    }
}

/// Whether an answer says that the person has to sign in again, or may not. What is our own fault, or passes, does not.
fn is_out(error: &EntraError) -> bool {
    match error {
        EntraError::IdToken(_) => false,
        other => match other.class() {
            Class::Config | Class::Transient => false,
            Class::Denied
            | Class::Interactive
            | Class::Restart
            | Class::Revoked
            | Class::Consent
            | Class::UserAction => true,
        },
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
