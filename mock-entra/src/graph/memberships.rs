//! Groups of a person, nested ones included.
//!
//! <https://learn.microsoft.com/graph/api/user-list-transitivememberof>,
//! <https://learn.microsoft.com/graph/api/directoryobject-getmembergroups>

use serde_json::{Map, Value, json};

use super::bearer::Insight;
use super::error::GraphRefusal;
use super::{GraphRequest, odata_context, paging};
use crate::directory::{Group, MemberRef, User};

/// Most ids `getMemberGroups` answers.
const MOST_IDS: usize = 11_000;

/// Most ids `checkMemberGroups` takes.
const MOST_CHECKED: usize = 20;

/// The properties a group has without `$select`, as far as the mock knows them.
const DEFAULT: &[&str] = &[
    "id",
    "deletedDateTime",
    "displayName",
    "description",
    "mail",
    "mailEnabled",
    "securityEnabled",
];

/// Whether a list is cast to groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    /// Directory objects, each with its type.
    None,
    /// Groups only: an advanced query.
    Groups,
}

/// `GET …/transitiveMemberOf[/microsoft.graph.group]`
pub(super) fn list(request: &GraphRequest<'_>, person: &User, cast: Cast) -> Result<Value, GraphRefusal> {
    let insight = request.caller.may_list_groups(person)?;
    advanced(request, cast)?;
    let selected = request.params.find("$select");
    let names: Vec<&str> = selected.map_or_else(
        || DEFAULT.to_vec(),
        |names| names.split(',').map(str::trim).collect(),
    );
    let groups = request
        .caller
        .tenant
        .transitive_groups(&MemberRef::User(person.oid.clone()));
    let entries: Result<Vec<Value>, GraphRefusal> = groups
        .into_iter()
        .map(|group| entry(group, &names, cast, insight))
        .collect();
    let kind = if cast == Cast::Groups {
        "groups"
    } else {
        "directoryObjects"
    };
    let of = selected.map_or_else(|| kind.to_owned(), |names| format!("{kind}({names})"));
    paging::page(request, &of, entries?)
}

/// `POST …/getMemberGroups`, `POST …/getMemberObjects`
pub(super) fn ids(request: &GraphRequest<'_>, person: &User) -> Result<Value, GraphRefusal> {
    request.caller.may_read_group_ids(person)?;
    let body = request.json()?;
    let Some(secure) = body.get("securityEnabledOnly").and_then(Value::as_bool) else {
        return Err(GraphRefusal::bad_request(
            "The parameter 'securityEnabledOnly' is missing or no boolean.",
        ));
    };
    let groups = request
        .caller
        .tenant
        .transitive_groups(&MemberRef::User(person.oid.clone()));
    let ids: Vec<&str> = groups
        .iter()
        .filter(|group| !secure || group.security_enabled)
        .map(|group| group.id.as_str())
        .collect();
    if ids.len() > MOST_IDS {
        return Err(GraphRefusal::too_many_results());
    }
    Ok(strings(request, &ids))
}

/// `POST …/checkMemberGroups`
/// <https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups>
pub(super) fn check(request: &GraphRequest<'_>, person: &User) -> Result<Value, GraphRefusal> {
    request.caller.may_read_group_ids(person)?;
    let body = request.json()?;
    let asked = body
        .get("groupIds")
        .and_then(Value::as_array)
        .filter(|ids| ids.len() <= MOST_CHECKED);
    let Some(asked) = asked else {
        return Err(GraphRefusal::bad_request(format!(
            "'groupIds' has to list at most {MOST_CHECKED} ids."
        )));
    };
    let groups = request
        .caller
        .tenant
        .transitive_groups(&MemberRef::User(person.oid.clone()));
    let is_member = |id: &&str| groups.iter().any(|group| group.id.eq_ignore_ascii_case(id));
    let ids: Vec<&str> = asked.iter().filter_map(Value::as_str).filter(is_member).collect();
    Ok(strings(request, &ids))
}

/// A cast and a count read an index that is only eventually consistent: the caller has to say so.
fn advanced(request: &GraphRequest<'_>, cast: Cast) -> Result<(), GraphRefusal> {
    let count = request.params.find("$count") == Some("true");
    let eventual = request
        .headers
        .get("ConsistencyLevel")
        .is_some_and(|level| level == "eventual");
    if (cast == Cast::Groups || count) && !(count && eventual) {
        return Err(GraphRefusal::unsupported_query());
    }
    Ok(())
}

fn entry(group: &Group, names: &[&str], cast: Cast, insight: Insight) -> Result<Value, GraphRefusal> {
    let mut entry = Map::new();
    if cast == Cast::None || insight == Insight::Limited {
        entry.insert("@odata.type".to_owned(), json!("#microsoft.graph.group"));
    }
    for name in names {
        let value = property(group, name)?;
        let hidden = insight == Insight::Limited && *name != "id";
        entry.insert((*name).to_owned(), if hidden { Value::Null } else { value });
    }
    Ok(Value::Object(entry))
}

/// One property of a group, by Graph's name.
pub(super) fn property(group: &Group, name: &str) -> Result<Value, GraphRefusal> {
    Ok(match name {
        "id" => json!(group.id),
        "displayName" => json!(group.name),
        "securityEnabled" => json!(group.security_enabled),
        "mailEnabled" => json!(!group.security_enabled),
        "groupTypes" => json!(if group.security_enabled {
            vec![]
        } else {
            vec!["Unified"]
        }),
        "deletedDateTime" | "description" | "mail" | "onPremisesSamAccountName" => Value::Null,
        other => {
            let message =
                format!("Could not find a property named '{other}' on type 'microsoft.graph.group'.");
            return Err(GraphRefusal::bad_request(message));
        }
    })
}

fn strings(request: &GraphRequest<'_>, ids: &[&str]) -> Value {
    json!({ "@odata.context": odata_context(&request.context.base_url, "Collection(Edm.String)"), "value": ids })
}
