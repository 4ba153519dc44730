//! Groups, lists, service tokens, tags, pages and authorities over their lives.

use serde_json::{Value, json};

use super::{authority, call, id, made, tokens, world};
use crate::support::world::World;

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
    // What is there already stands there once, as it was said last.
    let change = json!({ "append": [
        { "value": "198.51.100.0/24", "description": "old office" }, { "value": "2001:db8::1" }, { "value": "2001:DB8::1" },
    ] });
    call(&world, "PATCH", &path, Some(&change)).await.result(200);
    let items = call(&world, "GET", &format!("{path}/items"), None)
        .await
        .result(200);
    let wanted = json!([
        { "value": "198.51.100.0/24", "description": "old office" }, { "value": "192.0.2.1" }, { "value": "2001:DB8::1" },
    ]);
    assert_eq!(items, wanted);
    let change = json!({ "remove": ["2001:DB8::1"] });
    call(&world, "PATCH", &path, Some(&change)).await.result(200);
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
    // A plan of before goes on, and takes nothing away.
    let behind = call(
        &world,
        "PUT",
        &one,
        Some(&json!({ "name": "CI", "client_secret_version": 2 })),
    )
    .await;
    assert!(
        behind.body["messages"].to_string().contains("is 3 already"),
        "{}",
        behind.body
    );
    assert_eq!(behind.result(200).get("client_secret"), None);
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

/// Whoever keeps the token in a plan knows nothing of a rotation by hand.
#[tokio::test]
async fn a_plan_goes_on_after_a_rotation_by_somebody_else() {
    let world = world().await;
    let planned =
        |version: Value| json!({ "name": "CI", "duration": "8760h", "client_secret_version": version });
    let path = "/access/service_tokens";
    let new = made(&world, path, planned(json!(1))).await;
    let one = format!("{path}/{}", id(&new));
    let rotated = call(&world, "POST", &format!("{one}/rotate"), None)
        .await
        .result(200);
    assert_ne!(rotated["client_secret"], new["client_secret"]);
    for version in [json!(1), json!(1.0)] {
        let same = call(&world, "PUT", &one, Some(&planned(version))).await;
        assert_eq!(same.body["messages"], json!([]));
        assert_eq!(same.result(200).get("client_secret"), None);
    }
    let bumped = call(&world, "PUT", &one, Some(&planned(json!(2))))
        .await
        .result(200);
    assert!(bumped["client_secret"].is_string() && bumped["client_secret"] != rotated["client_secret"]);
    // Cloudflare's old Go client writes 0 where it means none.
    let none = call(&world, "PUT", &one, Some(&planned(json!(0)))).await;
    assert_eq!(none.result(200).get("client_secret"), None);
    let below = call(&world, "PUT", &one, Some(&planned(json!(-1)))).await;
    assert_eq!(below.status, 400);
    // Made anew, it begins where the plan stands.
    call(&world, "DELETE", &one, None).await.result(200);
    let again = made(&world, path, planned(json!(2))).await;
    assert!(again["client_secret"].is_string());
    let one = format!("{path}/{}", id(&again));
    assert_eq!(
        call(&world, "PUT", &one, Some(&planned(json!(2))))
            .await
            .result(200)
            .get("client_secret"),
        None
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
    // Whatever stands in a name is found by it.
    for (name, path) in [
        ("infra/net", "infra%2fnet"),
        // As cloudflare-go and Terraform write it.
        ("infra/net", "infra/net"),
        ("Gr\u{f6}\u{df}e?", "Gr%C3%B6%C3%9Fe%3F"),
    ] {
        made(&world, "/access/tags", json!({ "name": name })).await;
        let gone = call(&world, "DELETE", &format!("/access/tags/{path}"), None)
            .await
            .result(202);
        assert_eq!(gone, json!({ "name": name }));
    }
    // As long as an application has it, it stays; the file's have tags too.
    let answer = call(&world, "DELETE", "/access/tags/on%20call", None).await;
    let (code, message, _) = answer.error(409);
    assert!(
        code == 12132 && message.contains("application \"Third\""),
        "{message}"
    );
    let apps = call(&world, "GET", "/access/apps?name=Third", None)
        .await
        .result(200);
    let path = format!("/access/apps/{}", id(&apps[0]));
    let untagged =
        json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third"), "tags": [] });
    call(&world, "PUT", &path, Some(&untagged)).await.result(200);
    let doubtful = json!({ "name": "infra%2Fnet" });
    assert_eq!(
        call(&world, "POST", "/access/tags", Some(&doubtful)).await.status,
        400
    );
    let gone = call(&world, "DELETE", "/access/tags/on%20call", None)
        .await
        .result(202);
    assert_eq!(gone, json!({ "name": "on call" }));
}

/// As at Access. What the file declares has the tags that it names.
#[tokio::test]
async fn an_application_has_tags_that_there_are() {
    let world = World::builder()
        .wiki("tags = [\"of the file\"]\n")
        .more(&tokens())
        .start()
        .await;
    let wiki = call(&world, "GET", "/access/apps?name=Wiki", None)
        .await
        .result(200);
    assert_eq!(wiki[0]["tags"], json!(["of the file"]));
    made(&world, "/access/tags", json!({ "name": "on call" })).await;
    let body = |tags: Value| json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third"), "tags": tags });
    let refused = call(
        &world,
        "POST",
        "/access/apps",
        Some(&body(json!(["on call", "nowhere"]))),
    )
    .await;
    let (code, message, place) = refused.error(400);
    assert_eq!((code, place.as_deref()), (12130, Some("/tags/1")), "{message}");
    assert!(
        message.contains("no tag \"nowhere\"") && message.contains("make it first"),
        "{message}"
    );
    let path = format!(
        "/access/apps/{}",
        id(&made(&world, "/access/apps", body(json!(["on call"]))).await)
    );
    for tags in [json!(["of the file"]), json!(["On Call"])] {
        let refused = call(&world, "PUT", &path, Some(&body(tags))).await;
        assert_eq!(refused.error(400).2.as_deref(), Some("/tags/0"));
    }
    made(&world, "/access/tags", json!({ "name": "of the file" })).await;
    let both = body(json!(["of the file", "on call"]));
    let put = call(&world, "PUT", &path, Some(&both)).await.result(200);
    assert_eq!(put["tags"], both["tags"]);
}

#[tokio::test]
async fn a_page_is_listed_without_what_stands_in_it() {
    let world = world().await;
    let page = json!({ "name": "No", "type": "forbidden", "custom_html": "<h1>No.</h1>" });
    let page = made(&world, "/access/custom_pages", page).await;
    assert_eq!(page["custom_html"], "<h1>No.</h1>");
    let uid = page["uid"].as_str().unwrap();
    // A template, which is another thing than a page that is served as it is.
    let template = json!({ "name": "x", "type": "forbidden", "custom_html": "x", "contract_version": 1 });
    let answer = call(&world, "POST", "/access/custom_pages", Some(&template)).await;
    assert_eq!(answer.error(400).2.as_deref(), Some("/contract_version"));
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
    let pem = authority();
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
    // The official clients leave the name out where it stays.
    let put = call(&world, "PUT", &path, Some(&json!({ "associated_hostnames": [] })))
        .await
        .result(200);
    assert_eq!(put["name"], "devices, renamed");
    let settings = call(&world, "GET", "/access/certificates/settings", None)
        .await
        .result(200);
    assert_eq!(settings, json!([]));
    let off = json!([{ "hostname": "a.example.com", "china_network": false, "client_certificate_forwarding": false }]);
    let change = json!({ "settings": off });
    assert_eq!(
        call(&world, "PUT", "/access/certificates/settings", Some(&change))
            .await
            .result(202),
        off
    );
    let on = json!({ "settings": [{ "hostname": "a.example.com", "client_certificate_forwarding": true }] });
    let answer = call(&world, "PUT", "/access/certificates/settings", Some(&on)).await;
    assert_eq!(
        answer.error(400).2.as_deref(),
        Some("/settings/0/client_certificate_forwarding")
    );
    call(&world, "DELETE", &path, None).await.result(200);
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

/// One thing that is wrong is told once, and not as if something else were.
#[tokio::test]
async fn a_group_of_approvers_that_cannot_be_read_is_no_absent_one() {
    let world = world().await;
    let policy = |needed: Value| {
        json!({
            "name": "asked", "decision": "allow", "include": [{ "everyone": {} }], "approval_required": true,
            "approval_groups": [{ "approvals_needed": needed, "email_addresses": ["ada@example.com"] }],
        })
    };
    let answer = call(&world, "POST", "/access/policies", Some(&policy(json!(1.5)))).await;
    assert_eq!(
        answer.error(400).2.as_deref(),
        Some("/approval_groups/0/approvals_needed")
    );
    assert_eq!(
        answer.body["errors"].as_array().unwrap().len(),
        1,
        "{}",
        answer.body
    );
    let made = made(&world, "/access/policies", policy(json!(1.0))).await;
    assert_eq!(made["approval_groups"][0]["approvals_needed"], json!(1.0));
}

#[tokio::test]
async fn a_key_that_stands_twice_is_refused_by_its_place() {
    let world = world().await;
    let bearer = format!("Bearer {}", super::TOKEN);
    let mut person = world.anonymous();
    let path = format!("/client/v4{}", super::account("/access/policies"));
    let url = person.address(&world.host("login"), &path);
    for (body, pointer) in [
        (
            r#"{"name":"p","decision":"deny","decision":"allow","include":[{"everyone":{}}]}"#,
            "/decision",
        ),
        (
            r#"{"name":"p","decision":"allow","include":[{"everyone":{}},{"email":{"email":"a@b.example","email":"c@d.example"}}]}"#,
            "/include/1/email/email",
        ),
        (
            r#"{"name":"p","decision":"allow","include":[{"everyone":{}}],"a/b~":1,"a\u002fb~":1}"#,
            "/a~1b~0",
        ),
    ] {
        let headers = [("Authorization", bearer.as_str())];
        let reply = person.request("POST", &url, &headers, body.as_bytes()).await;
        let said: Value = serde_json::from_slice(&reply.body).unwrap();
        let error = &said["errors"][0];
        assert_eq!((reply.status, &error["code"]), (400, &json!(12130)), "{said}");
        assert_eq!(error["source"]["pointer"], pointer, "{said}");
        assert!(error["message"].as_str().unwrap().contains("twice"), "{said}");
    }
    assert_eq!(
        call(&world, "GET", "/access/policies?name=p", None)
            .await
            .result(200),
        json!([])
    );
}
