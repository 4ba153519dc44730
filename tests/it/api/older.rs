//! Bodies and paths as cloudflare-go 0.116 writes them, which Terraform's provider 4 and many tools are made with.

use serde_json::{Value, json};

use super::{Answer, TOKEN, account, ask, call, id, made, world};
use crate::support::world::World;

async fn as_old_client(world: &World, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
        ("User-Agent", "cloudflare-go/0.116.0"),
    ];
    ask(world, method, &account(path), &headers, body).await
}

/// Of what an application can have it sends much with nothing in it; answers with messages it cannot read.
#[tokio::test]
async fn nothing_is_said_of_keys_with_nothing_in_them_and_nothing_to_who_cannot_read_it() {
    let world = world().await;
    let mut app = json!({
        "name": "Third", "type": "self_hosted", "domain": world.host("third"), "session_duration": "24h",
        "private_address": "", "destinations": null, "unknown_list": [], "unknown_object": {},
        "landing_page_design": {
            "title": "", "message": "", "image_url": "", "button_color": "", "button_text_color": "",
        },
        "app_launcher_logo_url": "", "header_bg_color": "", "bg_color": "", "footer_links": null,
    });
    let answer = call(&world, "POST", "/access/apps", Some(&app)).await;
    assert_eq!(answer.body["messages"], json!([]));
    let one = format!("/access/apps/{}", id(&answer.result(201)));

    app["private_address"] = json!("10.0.0.1");
    app["skip_interstitial"] = json!(true);
    let answer = call(&world, "PUT", &one, Some(&app)).await;
    assert_eq!(answer.body["messages"].as_array().unwrap().len(), 2);
    let answer = as_old_client(&world, "PUT", &one, Some(&app)).await;
    assert_eq!(answer.body["messages"], json!([]));
    assert_eq!(answer.result(200)["private_address"], "10.0.0.1");
}

#[tokio::test]
async fn a_list_is_named_once_more_in_what_changes_it() {
    let world = world().await;
    let list = json!({ "name": "l", "type": "EMAIL", "items": [{ "value": "a@example.com" }] });
    let list = id(&made(&world, "/gateway/lists", list).await);
    let change = json!({ "id": list, "append": [{ "value": "b@example.com" }], "remove": ["a@example.com"] });
    let changed = as_old_client(&world, "PATCH", &format!("/gateway/lists/{list}"), Some(&change)).await;
    assert_eq!(
        changed.result(200)["items"],
        json!([{ "value": "b@example.com" }])
    );
}

#[tokio::test]
async fn version_0_of_a_secret_is_none() {
    let world = world().await;
    let body = json!({ "name": "s", "client_secret_version": 0 });
    let token = made(&world, "/access/service_tokens", body).await;
    assert_eq!(token["client_secret_version"], 1);
    let one = format!("/access/service_tokens/{}", id(&token));
    let renamed = json!({ "name": "t", "client_secret_version": 0 });
    let renamed = as_old_client(&world, "PUT", &one, Some(&renamed))
        .await
        .result(200);
    assert_eq!(
        (
            &renamed["name"],
            &renamed["client_secret_version"],
            renamed.get("client_secret")
        ),
        (&json!("t"), &json!(1), None)
    );
}

#[tokio::test]
async fn paths_with_hyphens_are_those_without() {
    let world = world().await;
    let app = json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third") });
    let app = made(&world, "/access/apps", app).await;
    let revoke = format!("/access/apps/{}/revoke-tokens", id(&app));
    as_old_client(&world, "POST", &revoke, None).await.result(202);
    let log = "/access/logs/access-requests?direction=desc&limit=5";
    let rows = as_old_client(&world, "GET", log, None).await.result(200);
    assert_eq!(rows, json!([]));
}
