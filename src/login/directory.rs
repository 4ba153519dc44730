//! What a login asks of the directory's own word, where the directory tells of its people.

use super::call::Call;
use super::failure::Why;
use crate::entra::SignedIn;
use crate::model::identity::Groups;
use crate::model::idp::IdentityProvider;
use crate::model::scim::complete_groups;

/// The person's groups, with those added that the directory told of, where the provider did not tell them all.
///
/// # Errors
/// The store does not answer.
pub(super) async fn complete(
    call: &Call<'_>,
    provider: &IdentityProvider,
    signed_in: &mut SignedIn,
) -> Result<(), Why> {
    if provider.told().is_none() || signed_in.groups.complete() {
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
        tracing::info!(request.id = %call.request_id, "Groups that Graph did not tell were taken from what the directory told before");
    }
    Ok(())
}
