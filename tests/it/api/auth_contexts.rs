//! Authentication contexts of a provider's directory.

use serde_json::json;

use super::{call, id, world};
use crate::support::tenant::{CLIENT, TENANT};

#[tokio::test]
async fn contexts_are_listed_as_remembered_and_read_anew_when_asked() {
    let world = world().await;
    world
        .entra
        .tenant(TENANT)
        .edit(|tenant| tenant.auth_context("c1", "Strong", "With a key", true))
        .edit(|tenant| tenant.auth_context("c2", "Draft", "", false))
        .edit_app(CLIENT, |app| app.app_permission("Policy.Read.ConditionalAccess"));
    let providers = call(&world, "GET", "/access/identity_providers", None)
        .await
        .result(200);
    let path = format!("/access/identity_providers/{}/auth_context", id(&providers[0]));
    let listed = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(
        listed.as_array().unwrap().len(),
        1,
        "what is not published cannot be asked for"
    );
    let one = &listed[0];
    assert_eq!(
        (&one["ac_id"], &one["display_name"], &one["description"]),
        (&json!("c1"), &json!("Strong"), &json!("With a key"))
    );
    assert_eq!(one["id"], one["uid"]);
    let rule = json!({ "auth_context": {
        "id": one["id"], "ac_id": one["ac_id"], "identity_provider_id": id(&providers[0]),
    } });
    let policy =
        json!({ "name": "strong", "decision": "allow", "include": [{ "everyone": {} }], "require": [rule] });
    super::made(&world, "/access/policies", policy).await;

    world
        .entra
        .tenant(TENANT)
        .edit(|tenant| tenant.auth_context("c3", "Stronger", "", true));
    assert_eq!(call(&world, "GET", &path, None).await.result(200), listed);
    // As Access does, the answer is the provider.
    let provider = call(&world, "PUT", &path, None).await.result(200);
    assert_eq!(id(&provider), id(&providers[0]));
    let anew = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(anew.as_array().unwrap().len(), 2, "{anew}");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let world = world().await;
    let providers = call(&world, "GET", "/access/identity_providers", None)
        .await
        .result(200);
    for method in ["GET", "PUT"] {
        let path = format!("/access/identity_providers/{}/auth_context", id(&providers[0]));
        let refused = call(&world, method, &path, None).await.error(400);
        assert!(refused.1.contains("Policy.Read.ConditionalAccess"), "{refused:?}");
    }
    let nowhere = "/access/identity_providers/11111111-1111-4111-8111-111111111111/auth_context";
    assert_eq!(call(&world, "GET", nowhere, None).await.status, 404);
}
