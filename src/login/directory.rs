//! What a login asks of the directory's own word, where the directory tells of its people by SCIM.

use super::call::Call;
use super::failure::Why;
use crate::entra::SignedIn;
use crate::model::identity::{Email, Groups};
use crate::model::idp::IdentityProvider;
use crate::model::scim::{IdentityUpdate, complete_groups};
use crate::store::ScimAtLogin;

/// Whether the person may sign in, and who of the directory it is.
pub(super) fn asks(provider: &IdentityProvider) -> Option<ScimAtLogin> {
    let scim = provider.scim.as_ref()?;
    Some(ScimAtLogin {
        stays_out: scim.user_deprovision,
        reactivates: scim.reactivate_on_login,
        regroups: scim.identity_update != IdentityUpdate::NoAction,
    })
}

/// Whether an address says who of a directory is meant, now or when the directory comes to tell of its people. A guest's
/// address is another organization's word, and says nothing of who is meant here.
pub(super) fn is_linkable(guest: bool, email: Option<&Email>) -> bool {
    email.is_some_and(|email| email.trusted && !guest)
}

/// The person's groups, with those added that the directory told of, where the provider did not tell them all.
///
/// # Errors
/// The store does not answer.
pub(super) async fn complete(
    call: &Call<'_>,
    provider: &IdentityProvider,
    signed_in: &mut SignedIn,
) -> Result<(), Why> {
    if provider.scim.is_none() || signed_in.groups.complete() {
        return Ok(());
    }
    let told = call
        .login
        .store
        .scim_groups_of(provider.id, signed_in.person)
        .await?;
    let is_asked = !matches!(signed_in.groups, Groups::NotAsked);
    complete_groups(&mut signed_in.groups, &told);
    if is_asked && !told.is_empty() {
        tracing::info!(request.id = %call.request_id, "Groups that Graph did not tell were taken from SCIM");
    }
    Ok(())
}
