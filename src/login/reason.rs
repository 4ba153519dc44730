//! Purpose justification: the person says why, once for a session and application, and goes on.

use std::sync::Arc;

use http::Method;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, see_other};
use super::call::{Call, label};
use super::failure::{Ended, Why};
use super::form;
use super::landing::Landing;
use super::leave_to_enter;
use super::provider::ANOTHER_ACCOUNT;
use super::record;
use crate::model::identity::Justification;
use crate::model::ids::PolicyId;
use crate::model::policy::Policy;
use crate::pages::person::{Ask, Before};
use crate::policy::StepUp;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// The name of the form, and of its address below `/cdn-cgi/access/`.
pub(super) const NAME: &str = "justification";

/// What the form is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) landing: Landing,
    pub(super) policy: PolicyId,
}

impl About {
    pub(super) fn of(landing: &Landing, step_up: &StepUp) -> Self {
        Self {
            landing: landing.clone(),
            policy: step_up.policy.id,
        }
    }
}

/// What a person is asked for before an application opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// A reason.
    Reason,
    /// A reason, for which others give leave.
    Leave,
}

impl Asking {
    /// The name of the form, and of its address below `/cdn-cgi/access/`.
    fn name(self) -> &'static str {
        match self {
            Self::Reason => NAME,
            Self::Leave => leave_to_enter::NAME,
        }
    }
}

/// The page that asks.
pub(super) fn ask(
    call: &Call<'_>,
    asking: Asking,
    application: &ProtectedApplication,
    session: &LiveSession,
    about: &About,
    before: Before,
    written: Option<&str>,
) -> Answer {
    let policy = policy_of(application, about.policy);
    let identity = session.identity().identity.clone();
    call.page(&Ask {
        app: label(application, &about.landing),
        who: identity.label(),
        prompt: policy.and_then(|policy| policy.purpose_justification_prompt.as_deref()),
        leave: asking == Asking::Leave,
        before,
        written,
        form: &form::seal(call, asking.name(), session, about),
        action: &format!("/cdn-cgi/access/{}", asking.name()),
        another_account: &call.login_address(&about.landing, ANOTHER_ACCOUNT),
    })
}

/// Takes the reason, and sends the person on.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    let session = sent(call).await?;
    let (fields, about) = form::open::<About>(call, NAME, &session)?;
    let landing = about.landing.clone();
    let application = call.application_at(&landing).ok_or(Why::NoApplication)?;
    let written = fields.value("reason").unwrap_or_default();
    let Some(reason) = reason(written) else {
        return Ok(ask(
            call,
            Asking::Reason,
            &application,
            &session,
            &about,
            Before::Unfit,
            Some(written),
        ));
    };
    let justification = Justification {
        app: application.app.id,
        policy: about.policy,
        at_ms: call.now_ms(),
    };
    let identity = session.identity().identity.clone();
    // The words first: nobody enters whose reason is not written down.
    record::justified(call, &application, &landing, &identity, &reason).await?;
    call.amend(&session, &|identity| {
        identity.justify(justification.clone());
    })
    .await?;
    Ok(see_other(&call.login_address(&landing, "")))
}

/// The session of a browser that sends a form.
pub(super) async fn sent(call: &Call<'_>) -> Result<Arc<LiveSession>, Why> {
    if call.parts.method != Method::POST {
        return Err(Why::Method);
    }
    call.organization_session().await?.ok_or(Why::NoSession)
}

/// The policy of an application that asks.
pub(super) fn policy_of(application: &ProtectedApplication, id: PolicyId) -> Option<&Policy> {
    let mut policies = application.policy_docs.iter().map(Arc::as_ref);
    policies.find(|policy| policy.id == id)
}

/// The longest reason, in characters.
const LONGEST: usize = 1000;

/// A reason as it is kept: without what surrounds it, with line breaks as they are everywhere.
pub(super) fn reason(written: &str) -> Option<String> {
    let reason = written.replace("\r\n", "\n");
    let reason = reason.trim();
    let strange = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    let fits = !reason.is_empty() && reason.chars().count() <= LONGEST && !reason.contains(strange);
    fits.then(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_some_words_and_not_too_many() {
        assert_eq!(reason("  on call\r\nnight \t"), Some("on call\nnight".to_owned()));
        assert_eq!(reason(" \r\n "), None);
        assert_eq!(reason("bell \u{7}"), None);
        assert!(reason(&"ö".repeat(LONGEST)).is_some());
        assert_eq!(reason(&"ö".repeat(LONGEST + 1)), None);
    }
}
