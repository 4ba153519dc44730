//! Testing a provider: `GET auth/cdn-cgi/access/test-idp/<id>?token=…`, a sign-in like any other up to the callback, and
//! a checklist in the place of a session.
//!
//! Nothing comes of it but the page and a line of the log: no session, no user, no row among the logins. The cookie that
//! binds the test to the browser goes at its end, and ends with the test's ten minutes where nobody comes back; one that
//! was there before stays as it is. [`callback`](super::callback) hands over to [`come_back`] before anything is done
//! that a login leaves behind, and nothing here reaches what makes sessions.

use std::sync::Arc;

use http::Method;
use url::Url;

use super::answer::{Answer, set_cookie};
use super::call::Call;
use super::callback::{again, code_from, is_its_browser, redeem};
use super::failure::{Ended, Why};
use super::leave::{Leaving, known_browser, leave};
use super::routes::not_found;
use super::state::{LIFE_SECONDS, LoginPurpose, LoginState};
use crate::entra::SignedIn;
use crate::entra::check::{self, WayBack};
use crate::entra::errors::{EntraError, read_callback_error};
use crate::manage::{TEST_PAGE, TestLinkRefused, open_test_link};
use crate::model::check::{Check, CheckState};
use crate::model::idp::IdentityProvider;
use crate::model::ids::IdpId;
use crate::pages::person::{TestIdp, TestedIdp};
use crate::session::cookies;

/// What the address says once the person has gone on.
const GO: &str = "go";

/// Shows what is about to happen, or, once the person has gone on, uses the link up and leaves for the provider.
///
/// Two steps: programs that look at links in messages open them, and would use them up. They also ask for the head of
/// what they find on the page: only GET goes on.
pub(super) async fn answer(call: &Call<'_>, id: &str) -> Result<Answer, Ended> {
    let Ok(id) = id.parse::<IdpId>() else {
        return Ok(not_found(call));
    };
    let login = call.login;
    let token = call.query.value("token").unwrap_or_default();
    let link = open_test_link(token, id, &login.sealer, &login.clock).map_err(Why::from)?;
    if login.store.was_spent(&link.spent_key).await.map_err(Why::from)? {
        return Err(Why::from(TestLinkRefused::Used).into());
    }
    let provider = call.snapshot.providers.get(&id).ok_or(Why::NoProvider)?;
    let way_back = call.auth().callback();
    if call.query.value(GO).is_none() || call.parts.method != Method::GET {
        let next = format!("{}&{GO}=1", address(call, id, token));
        return Ok(call.page(&TestIdp {
            provider: &provider.name,
            redirect_address: way_back.as_str(),
            next: &next,
        }));
    }
    if !login
        .store
        .spend(&link.spent_key, link.until_ms)
        .await
        .map_err(Why::from)?
    {
        return Err(Why::from(TestLinkRefused::Used).into());
    }
    go(call, provider, &way_back).await
}

/// Leaves for the provider, unless nobody would come back from there.
async fn go(call: &Call<'_>, provider: &Arc<IdentityProvider>, way_back: &Url) -> Result<Answer, Ended> {
    let relying_party = &call.login.relying_party;
    let back = relying_party
        .check_way_back(provider, WayBack::Ask(way_back))
        .await;
    if back.state == CheckState::Bad {
        let checks = relying_party.check_setup(provider, WayBack::Found(back)).await;
        return Ok(checklist(call, provider, &checks));
    }
    let purpose = LoginPurpose::Test {
        had_cookie: known_browser(call).is_some(),
    };
    match leave(call, Leaving::new(provider, purpose)).await {
        Err(Ended { why, .. }) if matches!(*why, Why::Entra(_)) => {
            // The directory does not answer; the checklist says so, and whatever else can be known.
            let checks = relying_party.check_setup(provider, WayBack::Found(back)).await;
            Ok(checklist(call, provider, &checks))
        }
        left => left,
    }
}

/// Takes what came back from the provider, and shows what it tells. `state` is sealed here, and this browser's.
pub(super) async fn come_back(
    call: &Call<'_>,
    state: &LoginState,
    provider: &Arc<IdentityProvider>,
) -> Result<Answer, Ended> {
    let until_ms = (state.issued + LIFE_SECONDS) * 1000;
    if !call.login.store.spend(&state.spent_key(), until_ms).await? {
        return Err(Why::StateUsed.into());
    }
    let relying_party = &call.login.relying_party;
    let signed_in = match come(call, state, provider).await? {
        Ok(signed_in) => Ok(signed_in),
        // What a person can mend by signing in with their own hands is tried once, as in any other login.
        Err(error) => match again(call, state, provider, &error) {
            Some(leaving) => return leave(call, leaving).await,
            None => Err(error),
        },
    };
    let way_back = WayBack::Taken(&state.redirect_uri);
    let mut checks = relying_party.check_setup(provider, way_back).await;
    checks.extend(match &signed_in {
        Ok(signed_in) => check::of_person(&provider.entra, signed_in),
        Err(error) => check::of_refusal(&provider.entra, error),
    });
    let mut answer = checklist(call, provider, &checks);
    if forgets_browser(call, state) {
        set_cookie(&mut answer, cookies::remove_session(call.auth()));
    }
    Ok(answer)
}

/// Whether this browser has its `CF_Session` from this test alone.
pub(super) fn forgets_browser(call: &Call<'_>, state: &LoginState) -> bool {
    let had_none = matches!(state.purpose, LoginPurpose::Test { had_cookie: false });
    had_none && is_its_browser(call, state)
}

/// The person, or why there is none.
async fn come(
    call: &Call<'_>,
    state: &LoginState,
    provider: &IdentityProvider,
) -> Result<Result<SignedIn, EntraError>, Ended> {
    if let Some(error) = call.parts.uri.query().and_then(read_callback_error) {
        return Ok(Err(error));
    }
    let code = code_from(call, provider)?;
    Ok(redeem(call, state, provider, code).await)
}

fn checklist(call: &Call<'_>, provider: &IdentityProvider, checks: &[Check]) -> Answer {
    let of = |state| checks.iter().filter(|check| check.state == state).count();
    tracing::info!(
        request.id = %call.request_id, provider.id = %provider.id,
        good = of(CheckState::Good), warning = of(CheckState::Warning),
        bad = of(CheckState::Bad), unknown = of(CheckState::Unknown),
        "A provider was tested"
    );
    call.page(&TestedIdp {
        provider: &provider.name,
        checks,
    })
}

fn address(call: &Call<'_>, id: IdpId, token: &str) -> String {
    // Sealed texts need no escaping in a query.
    call.auth().address(&format!("{TEST_PAGE}{id}?token={token}"))
}
