//! People who signed in, their sessions and their seats.

use std::sync::Arc;

use serde_json::{Value, json};

use vestibule::model::ids::UserId;
use vestibule::store::{Actor, ActorKind, UserOrder};

use super::{READER, account, ask, call, id, tokens, world};
use crate::support::database::Database;
use crate::support::tenant::{ADAM, ALICE, MALLORY};
use crate::support::world::World;

/// The user with an address.
async fn user(world: &World, email: &str) -> Value {
    let found = call(world, "GET", &format!("/access/users?email={email}"), None)
        .await
        .result(200);
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    found[0].clone()
}

#[tokio::test]
async fn many_users_are_listed_and_found_as_few_are() {
    const PEOPLE: &str = "INSERT INTO users (id, provider, tenant, object, email, name, generation, deprovisioned, created_ms, \
         last_login_ms) WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 5999) \
         SELECT printf('%08x-0000-4000-8000-000000000001', i), '00000000-0000-4000-8000-000000000002', \
         '00000000-0000-4000-8000-000000000002', printf('%08x-0000-4000-8000-000000000003', i), \
         'user' || i || '@corp.example', 'Zoë ' || i, 0, 0, i / 3, i FROM c";
    let database = Arc::new(Database::sqlite());
    let world = World::builder().on(&database).more(&tokens()).start().await;
    database.run(PEOPLE).await;
    let path = |query: &str| format!("/access/users?{query}");
    let listed = async |query: &str| {
        let answer = call(&world, "GET", &path(query), None).await;
        let total = answer.body["result_info"]["total_count"].as_u64().unwrap();
        let users = answer.result(200);
        let names = users
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), total)
    };
    let zoe = |numbers: &[u32]| {
        numbers
            .iter()
            .map(|number| format!("Zoë {number}"))
            .collect::<Vec<_>>()
    };
    for (query, wanted, total) in [
        ("per_page=2", &[0, 1][..], 6000),
        ("per_page=2&page=251", &[500, 501], 6000),
        ("per_page=2&page=3000", &[5998, 5999], 6000),
        ("per_page=2&page=3001", &[], 6000),
        ("search=ZOë%20123&per_page=3", &[123, 1230, 1231], 11),
        ("search=ZOë%20123&per_page=3&page=4", &[1238, 1239], 11),
        ("search=USER77@", &[77], 1),
        ("search=%25", &[], 0),
        ("email=USER77@corp.example", &[77], 1),
        ("name=Zo%C3%AB%2077", &[77], 1),
        ("name=Zo%C3%AB%2077&search=corp", &[77], 1),
    ] {
        assert_eq!(listed(query).await, (zoe(wanted), total), "{query}");
    }
    let gone = "/access/users/00000000-0000-4000-8000-000000000001";
    assert_eq!(call(&world, "DELETE", gone, None).await.status, 202);
    assert_eq!(listed("per_page=2&page=251").await, (zoe(&[501, 502]), 5999));
    assert_eq!(listed("search=USER0@").await, (Vec::new(), 0));
    // Neither by a sign-in nor here: another gateway tells nobody, but its word is found a second later.
    let order = UserOrder::Rename("Yvonne".to_owned());
    let actor = Actor {
        kind: ActorKind::ApiToken,
        name: "another gateway".to_owned(),
    };
    let id = UserId("00000004-0000-4000-8000-000000000001".parse().unwrap());
    let elsewhere = world.store().await;
    assert!(elsewhere.order(id, &order, "", &actor).await.unwrap().is_some());
    world.pass(jiff::SignedDuration::from_secs(3));
    assert_eq!(listed("search=vonn").await, (vec!["Yvonne".to_owned()], 1));
}

#[tokio::test]
async fn users_are_listed_a_page_at_a_time_and_found() {
    let world = world().await;
    for person in [ALICE, ADAM] {
        world.signed_in(person, &["wiki"]).await;
    }
    world.person(MALLORY).open(&world.host("wiki"), "/").await;
    let all = call(&world, "GET", "/access/users", None).await;
    assert_eq!(all.body["result_info"]["total_count"], 3);
    let all = all.result(200);
    let emails: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["email"])
        .collect();
    assert_eq!(emails, [ALICE, ADAM, MALLORY]);
    let alice = &all[0];
    assert_eq!(alice["name"], "Alice Example");
    assert_eq!(
        (&alice["access_seat"], &alice["gateway_seat"]),
        (&json!(true), &json!(false))
    );
    assert!(alice["last_successful_login"].is_string() && alice["seat_uid"].is_string());
    assert_eq!(alice["id"], alice["uid"]);

    let second = call(&world, "GET", "/access/users?per_page=1&page=2", None)
        .await
        .result(200);
    assert_eq!(
        (second.as_array().unwrap().len(), &second[0]["email"]),
        (1, &json!(ADAM))
    );
    let past = call(&world, "GET", "/access/users?per_page=2&page=3", None)
        .await
        .result(200);
    assert_eq!(past, json!([]));
    for (query, wanted) in [
        ("search=MALLORY", vec![MALLORY]),
        ("search=example", vec![ALICE, ADAM, MALLORY]),
        ("name=Adam%20Example", vec![ADAM]),
        ("name=Adam", vec![]),
        ("email=Alice@contoso.example", vec![ALICE]),
        ("email=alice@contoso.example&name=Adam%20Example", vec![]),
        ("email=nobody@contoso.example", vec![]),
    ] {
        let found = call(&world, "GET", &format!("/access/users?{query}"), None).await;
        assert_eq!(found.body["result_info"]["total_count"], wanted.len(), "{query}");
        let found = found.result(200);
        let found: Vec<_> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|user| &user["email"])
            .collect();
        assert_eq!(found, wanted, "{query}");
    }
    let one = call(&world, "GET", &format!("/access/users/{}", id(alice)), None).await;
    assert_eq!(&one.result(200), alice);
}

#[tokio::test]
async fn a_user_cannot_be_made_up_and_keeps_the_address() {
    let world = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    let new = json!({ "email": "zoe@contoso.example", "name": "Zoe" });
    let refused = call(&world, "POST", "/access/users", Some(&new)).await.error(400);
    assert!(
        refused.0 == 12130 && refused.1.contains("first login"),
        "{refused:?}"
    );
    let path = format!("/access/users/{}", id(&user(&world, ALICE).await));
    let other = json!({ "email": "zoe@contoso.example", "name": "Alice Example" });
    let refused = call(&world, "PUT", &path, Some(&other)).await.error(400);
    assert_eq!((refused.0, refused.2.as_deref()), (12130, Some("/email")));
    let renamed = json!({ "email": ALICE, "name": "Alice of Staff" });
    let answer = call(&world, "PUT", &path, Some(&renamed)).await;
    assert!(
        answer.body["messages"][0]["message"]
            .as_str()
            .unwrap()
            .contains("next login")
    );
    assert_eq!(answer.result(200)["name"], "Alice of Staff");
    assert_eq!(user(&world, ALICE).await["name"], "Alice of Staff");
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(user(&world, ALICE).await["name"], "Alice Example");
    let nobody = "/access/users/00000000-0000-4000-8000-000000000000";
    for method in ["GET", "DELETE"] {
        let refused = call(&world, method, nobody, None).await.error(404);
        assert_eq!(refused.1, "access.api.error.unknown_user");
    }
    let authorization = format!("Bearer {READER}");
    let headers = [("Authorization", authorization.as_str())];
    let refused = ask(&world, "DELETE", &account(&path), &headers, None)
        .await
        .error(403);
    assert!(refused.1.contains("Seats Write"), "{refused:?}");
}

#[tokio::test]
async fn a_deleted_user_is_out_and_comes_back_by_signing_in() {
    let world = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki", "other"]).await;
    let before = user(&world, ALICE).await;
    let path = format!("/access/users/{}", id(&before));
    assert_eq!(call(&world, "DELETE", &path, None).await.result(202), Value::Null);
    for host in ["wiki", "other"] {
        let reply = alice.get(&alice.address(&world.host(host), "/")).await;
        assert_eq!(reply.status, 302, "{host}");
    }
    assert_eq!(call(&world, "GET", &path, None).await.status, 404);
    assert_eq!(call(&world, "DELETE", &path, None).await.status, 404);
    let found = call(&world, "GET", "/access/users", None).await;
    assert_eq!(found.body["result_info"]["total_count"], 0);
    assert_eq!(found.result(200), json!([]));

    world.signed_in(ALICE, &["wiki"]).await;
    let after = user(&world, ALICE).await;
    assert_eq!(
        (&after["id"], &after["access_seat"]),
        (&before["id"], &json!(true))
    );
}

#[tokio::test]
async fn a_login_under_way_does_not_outlive_the_deletion() {
    let world = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    let path = format!("/access/users/{}", id(&user(&world, ALICE).await));
    let store = world.store().await;
    let user = store
        .users_with_email(&ALICE.parse().unwrap())
        .await
        .unwrap()
        .remove(0);
    let read_at = store.head().await.unwrap().seq;
    call(&world, "DELETE", &path, None).await.result(202);
    let person = crate::store::people::Person {
        provider: user.provider,
        key: user.person,
    };
    let (_, inserted) = person.try_sign_in(&store, read_at).await;
    assert_eq!(inserted, vestibule::store::SessionInserted::UserEndedMeanwhile);
}

#[tokio::test]
async fn sessions_and_identities_of_a_user_are_shown() {
    let world = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    world.signed_in(ALICE, &["other"]).await;
    world.signed_in(ADAM, &["wiki"]).await;
    let path = format!("/access/users/{}", id(&user(&world, ALICE).await));
    let sessions = call(&world, "GET", &format!("{path}/active_sessions"), None)
        .await
        .result(200);
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let metadata = &sessions[0]["metadata"];
    assert_eq!(metadata["ttl"], 24 * 3600);
    assert_eq!(sessions[0]["expiration"], metadata["expires"]);
    let nonce = metadata["nonce"].as_str().unwrap();
    let session = format!("{path}/active_sessions/{nonce}");
    let one = call(&world, "GET", &session, None).await.result(200);
    assert_eq!((&one["email"], &one["isActive"]), (&json!(ALICE), &json!(true)));
    assert!(one["groups"].to_string().contains(crate::support::tenant::STAFF));
    let last = call(&world, "GET", &format!("{path}/last_seen_identity"), None)
        .await
        .result(200);
    assert_eq!((&last["email"], &last["passkeys"]), (&json!(ALICE), &json!([])));

    // Another's session is none of this user's.
    let adam = format!("/access/users/{}", id(&user(&world, ADAM).await));
    let foreign = format!("{adam}/active_sessions/{nonce}");
    assert_eq!(
        call(&world, "GET", &foreign, None).await.error(404).1,
        "access.api.error.unknown_session"
    );

    let revoke = json!({ "email": ALICE });
    call(&world, "POST", "/access/organizations/revoke_user", Some(&revoke))
        .await
        .result(200);
    let sessions = call(&world, "GET", &format!("{path}/active_sessions"), None)
        .await
        .result(200);
    assert_eq!(sessions, json!([]));
    assert_eq!(
        call(&world, "GET", &session, None).await.result(200)["isActive"],
        false
    );
    let last = call(&world, "GET", &format!("{path}/last_seen_identity"), None)
        .await
        .result(200);
    assert_eq!(last["email"], ALICE);
}

#[tokio::test]
async fn refusals_of_a_user_are_shown() {
    let world = world().await;
    let arrival = world.person(MALLORY).open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 403);
    let path = format!("/access/users/{}/failed_logins", id(&user(&world, MALLORY).await));
    let failed = call(&world, "GET", &path, None).await.result(200);
    let metadata = &failed[0]["metadata"];
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    assert_eq!(
        (&metadata["app_name"], &metadata["user_email"]),
        (&json!("Wiki"), &json!(MALLORY))
    );
    assert!(arrival.text().contains(metadata["ray_id"].as_str().unwrap()));
    assert!(failed[0]["expiration"].is_i64() && metadata["aud"].as_str().unwrap().len() == 64);
}

#[tokio::test]
async fn everything_somebody_has_open_is_revoked_on_every_gateway() {
    let world = World::builder().gateways(2).more(&super::tokens()).start().await;
    let mut here = world.signed_in(ALICE, &["wiki"]).await;
    let mut there = world.person_at(1, ALICE);
    assert_eq!(there.open(&world.host("wiki"), "/").await.status(), 200);
    let mut adam = world.signed_in(ADAM, &["wiki"]).await;
    let path = "/access/organizations/revoke_user";
    let revoke = json!({ "email": "Alice@Contoso.example", "devices": true });
    let answer = call(&world, "POST", path, Some(&revoke)).await;
    assert!(answer.body["messages"].to_string().contains("no device sessions"));
    assert_eq!(answer.result(200), json!(true));
    let at = |person: &crate::support::person::Person| person.address(&world.host("wiki"), "/");
    assert_eq!(here.get(&at(&here)).await.status, 302);
    assert_eq!(adam.get(&at(&adam)).await.status, 200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(1);
    while there.get(&at(&there)).await.status != 302 {
        assert!(
            std::time::Instant::now() < deadline,
            "the other gateway follows within a second"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let adam_id = id(&user(&world, ADAM).await);
    let other = json!({ "email": ALICE, "user_uid": adam_id });
    assert_eq!(
        call(&world, "POST", path, Some(&other))
            .await
            .error(400)
            .2
            .as_deref(),
        Some("/email")
    );
    let of_id = json!({ "user_uid": adam_id });
    call(&world, "POST", path, Some(&of_id)).await.result(200);
    assert_eq!(adam.get(&at(&adam)).await.status, 302);
    for (body, status) in [
        (json!({}), 400),
        (json!({ "email": "no address" }), 400),
        (json!({ "email": 7 }), 400),
        (json!({ "email": "nobody@contoso.example" }), 404),
        (json!({ "email": ALICE, "device": true }), 400),
    ] {
        let answer = call(&world, "POST", path, Some(&body)).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_seat_is_freed_and_taken_by_the_next_login() {
    let world = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let seat = user(&world, ALICE).await["seat_uid"].clone();
    let free = json!([{ "seat_uid": seat, "access_seat": false, "gateway_seat": false }]);
    for (wrong, status) in [
        (
            json!([{ "seat_uid": seat, "access_seat": false, "gateway_seat": true }]),
            400,
        ),
        (json!([{ "seat_uid": seat, "gateway_seat": false }]), 400),
        (
            json!([{ "seat_uid": "7", "access_seat": false, "gateway_seat": false }]),
            400,
        ),
        (
            json!([free[0], { "seat_uid": uuid::Uuid::nil(), "access_seat": false, "gateway_seat": false }]),
            404,
        ),
        (json!([]), 400),
        (json!({}), 400),
    ] {
        let answer = call(&world, "PATCH", "/access/seats", Some(&wrong)).await;
        assert_eq!(answer.status, status, "{wrong}: {}", answer.body);
    }
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
    let freed = call(&world, "PATCH", "/access/seats", Some(&free))
        .await
        .result(200);
    assert_eq!(
        (&freed[0]["seat_uid"], &freed[0]["access_seat"]),
        (&seat, &json!(false))
    );
    let reply = alice.get(&alice.address(&world.host("wiki"), "/")).await;
    assert_eq!(reply.status, 302, "what was open is over");
    assert_eq!(user(&world, ALICE).await["access_seat"], false);
    let take = json!([{ "seat_uid": seat, "access_seat": true, "gateway_seat": false }]);
    let refused = call(&world, "PATCH", "/access/seats", Some(&take))
        .await
        .error(400);
    assert_eq!(refused.2.as_deref(), Some("/0/access_seat"));
    world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(user(&world, ALICE).await["access_seat"], true);
}

#[tokio::test]
async fn a_session_tells_which_applications_it_has_tokens_of() {
    let world = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let path = format!("/access/users/{}/active_sessions", id(&user(&world, ALICE).await));
    let apps = async || {
        let sessions = call(&world, "GET", &path, None).await.result(200);
        sessions[0]["metadata"]["apps"].clone()
    };
    let names = |apps: &Value| {
        let names = apps
            .as_object()
            .unwrap()
            .values()
            .map(|app| app["name"].as_str().unwrap().to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let first = apps().await;
    assert_eq!(names(&first), ["Wiki"]);
    let (aud, wiki) = first.as_object().unwrap().iter().next().unwrap();
    assert_eq!(
        (&wiki["hostname"], &wiki["type"]),
        (&json!(world.host("wiki")), &json!("self_hosted"))
    );
    let known = call(&world, "GET", "/access/apps?name=Wiki", None)
        .await
        .result(200);
    assert_eq!((&json!(aud), &wiki["uid"]), (&known[0]["aud"], &known[0]["id"]));
    assert_eq!(alice.open(&world.host("other"), "/").await.status(), 200);
    assert_eq!(names(&apps().await), ["Other", "Wiki"]);
    // Tokens that are revoked are none.
    let revoke = format!("/access/apps/{}/revoke_tokens", id(&known[0]));
    call(&world, "POST", &revoke, None).await.result(202);
    assert_eq!(names(&apps().await), ["Other"]);
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
    assert_eq!(names(&apps().await), ["Other", "Wiki"]);
}
