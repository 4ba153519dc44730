//! Filters and operations that Entra does not send, and that the standard has.

use serde_json::{Value, json};

use super::client::{Directory, json_of};
use super::{EVERYTHING, provisioned};

const URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The names of the groups that a filter finds.
async fn groups(directory: &Directory, filter: &str) -> Vec<String> {
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let found = directory.get(&format!("/Groups?filter={filter}")).await;
    let found = found["Resources"].as_array().unwrap().iter();
    let mut names: Vec<String> = found
        .map(|group| group["displayName"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn groups_are_found_by_whatever_is_asked_of_their_members() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let mut people = Vec::new();
    for name in ["ann", "bea", "cem"] {
        let body = json!({ "userName": format!("{name}@corp.example") });
        people.push(directory.create("/Users", &body).await);
    }
    let [ann, bea, cem] = people.as_slice() else {
        panic!("three people");
    };
    let object = |number: u8| format!("a100000{number}-1111-4a11-8a11-00000000000{number}");
    directory.group(&object(5), "All", &[ann, bea, cem]).await;
    directory.group(&object(6), "Bea", &[bea]).await;
    directory.group(&object(7), "None", &[]).await;
    for (filter, wanted) in [
        ("members pr".to_owned(), &["All", "Bea"][..]),
        ("members.value pr and displayName sw \"b\"".to_owned(), &["Bea"]),
        ("not (members pr)".to_owned(), &["None"]),
        ("members eq null".to_owned(), &["None"]),
        ("members[type eq \"User\"]".to_owned(), &["All", "Bea"]),
        ("members[type eq \"Group\"]".to_owned(), &[]),
        ("members.type eq \"User\"".to_owned(), &["All", "Bea"]),
        (
            "members[type eq \"User\" and value pr]".to_owned(),
            &["All", "Bea"],
        ),
        (format!("members[value eq \"{ann}\"]"), &["All"]),
        (
            format!("members[type eq \"user\" and value eq \"{bea}\"]"),
            &["All", "Bea"],
        ),
        (format!("members[type eq \"Group\" and value eq \"{bea}\"]"), &[]),
        (
            format!("members eq \"{cem}\" or displayName eq \"none\""),
            &["All", "None"],
        ),
        (format!("members.value ne \"{ann}\""), &["Bea", "None"]),
        (format!("members[value ne \"{bea}\"]"), &["All"]),
        (
            format!("members[not (value eq \"{bea}\")] and members pr"),
            &["All"],
        ),
        ("members.display co \"CEM@\"".to_owned(), &["All"]),
        ("members[display sw \"bea\"]".to_owned(), &["All", "Bea"]),
        (
            format!("members[value eq \"{ann}\" or display sw \"bea\"]"),
            &["All", "Bea"],
        ),
        (format!("members sw \"{}\"", &bea[..13]), &["All", "Bea"]),
        ("members[value eq \"nobody\"]".to_owned(), &[]),
    ] {
        assert_eq!(groups(&directory, &filter).await, wanted, "{filter}");
    }
}

#[tokio::test]
async fn the_enterprise_extension_goes_as_a_whole() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let body =
        json!({ "userName": "ann@corp.example", URN: { "department": "Sales", "employeeNumber": "7" } });
    let ann = format!("/Users/{}", directory.create("/Users", &body).await);
    for operation in [
        json!({ "op": "remove", "path": URN }),
        json!({ "op": "Remove", "path": URN.to_uppercase() }),
        json!({ "op": "replace", "path": URN, "value": null }),
        json!({ "op": "replace", "value": { URN: null } }),
        json!({ "op": "Replace", "value": { URN: "" } }),
    ] {
        let whole = json!([{ "op": "replace", "path": URN, "value": { "department": "Sales" } }]);
        directory.patch(&ann, whole).await;
        assert_eq!(directory.get(&ann).await[URN]["department"], "Sales");
        directory.patch(&ann, json!([operation])).await;
        let found = directory.get(&ann).await;
        assert_eq!(found.get(URN), None, "{operation}: {found}");
        assert_eq!(found["schemas"].as_array().unwrap().len(), 1, "{found}");
    }
    let wrong = json!({ "Operations": [{ "op": "add", "path": URN, "value": "Sales" }] });
    let refused = directory.ask("PATCH", &ann, Some(&wrong)).await;
    assert_eq!(
        (refused.status, &json_of(&refused)["scimType"]),
        (400, &json!("invalidValue"))
    );
}

#[tokio::test]
async fn an_address_is_the_primary_one_whichever_is_said_first() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let body = json!({ "userName": "ann@corp.example" });
    let ann = format!("/Users/{}", directory.create("/Users", &body).await);
    let (primary, value) = (
        "emails[type eq \"work\"].primary",
        "emails[type eq \"work\"].value",
    );
    let wanted = json!([{ "type": "work", "primary": true, "value": "ann@corp.example" }]);
    let by_path = |path: &str, value: Value| json!({ "op": "Add", "path": path, "value": value });
    for operations in [
        json!([
            by_path(primary, json!("True")),
            by_path(value, json!("ann@corp.example"))
        ]),
        json!([{ "op": "replace", "value": { primary: true, value: "ann@corp.example" } }]),
    ] {
        directory.patch(&ann, operations.clone()).await;
        assert_eq!(directory.get(&ann).await["emails"], wanted, "{operations}");
        directory
            .patch(&ann, json!([{ "op": "remove", "path": "emails" }]))
            .await;
    }
    // Of an address alone that is none, nothing stays.
    directory
        .patch(&ann, json!([by_path(primary, json!(true))]))
        .await;
    assert_eq!(directory.get(&ann).await.get("emails"), None);
}
