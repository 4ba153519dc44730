//! `/Groups`.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::attribute::{AttrPath, member};
use super::call::{About, Call, Done, shown};
use super::error::ScimError;
use super::filter::{Comparison, Filter, Literal};
use super::page::Page;
use super::patch::{MemberChange, Patch, member_ids};
use super::resource::{self, Wanted, shown_group};
use super::schema::{self, MEMBERS};
use crate::model::ids::{ScimGroupId, ScimUserId};
use crate::model::scim::GroupRecord;
use crate::store::{GroupWritten, Membership, ScimGroup, ScimKey};

/// Most members in one answer. A group with more is answered without: part of the list would read as the whole.
const MOST_MEMBERS: usize = 20_000;

pub(super) async fn list(call: &Call<'_>) -> Result<Done, ScimError> {
    let (page, wanted) = (Page::parse(&call.query)?, call.query.wanted()?);
    let filter = call.query.filter()?;
    let (found, total) = match &filter {
        None => every(call, page).await?,
        Some(filter) => {
            let mut chosen = Chosen::new(filter, page, call)?;
            match key(filter) {
                Some(key) => {
                    let found = call.scim.store.scim_groups_with(call.provider.id, key).await;
                    for group in found.map_err(|error| call.failed(error))? {
                        chosen.take(group).await?;
                    }
                }
                None => scan(call, &mut chosen).await?,
            }
            (chosen.found, chosen.total)
        }
    };
    let mut left = MOST_MEMBERS;
    let mut resources = Vec::with_capacity(found.len());
    for group in &found {
        let members = members(call, group.id, &wanted, left).await?;
        left -= members.as_ref().map_or(0, Vec::len).min(left);
        resources.push(shown(shown_group(group, members.as_deref(), &call.base), &wanted));
    }
    Ok(Done::found(schema::list(&resources, total, page.start)))
}

pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let wanted = call.query.wanted()?;
    let found = call.scim.store.scim_group(call.provider.id, parsed(id)?).await;
    let group = found
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| none(id))?;
    let about = about(&group);
    Ok(Done::new(
        StatusCode::OK,
        whole(call, &group, &wanted).await?,
        about,
    ))
}

pub(super) async fn create(call: &Call<'_>) -> Result<Done, ScimError> {
    let body = call.json()?;
    let record = resource::group(&body)?;
    let members = sent_members(&body)?.unwrap_or_default();
    let written = call
        .scim
        .store
        .insert_scim_group(call.provider.id, &record, &members, &call.rules())
        .await;
    let written = written.map_err(|error| call.failed(error))?;
    let body = whole(call, &written.group, &call.query.wanted()?).await?;
    let location = format!("{}/Groups/{}", call.base, written.group.id);
    Ok(Done {
        location: Some(location),
        ..Done::new(StatusCode::CREATED, body, told(call, written).await)
    })
}

/// Answers 204: the list of members may be long, and Entra does not look at it.
pub(super) async fn patch(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let patch = Patch::parse(&call.json()?)?;
    let change = |before: &GroupRecord| {
        let (record, members) = patch.apply_to_group(before)?;
        let members = members.into_iter().map(|change| match change {
            MemberChange::Add(people) => Membership::Add(people),
            MemberChange::Remove(people) => Membership::Remove(people),
            MemberChange::Replace(people) => Membership::Replace(people),
        });
        Ok((record, members.collect()))
    };
    let written = update(call, id, &change).await?;
    Ok(Done::new(StatusCode::NO_CONTENT, None, told(call, written).await))
}

pub(super) async fn put(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let body = call.json()?;
    let change = |_: &GroupRecord| {
        let record = resource::group(&body)?;
        // Silence about members empties no group.
        let members = sent_members(&body)?.map(Membership::Replace);
        Ok((record, members.into_iter().collect()))
    };
    let written = update(call, id, &change).await?;
    let body = whole(call, &written.group, &call.query.wanted()?).await?;
    Ok(Done::new(StatusCode::OK, body, told(call, written).await))
}

pub(super) async fn delete(call: &Call<'_>, id: &str) -> Result<Done, ScimError> {
    let deleted = call
        .scim
        .store
        .delete_scim_group(call.provider.id, parsed(id)?, &call.rules())
        .await;
    let written = deleted
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| none(id))?;
    Ok(Done::new(StatusCode::NO_CONTENT, None, told(call, written).await))
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
        .update_scim_group(call.provider.id, parsed(id)?, change, &call.rules())
        .await;
    updated
        .map_err(|error| call.failed(error))?
        .ok_or_else(|| none(id))?
}

async fn told(call: &Call<'_>, written: GroupWritten) -> About {
    let about = about(&written.group);
    let moved = match (written.added.len(), written.removed.len()) {
        (0, 0) => None,
        (came, went) => Some(format!("{came} came, {went} went")),
    };
    let effect = call.take_effect(written.consequences).await;
    let words: Vec<String> = moved.into_iter().chain(effect).collect();
    About {
        effect: (!words.is_empty()).then(|| words.join("; ")),
        ..about
    }
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

async fn whole(call: &Call<'_>, group: &ScimGroup, wanted: &Wanted) -> Result<Value, ScimError> {
    let members = members(call, group.id, wanted, MOST_MEMBERS).await?;
    Ok(shown(shown_group(group, members.as_deref(), &call.base), wanted))
}

/// The members of a group, where they are wanted and not too many.
async fn members(
    call: &Call<'_>,
    group: ScimGroupId,
    wanted: &Wanted,
    most: usize,
) -> Result<Option<Vec<(ScimUserId, String)>>, ScimError> {
    if !wanted.wants(MEMBERS) {
        return Ok(None);
    }
    let members = call.scim.store.scim_members(group, most + 1).await;
    let members = members.map_err(|error| call.failed(error))?;
    Ok((members.len() <= most).then_some(members))
}

async fn every(call: &Call<'_>, page: Page) -> Result<(Vec<ScimGroup>, usize), ScimError> {
    let (store, provider) = (&call.scim.store, call.provider.id);
    let total = store
        .count_scim_groups(provider)
        .await
        .map_err(|error| call.failed(error))?;
    if page.count == 0 {
        return Ok((Vec::new(), total));
    }
    let found = store.scim_groups_page(provider, page.offset(), page.count).await;
    Ok((found.map_err(|error| call.failed(error))?, total))
}

/// What has an index and must be so, if the filter says such a thing: the rarest first.
fn key(filter: &Filter) -> Option<ScimKey<'_>> {
    let demanded = |name: &str| filter.conjuncts().iter().find_map(|part| part.demands(name));
    None.or_else(|| demanded("id").map(ScimKey::Id))
        .or_else(|| demanded(schema::DISPLAY_NAME).map(ScimKey::Name))
        .or_else(|| demanded(schema::EXTERNAL_ID).map(ScimKey::ExternalId))
        .or_else(|| demanded(MEMBERS).map(ScimKey::Member))
}

/// Which groups are as a filter says, as far as they are on the page.
struct Chosen<'f> {
    call: &'f Call<'f>,
    filter: &'f Filter,
    page: Page,
    /// Of whom the filter asks whether they are in a group.
    people: Vec<&'f str>,
    found: Vec<ScimGroup>,
    total: usize,
}

impl<'f> Chosen<'f> {
    fn new(filter: &'f Filter, page: Page, call: &'f Call<'_>) -> Result<Self, ScimError> {
        let mut people = Vec::new();
        asked_members(filter, &mut people)?;
        Ok(Self {
            call,
            filter,
            page,
            people,
            found: Vec::new(),
            total: 0,
        })
    }

    async fn take(&mut self, group: ScimGroup) -> Result<(), ScimError> {
        let mut resource: Map<String, Value> = shown_group(&group, None, &self.call.base);
        let mut members = Vec::with_capacity(self.people.len());
        for person in &self.people {
            let is_in = self.call.scim.store.is_scim_member(group.id, person).await;
            if is_in.map_err(|error| self.call.failed(error))? {
                members.push(json!({ "value": person }));
            }
        }
        resource.insert(MEMBERS.to_owned(), members.into());
        if self.filter.matches(&resource) {
            if self.page.holds(self.total) {
                self.found.push(group);
            }
            self.total += 1;
        }
        Ok(())
    }
}

/// The people that a filter asks for as members. Members are asked for one by one, so nothing else can be said of them.
fn asked_members<'f>(filter: &'f Filter, people: &mut Vec<&'f str>) -> Result<(), ScimError> {
    let of_members = |path: &AttrPath| path.is(MEMBERS);
    let refused = || ScimError::Filter("members are compared by their value, with eq".to_owned());
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().try_for_each(|part| asked_members(part, people))
        }
        Filter::Not(inner) => asked_members(inner, people),
        Filter::Present(path) if of_members(path) => Err(refused()),
        Filter::Compare(path, comparison, literal) if of_members(path) => match (comparison, literal) {
            (Comparison::Equal | Comparison::NotEqual, Literal::Text(person)) => {
                people.push(person);
                Ok(())
            }
            _ => Err(refused()),
        },
        Filter::Element(path, inner) if of_members(path) => match inner.demands("value") {
            Some(person) if inner.conjuncts().len() == 1 => {
                people.push(person);
                Ok(())
            }
            _ => Err(refused()),
        },
        Filter::Present(_) | Filter::Compare(..) | Filter::Element(..) => Ok(()),
    }
}

/// Looks at every group, some at a time. Entra asks for nothing that needs it.
async fn scan(call: &Call<'_>, chosen: &mut Chosen<'_>) -> Result<(), ScimError> {
    let _place = call
        .scim
        .scans
        .acquire()
        .await
        .map_err(|_| ScimError::Unavailable)?;
    let mut last: Option<ScimGroup> = None;
    loop {
        let some = call
            .scim
            .store
            .scim_groups_after(call.provider.id, last.as_ref())
            .await;
        let some = some.map_err(|error| call.failed(error))?;
        let Some(end) = some.last() else {
            return Ok(());
        };
        last = Some(end.clone());
        for group in some {
            chosen.take(group).await?;
        }
    }
}
