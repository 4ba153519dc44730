//! What rests on an object, however deep, and what that keeps from being changed.

use serde_json::json;

use super::{call, id, made, tokens, world};

#[tokio::test]
async fn a_change_is_held_against_what_rests_on_it_however_deep() {
    let world = world().await;
    let inner = json!({ "name": "inner", "include": [{ "everyone": {} }] });
    let inner = made(&world, "/access/groups", inner).await;
    let middle = json!({ "name": "middle", "include": [{ "group": { "id": id(&inner) } }] });
    let middle = made(&world, "/access/groups", middle).await;
    let outer = json!({ "name": "outer", "include": [{ "group": { "id": id(&middle) } }] });
    let outer = made(&world, "/access/groups", outer).await;
    let open = json!({
        "name": "open", "decision": "bypass", "include": [{ "group": { "id": id(&outer) } }],
    });
    let open = made(&world, "/access/policies", open).await;
    // Nobody signs in at a bypass policy, so no group below it may ask who somebody is.
    let path = format!("/access/groups/{}", id(&inner));
    let asks = json!({ "name": "inner", "include": [{ "email": { "email": "alice@contoso.example" } }] });
    let said = call(&world, "PUT", &path, Some(&asks)).await.error(400).1;
    assert!(said.contains("policy \"open\" would no longer stand"), "{said}");
    // The same where the policy stands inside an application.
    call(&world, "DELETE", &format!("/access/policies/{}", id(&open)), None)
        .await
        .result(202);
    let own = json!({
        "name": "own", "decision": "bypass", "include": [{ "group": { "id": id(&outer) } }],
    });
    let app =
        json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third"), "policies": [own] });
    let app = made(&world, "/access/apps", app).await;
    let said = call(&world, "PUT", &path, Some(&asks)).await.error(400).1;
    assert!(
        said.contains("application \"Third\" would no longer stand"),
        "{said}"
    );
    call(&world, "DELETE", &format!("/access/apps/{}", id(&app)), None)
        .await
        .result(202);
    call(&world, "PUT", &path, Some(&asks)).await.result(200);
}

#[tokio::test]
async fn a_policy_never_takes_the_place_of_another_of_its_id() {
    let world = world().await;
    let own = json!({ "name": "own", "decision": "allow", "include": [{ "everyone": {} }] });
    let app =
        json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third"), "policies": [own] });
    let app = made(&world, "/access/apps", app).await;
    let policy = id(&app["policies"][0]);
    // One of that id comes to be by the file, which may choose ids.
    let mut declared = world;
    declared
        .declare(|builder| {
            builder.more(&format!(
                "[[policies]]\nid = \"{policy}\"\nname = \"declared\"\ndecision = \"deny\"\ninclude = [{{ everyone = {{}} }}]\n{}",
                tokens()
            ))
        })
        .await;
    let path = format!("/access/apps/{}/policies/{policy}/make_reusable", id(&app));
    let refused = call(&declared, "PUT", &path, None).await.error(409);
    assert_eq!(refused.0, 12132, "{refused:?}");
    let kept = call(&declared, "GET", &format!("/access/policies/{policy}"), None).await;
    assert_eq!(kept.result(200)["name"], "declared");
}
