//! Signing in for the auth host's own pages: `GET auth/cdn-cgi/access/login` without an application.

use super::{HOME, guard};
use crate::login::answer::{Answer, redirect, set_cookie};
use crate::login::approvers;
use crate::login::bounce::Bounces;
use crate::login::call::Call;
use crate::login::failure::Ended;
use crate::login::provider::{Choosing, wants_another_account};
use crate::login::state::{LoginPurpose, LoginState, OwnPage};
use crate::pages::person::{self, AppLabel, LauncherWelcome, Stop};
use crate::session::table::LiveSession;

/// Where it happens.
pub(super) const PATH: &str = "/cdn-cgi/access/login";

/// What the address says once the person has gone on from the page before the sign-in.
const GO: &str = "go";

/// What says that it is for the approvers' page.
const FOR_APPROVALS: &str = "to=approvals";

/// The address of the sign-in for a page.
pub(in crate::login) fn login_address(page: OwnPage) -> String {
    match page {
        OwnPage::Launcher => PATH.to_owned(),
        OwnPage::Approvals => format!("{PATH}?{FOR_APPROVALS}"),
    }
}

/// Where a page is.
fn path(page: OwnPage) -> String {
    match page {
        OwnPage::Launcher => HOME.to_owned(),
        OwnPage::Approvals => format!("/cdn-cgi/access/{}", approvers::NAME),
    }
}

/// Signs in with the only provider, or lets the person choose; who has a session is there already.
pub(in crate::login) async fn sign_in(call: &Call<'_>) -> Result<Answer, Ended> {
    let page = match call.query.value("to") {
        Some("approvals") => OwnPage::Approvals,
        _ => OwnPage::Launcher,
    };
    let session = call.organization_session().await?;
    // What the launcher's own application asks for is asked for the launcher alone.
    let launcher = call
        .snapshot
        .launcher
        .as_ref()
        .filter(|_| page == OwnPage::Launcher);
    let stays = |session: &LiveSession| {
        !wants_another_account(call) && (launcher.is_none() || guard::takes_provider(call, session))
    };
    if session.as_deref().is_some_and(stays) {
        return Ok(redirect(&call.auth().address(&path(page))));
    }
    if Bounces::of(&call.parts.headers, call.login.clock.now_seconds()).is_loop() {
        return Ok(call.page(&Stop {
            app: AppLabel {
                name: &call.organization().name,
                host: call.auth().host().as_str(),
            },
            again: &path(page),
        }));
    }
    let goes_on = call.query.value(GO).is_some() || call.query.value("idp").is_some();
    if let Some(launcher) = launcher.filter(|launcher| launcher.design.welcome.is_some())
        && !(goes_on || wants_another_account(call))
    {
        return Ok(call.page(&LauncherWelcome {
            organization: &call.organization().name,
            design: &launcher.design,
            next: &format!("{PATH}?{GO}=1"),
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
    let address = |choice: &str| match page {
        OwnPage::Launcher => format!("{PATH}?{choice}"),
        OwnPage::Approvals => format!("{PATH}?{FOR_APPROVALS}&{choice}"),
    };
    choosing.go(call, address).await
}

/// To the page that somebody signed in for: by redirect, or by the page that gives the fragment back.
pub(in crate::login) fn arrive(call: &Call<'_>, state: &LoginState) -> Answer {
    let page = match state.purpose {
        LoginPurpose::Own(page) => page,
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
