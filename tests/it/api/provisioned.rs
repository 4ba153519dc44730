//! People whom a directory renames, puts out, or has told of only: how an operator finds them.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use vestibule::store::{Actor, ActorKind};

use super::directories::tell;
use super::{call, id, tokens};
use crate::support::log;
use crate::support::tenant::{ADAM, ALICE, MALLORY, STAFF};
use crate::support::world::World;

const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";
const CAROLINE: &str = "caroline@contoso.example";

/// A world whose only provider's directory provisions, with tokens of the API.
async fn provisioned() -> (World, Directory) {
    let settings = "[identity_providers.scim_config]\nenabled = true\nuser_deprovision = true\n\
                    identity_update_behavior = \"automatic\"\n";
    let world = World::builder().provider(settings).more(&tokens()).start().await;
    let provider = *world.running().published.load().providers.keys().next().unwrap();
    let actor = Actor {
        kind: ActorKind::CommandLine,
        name: "a test".to_owned(),
    };
    let secret = world.running().manage.refresh_scim_secret(provider, actor).await;
    let directory = Directory {
        provider: provider.to_string(),
        secret: secret.unwrap().expose_secret().to_owned(),
    };
    (world, directory)
}

struct Directory {
    provider: String,
    secret: String,
}

impl Directory {
    async fn tell(&self, world: &World, method: &str, path: &str, body: &Value) -> Value {
        let (status, told) = tell(world, method, &self.provider, path, &self.secret, Some(body)).await;
        assert!(matches!(status, 200 | 201), "{status} {told}");
        told
    }

    async fn person(&self, world: &World, oid: Option<&str>, email: &str) -> String {
        let emails = json!([{ "type": "work", "primary": true, "value": email }]);
        let body =
            json!({ "userName": email, "externalId": oid, "displayName": "Told Person", "emails": emails });
        id(&self.tell(world, "POST", "/Users", &body).await)
    }

    async fn set(&self, world: &World, id: &str, values: Value) {
        let body = json!({ "Operations": [{ "op": "replace", "value": values }] });
        self.tell(world, "PATCH", &format!("/Users/{id}"), &body).await;
    }
}

async fn found(world: &World, query: &str) -> Vec<Value> {
    let found = call(world, "GET", &format!("/access/users?{query}"), None).await;
    found.result(200).as_array().unwrap().clone()
}

#[tokio::test]
async fn whoever_is_renamed_is_found_and_put_out_by_the_address_that_applications_see() {
    let (world, directory) = provisioned().await;
    let told = directory.person(&world, Some(ALICE_OID), ALICE).await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let work = "emails[type eq \"work\"].value";
    let renamed = json!({ "userName": CAROLINE, work: CAROLINE, "displayName": "Caroline Example" });
    directory.set(&world, &told, renamed).await;

    let seen = alice.fetch(&world.host("wiki"), "/headers", &[]).await;
    assert!(seen.text().contains(CAROLINE), "{}", seen.text());
    for query in [
        format!("email={CAROLINE}"),
        "search=CAROLINE".to_owned(),
        format!("email={ALICE}"),
    ] {
        let found = found(&world, &query).await;
        assert_eq!(found.len(), 1, "{query}");
        assert_eq!(
            (&found[0]["email"], &found[0]["name"]),
            (&json!(CAROLINE), &json!("Caroline Example")),
            "{query}"
        );
    }
    for address in [CAROLINE, ALICE] {
        let said = world.type_in(&["sessions", "list", address]).await.fine();
        assert!(said.contains("1 live"), "{address}: {said}");
        let said = world.type_in(&["users", "show", address]).await.fine();
        assert!(
            said.contains("session ") && said.contains(CAROLINE),
            "{address}: {said}"
        );
    }
    let revoke = json!({ "email": CAROLINE });
    call(&world, "POST", "/access/organizations/revoke_user", Some(&revoke))
        .await
        .result(200);
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 302);

    // Entra calls her as before at the next sign-in, and so do the lists.
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    assert_eq!(
        found(&world, &format!("email={ALICE}")).await[0]["email"],
        json!(ALICE)
    );
    assert_eq!(
        found(&world, &format!("email={CAROLINE}")).await,
        Vec::<Value>::new()
    );
    let back = json!({ "userName": ALICE, work: ALICE });
    directory.set(&world, &told, back).await;
    let renamed = json!({ "userName": CAROLINE, work: CAROLINE });
    directory.set(&world, &told, renamed).await;
    let said = world.type_in(&["sessions", "end", ALICE]).await.fine();
    assert!(said.contains("1 ended"), "by the old address: {said}");
    let began = std::time::Instant::now();
    while alice.fetch(&world.host("wiki"), "/x", &[]).await.status == 200 {
        assert!(began.elapsed().as_secs() < 5);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_login_refused_by_the_directorys_word_says_whose_it_was() {
    let (world, directory) = provisioned().await;
    let told = directory.person(&world, Some(ALICE_OID), ALICE).await;
    world.signed_in(ALICE, &["wiki"]).await;
    directory.set(&world, &told, json!({ "active": false })).await;
    let stranger = directory.person(&world, None, MALLORY).await;
    directory.set(&world, &stranger, json!({ "active": false })).await;

    let refused = world.person(ALICE).open(&world.host("wiki"), "/").await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    let request = log::request_id(&refused.text()).unwrap();
    let user = found(&world, &format!("email={ALICE}")).await.remove(0);
    let lines = log::told_of(&request);
    assert!(
        lines.iter().any(|line| line["user.id"] == user["id"]),
        "{lines:?}"
    );
    let path = format!("/access/users/{}/failed_logins", id(&user));
    let failed = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    let failed = &failed[0]["metadata"];
    assert_eq!(
        (&failed["user_email"], &failed["app_name"]),
        (&json!(ALICE), &json!("Wiki"))
    );
    assert!(
        failed["reason"].as_str().unwrap().contains("deprovisioned"),
        "{failed}"
    );
    let said = world.type_in(&["users", "show", ALICE]).await.fine();
    assert!(
        said.contains("refused ") && said.contains("deprovisioned"),
        "{said}"
    );

    // Whoever never got in has an address all the same.
    let refused = world.person(MALLORY).open(&world.host("wiki"), "/").await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    let path = format!("/access/logs/access_requests?email={MALLORY}");
    let rows = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
}

#[tokio::test]
async fn a_hand_over_that_the_directory_stops_says_whose_it_was() {
    let (world, directory) = provisioned().await;
    let told = directory.person(&world, Some(ALICE_OID), ALICE).await;
    let mut browser = world.person(ALICE);
    let start = browser.address(&world.host("wiki"), "/x");
    let ticket = browser
        .follow_while(start, |url| !url.path().ends_with("/cdn-cgi/access/authorized"))
        .await;
    directory.set(&world, &told, json!({ "active": false })).await;
    assert_eq!(browser.follow(ticket.url).await.status(), 403);
    let user = found(&world, &format!("email={ALICE}")).await.remove(0);
    let path = format!("/access/users/{}/failed_logins", id(&user));
    let failed = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(failed[0]["metadata"]["user_email"], json!(ALICE), "{failed}");
}

#[tokio::test]
async fn whoever_was_told_of_before_the_first_login_is_found_on_the_command_line() {
    let (world, directory) = provisioned().await;
    let told = directory.person(&world, None, ADAM).await;
    let group = json!({ "displayName": "Sailors", "members": [{ "value": told }] });
    directory.tell(&world, "POST", "/Groups", &group).await;
    for words in [
        ["users", "show", ADAM],
        ["users", "show", &told],
        ["users", "show", "ADAM@contoso.example"],
    ] {
        let said = world.type_in(&words).await.fine();
        for part in [&*told, "no login yet", "no seat", "active", "Sailors", "Entra ID"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let said = world.type_in(&["users", "list", "adam"]).await.fine();
    assert!(said.contains(&told) && said.contains("no login yet"), "{said}");
    let said = world.type_in(&["users", "list"]).await.fine();
    assert!(
        !said.contains(ADAM),
        "everybody of a directory would be many: {said}"
    );
    assert_eq!(
        found(&world, &format!("email={ADAM}")).await,
        Vec::<Value>::new(),
        "as at Access"
    );

    // Once signed in, a user with one entry.
    world.signed_in(ADAM, &["wiki"]).await;
    let said = world.type_in(&["users", "show", ADAM]).await.fine();
    assert!(
        !said.contains("no login yet") && said.matches("Sailors").count() == 1,
        "{said}"
    );
    let said = world.type_in(&["users", "list", "adam"]).await.fine();
    assert!(
        !said.contains("no login yet") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(
        world
            .type_in(&["users", "show", "zoe@contoso.example"])
            .await
            .code,
        Some(64)
    );
}

#[tokio::test]
async fn a_group_of_more_members_than_are_shown_at_once_says_so_and_goes_on() {
    let (world, directory) = provisioned().await;
    let group = json!({ "displayName": "Everybody", "externalId": "everybody" });
    let group = id(&directory.tell(&world, "POST", "/Groups", &group).await);
    let pool = world.database().pool().await;
    // Rows as the store writes them.
    for (sql, key) in [
        (
            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 10001) INSERT INTO scim_users \
             (id, provider, user_name, active, body, created_ms, updated_ms) SELECT \
             '00000001-0000-4000-8000-' || substr('000000000000' || i, -12), $1, 'user' || i, 1, \
             '{\"userName\":\"user\",\"active\":true}', i, i FROM c",
            &directory.provider,
        ),
        (
            "INSERT INTO scim_members (scim_group, scim_user) SELECT $1, id FROM scim_users WHERE user_name LIKE 'user%'",
            &group,
        ),
    ] {
        sqlx::query(sql).bind(key.clone()).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let shown = async |query: &str| {
        let path = format!(
            "/access/identity_providers/{}/scim/groups/{group}{query}",
            directory.provider
        );
        call(&world, "GET", &path, None).await
    };
    let first = shown("").await;
    let said = first.body["messages"].to_string();
    let first = first.result(200)["members"].as_array().unwrap().clone();
    assert_eq!(first.len(), 10_000);
    let last = first[9_999]["value"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("members_after={last}")), "{said}");
    let rest = shown(&format!("?members_after={last}")).await;
    assert_eq!(rest.body["messages"], json!([]), "there are no more");
    let rest = rest.result(200)["members"].as_array().unwrap().clone();
    assert_eq!(rest.len(), 1);
    assert!(!first.contains(&rest[0]));
    let (_, why, _) = shown("?members_after=nobody").await.error(400);
    assert!(why.contains("members_after"), "{why}");
}

#[tokio::test]
async fn a_group_is_listed_by_the_name_it_has_as_soon_as_the_directory_has_its_answer() {
    let (world, directory) = provisioned().await;
    let names = async |query: &str| {
        let path = format!(
            "/access/identity_providers/{}/scim/groups{query}",
            directory.provider
        );
        let listed = call(&world, "GET", &path, None).await.result(200);
        let names = listed.as_array().unwrap().iter();
        names
            .map(|group| group["displayName"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(names("").await.is_empty());
    let group = json!({ "displayName": "Engineering", "externalId": STAFF });
    let group = id(&directory.tell(&world, "POST", "/Groups", &group).await);
    assert_eq!(names("").await, ["Engineering"]);
    assert_eq!(names("?name=engineering").await, ["Engineering"]);
    let renamed = json!({ "displayName": "Makers", "externalId": STAFF });
    directory
        .tell(&world, "PUT", &format!("/Groups/{group}"), &renamed)
        .await;
    assert_eq!(names("").await, ["Makers"]);
    assert!(names("?name=Engineering").await.is_empty());
    // Whom a rule of that id keeps out is told of by it.
    world.person(MALLORY).open(&world.host("wiki"), "/").await;
    let apps = call(&world, "GET", "/access/apps", None).await.result(200);
    let wiki = apps
        .as_array()
        .unwrap()
        .iter()
        .find(|app| app["name"] == "Wiki")
        .unwrap();
    let path = format!("/access/apps/{}/user_policy_checks?user={MALLORY}", id(wiki));
    let checked = call(&world, "GET", &path, None).await.result(200);
    assert!(checked.to_string().contains("\"called\":\"Makers\""), "{checked}");
}
