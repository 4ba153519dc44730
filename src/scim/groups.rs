//! `/Groups`.

use http::StatusCode;
use serde_json::{Map, Value};

use super::asked::{Asked, MOST_READ};
use super::attribute::member;
use super::call::{About, Call, Done, shown};
use super::error::ScimError;
use super::filter::Filter;
use super::list::{self, Listed, demanded};
use super::members::{self, Room};
use super::page::Page;
use super::patch::{Patch, member_ids};
use super::resource::{self, Wanted, shown_group, shown_member};
use super::schema::{self, MEMBERS};
use crate::model::ids::{ScimGroupId, ScimUserId};
use crate::model::scim::GroupRecord;
use crate::store::{GroupWritten, Membership, ScimGroup, ScimKey};

impl Listed for ScimGroup {
    fn key(filter: &Filter) -> Option<ScimKey<'_>> {
        None.or_else(|| demanded(filter, "id").map(ScimKey::Id))
            .or_else(|| demanded(filter, schema::DISPLAY_NAME).map(ScimKey::Name))
            .or_else(|| demanded(filter, schema::EXTERNAL_ID).map(ScimKey::ExternalId))
            .or_else(|| demanded(filter, MEMBERS).map(ScimKey::Member))
    }

    async fn seen(&self, call: &Call<'_>, asked: &mut Asked<'_>) -> Result<Map<String, Value>, ScimError> {
        let store = &call.scim.store;
        let mut members: Vec<(ScimUserId, String)> = Vec::new();
        if asked.members > 0 {
            let read = store.scim_members(self.id, None, asked.members.min(asked.left + 1));
            members = read.await.map_err(|error| call.failed(error))?;
            let Some(left) = asked.left.checked_sub(members.len()) else {
                return Err(ScimError::TooMany(format!(
                    "more than {MOST_READ} members had to be read: ask for fewer groups, or for members by value"
                )));
            };
            asked.left = left;
        }
        for person in &asked.people {
            let Ok(id) = person.parse::<ScimUserId>() else {
                continue;
            };
            let is_in = store.is_scim_member(self.id, person).await;
            if is_in.map_err(|error| call.failed(error))? && !members.iter().any(|(known, _)| *known == id) {
                members.push((id, String::new()));
            }
        }
        let members = members
            .iter()
            .map(|(id, name)| shown_member(*id, name, &call.base));
        let mut seen = shown_group(self, &call.base);
        seen.insert(MEMBERS.to_owned(), members.collect());
        Ok(seen)
    }
}

pub(super) async fn list(call: &Call<'_>) -> Result<Done, ScimError> {
    let (page, wanted) = (Page::parse(&call.query)?, call.query.wanted()?);
    let found = list::find::<ScimGroup>(call, page).await?;
    let mut room = Room::default();
    let mut shown = Vec::with_capacity(found.resources.len());
    for group in &found.resources {
        match room.take(call, group, &wanted).await? {
            Some(text) => shown.push(text),
            None if shown.is_empty() => return Err(members::too_many(group)),
            // The page ends before it, as pages may: the client asks for the rest (RFC 7644 §3.4.2.4).
            None => break,
        }
    }
    Ok(Done::found(schema::list(&shown, found.total, page.start)))
}

pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let wanted = call.query.wanted()?;
    let found = call.scim.store.scim_group(call.provider.id, parsed(id)?).await;
    let group = found
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| none(id))?;
    let shown = Room::default().take(call, &group, &wanted).await?;
    let shown = shown.ok_or_else(|| members::too_many(&group))?;
    Ok(Done::new(StatusCode::OK, shown, about(&group)))
}

pub(super) async fn create(call: &Call<'_>) -> Result<Done, ScimError> {
    let body = call.json()?;
    let (record, wanted) = (resource::group(&body)?, call.query.wanted()?);
    let members = sent_members(&body)?.unwrap_or_default();
    let written = call
        .scim
        .store
        .insert_scim_group(call.provider.id, &record, &members, call)
        .await;
    let written = written.map_err(|error| call.failed(error))?;
    let location = format!("{}/Groups/{}", call.base, written.group.id);
    Ok(Done {
        location: Some(location),
        ..whole(call, written, &wanted, StatusCode::CREATED).await
    })
}

/// Answers 204: the list of members may be long, and Entra does not look at it.
pub(super) async fn patch(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let patch = Patch::parse(&call.json()?)?;
    let change = |before: &GroupRecord| patch.apply_to_group(before);
    let written = update(call, id, &change).await?;
    Ok(Done::new(StatusCode::NO_CONTENT, None, told(call, written)))
}

pub(super) async fn put(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let (body, wanted) = (call.json()?, call.query.wanted()?);
    let change = |_: &GroupRecord| {
        let record = resource::group(&body)?;
        // Silence about members empties no group.
        let members = sent_members(&body)?.map(Membership::Replace);
        Ok((record, members.into_iter().collect()))
    };
    let written = update(call, id, &change).await?;
    Ok(whole(call, written, &wanted, StatusCode::OK).await)
}

pub(super) async fn delete(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let effects = &call.scim.effects;
    let deleted = effects
        .delete_group(call.provider.id, parsed(id)?, call, call.request_id)
        .await;
    let deleted = deleted
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| none(id))?;
    Ok(Done::new(StatusCode::NO_CONTENT, None, about(&deleted.group)))
}

type Changed = Result<(GroupRecord, Vec<Membership>), ScimError>;

async fn update(
    call: &Call<'_>,
    id: &str,
    change: &(dyn Fn(&GroupRecord) -> Changed + Sync),
) -> Result<GroupWritten, ScimError> {
    let updated = call
        .scim
        .store
        .update_scim_group(call.provider.id, parsed(id)?, change, call)
        .await;
    updated
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| none(id))?
}

fn told(call: &Call<'_>, mut written: GroupWritten) -> About {
    let effects = &call.scim.effects;
    effects.take_effect_of_group(call.provider.id, call.request_id, &mut written);
    about(&written.group)
}

fn about(group: &ScimGroup) -> About {
    About {
        resource: Some(group.id.to_string()),
        external_id: group.record.external_id.clone(),
        group_name: Some(group.record.display_name.clone()),
        ..About::default()
    }
}

fn parsed(id: &str) -> Result<ScimGroupId, ScimError> {
    id.parse().map_err(|_| none(id))
}

fn none(id: &str) -> ScimError {
    ScimError::NotFound(format!("there is no group {id}"))
}

/// The members that a group is sent with; `None` where nothing is said of them.
fn sent_members(body: &Value) -> Result<Option<Vec<ScimUserId>>, ScimError> {
    let members = body.as_object().and_then(|body| member(body, MEMBERS));
    members
        .filter(|members| !members.is_null())
        .map(member_ids)
        .transpose()
}

/// A group that was just written takes effect and is answered. It stands, so members for which there is no room, or that
/// cannot be read now, are left out: who is told of a failure writes again, and is told of a conflict.
async fn whole(call: &Call<'_>, written: GroupWritten, wanted: &Wanted, status: StatusCode) -> Done {
    let group = written.group.clone();
    let about = told(call, written);
    let whole = Room::default().take(call, &group, wanted).await;
    let body = match whole {
        Ok(Some(whole)) => whole,
        Ok(None) | Err(_) => shown(shown_group(&group, &call.base), wanted),
    };
    Done::new(status, body, about)
}
