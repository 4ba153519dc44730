//! `GET auth/cdn-cgi/access/refresh-identity`: signs in at the provider once more, so that name, address and groups are
//! read anew.
//!
//! The session stays the same and gets another identity: from the next request on every application decides by it.

use super::answer::{Answer, redirect};
use super::call::Call;
use super::failure::{Ended, Why};
use super::leave::{Leaving, leave};
use super::record;
use super::sign_in::{self, Signing};
use super::state::LoginPurpose;
use crate::model::ids::SessionNonce;
use crate::pages::person::Refreshed;

/// Where it ends.
const DONE: &str = "/cdn-cgi/access/refresh-identity?success=true";

/// Sends the browser to the provider of its session, or says that it has come back.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    if call.query.value("success") == Some("true") {
        return Ok(call.page(&Refreshed));
    }
    let session = call.organization_session().await?.ok_or(Why::NoSession)?;
    let provider = call
        .snapshot
        .providers
        .get(&session.provider())
        .ok_or(Why::NoProvider)?;
    leave(
        call,
        Leaving::new(provider, LoginPurpose::Refresh(session.nonce().clone())),
    )
    .await
}

/// Puts the identity that came back under the session that asked.
pub(super) async fn finish(
    call: &Call<'_>,
    signing: &Signing<'_>,
    asked: &SessionNonce,
) -> Result<Answer, Ended> {
    let session = signing
        .previous
        .as_ref()
        .filter(|session| session.nonce() == asked)
        .ok_or(Why::NoSession)?;
    if session.identity().identity.person != signing.signed_in.person {
        return Err(Why::OtherPerson.into());
    }
    let identity = sign_in::read_anew(call, signing, session).await?;
    record::signed_in(call, &identity, &signing.signed_in.email_steps);
    record::entered(call, None, &identity).await;
    Ok(redirect(&call.auth().address(DONE)))
}
