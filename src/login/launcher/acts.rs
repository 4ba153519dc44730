//! What the launcher's buttons do: sign out here, in one other browser, or everywhere.
//!
//! Only by POST, only from the launcher itself: the browser must say that the request comes from this origin, and the
//! form must hold what was sealed for this session when the page was made.

use http::Method;

use super::HOME;
use crate::crypto::seal::Purpose;
use crate::login::answer::{Answer, redirect};
use crate::login::call::Call;
use crate::login::failure::{Ended, Why};
use crate::login::own_page::sent_by_our_page;
use crate::login::query::Query;
use crate::login::{logout, record};
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
const FORM: &str = "form";

/// What a form of this session's launcher must hold. Good for a day or two.
pub(super) fn token(call: &Call<'_>, session: &SessionNonce) -> String {
    let sealer = &call.login.sealer;
    sealer.seal_text(
        Purpose::LauncherForm,
        session.as_str().as_bytes(),
        b"",
        call.now_ms(),
    )
}

/// Answers a form.
pub(in crate::login) async fn act(call: &Call<'_>) -> Result<Answer, Ended> {
    if call.parts.method != Method::POST {
        return Ok(call.page(&BadRequest::Method("POST")));
    }
    if !sent_by_our_page(&call.parts.headers, call.auth().origin()) {
        return Err(Why::CrossSite.into());
    }
    let Some(session) = call.organization_session().await? else {
        return Ok(redirect(&call.auth().address(HOME)));
    };
    let form = std::str::from_utf8(call.form).unwrap_or_default();
    let form = Query::parse(Some(form))?;
    let sealed = form.value(FORM).unwrap_or_default();
    call.login
        .sealer
        .open_text(
            Purpose::LauncherForm,
            session.nonce().as_str().as_bytes(),
            sealed,
            call.now_ms(),
        )
        .map_err(|_| Why::CrossSite)?;
    match form.value(WHOSE) {
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
