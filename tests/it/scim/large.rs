//! Groups with thousands of members, and filters that no index answers.

use serde_json::{Value, json};

use vestibule::store::{ScimUpdate, ScimUpdateFilter};

use super::client::{Directory, provider};
use super::{ALICE_OID, EVERYTHING, gets_in, provisioned};
use crate::support::tenant::{ADAM, ADAM_OID, ALICE};
use crate::support::world::World;

const MEMBERS: usize = 2_500;

/// People behind the gateway's back, all of them in a group made before; the group's id.
async fn fill(world: &World, directory: &Directory) -> String {
    let group = directory
        .group("a1000001-1111-4a11-8a11-00000000000f", "Large", &[])
        .await;
    let pool = world.database().pool().await;
    for sql in [
        "CREATE TABLE n (i BIGINT, digits TEXT)",
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2500) INSERT INTO n \
         SELECT i, substr('000000000000' || CAST(i AS TEXT), length(CAST(i AS TEXT)) + 1) FROM c",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let people = "INSERT INTO scim_users (id, provider, user_name, active, body, created_ms, updated_ms) \
         SELECT '00000001-0000-4000-8000-' || digits, $1, 'user' || digits, 1, \
         '{\"userName\":\"User' || digits || '\",\"active\":true,\"title\":\"No ' || digits || '\"}', i, i FROM n";
    let query = sqlx::query(people).bind(provider(world).to_string());
    query.execute(&pool).await.unwrap();
    let members = "INSERT INTO scim_members (scim_group, scim_user) \
         SELECT $1, '00000001-0000-4000-8000-' || digits FROM n";
    sqlx::query(members).bind(&group).execute(&pool).await.unwrap();
    pool.close().await;
    group
}

#[tokio::test]
async fn a_large_group_is_answered_with_all_of_its_members_wherever_they_are_asked_for() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let group = fill(&world, &directory).await;

    let whole = directory.get(&format!("/Groups/{group}")).await;
    let members = whole["members"].as_array().unwrap();
    assert_eq!(members.len(), MEMBERS);
    let id = "00000001-0000-4000-8000-000000001001";
    let reference = format!("http://{}{}/Users/{id}", directory.authority, directory.base);
    let one = json!({ "value": id, "$ref": reference, "display": "user000000001001", "type": "User" });
    assert_eq!(members[1000], one);
    assert_eq!(whole["displayName"], "Large");

    let listed = directory
        .get("/Groups?filter=displayName+eq+%22large%22&attributes=members.value")
        .await;
    let members = listed["Resources"][0]["members"].as_array().unwrap();
    assert_eq!(
        (members.len(), &members[2499]),
        (
            MEMBERS,
            &json!({ "value": "00000001-0000-4000-8000-000000002500" })
        )
    );

    let without = directory
        .get(&format!("/Groups/{group}?excludedAttributes=members"))
        .await;
    assert_eq!(without.get("members"), None);

    let put = json!({ "displayName": "Larger", "externalId": "a1000001-1111-4a11-8a11-00000000000f" });
    let reply = directory
        .ask("PUT", &format!("/Groups/{group}"), Some(&put))
        .await;
    let put: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(put["members"].as_array().map(Vec::len), Some(MEMBERS));
}

/// Its members go some hundreds at a time; it is one request, with one line in the log, all the same.
#[tokio::test]
async fn a_large_group_is_deleted_and_whoever_is_in_it_is_signed_out() {
    let world = provisioned("identity_update_behavior = \"reauth\"\n")
        .start()
        .await;
    let directory = Directory::of(&world).await;
    let group = fill(&world, &directory).await;
    let mut people = Vec::new();
    for (oid, email) in [(ALICE_OID, ALICE), (ADAM_OID, ADAM)] {
        let id = directory.person(oid, email).await;
        directory.add_member(&group, &id).await;
        people.push(world.signed_in(email, &["wiki"]).await);
    }
    let path = format!("/Groups/{group}");
    assert_eq!(directory.ask("DELETE", &path, None).await.status, 204);
    for person in &people {
        assert!(!gets_in(&world, person).await);
    }
    assert_eq!(directory.ask("GET", &path, None).await.status, 404);
    let in_it = format!(
        "/Groups?filter=members+eq+%22{}%22",
        "00000001-0000-4000-8000-000000002500"
    );
    assert_eq!(directory.get(&in_it).await["totalResults"], 0);
    let deleted = |row: &ScimUpdate| row.method == "DELETE";
    let row = loop {
        let rows = world
            .running()
            .store
            .scim_updates(&ScimUpdateFilter::default())
            .await
            .unwrap();
        if let Some(row) = rows.into_iter().find(deleted) {
            break row;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(
        row.effect.as_deref(),
        Some("groups of 2 changed: 2 sessions ended")
    );
    for person in [ALICE, ADAM] {
        world.signed_in(person, &["wiki"]).await;
    }
}

#[tokio::test]
async fn a_filter_without_an_index_looks_at_everybody_and_pages_what_it_finds() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    fill(&world, &directory).await;
    let found = directory
        .get("/Users?filter=title+co+%2200%22+and+userName+sw+%22user00000000%22&startIndex=1200&count=3")
        .await;
    assert_eq!(found["totalResults"], MEMBERS);
    let names: Vec<&str> = found["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["userName"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["User000000001200", "User000000001201", "User000000001202"]
    );
    let none = directory.get("/Groups?filter=displayName+ew+%22small%22").await;
    assert_eq!(none["totalResults"], 0);
}
