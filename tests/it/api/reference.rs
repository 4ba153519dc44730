//! The OpenAPI document as a page for people, and who may read it.

use serde_json::{Value, json};

use super::{TOKEN, account, ask, made, world};
use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::World;

const PAGE: &str = "/cdn-cgi/access/api";
const DOCUMENT: &str = "/cdn-cgi/access/api/openapi.json";

/// The document as the API gives it to a token.
async fn document(world: &World) -> super::Answer {
    let bearer = format!("Bearer {TOKEN}");
    ask(world, "GET", "/openapi.json", &[("Authorization", &bearer)], None).await
}

#[tokio::test]
async fn whoever_signs_in_reads_everything_that_the_document_says() {
    let world = world().await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("login"), PAGE).await;
    assert!(arrival.asked_entra(), "{:?}", arrival.way);
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(arrival.url, alice.address(&world.host("login"), PAGE));
    let html = arrival.text();
    let document = document(&world).await.body;
    let places = document["paths"].as_object().unwrap();
    let mut operations = 0;
    for (path, place) in places {
        for (method, operation) in place
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, _)| *key != "parameters")
        {
            operations += 1;
            let id = operation["operationId"].as_str().unwrap();
            let anchor = format!("<div class=\"inside\" id=\"{id}\">");
            let (before, entry) = html
                .split_once(&anchor)
                .unwrap_or_else(|| panic!("{id} is missing"));
            let head = before.rsplit("<details>").next().unwrap();
            for shown in [
                method.to_ascii_uppercase().as_str(),
                path,
                operation["summary"].as_str().unwrap(),
            ] {
                let shown = shown.replace('\'', "&#39;");
                assert!(head.contains(&shown), "{id}: {shown:?} is not in {head}");
            }
            let entry = entry.split("<div class=\"inside\"").next().unwrap();
            for status in operation["responses"].as_object().unwrap().keys() {
                assert!(
                    entry.contains(&format!("<code>{status}</code>")),
                    "{id}: {status}"
                );
            }
            let permission = operation["description"].as_str().unwrap_or("Any good token may.");
            assert!(
                entry.contains(&permission.replace('"', "&#34;")),
                "{id}: {permission:?} in {entry}"
            );
            let server = alice.address(&world.host("login"), "/client/v4").to_string();
            assert!(entry.contains(&server), "{id} has no curl: {entry}");
            assert!(!entry.contains("{account_id}\""), "{id}: the account is known");
        }
    }
    assert!(operations > 80, "{operations}");
    for shape in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(html.contains(&format!("id=\"shape-{shape}\"")), "{shape}");
    }
    assert!(html.contains(&account("/access/apps")));
    // Every link on it leads somewhere on it, or to the document.
    for link in html
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        let leads = match link.strip_prefix('#') {
            Some(anchor) => html.contains(&format!("id=\"{anchor}\"")),
            None => link == DOCUMENT || link == "/" || link.starts_with("data:"),
        };
        assert!(leads, "{link}");
    }
}

#[tokio::test]
async fn it_is_sent_whole_once_and_under_a_policy_that_lets_nothing_run() {
    let world = world().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let host = world.host("login");
    for path in [PAGE, DOCUMENT] {
        let first = alice.fetch(&host, path, &[]).await;
        assert_eq!(first.status, 200, "{}", first.text());
        let tag = first.header("etag").unwrap().to_owned();
        assert_eq!(first.header("cache-control"), Some("private, no-cache"));
        assert_eq!(first.header("x-content-type-options"), Some("nosniff"));
        for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let again = alice.fetch(&host, path, &[("If-None-Match", &known)]).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        let other = alice.fetch(&host, path, &[("If-None-Match", "\"other\"")]).await;
        assert_eq!((other.status, other.body.len()), (200, first.body.len()));
        let url = alice.address(&host, path);
        assert_eq!(alice.request("POST", &url, &[], b"x=1").await.status, 405);
        assert_eq!(alice.request("HEAD", &url, &[], b"").await.status, 200);
    }
    let page = alice.fetch(&host, PAGE, &[]).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.contains("script-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    // One document behind both doors.
    let shown = alice.fetch(&host, DOCUMENT, &[]).await;
    let told = document(&world).await;
    assert_eq!(serde_json::from_slice::<Value>(&shown.body).unwrap(), told.body);
    assert_eq!(shown.header("etag"), told.header("etag"));
    assert_eq!(shown.header("content-type"), Some("application/json"));
    // It stands on the auth host alone.
    let elsewhere = alice.fetch(&world.host("wiki"), PAGE, &[]).await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test]
async fn it_is_for_whom_the_launcher_is_for() {
    let world = world().await;
    let host = world.host("login");
    let nobody = world.anonymous().fetch(&host, DOCUMENT, &[]).await;
    assert_eq!(nobody.status, 302);
    assert!(
        nobody
            .header("location")
            .unwrap()
            .contains("/cdn-cgi/access/login?to=api")
    );
    let launcher = json!({
        "type": "app_launcher",
        "policies": [{ "name": "only one", "decision": "allow", "include": [{ "email": { "email": ALICE } }] }],
    });
    made(&world, "/access/apps", launcher).await;
    for path in [PAGE, DOCUMENT] {
        let arrival = world.person(MALLORY).open(&host, path).await;
        assert_eq!(arrival.status(), 403, "{}", arrival.text());
        assert!(!arrival.text().contains("openapi"), "{}", arrival.text());
        assert!(
            arrival.text().contains("to=api&#38;prompt=select_account"),
            "{}",
            arrival.text()
        );
    }
    assert_eq!(world.person(ALICE).open(&host, PAGE).await.status(), 200);
}
