//! What a policy asks for besides who somebody is: found out here, on the auth host, with the person's help.

use std::sync::Arc;

use super::answer::Answer;
use super::call::Call;
use super::failure::Ended;
use super::hand_over::refuse;
use super::landing::Landing;
use crate::policy::StepUp;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// The next step towards what is needed, or the refusal where it cannot be had.
pub(super) async fn step_up(
    call: &Call<'_>,
    application: &Arc<ProtectedApplication>,
    session: &LiveSession,
    landing: &Landing,
    step_up: &StepUp,
) -> Result<Answer, Ended> {
    Ok(refuse(call, application, session, landing, &step_up.unmet()).await)
}
