//! How changes are written down: as Entra does by default, and as it does with `?aadOptscim062020`.
//!
//! <https://learn.microsoft.com/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility>

use serde_json::{Map, Value, json};

/// The extension of users in enterprises.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A dialect of PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Capitalised operations, truth values as texts, one operation for each attribute, removals with a value.
    Default,
    /// What the flag `aadOptscim062020` asks for: lower case, real truth values, plain attributes in one operation
    /// without a path, members removed by a filter.
    Flagged,
}

/// What the application is told of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) user_name: String,
    pub(super) external_id: String,
    pub(super) active: bool,
    pub(super) display_name: String,
    pub(super) given_name: Option<String>,
    pub(super) family_name: Option<String>,
    pub(super) mail: Option<String>,
    pub(super) department: Option<String>,
}

impl Attributes {
    /// Values by path.
    fn by_path(&self) -> Vec<(String, Value)> {
        let text = |text: &Option<String>| Value::from(text.as_deref().unwrap_or_default());
        vec![
            ("userName".to_owned(), self.user_name.as_str().into()),
            ("externalId".to_owned(), self.external_id.as_str().into()),
            ("active".to_owned(), self.active.into()),
            ("displayName".to_owned(), self.display_name.as_str().into()),
            ("name.givenName".to_owned(), text(&self.given_name)),
            ("name.familyName".to_owned(), text(&self.family_name)),
            ("emails[type eq \"work\"].value".to_owned(), text(&self.mail)),
            (format!("{ENTERPRISE}:department"), text(&self.department)),
        ]
    }
}

impl Dialect {
    /// The operations that make one of the other; none where they are the same.
    pub(super) fn changes(self, told: &Attributes, wanted: &Attributes) -> Option<Value> {
        let told = told.by_path();
        let changed: Vec<(String, Value)> = wanted
            .by_path()
            .into_iter()
            .filter(|wanted| !told.contains(wanted))
            .collect();
        (!changed.is_empty()).then(|| self.operations(changed))
    }

    /// The operations that assert everything.
    pub(super) fn all(self, wanted: &Attributes) -> Value {
        self.operations(wanted.by_path())
    }

    fn operations(self, changed: Vec<(String, Value)>) -> Value {
        if self == Self::Default {
            let operation = |(path, value): (String, Value)| {
                let value = match value {
                    Value::Bool(true) => "True".into(),
                    Value::Bool(false) => "False".into(),
                    other => other,
                };
                json!({ "op": "Replace", "path": path, "value": value })
            };
            return changed.into_iter().map(operation).collect();
        }
        let (filtered, plain): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|(path, _)| path.contains('['));
        let mut operations: Vec<Value> = filtered
            .into_iter()
            .map(|(path, value)| json!({ "op": "replace", "path": path, "value": value }))
            .collect();
        if !plain.is_empty() {
            let plain: Map<String, Value> = plain.into_iter().collect();
            operations.push(json!({ "op": "replace", "value": plain }));
        }
        operations.into()
    }

    pub(super) fn rename(self, name: &str) -> Value {
        match self {
            Self::Default => json!([{ "op": "Replace", "path": "displayName", "value": name }]),
            Self::Flagged => json!([{ "op": "replace", "value": { "displayName": name } }]),
        }
    }

    pub(super) fn add_members(self, ids: &[String]) -> Value {
        let member = |id: &String| match self {
            Self::Default => json!({ "$ref": null, "value": id }),
            Self::Flagged => json!({ "value": id }),
        };
        let members: Vec<Value> = ids.iter().map(member).collect();
        let op = if self == Self::Default { "Add" } else { "add" };
        json!([{ "op": op, "path": "members", "value": members }])
    }

    pub(super) fn remove_members(self, ids: &[String]) -> Value {
        match self {
            Self::Default => {
                let members: Vec<Value> = ids
                    .iter()
                    .map(|id| json!({ "$ref": null, "value": id }))
                    .collect();
                json!([{ "op": "Remove", "path": "members", "value": members }])
            }
            Self::Flagged => ids
                .iter()
                .map(|id| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice(active: bool, name: &str) -> Attributes {
        Attributes {
            user_name: "alice@contoso.example".to_owned(),
            external_id: "0aa11bb2".to_owned(),
            active,
            display_name: name.to_owned(),
            given_name: None,
            family_name: None,
            mail: Some("alice@contoso.example".to_owned()),
            department: None,
        }
    }

    #[test]
    fn both_dialects_say_the_same_in_their_own_way() {
        let (before, after) = (alice(true, "Alice"), alice(false, "Alice B"));
        assert_eq!(
            Dialect::Default.changes(&before, &after),
            Some(json!([
                { "op": "Replace", "path": "active", "value": "False" },
                { "op": "Replace", "path": "displayName", "value": "Alice B" }
            ]))
        );
        assert_eq!(
            Dialect::Flagged.changes(&before, &after),
            Some(json!([{ "op": "replace", "value": { "active": false, "displayName": "Alice B" } }]))
        );
        assert_eq!(Dialect::Default.changes(&after, &after), None);
        let ids = ["x".to_owned()];
        assert_eq!(
            Dialect::Default.remove_members(&ids),
            json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": "x" }] }])
        );
        assert_eq!(
            Dialect::Flagged.remove_members(&ids),
            json!([{ "op": "remove", "path": "members[value eq \"x\"]" }])
        );
    }
}
