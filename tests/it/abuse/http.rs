//! What takes more than one request to say.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::origin::MARK;
use crate::support::tenant::{ADAM, ALICE, MALLORY, STAFF};
use crate::support::world::World;

#[tokio::test]
async fn a_host_among_many_is_found_in_every_spelling() {
    let many: Vec<String> = (0..150)
        .map(|number| format!("[[applications]]\nname = \"App {number}\"\ndomain = \"app{number}.localhost\"\npolicies = [\"staff\"]"))
        .collect();
    let world = World::builder().more(&many.join("\n")).start().await;
    let port = world.port();
    for host in [
        "WIKI.Localhost",
        "wiki.localhost.",
        "wiki.localhost:8443",
        "App149.LOCALHOST",
    ] {
        let mut wire = world.dial().connect("").await;
        wire.send(format!("GET /admin HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        let reply = wire.reply().await.unwrap();
        let login = format!("http://login.localhost:{port}/cdn-cgi/access/login/");
        assert!(
            reply.header("location").is_some_and(|to| to.starts_with(&login)),
            "{host}: {}",
            reply.status
        );
    }
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn an_unreadable_forwarded_address_never_opens_anything() {
    let world = World::builder()
        .listen("trusted_proxies = [\"127.0.0.1/32\"]")
        .start()
        .await;
    let entries = vec!["10.0.0.1"; 300].join(", ");
    for forwarded in [
        "a",
        "1.2.3.4, a",
        "::ffff:10.0.0.1",
        "",
        ",",
        "1.2.3.4:x",
        &entries,
    ] {
        let reply = world
            .anonymous()
            .fetch(&world.host("wiki"), "/x", &[("X-Forwarded-For", forwarded)])
            .await;
        assert!(matches!(reply.status, 302 | 400), "{forwarded}: {}", reply.status);
    }
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_quickly() {
    let world = World::start().await;
    let wiki = world.authority("wiki");
    let cookies = "a=1; ".repeat(13_000);
    let lines = "X-Line: 1\r\n".repeat(5_000);
    let long = "a".repeat(1_000_000);
    for head in [
        format!("Cookie: {cookies}\r\n"),
        lines,
        format!("X-Long: {long}\r\n"),
    ] {
        let mut wire = world.dial().connect("").await;
        let began = Instant::now();
        wire.send(format!("GET /public/x HTTP/1.1\r\nHost: {wiki}\r\n{head}\r\n"))
            .await;
        // The answer, or a connection that was reset while we were still sending.
        let status = wire.reply().await.map_or(0, |reply| reply.status);
        assert!(matches!(status, 0 | 400 | 431), "{status}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn a_refused_body_is_never_taken_for_a_request() {
    let world = World::start().await;
    let (wiki, hits) = (world.authority("wiki"), world.origin.hits());
    let smuggled = format!("GET /public/smuggled HTTP/1.1\r\nHost: {wiki}\r\n\r\n");
    let mut wire = world.dial().connect("").await;
    let length = smuggled.len();
    wire.send(format!(
        "POST /x HTTP/1.1\r\nHost: {wiki}\r\nContent-Length: {length}\r\n\r\n{smuggled}"
    ))
    .await;
    assert_eq!(wire.reply().await.unwrap().status, 302);
    // Either the body was read and the connection goes on, or it is over; never is the body a request.
    wire.send(format!("GET /public/honest HTTP/1.1\r\nHost: {wiki}\r\n\r\n"))
        .await;
    if let Some(reply) = wire.reply().await {
        assert!(reply.text().contains("/public/honest"), "{}", reply.text());
    }
    assert!(
        world
            .origin
            .since(hits)
            .iter()
            .all(|seen| seen.target() == "/public/honest")
    );
}

#[tokio::test]
async fn scripts_get_401_where_the_application_asks_for_it() {
    let world = World::builder().wiki("unauthenticated_401 = true").start().await;
    for header in [
        ("Sec-Fetch-Mode", "cors"),
        ("Accept", "application/json"),
        ("Accept", "text/event-stream"),
    ] {
        let mut wire = world.dial().connect("").await;
        let (name, value) = header;
        wire.send(format!(
            "GET /x HTTP/1.1\r\nHost: {}\r\n{name}: {value}\r\n\r\n",
            world.authority("wiki")
        ))
        .await;
        let reply = wire.reply().await.unwrap();
        assert_eq!(reply.status, 401, "{header:?}");
        assert!(
            reply.header("www-authenticate").is_some() && reply.header("location").is_none(),
            "{header:?}"
        );
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(body["request_id"].is_string(), "{body}");
    }
    // A person still gets to the login page.
    assert_eq!(
        world
            .anonymous()
            .fetch(&world.host("wiki"), "/x", &[])
            .await
            .status,
        302
    );
}

#[tokio::test]
async fn a_page_elsewhere_opens_no_websocket() {
    let world = World::builder()
        .wiki("websocket_origins = [\"https://friend.example\"]")
        .start()
        .await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let own = format!("http://{}", world.authority("wiki"));
    for (origin, status) in [
        ("https://evil.com", 403),
        ("null", 403),
        ("https://friend.example.evil.com", 403),
        ("https://friend.example", 101),
        (own.as_str(), 101),
    ] {
        let headers = [
            ("Connection", "upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Origin", origin),
        ];
        let hits = world.origin.hits();
        let mut wire = alice.begin("GET", &world.host("wiki"), "/ws", &headers).await;
        assert_eq!(wire.head().await.unwrap().status, status, "{origin}");
        assert_eq!(world.origin.hits() - hits, usize::from(status == 101), "{origin}");
    }
}

#[tokio::test]
async fn every_step_of_a_login_forbids_caching() {
    let world = World::start().await;
    let mut alice = world.person(ALICE);
    let mut url = alice.address(&world.host("wiki"), "/cacheable");
    let mut steps = 0;
    loop {
        let reply = alice.get(&url).await;
        if reply.status == 200 {
            break;
        }
        // Entra's own answers are Entra's matter.
        if url.host_str() != Some("127.0.0.1") {
            let caching = reply.header("cache-control").unwrap_or_default();
            assert!(caching.contains("no-store"), "{url}: {caching:?}");
            assert!(!reply.text().contains(MARK));
            steps += 1;
        }
        url = url.join(reply.header("location").unwrap()).unwrap();
    }
    assert!(steps >= 4, "{steps} steps");
    for path in ["get-identity", "logout"] {
        let reply = alice
            .fetch(&world.host("wiki"), &format!("/cdn-cgi/access/{path}"), &[])
            .await;
        assert!(
            reply
                .header("cache-control")
                .is_some_and(|caching| caching.contains("no-store")),
            "{path}"
        );
    }
    // What the application itself lets be cached is private to whoever was let in.
    let mut mallory = world.person(MALLORY);
    let refused = mallory.open(&world.host("wiki"), "/cacheable").await;
    assert_eq!(refused.status(), 403);
    assert!(
        refused
            .reply
            .header("cache-control")
            .is_some_and(|caching| caching.contains("no-store"))
    );
}

#[tokio::test]
async fn people_who_sign_in_at_once_are_never_mixed_up() {
    const PEOPLE: usize = 40;
    let world = World::start().await;
    let tenant = world.entra.directory().tenant(crate::support::tenant::TENANT);
    let names: Vec<String> = (0..PEOPLE)
        .map(|number| format!("person{number}@contoso.example"))
        .collect();
    for name in &names {
        let user = mock_entra::User::member(name.as_str());
        tenant.add_user(user);
        let oid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string();
        tenant.add_member(STAFF, mock_entra::MemberRef::user(oid));
    }
    let logins = names.iter().map(|name| {
        let mut person = world.person(name);
        let (wiki, login, name) = (world.host("wiki"), world.host("login"), name.clone());
        tokio::spawn(async move {
            assert_eq!(person.open(&wiki, "/x").await.status(), 200);
            for host in [&wiki, &login] {
                let reply = person.fetch(host, "/cdn-cgi/access/get-identity", &[]).await;
                let identity: Value = serde_json::from_slice(&reply.body).unwrap();
                assert_eq!(identity["email"], name.as_str());
            }
            let answer = person.fetch(&wiki, "/who", &[]).await.text();
            assert!(
                answer.contains(&format!("authenticated-user-email: {name}")),
                "{name}: {answer}"
            );
        })
    });
    for login in logins.collect::<Vec<_>>() {
        login.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_turns_to_deny_under_load_lets_nobody_pass_afterwards() {
    let mut world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let adam = world.signed_in(ADAM, &["other"]).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (mut alice, host, stop) = (alice.clone(), world.host("wiki"), stop.clone());
            tokio::spawn(async move {
                let mut last_in = Instant::now();
                let mut served = 0_u32;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let reply = alice.fetch(&host, "/x", &[]).await;
                    assert!(matches!(reply.status, 200 | 403), "{}", reply.status);
                    if reply.status == 200 {
                        last_in = Instant::now();
                        served += 1;
                    }
                }
                (last_in, served)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.declare(|world| world.wiki_policies("[]")).await;
    let denied = Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for load in load {
        let (last_in, served) = load.await.unwrap();
        let late = last_in.saturating_duration_since(denied);
        println!("{served} requests served, the last one {late:?} after the change");
        assert!(
            served > 0 && late < Duration::from_secs(1),
            "still inside after {late:?}"
        );
    }
    // Others are not touched.
    assert_eq!(
        adam.clone().fetch(&world.host("other"), "/x", &[]).await.status,
        200
    );
}
