//! Applications and their policies, and that what is written is in force when it is answered.

use serde_json::{Value, json};

use super::{call, id, made, world};

fn third(world: &crate::support::world::World) -> Value {
    json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third") })
}

fn allow(email: &str) -> Value {
    json!({ "name": email, "decision": "allow", "include": [{ "email": { "email": email } }] })
}

#[tokio::test]
async fn an_application_is_in_force_when_it_is_answered_and_gone_when_it_is_deleted() {
    let world = world().await;
    let mut alice = world.person("alice@contoso.example");
    assert_eq!(alice.open(&world.host("third"), "/").await.status(), 404);
    let policy = made(&world, "/access/policies", allow("alice@contoso.example")).await;
    let mut body = third(&world);
    body["policies"] = json!([id(&policy)]);
    let app = made(&world, "/access/apps", body).await;
    assert_eq!(app["aud"].as_str().unwrap().len(), 64);
    assert_eq!(app["policies"][0]["name"], "alice@contoso.example");
    assert_eq!(app["policies"][0]["precedence"], 1);
    assert_eq!(app["self_hosted_domains"], json!([world.host("third")]));
    assert_eq!(
        app["destinations"],
        json!([{ "type": "public", "uri": world.host("third") }])
    );
    assert_eq!(
        alice.open(&world.host("third"), "/").await.status(),
        502,
        "let in, and nothing serves it"
    );

    // Another policy, and she is out with her next request.
    let path = format!("/access/policies/{}", id(&policy));
    call(&world, "PUT", &path, Some(&allow("adam@contoso.example")))
        .await
        .result(200);
    assert_eq!(alice.open(&world.host("third"), "/").await.status(), 403);

    let answer = call(&world, "DELETE", &path, None).await;
    assert!(answer.error(409).1.contains("application \"Third\""));
    assert_eq!(call(&world, "GET", &path, None).await.result(200)["app_count"], 1);
    let app_path = format!("/access/apps/{}", id(&app));
    assert_eq!(
        call(&world, "DELETE", &app_path, None).await.result(202),
        json!({ "id": id(&app) })
    );
    assert_eq!(alice.open(&world.host("third"), "/").await.status(), 404);
    call(&world, "DELETE", &path, None).await.result(202);
}

#[tokio::test]
async fn what_was_answered_can_be_put_back_and_changes_nothing() {
    let world = world().await;
    let reusable = made(&world, "/access/policies", allow("alice@contoso.example")).await;
    let mut body = third(&world);
    body["policies"] = json!([{ "id": id(&reusable), "precedence": 7 }, allow("adam@contoso.example")]);
    // The second stands at place two, before seven.
    let app = made(&world, "/access/apps", body).await;
    let path = format!("/access/apps/{}", id(&app));
    let again = call(&world, "PUT", &path, Some(&app)).await.result(200);
    for key in [
        "id",
        "aud",
        "domain",
        "destinations",
        "self_hosted_domains",
        "session_duration",
        "created_at",
    ] {
        assert_eq!(again[key], app[key], "{key}");
    }
    let ids = |app: &Value| -> Vec<(Value, Value)> {
        let policies = app["policies"].as_array().unwrap().iter();
        policies
            .map(|policy| (policy["id"].clone(), policy["precedence"].clone()))
            .collect()
    };
    assert_eq!(ids(&again), ids(&app));
    assert_eq!(again["policies"][0]["reusable"], true);
    assert_eq!(again["policies"][1].get("reusable"), None);
    // Without policies in it a change leaves them; an empty list takes them away.
    let mut body = third(&world);
    body["name"] = json!("Third, renamed");
    let renamed = call(&world, "PUT", &path, Some(&body)).await.result(200);
    assert_eq!(ids(&renamed), ids(&app));
    body["policies"] = json!([]);
    assert_eq!(
        call(&world, "PUT", &path, Some(&body)).await.result(200)["policies"],
        json!([])
    );
}

#[tokio::test]
async fn an_application_has_policies_of_its_own() {
    let world = world().await;
    let reusable = made(&world, "/access/policies", allow("ada@example.com")).await;
    let mut body = third(&world);
    body["policies"] = json!([id(&reusable)]);
    let app = made(&world, "/access/apps", body).await;
    let all = format!("/access/apps/{}/policies", id(&app));
    let own = made(&world, &all, allow("alice@contoso.example")).await;
    assert_eq!(own["precedence"], 2);
    let one = format!("{all}/{}", id(&own));
    assert_eq!(call(&world, "GET", &one, None).await.result(200), own);
    let mut alice = world.person("alice@contoso.example");
    assert_eq!(alice.open(&world.host("third"), "/").await.status(), 502);

    let put = call(&world, "PUT", &one, Some(&allow("adam@contoso.example")))
        .await
        .result(200);
    assert_eq!(
        (&put["precedence"], &put["created_at"]),
        (&json!(2), &own["created_at"])
    );
    assert_eq!(alice.open(&world.host("third"), "/").await.status(), 403);
    let listed = call(&world, "GET", &all, None).await.result(200);
    assert_eq!(listed.as_array().unwrap().len(), 2);

    // Reusable ones are changed where they are.
    let linked = format!("{all}/{}", id(&reusable));
    for (method, body) in [("PUT", Some(allow("x@example.com"))), ("DELETE", None)] {
        let answer = call(&world, method, &linked, body.as_ref()).await;
        assert!(
            answer
                .error(400)
                .1
                .contains("can not update reusable policies through this endpoint")
        );
    }
    // An own one becomes reusable and keeps its id.
    let shared = call(&world, "PUT", &format!("{one}/make_reusable"), None)
        .await
        .result(200);
    assert_eq!(
        (&shared["id"], &shared["reusable"], &shared["precedence"]),
        (&own["id"], &json!(true), &json!(2))
    );
    let read = call(&world, "GET", &format!("/access/policies/{}", id(&own)), None)
        .await
        .result(200);
    assert_eq!(
        read["include"],
        json!([{ "email": { "email": "adam@contoso.example" } }])
    );
    let mut bob = world.person("adam@contoso.example");
    assert_eq!(bob.open(&world.host("third"), "/").await.status(), 502);

    let mut incomplete = allow("x@example.com");
    incomplete.as_object_mut().unwrap().remove("decision");
    let answer = call(&world, "POST", &all, Some(&incomplete)).await;
    assert_eq!(answer.error(400).2.as_deref(), Some("/decision"));
}

#[tokio::test]
async fn an_own_policy_is_deleted_with_its_application_or_alone() {
    let world = world().await;
    let mut body = third(&world);
    body["policies"] = json!([allow("alice@contoso.example")]);
    let app = made(&world, "/access/apps", body).await;
    let own = id(&app["policies"][0]);
    let path = format!("/access/apps/{}/policies/{own}", id(&app));
    assert_eq!(
        call(&world, "DELETE", &path, None).await.result(202),
        json!({ "id": own })
    );
    assert_eq!(call(&world, "GET", &path, None).await.status, 404);
    let app = call(&world, "GET", &format!("/access/apps/{}", id(&app)), None)
        .await
        .result(200);
    assert_eq!(app["policies"], json!([]));
}

#[tokio::test]
async fn what_cannot_stand_is_refused_and_nothing_is_changed() {
    let world = world().await;
    let app = made(&world, "/access/apps", third(&world)).await;
    let path = format!("/access/apps/{}", id(&app));
    for (key, value, wanted) in [
        ("session_duration", json!("a day"), "/session_duration"),
        ("allowed_idps", json!([uuid::Uuid::new_v4()]), "/allowed_idps"),
        ("policies", json!([uuid::Uuid::new_v4()]), "/policies"),
        (
            "policies",
            json!([{ "id": uuid::Uuid::new_v4(), "precedence": 1, "decison": "allow" }]),
            "/policies/0/decison",
        ),
        (
            "mfa_config",
            json!({ "allowed_authenticators": ["totp"] }),
            "/mfa_config",
        ),
        ("type", json!("saas"), "/type"),
        (
            "same_site_cookie_attribute",
            json!("loose"),
            "/same_site_cookie_attribute",
        ),
    ] {
        let mut body = third(&world);
        body[key] = value;
        let answer = call(&world, "PUT", &path, Some(&body)).await;
        let (code, _, place) = answer.error(400);
        assert_eq!(
            (code, place.as_deref()),
            (12130, Some(wanted)),
            "{key}: {}",
            answer.body
        );
    }
    let twice = json!([
        { "name": "a", "decision": "allow", "precedence": 1, "include": [{ "everyone": {} }] },
        { "name": "b", "decision": "allow", "precedence": 1, "include": [{ "everyone": {} }] },
    ]);
    let mut body = third(&world);
    body["policies"] = twice;
    let answer = call(&world, "PUT", &path, Some(&body)).await;
    assert_eq!(
        answer.error(400).1,
        "access.api.error.invalid_request: policy precedences must be unique"
    );
    assert_eq!(call(&world, "GET", &path, None).await.result(200), app);
}

/// With the application itself nothing is wrong: what it asks for is another's.
#[tokio::test]
async fn an_address_in_two_spellings_is_an_applications_own() {
    let world = world().await;
    let third = world.host("third");
    let both = json!([{ "uri": third }, { "uri": format!("{third}/*") }]);
    let body = json!({ "name": "Third", "type": "self_hosted", "destinations": both });
    let app = made(&world, "/access/apps", body).await;
    assert_eq!(
        app["destinations"].as_array().unwrap().len(),
        2,
        "as it was sent: {app}"
    );
}

#[tokio::test]
async fn an_address_that_is_taken_is_a_conflict() {
    let world = world().await;
    let app = made(&world, "/access/apps", third(&world)).await;
    let wiki = world.host("wiki");
    for (domain, owner) in [
        (wiki.clone(), "\"Wiki\""),
        (format!("{wiki}/*"), "\"Wiki\""),
        (format!("{}/*/", wiki.to_uppercase()), "\"Wiki\""),
        (world.host("third"), "\"Third\""),
        (world.host("login"), "auth host"),
        (format!("{}/admin", world.host("login")), "auth host"),
    ] {
        let body = json!({ "name": "Another", "type": "self_hosted", "domain": domain });
        let answer = call(&world, "POST", "/access/apps", Some(&body)).await;
        let (code, message, place) = answer.error(409);
        assert_eq!(
            (code, place.as_deref()),
            (12132, Some("/destinations")),
            "{message}"
        );
        assert!(
            message.starts_with("access.api.error.conflict: ") && message.contains(owner),
            "{message}"
        );
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
    let path = format!("/access/apps/{}", id(&app));
    let mut body = third(&world);
    body["domain"] = json!(wiki);
    assert_eq!(call(&world, "PUT", &path, Some(&body)).await.error(409).0, 12132);
    // Something wrong with it besides: then it is wrong whatever others have.
    body["allowed_idps"] = json!([uuid::Uuid::new_v4()]);
    let answer = call(&world, "PUT", &path, Some(&body)).await;
    assert_eq!(answer.error(400).0, 12130);
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2);
    assert_eq!(call(&world, "GET", &path, None).await.result(200), app);
}

/// By the type official clients tell what an answer is.
#[tokio::test]
async fn an_application_that_says_no_type_is_self_hosted_and_shown_so() {
    let world = world().await;
    for kind in [None, Some(Value::Null), Some(json!(""))] {
        let mut body = third(&world);
        match kind {
            None => body.as_object_mut().unwrap().remove("type"),
            Some(kind) => body.as_object_mut().unwrap().insert("type".to_owned(), kind),
        };
        let app = made(&world, "/access/apps", body.clone()).await;
        let path = format!("/access/apps/{}", id(&app));
        let put = call(&world, "PUT", &path, Some(&body)).await.result(200);
        let read = call(&world, "GET", &path, None).await.result(200);
        for shown in [&app, &put, &read] {
            assert_eq!(shown["type"], "self_hosted");
        }
        call(&world, "DELETE", &path, None).await.result(202);
    }
    let mut body = third(&world);
    body["type"] = json!(7);
    let answer = call(&world, "POST", "/access/apps", Some(&body)).await;
    assert_eq!(answer.error(400).2.as_deref(), Some("/type"));
    // Of the file's, which says none either.
    let wiki = call(&world, "GET", "/access/apps?name=Wiki", None)
        .await
        .result(200);
    assert_eq!(wiki[0]["type"], "self_hosted");
}

#[tokio::test]
async fn hosts_that_destinations_leave_out_are_told() {
    let world = world().await;
    let (third, fourth) = (world.host("third"), world.host("fourth"));
    let body = json!({
        "name": "Both", "type": "self_hosted",
        "destinations": [{ "type": "public", "uri": third }], "self_hosted_domains": [third, fourth],
    });
    let answer = call(&world, "POST", "/access/apps", Some(&body)).await;
    let said = answer.body["messages"].to_string();
    assert!(
        said.contains(&fourth) && said.contains("/self_hosted_domains"),
        "{said}"
    );
    let app = answer.result(201);
    let same = json!({
        "name": "Both", "type": "self_hosted", "destinations": [{ "type": "public", "uri": third }],
        "self_hosted_domains": [third.to_uppercase()],
    });
    let answer = call(&world, "PUT", &format!("/access/apps/{}", id(&app)), Some(&same)).await;
    assert_eq!(answer.body["messages"], json!([]));
}

#[tokio::test]
async fn applications_are_found_by_name_address_and_audience() {
    let world = world().await;
    let app = made(&world, "/access/apps", third(&world)).await;
    let find = async |query: &str| {
        let found = call(&world, "GET", &format!("/access/apps?{query}"), None)
            .await
            .result(200);
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|app| app["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(find("name=Third").await, ["Third"]);
    assert_eq!(find("name=Thir").await, Vec::<String>::new());
    assert_eq!(find("name=thir&exact=false").await, ["Third"]);
    assert_eq!(find("name=Third&exact=true").await, ["Third"]);
    assert_eq!(
        find("name=thir&exact=false&search=wik").await,
        Vec::<String>::new()
    );
    assert_eq!(find("name=thir&exact=false&domain=thir").await, ["Third"]);
    assert_eq!(find("search=hIR").await, ["Third"]);
    assert_eq!(
        find(&format!("aud={}", app["aud"].as_str().unwrap())).await,
        ["Third"]
    );
    assert_eq!(find("domain=third").await, ["Third"]);
    assert_eq!(find("domain=third&exact=true").await, Vec::<String>::new());
    assert_eq!(
        find(&format!("domain={}&exact=true", world.host("third"))).await,
        ["Third"]
    );
}

#[tokio::test]
async fn lists_end() {
    let world = world().await;
    for number in 0..5 {
        let group = json!({ "name": format!("g{number}"), "include": [{ "everyone": {} }] });
        made(&world, "/access/groups", group).await;
    }
    let page = call(&world, "GET", "/access/groups?per_page=2&page=3", None).await;
    assert_eq!(
        page.body["result_info"],
        json!({ "page": 3, "per_page": 2, "count": 1, "total_count": 5, "total_pages": 3 })
    );
    assert_eq!(page.result(200)[0]["name"], "g4");
    let past = call(&world, "GET", "/access/groups?per_page=2&page=4", None).await;
    assert_eq!(past.result(200), json!([]));
    let far = call(
        &world,
        "GET",
        "/access/groups?page=4294967295&per_page=1000",
        None,
    )
    .await;
    assert_eq!(far.result(200), json!([]));
    assert_eq!(
        call(&world, "GET", "/access/groups?page=x", None)
            .await
            .error(400)
            .0,
        12130
    );
}

#[tokio::test]
async fn settings_are_changed_alone_and_tokens_are_revoked() {
    let world = world().await;
    let mut body = third(&world);
    body["policies"] = json!([allow("alice@contoso.example")]);
    let app = made(&world, "/access/apps", body).await;
    let path = format!("/access/apps/{}", id(&app));
    let sent = json!({ "allow_iframe": true });
    let settings = call(&world, "PATCH", &format!("{path}/settings"), Some(&sent))
        .await
        .result(202);
    assert_eq!(settings, sent);
    let read = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(
        (&read["allow_iframe"], &read["name"]),
        (&json!(true), &json!("Third"))
    );
    assert_eq!(
        call(
            &world,
            "PATCH",
            &format!("{path}/settings"),
            Some(&json!({ "name": "x" }))
        )
        .await
        .status,
        400
    );

    let mut alice = world.person("alice@contoso.example");
    alice.open(&world.host("third"), "/").await;
    let token = alice.cookie(&world.host("third"), "CF_Authorization").unwrap();
    call(&world, "POST", &format!("{path}/revoke_tokens"), None)
        .await
        .result(202);
    let headers = [("cf-access-token", token.as_str())];
    let reply = world.anonymous().fetch(&world.host("third"), "/", &headers).await;
    assert_eq!(reply.status, 302, "the token of before opens nothing");
}

#[tokio::test]
async fn a_change_is_in_force_at_every_gateway_within_a_second() {
    let world = crate::support::world::World::builder()
        .more(&super::tokens())
        .gateways(2)
        .start()
        .await;
    let mut body = third(&world);
    body["policies"] = json!([allow("alice@contoso.example")]);
    made(&world, "/access/apps", body).await;
    let answered = std::time::Instant::now();
    let mut alice = world.person_at(1, "alice@contoso.example");
    loop {
        let status = alice.fetch(&world.host("third"), "/", &[]).await.status;
        if status == 302 {
            break;
        }
        assert_eq!(status, 404);
        assert!(answered.elapsed() < std::time::Duration::from_secs(1));
    }
    println!("in force elsewhere after {:?}", answered.elapsed());
}
