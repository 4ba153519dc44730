//! Both dialects of Entra, one operation at a time, and what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const URN: &str = schema::ENTERPRISE;

fn alice() -> UserRecord {
    let alice = json!({
        "userName": "alice@corp.example",
        "externalId": "0aa11bb2",
        "active": true,
        "emails": [{ "primary": true, "type": "work", "value": "alice@corp.example" }],
        "name": { "formatted": "Alice Example", "familyName": "Example", "givenName": "Alice" }
    });
    resource::user(&alice, None).unwrap()
}

fn patched(operations: &Value) -> Result<UserRecord, ScimError> {
    Patch::parse(&json!({ "Operations": operations }))?.apply_to_user(&alice())
}

/// What a pointer shows after these operations.
fn after(operations: &Value, pointer: &str) -> Value {
    let record = patched(operations).unwrap_or_else(|error| panic!("{operations}: {error}"));
    Value::Object(record.0)
        .pointer(pointer)
        .cloned()
        .unwrap_or(Value::Null)
}

#[test]
fn truth_is_read_in_every_spelling_and_nothing_else_is() {
    for value in [json!(false), json!("False"), json!("false"), json!("FALSE")] {
        for op in ["Replace", "replace", "Add", "aDD"] {
            assert_eq!(
                after(
                    &json!([{ "op": op, "path": "active", "value": value }]),
                    "/active"
                ),
                json!(false)
            );
            let pathless = json!([{ "op": op, "value": { "active": value } }]);
            assert_eq!(after(&pathless, "/active"), json!(false));
        }
    }
    for value in [json!("maybe"), json!(""), Value::Null, json!(0), json!([false])] {
        let refused = patched(&json!([{ "op": "replace", "path": "active", "value": value }]));
        assert!(matches!(refused, Err(ScimError::Value(_))), "{value}");
    }
    assert!(
        patched(&json!([{ "op": "remove", "path": "active" }])).is_err(),
        "silence says nothing"
    );
    assert!(patched(&json!([{ "op": "remove", "path": "userName" }])).is_err());
}

#[test]
fn names_with_dots_and_urns_are_paths_and_not_names() {
    let combined = json!([
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "a2@corp.example" },
        { "op": "replace", "value": {
            "displayName": "Bjfe", "name.givenName": "Kkom",
            format!("{URN}:employeeNumber"): "Aklq", format!("{URN}.department"): "Sales",
            "urn:x:custom:2.0:User:badge": "77", "shoeSize": 43
        }}
    ]);
    let record = patched(&combined).unwrap();
    assert_eq!(
        record.0[URN],
        json!({ "employeeNumber": "Aklq", "department": "Sales" })
    );
    assert_eq!(record.0["name"]["givenName"], "Kkom");
    assert_eq!(record.0["name"]["familyName"], "Example");
    assert_eq!(record.work_email(), Some("a2@corp.example"));
    assert!(
        record
            .0
            .keys()
            .all(|key| !key.contains("name.") && !key.contains("badge") && key != "shoeSize")
    );
}

#[test]
fn an_element_that_is_not_there_is_made() {
    for op in ["Add", "Replace"] {
        let mobile =
            json!([{ "op": op, "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+49 1" }]);
        assert_eq!(
            after(&mobile, "/phoneNumbers"),
            json!([{ "type": "mobile", "value": "+49 1" }])
        );
    }
    let roles = json!([
        { "op": "Add", "path": "roles[primary eq \"True\"].display", "value": "Admin" },
        { "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin" }
    ]);
    assert_eq!(
        after(&roles, "/roles"),
        json!([{ "primary": true, "display": "Admin", "value": "admin" }])
    );
}

#[test]
fn null_and_the_empty_text_clear() {
    for nothing in [json!(""), Value::Null] {
        let path = "emails[type eq \"work\"].value";
        assert_eq!(
            after(
                &json!([{ "op": "replace", "path": path, "value": nothing }]),
                "/emails"
            ),
            Value::Null
        );
        let name = json!([{ "op": "replace", "value": { "name.givenName": nothing } }]);
        assert_eq!(after(&name, "/name/givenName"), Value::Null);
        let absent =
            json!([{ "op": "replace", "path": "phoneNumbers[type eq \"fax\"].value", "value": nothing }]);
        assert_eq!(after(&absent, "/phoneNumbers"), Value::Null);
    }
}

#[test]
fn a_manager_is_read_in_every_form() {
    let pointer = format!("/{URN}/manager/value");
    for path in [
        "manager".to_owned(),
        format!("{URN}:manager"),
        format!("{URN}.manager"),
    ] {
        for value in [
            json!("b"),
            json!({ "value": "b" }),
            json!([{ "$ref": "http://x/b", "value": "b" }]),
        ] {
            let set = json!([{ "op": "Add", "path": path, "value": value }]);
            assert_eq!(after(&set, &pointer), json!("b"), "{set}");
            let cleared = json!([
                { "op": "Add", "path": path, "value": value },
                { "op": "Replace", "path": path, "value": "" }
            ]);
            assert_eq!(after(&cleared, &format!("/{URN}")), Value::Null, "{cleared}");
        }
    }
}

#[test]
fn lists_are_added_to_replaced_and_taken_from() {
    let home = json!({ "type": "home", "value": "a@home.example" });
    let both = json!([{ "op": "add", "path": "emails", "value": [home, home] }]);
    assert_eq!(
        after(&both, "/emails").as_array().unwrap().len(),
        2,
        "the same is added once"
    );
    let only = json!([{ "op": "replace", "path": "emails", "value": home }]);
    assert_eq!(after(&only, "/emails"), json!([home]));
    let taken = json!([
        { "op": "add", "path": "emails", "value": home },
        { "op": "remove", "path": "emails", "value": [{ "value": "alice@corp.example" }] }
    ]);
    assert_eq!(after(&taken, "/emails"), json!([home]));
    let all = json!([{ "op": "remove", "path": "emails" }]);
    assert_eq!(after(&all, "/emails"), Value::Null);
    let filtered = json!([{ "op": "remove", "path": "emails[type eq \"work\"]" }]);
    assert_eq!(after(&filtered, "/emails"), Value::Null);
    let merged =
        json!([{ "op": "replace", "path": "emails[type eq \"work\"]", "value": { "display": "Work" } }]);
    assert_eq!(after(&merged, "/emails/0/display"), json!("Work"));
    assert_eq!(after(&merged, "/emails/0/value"), json!("alice@corp.example"));
}

#[test]
fn what_cannot_be_carried_out_is_named() {
    let kind = |operations: Value| patched(&operations).unwrap_err().body()["scimType"].clone();
    assert_eq!(
        kind(json!([{ "op": "move", "path": "active", "value": false }])),
        "invalidSyntax"
    );
    assert_eq!(kind(json!([{ "op": "remove" }])), "noTarget");
    assert_eq!(
        kind(json!([{ "op": "replace", "path": "id", "value": "x" }])),
        "mutability"
    );
    assert_eq!(
        kind(json!([{ "op": "replace", "path": "emails[type eq", "value": "x" }])),
        "invalidPath"
    );
    assert_eq!(
        kind(json!([{ "op": "replace", "path": "active.x", "value": true }])),
        "invalidPath"
    );
    assert_eq!(
        kind(json!([{ "op": "replace", "path": "displayName", "value": {} }])),
        "invalidValue"
    );
    assert_eq!(kind(json!([{ "op": "replace", "value": "x" }])), "invalidValue");
    assert_eq!(kind(json!("x")), "invalidSyntax");
    let many = vec![json!({ "op": "replace", "path": "title", "value": "x" }); MOST_OPERATIONS + 1];
    assert_eq!(kind(Value::Array(many)), "tooMany");
    let long = json!([{ "op": "add", "path": "userName", "value": "x".repeat(600) }]);
    assert_eq!(kind(long), "invalidValue");
}

fn group_patched(operations: &Value) -> (GroupRecord, Vec<Membership>) {
    let before = GroupRecord {
        display_name: "Engineering".to_owned(),
        external_id: None,
    };
    let patch = Patch::parse(&json!({ "operations": operations })).unwrap();
    patch.apply_to_group(&before).unwrap()
}

#[test]
fn members_come_and_go_in_every_form() {
    let id = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";
    let wanted: Vec<ScimUserId> = vec![id.parse().unwrap()];
    let added = [
        json!({ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": id }] }),
        json!({ "op": "add", "path": "members", "value": id }),
        json!({ "op": "add", "path": "Members", "value": { "value": id } }),
        json!({ "op": "add", "value": { "members": [{ "value": id }] } }),
        json!({ "name": "addMember", "op": "add", "path": "members", "value": [{ "displayName": "x", "value": id }, { "value": "unknown" }] }),
    ];
    for operation in added {
        assert_eq!(
            group_patched(&json!([operation])).1,
            [Membership::Add(wanted.clone())]
        );
    }
    let removed = [
        json!({ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": id }] }),
        json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }),
    ];
    for operation in removed {
        assert_eq!(
            group_patched(&json!([operation])).1,
            [Membership::Remove(wanted.clone())]
        );
    }
    let all = json!([{ "op": "remove", "path": "members" }]);
    assert_eq!(group_patched(&all).1, [Membership::Replace(Vec::new())]);
    let none = json!([{ "op": "remove", "path": "members", "value": [] }]);
    assert_eq!(
        group_patched(&none).1,
        [Membership::Remove(Vec::new())],
        "an empty list is not all"
    );
    let replaced = json!([{ "op": "Replace", "path": "members", "value": [{ "value": id }] }]);
    assert_eq!(group_patched(&replaced).1, [Membership::Replace(wanted)]);
    let renamed =
        json!([{ "op": "Add", "value": { "displayName": "New", "externalId": "x", "description": "y" } }]);
    assert_eq!(group_patched(&renamed).0.display_name, "New");
}

#[test]
fn an_operation_for_each_member_is_carried_out_as_one() {
    let ids: Vec<ScimUserId> = (1..=3).map(|n| ScimUserId(uuid::Uuid::from_u128(n))).collect();
    let operation =
        |op: &str, id: &ScimUserId| json!({ "op": op, "path": "members", "value": id.to_string() });
    let operations = json!([
        operation("add", &ids[0]),
        operation("add", &ids[1]),
        operation("remove", &ids[0]),
        operation("remove", &ids[2]),
        operation("add", &ids[0])
    ]);
    assert_eq!(
        group_patched(&operations).1,
        [
            Membership::Add(vec![ids[0], ids[1]]),
            Membership::Remove(vec![ids[0], ids[2]]),
            Membership::Add(vec![ids[0]])
        ],
        "in their order"
    );
}

fn operation_strategy() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        Just("active".to_owned()),
        Just("emails".to_owned()),
        Just("emails[type eq \"work\"].value".to_owned()),
        Just("emails.value".to_owned()),
        Just("name".to_owned()),
        Just("name.givenName".to_owned()),
        Just(format!("{URN}:manager")),
        Just("manager.value".to_owned()),
        "[a-zA-Z.:\\[\\]]{0,20}",
    ];
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!({ "value": "x", "type": "work" })),
        Just(json!([{ "value": "x" }, "y", 3])),
        Just(json!({ "name.givenName": { "a": [] }, "emails": "x", "active": "true" })),
    ];
    let op = prop_oneof![Just("Add"), Just("replace"), Just("Remove")];
    (op, proptest::option::of(path), value)
        .prop_map(|(op, path, value)| json!({ "op": op, "path": path, "value": value }))
}

proptest! {
    #[test]
    fn whatever_is_sent_a_user_stays_one_that_can_be_kept(operations in proptest::collection::vec(operation_strategy(), 0..5)) {
        if let Ok(record) = patched(&Value::Array(operations)) {
            let sent = Value::Object(record.0.clone());
            let again = resource::user(&sent, None).unwrap();
            prop_assert_eq!(again, record, "what is kept reads as itself");
        }
    }

    #[test]
    fn a_value_put_twice_is_there_once(operation in operation_strategy()) {
        let once = patched(&json!([operation]));
        let twice = patched(&json!([operation, operation]));
        if let (Ok(once), Ok(twice)) = (once, twice) {
            prop_assert_eq!(once, twice);
        }
    }
}
