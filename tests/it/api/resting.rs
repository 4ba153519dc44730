//! What rests on an object, however deep, and what that keeps from being changed.

use serde_json::json;

use super::{call, id, made, tokens, world};
use crate::support::world::World;

const ORGANIZATION: &str = "/access/organizations";

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

#[tokio::test]
async fn a_page_that_the_organization_shows_stays_of_its_type() {
    let world = world().await;
    let page = json!({ "name": "No", "type": "identity_denied", "custom_html": "<h1>Not you</h1>" });
    let page = made(&world, "/access/custom_pages", page).await["uid"].clone();
    let settings = json!({ "custom_pages": { "identity_denied": page } });
    call(&world, "PUT", ORGANIZATION, Some(&settings))
        .await
        .result(200);
    let path = format!("/access/custom_pages/{}", page.as_str().unwrap());
    let other = json!({ "name": "No", "type": "forbidden", "custom_html": "<h1>Not here</h1>" });
    let said = call(&world, "PUT", &path, Some(&other)).await.error(409);
    assert!(said.1.contains("organization \"Example\""), "{said:?}");
    // All else of it may change.
    let rewritten = json!({ "name": "No!", "type": "identity_denied", "custom_html": "<h1>Not you!</h1>" });
    call(&world, "PUT", &path, Some(&rewritten)).await.result(200);
    let nothing = json!({ "custom_pages": null });
    call(&world, "PUT", ORGANIZATION, Some(&nothing))
        .await
        .result(200);
    call(&world, "PUT", &path, Some(&other)).await.result(200);
}

#[tokio::test]
async fn a_page_that_the_file_names_by_id_stays_of_its_type() {
    let before = world().await;
    let page = json!({ "name": "No", "type": "forbidden", "custom_html": "<h1>No</h1>" });
    let path = "/access/custom_pages";
    let page = made(&before, path, page).await["uid"].clone();
    let page = page.as_str().unwrap();
    let database = before.database();
    drop(before);
    let world = World::builder()
        .on(&database)
        .organization(&format!("custom_pages = {{ forbidden = \"{page}\" }}"))
        .more(&tokens())
        .start()
        .await;
    let shown = call(&world, "GET", ORGANIZATION, None).await.result(200);
    assert_eq!(shown["custom_pages"], json!({ "forbidden": page }));
    let one = format!("{path}/{page}");
    let other = json!({ "name": "No", "type": "identity_denied", "custom_html": "<h1>No</h1>" });
    for (method, body) in [("PUT", Some(&other)), ("DELETE", None)] {
        let said = call(&world, method, &one, body).await.error(409);
        assert!(said.1.contains("in the configuration file"), "{method}: {said:?}");
    }
}
