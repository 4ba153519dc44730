//! What is stored of users and groups, and how it is described: `/Schemas`, `/ResourceTypes`, `/ServiceProviderConfig`
//! (RFC 7643 §5, §6, §7).
//!
//! One table says which attributes there are; what stands in it is stored and given back, everything else is passed
//! over. Microsoft's validator writes every attribute that is listed as `readWrite` and expects to read it again.

use std::fmt::{Display, Write as _};

use serde_json::{Value, json};

/// The schema of users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The extension of users in enterprises.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schemas there are.
pub(super) const ALL: [&str; 3] = [ENTERPRISE, USER, GROUP];

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// An attribute of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    about: &'static str,
}

/// What the values of an attribute are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text.
    Text,
    /// A truth value.
    Truth,
    /// An object with these parts.
    Complex(&'static [Attribute]),
    /// A list of objects with these parts.
    List(&'static [Attribute]),
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute {
        name,
        shape: Shape::Text,
        about,
    }
}

const PRIMARY: Attribute = Attribute {
    name: "primary",
    shape: Shape::Truth,
    about: "Whether it is the preferred one",
};
const PLURAL: &[Attribute] = &[
    text("value", "The value"),
    text("display", "What it is called"),
    text("type", "What it is for"),
    PRIMARY,
];
const NAME: &[Attribute] = &[
    text("formatted", "The whole name"),
    text("familyName", "The family name"),
    text("givenName", "The given name"),
    text("middleName", "The middle name"),
    text("honorificPrefix", "What stands before the name"),
    text("honorificSuffix", "What stands behind the name"),
];
const ADDRESS: &[Attribute] = &[
    text("formatted", "The whole address"),
    text("streetAddress", "Street and number"),
    text("locality", "The town"),
    text("region", "The region"),
    text("postalCode", "The postal code"),
    text("country", "The country"),
    text("type", "What it is for"),
    PRIMARY,
];
const MANAGER: &[Attribute] = &[
    text("value", "The id of the manager's resource"),
    text("$ref", "The address of the manager's resource"),
    text("displayName", "The manager's name"),
];

/// The name that everything hangs on.
pub(super) const USER_NAME: &str = "userName";
/// Whether the person may sign in.
pub(super) const ACTIVE: &str = "active";
/// The directory's own id.
pub(super) const EXTERNAL_ID: &str = "externalId";
/// The name for people.
pub(super) const DISPLAY_NAME: &str = "displayName";
/// Who is in a group.
pub(super) const MEMBERS: &str = "members";

/// The attributes of users.
pub(super) const USER_ATTRIBUTES: &[Attribute] = &[
    text(
        USER_NAME,
        "The name the person signs in with, unique whatever its case",
    ),
    Attribute {
        name: ACTIVE,
        shape: Shape::Truth,
        about: "Whether the person may sign in",
    },
    text(
        EXTERNAL_ID,
        "The id that the directory gives: the object id links to the sign-in",
    ),
    text(DISPLAY_NAME, "The name for people"),
    Attribute {
        name: "name",
        shape: Shape::Complex(NAME),
        about: "The parts of the name",
    },
    text("nickName", "The casual name"),
    text("profileUrl", "A page about the person"),
    text("title", "The job title"),
    text("userType", "How the person stands to the organization"),
    text("preferredLanguage", "The preferred language"),
    text("locale", "The locale"),
    text("timezone", "The time zone"),
    Attribute {
        name: "emails",
        shape: Shape::List(PLURAL),
        about: "E-mail addresses",
    },
    Attribute {
        name: "phoneNumbers",
        shape: Shape::List(PLURAL),
        about: "Telephone numbers",
    },
    Attribute {
        name: "addresses",
        shape: Shape::List(ADDRESS),
        about: "Postal addresses",
    },
    Attribute {
        name: "roles",
        shape: Shape::List(PLURAL),
        about: "Roles",
    },
];

/// The attributes that the enterprise extension adds to users.
pub(super) const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    text("employeeNumber", "The number of the employee"),
    text("costCenter", "The cost centre"),
    text("organization", "The organization"),
    text("division", "The division"),
    text("department", "The department"),
    Attribute {
        name: "manager",
        shape: Shape::Complex(MANAGER),
        about: "The manager",
    },
];

/// The attributes of groups, members left out: those are kept one by one.
pub(super) const GROUP_ATTRIBUTES: &[Attribute] = &[
    text(DISPLAY_NAME, "The group's name, unique whatever its case"),
    text(
        EXTERNAL_ID,
        "The id that the directory gives: the object id is what policies name",
    ),
];

/// The attribute of this name, whatever its case.
pub(super) fn attribute(among: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    among
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// Where an attribute of a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// In the enterprise extension rather than in the core.
    pub(super) extended: bool,
    /// What it is.
    pub(super) attribute: &'static Attribute,
}

/// The place of a user's attribute; `None` for one that is not stored. Without a schema it is one of the core, or else
/// of the extension: some mappings leave the URN out.
pub(super) fn place(schema: Option<&str>, name: &str) -> Option<Place> {
    let core = || {
        attribute(USER_ATTRIBUTES, name).map(|attribute| Place {
            extended: false,
            attribute,
        })
    };
    let extension = || {
        attribute(ENTERPRISE_ATTRIBUTES, name).map(|attribute| Place {
            extended: true,
            attribute,
        })
    };
    match schema {
        None => core().or_else(extension),
        Some(USER) => core(),
        Some(ENTERPRISE) => extension(),
        Some(_) => None,
    }
}

/// `/ServiceProviderConfig`. What Entra never uses is not offered.
pub(super) fn service_provider_config(base: &str, most: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": most },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": false },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer secret",
            "description": "The secret that `vestibule idp scim-secret` shows once",
            "primary": true
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig")
        }
    })
}

/// `/ResourceTypes`, or the one of an id.
pub(super) fn resource_types(base: &str) -> Vec<(&'static str, Value)> {
    let kind = |id: &'static str, endpoint: &str, schema: &str, extensions: Value| {
        let mut kind = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": id,
            "name": id,
            "endpoint": endpoint,
            "schema": schema,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{id}") }
        });
        if let Value::Object(kind) = &mut kind
            && !extensions.is_null()
        {
            kind.insert("schemaExtensions".to_owned(), extensions);
        }
        (id, kind)
    };
    let extended = json!([{ "schema": ENTERPRISE, "required": false }]);
    vec![
        kind("User", "/Users", USER, extended),
        kind("Group", "/Groups", GROUP, Value::Null),
    ]
}

/// `/Schemas`, or the one of an id.
pub(super) fn schemas(base: &str) -> Vec<(&'static str, Value)> {
    let schema = |id: &'static str, name: &str, about: &str, attributes: Vec<Value>| {
        let described = json!({
            "schemas": [SCHEMA],
            "id": id,
            "name": name,
            "description": about,
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") }
        });
        (id, described)
    };
    let mut group = described(GROUP_ATTRIBUTES);
    group.push(json!({
        "name": MEMBERS,
        "type": "complex",
        "multiValued": true,
        "description": "Who is in the group: users alone",
        "required": false,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
        "subAttributes": [
            part("value", "The id of the member's resource", "immutable"),
            part("$ref", "The address of the member's resource", "readOnly"),
            part("display", "The member's name", "readOnly"),
            part("type", "What the member is", "readOnly"),
        ]
    }));
    vec![
        schema(USER, "User", "People", described(USER_ATTRIBUTES)),
        schema(GROUP, "Group", "Groups of people", group),
        schema(
            ENTERPRISE,
            "EnterpriseUser",
            "What enterprises say of people",
            described(ENTERPRISE_ATTRIBUTES),
        ),
    ]
}

fn part(name: &str, about: &str, mutability: &str) -> Value {
    json!({
        "name": name,
        "type": "string",
        "multiValued": false,
        "description": about,
        "required": false,
        "caseExact": true,
        "mutability": mutability,
        "returned": "default",
        "uniqueness": "none"
    })
}

fn described(attributes: &[Attribute]) -> Vec<Value> {
    attributes.iter().map(describe).collect()
}

fn describe(attribute: &Attribute) -> Value {
    let (kind, many, parts) = match attribute.shape {
        Shape::Text => ("string", false, None),
        Shape::Truth => ("boolean", false, None),
        Shape::Complex(parts) => ("complex", false, Some(parts)),
        Shape::List(parts) => ("complex", true, Some(parts)),
    };
    let required = attribute.name == USER_NAME;
    let mut described = json!({
        "name": attribute.name,
        "type": kind,
        "multiValued": many,
        "description": attribute.about,
        "required": required,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": if required { "server" } else { "none" }
    });
    if let Value::Object(described) = &mut described {
        if kind == "string" {
            described.insert("caseExact".to_owned(), (attribute.name == EXTERNAL_ID).into());
        }
        if let Some(parts) = parts {
            described.insert("subAttributes".to_owned(), self::described(parts).into());
        }
    }
    described
}

/// A `ListResponse` of some resources (RFC 7644 §3.4.2), each of them written out already.
pub(super) fn list(resources: &[String], total: usize, start_index: usize) -> String {
    let head = json!({
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len()
    });
    let mut list = Unfinished::list(&head, "Resources");
    for resource in resources {
        list.push(resource);
    }
    list.finish()
}

/// The text of an object whose last part is a list that is still growing. What may be long is written as it comes: as a
/// tree it would take many times as much.
pub(super) struct Unfinished {
    text: String,
    is_empty: bool,
}

impl Unfinished {
    /// Behind the other parts of the object, of which there is one at least.
    pub(super) fn list(object: &Value, name: &str) -> Self {
        let mut text = object.to_string();
        text.pop();
        let _ = write!(text, ",{}:[", Value::from(name)); // a text takes everything
        Self { text, is_empty: true }
    }

    /// How long it is so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends an element: JSON.
    pub(super) fn push(&mut self, element: &impl Display) {
        let comma = if self.is_empty { "" } else { "," };
        self.is_empty = false;
        let _ = write!(self.text, "{comma}{element}");
    }

    /// Ends the list, and the object with it.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("]}");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_in_core_and_extension() {
        let found = |schema, name| place(schema, name).map(|place| (place.extended, place.attribute.name));
        assert_eq!(found(None, "USERNAME"), Some((false, "userName")));
        assert_eq!(found(None, "department"), Some((true, "department")));
        assert_eq!(found(Some(ENTERPRISE), "Manager"), Some((true, "manager")));
        assert_eq!(found(Some(ENTERPRISE), "userName"), None);
        assert_eq!(found(Some("urn:x:y"), "userName"), None);
        assert_eq!(found(None, "shoeSize"), None);
    }

    #[test]
    fn nothing_in_the_schemas_is_null() {
        fn has_null(value: &Value) -> bool {
            match value {
                Value::Null => true,
                Value::Array(values) => values.iter().any(has_null),
                Value::Object(parts) => parts.values().any(has_null),
                _ => false,
            }
        }
        for (id, schema) in schemas("https://login.example.com/scim/v2") {
            assert!(!has_null(&schema), "{id}");
        }
    }
}
