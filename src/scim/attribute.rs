//! The names of attributes, as filters, PATCH paths and `attributes` write them (RFC 7644 §3.10).

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::schema;

/// The longest name that is read, in bytes: the longest of the standard has some 80.
const LONGEST: usize = 256;

/// The name of an attribute, perhaps with its schema before it and a sub-attribute behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrPath {
    /// The schema's URN where one is written, in its own spelling where it is a known one.
    pub schema: Option<Box<str>>,
    /// The attribute.
    pub name: Box<str>,
    /// The sub-attribute.
    pub sub: Option<Box<str>>,
}

/// A text that names no attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an attribute is named like userName, name.givenName or urn:…:User:department")]
pub struct AttrMalformed;

impl AttrPath {
    /// A name without schema and sub-attribute.
    pub fn plain(name: &str) -> Self {
        Self {
            schema: None,
            name: name.into(),
            sub: None,
        }
    }

    /// Whether it is this attribute; case does not matter (RFC 7643 §2.1).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it is this sub-attribute of this attribute.
    pub fn is_sub(&self, name: &str, sub: &str) -> bool {
        self.is(name)
            && self
                .sub
                .as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(sub))
    }

    /// Whether texts of this attribute differ by case (`caseExact` of RFC 7643 §7): identifiers do.
    pub(super) fn is_exact(&self) -> bool {
        // What a member or manager is called is no identifier.
        let is_label = ["display", "displayName", "type"].iter().any(|label| {
            self.sub
                .as_deref()
                .is_some_and(|sub| sub.eq_ignore_ascii_case(label))
        });
        !is_label
            && ["id", "externalId", "members", "manager", "$ref"]
                .iter()
                .any(|exact| self.is(exact))
    }

    /// The values of the attribute in a resource: every element of a list, and of an element without sub-attribute its
    /// `value`.
    pub(super) fn values<'r>(&self, resource: &'r Map<String, Value>) -> Vec<&'r Value> {
        let Some(found) = self.find(resource) else {
            return Vec::new();
        };
        let elements = match found {
            Value::Array(elements) => elements.as_slice(),
            single => std::slice::from_ref(single),
        };
        let sub = self.sub.as_deref();
        let values = elements.iter().filter_map(|element| match (element, sub) {
            (Value::Object(parts), Some(sub)) => member(parts, sub),
            (Value::Object(parts), None) => member(parts, "value").or(Some(element)),
            (_, Some(_)) => None,
            (plain, None) => Some(plain),
        });
        values.filter(|value| !value.is_null()).collect()
    }

    /// The attribute itself, whole.
    pub(super) fn find<'r>(&self, resource: &'r Map<String, Value>) -> Option<&'r Value> {
        let extension = |urn: &str| member(resource, urn).and_then(Value::as_object);
        match self.schema.as_deref() {
            None => {
                member(resource, &self.name).or_else(|| member(extension(schema::ENTERPRISE)?, &self.name))
            }
            Some(schema::USER | schema::GROUP) => member(resource, &self.name),
            Some(urn) => member(extension(urn)?, &self.name),
        }
    }
}

/// A member of an object, whatever the case of its name.
pub(super) fn member<'r>(object: &'r Map<String, Value>, name: &str) -> Option<&'r Value> {
    object.get(name).or_else(|| {
        let found = object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    })
}

impl FromStr for AttrPath {
    type Err = AttrMalformed;

    fn from_str(text: &str) -> Result<Self, AttrMalformed> {
        if text.len() > LONGEST {
            return Err(AttrMalformed);
        }
        let (schema, rest) = split(text);
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        if !is_name(name) || !sub.is_none_or(is_name) || !schema.is_none_or(is_urn) {
            return Err(AttrMalformed);
        }
        Ok(Self {
            schema: schema.map(Into::into),
            name: name.into(),
            sub: sub.map(Into::into),
        })
    }
}

/// The schema and what stands behind it. Behind a known one a dot does as well as a colon: jobs of 2018 write
/// `urn:…:2.0:User.manager`
/// (<https://learn.microsoft.com/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility>).
fn split(text: &str) -> (Option<&str>, &str) {
    for known in schema::ALL {
        let Some((head, rest)) = text.split_at_checked(known.len()) else {
            continue;
        };
        if head.eq_ignore_ascii_case(known)
            && let Some(rest) = rest.strip_prefix([':', '.'])
        {
            return (Some(known), rest);
        }
    }
    match text.rsplit_once(':') {
        Some((schema, rest)) => (Some(schema), rest),
        None => (None, text),
    }
}

fn is_urn(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":.-_".contains(&byte);
    text.get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case("urn:"))
        && text.bytes().all(fits)
}

/// `ATTRNAME` of RFC 7644 §3.10, and `$ref`.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'$')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(Option<String>, String, Option<String>)> {
        let path: AttrPath = text.parse().ok()?;
        Some((
            path.schema.map(String::from),
            path.name.into(),
            path.sub.map(String::from),
        ))
    }

    #[test]
    fn names_are_read_with_schema_and_sub_attribute() {
        let enterprise = Some(schema::ENTERPRISE.to_owned());
        let name = |name: &str| name.to_owned();
        let cases = [
            ("userName", (None, name("userName"), None)),
            ("name.givenName", (None, name("name"), Some(name("givenName")))),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
                (enterprise.clone(), name("manager"), Some(name("value"))),
            ),
            (
                "URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user.manager",
                (enterprise, name("manager"), None),
            ),
            (
                "urn:ietf:params:scim:schemas:extension:CustomExt:2.0:User:badge",
                (
                    Some(name("urn:ietf:params:scim:schemas:extension:CustomExt:2.0:User")),
                    name("badge"),
                    None,
                ),
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(parts(text), Some(wanted), "{text}");
        }
        for text in [
            "", "1a", "a b", "a..b", "a.b.c", "x:y", ":a", "a:", "é", "a[", "name.",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
