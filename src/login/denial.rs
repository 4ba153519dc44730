//! What somebody gets who is refused, where the operator has something else to say than our own page: an address to be
//! sent to, else a page, each for those who are refused for who they are and for those who are refused for where the
//! request comes from.

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::answer::redirect;
use crate::pages::person::{Accept, custom_page};
use crate::policy::Failing;
use crate::snapshot::ProtectedApplication;

/// The parameter that tells the operator's page what was asked for, as Access names it.
const ORIGINAL: &str = "original_url";

/// A request that is refused.
pub(super) struct Denied<'a> {
    pub(super) application: &'a ProtectedApplication,
    pub(super) headers: &'a HeaderMap,
    /// The whole address that was asked for.
    pub(super) asked: &'a str,
    pub(super) failing: Failing,
    pub(super) request_id: &'a str,
}

impl Denied<'_> {
    /// The operator's own answer; `None` where ours is to be given.
    pub(super) fn answer(&self) -> Option<Response<Bytes>> {
        if form(self.headers) == Accept::Json {
            return None;
        }
        let (app, pages) = (&self.application.app, &self.application.pages);
        let (address, page) = match self.failing {
            Failing::Person => (&app.custom_deny_url, &pages.identity_denied),
            Failing::Request => (&app.custom_non_identity_deny_url, &pages.forbidden),
        };
        if let Some(address) = address
            && !self.was_sent_on_already()
        {
            let mut next = address.url().clone();
            next.query_pairs_mut().append_pair(ORIGINAL, self.asked);
            return Some(redirect(next.as_str()));
        }
        let page = page.as_ref()?;
        Some(custom_page(&page.html, self.request_id))
    }

    /// Whether the address asked for is one that somebody was sent to after a refusal. Where the operator's page is itself
    /// behind a login that refuses, sending on would go round for ever.
    fn was_sent_on_already(&self) -> bool {
        let query = self.asked.split_once('?').map_or("", |(_, query)| query);
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(ORIGINAL))
    }
}

/// Whether a refusal is a page or JSON. A script has no use for a page, whatever its `Accept` says.
pub(super) fn form(headers: &HeaderMap) -> Accept {
    let is = |name: &str, value: &str| {
        let sent = headers.get(name);
        sent.is_some_and(|sent| sent.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    if is("x-requested-with", "xmlhttprequest")
        || is("sec-fetch-mode", "cors")
        || is("sec-fetch-mode", "no-cors")
    {
        Accept::Json
    } else {
        Accept::of(headers)
    }
}
