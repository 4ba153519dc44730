//! Lists of people and of groups: what a filter chooses, and which part of it is on the page.

use std::future::Future;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::SemaphorePermit;

use super::asked::Asked;
use super::call::Call;
use super::error::ScimError;
use super::filter::{Filter, Work};
use super::page::Page;
use crate::store::{ScimKey, ScimResource, ScimSearch};

/// The longest that everybody is looked at. 200,000 people take some seconds; whoever asks gives up sooner or later.
const LONGEST_SCAN: Duration = Duration::from_secs(20);
/// How much a request compares at most, in bytes: what filters of one comparison need for some hundred thousand people.
const MOST_WORK: usize = 64 * 1024 * 1024;
/// What is compared before the thread does what else there is to do: some milliseconds.
const WORK_AT_ONCE: usize = 256 * 1024;
/// The longest wait for a place.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A kind of resource that is listed.
pub(super) trait Listed: ScimResource {
    /// What has an index and must be so, if the filter says such a thing: the rarest first.
    fn key(filter: &Filter) -> Option<ScimKey<'_>>;

    /// The resource as filters see it, with as much of its members as this one asks for.
    fn seen(
        &self,
        call: &Call<'_>,
        asked: &mut Asked<'_>,
    ) -> impl Future<Output = Result<Map<String, Value>, ScimError>> + Send;
}

/// What a list holds.
pub(super) struct Found<R> {
    /// Those on the page.
    pub(super) resources: Vec<R>,
    /// How many there are on all pages.
    pub(super) total: usize,
}

/// The text that an attribute must equal by a filter, if it says such a thing.
pub(super) fn demanded<'f>(filter: &'f Filter, name: &str) -> Option<&'f str> {
    filter.conjuncts().iter().find_map(|part| part.demands(name))
}

/// Finds what the query asks for.
pub(super) async fn find<R: Listed>(call: &Call<'_>, page: Page) -> Result<Found<R>, ScimError> {
    let Some(filter) = call.query.filter()? else {
        return every(call, page).await;
    };
    let mut chosen = Chosen {
        call,
        filter: &filter,
        asked: Asked::by(&filter),
        work: Work::of(MOST_WORK),
        page,
        found: Found {
            resources: Vec::new(),
            total: 0,
        },
    };
    let chosen_from = async {
        match R::key(&filter) {
            Some(key) => {
                let found = call.scim.store.scim_with(call.provider.id, key).await;
                chosen.take(found.map_err(|error| call.failed(error))?).await
            }
            None => scan(call, &mut chosen).await,
        }
    };
    match tokio::time::timeout(LONGEST_SCAN, chosen_from).await {
        Ok(done) => done?,
        Err(_) => return Err(too_long()),
    }
    Ok(chosen.found)
}

fn too_long() -> ScimError {
    ScimError::TooMany("the filter takes too long; ask for an id, a name or an externalId with eq".to_owned())
}

/// All there are, without a filter.
async fn every<R: Listed>(call: &Call<'_>, page: Page) -> Result<Found<R>, ScimError> {
    let (store, provider) = (&call.scim.store, call.provider.id);
    let total = store.count_scim::<R>(provider).await;
    let total = total.map_err(|error| call.failed(error))?;
    if page.count == 0 {
        let resources = Vec::new();
        return Ok(Found { resources, total });
    }
    let all = ScimSearch::default();
    let resources = store.scim_list(provider, &all, page.offset(), page.count).await;
    let resources = resources.map_err(|error| call.failed(error))?;
    Ok(Found { resources, total })
}

/// Which are as a filter says, as far as they are on the page.
struct Chosen<'f, R> {
    call: &'f Call<'f>,
    filter: &'f Filter,
    asked: Asked<'f>,
    work: Work,
    page: Page,
    found: Found<R>,
}

impl<R: Listed> Chosen<'_, R> {
    async fn take(&mut self, some: Vec<R>) -> Result<(), ScimError> {
        let mut rested = self.work.left();
        for one in some {
            let seen = one.seen(self.call, &mut self.asked).await?;
            let fits = self.filter.matches(&seen, &mut self.work);
            if self.work.is_spent() {
                return Err(too_long());
            }
            if rested - self.work.left() > WORK_AT_ONCE {
                tokio::task::yield_now().await;
                rested = self.work.left();
            }
            if fits {
                if self.page.holds(self.found.total) {
                    self.found.resources.push(one);
                }
                self.found.total += 1;
            }
        }
        Ok(())
    }
}

/// Looks at everybody, some at a time. Entra asks for nothing that needs it.
async fn scan<R: Listed>(call: &Call<'_>, chosen: &mut Chosen<'_, R>) -> Result<(), ScimError> {
    let _place = place(call).await?;
    let mut behind = None;
    loop {
        let some = call.scim.store.scim_after::<R>(call.provider.id, behind).await;
        let some = some.map_err(|error| call.failed(error))?;
        behind = some.last().map(R::place);
        if behind.is_none() {
            return Ok(());
        }
        chosen.take(some).await?;
        // What else this thread has to do does not wait for the whole.
        tokio::task::yield_now().await;
    }
}

/// Waits for one of the few places for what takes long.
pub(super) async fn place<'c>(call: &Call<'c>) -> Result<SemaphorePermit<'c>, ScimError> {
    match tokio::time::timeout(LONGEST_WAIT, call.scim.long.acquire()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(ScimError::Busy),
    }
}
