//! `/Users`.

use http::StatusCode;

use super::call::{About, Call, Done, shown};
use super::error::ScimError;
use super::filter::Filter;
use super::page::Page;
use super::patch::Patch;
use super::resource::{self, shown_user};
use super::schema;
use crate::model::ids::ScimUserId;
use crate::model::scim::UserRecord;
use crate::store::{ScimKey, ScimUser, UserWritten};

pub(super) async fn list(call: &Call<'_>) -> Result<Done, ScimError> {
    let (page, wanted) = (Page::parse(&call.query)?, call.query.wanted()?);
    let filter = call.query.filter()?;
    let (found, total) = match &filter {
        None => every(call, page).await?,
        Some(filter) => match key(filter) {
            Some(key) => {
                let found = call.scim.store.scim_users_with(call.provider.id, key).await;
                let mut chosen = Chosen::new(filter, page, call);
                found
                    .map_err(|error| call.failed(error))?
                    .into_iter()
                    .for_each(|user| chosen.take(user));
                (chosen.found, chosen.total)
            }
            None => scan(call, filter, page).await?,
        },
    };
    let found = found
        .iter()
        .map(|user| shown(shown_user(user, &call.base), &wanted));
    let found: Vec<_> = found.collect();
    Ok(Done::found(schema::list(&found, total, page.start)))
}

pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let wanted = call.query.wanted()?;
    let found = call.scim.store.scim_user(call.provider.id, parsed(id)?).await;
    let user = found
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| nobody(id))?;
    let body = shown(shown_user(&user, &call.base), &wanted);
    Ok(Done::new(StatusCode::OK, body, about(&user)))
}

pub(super) async fn create(call: &Call<'_>) -> Result<Done, ScimError> {
    let record = resource::user(&call.json()?, None)?;
    let written = call
        .scim
        .store
        .insert_scim_user(call.provider.id, &record, &call.rules())
        .await;
    let written = written.map_err(|error| call.failed(error))?;
    let location = format!("{}/Users/{}", call.base, written.user.id);
    Ok(Done {
        location: Some(location),
        ..told(call, written, StatusCode::CREATED).await?
    })
}

pub(super) async fn patch(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let patch = Patch::parse(&call.json()?)?;
    update(call, id, &|before| patch.apply_to_user(before)).await
}

pub(super) async fn put(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let body = call.json()?;
    update(call, id, &|before| resource::user(&body, Some(before))).await
}

pub(super) async fn delete(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let deleted = call
        .scim
        .store
        .delete_scim_user(call.provider.id, parsed(id)?, &call.rules())
        .await;
    let written = deleted
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| nobody(id))?;
    let about = About {
        effect: call.take_effect(written.consequences).await,
        ..about(&written.user)
    };
    Ok(Done::new(StatusCode::NO_CONTENT, None, about))
}

async fn update(
    call: &Call<'_>,
    id: &str,
    change: &(dyn Fn(&UserRecord) -> Result<UserRecord, ScimError> + Sync),
) -> Result<Done, ScimError> {
    let updated = call
        .scim
        .store
        .update_scim_user(call.provider.id, parsed(id)?, change, &call.rules())
        .await;
    let written = updated
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| nobody(id))??;
    told(call, written, StatusCode::OK).await
}

async fn told(call: &Call<'_>, written: UserWritten, status: StatusCode) -> Result<Done, ScimError> {
    let body = shown(shown_user(&written.user, &call.base), &call.query.wanted()?);
    let about = About {
        effect: call.take_effect(written.consequences).await,
        ..about(&written.user)
    };
    Ok(Done::new(status, body, about))
}

fn about(user: &ScimUser) -> About {
    let record = &user.record;
    About {
        resource: Some(user.id.to_string()),
        external_id: record.external_id().map(str::to_owned),
        user_email: Some(record.work_email().unwrap_or(record.user_name()).to_owned()),
        ..About::default()
    }
}

/// Ids are ours; what is none names nobody.
fn parsed(id: &str) -> Result<ScimUserId, ScimError> {
    id.parse().map_err(|_| nobody(id))
}

fn nobody(id: &str) -> ScimError {
    ScimError::NotFound(format!("there is no user {id}"))
}

/// Everybody, without a filter.
async fn every(call: &Call<'_>, page: Page) -> Result<(Vec<ScimUser>, usize), ScimError> {
    let (store, provider) = (&call.scim.store, call.provider.id);
    let total = store
        .count_scim_users(provider)
        .await
        .map_err(|error| call.failed(error))?;
    if page.count == 0 {
        return Ok((Vec::new(), total));
    }
    let found = store.scim_users_page(provider, page.offset(), page.count).await;
    Ok((found.map_err(|error| call.failed(error))?, total))
}

/// What has an index and must be so, if the filter says such a thing: the rarest first.
fn key(filter: &Filter) -> Option<ScimKey<'_>> {
    let demanded = |name: &str| filter.conjuncts().iter().find_map(|part| part.demands(name));
    None.or_else(|| demanded("id").map(ScimKey::Id))
        .or_else(|| demanded(schema::USER_NAME).map(ScimKey::Name))
        .or_else(|| demanded(schema::EXTERNAL_ID).map(ScimKey::ExternalId))
        .or_else(|| demanded("emails").map(ScimKey::Email))
}

/// Who is as a filter says, as far as they are on the page.
struct Chosen<'f> {
    filter: &'f Filter,
    page: Page,
    base: &'f str,
    found: Vec<ScimUser>,
    total: usize,
}

impl<'f> Chosen<'f> {
    fn new(filter: &'f Filter, page: Page, call: &'f Call<'_>) -> Self {
        Self {
            filter,
            page,
            base: &call.base,
            found: Vec::new(),
            total: 0,
        }
    }

    fn take(&mut self, user: ScimUser) {
        if self.filter.matches(&shown_user(&user, self.base)) {
            if self.page.holds(self.total) {
                self.found.push(user);
            }
            self.total += 1;
        }
    }
}

/// Looks at everybody, some at a time. Entra asks for nothing that needs it.
async fn scan(call: &Call<'_>, filter: &Filter, page: Page) -> Result<(Vec<ScimUser>, usize), ScimError> {
    let _place = call
        .scim
        .scans
        .acquire()
        .await
        .map_err(|_| ScimError::Unavailable)?;
    let mut chosen = Chosen::new(filter, page, call);
    let mut last: Option<ScimUser> = None;
    loop {
        let some = call
            .scim
            .store
            .scim_users_after(call.provider.id, last.as_ref())
            .await;
        let some = some.map_err(|error| call.failed(error))?;
        let Some(end) = some.last() else {
            return Ok((chosen.found, chosen.total));
        };
        last = Some(end.clone());
        for user in some {
            chosen.take(user);
        }
        tokio::task::yield_now().await;
    }
}
