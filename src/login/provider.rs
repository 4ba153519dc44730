//! Which identity provider a person signs in with: the one picked on the chooser page, the only one, or that page.

use std::sync::Arc;

use super::answer::{Answer, set_cookie};
use super::call::Call;
use super::failure::{Ended, Why};
use super::leave::{Leaving, bound, browser, leave};
use super::state::LoginPurpose;
use crate::model::idp::{IdentityProvider, Prompt};
use crate::model::ids::IdpId;
use crate::pages::person::{AppLabel, Choice, Chooser};

/// What an address of the login chain says for a sign-in as somebody else.
pub(super) const ANOTHER_ACCOUNT: &str = "&prompt=select_account";

/// Whether the person wants to sign in as somebody else.
pub(super) fn wants_another_account(call: &Call<'_>) -> bool {
    call.query.value("prompt") == Some("select_account")
}

/// A sign-in whose provider is to be found.
pub(super) struct Choosing<'a> {
    /// What is about to be opened; `None` for the auth host's own pages.
    pub(super) app: Option<AppLabel<'a>>,
    /// The providers that count, in the order in which they are shown.
    pub(super) providers: &'a [Arc<IdentityProvider>],
    /// Whether a choice of one is no choice.
    pub(super) straight_on: bool,
    /// The provider of this browser's last sign-in.
    pub(super) last: Option<IdpId>,
    /// What the sign-in is for.
    pub(super) purpose: LoginPurpose,
}

impl<'a> Choosing<'a> {
    /// Goes to the provider, or shows the page to choose. `address` makes the address of a choice, given what it has to
    /// end in.
    pub(super) async fn go(self, call: &Call<'_>, address: impl Fn(&str) -> String) -> Result<Answer, Ended> {
        let another_account = wants_another_account(call);
        let Some(provider) = self.chosen(call)? else {
            return Ok(self.page(call, another_account, address));
        };
        let leaving = Leaving {
            prompt: another_account.then_some(Prompt::SelectAccount),
            ..Leaving::new(provider, self.purpose)
        };
        leave(call, leaving).await
    }

    fn chosen(&self, call: &Call<'_>) -> Result<Option<&'a Arc<IdentityProvider>>, Why> {
        if let Some(picked) = call.query.value("idp") {
            let mut known = self.providers.iter();
            let picked = known.find(|provider| provider.id.to_string() == picked);
            return picked.map(Some).ok_or(Why::NoProvider);
        }
        match self.providers {
            [] => Err(Why::NoProvider),
            [only] if self.straight_on => Ok(Some(only)),
            _ => Ok(None),
        }
    }

    fn page(&self, call: &Call<'_>, another_account: bool, address: impl Fn(&str) -> String) -> Answer {
        let prompt = if another_account { ANOTHER_ACCOUNT } else { "" };
        let links: Vec<String> = self
            .providers
            .iter()
            .map(|provider| address(&format!("idp={}{prompt}", provider.id)))
            .collect();
        let choices: Vec<Choice<'_>> = self
            .providers
            .iter()
            .zip(&links)
            .map(|(provider, href)| Choice {
                name: &provider.name,
                href,
                last_used: self.last == Some(provider.id),
            })
            .collect();
        let mut answer = call.page(&Chooser {
            app: self.app,
            choices: &choices,
        });
        // Whoever comes back to a page that has grown too old shows by it that cookies are kept.
        set_cookie(&mut answer, bound(call, &browser(call)));
        answer
    }
}
