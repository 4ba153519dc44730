//! The provisioning log: every request, with its body and what followed.

use std::time::{Duration, Instant};

use serde_json::json;
use vestibule::store::{ScimUpdate, ScimUpdateFilter};

use super::client::{Directory, provider};
use super::effects::ALICE_OID;
use super::{EVERYTHING, provisioned};
use crate::support::tenant::{ALICE, STAFF};
use crate::support::world::World;

/// The rows that fit, once there are so many.
async fn rows(world: &World, filter: ScimUpdateFilter, many: usize) -> Vec<ScimUpdate> {
    let began = Instant::now();
    loop {
        let rows = world.running().store.scim_updates(&filter).await.unwrap();
        if rows.len() >= many {
            return rows;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{rows:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_request_is_a_row_with_what_followed() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    world.signed_in(ALICE, &["wiki"]).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[]).await;
    directory.add_member(&staff, &alice).await;
    directory
        .patch(
            &format!("/Users/{alice}"),
            json!([{ "op": "Add", "path": "password", "value": "hunter2" }, { "op": "Replace", "path": "active", "value": "False" }]),
        )
        .await;
    assert_eq!(directory.ask("GET", "/Users/nobody", None).await.status, 404);
    let wrong = [("Authorization".to_owned(), "Bearer wrong-secret".to_owned())];
    let target = format!("{}/Users", directory.base);
    directory
        .send("POST", &target, &wrong, Some(b"{\"userName\":\"x\"}"))
        .await;

    let all = rows(&world, ScimUpdateFilter::default(), 6).await;
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|row| row.provider == provider(&world)));
    let of = |method: &str, kind: &str, status: u16| {
        all.iter()
            .find(|row| {
                row.method == method && row.resource_type.as_deref() == Some(kind) && row.status == status
            })
            .unwrap_or_else(|| panic!("{method} {kind} {status}: {all:#?}"))
    };
    let made = of("POST", "USER", 201);
    assert_eq!(
        (made.resource.as_deref(), made.external_id.as_deref()),
        (Some(&*alice), Some(ALICE_OID))
    );
    assert_eq!(made.user_email.as_deref(), Some(ALICE));
    assert!(made.succeeded && made.body.as_deref().unwrap().contains(ALICE));
    let joined = of("PATCH", "GROUP", 204);
    assert_eq!(joined.group_name.as_deref(), Some("Staff"));
    assert!(joined.effect.as_deref().unwrap().contains("1 came"), "{joined:?}");
    let out = of("PATCH", "USER", 200);
    assert!(
        out.effect.as_deref().unwrap().contains("1 sessions ended"),
        "{out:?}"
    );
    assert!(!out.body.as_deref().unwrap().contains("hunter2"), "{out:?}");
    let missing = of("GET", "USER", 404);
    assert!(!missing.succeeded && missing.error.as_deref().unwrap().contains("nobody"));
    let stranger = all.iter().find(|row| row.status == 401).unwrap();
    assert_eq!((stranger.body.as_deref(), stranger.succeeded), (None, false));
    for row in &all {
        assert!(
            !format!("{row:?}").contains(&directory.token) && !format!("{row:?}").contains("wrong-secret")
        );
    }

    let failures = ScimUpdateFilter {
        succeeded: Some(false),
        ..ScimUpdateFilter::default()
    };
    assert_eq!(rows(&world, failures, 2).await.len(), 2);
    let of_alice = ScimUpdateFilter {
        user_emails: vec![ALICE.to_owned()],
        oldest_first: true,
        ..ScimUpdateFilter::default()
    };
    let of_alice = rows(&world, of_alice, 2).await;
    assert_eq!(
        of_alice.iter().map(|row| &*row.method).collect::<Vec<_>>(),
        ["POST", "PATCH"]
    );
}

/// A gateway that is killed loses nothing that it has answered.
#[tokio::test]
async fn a_write_is_in_the_log_by_when_it_is_answered() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let store = &world.running().store;
    let filter = ScimUpdateFilter {
        limit: 1000,
        ..ScimUpdateFilter::default()
    };
    let mut wanted = 0;
    for number in 0..20 {
        let name = format!("somebody{number}@contoso.example");
        let person = directory.create("/Users", &json!({ "userName": name })).await;
        let group = json!({ "displayName": format!("Group {number}"), "members": [{ "value": person }] });
        let group = directory.create("/Groups", &group).await;
        directory.set_active(&person, false).await;
        directory.remove_member(&group, &person).await;
        directory.delete(&format!("/Users/{person}")).await;
        directory.delete(&format!("/Groups/{group}")).await;
        wanted += 6;
        let rows = store.scim_updates(&filter).await.unwrap();
        assert_eq!(rows.len(), wanted, "after the {number}th");
    }
}
