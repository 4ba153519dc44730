//! What somebody with a token, or without one, tries beyond what the API is for.

use serde_json::{Value, json};

use super::schema::Document;
use super::{READER, TOKEN, account, ask, authority, call, id, made, world};
use crate::support::world::World;
use crate::support::{log, tenant};

const SECRET: &str = "Zx8Q~a-secret-that-only-one-answer-may-hold";

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn deny(name: &str) -> Value {
    json!({ "name": name, "decision": "deny", "include": [{ "everyone": {} }] })
}

fn third(world: &World) -> Value {
    json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third"), "policies": [deny("own")] })
}

fn provider() -> Value {
    json!({
        "name": "Another", "type": "azureAD",
        "config": { "client_id": tenant::CLIENT, "client_secret": SECRET, "directory_id": tenant::TENANT },
    })
}

/// Mass assignment: what the server owns is not taken from whoever writes.
#[tokio::test]
async fn what_the_server_owns_is_passed_over() {
    let world = world().await;
    let stolen = uuid::Uuid::new_v4().to_string();
    let owned = json!({
        "id": stolen, "uid": stolen, "aud": "a".repeat(64), "created_at": "2001-01-01T00:00:00Z", "read_only": true,
        "updated_at": "2001-01-01T00:00:00Z", "domain_type": "private",
    });
    let mut body = third(&world);
    let fields = owned.as_object().unwrap();
    body.as_object_mut().unwrap().extend(fields.clone());
    let app = made(&world, "/access/apps", body.clone()).await;
    for (key, value) in fields {
        assert_ne!(app.get(key), Some(value), "{key}");
    }
    let path = format!("/access/apps/{}", id(&app));
    let put = call(&world, "PUT", &path, Some(&body)).await.result(200);
    assert_eq!((&put["id"], &put["aud"]), (&app["id"], &app["aud"]));
    assert_eq!(put.get("read_only"), None, "nobody locks an object for others");

    let token = json!({ "name": "s", "client_id": "0".repeat(32), "client_secret": SECRET, "expires_at": "2999-01-01T00:00:00Z" });
    let token = made(&world, "/access/service_tokens", token).await;
    assert_ne!(token["client_id"], "0".repeat(32));
    assert_ne!(token["client_secret"], SECRET);
    assert!(token["expires_at"].as_str().unwrap() < "2999");

    // Keys of the store's own are no keys of the API.
    for (key, value) in [
        ("created_ms", json!(1)),
        ("declared", json!(true)),
        ("__proto__", json!({})),
    ] {
        let mut policy = deny("p");
        policy[key] = value;
        let answer = call(&world, "POST", "/access/policies", Some(&policy)).await;
        assert_eq!(answer.error(400).2, Some(format!("/{key}")));
    }
    let mut policy = deny("p");
    policy["reusable"] = json!(false);
    policy["app_count"] = json!(7);
    let policy = made(&world, "/access/policies", policy).await;
    assert_eq!(
        (&policy["reusable"], &policy["app_count"]),
        (&json!(true), &json!(0))
    );
    let mut body = provider();
    body["config"]["redirect_url"] = json!("https://evil.example/callback");
    body["scim_config"] = json!({ "enabled": false, "secret": SECRET });
    let provider = made(&world, "/access/identity_providers", body).await;
    assert!(!provider.to_string().contains("evil.example") && !provider.to_string().contains(SECRET));
}

/// An id of another account, another kind or another application leads nowhere, by any operation.
#[tokio::test]
async fn an_id_opens_nothing_but_its_own_object() {
    let world = world().await;
    let document = Document::read(&world).await;
    let app = made(&world, "/access/apps", third(&world)).await;
    let policy = made(&world, "/access/policies", deny("p")).await;
    let bearer = bearer(TOKEN);
    let headers = [("Authorization", bearer.as_str())];
    let foreign = "f".repeat(32);
    for operation in document.operations() {
        if !operation.path.contains("{account_id}") {
            continue;
        }
        let path = operation.path.replace("{account_id}", &foreign);
        let path = path
            .replace("{app_id}", &id(&app))
            .replace("{policy_id}", &id(&policy));
        let answer = ask(&world, &operation.method, &path, &headers, Some(&json!({}))).await;
        assert_eq!(answer.error(404).0, 7003, "{} {path}", operation.method);
    }
    // Of another kind.
    for path in [
        "groups",
        "apps",
        "identity_providers",
        "service_tokens",
        "certificates",
        "custom_pages",
    ] {
        for method in ["GET", "DELETE"] {
            let path = format!("/access/{path}/{}", id(&policy));
            assert_eq!(
                call(&world, method, &path, None).await.status,
                404,
                "{method} {path}"
            );
        }
    }
    // Of another application.
    let mut other = third(&world);
    other["name"] = json!("Fourth");
    other["domain"] = json!(world.host("fourth"));
    let other = made(&world, "/access/apps", other).await;
    let own = format!("/access/apps/{}/policies/{}", id(&other), id(&app["policies"][0]));
    for (method, path, body) in [
        ("GET", own.clone(), None),
        ("PUT", own.clone(), Some(deny("x"))),
        ("DELETE", own.clone(), None),
        ("PUT", format!("{own}/make_reusable"), None),
    ] {
        assert_eq!(
            call(&world, method, &path, body.as_ref()).await.status,
            404,
            "{method} {path}"
        );
    }
    let path = format!("/access/apps/{}", id(&app));
    assert_eq!(call(&world, "GET", &path, None).await.result(200), app);
}

/// Every operation that is no look asks for more than a permission to look; none is open without a token.
#[tokio::test]
async fn who_may_look_changes_nothing_whatever_the_operation() {
    let world = world().await;
    let document = Document::read(&world).await;
    let before = world.store().await.head().await.unwrap();
    let bearer = bearer(READER);
    let headers = [("Authorization", bearer.as_str())];
    for operation in document.operations() {
        let path = operation
            .path
            .replace("{account_id}", crate::support::world::ACCOUNT);
        let path = path.replace(['{', '}'], "");
        // Else so many strangers from one address would be told to wait.
        world.pass(jiff::SignedDuration::from_mins(1));
        let answer = ask(&world, &operation.method, &path, &[], None).await;
        assert_eq!(answer.error(403).0, 10001, "{} {path}", operation.method);
        if operation.method != "GET" {
            let answer = ask(&world, &operation.method, &path, &headers, Some(&json!({}))).await;
            assert_eq!(answer.error(403).0, 10000, "{} {path}", operation.method);
        }
    }
    assert_eq!(world.store().await.head().await.unwrap().seq, before.seq);
}

#[tokio::test]
async fn a_method_is_the_one_of_the_request_line() {
    let world = world().await;
    let app = made(&world, "/access/apps", third(&world)).await;
    let path = account(&format!("/access/apps/{}", id(&app)));
    let bearer = bearer(TOKEN);
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let headers = [("Authorization", bearer.as_str()), (name, "DELETE")];
        for query in ["", "?_method=DELETE"] {
            let read = ask(&world, "GET", &format!("{path}{query}"), &headers, None).await;
            assert_eq!(read.result(200)["id"], app["id"]);
            let posted = ask(
                &world,
                "POST",
                &format!("{path}{query}"),
                &headers,
                Some(&json!({})),
            )
            .await;
            assert_eq!(posted.error(405).0, 7001);
        }
    }
    // A look has no effect, and a word that is no method is none.
    for method in ["HEAD", "OPTIONS", "PATCH", "PROPFIND", "delete", "Put"] {
        let answer = ask(&world, method, &path, &[("Authorization", &bearer)], None).await;
        assert!(
            matches!(answer.status, 400 | 405 | 501),
            "{method}: {}",
            answer.status
        );
    }
    let read = call(&world, "GET", &format!("/access/apps/{}", id(&app)), None).await;
    assert_eq!(read.result(200)["updated_at"], app["updated_at"]);
}

/// No page of another origin reads an answer: there is nothing that would let it.
#[tokio::test]
async fn browsers_of_other_origins_are_given_nothing() {
    let world = world().await;
    let path = account("/access/apps");
    let bearer = bearer(TOKEN);
    let preflight = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let with_token = [
        ("Authorization", bearer.as_str()),
        ("Origin", "https://evil.example"),
    ];
    let with_null = [("Authorization", bearer.as_str()), ("Origin", "null")];
    for (method, headers, status) in [
        ("OPTIONS", &preflight[..], 403),
        ("GET", &with_token[..], 200),
        ("GET", &with_null[..], 200),
    ] {
        let answer = ask(&world, method, &path, headers, None).await;
        assert_eq!(answer.status, status, "{method}: {}", answer.body);
        assert!(
            !answer
                .headers
                .iter()
                .any(|(name, _)| name.starts_with("access-control-")),
            "{:?}",
            answer.headers
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    // What a form can send is no JSON. Its content type counts for nothing, and neither do cookies: what opens the API
    // is never sent by a browser of its own accord.
    let form = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let reply = world.api("POST", &path, &form, b"name=x&type=self_hosted").await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_credential_counts_in_its_one_place_and_form() {
    let world = world().await;
    let verify = "/user/tokens/verify";
    let good = bearer(TOKEN);
    for headers in [
        vec![("Authorization", format!("Bearer\t{TOKEN}"))],
        vec![("Authorization", format!("Bearer  {TOKEN}"))],
        vec![("Authorization", format!("Bearer:{TOKEN}"))],
        vec![("Authorization", format!("Bearer {TOKEN} {TOKEN}"))],
        vec![("Authorization", format!("Bearer {TOKEN}="))],
        vec![("Authorization", format!("Bearer {}", TOKEN.to_ascii_uppercase()))],
        vec![("Authorization", TOKEN.to_owned())],
        vec![("Authorization", good.clone()), ("Authorization", good.clone())],
        vec![("Authorization", good.clone()), ("X-Auth-Key", TOKEN.to_owned())],
        vec![("X-Auth-Key", TOKEN.to_owned())],
        vec![("Cookie", format!("Authorization={TOKEN}"))],
    ] {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = ask(&world, "GET", verify, &headers, None).await;
        assert!(
            matches!(answer.status, 400 | 403),
            "{headers:?}: {}",
            answer.status
        );
    }
    let answer = ask(
        &world,
        "GET",
        &format!("{verify}?access_token={TOKEN}&token={TOKEN}"),
        &[],
        None,
    )
    .await;
    answer.error(403);
    ask(
        &world,
        "GET",
        verify,
        &[("Authorization", &format!("bearer {TOKEN}"))],
        None,
    )
    .await
    .result(200);
}

/// Whoever guesses has to wait, also with other guesses; in the end the holder gets in again.
#[tokio::test]
async fn many_wrong_tokens_are_told_to_wait() {
    let world = world().await;
    let mut told = None;
    for number in 0..200 {
        let guess = bearer(&format!("{number:0>40}"));
        let answer = ask(
            &world,
            "GET",
            "/user/tokens/verify",
            &[("Authorization", &guess)],
            None,
        )
        .await;
        if answer.status == 429 {
            told = Some(answer);
            break;
        }
        assert_eq!(answer.error(403).0, 9109);
    }
    let told = told.expect("nobody guesses for ever");
    assert_eq!(told.error(429).0, 971);
    assert!(told.header("retry-after").is_some());
    // Whoever has a good one is not locked out, though it comes from the same address.
    let good = bearer(TOKEN);
    ask(
        &world,
        "GET",
        "/user/tokens/verify",
        &[("Authorization", &good)],
        None,
    )
    .await
    .result(200);
}

/// Secrets are answered once, where they are made; never again, and nobody finds them in the audit log or in the log.
#[tokio::test]
async fn secrets_come_back_nowhere() {
    let world = world().await;
    log::capture();
    let provider = made(&world, "/access/identity_providers", provider()).await;
    let path = format!("/access/identity_providers/{}", id(&provider));
    let mut again = provider.clone();
    again["config"]["next_client_secret"] = json!(format!("{SECRET}-next"));
    again["config"]["prompt"] = json!("login");
    call(&world, "PUT", &path, Some(&again)).await.result(200);
    // One in a wrong place is refused without being repeated.
    again["config"]["client_secret"] = json!({ "value": SECRET });
    let refused = call(&world, "PUT", &path, Some(&again)).await;
    assert!(!refused.body.to_string().contains(SECRET), "{}", refused.body);
    again["config"]["client_secret"] = json!("********");
    call(&world, "PUT", &path, Some(&again)).await.result(200);

    let token = made(&world, "/access/service_tokens", json!({ "name": "CI" })).await;
    let one = format!("/access/service_tokens/{}", id(&token));
    let rotated = call(&world, "POST", &format!("{one}/rotate"), None)
        .await
        .result(200);
    let text = |value: &Value| value["client_secret"].as_str().unwrap().to_owned();
    let secrets = [
        SECRET.to_owned(),
        text(&token),
        text(&rotated),
        TOKEN.to_owned(),
        READER.to_owned(),
    ];

    for path in [
        "/access/identity_providers",
        "/access/service_tokens",
        &path,
        &one,
        "/access/apps",
    ] {
        let answer = call(&world, "GET", path, None).await.body.to_string();
        for secret in &secrets {
            assert!(!answer.contains(secret.as_str()), "{path}");
        }
    }
    call(&world, "DELETE", &path, None).await.result(202);
    call(&world, "DELETE", &one, None).await.result(200);
    let rows = world.store().await.audit(1000, 1).await.unwrap();
    let kept = format!("{rows:?}");
    assert!(kept.contains("Another") && kept.contains("delete"), "{kept}");
    for secret in &secrets {
        assert!(!kept.contains(secret.as_str()), "in the audit log");
        assert!(!log::contains(secret), "in the log");
    }
}

/// What a client writes stands in one line of the log, if at all, and is no line of its own.
#[tokio::test]
async fn nobody_writes_lines_of_the_log() {
    let world = world().await;
    log::capture();
    let forged = "x\",\"level\":\"INFO\"}\r\n{\"level\":\"ERROR\",\"message\":\"forged-line-7f3a";
    let group = json!({ "name": forged, "include": [{ "everyone": {} }] });
    let refused = call(&world, "POST", "/access/groups", Some(&group)).await;
    assert_eq!(refused.error(400).2.as_deref(), Some("/name"));
    // Descriptions may have lines, and come back as they were sent.
    let list = json!({ "name": "forged", "type": "IP", "description": forged });
    let list = made(&world, "/gateway/lists", list).await;
    assert_eq!(list["description"], forged);
    call(&world, "DELETE", &format!("/gateway/lists/{}", id(&list)), None)
        .await
        .result(200);
    let path = account("/access/groups/x%0d%0a%7b%22level%22%3a%22ERROR%22%7d");
    let agent = [("User-Agent", "forged-line-7f3a\t\"}")];
    assert_eq!(ask(&world, "GET", &path, &agent, None).await.status, 400);
    let lines = log::told_of("forged-line-7f3a");
    assert!(lines.iter().all(|line| line["level"] != "ERROR"), "{lines:?}");
}

/// The file and the shell make tokens; the API knows no way, however it is asked.
#[tokio::test]
async fn a_token_makes_no_token() {
    let world = world().await;
    let bearer = bearer(TOKEN);
    let headers = [("Authorization", bearer.as_str())];
    let wish = json!({ "name": "more", "permissions": ["*"], "policies": [] });
    for path in [
        "/user/tokens".to_owned(),
        account("/tokens"),
        account("/access/api_tokens"),
    ] {
        for method in ["GET", "POST"] {
            let answer = ask(&world, method, &path, &headers, Some(&wish)).await;
            assert_eq!(answer.error(404).0, 7003, "{method} {path}");
        }
    }
}

/// A certificate is an authority's public part. Whoever sends a private key with it is told, and it is not kept.
#[tokio::test]
async fn a_private_key_among_certificates_is_not_kept() {
    let world = world().await;
    let pem = authority();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let body = json!({ "name": "devices", "certificate": format!("{pem}{key}"), "associated_hostnames": [] });
    let answer = call(&world, "POST", "/access/certificates", Some(&body)).await;
    assert_eq!(answer.error(400).2.as_deref(), Some("/certificate"));
}
