//! Whom a directory has deleted: they stay out until it tells of them anew.
//!
//! By object, where it is known. Where the directory never said which object somebody is, and nobody who signed in was
//! linked, by address: whoever comes with it is taken for the one deleted.

use sqlx::{Any, Transaction};

use super::super::StoreError;
use super::{ScimUser, folded};
use crate::model::ids::{IdpId, ObjectId};

const BURY: &str = "INSERT INTO scim_tombstones (provider, object, at_ms) VALUES ($1, $2, $3) \
     ON CONFLICT (provider, object) DO UPDATE SET at_ms = excluded.at_ms";
const UNBURY: &str = "DELETE FROM scim_tombstones WHERE provider = $1 AND object = $2";
const BURIED: &str = "SELECT at_ms FROM scim_tombstones WHERE provider = $1 AND object = $2";
const BURY_ADDRESS: &str = "INSERT INTO scim_buried_addresses (provider, email, at_ms) VALUES ($1, $2, $3) \
     ON CONFLICT (provider, email) DO UPDATE SET at_ms = excluded.at_ms";
const UNBURY_ADDRESS: &str = "DELETE FROM scim_buried_addresses WHERE provider = $1 AND email = $2";
const BURIED_ADDRESS: &str = "SELECT at_ms FROM scim_buried_addresses WHERE provider = $1 AND email = $2";

/// Buries a person who is known by these objects, or else by address.
pub(super) async fn bury(
    tx: &mut Transaction<'static, Any>,
    told: &ScimUser,
    objects: &[ObjectId],
    now_ms: i64,
) -> Result<(), StoreError> {
    for object in objects {
        sqlx::query(BURY)
            .bind(told.provider.to_string())
            .bind(object.to_string())
            .bind(now_ms)
            .execute(&mut **tx)
            .await?;
    }
    if objects.is_empty() {
        for address in told.addresses() {
            sqlx::query(BURY_ADDRESS)
                .bind(told.provider.to_string())
                .bind(address)
                .bind(now_ms)
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}

pub(super) async fn unbury(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    object: ObjectId,
) -> Result<(), StoreError> {
    sqlx::query(UNBURY)
        .bind(provider.to_string())
        .bind(object.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn unbury_address(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    address: &str,
) -> Result<(), StoreError> {
    sqlx::query(UNBURY_ADDRESS)
        .bind(provider.to_string())
        .bind(folded(address))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whether somebody is buried who has this object, and this address.
pub(super) async fn is_buried(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    object: ObjectId,
    address: Option<&str>,
) -> Result<bool, StoreError> {
    let by_object = sqlx::query(BURIED)
        .bind(provider.to_string())
        .bind(object.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(address) = address.filter(|_| by_object.is_none()) else {
        return Ok(by_object.is_some());
    };
    is_address_buried(tx, provider, address).await
}

/// Whether somebody is buried who is known by this address alone.
pub(super) async fn is_address_buried(
    tx: &mut Transaction<'static, Any>,
    provider: IdpId,
    address: &str,
) -> Result<bool, StoreError> {
    let buried = sqlx::query(BURIED_ADDRESS)
        .bind(provider.to_string())
        .bind(folded(address))
        .fetch_optional(&mut **tx)
        .await?;
    Ok(buried.is_some())
}
