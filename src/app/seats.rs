//! Seats of people who stay away.

use crate::manage::Manage;
use crate::snapshot::Snapshot;
use crate::store::StoreError;

/// Frees the seats of people who have been away for longer than the organization allows.
///
/// # Errors
/// The store does not answer.
pub(super) async fn round(manage: &Manage, snapshot: &Snapshot, now_ms: i64) -> Result<(), StoreError> {
    let Some(away) = &snapshot.organization.seat_expiration else {
        return Ok(());
    };
    let length_ms = i64::try_from(away.length().as_millis()).unwrap_or(i64::MAX);
    let freed = manage.free_unused_seats(now_ms.saturating_sub(length_ms)).await?;
    for user in &freed {
        tracing::info!(user.id = %user, "A seat was freed: nobody was there for {away}");
    }
    Ok(())
}
