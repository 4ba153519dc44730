//! Users and groups between what a client sends, what is kept and what it is told.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::attribute::AttrPath;
use super::error::ScimError;
use super::patch;
use super::schema::{self, Attribute, Shape};
use crate::model::ids::ScimUserId;
use crate::model::plain;
use crate::model::scim::{GroupRecord, UserRecord};
use crate::store::{ScimGroup, ScimUser};

/// The longest text of an attribute, in characters. Roles may be whole JSON documents.
const LONGEST_TEXT: usize = 8 * 1024;
/// The longest name or id, in characters.
const LONGEST_NAME: usize = 512;
/// Most elements of a list.
const MOST_ELEMENTS: usize = 100;
/// The longest user, in bytes of JSON.
const LONGEST_USER: usize = 64 * 1024;

/// Reads a user that is sent whole. What it says nothing of is as in `before`, as far as it is about signing in.
///
/// # Errors
/// What cannot stand.
pub fn user(body: &Value, before: Option<&UserRecord>) -> Result<UserRecord, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::Syntax("the body is no JSON object".to_owned()));
    };
    let mut record = patch::read_user(body)?;
    if !record.0.contains_key(schema::ACTIVE) {
        // Silence reactivates nobody.
        let active = before.is_none_or(UserRecord::is_active);
        record.0.insert(schema::ACTIVE.to_owned(), active.into());
    }
    checked_user(record)
}

/// A user that can be kept: without elements of lists that say nothing. Until now such a one may have been about to say
/// something: Entra sets whether an address is the primary one before it says which address.
///
/// # Errors
/// What cannot stand.
pub(super) fn checked_user(mut record: UserRecord) -> Result<UserRecord, ScimError> {
    record.0.retain(|_, value| match value {
        Value::Array(elements) => {
            elements.retain(says_something);
            !elements.is_empty()
        }
        _ => true,
    });
    if record.user_name().trim().is_empty() {
        return Err(ScimError::Value("userName is needed".to_owned()));
    }
    if !record.0.get(schema::ACTIVE).is_some_and(Value::is_boolean) {
        return Err(ScimError::Value("active is true or false".to_owned()));
    }
    for (name, text) in [
        (schema::USER_NAME, Some(record.user_name())),
        (schema::EXTERNAL_ID, record.external_id()),
    ] {
        check_name(name, text)?;
        if text.is_some_and(|text| plain::unseen(text).is_some()) {
            return Err(ScimError::Value(format!(
                "{name} has a character that is not seen and changes how the others are shown"
            )));
        }
    }
    if Value::Object(record.0.clone()).to_string().len() > LONGEST_USER {
        return Err(too_long());
    }
    Ok(record)
}

/// How long a value is, in bytes at least, if a user can have it at all: the exact length is looked at in the end.
///
/// # Errors
/// [`ScimError::Value`] for a value that is longer than a user may be.
pub(super) fn checked_length(value: &Value) -> Result<usize, ScimError> {
    let length = least_length(value);
    if length > LONGEST_USER {
        return Err(too_long());
    }
    Ok(length)
}

/// As many bytes as a value has in JSON at least, told without writing it.
fn least_length(value: &Value) -> usize {
    match value {
        Value::Object(parts) => parts
            .iter()
            .map(|(key, part)| key.len() + least_length(part))
            .sum(),
        Value::Array(elements) => elements.iter().map(least_length).sum(),
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

fn too_long() -> ScimError {
    ScimError::Value(format!("a user has at most {LONGEST_USER} bytes"))
}

/// Reads a group that is sent whole, without its members.
///
/// # Errors
/// What cannot stand.
pub fn group(body: &Value) -> Result<GroupRecord, ScimError> {
    if !body.is_object() {
        return Err(ScimError::Syntax("the body is no JSON object".to_owned()));
    }
    let text = |name: &'static str| {
        let found = AttrPath::plain(name);
        let found = body.as_object().and_then(|body| found.find(body));
        let attribute = schema::attribute(schema::GROUP_ATTRIBUTES, name);
        match (attribute, found) {
            (Some(attribute), Some(value)) => {
                Ok(read(attribute, value)?.and_then(|value| value.as_str().map(str::to_owned)))
            }
            _ => Ok(None),
        }
    };
    checked_group(GroupRecord {
        display_name: text(schema::DISPLAY_NAME)?.unwrap_or_default(),
        external_id: text(schema::EXTERNAL_ID)?,
    })
}

/// A group that can be kept.
///
/// # Errors
/// What cannot stand.
pub(super) fn checked_group(record: GroupRecord) -> Result<GroupRecord, ScimError> {
    if record.display_name.trim().is_empty() {
        return Err(ScimError::Value("displayName is needed".to_owned()));
    }
    check_name(schema::DISPLAY_NAME, Some(&record.display_name))?;
    check_name(schema::EXTERNAL_ID, record.external_id.as_deref())?;
    Ok(record)
}

fn check_name(name: &str, text: Option<&str>) -> Result<(), ScimError> {
    let fine =
        text.is_none_or(|text| text.chars().count() <= LONGEST_NAME && !text.chars().any(char::is_control));
    if fine {
        Ok(())
    } else {
        Err(ScimError::Value(format!(
            "{name} has at most {LONGEST_NAME} characters, none of them a control character"
        )))
    }
}

/// The value of an attribute as it is kept; `None` where it says that there is none: null and the empty text do
/// (<https://learn.microsoft.com/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups>).
///
/// # Errors
/// [`ScimError::Value`] for one that the attribute cannot have.
pub(super) fn read(attribute: &Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
    let wrong = |what: &str| Err(ScimError::Value(format!("{} is {what}", attribute.name)));
    match (attribute.shape, value) {
        (_, Value::Null) => Ok(None),
        (_, Value::String(text)) if text.is_empty() => Ok(None),
        (Shape::Text, Value::String(text)) if text.chars().count() <= LONGEST_TEXT => Ok(Some(value.clone())),
        (Shape::Text, Value::String(_)) => wrong("too long"),
        // What people and groups are found by is what was sent, and not how a number is written here.
        (Shape::Text, Value::Number(_) | Value::Bool(_)) if is_name(attribute) => wrong("a text"),
        (Shape::Text, Value::Number(_) | Value::Bool(_)) => Ok(Some(value.to_string().into())),
        (Shape::Text, _) => wrong("a text"),
        (Shape::Truth, Value::Bool(_)) => Ok(Some(value.clone())),
        // Entra sends "True" and "False" unless the Tenant URL says `?aadOptscim062020`.
        (Shape::Truth, Value::String(text)) => match super::filter::truth(text) {
            Some(truth) => Ok(Some(truth.into())),
            None => wrong("true or false"),
        },
        (Shape::Truth, _) => wrong("true or false"),
        (Shape::Complex(parts), value) => {
            // Older jobs send the manager as a list of one.
            let single = match value {
                Value::Array(elements) => match elements.as_slice() {
                    [] => return Ok(None),
                    [only] => only,
                    _ => return wrong("a single value"),
                },
                single => single,
            };
            Ok(element(attribute, parts, single)?.map(Value::Object))
        }
        (Shape::List(parts), value) => {
            let elements = match value {
                Value::Array(elements) => elements.as_slice(),
                single => std::slice::from_ref(single),
            };
            let mut read = Vec::with_capacity(elements.len());
            for single in elements {
                read.extend(element(attribute, parts, single)?.map(Value::Object));
            }
            Ok(list(attribute, read)?)
        }
    }
}

/// Whether it is by this attribute that people or groups are found. `displayName` is that of groups only, and is a text
/// for people as well.
fn is_name(attribute: &Attribute) -> bool {
    matches!(
        attribute.name,
        schema::USER_NAME | schema::EXTERNAL_ID | schema::DISPLAY_NAME
    )
}

/// A list, if it is not too long; `None` for an empty one.
pub(super) fn list(attribute: &Attribute, elements: Vec<Value>) -> Result<Option<Value>, ScimError> {
    if elements.len() > MOST_ELEMENTS {
        let name = attribute.name;
        return Err(ScimError::Value(format!(
            "{name} has at most {MOST_ELEMENTS} elements"
        )));
    }
    Ok((!elements.is_empty()).then_some(Value::Array(elements)))
}

/// What an element is for says nothing without what it is.
fn says_something(element: &Value) -> bool {
    let parts = element.as_object();
    parts.is_some_and(|parts| parts.keys().any(|key| key != "type" && key != "primary"))
}

/// An object of parts; a bare value stands for one whose `value` it is.
fn element(
    attribute: &Attribute,
    parts: &'static [Attribute],
    value: &Value,
) -> Result<Option<Map<String, Value>>, ScimError> {
    let by_value = schema::attribute(parts, "value");
    let mut kept = Map::new();
    match value {
        Value::Null => return Ok(None),
        Value::Object(sent) => {
            for (key, value) in sent {
                let Some(part) = schema::attribute(parts, key) else {
                    continue;
                };
                if let Some(value) = read(part, value)? {
                    kept.insert(part.name.to_owned(), value);
                }
            }
        }
        bare => match by_value {
            Some(part) => kept.extend(read(part, bare)?.map(|value| (part.name.to_owned(), value))),
            None => return Err(ScimError::Value(format!("{} is an object", attribute.name))),
        },
    }
    let stands = match (attribute.shape, by_value) {
        // A single reference without what it refers to is none: so Entra clears a manager.
        (Shape::Complex(_), Some(part)) => kept.contains_key(part.name),
        _ => !kept.is_empty(),
    };
    Ok(stands.then_some(kept))
}

/// A user as clients are told of it.
pub fn shown_user(user: &ScimUser, base: &str) -> Map<String, Value> {
    let mut schemas = vec![schema::USER];
    if user.record.0.contains_key(schema::ENTERPRISE) {
        schemas.push(schema::ENTERPRISE);
    }
    let mut shown = Map::new();
    shown.insert("schemas".to_owned(), json!(schemas));
    shown.insert("id".to_owned(), user.id.to_string().into());
    shown.extend(user.record.0.clone());
    let location = format!("{base}/Users/{}", user.id);
    shown.insert(
        "meta".to_owned(),
        meta("User", user.created_ms, user.updated_ms, &location),
    );
    shown
}

/// A group as clients are told of it, without its members.
pub fn shown_group(group: &ScimGroup, base: &str) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("schemas".to_owned(), json!([schema::GROUP]));
    shown.insert("id".to_owned(), group.id.to_string().into());
    if let Some(external_id) = &group.record.external_id {
        shown.insert(schema::EXTERNAL_ID.to_owned(), external_id.as_str().into());
    }
    let name = group.record.display_name.as_str();
    shown.insert(schema::DISPLAY_NAME.to_owned(), name.into());
    let location = format!("{base}/Groups/{}", group.id);
    shown.insert(
        "meta".to_owned(),
        meta("Group", group.created_ms, group.updated_ms, &location),
    );
    shown
}

/// A member of a group as clients are told of it.
pub fn shown_member(id: ScimUserId, display: &str, base: &str) -> Value {
    json!({
        "value": id.to_string(),
        "$ref": format!("{base}/Users/{id}"),
        "display": display,
        "type": "User"
    })
}

fn meta(kind: &str, created_ms: i64, updated_ms: i64, location: &str) -> Value {
    let time = |ms| {
        Timestamp::from_millisecond(ms)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_string()
    };
    json!({
        "resourceType": kind,
        "created": time(created_ms),
        "lastModified": time(updated_ms),
        "location": location
    })
}

/// Which attributes a client wants (RFC 7644 §3.9).
#[derive(Debug, Default)]
pub struct Wanted {
    only: Option<Vec<AttrPath>>,
    without: Vec<AttrPath>,
}

/// Most names in `attributes` and `excludedAttributes`.
const MOST_NAMES: usize = 100;

impl Wanted {
    /// Reads `attributes` and `excludedAttributes`.
    ///
    /// # Errors
    /// [`ScimError::Value`] where a name cannot be read.
    pub fn parse(only: Option<&str>, without: Option<&str>) -> Result<Self, ScimError> {
        let names = |list: &str| {
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            let names: Result<Vec<AttrPath>, _> = names.take(MOST_NAMES).map(str::parse).collect();
            names.map_err(|error| ScimError::Value(error.to_string()))
        };
        Ok(Self {
            only: only.map(names).transpose()?.filter(|names| !names.is_empty()),
            without: without.map(names).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether an attribute is wanted at all.
    pub fn wants(&self, name: &str) -> bool {
        let whole = |path: &AttrPath| path.sub.is_none() && path.is(name);
        let asked = self
            .only
            .as_ref()
            .is_none_or(|only| only.iter().any(|path| path.is(name)));
        asked && !self.without.iter().any(whole)
    }

    /// Leaves of a resource what is wanted. `schemas` and `id` always are.
    pub fn apply(&self, resource: Map<String, Value>) -> Map<String, Value> {
        let mut kept = match &self.only {
            None => resource,
            Some(only) => {
                let mut kept = Map::new();
                for (key, value) in resource {
                    if let Some(value) = chosen(&key, value, only) {
                        kept.insert(key, value);
                    }
                }
                kept
            }
        };
        for path in &self.without {
            leave_out(&mut kept, path);
        }
        kept
    }
}

/// What is left of an attribute, or of an extension as a whole, where only these are wanted.
fn chosen(key: &str, value: Value, only: &[AttrPath]) -> Option<Value> {
    if matches!(key, "schemas" | "id") {
        return Some(value);
    }
    if let (schema::ENTERPRISE, Value::Object(extension)) = (key, &value) {
        let in_extension = |path: &&AttrPath| path.schema.as_deref().is_none_or(|schema| schema == key);
        let wanted: Vec<AttrPath> = only.iter().filter(in_extension).cloned().collect();
        let kept = extension
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), chosen(name, value.clone(), &wanted)?)));
        let kept: Map<String, Value> = kept.collect();
        return (!kept.is_empty()).then_some(Value::Object(kept));
    }
    let asked: Vec<&AttrPath> = only.iter().filter(|path| path.is(key)).collect();
    if asked.is_empty() {
        return None;
    }
    if asked.iter().any(|path| path.sub.is_none()) {
        return Some(value);
    }
    let is_asked = |name: &str| {
        let subs = asked.iter().filter_map(|path| path.sub.as_deref());
        subs.into_iter().any(|sub| sub.eq_ignore_ascii_case(name))
    };
    let parts = |value: Value| match value {
        Value::Object(parts) => Value::Object(parts.into_iter().filter(|(name, _)| is_asked(name)).collect()),
        other => other,
    };
    Some(match value {
        Value::Array(elements) => elements.into_iter().map(parts).collect(),
        single => parts(single),
    })
}

fn leave_out(resource: &mut Map<String, Value>, path: &AttrPath) {
    if ["schemas", "id"].iter().any(|always| path.is(always)) {
        return;
    }
    if path.schema.as_deref() == Some(schema::ENTERPRISE)
        && let Some(Value::Object(extension)) = resource.get_mut(schema::ENTERPRISE)
    {
        extension.retain(|key, _| !path.is(key));
        return;
    }
    match path.sub.as_deref() {
        None => resource.retain(|key, _| !path.is(key)),
        Some(sub) => {
            let found = resource.iter_mut().find(|(key, _)| path.is(key));
            let without = |value: &mut Value| {
                if let Value::Object(parts) = value {
                    parts.retain(|key, _| !key.eq_ignore_ascii_case(sub));
                }
            };
            match found.map(|(_, value)| value) {
                Some(Value::Array(elements)) => elements.iter_mut().for_each(without),
                Some(single) => without(single),
                None => {}
            }
        }
    }
}
