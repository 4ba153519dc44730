//! What is explained is what the gateway does: each answer is held against the gateway's own.

use serde_json::Value;
use vestibule::manage::NewServiceToken;
use vestibule::store::{Actor, ActorKind};

use crate::scim::{ALICE_OID, Directory, EVERYTHING, provisioned};
use crate::support::tenant::{ALICE, CLIENT, MALLORY, SECRET, TENANT};
use crate::support::world::{ACCOUNT, World};

const API_TOKEN: &str = "vestibule-tests-explained-0123456789-abcdefg";

fn api_token() -> String {
    format!("[[api_tokens]]\nname = \"auditor\"\ntoken = \"{API_TOKEN}\"\npermissions = [\"*\"]\n")
}

/// A second way to sign in, to the same directory.
fn second() -> String {
    format!(
        r#"
[[identity_providers]]
name = "Second"
type = "azureAD"
[identity_providers.config]
client_id = "{CLIENT}"
directory_id = "{TENANT}"
client_secret = "{SECRET}"
azure_cloud = "mock"
"#
    )
}

/// What `vestibule explain` says, in JSON.
async fn explained(world: &World, app: &str, asked: &[&str]) -> Value {
    let arguments = [&["explain", "--json", "--app", app], asked].concat();
    let said = world.type_in(&arguments).await;
    let body: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let enters = body["verdict"] == "permit";
    assert_eq!(said.code, Some(i32::from(!enters)), "{body}");
    body
}

/// What `user_policy_checks` of the application at an address says.
async fn checked(world: &World, name: &str, query: &str) -> Value {
    let mut client = world.anonymous();
    let bearer = format!("Bearer {API_TOKEN}");
    let headers = [("Authorization", bearer.as_str())];
    let login = world.host("login");
    let apps = format!("/client/v4/accounts/{ACCOUNT}/access/apps");
    let reply = client
        .fetch(&login, &format!("{apps}?name={name}"), &headers)
        .await;
    let found: Value = serde_json::from_slice(&reply.body).unwrap();
    let id = found["result"][0]["id"].as_str().unwrap();
    let check = format!("{apps}/{id}/user_policy_checks?{query}");
    let reply = client.fetch(&login, &check, &headers).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let said: Value = serde_json::from_slice(&reply.body).unwrap();
    said["result"]["app_state"].clone()
}

#[tokio::test]
async fn whoever_the_directory_switched_off_is_refused_in_both() {
    let everyone = r#"[{ name = "all", decision = "allow", include = [{ email_domain = { domain = "contoso.example" } }] }]"#;
    let world = provisioned(EVERYTHING)
        .wiki_policies(everyone)
        .more(&api_token())
        .start()
        .await;
    let directory = Directory::of(&world).await;
    let alice = directory.person(ALICE_OID, ALICE).await;
    let wiki = world.host("wiki");
    let query = format!("user={ALICE}");
    // Once before she ever signs in, once after.
    for _ in 0..2 {
        directory.set_active(&alice, false).await;
        let arrival = world.person(ALICE).open(&wiki, "/").await;
        assert_eq!(arrival.status(), 403, "{}", arrival.text());
        let said = explained(&world, &wiki, &["--user", ALICE]).await;
        assert_eq!(said["verdict"], "refuse", "{said}");
        assert!(said["message"].as_str().unwrap().contains("switched"), "{said}");
        let state = checked(&world, "Wiki", &query).await;
        assert_eq!(state["status"], "Failure", "{state}");
        assert_eq!(state["verdict"]["reason"], "deprovisioned", "{state}");

        directory.set_active(&alice, true).await;
        assert_eq!(world.person(ALICE).open(&wiki, "/").await.status(), 200);
        let said = explained(&world, &wiki, &["--user", ALICE]).await;
        assert_eq!(said["verdict"], "permit", "{said}");
        assert_eq!(checked(&world, "Wiki", &query).await["status"], "Success");
    }
    directory.delete(&format!("/Users/{alice}")).await;
    assert_eq!(world.person(ALICE).open(&wiki, "/").await.status(), 403);
    let said = explained(&world, &wiki, &["--user", ALICE]).await;
    assert_eq!(said["verdict"], "refuse", "{said}");
    // What is open to everybody is open to her as well.
    let public = format!("{wiki}/public");
    assert_eq!(world.person(ALICE).open(&wiki, "/public").await.status(), 200);
    let said = explained(&world, &public, &["--user", ALICE]).await;
    assert_eq!(said["verdict"], "permit", "{said}");
}

#[tokio::test]
async fn a_login_that_does_not_count_there_is_sent_to_sign_in_in_both() {
    let more = format!(
        r#"{}{}
[[applications]]
name = "By the second"
domain = "other.localhost/second"
allowed_idps = ["Second"]
policies = [{{ name = "all", decision = "allow", include = [{{ everyone = {{}} }}] }}]
"#,
        second(),
        api_token()
    );
    let world = World::builder()
        .wiki("allowed_idps = [\"Entra ID\"]")
        .more(&more)
        .start()
        .await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let (other, wiki) = (world.host("other"), world.host("wiki"));
    let second = format!("{other}/second");
    let reply = alice.fetch(&other, "/second", &[]).await;
    assert_eq!(reply.status, 302, "{}", reply.text());
    for asked in [
        &["--user", ALICE][..],
        &["--user", ALICE, "--provider", "Entra ID"],
    ] {
        let said = explained(&world, &second, asked).await;
        assert_eq!(said["verdict"], "sign_in", "{said}");
        assert_eq!(said["decided_by"], "provider", "{said}");
        assert!(said["message"].as_str().unwrap().contains("Entra ID"), "{said}");
    }
    let state = checked(&world, "By%20the%20second", &format!("user={ALICE}")).await;
    assert_eq!(state["verdict"]["decision"], "sign_in", "{state}");
    assert_eq!(state["status"], "Failure", "{state}");
    let said = explained(&world, &wiki, &["--user", ALICE]).await;
    assert_eq!(said["verdict"], "permit", "{said}");

    // Signed in at the second, she gets in, and that is what is said then.
    assert_eq!(alice.open(&other, "/second").await.status(), 200);
    let said = explained(&world, &second, &["--user", ALICE]).await;
    assert_eq!(said["verdict"], "permit", "{said}");
}

#[tokio::test]
async fn a_public_path_is_open_in_both() {
    let more = format!(
        "{}[[applications]]\nname = \"Shop\"\npolicies = [\"staff\"]\n\
         destinations = [{{ uri = \"wiki.localhost/shop\", overrides = \
         [{{ behavior = \"public\", path_pattern = \"/shop/x/health\" }}] }}]\n",
        api_token()
    );
    let world = World::builder().more(&more).start().await;
    let wiki = world.host("wiki");
    let mut anonymous = world.anonymous();
    world.signed_in(MALLORY, &[]).await.open(&wiki, "/shop").await;
    for (path, status, verdict) in [("/shop/x/health", 200, "permit"), ("/shop/x", 302, "sign_in")] {
        let reply = anonymous.fetch(&wiki, path, &[]).await;
        assert_eq!(reply.status, status, "{path}");
        let said = explained(&world, &format!("{wiki}{path}"), &[]).await;
        assert_eq!(said["verdict"], verdict, "{path}: {said}");
    }
    let health = format!("{wiki}/shop/x/health");
    let said = explained(&world, &health, &["--user", MALLORY]).await;
    assert_eq!(
        (&said["verdict"], &said["decided_by"]),
        (&"permit".into(), &"public_path".into()),
        "{said}"
    );
    let of = async |query: &str| checked(&world, "Shop", &format!("user={MALLORY}{query}")).await;
    assert_eq!(of("").await["status"], "Failure");
    assert_eq!(of(&format!("&address={health}")).await["status"], "Success");
}

#[tokio::test]
async fn in_strict_mode_the_token_alone_is_asked_in_both() {
    let world = World::builder()
        .organization("strict_service_token_auth = true")
        .start()
        .await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let wiki = world.host("wiki");
    let new = NewServiceToken {
        name: "CI2".to_owned(),
        duration: "1h".parse().unwrap(),
        enabled: true,
        secret_version: 1,
    };
    let clerk = Actor {
        kind: ActorKind::CommandLine,
        name: "a test".to_owned(),
    };
    let manage = &world.running().manage;
    let issued = manage.create_service_token(new, clerk).await.unwrap();
    let id = issued.document.body["client_id"].as_str().unwrap().to_owned();
    let secret = secrecy::ExposeSecret::expose_secret(&issued.client_secret).to_owned();
    let pair = [
        ("CF-Access-Client-Id", id.as_str()),
        ("CF-Access-Client-Secret", secret.as_str()),
    ];
    let mut status = 0;
    for _ in 0..200 {
        status = alice.fetch(&wiki, "/", &pair).await.status;
        if status == 403 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(status, 403, "the token is good and no policy takes it");
    assert_eq!(alice.fetch(&wiki, "/", &[]).await.status, 200);
    let asked = ["--user", ALICE, "--service-token", "CI2"];
    let said = explained(&world, &wiki, &asked).await;
    assert_eq!(
        (&said["verdict"], &said["decided_by"]),
        (&"refuse".into(), &"service_token".into()),
        "{said}"
    );
    let said = explained(&world, &wiki, &asked[..2]).await;
    assert_eq!(said["verdict"], "permit", "{said}");
}

#[tokio::test]
async fn the_country_of_an_address_is_looked_up_in_both() {
    let from_sweden =
        r#"[{ name = "Sweden", decision = "allow", include = [{ geo = { country_code = "SE" } }] }]"#;
    let world = World::builder()
        .listen("trusted_proxies = [\"127.0.0.1/32\"]")
        .wiki_policies(from_sweden)
        .more(&format!("{}{}", crate::facts::database(), api_token()))
        .start()
        .await;
    let wiki = world.host("wiki");
    for (address, enters) in [("192.0.2.7", true), ("203.0.113.9", false)] {
        let mut alice = world.person(ALICE).saying("X-Forwarded-For", address);
        let status = alice.open(&wiki, "/").await.status();
        assert_eq!(status == 200, enters, "{address}");
        let said = explained(&world, &wiki, &["--user", ALICE, "--ip", address]).await;
        assert_eq!(said["verdict"] == "permit", enters, "{address}: {said}");
        let state = checked(&world, "Wiki", &format!("user={ALICE}&ip={address}")).await;
        assert_eq!(state["status"] == "Success", enters, "{address}: {state}");
    }
}
