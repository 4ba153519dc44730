//! Whom a directory keeps out, asked without a sign-in.

use super::super::{Store, StoreError, User, bounded};
use super::link::TOMBSTONE;
use super::{ScimAtLogin, ScimKey, ScimUser, scim_user};
use crate::model::email::EmailAddress;
use crate::model::ids::IdpId;

const OF_OBJECT: &str = "SELECT id, provider, body, user_id, created_ms, updated_ms FROM scim_users \
     WHERE provider = $1 AND object = $2";

impl Store {
    /// Whether a sign-in of this user would be refused because the directory has put the person out: what
    /// [`Store::insert_session`] would find, and nothing is changed by asking.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_kept_out(&self, user: &User, asks: Option<&ScimAtLogin>) -> Result<bool, StoreError> {
        let Some(asks) = asks else {
            return Ok(user.deprovisioned);
        };
        let told = match self.of_object(user).await? {
            Some(told) => Some(told),
            None => self.scim_user_of(user.id).await?,
        };
        if let Some(told) = &told {
            return Ok(!told.record.is_active() && asks.refuses_those_out());
        }
        let buried = self.has_buried(user).await?;
        if buried {
            return Ok(asks.refuses_those_out());
        }
        let by_address = match &asks.email {
            Some(email) => self.only_unlinked(user.provider, email).await?,
            None => None,
        };
        Ok(match by_address {
            Some(told) => !told.record.is_active() && asks.refuses_those_out(),
            None => user.deprovisioned,
        })
    }

    /// The same of somebody who has never signed in, of whom only the address is known: where the directory tells of one
    /// person with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_address_kept_out(
        &self,
        provider: IdpId,
        email: &EmailAddress,
        asks: &ScimAtLogin,
    ) -> Result<bool, StoreError> {
        let told = self.told_with(provider, email.as_str()).await?;
        let [only] = told.as_slice() else {
            return Ok(false);
        };
        Ok(!only.record.is_active() && asks.refuses_those_out())
    }

    /// The people of a directory with this name or address.
    async fn told_with(&self, provider: IdpId, address: &str) -> Result<Vec<ScimUser>, StoreError> {
        let mut told = self.scim_users_with(provider, ScimKey::Name(address)).await?;
        let others = self.scim_users_with(provider, ScimKey::Email(address)).await?;
        told.extend(others);
        told.sort_by_key(|told| told.id.to_string());
        told.dedup_by(|one, other| one.id == other.id);
        Ok(told)
    }

    /// The one of them whom an address would link at a sign-in.
    async fn only_unlinked(&self, provider: IdpId, address: &str) -> Result<Option<ScimUser>, StoreError> {
        let mut told = self.told_with(provider, address).await?;
        told.retain(|told| told.user.is_none() && told.record.object().is_none());
        Ok(if told.len() == 1 { told.pop() } else { None })
    }

    async fn of_object(&self, user: &User) -> Result<Option<ScimUser>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(OF_OBJECT)
                .bind(user.provider.to_string())
                .bind(user.person.object.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(scim_user).transpose()
        })
        .await
    }

    async fn has_buried(&self, user: &User) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(TOMBSTONE)
                .bind(user.provider.to_string())
                .bind(user.person.object.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            Ok(row.is_some())
        })
        .await
    }
}
