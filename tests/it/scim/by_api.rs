//! What an administrator deletes through the API has the effect that the directory's own word has.

use std::time::{Duration, Instant};

use mock_entra::{Endpoint, MemberRef};
use serde_json::{Value, json};
use vestibule::store::{ActorKind, Audited, Kind, ScimUpdateFilter};

use super::client::{Directory, provider};
use super::effects::ALICE_OID;
use super::{EVERYTHING, gets_in, provisioned};
use crate::support::tenant::{ALICE, CLIENT, STAFF, TENANT};
use crate::support::wire::Reply;
use crate::support::world::{ACCOUNT, World};

const TOKEN: &str = "vestibule-tests-0123456789-abcdefghijklmnop";

async fn administered(settings: &str) -> World {
    let token = format!("[[api_tokens]]\nname = \"helpdesk\"\ntoken = \"{TOKEN}\"\npermissions = [\"*\"]\n");
    provisioned(settings).more(&token).start().await
}

async fn api(world: &World, method: &str, path: &str) -> Reply {
    let path = format!("/accounts/{ACCOUNT}/access/{path}");
    let bearer = format!("Bearer {TOKEN}");
    world.api(method, &path, &[("Authorization", &bearer)], b"").await
}

/// The rows of the provisioning log that the API wrote, as the API shows them.
async fn rows(world: &World) -> Vec<Value> {
    let reply = api(
        world,
        "GET",
        &format!(
            "logs/scim/updates?idp_id={}&request_method=DELETE",
            provider(world)
        ),
    )
    .await;
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["result"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_person_deleted_by_the_api_is_out_at_once_and_the_log_says_who_did_it() {
    let world = administered(EVERYTHING).await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let path = format!("identity_providers/{}/scim/users/{alice}", provider(&world));
    assert_eq!(api(&world, "DELETE", &path).await.status, 204);
    assert!(!gets_in(&world, &browser).await);
    let rows = rows(&world).await;
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(
        (&rows[0]["cf_resource_id"], &rows[0]["resource_user_email"]),
        (&json!(alice), &json!(ALICE))
    );
    assert_eq!(rows[0]["actor"], "API token helpdesk");
    let effect = rows[0]["effect"].as_str().unwrap();
    assert!(effect.contains("1 sessions ended"), "{effect}");
    // The directory itself was last heard when it told of her.
    let told = ScimUpdateFilter {
        methods: vec!["POST".to_owned()],
        ..ScimUpdateFilter::default()
    };
    let store = world.store().await;
    let told = store.scim_updates(&told).await.unwrap()[0].at_ms;
    assert_eq!(
        store.last_scim_update(provider(&world)).await.unwrap(),
        Some(told)
    );
}

/// The provisioning log is kept as long as the provider says, which may be changed by whoever deletes; the audit log stays.
#[tokio::test]
async fn what_is_deleted_by_the_api_stands_in_the_audit_log() {
    let world = administered(EVERYTHING).await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    world.signed_in(ALICE, &["wiki"]).await;
    for path in [format!("groups/{staff}"), format!("users/{alice}")] {
        let path = format!("identity_providers/{}/scim/{path}", provider(&world));
        assert_eq!(api(&world, "DELETE", &path).await.status, 204);
        assert_eq!(api(&world, "DELETE", &path).await.status, 404);
    }
    let lines = world.store().await.audit(2, 1).await.unwrap();
    let said: Vec<&str> = lines.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(said, ["delete_scim_user", "delete_scim_group"]);
    for line in &lines {
        assert_eq!(
            (line.actor.kind, line.actor.name.as_str()),
            (ActorKind::ApiToken, "helpdesk")
        );
        assert_eq!(
            (line.kind, line.id),
            (Audited::Object(Kind::IdentityProvider), provider(&world).0)
        );
    }
    let [person, group] = [0, 1].map(|number: usize| lines[number].before.clone().unwrap());
    assert_eq!(
        (&person["id"], &person["externalId"], &person["userName"]),
        (&json!(alice), &json!(ALICE_OID), &json!(ALICE))
    );
    assert_eq!(
        (&group["id"], &group["displayName"]),
        (&json!(staff), &json!("Staff"))
    );
}

#[tokio::test]
async fn after_a_group_is_deleted_by_the_api_inherited_groups_are_read_again() {
    let world = administered("identity_update_behavior = \"automatic\"\n").await;
    let entra = world.entra.tenant(TENANT);
    entra.edit_app(CLIENT, |app| app.app_permission("GroupMember.Read.All"));
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let staff = directory.group(STAFF, "Staff", &[&alice]).await;
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    world.entra.remove_member(STAFF, &MemberRef::user(ALICE_OID));
    let asked = world.entra.count(Endpoint::Graph);
    let path = format!("identity_providers/{}/scim/groups/{staff}", provider(&world));
    assert_eq!(api(&world, "DELETE", &path).await.status, 204);
    assert!(!gets_in(&world, &browser).await);
    let began = Instant::now();
    while world.entra.count(Endpoint::Graph) == asked {
        assert!(began.elapsed() < Duration::from_secs(5), "Graph was not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows = rows(&world).await;
    assert_eq!(
        (&rows[0]["resource_type"], &rows[0]["resource_group_name"]),
        (&json!("GROUP"), &json!("Staff"))
    );
    let effect = rows[0]["effect"].as_str().unwrap();
    assert!(effect.contains("another identity"), "{effect}");
}
