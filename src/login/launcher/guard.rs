//! Who may open the launcher: everybody who signs in, or whom the policies of an application of type `app_launcher` let
//! in. They are asked each time it is opened, so that a change takes effect at once.

use super::sign_in;
use crate::login::answer::Answer;
use crate::login::bounce::Bounces;
use crate::login::call::Call;
use crate::login::challenge::because;
use crate::login::evaluate::{self, MaxAge};
use crate::login::failure::Ended;
use crate::login::fingerprint::Fingerprint;
use crate::login::hand_over::{Judged, judge, refuse_offering};
use crate::login::landing::{Carried, Landing};
use crate::login::provider::ANOTHER_ACCOUNT;
use crate::login::return_path::ReturnPath;
use crate::session::table::LiveSession;
use crate::snapshot::GuardedLauncher;

/// What the launcher says to a session.
pub(super) enum Admission {
    /// It may be opened.
    Open,
    /// It is for people of another provider.
    OtherProvider,
    /// It may not: this is the page.
    Refused(Answer),
}

/// Asks the launcher's policies about a session, as they stand now.
pub(super) async fn admit(call: &Call<'_>, session: &LiveSession) -> Result<Admission, Ended> {
    let Some(GuardedLauncher { guard, .. }) = &call.snapshot.launcher else {
        return Ok(Admission::Open);
    };
    evaluate::gather(call, guard, session, MaxAge::Beginning).await?;
    let refusal = match judge(call, guard, session, None) {
        Judged::Enters(_) | Judged::Open => return Ok(Admission::Open),
        Judged::OtherProvider => return Ok(Admission::OtherProvider),
        Judged::Refused(refusal) => refusal,
        // What would have to be asked for is asked for on the way to applications, and not here.
        Judged::Needs(need) => need.unmet(),
    };
    let landing = Landing {
        app: guard.app.id,
        host: call.auth().host().clone(),
        path: ReturnPath::root(),
        // No ticket is made for it.
        app_session: Fingerprint::of(""),
        certificate: Carried::Unknown,
        bounces: Bounces::default(),
    };
    let identity = session.identity().identity.clone();
    let because = because(guard, Some(&identity), &refusal);
    let another = format!("{}?{}", sign_in::PATH, ANOTHER_ACCOUNT.trim_start_matches('&'));
    let page = refuse_offering(call, guard, session, &landing, (&refusal, because), &another);
    Ok(Admission::Refused(page.await))
}

/// Whether the launcher is for people of this session's provider.
pub(super) fn takes_provider(call: &Call<'_>, session: &LiveSession) -> bool {
    let Some(GuardedLauncher { guard, .. }) = &call.snapshot.launcher else {
        return true;
    };
    !matches!(judge(call, guard, session, None), Judged::OtherProvider)
}
