//! Groups, lists, service tokens, tags, pages and authorities over their lives.

use serde_json::{Value, json};

use super::{call, id, made, world};

#[tokio::test]
async fn a_change_that_others_could_not_stand_with_is_refused() {
    let world = world().await;
    let list = json!({ "name": "people", "type": "EMAIL", "items": [{ "value": "alice@contoso.example" }] });
    let list = made(&world, "/gateway/lists", list).await;
    let policy = json!({
        "name": "listed", "decision": "allow", "include": [{ "email_list": { "id": id(&list) } }],
    });
    made(&world, "/access/policies", policy).await;
    let path = format!("/gateway/lists/{}", id(&list));
    let other = json!({ "name": "people", "type": "IP", "items": [{ "value": "198.51.100.7" }] });
    let answer = call(&world, "PUT", &path, Some(&other)).await;
    assert!(
        answer
            .error(400)
            .1
            .contains("policy \"listed\" would no longer stand"),
        "{}",
        answer.body
    );
    assert!(
        call(&world, "DELETE", &path, None)
            .await
            .error(409)
            .1
            .contains("policy \"listed\"")
    );
    // Groups that would come back to themselves.
    let one = json!({ "name": "one", "include": [{ "everyone": {} }] });
    let one = made(&world, "/access/groups", one).await;
    let two = json!({ "name": "two", "include": [{ "group": { "id": id(&one) } }] });
    let two = made(&world, "/access/groups", two).await;
    let cyclic = json!({ "name": "one", "include": [{ "group": { "id": id(&two) } }] });
    let answer = call(
        &world,
        "PUT",
        &format!("/access/groups/{}", id(&one)),
        Some(&cyclic),
    )
    .await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}

#[tokio::test]
async fn a_list_grows_and_shrinks() {
    let world = world().await;
    let items = json!([{ "value": "198.51.100.0/24", "description": "office" }, { "value": "203.0.113.7" }]);
    let list = made(
        &world,
        "/gateway/lists",
        json!({ "name": "nets", "type": "IP", "items": items }),
    )
    .await;
    assert_eq!(list["count"], 2);
    let path = format!("/gateway/lists/{}", id(&list));
    let change = json!({ "append": [{ "value": "192.0.2.1" }], "remove": ["203.0.113.7"] });
    call(&world, "PATCH", &path, Some(&change)).await.result(200);
    let items = call(&world, "GET", &format!("{path}/items"), None)
        .await
        .result(200);
    let wanted = json!([{ "value": "198.51.100.0/24", "description": "office" }, { "value": "192.0.2.1" }]);
    assert_eq!(items, wanted);
    let change = json!({ "append": [{ "value": "not an address" }] });
    assert_eq!(
        call(&world, "PATCH", &path, Some(&change))
            .await
            .error(400)
            .2
            .as_deref(),
        Some("/items/2/value")
    );
    let renamed = json!({ "name": "networks" });
    assert_eq!(
        call(&world, "PUT", &path, Some(&renamed)).await.result(200)["count"],
        2
    );
    assert_eq!(call(&world, "DELETE", &path, None).await.result(200), json!({}));
}

#[tokio::test]
async fn a_service_token_lives_as_at_access() {
    let world = world().await;
    let path = "/access/service_tokens";
    let new = made(&world, path, json!({ "name": "CI", "duration": "8760h" })).await;
    let secret = new["client_secret"].as_str().unwrap().to_owned();
    assert!(new["client_id"].as_str().unwrap().ends_with(".access"));
    assert_eq!(
        (&new["duration"], &new["enabled"]),
        (&json!("8760h"), &json!(true))
    );
    assert!(new["expires_at"].is_string());
    let one = format!("{path}/{}", id(&new));
    let read = call(&world, "GET", &one, None).await.result(200);
    assert_eq!(read.get("client_secret"), None);
    assert_eq!(read["expires_at"], new["expires_at"]);

    let rotated = call(&world, "POST", &format!("{one}/rotate"), Some(&json!({})))
        .await
        .result(200);
    assert_ne!(rotated["client_secret"], json!(secret));
    let bumped = json!({ "name": "CI", "client_secret_version": 3 });
    assert!(call(&world, "PUT", &one, Some(&bumped)).await.result(200)["client_secret"].is_string());
    assert_eq!(
        call(&world, "PUT", &one, Some(&json!({ "client_secret_version": 2 })))
            .await
            .status,
        400
    );
    let refreshed = call(&world, "POST", &format!("{one}/refresh"), None)
        .await
        .result(200);
    assert_ne!(refreshed["expires_at"], new["expires_at"]);
    let disabled = call(&world, "PUT", &one, Some(&json!({ "enabled": false })))
        .await
        .result(200);
    assert_eq!(
        (&disabled["enabled"], &disabled["name"]),
        (&json!(false), &json!("CI"))
    );

    let policy = json!({
        "name": "machines", "decision": "non_identity", "include": [{ "service_token": { "token_id": id(&new) } }],
    });
    let policy = made(&world, "/access/policies", policy).await;
    assert!(
        call(&world, "DELETE", &one, None)
            .await
            .error(409)
            .1
            .contains("policy \"machines\"")
    );
    call(
        &world,
        "DELETE",
        &format!("/access/policies/{}", id(&policy)),
        None,
    )
    .await
    .result(202);
    assert_eq!(call(&world, "DELETE", &one, None).await.result(200)["name"], "CI");
    assert!(
        !call(&world, "GET", path, None)
            .await
            .body
            .to_string()
            .contains(&secret)
    );
}

#[tokio::test]
async fn a_tag_is_its_name() {
    let world = world().await;
    let tag = made(&world, "/access/tags", json!({ "name": "on call" })).await;
    assert_eq!(tag["app_count"], 0);
    let app = json!({
        "name": "Third", "type": "self_hosted", "domain": world.host("third"), "tags": ["on call"],
    });
    made(&world, "/access/apps", app).await;
    let read = call(&world, "GET", "/access/tags/on%20call", None)
        .await
        .result(200);
    assert_eq!(read["app_count"], 1);
    let again = call(
        &world,
        "POST",
        "/access/tags",
        Some(&json!({ "name": "on call" })),
    )
    .await;
    assert_eq!(again.error(409).0, 12132);
    assert_eq!(
        call(
            &world,
            "PUT",
            "/access/tags/on%20call",
            Some(&json!({ "name": "other" }))
        )
        .await
        .status,
        400
    );
    let gone = call(&world, "DELETE", "/access/tags/on%20call", None)
        .await
        .result(202);
    assert_eq!(gone, json!({ "name": "on call" }));
}

#[tokio::test]
async fn a_page_is_listed_without_what_stands_in_it() {
    let world = world().await;
    let page = json!({ "name": "No", "type": "forbidden", "custom_html": "<h1>No.</h1>" });
    let page = made(&world, "/access/custom_pages", page).await;
    assert_eq!(page["custom_html"], "<h1>No.</h1>");
    let uid = page["uid"].as_str().unwrap();
    let listed = call(&world, "GET", "/access/custom_pages", None)
        .await
        .result(200);
    assert_eq!(
        (&listed[0]["uid"], listed[0].get("custom_html")),
        (&page["uid"], None)
    );
    let app = json!({
        "name": "Third", "type": "self_hosted", "domain": world.host("third"), "custom_pages": [uid],
    });
    made(&world, "/access/apps", app).await;
    let answer = call(&world, "DELETE", &format!("/access/custom_pages/{uid}"), None).await;
    assert!(answer.error(409).1.contains("application \"Third\""));
}

#[tokio::test]
async fn an_authority_is_read_and_its_certificate_kept() {
    let world = world().await;
    let pem = rcgen_authority();
    let sent = json!({ "name": "devices", "certificate": pem, "associated_hostnames": [world.host("wiki")] });
    let made = made(&world, "/access/certificates", sent).await;
    assert_eq!(made["fingerprint"].as_str().unwrap().len(), 64);
    assert!(made["expires_on"].is_string());
    assert_eq!(made.get("certificate"), None);
    let path = format!("/access/certificates/{}", id(&made));
    let renamed = json!({ "name": "devices, renamed", "associated_hostnames": [] });
    let put = call(&world, "PUT", &path, Some(&renamed)).await.result(200);
    assert_eq!(
        (&put["fingerprint"], &put["associated_hostnames"]),
        (&made["fingerprint"], &json!([]))
    );
    let settings = call(&world, "GET", "/access/certificates/settings", None)
        .await
        .result(200);
    assert_eq!(settings, json!([]));
    let off = json!([{ "hostname": "a.example.com", "china_network": false, "client_certificate_forwarding": false }]);
    assert_eq!(
        call(&world, "PUT", "/access/certificates/settings", Some(&off))
            .await
            .result(202),
        off
    );
    let on = json!([{ "hostname": "a.example.com", "client_certificate_forwarding": true }]);
    let answer = call(&world, "PUT", "/access/certificates/settings", Some(&on)).await;
    assert_eq!(
        answer.error(400).2.as_deref(),
        Some("/0/client_certificate_forwarding")
    );
    call(&world, "DELETE", &path, None).await.result(200);
}

fn rcgen_authority() -> String {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    parameters.self_signed(&key).unwrap().pem()
}

#[tokio::test]
async fn the_document_describes_what_is_answered() {
    let world = world().await;
    let bearer = format!("Bearer {}", super::TOKEN);
    let document = super::ask(
        &world,
        "GET",
        "/openapi.json",
        &[("Authorization", &bearer)],
        None,
    )
    .await;
    assert_eq!(document.status, 200);
    let document: Value = document.body;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["servers"][0]["url"],
        format!("http://{}/client/v4", world.authority("login"))
    );
    assert!(document["paths"]["/accounts/{account_id}/access/apps/{app_id}"]["put"].is_object());
}
