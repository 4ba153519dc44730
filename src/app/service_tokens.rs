//! Service tokens over time: uses written down, and what nobody uses ended.

use crate::clock::Clock;
use crate::manage::{Manage, ManageError};
use crate::model::service_token::{Inactivity, InactivityAction};
use crate::session::service_uses::ServiceUses;
use crate::snapshot::Snapshot;
use crate::store::{Actor, ActorKind, Store, StoreError};

const DAY_MS: i64 = 86_400_000;

/// What the chores about service tokens work on.
pub(super) struct Chores {
    store: Store,
    manage: Manage,
    uses: ServiceUses,
    clock: Clock,
}

impl Chores {
    pub(super) fn new(store: &Store, manage: &Manage, uses: &ServiceUses, clock: &Clock) -> Self {
        Self {
            store: store.clone(),
            manage: manage.clone(),
            uses: uses.clone(),
            clock: clock.clone(),
        }
    }

    /// Writes down what was used since, and ends what nobody uses.
    pub(super) async fn round(&self, since_ms: i64, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.store
            .touch_service_tokens(&self.uses.since(since_ms))
            .await?;
        self.uses.keep_only(&snapshot.service_tokens);
        self.store.forget_service_token_uses().await?;
        match &snapshot.organization.service_tokens.inactivity {
            Some(inactivity) => self.end_unused(inactivity).await,
            None => Ok(()),
        }
    }

    async fn end_unused(&self, inactivity: &Inactivity) -> Result<(), StoreError> {
        let unused_since_ms = self.clock.now_ms() - i64::from(inactivity.days) * DAY_MS;
        for token in self.manage.unused_service_tokens(unused_since_ms).await? {
            let actor = Actor {
                kind: ActorKind::System,
                name: "inactivity".to_owned(),
            };
            let delete = inactivity.action == InactivityAction::Delete;
            match self.manage.end_unused_service_token(token, delete, actor).await {
                Ok(()) => tracing::warn!(
                    service_token.id = %token, delete,
                    "A service token that nobody used for {} days was ended", inactivity.days
                ),
                Err(ManageError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(service_token.id = %token, %error, "An unused service token stays");
                }
            }
        }
        Ok(())
    }
}
