//! Graph: permissions, advanced queries, pages, throttling, wrong in one point alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mock_entra::{AppRegistration, Endpoint, Fault, Group, MemberRef, Tenant, demo};
use serde_json::{Value, json};

use crate::support::{Answer, World, fixture, members};

/// The query of the right client for all groups of a person.
const GROUPS: &str =
    "transitiveMemberOf/microsoft.graph.group?$select=id,displayName,securityEnabled&$top=999&$count=true";

/// A client of Graph with one token.
struct Graph<'a> {
    world: &'a World,
    token: String,
}

impl<'a> Graph<'a> {
    async fn of(world: &'a World, name: &str, scope: &str) -> Self {
        let ask = world.sign_in().with("mock_user", name).with("scope", scope);
        let tokens = world.tokens(ask).await;
        Self {
            world,
            token: tokens["access_token"].as_str().unwrap().to_owned(),
        }
    }

    async fn app(world: &'a World) -> Self {
        let answer = world.token(world.app_login()).await;
        Self {
            world,
            token: answer.body["access_token"].as_str().unwrap().to_owned(),
        }
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/v1.0/{path}", self.world.entra.base_url())
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let request = self.world.http.get(self.url(path)).bearer_auth(&self.token);
        Answer::of(
            request
                .header("ConsistencyLevel", "eventual")
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    async fn get_without_consistency_level(&self, path: &str) -> Answer {
        Answer::of(
            self.world
                .http
                .get(self.url(path))
                .bearer_auth(&self.token)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self
            .world
            .http
            .post(self.url(path))
            .bearer_auth(&self.token)
            .json(&body);
        Answer::of(request.send().await.unwrap()).await
    }
}

/// Status and Graph's code of a refusal.
fn refusal(answer: &Answer) -> (u16, &str) {
    (
        answer.status,
        answer.body["error"]["code"].as_str().unwrap_or("none"),
    )
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["displayName"].as_str())
        .collect()
}

const BOTH: &str = "openid profile User.Read GroupMember.Read.All";

#[tokio::test]
async fn the_right_client_reads_profile_and_nested_groups_by_name() {
    let world = World::start().await;
    let graph = Graph::of(&world, demo::ALICE, BOTH).await;
    let select = "id,displayName,givenName,surname,userPrincipalName,mail,accountEnabled,userType";
    let me = graph.get(&format!("me?$select={select}")).await;
    assert_eq!(members(&me.body), members(&fixture("graph/me_200.json")["body"]));
    assert_eq!(me.body["accountEnabled"], json!(true), "{}", me.body);
    let groups = graph.get(&format!("me/{GROUPS}")).await;
    assert_eq!(names(&groups), ["All Staff", "Engineering"]);
    assert_eq!(groups.body["@odata.count"], 2);
    let page = &fixture("graph/transitiveMemberOf_page1.json")["body"];
    assert_eq!(members(&groups.body["value"][0]), members(&page["value"][0]));
    let one = graph.get(&format!("me/{}", GROUPS.replace("999", "1"))).await;
    assert_eq!(members(&one.body), members(page));
}

#[tokio::test]
async fn a_count_or_a_cast_needs_the_consistency_level_and_the_count() {
    let world = World::start().await;
    let graph = Graph::of(&world, demo::ALICE, BOTH).await;
    let wrong = [
        graph.get_without_consistency_level(&format!("me/{GROUPS}")).await,
        graph
            .get(&format!("me/{}", GROUPS.replace("&$count=true", "")))
            .await,
        graph
            .get_without_consistency_level("me/transitiveMemberOf?$count=true")
            .await,
    ];
    for answer in wrong {
        assert_eq!(refusal(&answer), (400, "Request_UnsupportedQuery"));
        assert_eq!(
            members(&answer.body),
            members(&fixture("graph/error_400_unsupported_query.json")["body"])
        );
    }
    assert_eq!(graph.get(&format!("me/{GROUPS}")).await.status, 200);
    let plain = graph.get_without_consistency_level("me/transitiveMemberOf").await;
    assert_eq!(plain.body["value"][0]["@odata.type"], "#microsoft.graph.group");
}

#[tokio::test]
async fn user_read_alone_shows_ids_without_names_and_nothing_of_others() {
    let world = World::start().await;
    let graph = Graph::of(&world, demo::ALICE, "openid profile User.Read").await;
    let groups = graph.get(&format!("me/{GROUPS}")).await;
    assert_eq!(groups.body["value"][0]["id"], demo::ALL_STAFF);
    assert_eq!(groups.body["value"][0]["displayName"], Value::Null);
    let asked = json!({ "securityEnabledOnly": false });
    assert_eq!(
        refusal(&graph.post("me/getMemberGroups", asked).await),
        (403, "Authorization_RequestDenied")
    );
    let bob = graph.get(&format!("users/{}", demo::BOB_OID)).await;
    assert_eq!(refusal(&bob), (403, "Authorization_RequestDenied"));
    assert_eq!(
        members(&bob.body),
        members(&fixture("graph/error_403_authorization_denied.json")["body"])
    );
}

#[tokio::test]
async fn without_permission_every_door_is_shut() {
    let world = World::start().await;
    let tenant = world.entra.tenant(demo::TENANT);
    tenant.add_app(
        AppRegistration::new(demo::CLIENT_ID, "Vestibule")
            .redirect_uri(crate::support::REDIRECT)
            .secret(demo::CLIENT_SECRET),
    );
    let person = Graph::of(&world, demo::ALICE, "openid profile").await;
    assert_eq!(
        refusal(&person.get("me").await),
        (403, "Authorization_RequestDenied")
    );
    assert_eq!(
        refusal(&person.get(&format!("me/{GROUPS}")).await),
        (403, "Authorization_RequestDenied")
    );
    let app = Graph::app(&world).await;
    for path in [
        format!("users/{}/{GROUPS}", demo::CAROL_OID),
        format!("users/{}", demo::CAROL_OID),
        "identity/conditionalAccess/authenticationContextClassReferences".to_owned(),
        format!("applications(appId='{}')", demo::CLIENT_ID),
    ] {
        assert_eq!(
            refusal(&app.get(&path).await),
            (403, "Authorization_RequestDenied"),
            "{path}"
        );
    }
    for path in [
        format!("users/{}/revokeSignInSessions", demo::BOB_OID),
        "directoryObjects/getByIds".to_owned(),
    ] {
        let answer = app.post(&path, json!({ "ids": [] })).await;
        assert_eq!(refusal(&answer), (403, "Authorization_RequestDenied"), "{path}");
    }
}

#[tokio::test]
async fn an_apps_own_token_reads_people_contexts_and_apps() {
    let world = World::start_with(|app| app.secret("next").secret_expires(1_800_000_000)).await;
    let app = Graph::app(&world).await;
    let dan = app
        .get(&format!(
            "users/{}?$select=id,accountEnabled,userPrincipalName",
            demo::DAN_OID
        ))
        .await;
    assert_eq!(
        members(&dan.body),
        members(&fixture("graph/user_disabled_200.json")["body"])
    );
    assert_eq!(dan.body["accountEnabled"], false);
    let select = "id,displayName,userPrincipalName,mail,accountEnabled,userType,externalUserState";
    let carol = app
        .get(&format!("users/{}?$select={select}", demo::CAROL_OID))
        .await;
    assert_eq!(
        members(&carol.body),
        members(&fixture("graph/user_guest_200.json")["body"])
    );
    let groups = app.get(&format!("users/{}/{GROUPS}", demo::BOB_OID)).await;
    assert_eq!(names(&groups), ["All Staff", "Sales"]);
    let contexts = app
        .get("identity/conditionalAccess/authenticationContextClassReferences")
        .await;
    assert_eq!(
        contexts.body["value"],
        fixture("graph/authenticationContextClassReferences.json")["body"]["value"]
    );
    world.entra.graph_page_size(2);
    let first = app
        .get("identity/conditionalAccess/authenticationContextClassReferences")
        .await;
    assert_eq!(first.body["value"].as_array().unwrap().len(), 2);
    assert!(first.body["@odata.nextLink"].is_string());
    let own = app
        .get(&format!(
            "applications(appId='{}')?$select=passwordCredentials",
            demo::CLIENT_ID
        ))
        .await;
    assert_eq!(
        own.body["passwordCredentials"][1]["endDateTime"],
        "2027-01-15T08:00:00Z"
    );
    let gone = app.get("users/1bb22cc3-3dd4-4ee5-9ff6-000000000000").await;
    assert_eq!(refusal(&gone), (404, "Request_ResourceNotFound"));
    assert_eq!(
        members(&gone.body),
        members(&fixture("graph/error_404_user_deleted.json")["body"])
    );
    assert_eq!(app.get("me").await.status, 400);
}

#[tokio::test]
async fn group_ids_are_checked_listed_and_named() {
    let world = World::start().await;
    let graph = Graph::of(&world, demo::ALICE, BOTH).await;
    let all = graph
        .post("me/getMemberGroups", json!({ "securityEnabledOnly": false }))
        .await;
    assert_eq!(all.body["value"], json!([demo::ALL_STAFF, demo::ENGINEERING]));
    assert_eq!(
        members(&all.body),
        members(&fixture("graph/getMemberGroups.json")["body"])
    );
    assert_eq!(graph.post("me/getMemberGroups", json!({})).await.status, 400);
    let asked = json!({ "groupIds": [demo::SALES, demo::ALL_STAFF] });
    assert_eq!(
        graph.post("me/checkMemberGroups", asked).await.body["value"],
        json!([demo::ALL_STAFF])
    );
    let many: Vec<&str> = std::iter::repeat_n(demo::SALES, 21).collect();
    assert_eq!(
        graph
            .post("me/checkMemberGroups", json!({ "groupIds": many }))
            .await
            .status,
        400
    );
    let named = graph
        .post(
            "directoryObjects/getByIds",
            json!({ "ids": [demo::SALES], "types": ["group"] }),
        )
        .await;
    assert_eq!(named.body["value"][0]["displayName"], "Sales");
    let many: Vec<&str> = std::iter::repeat_n(demo::SALES, 1_001).collect();
    assert_eq!(
        graph
            .post("directoryObjects/getByIds", json!({ "ids": many }))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_long_list_comes_in_pages_whose_links_are_followed_as_they_are() {
    let world = World::start().await;
    let graph = Graph::of(&world, demo::EVE, BOTH).await;
    world.entra.graph_page_size(100).graph_empty_first_page(true);
    let mut path = format!("me/{GROUPS}");
    let mut sizes = Vec::new();
    let mut found = std::collections::BTreeSet::new();
    loop {
        let page = graph.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        sizes.push(names(&page).len());
        found.extend(names(&page).into_iter().map(str::to_owned));
        assert_eq!(page.body.get("@odata.count").is_some(), sizes.len() == 1);
        match page.body["@odata.nextLink"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => break,
        }
    }
    assert_eq!(sizes, [0, 100, 100, 50]);
    assert_eq!(found.len(), 250);
    let made_up = graph.get(&format!("me/{GROUPS}&$skiptoken=RFNwdAoAmadeup")).await;
    assert_eq!(refusal(&made_up), (400, "Directory_ExpiredPageToken"));
    assert_eq!(
        graph
            .get(&format!("me/{}", GROUPS.replace("999", "1000")))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn throttling_strikes_where_asked_with_a_pause_that_may_be_fractional() {
    let world = World::start().await;
    let graph = Graph::of(&world, demo::EVE, BOTH).await;
    world.entra.graph_page_size(200);
    world.entra.fail_next(Fault::Graph {
        status: 429,
        code: "TooManyRequests".to_owned(),
        retry_after: Some("2.128".to_owned()),
        from_page: 2,
    });
    let first = graph.get(&format!("me/{GROUPS}")).await;
    let next = first.body["@odata.nextLink"].as_str().unwrap().to_owned();
    let throttled = graph.get(&next).await;
    assert_eq!(refusal(&throttled), (429, "TooManyRequests"));
    assert_eq!(throttled.headers["retry-after"], "2.128");
    let recorded = fixture("graph/error_429_fractional_retry_after.json");
    assert_eq!(members(&throttled.body), members(&recorded["body"]));
    assert_eq!(names(&graph.get(&next).await).len(), 50);
    let down = Fault::Graph {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        retry_after: None,
        from_page: 0,
    };
    world.entra.fail_always(down);
    assert_eq!(refusal(&graph.get("me").await), (503, "ServiceUnavailable"));
    assert_eq!(refusal(&graph.get("me").await), (503, "ServiceUnavailable"));
    world.entra.clear_faults();
    assert_eq!(graph.get("me").await.status, 200);
}

#[tokio::test]
async fn a_token_is_graphs_own_known_and_not_expired() {
    let world = World::start_with(|app| app.exposes_scope("read")).await;
    let own = Graph::of(
        &world,
        demo::ALICE,
        &format!("openid profile api://{}/read", demo::CLIENT_ID),
    )
    .await;
    let bad = own.get("me").await;
    assert_eq!(refusal(&bad), (401, "InvalidAuthenticationToken"));
    assert!(
        bad.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("audience")
    );
    let made_up = Graph {
        world: &world,
        token: "made-up".to_owned(),
    };
    assert_eq!(
        refusal(&made_up.get("me").await),
        (401, "InvalidAuthenticationToken")
    );
    let anonymous = world.http.get(made_up.url("me")).send().await.unwrap();
    assert!(
        anonymous.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Bearer realm=\"\"")
    );
    let graph = Graph::of(&world, demo::ALICE, BOTH).await;
    assert_eq!(graph.get("me").await.status, 200);
    world.entra.set_clock_offset(5_401);
    let expired = graph.get("me").await;
    let recorded = fixture("graph/error_401_expired.json");
    assert_eq!(
        expired.body["error"]["message"],
        recorded["body"]["error"]["message"]
    );
}

#[tokio::test]
async fn a_claims_challenge_comes_on_demand_and_after_a_revocation() {
    let world = World::start().await;
    let claims = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;
    let tokens = world.tokens(world.sign_in().with("claims", claims)).await;
    let aware = Graph {
        world: &world,
        token: tokens["access_token"].as_str().unwrap().to_owned(),
    };
    let unaware = Graph::of(&world, demo::ALICE, BOTH).await;
    assert_eq!(aware.get("me").await.status, 200);
    world.entra.revoke_sessions(demo::ALICE_OID);
    assert_eq!(
        unaware.get("me").await.status,
        200,
        "nobody tells a client that would not understand"
    );
    let challenged = aware.get("me").await;
    assert_eq!(refusal(&challenged), (401, "InvalidAuthenticationToken"));
    let header = challenged.headers["www-authenticate"].to_str().unwrap();
    assert!(header.contains("error=\"insufficient_claims\""), "{header}");
    let claims = header.split("claims=\"").nth(1).unwrap().trim_end_matches('"');
    let claims: Value = serde_json::from_slice(&STANDARD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["access_token"]["nbf"]["essential"], true);
    world.entra.fail_next(Fault::GraphClaimsChallenge);
    assert_eq!(unaware.get("me").await.status, 401);
    assert_eq!(unaware.get("me").await.status, 200);
}

#[tokio::test]
async fn revoking_sessions_ends_refresh_tokens() {
    let world = World::start().await;
    let token = world.tokens_of(demo::BOB).await["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let app = Graph::app(&world).await;
    let answer = app
        .post(
            &format!("users/{}/revokeSignInSessions", demo::BOB_OID),
            json!({}),
        )
        .await;
    assert_eq!(
        members(&answer.body),
        members(&fixture("graph/revokeSignInSessions.json")["body"])
    );
    assert_eq!(world.token(crate::support::refresh(&token)).await.aadsts(), 50173);
}

#[tokio::test]
async fn a_restricted_guest_cannot_read_its_own_groups_but_the_app_can() {
    let world = World::start().await;
    let carol = Graph::of(&world, demo::CAROL, BOTH).await;
    assert_eq!(carol.get(&format!("me/{GROUPS}")).await.status, 200);
    world.entra.tenant(demo::TENANT).edit(Tenant::restricted_guests);
    assert_eq!(
        refusal(&carol.get(&format!("me/{GROUPS}")).await),
        (403, "Authorization_RequestDenied")
    );
    let app = Graph::app(&world).await;
    assert_eq!(
        app.get(&format!("users/{}/{GROUPS}", demo::CAROL_OID))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn more_ids_than_an_answer_holds_are_refused_but_can_be_paged() {
    let world = World::start().await;
    let tenant = Tenant::new("6a6a6a6a-0000-4000-8000-000000000001", "Crowded").domain("crowded.example");
    let app = AppRegistration::new(demo::CLIENT_ID, "Vestibule").secret(demo::CLIENT_SECRET);
    let user = mock_entra::User::member("zoe@crowded.example").oid(demo::ALICE_OID.replace("0aa1", "9aa1"));
    let zoe = demo::ALICE_OID.replace("0aa1", "9aa1");
    let crowded = (0..11_001).fold(
        tenant.user(user).app(app.app_permission("GroupMember.Read.All")),
        |tenant, number| {
            tenant.group(
                Group::new(format!("{number:08}-3333-4a33-8a33-000000000000"), "g")
                    .member(MemberRef::user(&zoe)),
            )
        },
    );
    world.entra.add_tenant(crowded);
    let url = world.token_url().replace(demo::TENANT, "crowded.example");
    let answer = Answer::of(
        world
            .http
            .post(url)
            .form(world.app_login().pairs())
            .send()
            .await
            .unwrap(),
    )
    .await;
    let graph = Graph {
        world: &world,
        token: answer.body["access_token"].as_str().unwrap().to_owned(),
    };
    let ids = graph
        .post(
            &format!("users/{zoe}/getMemberGroups"),
            json!({ "securityEnabledOnly": false }),
        )
        .await;
    assert_eq!(refusal(&ids), (400, "Directory_ResultSizeLimitExceeded"));
    assert_eq!(
        members(&ids.body),
        members(&fixture("graph/error_400_result_size_limit.json")["body"])
    );
    let page = graph.get(&format!("users/{zoe}/{GROUPS}")).await;
    assert_eq!(page.body["@odata.count"], 11_001);
}

#[tokio::test]
async fn unknown_paths_and_properties_are_refused() {
    let world = World::start().await;
    let graph = Graph::of(&world, demo::ALICE, BOTH).await;
    assert_eq!(refusal(&graph.get("nothing/here").await), (400, "BadRequest"));
    assert_eq!(
        refusal(&graph.get("me?$select=shoeSize").await),
        (400, "Request_BadRequest")
    );
    let userinfo = format!("{}/oidc/userinfo", world.entra.base_url());
    assert_eq!(graph.get(&userinfo).await.body["email"], demo::ALICE);
    assert!(world.entra.count(Endpoint::Graph) >= 3);
}
