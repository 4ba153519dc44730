//! `/Groups`.

use http::StatusCode;
use serde_json::Value;

use super::attribute::member;
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

/// Members that are read to find out which groups a filter means. Entra asks for none of it.
const MOST_MEMBERS_READ: usize = 200_000;

pub(super) async fn list(call: &Call<'_>) -> Result<Done, ScimError> {
    let (page, wanted) = (Page::parse(&call.query)?, call.query.wanted()?);
    let filter = call.query.filter()?;
    let (found, total) = match &filter {
        None => every(call, page).await?,
        Some(filter) => {
            let mut chosen = Chosen::new(filter, page, call);
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
    asked: Asked<'f>,
    /// Members that may still be read.
    left: usize,
    found: Vec<ScimGroup>,
    total: usize,
}

/// What a filter wants to know of members. Groups are large, so no more of them is read.
#[derive(Default)]
struct Asked<'f> {
    /// Whether these people are members.
    people: Vec<&'f str>,
    /// Members to look at: none, one, or all.
    members: usize,
}

impl<'f> Chosen<'f> {
    fn new(filter: &'f Filter, page: Page, call: &'f Call<'_>) -> Self {
        let mut asked = Asked::default();
        asked.of(filter);
        Self {
            call,
            filter,
            page,
            asked,
            left: MOST_MEMBERS_READ,
            found: Vec::new(),
            total: 0,
        }
    }

    async fn take(&mut self, group: ScimGroup) -> Result<(), ScimError> {
        let store = &self.call.scim.store;
        let mut members: Vec<(ScimUserId, String)> = Vec::new();
        if self.asked.members > 0 {
            let read = store.scim_members(group.id, self.asked.members.min(self.left + 1));
            members = read.await.map_err(|error| self.call.failed(error))?;
            let Some(left) = self.left.checked_sub(members.len()) else {
                return Err(ScimError::TooMany(format!(
                    "more than {MOST_MEMBERS_READ} members had to be read: ask for fewer groups, or for members by value"
                )));
            };
            self.left = left;
        }
        for person in &self.asked.people {
            let Ok(id) = person.parse::<ScimUserId>() else {
                continue;
            };
            let is_in = store.is_scim_member(group.id, person).await;
            if is_in.map_err(|error| self.call.failed(error))?
                && !members.iter().any(|(known, _)| *known == id)
            {
                members.push((id, String::new()));
            }
        }
        let resource = shown_group(&group, Some(&members), &self.call.base);
        if self.filter.matches(&resource) {
            if self.page.holds(self.total) {
                self.found.push(group);
            }
            self.total += 1;
        }
        Ok(())
    }
}

impl<'f> Asked<'f> {
    /// Adds what a filter wants to know.
    fn of(&mut self, filter: &'f Filter) {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| self.of(part)),
            Filter::Not(inner) => self.of(inner),
            Filter::Present(path) if path.is(MEMBERS) => self.look_at(1),
            Filter::Compare(path, comparison, literal) if path.is(MEMBERS) => {
                let of_value = path.sub.is_none() || path.is_sub(MEMBERS, "value");
                match (comparison, literal) {
                    (Comparison::Equal | Comparison::NotEqual, Literal::Text(person)) if of_value => {
                        self.people.push(person);
                    }
                    (_, Literal::Null) => self.look_at(1),
                    _ if path.is_sub(MEMBERS, "type") => self.look_at(1),
                    _ => self.look_at(usize::MAX),
                }
            }
            Filter::Element(path, inner) if path.is(MEMBERS) => {
                let telling: Vec<&Filter> = inner.conjuncts().iter().filter(|part| !is_alike(part)).collect();
                match telling.as_slice() {
                    [] => self.look_at(1),
                    [Filter::Compare(sub, Comparison::Equal, Literal::Text(person))] if sub.is("value") => {
                        self.people.push(person);
                    }
                    _ => self.look_at(usize::MAX),
                }
            }
            Filter::Present(_) | Filter::Compare(..) | Filter::Element(..) => {}
        }
    }

    fn look_at(&mut self, members: usize) {
        self.members = self.members.max(members);
    }
}

/// Whether all members are alike in what a filter asks of one: they have the same type, and each part of each is there.
fn is_alike(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(is_alike),
        Filter::Not(inner) => is_alike(inner),
        Filter::Compare(path, _, literal) => path.is("type") || *literal == Literal::Null,
        Filter::Present(_) => true,
        Filter::Element(..) => false,
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
