//! Signing in for the auth host's own pages: `GET auth/cdn-cgi/access/login` without an application.

use super::{HOME, guard};
use crate::login::answer::{Answer, redirect, set_cookie};
use crate::login::approvers;
use crate::login::bounce::Bounces;
use crate::login::call::Call;
use crate::login::failure::{Ended, Why};
use crate::login::leave::{Leaving, leave};
use crate::login::provider::{Choosing, wants_another_account};
use crate::login::return_path::ReturnPath;
use crate::login::state::{LoginPurpose, LoginState, OwnPage};
use crate::pages::person::{self, AppLabel, LauncherWelcome, Stop};
use crate::pages::reference;
use crate::session::table::LiveSession;

/// Where it happens.
pub(super) const PATH: &str = "/cdn-cgi/access/login";

/// What the address says once the person has gone on from the page before the sign-in.
const GO: &str = "go";

/// Says for which page it is, where that is not the launcher.
const FOR: &str = "to";
const APPROVALS: &str = "approvals";
const REFERENCE: &str = "api";

/// The address of the sign-in for a page.
pub(in crate::login) fn login_address(page: OwnPage) -> String {
    match page {
        OwnPage::Launcher => PATH.to_owned(),
        OwnPage::Approvals => format!("{PATH}?{FOR}={APPROVALS}"),
        OwnPage::Reference => format!("{PATH}?{FOR}={REFERENCE}"),
    }
}

/// Where a page is.
fn path(page: OwnPage) -> String {
    match page {
        OwnPage::Launcher => HOME.to_owned(),
        OwnPage::Approvals => format!("/cdn-cgi/access/{}", approvers::NAME),
        OwnPage::Reference => reference::PAGE.to_owned(),
    }
}

/// An address that leads to a page by way of the launcher's: a way back never leads to the gateway's reserved paths.
pub(super) fn door(page: OwnPage) -> ReturnPath {
    let address = match page {
        OwnPage::Reference => format!("{HOME}?{FOR}={REFERENCE}"),
        OwnPage::Launcher | OwnPage::Approvals => HOME.to_owned(),
    };
    ReturnPath::parse(&address).unwrap_or_else(|_| ReturnPath::root())
}

/// The page that an address of the launcher's leads on to.
pub(super) fn beyond(call: &Call<'_>) -> Option<Answer> {
    let to_reference = call.query.value(FOR) == Some(REFERENCE);
    to_reference.then(|| redirect(&call.auth().address(reference::PAGE)))
}

/// An address with something more in its query.
pub(super) fn with(address: &str, more: &str) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{more}")
}

/// Signs in with the only provider, or lets the person choose; who has a session is there already.
pub(in crate::login) async fn sign_in(call: &Call<'_>) -> Result<Answer, Ended> {
    let page = match call.query.value(FOR) {
        Some(APPROVALS) => OwnPage::Approvals,
        Some(REFERENCE) => OwnPage::Reference,
        _ => OwnPage::Launcher,
    };
    let session = call.organization_session().await?;
    // Who gives leave may do so whether the launcher is open to them or not.
    let launcher = call
        .snapshot
        .launcher
        .as_ref()
        .filter(|_| page != OwnPage::Approvals);
    let stays = |session: &LiveSession| {
        !wants_another_account(call) && (launcher.is_none() || guard::takes_provider(call, session))
    };
    if session.as_deref().is_some_and(stays) {
        return Ok(redirect(&call.auth().address(&path(page))));
    }
    if let Some(stop) = stop(call, page) {
        return Ok(stop);
    }
    let goes_on = call.query.value(GO).is_some() || call.query.value("idp").is_some();
    if let Some(launcher) = launcher.filter(|launcher| launcher.design.welcome.is_some())
        && !(goes_on || wants_another_account(call))
    {
        return Ok(call.page(&LauncherWelcome {
            organization: &call.organization().name,
            design: &launcher.design,
            next: &with(&login_address(page), &format!("{GO}=1")),
        }));
    }
    let app = launcher.map(|launcher| &launcher.guard.app);
    let said = app.and_then(|app| app.auto_redirect_to_identity);
    let straight_on = said.or(call.organization().auto_redirect_to_identity) != Some(false);
    let choosing = Choosing {
        app: None,
        providers: &call.providers(app.map_or(&[], |app| app.allowed_idps.as_slice())),
        straight_on,
        last: session.map(|session| session.provider()),
        purpose: LoginPurpose::Own(page),
    };
    choosing
        .go(call, |choice| with(&login_address(page), choice))
        .await
}

/// Signs in once more at the provider of a session, which goes on with what that says: its sign-in is older than the
/// launcher takes. Most people see no page of the provider's.
pub(super) async fn again(call: &Call<'_>, session: &LiveSession, page: OwnPage) -> Result<Answer, Ended> {
    if let Some(stop) = stop(call, page) {
        return Ok(stop);
    }
    let provider = call.snapshot.providers.get(&session.provider());
    let leaving = Leaving {
        session: Some(session),
        ..Leaving::new(provider.ok_or(Why::NoProvider)?, LoginPurpose::Again(page))
    };
    leave(call, leaving).await
}

/// The page for a browser that has been round too often.
fn stop(call: &Call<'_>, page: OwnPage) -> Option<Answer> {
    let bounces = Bounces::of(&call.parts.headers, call.login.clock.now_seconds());
    let stop = || {
        call.page(&Stop {
            app: AppLabel {
                name: &call.organization().name,
                host: call.auth().host().as_str(),
            },
            again: &path(page),
        })
    };
    bounces.is_loop().then(stop)
}

/// To the page that somebody signed in for: by redirect, or by the page that gives the fragment back.
pub(in crate::login) fn arrive(call: &Call<'_>, state: &LoginState) -> Answer {
    let page = match state.purpose {
        LoginPurpose::Own(page) | LoginPurpose::Again(page) => page,
        _ => OwnPage::Launcher,
    };
    let next = call.auth().address(&path(page));
    let mut answer = match &state.flow {
        None => redirect(&next),
        Some(flow) => call.page(&person::Landing {
            app: None,
            flow,
            next: &next,
        }),
    };
    let now = call.login.clock.now_seconds();
    let bounces = Bounces::of(&call.parts.headers, now);
    set_cookie(&mut answer, bounces.handed_over(call.auth(), now));
    answer
}
