//! Policies tried over everybody who is known, and explained for one person.

use serde_json::{Value, json};

use super::{TOKEN, account, call, id, made, tokens, world};
use crate::support::tenant::{ADAM, ALICE, MALLORY, STAFF};
use crate::support::world::World;

/// The provider's id.
async fn provider(world: &World) -> String {
    let providers = call(world, "GET", "/access/identity_providers", None)
        .await
        .result(200);
    id(&providers[0])
}

/// A test that has come to its end.
async fn tested(world: &World, policies: Value) -> (String, Value) {
    let begun = call(
        world,
        "POST",
        "/access/policy-tests",
        Some(&json!({ "policies": policies })),
    )
    .await
    .result(200);
    assert_eq!(begun["status"], "success");
    let path = format!("/access/policy-tests/{}", id(&begun));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let test = call(world, "GET", &path, None).await.result(200);
        if test["status"] != "processing" {
            assert_eq!(test["status"], "complete", "{test}");
            return (path, test);
        }
        assert!(std::time::Instant::now() < deadline, "{test}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn users(world: &World, path: &str, status: &str) -> Vec<Value> {
    let users = call(world, "GET", &format!("{path}/users?status={status}"), None)
        .await
        .result(200);
    users
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["email"].clone())
        .collect()
}

#[tokio::test]
async fn policies_are_tried_over_everybody_who_is_known() {
    let world = world().await;
    for person in [ALICE, ADAM] {
        world.signed_in(person, &["wiki"]).await;
    }
    world.person(MALLORY).open(&world.host("wiki"), "/").await;
    let group = json!({ "azureAD": { "id": STAFF, "identity_provider_id": provider(&world).await } });
    let staff = json!({ "name": "by hand", "decision": "allow", "include": [group] });
    let no_adam =
        json!({ "name": "not Adam", "decision": "deny", "include": [{ "email": { "email": ADAM } }] });
    let reusable = made(&world, "/access/policies", no_adam).await;
    let (path, test) = tested(&world, json!([id(&reusable), staff])).await;
    for (key, wanted) in [
        ("total_users", 3),
        ("users_approved", 1),
        ("users_blocked", 2),
        ("users_errored", 0),
        ("percent_users_processed", 100),
        ("percent_approved", 33),
        ("percent_blocked", 66),
    ] {
        assert_eq!(test[key], wanted, "{key}");
    }
    assert_eq!(users(&world, &path, "success").await, [ALICE]);
    assert_eq!(users(&world, &path, "fail").await, [ADAM, MALLORY]);
    assert_eq!(users(&world, &path, "error").await.len(), 0);
    let second = call(&world, "GET", &format!("{path}/users?per_page=1&page=2"), None)
        .await
        .result(200);
    assert_eq!(
        (&second[0]["email"], &second[0]["status"]),
        (&json!(ADAM), &json!("blocked"))
    );
    let past = call(&world, "GET", &format!("{path}/users?page=2"), None)
        .await
        .result(200);
    assert_eq!(past, json!([]));
    assert_eq!(
        call(&world, "GET", &format!("{path}/users?status=maybe"), None)
            .await
            .status,
        400
    );

    // By reference as an object, and an application's own policy.
    let (_, test) = tested(&world, json!([{ "id": reusable["id"] }])).await;
    assert_eq!(test["users_blocked"], 3);
    // What cannot be known is neither.
    let abroad =
        json!({ "name": "abroad", "decision": "allow", "include": [{ "geo": { "country_code": "DE" } }] });
    let late =
        json!({ "name": "late", "decision": "deny", "include": [{ "geo": { "country_code": "FR" } }] });
    let (path, test) = tested(&world, json!([late, staff])).await;
    assert_eq!(test["users_errored"], 3, "{test}");
    assert_eq!(users(&world, &path, "error").await, [ALICE, ADAM, MALLORY]);
    let (_, test) = tested(&world, json!([abroad])).await;
    assert_eq!(test["users_approved"], 0);

    world.pass(jiff::SignedDuration::from_secs(3601));
    assert_eq!(
        call(&world, "GET", &path, None).await.error(404).1,
        "access.api.error.unknown_policy_test"
    );
}

#[tokio::test]
async fn every_gateway_tells_how_a_test_came_out() {
    let world = World::builder().gateways(2).more(&tokens()).start().await;
    let everybody = json!([{ "name": "all", "decision": "allow", "include": [{ "everyone": {} }] }]);
    let (_, nobody) = tested(&world, everybody.clone()).await;
    for key in [
        "total_users",
        "percent_users_processed",
        "percent_approved",
        "percent_blocked",
        "percent_errored",
    ] {
        assert_eq!(nobody[key], 0, "{key}: of nobody, it is nothing");
    }
    for person in [ALICE, ADAM] {
        world.signed_in(person, &["wiki"]).await;
    }
    let (path, here) = tested(&world, everybody).await;
    assert_eq!(here["percent_approved"], 100);
    let authorization = format!("Bearer {TOKEN}");
    let there = async |path: &str| {
        let mut person = world.person_at(1, ALICE);
        let url = person.address(&world.host("login"), &format!("/client/v4{}", account(path)));
        let reply = person
            .request("GET", &url, &[("Authorization", &authorization)], b"")
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        body["result"].clone()
    };
    assert_eq!(there(&path).await, here);
    let users = there(&format!("{path}/users?per_page=1&page=2")).await;
    assert_eq!(
        (users.as_array().unwrap().len(), &users[0]["email"]),
        (1, &json!(ADAM))
    );
}

#[tokio::test]
async fn what_cannot_be_tried_is_refused() {
    let world = world().await;
    let nowhere = "11111111-1111-4111-8111-111111111111";
    for (policies, status, pointer) in [
        (json!([]), 400, Some("/policies")),
        (json!("all"), 400, Some("/policies")),
        (json!([7]), 400, Some("/policies/0")),
        (json!([nowhere]), 404, None),
        (
            json!([{ "name": "x", "decision": "allow", "include": [] }]),
            400,
            Some("/policies/0/include"),
        ),
        (
            json!([{ "name": "x", "decision": "allow", "include": [{ "everyone": {} }], "colour": 1 }]),
            400,
            Some("/policies/0/colour"),
        ),
        (
            json!([{ "name": "x", "decision": "allow", "include": [{ "group": { "id": nowhere } }] }]),
            400,
            Some("/policies/0/include/0/group/id"),
        ),
        (json!(vec![nowhere; 101]), 400, Some("/policies")),
    ] {
        let body = json!({ "policies": policies });
        let answer = call(&world, "POST", "/access/policy-tests", Some(&body)).await;
        assert_eq!(
            answer.error(status).2.as_deref(),
            pointer,
            "{body}: {}",
            answer.body
        );
    }
    let answer = call(&world, "POST", "/access/policy-tests", Some(&json!({}))).await;
    assert_eq!(answer.error(400).2.as_deref(), Some("/policies"));
    let unknown = format!("/access/policy-tests/{nowhere}");
    assert_eq!(call(&world, "GET", &unknown, None).await.status, 404);
}

#[tokio::test]
async fn an_application_is_explained_for_a_person() {
    let world = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    world.person(MALLORY).open(&world.host("wiki"), "/").await;
    let apps = call(&world, "GET", "/access/apps?name=Wiki", None)
        .await
        .result(200);
    let path = format!("/access/apps/{}/user_policy_checks", id(&apps[0]));
    let refused = call(&world, "GET", &path, None).await.error(400);
    assert!(
        refused.0 == 12130 && refused.1.contains("user=alice@example.com"),
        "{refused:?}"
    );

    let alice = call(&world, "GET", &format!("{path}?user={ALICE}"), None)
        .await
        .result(200);
    let (state, identity) = (&alice["app_state"], &alice["user_identity"]);
    assert_eq!(
        (&state["name"], &state["status"]),
        (&json!("Wiki"), &json!("Success"))
    );
    assert_eq!(
        (&state["aud"], &state["app_uid"]),
        (&apps[0]["aud"], &apps[0]["id"])
    );
    let policy = &state["policies"][0];
    assert_eq!(
        (&policy["decision"], &policy["status"]),
        (&json!("allow"), &json!("Success"))
    );
    assert_eq!(
        (&policy["include"][0]["_type"], &policy["include"][0]["status"]),
        (&json!("azureAD"), &json!("Success"))
    );
    // With the rule's own settings, as Access shows them.
    assert_eq!(policy["include"][0]["id"], STAFF);
    assert!(policy["include"][0]["identity_provider_id"].is_string());
    assert_eq!((&policy["exclude"], &policy["require"]), (&json!([]), &json!([])));
    assert_eq!(identity["email"], ALICE);

    let mallory = call(&world, "GET", &format!("{path}?user={MALLORY}"), None)
        .await
        .result(200);
    assert_eq!(mallory["app_state"]["status"], "Failure");
    assert_eq!(mallory["app_state"]["verdict"]["reason"], "no_policy_matched");
    let stranger = call(
        &world,
        "GET",
        &format!("{path}?user=zoe@contoso.example&ip=192.0.2.1&country=DE"),
        None,
    )
    .await
    .result(200);
    assert_eq!(stranger["app_state"]["policies"][0]["status"], "Unknown");
    for wrong in [
        "user=zoe",
        "user=zoe@contoso.example&ip=here",
        "user=zoe@contoso.example&country=Germany",
    ] {
        assert_eq!(
            call(&world, "GET", &format!("{path}?{wrong}"), None).await.status,
            400,
            "{wrong}"
        );
    }
    let nowhere = "/access/apps/11111111-1111-4111-8111-111111111111/user_policy_checks?user=a@b.example";
    assert_eq!(call(&world, "GET", nowhere, None).await.status, 404);
}
