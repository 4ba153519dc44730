//! Following a list of changes, page by page. Nobody waits in front of it, so it has more patience than a login, and
//! bounds of its own.

use std::time::Duration;

use http::Method;

use super::{Graph, Patience};
use crate::entra::delta::page::{Entry, Next, Page};
use crate::entra::delta::{DeltaFailed, List, Round};
use crate::entra::discovery::base;

/// Most pages of a round.
const MAX_PAGES: usize = 20_000;
/// Largest page, in bytes: Graph lists up to some thousand members of a group at once, a hundred bytes each.
const MAX_PAGE: usize = 8 * 1024 * 1024;
/// Most of what a round may tell, each person, group and membership counted as one: some three hundred bytes each in
/// memory.
const MAX_WEIGHT: usize = 1_000_000;

/// Patience of a background job with each page. Graph asks to wait for minutes where a tenant is throttled
/// (<https://learn.microsoft.com/graph/throttling>). How long a whole list may take is the caller's to say.
const PATIENCE: Patience = Patience {
    wait: Duration::from_mins(10),
    retries: 20,
    unanswered: 5,
};

impl Graph<'_> {
    /// The same with the patience of a background job.
    pub(in crate::entra) fn patient(self) -> Self {
        Self {
            patience: PATIENCE,
            ..self
        }
    }

    /// What changed since a round ended with this link, to the end; everything without one.
    pub(in crate::entra) async fn changes<T: Entry>(
        &mut self,
        list: &List,
        link: Option<&str>,
    ) -> Result<Round<T>, DeltaFailed> {
        let mut address = match link {
            Some(link) => self.on_graph(link).map_err(|failed| list.failed(failed))?,
            None => format!("{}{}", base(self.address), list.address),
        };
        let mut entries = Vec::new();
        let mut weight = 0_usize;
        for _ in 0..MAX_PAGES {
            let body = self
                .ask_whole(list.operation, Method::GET, &address, None, MAX_PAGE)
                .await
                .map_err(|failed| list.failed(failed))?;
            // A large directory is throttled again and again on the way, which is no reason to give up.
            (self.waited, self.retries) = (Duration::ZERO, 0);
            let page: Page<T> = Page::read(&body)?;
            weight = page
                .entries
                .iter()
                .fold(weight, |weight, entry| weight.saturating_add(entry.weight()));
            if weight > MAX_WEIGHT {
                return Err(DeltaFailed::TooMuch("a million entries"));
            }
            entries.extend(page.entries);
            match page.next {
                Next::Page(next) => {
                    address = self.on_graph(&next).map_err(|failed| list.failed(failed))?;
                }
                Next::Done(link) => {
                    let link = self.on_graph(&link).map_err(|failed| list.failed(failed))?;
                    return Ok(Round { entries, link });
                }
            }
        }
        Err(DeltaFailed::TooMuch("20,000 pages"))
    }
}
