//! The launcher as an application: who may open it, and what it wears.

use serde_json::{Value, json};

use super::{call, id, made, tokens, world};
use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::World;

const APPS: &str = "/access/apps";

fn only(email: &str) -> Value {
    json!({ "name": "only one", "decision": "allow", "include": [{ "email": { "email": email } }] })
}

/// What somebody sees who opens the launcher.
async fn opened(world: &World, email: &str) -> crate::support::wire::Reply {
    world.person(email).open(&world.host("login"), "/").await.reply
}

#[tokio::test]
async fn there_is_one_launcher_and_it_comes_back_as_it_was_sent() {
    let world = world().await;
    let sent = json!({
        "type": "app_launcher", "policies": [only(ALICE)], "session_duration": "12h", "allowed_idps": [],
        "app_launcher_logo_url": "https://cdn.example.com/logo.svg", "bg_color": "#102030", "header_bg_color": "#fff",
        "footer_links": [{ "name": "Help", "url": "https://www.example.com/help" }],
        "landing_page_design": {
            "title": "Welcome", "message": "Sign in.", "image_url": "https://img.example.com/door.jpg",
            "button_color": "#1f5fbf", "button_text_color": "#ffffff",
        },
        "skip_app_launcher_login_page": true,
    });
    let launcher = made(&world, APPS, sent.clone()).await;
    for (key, value) in sent
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, _)| *key != "policies")
    {
        assert_eq!(&launcher[key], value, "{key}");
    }
    assert_eq!(
        (&launcher["name"], &launcher["domain"]),
        (&json!("App Launcher"), &json!(world.host("login")))
    );
    assert_eq!(launcher.get("destinations"), None);
    assert_eq!(launcher["policies"][0]["name"], "only one");
    let path = format!("{APPS}/{}", id(&launcher));
    let read = call(&world, "GET", &path, None).await.result(200);
    let put = call(&world, "PUT", &path, Some(&read)).await.result(200);
    for key in read
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| *key != "updated_at")
    {
        if key != "policies" {
            assert_eq!(put[key], read[key], "{key}");
        }
    }
    let listed = call(&world, "GET", &format!("{APPS}?name=App%20Launcher"), None).await;
    assert_eq!(listed.result(200).as_array().map(Vec::len), Some(1));
    let listed = format!("{APPS}?aud={}", launcher["aud"].as_str().unwrap());
    assert_eq!(
        call(&world, "GET", &listed, None).await.result(200)[0]["id"],
        launcher["id"]
    );
    let second = call(&world, "POST", APPS, Some(&json!({ "type": "app_launcher" }))).await;
    let (code, message, place) = second.error(409);
    assert_eq!((code, place.as_deref()), (12132, Some("/type")), "{message}");
    assert!(
        message.contains("application \"App Launcher\" is it"),
        "{message}"
    );
    call(&world, "DELETE", &path, None).await.result(202);
    made(&world, APPS, json!({ "type": "app_launcher", "name": "Start" })).await;
}

#[tokio::test]
async fn what_a_launcher_cannot_have_is_refused_by_its_place() {
    let world = world().await;
    for (wrong, pointer) in [
        (json!({ "bg_color": "red" }), "/bg_color"),
        (
            json!({ "header_bg_color": "#fff}body{display:none" }),
            "/header_bg_color",
        ),
        (
            json!({ "app_launcher_logo_url": "http://cdn.example.com/x.svg" }),
            "/app_launcher_logo_url",
        ),
        (
            json!({ "footer_links": [{ "name": "x", "url": "javascript:alert(1)" }] }),
            "/footer_links/0/url",
        ),
        (
            json!({ "footer_links": [{ "name": "", "url": "https://www.example.com" }] }),
            "/footer_links/0/name",
        ),
        (
            json!({ "landing_page_design": { "button_color": "blue" } }),
            "/landing_page_design/button_color",
        ),
        (
            json!({ "landing_page_design": { "title": "\u{7}" } }),
            "/landing_page_design/title",
        ),
        (json!({ "domain": "start.example.com" }), "/domain"),
        (
            json!({ "destinations": [{ "type": "public", "uri": "start.example.com" }] }),
            "/destinations",
        ),
        (json!({ "enable_binding_cookie": true }), "/enable_binding_cookie"),
    ] {
        let mut body = wrong;
        body["type"] = json!("app_launcher");
        let answer = call(&world, "POST", APPS, Some(&body)).await;
        let (code, _, place) = answer.error(400);
        assert_eq!((code, place.as_deref()), (12130, Some(pointer)), "{body}");
    }
    // Nor is a launcher's key one of other applications.
    let app =
        json!({ "name": "Third", "type": "self_hosted", "domain": world.host("third"), "bg_color": "#fff" });
    let answer = call(&world, "POST", APPS, Some(&app)).await;
    assert_eq!(answer.error(400).2.as_deref(), Some("/bg_color"));
}

#[tokio::test]
async fn its_policies_say_who_may_open_it() {
    let world = world().await;
    for email in [ALICE, MALLORY] {
        assert_eq!(
            opened(&world, email).await.status,
            200,
            "{email}: there is no launcher yet"
        );
    }
    let launcher = json!({
        "type": "app_launcher", "policies": [only(ALICE)], "bg_color": "#102030", "header_bg_color": "#ffffff",
        "app_launcher_logo_url": "https://cdn.example.com/logo.svg",
        "footer_links": [{ "name": "<b>Help</b>", "url": "https://www.example.com/help" }],
    });
    let launcher = made(&world, APPS, launcher).await;
    let path = format!("{APPS}/{}", id(&launcher));
    let page = opened(&world, ALICE).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let html = page.text();
    assert!(html.contains("body{background:#102030;color:#ffffff}"), "{html}");
    assert!(html.contains(".brand{background:#ffffff;color:#000000"), "{html}");
    assert!(
        html.contains("src=\"https://cdn.example.com/logo.svg\""),
        "{html}"
    );
    assert!(
        html.contains("href=\"https://www.example.com/help\"") && !html.contains("<b>Help"),
        "{html}"
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("img-src data: https://cdn.example.com;"),
        "{policy}"
    );

    let mut mallory = world.person(MALLORY);
    let page = mallory.open(&world.host("login"), "/").await.reply;
    assert_eq!(page.status, 403, "{}", page.text());
    let another = "/cdn-cgi/access/login?prompt=select_account";
    assert!(page.text().contains(another), "{}", page.text());
    let filter = "/access/logs/access_requests?allowed_op=eq&allowed=false&limit=10";
    let logged = call(&world, "GET", filter, None).await;
    let rows = logged.result(200);
    assert_eq!(
        (&rows[0]["app_uid"], &rows[0]["user_email"]),
        (&launcher["id"], &json!(MALLORY)),
        "{rows}"
    );
    // A change takes effect on the next request.
    let other = json!({ "type": "app_launcher", "policies": [only(MALLORY)] });
    call(&world, "PUT", &path, Some(&other)).await.result(200);
    let page = mallory.fetch(&world.host("login"), "/", &[]).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(opened(&world, ALICE).await.status, 403);
    // One without policies is nobody's; without one it is everybody's.
    let none = json!({ "type": "app_launcher", "policies": [] });
    call(&world, "PUT", &path, Some(&none)).await.result(200);
    assert_eq!(opened(&world, ALICE).await.status, 403);
    call(&world, "DELETE", &path, None).await.result(202);
    assert_eq!(opened(&world, ALICE).await.status, 200);
}

#[tokio::test]
async fn a_page_of_its_own_stands_before_the_sign_in() {
    let world = world().await;
    let welcome = json!({
        "title": "Come in", "message": "Use your <account>.", "image_url": "https://img.example.com/door.jpg",
        "button_color": "#000000", "button_text_color": "#111111",
    });
    let everyone = json!({ "name": "all", "decision": "allow", "include": [{ "everyone": {} }] });
    let launcher = json!({ "type": "app_launcher", "landing_page_design": welcome, "policies": [everyone] });
    let launcher = made(&world, APPS, launcher).await;
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("login"), "/").await;
    assert!(!arrival.asked_entra(), "{:?}", arrival.way);
    let html = arrival.text();
    assert!(
        html.contains("Come in") && html.contains("Use your &#60;account&#62;."),
        "{html}"
    );
    assert!(
        html.contains("background:#000000;color:#ffffff"),
        "legible: {html}"
    );
    let policy = arrival.reply.header("content-security-policy").unwrap();
    assert!(
        policy.contains("img-src data: https://img.example.com;"),
        "{policy}"
    );
    let next = alice.address(&world.host("login"), "/cdn-cgi/access/login?go=1");
    let arrival = alice.follow(next).await;
    assert!(
        arrival.asked_entra() && arrival.status() == 200,
        "{}",
        arrival.text()
    );
    // It can be skipped.
    let path = format!("{APPS}/{}", id(&launcher));
    let mut skips = launcher;
    skips["skip_app_launcher_login_page"] = json!(true);
    call(&world, "PUT", &path, Some(&skips)).await.result(200);
    assert!(
        world
            .person(ALICE)
            .open(&world.host("login"), "/")
            .await
            .asked_entra()
    );
}

#[tokio::test]
async fn the_file_declares_it_too() {
    let more = format!(
        "{}\n[[applications]]\ntype = \"app_launcher\"\npolicies = [\"staff\"]\nbg_color = \"#102030\"\nfooter_links = [{{ name = \"Help\", url = \"https://www.example.com/help\" }}]\n",
        tokens()
    );
    let world = World::builder().more(&more).start().await;
    let page = opened(&world, ALICE).await;
    assert!(page.status == 200 && page.text().contains("body{background:#102030"));
    assert_eq!(opened(&world, MALLORY).await.status, 403);
    let found = call(&world, "GET", &format!("{APPS}?name=App%20Launcher"), None)
        .await
        .result(200);
    assert_eq!(found[0]["read_only"], true);
    let path = format!("{APPS}/{}", id(&found[0]));
    call(&world, "PUT", &path, Some(&json!({ "type": "app_launcher" })))
        .await
        .error(409);
    let second = call(&world, "POST", APPS, Some(&json!({ "type": "app_launcher" }))).await;
    second.error(409);
}

/// Addresses, policies and tokens of the one mean nothing to the other.
#[tokio::test]
async fn an_application_keeps_its_type() {
    let world = world().await;
    let shop = json!({ "name": "Shop", "type": "self_hosted", "domain": world.host("third") });
    let shop = made(&world, APPS, shop).await;
    let launcher = made(
        &world,
        APPS,
        json!({ "type": "app_launcher", "policies": [only(ALICE)] }),
    )
    .await;
    for (app, body) in [
        (&shop, json!({ "name": "Shop", "type": "app_launcher" })),
        (
            &launcher,
            json!({ "name": "Shop", "type": "self_hosted", "domain": world.host("fourth") }),
        ),
    ] {
        let path = format!("{APPS}/{}", id(app));
        let refused = call(&world, "PUT", &path, Some(&body)).await;
        let (code, message, place) = refused.error(400);
        assert_eq!((code, place.as_deref()), (12130, Some("/type")), "{message}");
        assert!(message.contains("make another one"), "{message}");
        assert_eq!(&call(&world, "GET", &path, None).await.result(200), app);
    }
    // One that says none has the one it had.
    let path = format!("{APPS}/{}", id(&launcher));
    let put = call(&world, "PUT", &path, Some(&json!({ "bg_color": "#102030" })))
        .await
        .result(200);
    assert_eq!(
        (&put["type"], &put["bg_color"]),
        (&json!("app_launcher"), &json!("#102030"))
    );
    assert_eq!(put["aud"], launcher["aud"]);
}
