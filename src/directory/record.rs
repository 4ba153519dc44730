//! A person as SCIM would have described them.

use serde_json::{Map, Value, json};

use crate::entra::delta::{PersonTold, Said};
use crate::model::scim::UserRecord;

/// What is known of a person once this was told: what it does not say stays as it is. Whoever is gone is inactive.
pub(super) fn told(before: Option<&UserRecord>, told: &PersonTold) -> UserRecord {
    let mut record = before.map(|before| before.0.clone()).unwrap_or_default();
    record.insert("externalId".to_owned(), told.object.to_string().into());
    if told.gone.is_some() {
        record.insert("active".to_owned(), false.into());
        name_somehow(&mut record, told);
        return UserRecord(record);
    }
    let was_active = before.is_none_or(UserRecord::is_active);
    let active = told.enabled.unwrap_or(was_active);
    record.insert("active".to_owned(), active.into());
    if let Some(name) = told.principal_name.value() {
        record.insert("userName".to_owned(), name.into());
    }
    name_somehow(&mut record, told);
    put(&mut record, "displayName", &told.display_name);
    let mut name = match record.remove("name") {
        Some(Value::Object(name)) => name,
        _ => Map::new(),
    };
    put(&mut name, "givenName", &told.given_name);
    put(&mut name, "familyName", &told.surname);
    if !name.is_empty() {
        record.insert("name".to_owned(), Value::Object(name));
    }
    address(&mut record, &told.mail);
    UserRecord(record)
}

/// Nobody is without a name; one who has none goes by the object.
fn name_somehow(record: &mut Map<String, Value>, told: &PersonTold) {
    record
        .entry("userName")
        .or_insert_with(|| told.object.to_string().into());
}

fn put(record: &mut Map<String, Value>, name: &str, said: &Said) {
    match said {
        Said::Nothing => {}
        Said::Empty => {
            record.remove(name);
        }
        Said::Value(value) => {
            record.insert(name.to_owned(), value.as_str().into());
        }
    }
}

/// The address for work is Graph's; others stay.
fn address(record: &mut Map<String, Value>, mail: &Said) {
    if *mail == Said::Nothing {
        return;
    }
    let mut emails = match record.remove("emails") {
        Some(Value::Array(emails)) => emails,
        _ => Vec::new(),
    };
    let is_of_work = |email: &Value| {
        let kind = email.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
    };
    emails.retain(|email| !is_of_work(email));
    if let Some(mail) = mail.value() {
        emails.push(json!({ "type": "work", "value": mail, "primary": true }));
    }
    if !emails.is_empty() {
        record.insert("emails".to_owned(), Value::Array(emails));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::delta::page::Entry as _;

    const ALICE: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";

    fn read(entry: Value) -> PersonTold {
        let mut entry = entry;
        entry["id"] = ALICE.into();
        PersonTold::read(entry.as_object().unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_said_stays_and_what_is_empty_goes() {
        let first = told(
            None,
            &read(json!({
                "accountEnabled": true, "userPrincipalName": "a@x.example", "mail": "alice@x.example",
                "displayName": "Alice", "givenName": "Alice", "surname": "Example"
            })),
        );
        assert_eq!((first.user_name(), first.is_active()), ("a@x.example", true));
        assert_eq!(first.work_email(), Some("alice@x.example"));
        assert_eq!(first.object().unwrap().to_string(), ALICE);
        assert_eq!(first.name_part("familyName"), Some("Example"));
        let same = told(Some(&first), &read(json!({})));
        assert_eq!(same, first);
        let changed = told(
            Some(&first),
            &read(json!({ "accountEnabled": false, "mail": null, "surname": null })),
        );
        assert_eq!((changed.is_active(), changed.work_email()), (false, None));
        assert_eq!(
            (changed.name_part("familyName"), changed.name_part("givenName")),
            (None, Some("Alice"))
        );
        let same = told(Some(&changed), &read(json!({ "displayName": "Alice" })));
        assert!(!same.is_active(), "nobody said that she is back");
    }

    #[test]
    fn whoever_is_gone_is_inactive_and_otherwise_as_before() {
        let before = told(
            None,
            &read(json!({ "accountEnabled": true, "userPrincipalName": "a@x.example" })),
        );
        let gone = told(
            Some(&before),
            &read(json!({ "@removed": { "reason": "changed" } })),
        );
        assert_eq!((gone.user_name(), gone.is_active()), ("a@x.example", false));
        let never_known = told(None, &read(json!({ "@removed": { "reason": "deleted" } })));
        assert_eq!((never_known.user_name(), never_known.is_active()), (ALICE, false));
    }
}
