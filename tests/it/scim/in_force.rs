//! What follows from a directory's word is what the provider says in the store when it is written, whatever the gateway
//! that writes it has heard of until then.

use serde_json::{Value, json};

use super::client::{Directory, provider};
use super::effects::ALICE_OID;
use super::{gets_in, provisioned};
use crate::support::behind::{delete_provider, rewrite_provider};
use crate::support::database::on_both;
use crate::support::tenant::{ALICE, STAFF};
use crate::support::world::{ACCOUNT, World};

const TOKEN: &str = "vestibule-tests-0123456789-abcdefghijklmnop";

fn tokens() -> String {
    format!("[[api_tokens]]\nname = \"helpdesk\"\ntoken = \"{TOKEN}\"\npermissions = [\"*\"]\n")
}

/// The provider in the store has these settings from now on; the gateway has not heard of it.
async fn set(world: &World, settings: Value) {
    rewrite_provider(&world.database(), |provider| {
        let config = provider["scim_config"].as_object_mut().unwrap();
        config.extend(settings.as_object().unwrap().clone());
    })
    .await;
}

async fn delete_by_api(world: &World, path: &str) -> u16 {
    let path = format!(
        "/accounts/{ACCOUNT}/access/identity_providers/{}/scim/{path}",
        provider(world)
    );
    let bearer = format!("Bearer {TOKEN}");
    let reply = world
        .api("DELETE", &path, &[("Authorization", &bearer)], b"")
        .await;
    reply.status
}

fn inactive() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "Replace", "path": "active", "value": "False" }],
    })
}

on_both! {
    async fn whoever_is_deactivated_is_out_where_the_store_says_so(database) {
        let world = provisioned("").more(&tokens()).on(&database).start().await;
        let directory = Directory::of(&world).await;
        let alice = directory.person(ALICE_OID, ALICE).await;
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        set(&world, json!({ "user_deprovision": true })).await;
        directory.set_active(&alice, false).await;
        assert!(!gets_in(&world, &browser).await);
        directory.set_active(&alice, true).await;
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        assert_eq!(delete_by_api(&world, &format!("users/{alice}")).await, 204);
        assert!(!gets_in(&world, &browser).await);
    }

    async fn whoever_leaves_a_group_is_seen_to_where_the_store_says_so(database) {
        let world = provisioned("").more(&tokens()).on(&database).start().await;
        let directory = Directory::of(&world).await;
        let alice = directory.person(ALICE_OID, ALICE).await;
        let staff = directory.group(STAFF, "Staff", &[&alice]).await;
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        set(&world, json!({ "identity_update_behavior": "automatic" })).await;
        directory.remove_member(&staff, &alice).await;
        assert!(!gets_in(&world, &browser).await);
        directory.add_member(&staff, &alice).await;
        assert!(gets_in(&world, &browser).await);
        set(&world, json!({ "identity_update_behavior": "reauth" })).await;
        assert_eq!(delete_by_api(&world, &format!("groups/{staff}")).await, 204);
        assert!(!gets_in(&world, &browser).await);
    }

    async fn a_directory_that_may_not_tell_any_more_changes_nothing(database) {
        let world = provisioned("").more(&tokens()).on(&database).start().await;
        let directory = Directory::of(&world).await;
        let alice = directory.person(ALICE_OID, ALICE).await;
        let staff = directory.group(STAFF, "Staff", &[]).await;
        let (one, group) = (format!("/Users/{alice}"), format!("/Groups/{staff}"));
        let made = json!({ "userName": "adam@contoso.example" });
        let refused = async || {
            for (method, path, body) in [
                ("PATCH", one.as_str(), Some(inactive())),
                ("DELETE", &one, None),
                ("POST", "/Users", Some(made.clone())),
                ("PATCH", &group, Some(json!({ "Operations": [{ "op": "Add", "path": "members", "value": [{ "value": alice }] }] }))),
                ("DELETE", &group, None),
                ("POST", "/Groups", Some(json!({ "displayName": "Others" }))),
            ] {
                let reply = directory.ask(method, path, body.as_ref()).await;
                assert_eq!(reply.status, 503, "{method} {path}: {}", reply.text());
            }
        };
        set(&world, json!({ "enabled": false })).await;
        refused().await;
        assert_eq!(delete_by_api(&world, &format!("users/{alice}")).await, 409);
        assert_eq!(delete_by_api(&world, &format!("groups/{staff}")).await, 409);
        delete_provider(&database).await;
        refused().await;
        let listed = directory.get("/Users").await;
        assert_eq!((&listed["totalResults"], &listed["Resources"][0]["active"]), (&json!(1), &json!(true)));
    }

    async fn whoever_is_called_inactive_again_is_out_who_was_still_in(database) {
        let world = provisioned("").on(&database).start().await;
        let directory = Directory::of(&world).await;
        let alice = directory.person(ALICE_OID, ALICE).await;
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        directory.set_active(&alice, false).await;
        assert!(gets_in(&world, &browser).await, "nothing follows yet");
        // As a release left it that let a deactivation slip past the switch.
        set(&world, json!({ "user_deprovision": true })).await;
        assert!(gets_in(&world, &browser).await);
        directory.set_active(&alice, false).await;
        assert!(!gets_in(&world, &browser).await);
        let store = world.store().await;
        let users = store.users_with_email(&ALICE.parse().unwrap()).await.unwrap();
        assert!(users[0].deprovisioned);
        // Said once more, it changes nothing.
        let head = store.head().await.unwrap().seq;
        directory.set_active(&alice, false).await;
        assert_eq!(store.head().await.unwrap().seq, head);
    }
}
