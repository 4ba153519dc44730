//! The refresh-token sensor: each person's refresh token is tried in the background, and where Microsoft says that the
//! person is out, so is the session. It needs neither SCIM nor the person.
//!
//! What Microsoft answers to whom: <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>. An outage of
//! theirs, or a secret of ours that has expired, ends nobody's session until the grace is over.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::revoke::Revoker;
use super::table::{Cause, SessionTable};
use crate::clock::Clock;
use crate::crypto::seal::{Purpose, Sealer};
use crate::entra::errors::{Class, EntraError};
use crate::entra::{Refresh, RelyingParty, SignedIn};
use crate::model::identity::Identity;
use crate::model::idp::{IdentityProvider, RefreshCheck};
use crate::model::ids::ObjectId;
use crate::model::scim::GroupChange;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;
use crate::store::{Amended, DueRefresh, Ending, Store, StoreError};

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(5);

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
        let trying = async {
            loop {
                self.look().await;
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = trying => {}
            () = shutdown.hard() => {}
        }
    }

    async fn look(&self) {
        let snapshot = self.published.load();
        for provider in snapshot.providers.values() {
            let Some(check) = &provider.entra.refresh_check else {
                continue;
            };
            if let Err(error) = self.look_at(provider, check).await {
                tracing::warn!(provider.id = %provider.id, %error, "Refresh tokens could not be tried, or what came of it not be kept");
            }
        }
    }

    /// Tries what is due of a provider; the last of what went wrong in the store.
    async fn look_at(&self, provider: &IdentityProvider, check: &RefreshCheck) -> Result<(), StoreError> {
        let before_ms = self.clock.now_ms().saturating_sub(millis(check.every));
        let mut outcome = Ok(());
        // Some at a time, one after the other: Microsoft's patience is shared with people who sign in. All of them are
        // taken, so what happens to one must not keep the others from being tried.
        for due in self.store.take_due_refreshes(provider.id, before_ms).await? {
            if let Err(error) = self.try_one(provider, check, due).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn try_one(
        &self,
        provider: &IdentityProvider,
        check: &RefreshCheck,
        due: DueRefresh,
    ) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        let Some(token) = self.opened(&due, now_ms) else {
            tracing::error!(user.id = %due.user, "A refresh token cannot be unsealed and is given up: is this the master key it was sealed with?");
            return self.store.give_up_refresh(&due).await;
        };
        let refresh = Refresh {
            refresh_token: token,
            person: due.identity.person,
        };
        // Before Microsoft is asked: what changes of their groups from here on is newer than its answer.
        let before = self.store.live_sessions_of(due.user).await?;
        let before: Vec<Identity> = before.into_iter().map(|session| session.identity).collect();
        match self.relying_party.refresh(provider, &refresh).await {
            Ok(signed_in) => self.confirmed(&due, &before, &signed_in, now_ms).await,
            Err(error) if is_out(&error) => {
                tracing::info!(provider.id = %provider.id, user.id = %due.user, "Microsoft vouches for a person no longer: {error}");
                self.put_out(&due).await
            }
            Err(error) => {
                let failing_ms = now_ms.saturating_sub(due.failing_since_ms.unwrap_or(now_ms));
                if failing_ms <= millis(check.grace) {
                    tracing::warn!(provider.id = %provider.id, user.id = %due.user, "A refresh token could not be tried: {error}");
                    return self.store.refresh_failed(&due.nonce).await;
                }
                tracing::error!(alarm = true, provider.id = %provider.id, user.id = %due.user, "Nobody has vouched for a person for longer than the grace: {error}");
                self.put_out(&due).await
            }
        }
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
