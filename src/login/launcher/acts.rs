//! What the launcher's buttons do: sign out here, in one other browser, or everywhere.
//!
//! Only by POST, and only by the form that was made for this session.

use http::Method;

use super::HOME;
use crate::login::answer::{Answer, redirect};
use crate::login::call::Call;
use crate::login::failure::Ended;
use crate::login::{form, logout, record};
use crate::model::ids::SessionNonce;
use crate::pages::person::{BadRequest, Scope};
use crate::session::table::{Cause, LiveSession};
use crate::store::Ending;

/// Where the forms are sent, behind `/cdn-cgi/access/`.
pub(in crate::login) const PATH: &str = "launcher/sign-out";
/// The field that names whose sessions end: one of these two words, or the key of a session.
const WHOSE: &str = "whose";
const HERE: &str = "here";
const EVERYWHERE: &str = "everywhere";
/// The name of the form.
const FORM: &str = "launcher";
/// The launcher may lie open all day.
const LIFE_SECONDS: i64 = 24 * 60 * 60;

/// What a form of this session's launcher must hold.
pub(super) fn seal(call: &Call<'_>, session: &LiveSession) -> String {
    form::seal(call, FORM, session, ())
}

/// Answers a form.
pub(in crate::login) async fn act(call: &Call<'_>) -> Result<Answer, Ended> {
    if call.parts.method != Method::POST {
        return Ok(call.page(&BadRequest::Method("POST")));
    }
    let Some(session) = call.organization_session().await? else {
        return Ok(redirect(&call.auth().address(HOME)));
    };
    let (fields, ()) = form::open_within(call, FORM, &session, LIFE_SECONDS)?;
    match fields.value(WHOSE) {
        Some(HERE) => end_this(call, &session).await,
        Some(EVERYWHERE) => end_all(call, &session).await,
        Some(key) if key == session.nonce().as_str() => end_this(call, &session).await,
        Some(key) => end_another(call, &session, key).await,
        None => Ok(redirect(&call.auth().address(HOME))),
    }
}

async fn end_this(call: &Call<'_>, session: &LiveSession) -> Result<Answer, Ended> {
    let ending = Ending::Session(session.nonce().clone());
    call.login.revoker.revoke(ending, Cause::Logout).await?;
    Ok(signed_out(call, session, Scope::Everything).await)
}

async fn end_all(call: &Call<'_>, session: &LiveSession) -> Result<Answer, Ended> {
    call.login
        .revoker
        .revoke_user(session.user(), Cause::Logout)
        .await?;
    Ok(signed_out(call, session, Scope::Everywhere).await)
}

async fn signed_out(call: &Call<'_>, session: &LiveSession, scope: Scope<'_>) -> Answer {
    let identity = session.identity().identity.clone();
    record::signed_out(call, &identity).await;
    let mut answer = logout::farewell(call, session, scope);
    logout::remove_cookies(call, &mut answer);
    answer
}

/// Another session of the same person. One of somebody else, or none, changes nothing and is not told apart.
async fn end_another(call: &Call<'_>, session: &LiveSession, key: &str) -> Result<Answer, Ended> {
    if let Ok(nonce) = key.parse::<SessionNonce>() {
        let row = call.login.store.session(&nonce).await?;
        if row.is_some_and(|row| row.user == session.user()) {
            call.login
                .revoker
                .revoke(Ending::Session(nonce), Cause::Logout)
                .await?;
            tracing::info!(request.id = %call.request_id, user.id = %session.user(), "Signed out in another browser");
        }
    }
    Ok(redirect(&call.auth().address(HOME)))
}
