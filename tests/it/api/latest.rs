//! What the API answers with is what was written last, wherever it was written.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;
use vestibule::store::{Actor, ActorKind, Document, Kind, Store};

use super::{call, id, made, tokens};
use crate::support::database::Database;
use crate::support::world::World;

/// Writes as another gateway does, or a command on the machine.
async fn elsewhere(store: &Store, kind: Kind, id: Uuid, body: serde_json::Value) {
    let actor = Actor {
        kind: ActorKind::CommandLine,
        name: "elsewhere".to_owned(),
    };
    let mut write = store.write(actor).await.unwrap();
    let document = Document::new(kind, id, body["name"].as_str().unwrap().to_owned(), body);
    write.put(&document).await.unwrap();
    write.commit().await.unwrap();
}

#[tokio::test]
async fn what_was_written_elsewhere_is_read_at_once() {
    let database = Arc::new(Database::sqlite());
    let world = World::builder().on(&database).more(&tokens()).start().await;
    let other = database.store().await;
    let everyone = json!([{ "everyone": {} }]);
    for number in 0_u64..3 {
        let group = Uuid::from_u128(number.into());
        let body = json!({ "name": format!("group {number}"), "include": everyone });
        elsewhere(&other, Kind::Group, group, body).await;
        let one = call(&world, "GET", &format!("/access/groups/{group}"), None).await;
        assert_eq!(one.result(200)["name"], format!("group {number}"));
        let all = call(&world, "GET", "/access/groups?search=GROUP", None).await;
        assert_eq!(
            all.body["result_info"]["total_count"].to_string(),
            (number + 1).to_string()
        );
    }
}

#[tokio::test]
async fn an_application_is_shown_with_the_policies_that_it_has_now() {
    let world = super::world().await;
    let everyone = json!([{ "everyone": {} }]);
    let policy = json!({ "name": "first", "decision": "allow", "include": everyone });
    let policy = made(&world, "/access/policies", policy).await;
    let app =
        json!({ "name": "docs", "type": "self_hosted", "domain": "docs.test", "policies": [id(&policy)] });
    let app = made(&world, "/access/apps", app).await;
    let path = format!("/access/apps/{}", id(&app));
    let shown = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(shown["policies"][0]["name"], "first");
    let policy_path = format!("/access/policies/{}", id(&policy));
    let used = call(&world, "GET", &policy_path, None).await.result(200);
    assert_eq!(used["app_count"], 1);
    let changed = json!({ "name": "second", "decision": "deny", "include": everyone });
    call(&world, "PUT", &policy_path, Some(&changed))
        .await
        .result(200);
    for path in [path.as_str(), "/access/apps?name=docs"] {
        let shown = call(&world, "GET", path, None).await.result(200);
        let app = if shown.is_array() { &shown[0] } else { &shown };
        assert_eq!(app["policies"][0]["name"], "second", "{path}");
    }
    call(&world, "DELETE", &path, None).await.result(202);
    let used = call(&world, "GET", "/access/policies?name=second", None)
        .await
        .result(200);
    assert_eq!(used[0]["app_count"], 0);
    assert_eq!(call(&world, "GET", &path, None).await.status, 404);
}
