//! The reference of the API: `GET auth/cdn-cgi/access/api`, and the OpenAPI document beside it.
//!
//! The API itself gives the document to whoever shows a token. These are for people: whoever may open the launcher may
//! read them. They tell what every gateway of this version can do, and nothing of this one but its address and account.

use super::answer::{Answer, redirect};
use super::call::Call;
use super::failure::Ended;
use super::launcher;
use super::state::OwnPage;
use crate::pages::reference::Reference;

/// Answers with the one or the other, or has the person sign in first.
pub(super) async fn answer(
    call: &Call<'_>,
    of: impl FnOnce(&Reference, &http::HeaderMap) -> Answer,
) -> Result<Answer, Ended> {
    const PAGE: OwnPage = OwnPage::Reference;
    let Some(session) = call.organization_session().await? else {
        return Ok(redirect(&call.auth().address(&launcher::login_address(PAGE))));
    };
    session.used(call.now_ms());
    match launcher::stops(call, &session, PAGE).await? {
        Some(answer) => Ok(answer),
        None => Ok(of(&call.login.reference, &call.parts.headers)),
    }
}
