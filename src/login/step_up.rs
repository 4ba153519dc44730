//! What a policy asks for besides who somebody is: found out here, on the auth host, with the person's help.
//!
//! An authentication context is asked for once on a way: `state` says which ones have been, and the callback never
//! leaves for the provider with the same one again. Whoever comes back without it is refused, in words; opening the
//! application anew may ask once more.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, redirect, set_cookie};
use super::call::Call;
use super::failure::Ended;
use super::hand_over::{refuse, refuse_because};
use super::landing::Landing;
use super::leave::{Leaving, leave};
use super::leave_to_enter;
use super::reason::{self, About, Asking};
use super::state::{LoginPurpose, LoginState};
use crate::entra::claims_asking_for;
use crate::model::idp::IdentityProvider;
use crate::pages::person::{Because, Before};
use crate::policy::{Need, StepUp};
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// Most contexts asked for on one way: each is a trip to the provider, and a policy that needs more is a mistake.
const MOST_CONTEXTS: usize = 4;
/// Longest wait for the name of a context, which only labels a page.
const NAME_PATIENCE: Duration = Duration::from_secs(2);

/// Where on the way somebody is found to lack something.
#[derive(Clone, Copy)]
pub(super) enum Station<'s> {
    /// At the login page, before anything was asked for.
    LoginPage,
    /// Back from the provider, with the state of that login.
    Callback(&'s LoginState),
    /// At the end of the hand-over, on the application's own host.
    HandOver,
}

impl<'s> Station<'s> {
    /// The contexts that this way has asked for.
    fn asked(self) -> &'s [String] {
        match self {
            Self::Callback(state) => &state.contexts,
            Self::LoginPage | Self::HandOver => &[],
        }
    }

    /// The name under which the browser keeps the fragment.
    fn flow(self) -> Option<String> {
        match self {
            Self::Callback(state) => state.flow.clone(),
            Self::LoginPage | Self::HandOver => None,
        }
    }
}

/// What follows for somebody who lacks something.
pub(super) enum Step {
    /// The next step towards it.
    Asks(Answer),
    /// It cannot be had, and that has been written down.
    Refused(Answer),
}

impl Step {
    /// The answer.
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::Asks(answer) | Self::Refused(answer) => answer,
        }
    }
}

/// The next step towards what is needed, or the refusal where it cannot be had.
pub(super) async fn step_up(
    call: &Call<'_>,
    application: &Arc<ProtectedApplication>,
    session: &Arc<LiveSession>,
    landing: &Landing,
    step_up: &StepUp,
    station: Station<'_>,
) -> Result<Step, Ended> {
    let refusal = step_up.unmet();
    let refuse_as = async |because| {
        let refused = refuse_because(call, application, session, landing, &refusal, because);
        Ok(Step::Refused(refused.await))
    };
    let (provider, context) = match &step_up.need {
        Need::AuthContext { provider, context } => (provider, context),
        // It was asked a moment ago, where it could be asked at all.
        Need::Evaluation { .. } => return refuse_as(Because::NotEvaluated).await,
        Need::Justification | Need::Approval if matches!(station, Station::HandOver) => {
            return Ok(Step::Asks(back_to_the_door(call, landing)));
        }
        Need::Justification => {
            let about = About::of(landing, step_up);
            let (asking, before) = (Asking::Reason, Before::Nothing);
            return Ok(Step::Asks(reason::ask(
                call,
                asking,
                application,
                session,
                &about,
                before,
                None,
            )));
        }
        Need::Approval => {
            let about = About::of(landing, step_up);
            let answer = leave_to_enter::ask_or_wait(call, application, session, &about).await?;
            return Ok(Step::Asks(answer));
        }
    };
    let provider = call
        .snapshot
        .providers
        .get(provider)
        .filter(|provider| provider.id == session.provider());
    let Some(provider) = provider else {
        let refused = refuse(call, application, session, landing, &refusal).await;
        return Ok(Step::Refused(refused));
    };
    if !provider.entra.conditional_access_enabled {
        return refuse_as(Because::ContextNotAsked).await;
    }
    if let Station::HandOver = station {
        return Ok(Step::Asks(back_to_the_door(call, landing)));
    }
    let asked = station.asked();
    if asked.contains(context) || asked.len() >= MOST_CONTEXTS {
        let name = name_of(call, provider, context).await;
        return refuse_as(Because::ContextUnmet { name: &name }).await;
    }
    tracing::info!(
        request.id = %call.request_id, provider.id = %provider.id, user.id = %session.user(), context,
        application = %application.app.name, "An authentication context is asked for"
    );
    let leaving = Leaving {
        claims: Some(claims_asking_for(context)),
        contexts: asked.iter().chain([context]).cloned().collect(),
        session: Some(session),
        flow: station.flow(),
        ..Leaving::new(provider, LoginPurpose::Open(landing.clone()))
    };
    leave(call, leaving).await.map(Step::Asks)
}

/// Back to the application's own address, which starts anew on the auth host. Policies have changed since the ticket
/// was made; the count of bounces sees to it that they do not do so for ever.
fn back_to_the_door(call: &Call<'_>, landing: &Landing) -> Answer {
    let mut answer = redirect(&landing.address(call.auth()));
    let now = call.login.clock.now_seconds();
    set_cookie(&mut answer, landing.bounces.handed_over(call.auth(), now));
    answer
}

/// What the organization calls a context; its id where Graph does not tell in time.
async fn name_of(call: &Call<'_>, provider: &IdentityProvider, context: &str) -> String {
    let listing = call.login.relying_party.authentication_contexts(provider);
    let listed = match tokio::time::timeout(NAME_PATIENCE, listing).await {
        Ok(Ok(listed)) => Some(listed),
        Ok(Err(error)) => {
            tracing::warn!(request.id = %call.request_id, provider.id = %provider.id, %error, "Authentication contexts have no names");
            None
        }
        Err(_) => None,
    };
    let known = listed
        .as_ref()
        .and_then(|listed| listed.iter().find(|known| known.id == context));
    known.map_or_else(|| context.to_owned(), |known| known.name.clone())
}
