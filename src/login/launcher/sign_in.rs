//! Signing in for the launcher itself: `GET auth/cdn-cgi/access/login` without an application.

use std::sync::Arc;

use super::HOME;
use crate::login::answer::{Answer, redirect, set_cookie};
use crate::login::bounce::Bounces;
use crate::login::call::Call;
use crate::login::failure::{Ended, Why};
use crate::login::leave::{Leaving, leave};
use crate::login::state::{LoginPurpose, LoginState};
use crate::model::idp::{IdentityProvider, Prompt};
use crate::model::ids::IdpId;
use crate::pages::person::{self, AppLabel, Choice, Chooser, Stop};

/// Where it happens.
pub(super) const PATH: &str = "/cdn-cgi/access/login";

/// Signs in with the only provider, or lets the person choose; who has a session is there already.
pub(in crate::login) async fn sign_in(call: &Call<'_>) -> Result<Answer, Ended> {
    let another_account = call.query.value("prompt") == Some("select_account");
    let session = call.organization_session().await?;
    if session.is_some() && !another_account {
        return Ok(redirect(&call.auth().address(HOME)));
    }
    if Bounces::of(&call.parts.headers, call.login.clock.now_seconds()).is_loop() {
        return Ok(call.page(&Stop {
            app: AppLabel {
                name: &call.organization().name,
                host: call.auth().host().as_str(),
            },
            again: HOME,
        }));
    }
    let mut providers: Vec<_> = call.snapshot.providers.values().cloned().collect();
    providers.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
    let Some(provider) = chosen(call, &providers)? else {
        let last = session.map(|session| session.provider());
        return Ok(chooser(call, &providers, another_account, last));
    };
    let leaving = Leaving {
        prompt: another_account.then_some(Prompt::SelectAccount),
        ..Leaving::new(provider, LoginPurpose::Launcher)
    };
    leave(call, leaving).await
}

fn chosen<'p>(
    call: &Call<'_>,
    providers: &'p [Arc<IdentityProvider>],
) -> Result<Option<&'p Arc<IdentityProvider>>, Why> {
    if let Some(picked) = call.query.value("idp") {
        let picked = providers
            .iter()
            .find(|provider| provider.id.to_string() == picked);
        return picked.map(Some).ok_or(Why::NoProvider);
    }
    match providers {
        [] => Err(Why::NoProvider),
        [only] => Ok(Some(only)),
        _ => Ok(None),
    }
}

fn chooser(
    call: &Call<'_>,
    providers: &[Arc<IdentityProvider>],
    another_account: bool,
    last: Option<IdpId>,
) -> Answer {
    let prompt = if another_account {
        "&prompt=select_account"
    } else {
        ""
    };
    let links: Vec<String> = providers
        .iter()
        .map(|provider| format!("{PATH}?idp={}{prompt}", provider.id))
        .collect();
    let choices: Vec<Choice<'_>> = providers
        .iter()
        .zip(&links)
        .map(|(provider, href)| Choice {
            name: &provider.name,
            href,
            last_used: last == Some(provider.id),
        })
        .collect();
    call.page(&Chooser {
        app: None,
        choices: &choices,
        path_dropped: false,
    })
}

/// To the launcher, once signed in: by redirect, or by the page that gives the fragment back.
pub(in crate::login) fn arrive(call: &Call<'_>, state: &LoginState) -> Answer {
    let next = call.auth().address(HOME);
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
