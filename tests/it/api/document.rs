//! What the OpenAPI document says is what answers: faults that a generator of requests found between the two.

use serde_json::json;

use super::{TOKEN, ask, call, id, made, world};

#[tokio::test]
async fn a_path_that_two_templates_fit_is_the_first_ones_whatever_the_method() {
    let world = world().await;
    let answer = call(&world, "DELETE", "/access/certificates/settings", None).await;
    assert_eq!(answer.header("allow"), Some("GET, PUT"));
    assert_eq!(answer.error(405).0, 7001);
    let answer = call(&world, "OPTIONS", "/access/certificates/settings", None).await;
    assert_eq!(answer.header("allow"), Some("GET, PUT"));
    call(&world, "GET", "/access/certificates/settings", None)
        .await
        .result(200);
}

#[tokio::test]
async fn a_change_of_a_list_that_cannot_be_made_is_not_passed_over() {
    let world = world().await;
    let list = json!({ "name": "team", "type": "EMAIL", "items": [{ "value": "a@contoso.example" }] });
    let list = made(&world, "/gateway/lists", list).await;
    let path = format!("/gateway/lists/{}", id(&list));
    for (change, pointer) in [
        (
            json!({ "remove": [{ "value": "a@contoso.example" }] }),
            "/remove/0",
        ),
        (json!({ "remove": ["a@contoso.example", null] }), "/remove/1"),
        (json!({ "remove": "a@contoso.example" }), "/remove"),
        (json!({ "append": { "value": "b@contoso.example" } }), "/append"),
    ] {
        let answer = call(&world, "PATCH", &path, Some(&change)).await;
        let (_, message, place) = answer.error(400);
        assert_eq!(place.as_deref(), Some(pointer), "{change}: {message}");
    }
    let nothing = json!({ "append": null, "remove": null });
    let list = call(&world, "PATCH", &path, Some(&nothing)).await.result(200);
    assert_eq!(list["count"], 1, "{list}");
    let out = json!({ "remove": ["a@contoso.example"] });
    assert_eq!(
        call(&world, "PATCH", &path, Some(&out)).await.result(200)["count"],
        0
    );
}

#[tokio::test]
async fn a_service_token_is_changed_by_what_is_sent_and_the_document_says_so() {
    let world = world().await;
    let token = made(&world, "/access/service_tokens", json!({ "name": "deploy" })).await;
    let path = format!("/access/service_tokens/{}", id(&token));
    let put = call(&world, "PUT", &path, Some(&json!({ "enabled": false }))).await;
    let put = put.result(200);
    assert_eq!((&put["name"], &put["enabled"]), (&json!("deploy"), &json!(false)));
    let bearer = format!("Bearer {TOKEN}");
    let document = ask(
        &world,
        "GET",
        "/openapi.json",
        &[("Authorization", &bearer)],
        None,
    )
    .await
    .body;
    let template = "/accounts/{account_id}/access/service_tokens/{service_token_id}";
    let body = &document["paths"][template]["put"]["requestBody"]["content"]["application/json"]["schema"];
    let schema = document.pointer(&body["$ref"].as_str().unwrap()[1..]).unwrap();
    assert_eq!(schema.get("required"), None, "{schema}");
    assert!(schema["properties"]["enabled"].is_object());
    // What is answered may be sent back.
    let again = call(&world, "PUT", &path, Some(&put)).await.result(200);
    assert_eq!(again["name"], "deploy");
}
