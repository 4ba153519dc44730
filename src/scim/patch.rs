//! PATCH (RFC 7644 §3.5.2) as Entra sends it, in both its dialects
//! (<https://learn.microsoft.com/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility>).
//!
//! What Entra does otherwise than the standard says: operations are capitalised; truth values are texts; a removal may
//! have a value, which limits it; a value that is added to or put in the place of an element that is not there makes it;
//! the empty text clears; a value without path may have names with dots and whole URNs. Operations work on a copy: all
//! of them take effect or none.

use serde_json::{Map, Value};

use super::attribute::{AttrPath, member};
use super::error::ScimError;
use super::filter::{Comparison, Filter, Literal, Work};
use super::path::PatchPath;
use super::resource::{self, checked_group, checked_user};
use super::schema::{self, Attribute, Shape};
use crate::model::ids::ScimUserId;
use crate::model::scim::{GroupRecord, UserRecord};
use crate::store::Membership;

/// Most operations of a request.
pub const MOST_OPERATIONS: usize = 10_000;
/// How much the operations on a user go through, in bytes: each works on the whole of its attribute, and that may be
/// long. Thousands of operations on what people ordinarily have need a tenth of it.
const MOST_WORK: usize = 16 * 1024 * 1024;

/// The operations of a request, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch(Vec<Operation>);

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    kind: Kind,
    place: Place,
    value: Option<Value>,
}

/// Where an operation works.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// On the resource: the value names what it is about.
    Resource,
    /// On the enterprise extension as a whole.
    Extension,
    /// On an attribute, or part of one.
    Path(PatchPath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Assign(Assign),
    Remove,
}

/// How a value goes where something may stand already. They differ for lists alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assign {
    /// Beside it.
    Add,
    /// In its place.
    Replace,
}

impl Patch {
    /// Reads the body of a PATCH.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn parse(body: &Value) -> Result<Self, ScimError> {
        let operations = body.as_object().and_then(|body| member(body, "Operations"));
        let Some(Value::Array(operations)) = operations else {
            return Err(ScimError::Syntax("a PATCH has a list of Operations".to_owned()));
        };
        if operations.len() > MOST_OPERATIONS {
            return Err(ScimError::TooMany(format!(
                "a PATCH has at most {MOST_OPERATIONS} operations"
            )));
        }
        operations
            .iter()
            .map(operation)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// A user once all operations are carried out.
    ///
    /// # Errors
    /// The first operation that cannot be.
    pub fn apply_to_user(&self, before: &UserRecord) -> Result<UserRecord, ScimError> {
        let mut record = before.clone();
        let work = &mut Work::of(MOST_WORK);
        for operation in &self.0 {
            match (&operation.place, operation.kind, &operation.value) {
                (Place::Path(path), kind, value) => change(&mut record, kind, path, value.as_ref(), work)?,
                (Place::Extension, Kind::Remove, _) => {
                    record.0.shift_remove(schema::ENTERPRISE);
                }
                (Place::Extension, Kind::Assign(assign), value) => {
                    assign_extension(&mut record, value.as_ref().unwrap_or(&Value::Null), assign, work)?;
                }
                (Place::Resource, Kind::Remove, _) => {
                    return Err(ScimError::NoTarget("a removal says what it removes".to_owned()));
                }
                (Place::Resource, Kind::Assign(assign), Some(Value::Object(values))) => {
                    assign_all(&mut record, values, assign, work)?;
                }
                (Place::Resource, Kind::Assign(_), _) => {
                    return Err(ScimError::Value(
                        "without a path the value is an object".to_owned(),
                    ));
                }
            }
        }
        checked_user(record)
    }

    /// A group once all operations are carried out, and what becomes of its members, in order.
    ///
    /// # Errors
    /// The first operation that cannot be.
    pub fn apply_to_group(&self, before: &GroupRecord) -> Result<(GroupRecord, Vec<Membership>), ScimError> {
        let mut record = before.clone();
        let mut members = Vec::new();
        for operation in &self.0 {
            match (&operation.place, operation.kind, &operation.value) {
                (Place::Path(path), kind, value) => {
                    change_group(&mut record, &mut members, kind, path, value.as_ref())?;
                }
                // Groups have none.
                (Place::Extension, _, _) => {}
                (Place::Resource, Kind::Assign(assign), Some(Value::Object(values))) => {
                    for (key, value) in values.iter().filter(|(key, _)| !own(key)) {
                        if let Ok(path) = key.parse() {
                            change_group(
                                &mut record,
                                &mut members,
                                Kind::Assign(assign),
                                &path,
                                Some(value),
                            )?;
                        }
                    }
                }
                (Place::Resource, Kind::Remove, _) => {
                    return Err(ScimError::NoTarget("a removal says what it removes".to_owned()));
                }
                (Place::Resource, Kind::Assign(_), _) => {
                    return Err(ScimError::Value(
                        "without a path the value is an object".to_owned(),
                    ));
                }
            }
        }
        Ok((checked_group(record)?, members))
    }
}

/// A user that is sent whole, as far as it says something.
///
/// # Errors
/// A value that cannot stand.
pub(super) fn read_user(values: &Map<String, Value>) -> Result<UserRecord, ScimError> {
    let mut record = UserRecord(Map::new());
    assign_all(&mut record, values, Assign::Replace, &mut Work::of(MOST_WORK))?;
    Ok(record)
}

/// Takes over values by their names, which may be paths and URNs. What the service itself says is passed over.
fn assign_all(
    record: &mut UserRecord,
    values: &Map<String, Value>,
    assign: Assign,
    work: &mut Work,
) -> Result<(), ScimError> {
    for (key, value) in values {
        if own(key) {
            continue;
        }
        if is_extension(key) {
            assign_extension(record, value, assign, work)?;
            continue;
        }
        // A name that cannot be read is no attribute of ours.
        if let Ok(path) = key.parse::<PatchPath>() {
            change(record, Kind::Assign(assign), &path, Some(value), work)?;
        }
    }
    Ok(())
}

/// Whether a name or a path is the URN of the enterprise extension itself.
fn is_extension(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case(schema::ENTERPRISE)
}

/// Takes over values of the enterprise extension. Those that are not named stay; of nothing, nothing stays.
fn assign_extension(
    record: &mut UserRecord,
    value: &Value,
    assign: Assign,
    work: &mut Work,
) -> Result<(), ScimError> {
    match value {
        Value::Object(values) => {
            for (key, value) in values {
                if let Ok(mut attribute) = key.parse::<AttrPath>() {
                    attribute.schema = Some(schema::ENTERPRISE.into());
                    change(record, Kind::Assign(assign), &whole(attribute), Some(value), work)?;
                }
            }
        }
        Value::Null => {
            record.0.shift_remove(schema::ENTERPRISE);
        }
        Value::String(text) if text.is_empty() => {
            record.0.shift_remove(schema::ENTERPRISE);
        }
        _ => return Err(ScimError::Value(format!("{} is an object", schema::ENTERPRISE))),
    }
    Ok(())
}

/// What stands in resources by the service's own word.
fn own(key: &str) -> bool {
    ["schemas", "id", "meta", "groups"]
        .iter()
        .any(|own| key.eq_ignore_ascii_case(own))
}

fn whole(attribute: AttrPath) -> PatchPath {
    PatchPath {
        attribute,
        which: None,
    }
}

fn operation(operation: &Value) -> Result<Operation, ScimError> {
    let Value::Object(parts) = operation else {
        return Err(ScimError::Syntax("an operation is an object".to_owned()));
    };
    let word = member(parts, "op").and_then(Value::as_str).unwrap_or_default();
    let kind = match word.to_ascii_lowercase().as_str() {
        "add" => Kind::Assign(Assign::Add),
        "replace" => Kind::Assign(Assign::Replace),
        "remove" => Kind::Remove,
        _ => {
            return Err(ScimError::Syntax(
                "op is one of add, replace and remove".to_owned(),
            ));
        }
    };
    let place = match member(parts, "path") {
        None | Some(Value::Null) => Place::Resource,
        Some(Value::String(path)) if path.trim().is_empty() => Place::Resource,
        Some(Value::String(path)) if is_extension(path) => Place::Extension,
        Some(Value::String(path)) => Place::Path(
            path.parse()
                .map_err(|error: super::path::PathMalformed| ScimError::Path(error.to_string()))?,
        ),
        Some(_) => return Err(ScimError::Path("a path is a text".to_owned())),
    };
    let value = member(parts, "value").cloned();
    if let Place::Path(path) = &place
        && path.attribute.schema.is_none()
        && own(&path.attribute.name)
    {
        let name = &path.attribute.name;
        return Err(ScimError::Mutability(format!("{name} cannot be written")));
    }
    Ok(Operation { kind, place, value })
}

/// One operation on a user. What is not stored is passed over: administrators map attributes as they like.
fn change(
    record: &mut UserRecord,
    kind: Kind,
    path: &PatchPath,
    value: Option<&Value>,
    work: &mut Work,
) -> Result<(), ScimError> {
    let Some(place) = schema::place(path.attribute.schema.as_deref(), &path.attribute.name) else {
        return Ok(());
    };
    let attribute = place.attribute;
    let record = &mut record.0;
    let holder = if place.extended {
        let extension = record
            .entry(schema::ENTERPRISE)
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(extension) = extension else {
            return Ok(());
        };
        extension
    } else {
        &mut *record
    };
    // It is a copy that is worked on: what is refused leaves nothing behind.
    let before = holder.get_mut(attribute.name).map(Value::take);
    let after = altered(attribute, before, kind, path, value, work)?;
    match after {
        Some(value) => {
            // Not at the end alone: what follows works on it, again and again.
            work.spend(resource::checked_length(&value)?);
            holder.insert(attribute.name.to_owned(), value);
        }
        None => {
            holder.shift_remove(attribute.name);
        }
    }
    if place.extended && holder.is_empty() {
        record.shift_remove(schema::ENTERPRISE);
    }
    if work.is_spent() {
        return Err(ScimError::TooMany(
            "the operations go through too much; send them in several requests".to_owned(),
        ));
    }
    Ok(())
}

/// An attribute once an operation is carried out; `None` where it is there no more.
fn altered(
    attribute: &Attribute,
    before: Option<Value>,
    kind: Kind,
    path: &PatchPath,
    value: Option<&Value>,
    work: &mut Work,
) -> Result<Option<Value>, ScimError> {
    let sub = path.attribute.sub.as_deref();
    let within = || ScimError::Path(format!("{} has no elements and no parts", attribute.name));
    match (attribute.shape, &path.which, sub) {
        (Shape::Text | Shape::Truth, None, None) => match kind {
            Kind::Remove => Ok(None),
            Kind::Assign(_) => resource::read(attribute, value.unwrap_or(&Value::Null)),
        },
        (Shape::Text | Shape::Truth, _, _) => Err(within()),
        (Shape::Complex(_), Some(_), _) => Err(ScimError::Path(format!("{} is no list", attribute.name))),
        (Shape::Complex(parts), None, Some(sub)) => {
            let mut object = object(before);
            set(&mut object, parts, sub, kind, value)?;
            Ok((!object.is_empty()).then_some(Value::Object(object)))
        }
        (Shape::Complex(parts), None, None) => match (kind, value) {
            (Kind::Remove, _) => Ok(None),
            // Parts that are not named stay, unless the whole is a reference to something else.
            (Kind::Assign(_), Some(Value::Object(values))) if schema::attribute(parts, "value").is_none() => {
                let mut object = object(before);
                for (key, value) in values {
                    set(&mut object, parts, key, kind, Some(value))?;
                }
                Ok((!object.is_empty()).then_some(Value::Object(object)))
            }
            (Kind::Assign(_), value) => resource::read(attribute, value.unwrap_or(&Value::Null)),
        },
        (Shape::List(parts), which, sub) => {
            let elements = match before {
                Some(Value::Array(elements)) => elements,
                _ => Vec::new(),
            };
            let list = List {
                attribute,
                parts,
                elements,
                work,
            };
            let elements = match (which, sub) {
                (None, None) => list.whole(kind, value)?,
                (which, Some(sub)) => list.parts(which.as_ref(), sub, kind, value)?,
                (Some(which), None) => list.elements(which, kind, value)?,
            };
            resource::list(attribute, elements)
        }
    }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Sets or clears one part of an object. A part that is not stored is passed over.
fn set(
    object: &mut Map<String, Value>,
    parts: &'static [Attribute],
    name: &str,
    kind: Kind,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let Some(part) = schema::attribute(parts, name) else {
        return Ok(());
    };
    let value = match kind {
        Kind::Remove => None,
        Kind::Assign(_) => resource::read(part, value.unwrap_or(&Value::Null))?,
    };
    match value {
        Some(value) => object.insert(part.name.to_owned(), value),
        None => object.shift_remove(part.name),
    };
    Ok(())
}

/// A list that an operation works on.
struct List<'a> {
    attribute: &'a Attribute,
    parts: &'static [Attribute],
    elements: Vec<Value>,
    work: &'a mut Work,
}

impl List<'_> {
    /// On the list itself.
    fn whole(mut self, kind: Kind, value: Option<&Value>) -> Result<Vec<Value>, ScimError> {
        let given = match resource::read(self.attribute, value.unwrap_or(&Value::Null))? {
            Some(Value::Array(given)) => given,
            _ => Vec::new(),
        };
        match (kind, value) {
            (Kind::Remove, None | Some(Value::Null)) => Ok(Vec::new()),
            (Kind::Remove, Some(_)) => {
                self.elements
                    .retain(|element| !given.iter().any(|given| is_meant(element, given)));
                Ok(self.elements)
            }
            (Kind::Assign(Assign::Replace), _) => Ok(given),
            (Kind::Assign(Assign::Add), _) => {
                for element in given {
                    if !self.elements.contains(&element) {
                        self.elements.push(element);
                    }
                }
                Ok(self.elements)
            }
        }
    }

    /// On whole elements.
    fn elements(
        mut self,
        which: &Filter,
        kind: Kind,
        value: Option<&Value>,
    ) -> Result<Vec<Value>, ScimError> {
        let given = match resource::read(self.attribute, value.unwrap_or(&Value::Null))? {
            Some(Value::Array(given)) => given.into_iter().next(),
            _ => None,
        };
        let Some(Value::Object(given)) = given.filter(|_| kind != Kind::Remove) else {
            self.elements
                .retain(|element| !which.matches_element(element, self.work));
            return Ok(self.elements);
        };
        let mut met = false;
        for element in &mut self.elements {
            if which.matches_element(element, self.work)
                && let Value::Object(parts) = element
            {
                met = true;
                parts.extend(given.clone());
            }
        }
        if !met {
            let mut made = self.demanded(which)?;
            made.extend(given);
            self.elements.push(Value::Object(made));
        }
        Ok(self.elements)
    }

    /// On one part of elements. Where none is as asked for, one is made: Entra does not know which there are.
    fn parts(
        mut self,
        which: Option<&Filter>,
        sub: &str,
        kind: Kind,
        value: Option<&Value>,
    ) -> Result<Vec<Value>, ScimError> {
        let mut met = false;
        for element in &mut self.elements {
            if which.is_none_or(|which| which.matches_element(element, self.work))
                && let Value::Object(parts) = element
            {
                met = true;
                set(parts, self.parts, sub, kind, value)?;
            }
        }
        if !met && kind != Kind::Remove {
            let mut made = match which {
                Some(which) => self.demanded(which)?,
                None => Map::new(),
            };
            let before = made.len();
            set(&mut made, self.parts, sub, kind, value)?;
            if made.len() > before || which.is_none() {
                self.elements.push(Value::Object(made));
            }
        }
        Ok(self.elements)
    }

    /// The parts that an element must have to be as a filter says.
    fn demanded(&self, which: &Filter) -> Result<Map<String, Value>, ScimError> {
        let mut made = Map::new();
        for filter in which.conjuncts() {
            if let Filter::Compare(path, Comparison::Equal, literal) = filter
                && let Some(part) = schema::attribute(self.parts, &path.name)
            {
                let value = match literal {
                    Literal::Text(text) => Value::from(text.as_str()),
                    Literal::Bool(truth) => Value::from(*truth),
                    Literal::Number(number) => Value::from(number.clone()),
                    Literal::Null => continue,
                };
                made.extend(resource::read(part, &value)?.map(|value| (part.name.to_owned(), value)));
            }
        }
        Ok(made)
    }
}

/// Whether a removal that has a value means this element: everything it says must be so.
fn is_meant(element: &Value, given: &Value) -> bool {
    match given {
        Value::Object(parts) => parts.iter().all(|(name, value)| element.get(name) == Some(value)),
        other => element == other,
    }
}

fn change_group(
    record: &mut GroupRecord,
    members: &mut Vec<Membership>,
    kind: Kind,
    path: &PatchPath,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    if path
        .attribute
        .schema
        .as_deref()
        .is_some_and(|schema| schema != schema::GROUP)
    {
        return Ok(());
    }
    if path.attribute.is(schema::MEMBERS) {
        let change = member_change(kind, path.which.as_ref(), value)?;
        match (members.last_mut(), change) {
            // An operation for each member is one of Entra's dialects: together they cost as much as one.
            (Some(Membership::Add(before)), Membership::Add(more))
            | (Some(Membership::Remove(before)), Membership::Remove(more)) => before.extend(more),
            (_, change) => members.push(change),
        }
        return Ok(());
    }
    let Some(attribute) = schema::attribute(schema::GROUP_ATTRIBUTES, &path.attribute.name) else {
        return Ok(());
    };
    let text = match altered(attribute, None, kind, path, value, &mut Work::of(MOST_WORK))? {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    if attribute.name == schema::EXTERNAL_ID {
        record.external_id = text;
    } else {
        record.display_name = text.unwrap_or_default();
    }
    Ok(())
}

fn member_change(kind: Kind, which: Option<&Filter>, value: Option<&Value>) -> Result<Membership, ScimError> {
    let value = value.filter(|value| !value.is_null());
    match (kind, which) {
        (Kind::Remove, Some(which)) => Ok(Membership::Remove(named(which)?)),
        (Kind::Remove, None) => match value {
            None => Ok(Membership::Replace(Vec::new())),
            // Not in the standard, and not to be read as "all"
            // (<https://github.com/MicrosoftDocs/azure-docs/issues/30826>).
            Some(value) => Ok(Membership::Remove(member_ids(value)?)),
        },
        (Kind::Assign(Assign::Add), None) => Ok(Membership::Add(match value {
            Some(value) => member_ids(value)?,
            None => Vec::new(),
        })),
        (Kind::Assign(Assign::Replace), None) => Ok(Membership::Replace(match value {
            Some(value) => member_ids(value)?,
            None => Vec::new(),
        })),
        (Kind::Assign(_), Some(_)) => Err(ScimError::Path("members are added without brackets".to_owned())),
    }
}

/// The members that a filter in brackets names.
fn named(which: &Filter) -> Result<Vec<ScimUserId>, ScimError> {
    let some = match which {
        Filter::Or(some) => some.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut ids = Vec::with_capacity(some.len());
    for filter in some {
        let Some(id) = filter.demands("value") else {
            return Err(ScimError::Filter(
                r#"members are named by value: members[value eq "…"]"#.to_owned(),
            ));
        };
        ids.extend(id.parse::<ScimUserId>());
    }
    Ok(ids)
}

/// The members that a value names: a list, an object or a bare text. An id that is none of ours names nobody.
///
/// # Errors
/// [`ScimError::Value`] where a member has no text for a value.
pub(super) fn member_ids(value: &Value) -> Result<Vec<ScimUserId>, ScimError> {
    let members = match value {
        Value::Array(members) => members.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut ids = Vec::with_capacity(members.len());
    for named in members {
        let id = match named {
            Value::String(id) => Some(id.as_str()),
            Value::Object(parts) => member(parts, "value").and_then(Value::as_str),
            _ => None,
        };
        let Some(id) = id else {
            return Err(ScimError::Value("a member is named by its value".to_owned()));
        };
        ids.extend(id.parse::<ScimUserId>());
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;
