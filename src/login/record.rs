//! What is written down of a login: log lines, and one row of `access_requests` that says what was decided.

use tracing::Level;

use super::call::Call;
use super::failure::{Ended, Why};
use super::landing::Landing;
use crate::entra::errors::EntraError;
use crate::model::application::Application;
use crate::model::destination::Destination;
use crate::model::identity::{Groups, Identity};
use crate::model::identity_json;
use crate::model::ids::IdpId;
use crate::policy::{Explanation, Refusal};
use crate::router::covers_path;
use crate::snapshot::ProtectedApplication;
use crate::store::{AccessRequest, StoreError};

/// A step that ended with a page. The line names the check that failed, never what was sent.
///
/// Anybody can bring one about, without signing in, by showing again what was sealed for him once. So an address that
/// does so often gets no more rows for a while: the log is to hold logins, and its writes stand in the way of theirs.
pub(super) async fn ended(call: &Call<'_>, ended: &Ended) {
    let request = &call.request_id;
    let why = &ended.why;
    let provider = ended.provider.map(|id| id.to_string()).unwrap_or_default();
    let person = ended.person.as_deref();
    let user = person.and_then(|person| person.user).map(tracing::field::display);
    let what = if ended.is_test {
        "The test of a provider ended"
    } else {
        "Login ended"
    };
    match level(why) {
        Level::ERROR => {
            tracing::error!(request.id = %request, provider.id = %provider, user.id = user, "{what}: {why}");
        }
        Level::WARN => {
            tracing::warn!(request.id = %request, provider.id = %provider, user.id = user, "{what}: {why}");
        }
        _ => tracing::info!(request.id = %request, provider.id = %provider, user.id = user, "{what}: {why}"),
    }
    if ended.is_test {
        return; // the page tells whoever tests, and nobody's login failed
    }
    let result = if why.refuses() { "refused" } else { "failed" };
    call.login.metrics.login_ended(&provider, result, why.word());
    if let Why::Entra(error) = &**why {
        for_the_operator(call, error);
    }
    if matches!(
        &**why,
        Why::SessionsUnavailable | Why::Store(StoreError::Unavailable(_))
    ) {
        return; // a store that does not answer takes no rows either
    }
    if ended.landing.is_none() && ended.provider.is_none() {
        return; // nothing of it was sealed here: whoever sends such requests could fill the table at will
    }
    let (limit, now_ms) = (&call.login.failed_steps, call.now_ms());
    if limit.must_wait(call.visit.client, now_ms) {
        return;
    }
    limit.failed(call.visit.client, now_ms);
    let row = row(call, "login", false, ended.landing.as_deref(), ended.provider);
    write(
        call,
        AccessRequest {
            reason: Some(why.to_string()),
            user: person.and_then(|person| person.user),
            email: person.and_then(|person| person.email.clone()),
            ..row
        },
    )
    .await;
}

fn for_the_operator(call: &Call<'_>, error: &EntraError) {
    let said = error.explain();
    if let EntraError::Refused(answer) = error {
        let trace = answer.trace_id.as_deref().unwrap_or_default();
        let correlation = answer.correlation_id.as_deref().unwrap_or_default();
        let mend = said.operator.unwrap_or_default();
        tracing::info!(request.id = %call.request_id, %trace, %correlation, "Microsoft's ids for this refusal. {mend}");
    }
    if said.alarm {
        tracing::error!(
            alarm = true,
            "Nobody can sign in: Microsoft does not accept the client secret. Put a valid one into the configuration"
        );
    }
}

fn level(why: &Why) -> Level {
    match why {
        Why::Entra(error) => error.explain().level,
        Why::Store(_) | Why::Key(_) | Why::SessionsUnavailable | Why::NoProvider => Level::ERROR,
        Why::OtherIssuer | Why::ForeignBrowser | Why::OtherPerson => Level::WARN,
        _ => Level::INFO,
    }
}

/// The policies let somebody not in. The line explains it; it may name groups, which the page never does.
pub(super) async fn refused(
    call: &Call<'_>,
    application: &ProtectedApplication,
    landing: &Landing,
    identity: &Identity,
    (refusal, because): (&Refusal, &Explanation),
) {
    tracing::info!(
        request.id = %call.request_id, application = %application.app.name, user.id = %identity.user,
        reason = refusal.reason.word(), explanation = %because, "Refused"
    );
    let provider = identity.provider.to_string();
    call.login.metrics.login_ended(&provider, "refused", "policy");
    let row = row(call, "login", false, Some(landing), Some(identity.provider));
    let reason = Some(refusal.reason.word().to_owned());
    write(
        call,
        AccessRequest {
            reason,
            explanation: Some(because.to_string()),
            ..of_person(row, identity)
        },
    )
    .await;
}

/// Somebody said why they enter an application.
///
/// # Errors
/// Where it cannot be written down; then it has not been said.
pub(super) async fn justified(
    call: &Call<'_>,
    application: &ProtectedApplication,
    landing: &Landing,
    identity: &Identity,
    reason: &str,
) -> Result<(), StoreError> {
    tracing::info!(
        request.id = %call.request_id, application = %application.app.name, user.id = %identity.user, justification = reason,
        "A reason was given"
    );
    let row = row(
        call,
        "justification",
        true,
        Some(landing),
        Some(identity.provider),
    );
    let row = AccessRequest {
        reason: Some(reason.to_owned()),
        ..of_person(row, identity)
    };
    call.login.store.log_access(&row).await
}

/// Somebody signed in at the provider. What is decided of it is written down once it is: [`entered`] or [`refused`].
pub(super) fn signed_in(call: &Call<'_>, identity: &Identity, steps: &[String]) {
    tracing::info!(
        request.id = %call.request_id, provider.id = %identity.provider, user.id = %identity.user, guest = identity.guest,
        "Signed in; e-mail: {}", steps.join("; ")
    );
    if let Groups::Unknown { reason, .. } = &identity.groups {
        tracing::warn!(request.id = %call.request_id, user.id = %identity.user, "Groups are not known: {reason}");
    }
    let provider = identity.provider.to_string();
    call.login.metrics.login_ended(&provider, "success", "signed_in");
}

/// Somebody enters an application, by a sign-in or with the session there is; or has signed in, and nothing is decided
/// about any application yet.
pub(super) async fn entered(call: &Call<'_>, landing: Option<&Landing>, identity: &Identity) {
    let row = row(call, "login", true, landing, Some(identity.provider));
    write(call, of_person(row, identity)).await;
}

/// Somebody let a program in.
pub(super) async fn transferred(call: &Call<'_>, landing: &Landing, agent: &str, identity: &Identity) {
    tracing::info!(
        request.id = %call.request_id, user.id = %identity.user, agent,
        "A program was given a session of its own"
    );
    let row = row(call, "transfer", true, Some(landing), Some(identity.provider));
    write(call, of_person(row, identity)).await;
}

/// Somebody signed out here.
pub(super) async fn signed_out(call: &Call<'_>, identity: &Identity) {
    tracing::info!(request.id = %call.request_id, user.id = %identity.user, "Signed out");
    let row = row(call, "logout", true, None, Some(identity.provider));
    write(call, of_person(row, identity)).await;
}

/// Somebody gave up one application's token here and kept the session.
pub(super) async fn signed_out_of(call: &Call<'_>, identity: &Identity, application: &Application) {
    tracing::info!(
        request.id = %call.request_id,
        user.id = %identity.user,
        application = application.name,
        "Signed out of one application"
    );
    let row = AccessRequest {
        app: Some(application.id),
        app_domain: application.destinations.first().map(ToString::to_string),
        app_name: Some(application.name.clone()),
        ..row(call, "logout", true, None, Some(identity.provider))
    };
    write(call, of_person(row, identity)).await;
}

fn of_person(row: AccessRequest, identity: &Identity) -> AccessRequest {
    AccessRequest {
        user: Some(identity.user),
        email: Some(identity_json::address(identity).to_owned()).filter(|address| !address.is_empty()),
        country: identity.country.clone(),
        ..row
    }
}

fn row(
    call: &Call<'_>,
    action: &str,
    allowed: bool,
    landing: Option<&Landing>,
    provider: Option<IdpId>,
) -> AccessRequest {
    let application = landing.and_then(|landing| call.snapshot.applications.get(&landing.app));
    AccessRequest {
        request_id: call.request_id.clone(),
        at_ms: call.now_ms(),
        action: action.to_owned(),
        allowed,
        app: landing.map(|landing| landing.app),
        app_domain: landing.map(|landing| domain(application.map(|known| &known.app), landing)),
        app_name: application.map(|known| known.app.name.clone()),
        provider,
        connection: "azureAD".to_owned(),
        user: None,
        email: None,
        address: call.visit.client,
        country: None,
        reason: None,
        explanation: None,
    }
}

/// The address of the application that was asked for: the very host, and the path that the application has there.
fn domain(application: Option<&Application>, landing: &Landing) -> String {
    let destinations = application
        .iter()
        .flat_map(|application| &application.destinations);
    let covering = destinations.filter(|destination| {
        destination.covers_host(&landing.host) && covers_path(destination, landing.path.path())
    });
    let path = covering
        .map(Destination::path)
        .max_by_key(|path| path.len())
        .unwrap_or_default();
    format!("{}{path}", landing.host)
}

/// A row that cannot be written is no reason to undo a login or to hide a refusal.
async fn write(call: &Call<'_>, row: AccessRequest) {
    if let Err(error) = call.login.store.log_access(&row).await {
        tracing::warn!(request.id = %call.request_id, %error, "A login could not be written into the access log");
    }
}
