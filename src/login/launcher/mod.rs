//! The launcher: `GET https://<auth host>/`. The applications this person may open, and the sessions of theirs in other
//! browsers, each of which can be ended from here.
//!
//! Everybody who is signed in may see it, or whom its own policies let in ([`guard`]); nobody sees an application there
//! that would not let them in now. Nothing is changed by GET ([`acts`]).

mod acts;
mod agent;
mod guard;
mod openable;
mod sign_in;
mod tiles;

use jiff::Timestamp;

pub(super) use acts::{PATH as ACT, act};
pub(super) use guard::stops;
pub(super) use sign_in::{arrive, login_address, sign_in};

use self::tiles::Wanted;
use super::answer::{Answer, redirect, set_cookie};
use super::approvers;
use super::bounce;
use super::call::Call;
use super::failure::Ended;
use super::state::OwnPage;
use crate::model::design::LauncherDesign;
use crate::model::ids::SessionNonce;
use crate::pages::person::{Launcher, SessionLine};
use crate::session::cookies;
use crate::session::table::LiveSession;

/// Where it stands.
pub(super) const HOME: &str = "/";

/// Shows it, or has the person sign in first.
pub(super) async fn show(call: &Call<'_>) -> Result<Answer, Ended> {
    if let Some(answer) = sign_in::beyond(call) {
        return Ok(answer);
    }
    let Some(session) = call.organization_session().await? else {
        return Ok(redirect(&call.auth().address(&login_address(OwnPage::Launcher))));
    };
    session.used(call.now_ms());
    if let Some(answer) = stops(call, &session, OwnPage::Launcher).await? {
        return Ok(answer);
    }
    let plain = LauncherDesign::default();
    let launcher = call.snapshot.launcher.as_ref();
    let identity = session.identity().identity.clone();
    let openable = openable::of(call, &session);
    let shown = tiles::of(&openable, &Wanted::of(call));
    let sessions = sessions(call, &session).await?;
    let form = acts::seal(call, &session);
    let page = Launcher {
        who: identity.label(),
        tiles: &shown.tiles,
        left_out: shown.left_out,
        all: openable.len(),
        search: call.query.value(tiles::SEARCH),
        tags: &shown.tags,
        sessions: &sessions,
        waiting: approvers::waiting_for(call, &session).await?,
        form: &form,
        now: call.login.clock.now(),
        design: launcher.map_or(&plain, |launcher| &launcher.design),
    };
    let mut answer = call.page(&page);
    if cookies::values(&call.parts.headers, bounce::COOKIE)
        .next()
        .is_some()
    {
        set_cookie(&mut answer, bounce::forget(call.auth()));
    }
    Ok(answer)
}

/// The person's live sessions, this one first.
async fn sessions(call: &Call<'_>, own: &LiveSession) -> Result<Vec<SessionLine>, Ended> {
    let rows = call.login.store.live_sessions_of(own.user()).await?;
    let instant = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut lines: Vec<SessionLine> = rows
        .into_iter()
        .map(|row| SessionLine {
            this: row.nonce == *own.nonce(),
            browser: agent::name(row.agent.as_deref()),
            address: row.address.to_string(),
            country: row.identity.country,
            since: instant(row.created_ms),
            used: instant(last_use(call, &row.nonce, row.last_use_ms)),
            key: row.nonce.to_string(),
        })
        .collect();
    lines.sort_by_key(|line| (!line.this, std::cmp::Reverse(line.used)));
    Ok(lines)
}

/// This replica may know of a later use than has been written down.
fn last_use(call: &Call<'_>, nonce: &SessionNonce, written_ms: i64) -> i64 {
    let known = call.login.sessions.find(nonce);
    known.map_or(written_ms, |session| session.last_use_ms().max(written_ms))
}
