//! Whom a directory keeps out, asked without a sign-in.

use super::super::row::Cells;
use super::super::{Store, StoreError, User, bounded};
use super::buried::is_address_buried;
use super::link::Arriving;
use super::{ScimAtLogin, ScimKey, ScimUser};
use crate::model::email::EmailAddress;
use crate::model::ids::IdpId;

const IS_OUT: &str = "SELECT deprovisioned FROM users WHERE id = $1";

impl Store {
    /// Whether a sign-in of this user would be refused because the directory has put the person out: what
    /// [`Store::insert_session`] would find, and nothing is changed by asking. `address` is the one that may say which
    /// person of the directory it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_kept_out(
        &self,
        user: &User,
        address: Option<&str>,
        asks: Option<&ScimAtLogin>,
    ) -> Result<bool, StoreError> {
        let Some(asks) = asks else {
            return Ok(user.deprovisioned);
        };
        let arriving = Arriving {
            provider: user.provider,
            person: user.person,
            user: user.id,
            since_ms: user.created_ms,
            email: address,
            name: user.name.as_deref(),
        };
        self.patiently(|| self.would_be_refused(&arriving, asks)).await
    }

    /// Goes through the sign-in as far as the directory has a say, and undoes it.
    async fn would_be_refused(
        &self,
        arriving: &Arriving<'_>,
        asks: &ScimAtLogin,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let word = self.word_on(&mut tx, arriving, self.now_ms(), asks).await?;
        if !word.admits {
            return Ok(true);
        }
        let row = sqlx::query(IS_OUT)
            .bind(arriving.user.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let is_out = row.map(|row| Cells::new(&row, "users", "id").flag("deprovisioned"));
        tx.rollback().await?;
        Ok(is_out.transpose()?.unwrap_or_default())
    }

    /// The same of somebody who has never signed in, of whom only the address is known: where the directory tells of
    /// nobody with it who is active, or has deleted whoever had it.
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
        let out = match told.as_slice() {
            [] => self.is_address_buried(provider, email.as_str()).await?,
            told => told.iter().all(|told| !told.record.is_active()),
        };
        Ok(out && asks.refuses_those_out())
    }

    /// The people of a directory with this name or address.
    async fn told_with(&self, provider: IdpId, address: &str) -> Result<Vec<ScimUser>, StoreError> {
        let mut told = self
            .scim_with::<ScimUser>(provider, ScimKey::Name(address))
            .await?;
        told.extend(
            self.scim_with::<ScimUser>(provider, ScimKey::Email(address))
                .await?,
        );
        told.sort_by_key(|told| told.id.to_string());
        told.dedup_by(|one, other| one.id == other.id);
        Ok(told)
    }

    async fn is_address_buried(&self, provider: IdpId, address: &str) -> Result<bool, StoreError> {
        bounded(async {
            let mut tx = self.begin_read().await?;
            is_address_buried(&mut tx, provider, address).await
        })
        .await
    }
}
