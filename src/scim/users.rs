//! `/Users`.

use http::StatusCode;
use serde_json::{Map, Value};

use super::asked::Asked;
use super::call::{About, Call, Done, shown};
use super::error::ScimError;
use super::filter::Filter;
use super::list::{self, Listed, demanded};
use super::page::Page;
use super::patch::Patch;
use super::resource::{self, Wanted, shown_user};
use super::schema;
use crate::model::ids::ScimUserId;
use crate::model::scim::UserRecord;
use crate::store::{ScimKey, ScimUser, UserWritten};

impl Listed for ScimUser {
    fn key(filter: &Filter) -> Option<ScimKey<'_>> {
        None.or_else(|| demanded(filter, "id").map(ScimKey::Id))
            .or_else(|| demanded(filter, schema::USER_NAME).map(ScimKey::Name))
            .or_else(|| demanded(filter, schema::EXTERNAL_ID).map(ScimKey::ExternalId))
            .or_else(|| demanded(filter, "emails").map(ScimKey::Email))
    }

    async fn seen(&self, call: &Call<'_>, _: &mut Asked<'_>) -> Result<Map<String, Value>, ScimError> {
        Ok(shown_user(self, &call.base))
    }
}

pub(super) async fn list(call: &Call<'_>) -> Result<Done, ScimError> {
    let (page, wanted) = (Page::parse(&call.query)?, call.query.wanted()?);
    let found = list::find::<ScimUser>(call, page).await?;
    let of_page = found.resources.iter();
    let shown: Vec<String> = of_page
        .map(|user| shown(shown_user(user, &call.base), &wanted))
        .collect();
    Ok(Done::found(schema::list(&shown, found.total, page.start)))
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
    let (record, wanted) = (resource::user(&call.json()?, None)?, call.query.wanted()?);
    let written = call
        .scim
        .store
        .insert_scim_user(call.provider.id, &record, call)
        .await;
    let written = written.map_err(|error| call.failed(error))?;
    let location = format!("{}/Users/{}", call.base, written.user.id);
    Ok(Done {
        location: Some(location),
        ..told(call, written, &wanted, StatusCode::CREATED)
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
        .delete_scim_user(call.provider.id, parsed(id)?, call)
        .await;
    let written = deleted
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| nobody(id))?;
    call.take_effect(written.consequences);
    Ok(Done::new(StatusCode::NO_CONTENT, None, about(&written.user)))
}

async fn update(
    call: &Call<'_>,
    id: &str,
    change: &(dyn Fn(&UserRecord) -> Result<UserRecord, ScimError> + Sync),
) -> Result<Done, ScimError> {
    let wanted = call.query.wanted()?;
    let updated = call
        .scim
        .store
        .update_scim_user(call.provider.id, parsed(id)?, change, call)
        .await;
    let written = updated
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| nobody(id))??;
    Ok(told(call, written, &wanted, StatusCode::OK))
}

/// What was written takes effect and is answered: nothing can be refused any more.
fn told(call: &Call<'_>, written: UserWritten, wanted: &Wanted, status: StatusCode) -> Done {
    call.take_effect(written.consequences);
    let body = shown(shown_user(&written.user, &call.base), wanted);
    Done::new(status, body, about(&written.user))
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
