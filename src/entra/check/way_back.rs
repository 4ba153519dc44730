//! Whether the redirect address is registered.
//!
//! Microsoft tells nobody but the person in front of its page that it is not (AADSTS50011), and the person is stuck
//! there. So the page is asked for first, silently (`prompt=none`): a registered address is answered with a redirect to
//! it that says that nobody is signed in.

use http::Request;
use http::header::{ACCEPT, LOCATION};
use url::Url;

use super::refusal;
use crate::crypto::random;
use crate::entra::RelyingParty;
use crate::entra::aadsts::AadstsAnswer;
use crate::entra::class::Class;
use crate::entra::errors::EntraError;
use crate::entra::relying_party::pkce;
use crate::entra::signed_in::AuthorizationRequest;
use crate::model::check::{Check, CheckState, Step};
use crate::model::idp::{IdentityProvider, Prompt};

/// Largest page that is read. Microsoft's has about 200 kB.
const MAX_PAGE: usize = 1024 * 1024;
/// Not registered at all, or not for this kind of client.
const NOT_REGISTERED: [u32; 3] = [50_011, 500_113, 900_971];

/// How the redirect address is known to be registered.
#[derive(Debug, Clone)]
pub enum WayBack<'a> {
    /// It is not known: Microsoft's page is asked.
    Ask(&'a Url),
    /// The browser came back to it.
    Taken(&'a Url),
    /// It was asked for before: this came of it.
    Found(Check),
}

impl WayBack<'_> {
    /// What is known without asking anybody.
    pub(super) fn without_asking(self) -> Check {
        match self {
            Self::Taken(address) => good(address),
            Self::Found(check) => check,
            Self::Ask(_) => Check::new(
                Step::RedirectAddress,
                CheckState::Unknown,
                "cannot be asked for as long as the directory does not answer",
            )
            .mend("Mend the line about the directory first, and test again."),
        }
    }
}

impl RelyingParty {
    /// Whether Microsoft sends people back to us.
    pub async fn check_way_back(&self, provider: &IdentityProvider, way_back: WayBack<'_>) -> Check {
        let WayBack::Ask(address) = way_back else {
            return way_back.without_asking();
        };
        let unknown = |found: String| {
            Check::new(Step::RedirectAddress, CheckState::Unknown, found).mend(format!(
                "Test with a sign-in. If Microsoft's page says AADSTS50011, register {address}."
            ))
        };
        let request = AuthorizationRequest {
            redirect_uri: address.clone(),
            state: random::alphanumeric(32),
            nonce: random::alphanumeric(32),
            pkce_challenge: provider.entra.pkce_enabled.then(|| pkce().1),
            prompt: Some(Prompt::None),
            interactive: false,
            login_hint: None,
            claims_challenge: None,
        };
        let page = match self.authorization(provider, &request).await {
            Ok(page) => page,
            Err(error) => return unknown(error.to_string()),
        };
        let request = Request::get(page.as_str())
            .header(ACCEPT, "text/html")
            .body(Vec::new());
        let Ok(request) = request else {
            return unknown("Microsoft's page has no address that can be asked for".to_owned());
        };
        let answer = match self.outbound.send(request, MAX_PAGE).await {
            Ok(answer) => answer,
            Err(failed) => return unknown(format!("Microsoft's page: {failed}")),
        };
        let location = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        if let Some(query) = location.and_then(|to| to.strip_prefix(address.as_str())?.strip_prefix('?')) {
            let query = query.split('#').next().unwrap_or_default();
            return good(address).details(
                AadstsAnswer::from_callback(query)
                    .as_ref()
                    .and_then(beyond_silence),
            );
        }
        match AadstsAnswer::from_page(&String::from_utf8_lossy(answer.body())) {
            Some(said) if said.code.is_some_and(|code| NOT_REGISTERED.contains(&code)) => {
                not_registered(address, &said)
            }
            Some(said) if said.class == Class::Config => {
                refusal::line(Step::RedirectAddress, &EntraError::Refused(Box::new(said)))
            }
            _ => unknown("Microsoft's page does not tell without a sign-in".to_owned()),
        }
    }
}

fn good(address: &Url) -> Check {
    let found = format!("Microsoft sends people back to {address}");
    Check::new(Step::RedirectAddress, CheckState::Good, found)
}

fn not_registered(address: &Url, said: &AadstsAnswer) -> Check {
    let found = format!("{said}: {address} is not registered, and people are stuck on Microsoft's page");
    Check::new(Step::RedirectAddress, CheckState::Bad, found).mend(format!(
        "Entra, App registrations, Authentication, platform Web: add the redirect URI {address}, exactly so."
    ))
}

/// What Microsoft says besides that nobody is signed in.
fn beyond_silence(said: &AadstsAnswer) -> Option<String> {
    let expected = matches!(said.class, Class::Interactive | Class::UserAction);
    (!expected).then(|| {
        format!(
            "Microsoft adds {said}: {}",
            said.operator_text().unwrap_or_default()
        )
    })
}
