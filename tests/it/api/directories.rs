//! What directories tell by SCIM, as the API shows it.

use serde_json::{Value, json};

use super::{call, id, made, world};
use crate::support::{tenant, world::World};

pub(super) fn provider(enabled: bool) -> Value {
    json!({
        "name": "By API", "type": "azureAD",
        "config": {
            "client_id": tenant::CLIENT, "client_secret": tenant::SECRET, "directory_id": tenant::TENANT,
            "support_groups": true, "azure_cloud": "mock",
        },
        "scim_config": { "enabled": enabled, "user_deprovision": true, "identity_update_behavior": "automatic" },
    })
}

/// Sends a request as the directory of a provider does.
pub(super) async fn tell(
    world: &World,
    method: &str,
    provider: &str,
    path: &str,
    secret: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let mut directory = world.anonymous();
    let url = directory.address(
        &world.host("login"),
        &format!("/populations/{provider}/scim/v2{path}"),
    );
    let bearer = format!("Bearer {secret}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/scim+json"),
    ];
    let body = body.map(Value::to_string).unwrap_or_default();
    let reply = directory.request(method, &url, &headers, body.as_bytes()).await;
    (
        reply.status,
        serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn a_directorys_secret_is_told_once_and_the_next_one_takes_its_place() {
    let world = world().await;
    let off = made(&world, "/access/identity_providers", provider(false)).await;
    assert_eq!(off["scim_config"].get("secret"), None);
    let base = format!(
        "http://{}/populations/{}/scim/v2",
        world.authority("login"),
        id(&off)
    );
    assert_eq!(
        (&off["scim_base_url"], &off["scim_config"]["scim_base_url"]),
        (&json!(base), &json!(base))
    );

    let one = format!("/access/identity_providers/{}", id(&off));
    let on = call(&world, "PUT", &one, Some(&provider(true))).await.result(200);
    let first = on["scim_config"]["secret"].as_str().unwrap().to_owned();
    assert_eq!(
        tell(&world, "GET", &id(&off), "/Users", &first, None).await.0,
        200
    );
    for read in [
        call(&world, "GET", &one, None).await.body,
        call(&world, "PUT", &one, Some(&provider(true))).await.body,
        call(&world, "GET", "/access/identity_providers", None).await.body,
    ] {
        assert!(!read.to_string().contains(&first));
    }

    let refreshed = call(&world, "POST", &format!("{one}/refresh_scim_secret"), None)
        .await
        .result(200);
    let second = refreshed["scim_config"]["secret"].as_str().unwrap();
    assert_ne!(first, second);
    assert_eq!(
        tell(&world, "GET", &id(&off), "/Users", &first, None).await.0,
        401
    );
    assert_eq!(
        tell(&world, "GET", &id(&off), "/Users", second, None).await.0,
        200
    );
}

#[tokio::test]
async fn a_log_is_kept_as_long_as_a_silence_that_is_told_of() {
    let world = world().await;
    let mut wanted = provider(true);
    for (kept, silence, why) in [
        ("24h", "25h", "silence_alarm is longer"),
        ("1s", "0s", "write 24h at least"),
        ("23h", "12h", "write 24h at least"),
    ] {
        wanted["scim_config"]["log_retention"] = json!(kept);
        wanted["scim_config"]["silence_alarm"] = json!(silence);
        let refused = call(&world, "POST", "/access/identity_providers", Some(&wanted)).await;
        let (code, said, place) = refused.error(400);
        assert_eq!(
            (code, place.as_deref()),
            (12130, Some("/scim_config/log_retention"))
        );
        assert!(said.contains(why), "{said}");
    }
    wanted["scim_config"]["log_retention"] = json!("24h");
    made(&world, "/access/identity_providers", wanted).await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one person and one group, from their making to their end"
)]
async fn what_a_directory_told_is_listed_read_logged_and_deleted() {
    let world = world().await;
    let provider = made(&world, "/access/identity_providers", provider(true)).await;
    let secret = provider["scim_config"]["secret"].as_str().unwrap();
    let at = id(&provider);
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "kim@contoso.example",
        "externalId": "0b0c0d0e-0000-4000-8000-000000000001", "active": true, "displayName": "Kim",
        "emails": [{ "type": "work", "primary": true, "value": "kim@contoso.example" }],
    });
    let (status, told) = tell(&world, "POST", &at, "/Users", secret, Some(&user)).await;
    assert_eq!(status, 201, "{told}");
    let kim = told["id"].as_str().unwrap();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engineers",
        "externalId": "0b0c0d0e-0000-4000-8000-000000000002", "members": [{ "value": kim }],
    });
    let (status, engineers) = tell(&world, "POST", &at, "/Groups", secret, Some(&group)).await;
    assert_eq!(status, 201, "{engineers}");

    let base = format!("/access/identity_providers/{at}/scim");
    let users = call(&world, "GET", &format!("{base}/users"), None).await;
    assert_eq!(users.body["result_info"]["total_count"], 1);
    let users = users.result(200);
    assert_eq!(
        (&users[0]["id"], &users[0]["displayName"], &users[0]["active"]),
        (&json!(kim), &json!("Kim"), &json!(true))
    );
    assert!(users[0]["meta"]["created"].is_string());
    for query in [
        "username=KIM@contoso.example",
        "email=kim@contoso.example",
        "search_contains=im@",
        "search_starts_with=kim",
        &format!("cf_resource_id={kim}"),
        "idp_resource_id=0b0c0d0e-0000-4000-8000-000000000001",
    ] {
        let found = call(&world, "GET", &format!("{base}/users?{query}"), None)
            .await
            .result(200);
        assert_eq!(found.as_array().unwrap().len(), 1, "{query}");
        let past = call(&world, "GET", &format!("{base}/users?{query}&page=2"), None)
            .await
            .result(200);
        assert_eq!(past, json!([]), "{query}");
    }
    let found = call(&world, "GET", &format!("{base}/users?username=lee"), None)
        .await
        .result(200);
    assert_eq!(found, json!([]));
    let both = format!("{base}/users?cf_resource_id={kim}&name=x");
    assert_eq!(call(&world, "GET", &both, None).await.error(400).0, 12130);

    let read = call(&world, "GET", &format!("{base}/groups/{}", id(&engineers)), None)
        .await
        .result(200);
    assert_eq!(read["displayName"], "Engineers");
    assert_eq!(
        read["members"],
        json!([{
            "value": kim, "display": "kim@contoso.example", "type": "User",
            "$ref": format!("{}/Users/{kim}", provider["scim_base_url"].as_str().unwrap()),
        }])
    );

    let log = call(
        &world,
        "GET",
        &format!("/access/logs/scim/updates?idp_id={at}&direction=asc"),
        None,
    )
    .await
    .result(200);
    let rows = log.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["status"], &rows[0]["resource_type"]),
        (&json!("SUCCESS"), &json!("USER"))
    );
    assert_eq!(rows[0]["resource_user_email"], "kim@contoso.example");
    let twice = format!("/access/logs/scim/updates?idp_id={at}&idp_id={at}&direction=asc");
    assert_eq!(call(&world, "GET", &twice, None).await.result(200), log);
    let many: Vec<String> = (0..17)
        .map(|number| format!("idp_id={}", uuid::Uuid::from_u128(number)))
        .collect();
    let many = many.join("&") + "&";
    let many = call(&world, "GET", &format!("/access/logs/scim/updates?{many}"), None).await;
    assert_eq!(many.error(400).0, 12130);
    assert!(!log.to_string().contains(secret));
    assert_eq!(
        call(&world, "GET", "/access/logs/scim/updates", None)
            .await
            .error(400)
            .0,
        12130
    );

    assert_eq!(
        call(&world, "DELETE", &format!("{base}/users/{kim}"), None)
            .await
            .status,
        204
    );
    assert_eq!(
        call(&world, "GET", &format!("{base}/users/{kim}"), None)
            .await
            .status,
        404
    );
    assert_eq!(
        call(
            &world,
            "DELETE",
            &format!("{base}/groups/{}", id(&engineers)),
            None
        )
        .await
        .status,
        204
    );
    assert_eq!(
        call(&world, "GET", &format!("{base}/groups"), None)
            .await
            .result(200),
        json!([])
    );
}

#[tokio::test]
async fn switched_off_and_on_again_a_directory_needs_a_new_secret() {
    let world = world().await;
    let made = made(&world, "/access/identity_providers", provider(true)).await;
    let first = made["scim_config"]["secret"].as_str().unwrap().to_owned();
    let (at, one) = (id(&made), format!("/access/identity_providers/{}", id(&made)));
    let message = |answer: &super::Answer| answer.body["messages"][0]["message"].as_str().map(str::to_owned);

    let off = call(&world, "PUT", &one, Some(&provider(false))).await;
    let said = message(&off).unwrap();
    assert!(
        said.contains("provisions no longer") && !said.contains("left out"),
        "{said}"
    );
    assert_eq!(off.result(200)["scim_config"].get("secret"), None);
    assert_eq!(tell(&world, "GET", &at, "/Users", &first, None).await.0, 401);
    let on = call(&world, "PUT", &one, Some(&provider(true))).await;
    assert_eq!(message(&on), None);
    let second = on.result(200)["scim_config"]["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        tell(&world, "GET", &at, "/Users", &first, None).await.0,
        401,
        "it stays dead"
    );
    assert_eq!(tell(&world, "GET", &at, "/Users", &second, None).await.0, 200);

    // What is not said is off, and that is told.
    let mut silent = provider(true);
    silent.as_object_mut().unwrap().remove("scim_config");
    let off = call(&world, "PUT", &one, Some(&silent)).await;
    let said = message(&off).unwrap();
    assert!(said.contains("scim_config was left out"), "{said}");
    assert_eq!(tell(&world, "GET", &at, "/Users", &second, None).await.0, 401);
    let again = call(&world, "PUT", &one, Some(&silent)).await;
    assert_eq!(message(&again), None, "it was off before");
    let on = call(&world, "PUT", &one, Some(&provider(true))).await.result(200);
    let third = on["scim_config"]["secret"].as_str().unwrap();
    assert_eq!(tell(&world, "GET", &at, "/Users", third, None).await.0, 200);
}

#[tokio::test]
async fn providers_are_listed_by_whether_their_directories_provision() {
    let world = world().await;
    let on = made(&world, "/access/identity_providers", provider(true)).await;
    let off = made(&world, "/access/identity_providers", provider(false)).await;
    let listed = async |query: &str| {
        let answer = call(
            &world,
            "GET",
            &format!("/access/identity_providers?{query}"),
            None,
        )
        .await;
        let total = answer.body["result_info"]["total_count"].as_u64().unwrap();
        let found = answer.result(200);
        let ids: Vec<String> = found.as_array().unwrap().iter().map(id).collect();
        (ids, total)
    };
    assert_eq!(listed("scim_enabled=true").await, (vec![id(&on)], 1));
    let (without, total) = listed("scim_enabled=false").await;
    assert!(
        total == 2 && without.contains(&id(&off)),
        "the world's own does not either: {without:?}"
    );
    assert_eq!(
        listed("scim_enabled=false&per_page=1&page=2").await,
        (without[1..].to_vec(), 2)
    );
    assert_eq!(listed("").await.1, 3);
    let wrong = call(&world, "GET", "/access/identity_providers?scim_enabled=yes", None).await;
    assert_eq!(wrong.error(400).0, 12130);
}

#[tokio::test]
async fn no_secret_stands_in_the_provisioning_log() {
    let world = world().await;
    let provider = made(&world, "/access/identity_providers", provider(true)).await;
    let secret = provider["scim_config"]["secret"].as_str().unwrap();
    let at = id(&provider);
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
    let user = json!({ "userName": "kim@contoso.example", format!("{urn}:password"): "hunter2", "apiToken": "hunter2" });
    let (status, kim) = tell(&world, "POST", &at, "/Users", secret, Some(&user)).await;
    assert_eq!(status, 201, "{kim}");
    let operations = [
        json!({ "op": "replace", "path": format!("{urn}:password"), "value": "hunter2" }),
        json!({ "op": "replace", "value": { format!("{urn}:password"): "hunter2" } }),
        json!({ "Op": "replace", "Path": "password", "Value": "hunter2" }),
        json!({ "OP": "Replace", "PATH": "PassWord", "VALUE": "hunter2" }),
        json!({ "op": "replace", "path": " password", "value": "hunter2" }),
        json!({ "op": "replace", "path": "password[value eq \"hunter2\"]", "value": "hunter2" }),
        json!({ "op": "add", "path": "clientSecret", "value": { "value": "hunter2" } }),
    ];
    let many = operations.len();
    for operation in operations {
        let body =
            json!({ "Operations": [operation, { "op": "replace", "path": "title", "value": "Captain" }] });
        tell(
            &world,
            "PATCH",
            &at,
            &format!("/Users/{}", id(&kim)),
            secret,
            Some(&body),
        )
        .await;
    }
    let path = format!("/access/logs/scim/updates?idp_id={at}&limit=100");
    let began = std::time::Instant::now();
    let log = loop {
        let log = call(&world, "GET", &path, None).await.result(200);
        if log.as_array().unwrap().len() > many {
            break log;
        }
        assert!(began.elapsed().as_secs() < 5, "{log}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    for row in log.as_array().unwrap() {
        let body = row["request_body"].as_str().unwrap();
        assert!(
            body.contains("[hidden]") && !row.to_string().contains("hunter2"),
            "{row}"
        );
        assert!(
            body.contains("Captain") || body.contains("kim@"),
            "what is none stays: {row}"
        );
    }
}

#[tokio::test]
async fn the_provisioning_log_is_filtered_by_several_values_at_once() {
    let world = world().await;
    let provider = made(&world, "/access/identity_providers", provider(true)).await;
    let secret = provider["scim_config"]["secret"].as_str().unwrap();
    let at = id(&provider);
    for (name, status) in [
        ("kim@contoso.example", 201),
        ("lee@contoso.example", 201),
        ("", 400),
    ] {
        let user = json!({ "userName": name });
        assert_eq!(
            tell(&world, "POST", &at, "/Users", secret, Some(&user)).await.0,
            status
        );
    }
    for name in ["Engineers", "Sailors"] {
        let group = json!({ "displayName": name });
        assert_eq!(
            tell(&world, "POST", &at, "/Groups", secret, Some(&group)).await.0,
            201
        );
    }
    assert_eq!(
        tell(&world, "GET", &at, "/ServiceProviderConfig", secret, None)
            .await
            .0,
        200
    );
    let count = async |query: &str| {
        let path = format!("/access/logs/scim/updates?idp_id={at}&limit=100&{query}");
        let rows = call(&world, "GET", &path, None).await.result(200);
        rows.as_array().unwrap().len()
    };
    let began = std::time::Instant::now();
    while count("").await < 6 {
        assert!(began.elapsed().as_secs() < 5);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for (query, many) in [
        ("status=SUCCESS&status=FAILURE", 6),
        ("status=failure", 1),
        ("status=SUCCESS", 5),
        ("resource_type=USER&resource_type=GROUP", 5),
        ("resource_type=GROUP", 2),
        ("resource_type=USER&status=SUCCESS&status=SUCCESS", 2),
        ("request_method=GET&request_method=POST", 6),
        ("request_method=GET", 1),
        (
            "resource_user_email=kim@contoso.example&resource_user_email=lee@contoso.example",
            2,
        ),
        ("resource_user_email=kim@contoso.example", 1),
        (
            "resource_group_name=Engineers&resource_group_name=Sailors&resource_group_name=Nobody",
            2,
        ),
        ("resource_group_name=Engineers&resource_type=USER", 0),
        ("cf_resource_id=a&cf_resource_id=b", 0),
        ("idp_resource_id=a&idp_resource_id=b&direction=asc", 0),
    ] {
        assert_eq!(count(query).await, many, "{query}");
    }
    let eleven: Vec<String> = (0..11)
        .map(|number| format!("&cf_resource_id={number}"))
        .collect();
    let eleven = eleven.concat();
    for query in [
        "status=SOMETIMES",
        "resource_type=ROBOT",
        "direction=asc&direction=desc",
        &eleven,
    ] {
        let path = format!("/access/logs/scim/updates?idp_id={at}&{query}");
        assert_eq!(
            call(&world, "GET", &path, None).await.error(400).0,
            12130,
            "{query}"
        );
    }
}

/// The pages of the provisioning log: the clients ask on until one is empty, and older ones until `total_pages`.
#[tokio::test]
async fn the_provisioning_log_is_read_a_page_at_a_time_to_its_end() {
    let world = world().await;
    let provider = made(&world, "/access/identity_providers", provider(true)).await;
    let secret = provider["scim_config"]["secret"].as_str().unwrap();
    let at = id(&provider);
    for number in 0..4 {
        let user = json!({ "userName": format!("user{number}@contoso.example") });
        assert_eq!(
            tell(&world, "POST", &at, "/Users", secret, Some(&user)).await.0,
            201
        );
    }
    let page = async |query: &str| {
        let path = format!("/access/logs/scim/updates?idp_id={at}&direction=asc{query}");
        let answer = call(&world, "GET", &path, None).await;
        let info = answer.body["result_info"].clone();
        let rows = answer.result(200).as_array().unwrap().clone();
        assert_eq!(info["count"], rows.len(), "{info}");
        (rows.len(), info)
    };
    let began = std::time::Instant::now();
    while page("").await.0 < 4 {
        assert!(began.elapsed().as_secs() < 5);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let info = |page: u32, per_page: u32, count: u32, total: u32, pages: u32| json!({ "page": page, "per_page": per_page, "count": count, "total_count": total, "total_pages": pages });
    for (query, wanted) in [
        ("", info(1, 20, 4, 4, 1)),
        ("&per_page=3&page=2", info(2, 3, 1, 4, 2)),
        // Behind a full page there may be more; behind the last there is nothing, and no further page.
        ("&per_page=2", info(1, 2, 2, 3, 2)),
        ("&per_page=2&page=2", info(2, 2, 2, 5, 3)),
        ("&per_page=2&page=3", info(3, 2, 0, 4, 2)),
        // Alone, it is the size of a page; beside one, it counts over all pages.
        ("&limit=3", info(1, 3, 3, 4, 2)),
        ("&limit=3&page=2", info(2, 3, 1, 4, 2)),
        ("&limit=3&per_page=2", info(1, 2, 2, 3, 2)),
        ("&limit=3&per_page=2&page=2", info(2, 2, 1, 3, 2)),
        ("&limit=3&per_page=2&page=3", info(3, 2, 0, 3, 2)),
        ("&status=FAILURE", info(1, 20, 0, 0, 0)),
    ] {
        let (_, found) = page(query).await;
        assert_eq!(found, wanted, "{query}");
    }
}
