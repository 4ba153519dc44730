//! Following changes: `/users/delta` and `/groups/delta`.
//!
//! <https://learn.microsoft.com/graph/delta-query-overview>, <https://learn.microsoft.com/graph/api/user-delta>,
//! <https://learn.microsoft.com/graph/api/group-delta>
//!
//! A round goes from the state a client knows to the state there is when it begins, in pages that are joined by
//! `@odata.nextLink`; the last one has the `@odata.deltaLink` with which the next round begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error::GraphRefusal;
use super::{GraphRequest, memberships, odata_context, users};
use crate::directory::{Group, MemberRef, Tenant, User};
use crate::grants::Delta;
use crate::random;

/// How long a delta token of a directory object is good: seven days.
const LIFE: i64 = 7 * 86_400;
/// Entries a page has, and members an entry of a group has before the group is listed again with more of them.
const PAGE: usize = 100;

const USER: &str = "#microsoft.graph.user";
const GROUP: &str = "#microsoft.graph.group";

/// Whether a segment of a path is the function, by its short or its full name.
pub(super) fn is_called(segment: &str) -> bool {
    matches!(segment.trim_end_matches("()"), "delta" | "microsoft.graph.delta")
}

/// `GET /users/delta`
pub(super) fn users(request: &GraphRequest<'_>) -> Result<Value, GraphRefusal> {
    request.caller.may_follow_people()?;
    round(request, "users", changed_users)
}

/// `GET /groups/delta`
pub(super) fn groups(request: &GraphRequest<'_>) -> Result<Value, GraphRefusal> {
    request.caller.may_follow_groups()?;
    round(request, "groups", changed_groups)
}

/// What changed: the state that is known, the present one, the properties asked for, members an entry has at most.
type Changed = fn(Option<&Tenant>, &Tenant, &[&str], usize) -> Result<Vec<Map<String, Value>>, GraphRefusal>;

fn round(request: &GraphRequest<'_>, of: &str, changed: Changed) -> Result<Value, GraphRefusal> {
    if request.params.find("$filter").is_some() || request.params.find("$orderby").is_some() {
        return Err(GraphRefusal::unsupported_query());
    }
    let now = request.context.directory.now();
    let mut here = here(request, now)?;
    let target = here
        .target
        .get_or_insert_with(|| Arc::clone(&request.caller.tenant))
        .clone();
    let (forced, empty_first, replays) = {
        let state = request.context.directory.lock();
        (state.page_size, state.empty_first_page, state.delta_replays)
    };
    let size = forced.unwrap_or(PAGE);
    let latest = request.params.find("$deltatoken") == Some("latest");
    let from = if replays && here.before.is_some() {
        &here.before
    } else {
        &here.known
    };
    let select = here.select.clone();
    let names: Vec<&str> = select
        .split(',')
        .map(str::trim)
        .filter(|name| *name != "id")
        .collect();
    let entries = if latest {
        Vec::new()
    } else {
        changed(from.as_deref(), &target, &names, size)?
    };
    let empty = empty_first && here.number == 1 && !entries.is_empty();
    let taken = if empty { 0 } else { size };
    let next = here.offset.saturating_add(taken);
    let is_last = next >= entries.len();
    let shown: Vec<Value> = entries
        .into_iter()
        .skip(here.offset)
        .take(taken)
        .map(Value::Object)
        .collect();
    let mut body = Map::new();
    let base = &request.context.base_url;
    body.insert("@odata.context".to_owned(), odata_context(base, of));
    let (key, parameter, following) = if is_last {
        let following = Delta {
            before: here.known.clone(),
            known: Some(target),
            target: None,
            offset: 0,
            number: 1,
            issued: now,
            ..here.clone()
        };
        ("@odata.deltaLink", "$deltatoken", following)
    } else {
        let following = Delta {
            offset: next,
            number: here.number.saturating_add(1),
            issued: now,
            ..here.clone()
        };
        ("@odata.nextLink", "$skiptoken", following)
    };
    let state = random::long_opaque();
    let link = format!("{base}{}?{parameter}={state}", here.path);
    request
        .context
        .directory
        .lock()
        .grants
        .deltas
        .insert(state, following);
    body.insert(key.to_owned(), json!(link));
    body.insert("value".to_owned(), Value::Array(shown));
    Ok(Value::Object(body))
}

/// Where the client stands by its token.
fn here(request: &GraphRequest<'_>, now: i64) -> Result<Delta, GraphRefusal> {
    let path = request.uri.path().to_owned();
    let token = request
        .params
        .find("$skiptoken")
        .or_else(|| request.params.find("$deltatoken"));
    let select = request.params.find("$select").unwrap_or("displayName").to_owned();
    let Some(token) = token.filter(|token| *token != "latest") else {
        return Ok(Delta {
            path,
            select,
            known: None,
            before: None,
            target: None,
            offset: 0,
            number: 1,
            issued: now,
        });
    };
    let known = request.context.directory.lock().grants.deltas.get(token).cloned();
    known
        .filter(|delta| delta.path == path && now.saturating_sub(delta.issued) <= LIFE)
        .ok_or_else(|| GraphRefusal::start_over(format!("{}{path}?$deltatoken=", request.context.base_url)))
}

fn changed_users(
    known: Option<&Tenant>,
    present: &Tenant,
    names: &[&str],
    _: usize,
) -> Result<Vec<Map<String, Value>>, GraphRefusal> {
    let mut entries = Vec::new();
    for user in &present.users {
        let before = known.and_then(|known| known.by_oid(&user.oid));
        entries.extend(changed_user(before, user, names)?);
    }
    let Some(known) = known else { return Ok(entries) };
    let is_among = |users: &[User], user: &User| users.iter().any(|other| other.oid == user.oid);
    for user in known.users.iter().chain(&known.deleted) {
        if is_among(&present.users, user) {
            continue;
        }
        let was_deleted = is_among(&known.deleted, user);
        match is_among(&present.deleted, user) {
            true if was_deleted => {}
            true => entries.push(removed(&user.oid, "changed")),
            false => entries.push(removed(&user.oid, "deleted")),
        }
    }
    // Made and deleted since.
    for user in &present.deleted {
        if !is_among(&known.users, user) && !is_among(&known.deleted, user) {
            entries.push(removed(&user.oid, "changed"));
        }
    }
    Ok(entries)
}

/// A person as far as they are not known so. What was never set is left out.
fn changed_user(
    before: Option<&User>,
    user: &User,
    names: &[&str],
) -> Result<Option<Map<String, Value>>, GraphRefusal> {
    let mut entry = Map::from_iter([("id".to_owned(), json!(user.oid))]);
    let mut differs = before.is_none();
    for name in names {
        let value = users::property(user, name)?;
        let was = before
            .map(|before| users::property(before, name))
            .transpose()?
            .unwrap_or(Value::Null);
        differs |= value != was;
        if !(value.is_null() && was.is_null()) {
            entry.insert((*name).to_owned(), value);
        }
    }
    Ok(differs.then_some(entry))
}

fn changed_groups(
    known: Option<&Tenant>,
    present: &Tenant,
    names: &[&str],
    size: usize,
) -> Result<Vec<Map<String, Value>>, GraphRefusal> {
    let mut entries = Vec::new();
    for group in present.groups.values() {
        let before = known.and_then(|known| Some((known, known.groups.get(&group.id)?)));
        entries.extend(changed_group(before, (present, group), names, size)?);
    }
    for group in known.iter().flat_map(|known| known.groups.values()) {
        if !present.groups.contains_key(&group.id) {
            // Only Microsoft 365 groups can be restored.
            let reason = if group.security_enabled {
                "deleted"
            } else {
                "changed"
            };
            entries.push(removed(&group.id, reason));
        }
    }
    Ok(entries)
}

/// A group as far as it is not known so: once, and again for each further part of its members.
fn changed_group(
    before: Option<(&Tenant, &Group)>,
    (present, group): (&Tenant, &Group),
    names: &[&str],
    size: usize,
) -> Result<Vec<Map<String, Value>>, GraphRefusal> {
    let mut entry = Map::from_iter([("id".to_owned(), json!(group.id))]);
    let mut differs = before.is_none();
    for name in names.iter().filter(|name| **name != "members") {
        let value = memberships::property(group, name)?;
        let was = before
            .map(|(_, before)| memberships::property(before, name))
            .transpose()?;
        differs |= was.as_ref() != Some(&value);
        entry.insert((*name).to_owned(), value);
    }
    let mut moves = Vec::new();
    if names.contains(&"members") {
        let were = before
            .map(|(known, before)| members(known, before))
            .unwrap_or_default();
        let are = members(present, group);
        moves.extend(are.difference(&were).map(|member| moved(member, false)));
        moves.extend(were.difference(&are).map(|member| moved(member, true)));
    }
    if !differs && moves.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<Vec<Value>> = moves.chunks(size).map(<[Value]>::to_vec).collect();
    if parts.is_empty() {
        return Ok(vec![entry]);
    }
    let with = |part: Vec<Value>| {
        let mut entry = entry.clone();
        entry.insert("members@delta".to_owned(), Value::Array(part));
        entry
    };
    Ok(parts.into_iter().map(with).collect())
}

/// Who is in a group, as far as they are there.
fn members(tenant: &Tenant, group: &Group) -> BTreeSet<MemberRef> {
    let is_there = |member: &&MemberRef| match member {
        MemberRef::User(oid) => tenant.by_oid(oid).is_some(),
        MemberRef::Group(id) => tenant.groups.contains_key(id),
    };
    group.members.iter().filter(is_there).cloned().collect()
}

fn moved(member: &MemberRef, gone: bool) -> Value {
    let (kind, id) = match member {
        MemberRef::User(oid) => (USER, oid),
        MemberRef::Group(id) => (GROUP, id),
    };
    let mut entry = json!({ "@odata.type": kind, "id": id });
    if gone {
        crate::json::set(&mut entry, "@removed", json!({ "reason": "deleted" }));
    }
    entry
}

fn removed(id: &str, reason: &str) -> Map<String, Value> {
    Map::from_iter([
        ("id".to_owned(), json!(id)),
        ("@removed".to_owned(), json!({ "reason": reason })),
    ])
}
