//! Forms of ours on the auth host: made for one session, sent by our own page, good for a while.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::failure::Why;
use super::own_page::sent_by_our_page;
use super::query::Query;
use crate::crypto::seal::Purpose;
use crate::model::ids::SessionNonce;
use crate::session::table::LiveSession;

/// How long a form may lie open, where nothing else is said.
const LIFE_SECONDS: i64 = 30 * 60;

/// The field that carries what was sealed.
pub(super) const FIELD: &str = "form";

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    /// For whom it was made: nobody else's browser may send it.
    session: SessionNonce,
    issued: i64,
    about: T,
}

/// Seals what a form is about. `name` keeps forms of one kind from being read as another's.
pub(super) fn seal<T: Serialize>(call: &Call<'_>, name: &str, session: &LiveSession, about: T) -> String {
    let sealed = Sealed {
        session: session.nonce().clone(),
        issued: call.login.clock.now_seconds(),
        about,
    };
    // Our own types always serialize; a form that is empty is refused when it comes back.
    let plain = serde_json::to_vec(&sealed).unwrap_or_default();
    let now_ms = call.now_ms();
    call.login
        .sealer
        .seal_text(Purpose::Form, name.as_bytes(), &plain, now_ms)
}

/// The fields of a form and what it is about, if our own page sent it from the browser it was made for.
///
/// # Errors
/// [`Why::CrossSite`], [`Why::Form`]
pub(super) fn open<'c, T: DeserializeOwned>(
    call: &'c Call<'_>,
    name: &str,
    session: &LiveSession,
) -> Result<(Query<'c>, T), Why> {
    open_within(call, name, session, LIFE_SECONDS)
}

/// The same of a form that may lie open for so long: for a day at most, whose keys seal it.
///
/// # Errors
/// [`Why::CrossSite`], [`Why::Form`]
pub(super) fn open_within<'c, T: DeserializeOwned>(
    call: &'c Call<'_>,
    name: &str,
    session: &LiveSession,
    life_seconds: i64,
) -> Result<(Query<'c>, T), Why> {
    if !sent_by_our_page(&call.parts.headers, call.auth().origin()) {
        return Err(Why::CrossSite);
    }
    let text = std::str::from_utf8(call.form).map_err(|_| Why::Form)?;
    let fields = Query::parse(Some(text)).map_err(|_| Why::Form)?;
    let sealed = fields.value(FIELD).ok_or(Why::Form)?;
    let now_ms = call.now_ms();
    let plain = call
        .login
        .sealer
        .open_text(Purpose::Form, name.as_bytes(), sealed, now_ms)
        .map_err(|_| Why::Form)?;
    let sealed: Sealed<T> = serde_json::from_slice(&plain).map_err(|_| Why::Form)?;
    let age = call.login.clock.now_seconds().saturating_sub(sealed.issued);
    if age > life_seconds || sealed.session != *session.nonce() {
        return Err(Why::Form);
    }
    Ok((fields, sealed.about))
}
