//! Who may open the launcher: everybody who signs in, or whom the policies of an application of type `app_launcher` let
//! in. They are asked each time it is opened, so that a change takes effect at once, and by the same door as those of
//! any other application: what they ask for besides a sign-in is asked for here. The launcher takes no token of its own,
//! so that its `session_duration` says how old the sign-in may be that opens it.

use std::sync::Arc;
use std::time::Duration;

use super::sign_in::{self, door, login_address, with};
use crate::login::answer::{Answer, redirect};
use crate::login::bounce::Bounces;
use crate::login::call::Call;
use crate::login::challenge::because;
use crate::login::evaluate::MaxAge;
use crate::login::failure::Ended;
use crate::login::fingerprint::Fingerprint;
use crate::login::hand_over::{Judged, judge, judge_anew, refuse_offering};
use crate::login::landing::{Carried, Landing};
use crate::login::provider::ANOTHER_ACCOUNT;
use crate::login::state::OwnPage;
use crate::login::step_up::{Station, step_up};
use crate::model::token_duration::SHORTEST;
use crate::session::table::LiveSession;
use crate::snapshot::{GuardedLauncher, ProtectedApplication};

/// Asks the launcher's policies about a session, as they stand now. `None` where it may be opened; else what comes
/// before that.
pub(in crate::login) async fn stops(
    call: &Call<'_>,
    session: &Arc<LiveSession>,
    page: OwnPage,
) -> Result<Option<Answer>, Ended> {
    let Some(GuardedLauncher { guard, .. }) = &call.snapshot.launcher else {
        return Ok(None);
    };
    let landing = landing(call, guard, page);
    let answer = match judge_anew(call, guard, session, &landing, MaxAge::Beginning).await? {
        Judged::Open => return Ok(None),
        Judged::Enters(duration) if is_new_enough(call, session, duration) => return Ok(None),
        Judged::Enters(_) => sign_in::again(call, session, page).await?,
        Judged::OtherProvider => redirect(&call.auth().address(&login_address(page))),
        Judged::Needs(need) => {
            let step = step_up(call, guard, session, &landing, &need, Station::LoginPage);
            step.await?.answer()
        }
        Judged::Refused(refusal) => {
            let identity = session.identity().identity.clone();
            let because = because(guard, Some(&identity), &refusal);
            let another = with(&login_address(page), ANOTHER_ACCOUNT.trim_start_matches('&'));
            refuse_offering(call, guard, session, &landing, (&refusal, because), &another).await
        }
    };
    Ok(Some(answer))
}

/// Where somebody lands who has been asked for something on the way to a page of the auth host's own.
fn landing(call: &Call<'_>, guard: &ProtectedApplication, page: OwnPage) -> Landing {
    Landing {
        app: guard.app.id,
        host: call.auth().host().clone(),
        path: door(page),
        // No ticket is made for it.
        app_session: Fingerprint::of(""),
        certificate: Carried::Unknown,
        bounces: Bounces::of(&call.parts.headers, call.login.clock.now_seconds()),
    }
}

/// Whether a sign-in is no older than the launcher takes. One that "expires immediately" is good for a minute, as a
/// token is: less than that nobody could open anything with.
fn is_new_enough(call: &Call<'_>, session: &LiveSession, longest: Duration) -> bool {
    let at_ms = session.identity().identity.at.as_millisecond();
    let age = Duration::from_millis(u64::try_from(call.now_ms().saturating_sub(at_ms)).unwrap_or(0));
    age <= longest.max(SHORTEST)
}

/// Whether the launcher is for people of this session's provider.
pub(super) fn takes_provider(call: &Call<'_>, session: &LiveSession) -> bool {
    let Some(GuardedLauncher { guard, .. }) = &call.snapshot.launcher else {
        return true;
    };
    !matches!(judge(call, guard, session, None), Judged::OtherProvider)
}
