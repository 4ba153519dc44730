//! What holds behind every proxy that asks: each test of a proxy plays all of it through the real server.

use std::time::Duration;

use crate::support::origin::MARK;
use crate::support::person::Person;
use crate::support::tenant::{ALICE, MALLORY};
use crate::support::world::{FORWARD_AUTH_SECRET, World};

/// Plays everything.
pub(super) async fn play(world: &World) {
    nobody_gets_in(world).await;
    let mut alice = sign_in(world).await;
    identity_is_what_the_gateway_says(world, &mut alice).await;
    forged_headers_reach_nobody(world, &mut alice).await;
    own_addresses_go_to_the_gateway(world, &mut alice).await;
    bodies_and_websockets_pass(world, &mut alice).await;
    others_are_refused_with_the_reason(world).await;
    a_token_is_renewed_on_the_way(world, &mut alice).await;
    log_out(world, &mut alice).await;
}

/// Nothing is let through because the gateway does not answer. Stops it.
pub(super) async fn nobody_gets_in_without_the_gateway(world: &mut World) {
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world.stop().await;
    let before = world.origin.hits();
    for path in ["/", "/public/x"] {
        let reply = alice.fetch(&world.host("wiki"), path, &[]).await;
        assert!(reply.status >= 500, "{path}: {}", reply.status);
    }
    assert_eq!(world.origin.hits(), before);
}

async fn nobody_gets_in(world: &World) {
    let wiki = world.host("wiki");
    let login = format!("http://{}/cdn-cgi/access/login/", world.authority("login"));
    let own_word = format!("http://{}/public/x", world.authority("wiki"));
    for headers in [
        &[][..],
        // Abuse case 31: what other dialects believe.
        &[
            ("X-Original-URL", own_word.as_str()),
            ("X-Original-Method", "OPTIONS"),
        ],
        &[
            ("X-Original-URI", "/cdn-cgi/access/callback"),
            ("X-Rewrite-URL", "/public/x"),
        ],
        &[
            ("X-Forwarded-Uri", "/public/x"),
            ("X-Forwarded-Method", "OPTIONS"),
        ],
        &[
            ("X-Forwarded-Uri", "/cdn-cgi/access/callback"),
            ("X-Forwarded-Host", "unlisted.localhost"),
        ],
        &[("X-Vestibule-Forward-Auth", FORWARD_AUTH_SECRET)],
        // Abuse case 32.
        &[("Cookie", "CF_Authorization=%%%")],
    ] {
        let mut nobody = world.anonymous();
        let reply = nobody.fetch(&wiki, "/deep?x=1", headers).await;
        assert_eq!(reply.status, 302, "{headers:?}: {}", reply.text());
        assert!(
            reply.header("location").unwrap().starts_with(&login),
            "{headers:?}"
        );
        assert!(nobody.cookie(&wiki, "CF_AppSession").is_some());
        let script = nobody
            .fetch(&wiki, "/", &[("X-Requested-With", "XMLHttpRequest")])
            .await;
        assert_eq!(script.status, 401);
        for told in [&reply, &script] {
            let told: Vec<&str> = told.all("www-authenticate").collect();
            assert!(
                matches!(told.as_slice(), [one] if one.starts_with("Cloudflare-Access ")),
                "{headers:?}: {told:?}"
            );
        }
    }
    for method in ["POST", "DELETE", "HEAD", "OPTIONS"] {
        let mut nobody = world.anonymous();
        let url = nobody.address(&wiki, "/deep");
        let reply = nobody.request(method, &url, &[], b"").await;
        assert!(
            matches!(reply.status, 302 | 401 | 403),
            "{method}: {}",
            reply.status
        );
    }
    assert_eq!(world.origin.hits(), 0, "{:?}", world.origin.since(0));
}

/// Login, and the deep link with its query.
async fn sign_in(world: &World) -> Person {
    let mut alice = world.person(ALICE);
    let arrival = alice.open(&world.host("wiki"), "/deep/a%20b?x=1&y=%2Fz").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert!(arrival.asked_entra() && arrival.text().contains(MARK));
    assert_eq!(world.origin.last().target(), "/deep/a%20b?x=1&y=%2Fz");
    assert_eq!(world.origin.hits(), 1);
    alice
}

async fn identity_is_what_the_gateway_says(world: &World, alice: &mut Person) {
    let wiki = world.host("wiki");
    alice.plant(&wiki, "own", "1");
    assert_eq!(alice.fetch(&wiki, "/", &[]).await.status, 200);
    let seen = world.origin.last();
    assert_eq!(seen.header("cf-access-authenticated-user-email"), Some(ALICE));
    let token = alice.cookie(&wiki, "CF_Authorization").unwrap();
    assert_eq!(seen.header("cf-access-jwt-assertion"), Some(token.as_str()));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert!(seen.header("x-request-id").is_some());
    // Abuse case 36.
    let cookies = seen.header("cookie").unwrap();
    assert!(cookies.contains(&token) && cookies.contains("own=1"), "{cookies}");
    assert!(
        !cookies.contains("CF_AppSession") && !cookies.contains("CF_Session"),
        "{cookies}"
    );
}

/// Abuse cases 21, 22, 24, 29, 31 and 33, with a session and where nobody needs one.
async fn forged_headers_reach_nobody(world: &World, alice: &mut Person) {
    let wiki = world.host("wiki");
    for (path, user) in [("/", Some(ALICE)), ("/public/x", None)] {
        for name in [
            "Cf-Access-Jwt-Assertion",
            "Cf-Access-Authenticated-User-Email",
            "CF-ACCESS-JWT-ASSERTION",
            "Cf-Access-Token",
            "CF-Access-Client-Id",
            "CF-Access-Client-Secret",
            "Cf_Access_Jwt_Assertion",
            "Cf-Access_Authenticated-User-Email",
            "X-Original-URL",
            "X-Original-URI",
            "X-Original-Method",
            "X-Rewrite-URL",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Uri",
            "X-Forwarded-Method",
            "X-Forwarded-Port",
            "X-Forwarded-Prefix",
            "X-Forwarded-Server",
            "X_Forwarded_For",
            "X-Forwarded_Host",
            "X-Real-IP",
            "Forwarded",
            "True-Client-IP",
            "CF-Connecting-IP",
            "X-Request-Id",
            "X-Vestibule-Forward-Auth",
        ] {
            let before = world.origin.hits();
            let reply = alice.fetch(&wiki, path, &[(name, "forged")]).await;
            let seen = world.origin.since(before);
            if let [seen] = seen.as_slice() {
                assert!(!seen.head.contains("forged"), "{path} {name}: {}", seen.head);
                let email = seen.header("cf-access-authenticated-user-email");
                assert_eq!(email.filter(|email| !email.is_empty()), user, "{path} {name}");
                assert!(seen.all("x-vestibule-forward-auth").is_empty());
            } else {
                assert!(
                    seen.is_empty() && reply.status == 400,
                    "{path} {name}: {}",
                    reply.status
                );
            }
        }
        let twice = [
            ("Cf-Access-Jwt-Assertion", "forged"),
            ("Cf-Access-Jwt-Assertion", "forged"),
        ];
        assert_eq!(alice.fetch(&wiki, path, &twice).await.status, 200);
        let seen = world.origin.last();
        assert!(
            !seen.head.contains("forged") && !seen.head.contains(FORWARD_AUTH_SECRET),
            "{}",
            seen.head
        );
    }
    let seen = world.origin.last();
    assert_eq!(seen.all("cookie").concat(), "own=1", "on Bypass no token goes on");
    // What one of the samples calls its own.
    let own = [
        ("X-Vestibule-Cookie", "forged=1"),
        ("X-Vestibule-Set-Cookie", "forged=1"),
    ];
    let reply = alice.fetch(&wiki, "/", &own).await;
    assert_eq!(reply.status, 200);
    assert!(
        !reply.headers.iter().any(|(_, value)| value.contains("forged")),
        "{:?}",
        reply.headers
    );
    assert!(!world.origin.last().header("cookie").unwrap().contains("forged"));
}

async fn own_addresses_go_to_the_gateway(world: &World, alice: &mut Person) {
    let wiki = world.host("wiki");
    let before = world.origin.hits();
    let identity = alice.fetch(&wiki, "/cdn-cgi/access/get-identity", &[]).await;
    assert_eq!(identity.status, 200);
    assert!(identity.text().contains(ALICE), "{}", identity.text());
    for path in [
        "/cdn-cgi/access/nothing",
        "/CDN-CGI/access/nothing",
        "/cdn-cgi/%61ccess/nothing",
    ] {
        let reply = alice.fetch(&wiki, path, &[]).await;
        assert!(
            matches!(reply.status, 400 | 403 | 404),
            "{path}: {}",
            reply.status
        );
    }
    // Abuse cases 2 and 18: no way leads past the rule of the other part.
    for path in [
        "/cdn-cgi/access/../../admin",
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/..%2fadmin",
    ] {
        let reply = raw(alice, &wiki, path).await;
        assert!(matches!(reply, 302 | 400 | 401 | 403 | 404), "{path}: {reply}");
    }
    assert_eq!(world.origin.hits(), before, "{:?}", world.origin.since(before));
}

/// The status of a path that an address would have tidied up.
async fn raw(person: &Person, host: &str, path: &str) -> u16 {
    let cookies = person.cookie_header(&person.address(host, "/"));
    let mut wire = person.via.connect(host).await;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{}\r\nAccept: text/html\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n",
        person.port
    );
    wire.send(head.as_bytes()).await;
    wire.head().await.expect("an answer").status
}

async fn bodies_and_websockets_pass(world: &World, alice: &mut Person) {
    let wiki = world.host("wiki");
    let url = alice.address(&wiki, "/form?a=b");
    let reply = alice
        .request("POST", &url, &[("Content-Type", "text/plain")], b"some text")
        .await;
    assert_eq!(reply.status, 200);
    let seen = world.origin.last();
    assert!(seen.head.starts_with("POST /form?a=b HTTP/1.1"), "{}", seen.head);
    assert_eq!(seen.header("content-length"), Some("9"));

    let origin = format!("http://{}", world.authority("wiki"));
    let handshake = |origin: &str| {
        [
            ("Connection".to_owned(), "Upgrade".to_owned()),
            ("Upgrade".to_owned(), "websocket".to_owned()),
            ("Sec-WebSocket-Version".to_owned(), "13".to_owned()),
            (
                "Sec-WebSocket-Key".to_owned(),
                "dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
            ),
            ("Origin".to_owned(), origin.to_owned()),
        ]
    };
    let lines = handshake("https://evil.example");
    let lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let before = world.origin.hits();
    let mut wire = alice.begin("GET", &wiki, "/ws", &lines).await;
    assert_eq!(wire.head().await.unwrap().status, 403);
    assert_eq!(world.origin.hits(), before, "a foreign origin's WebSocket");
    let lines = handshake(&origin);
    let lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut wire = alice.begin("GET", &wiki, "/ws", &lines).await;
    assert_eq!(wire.head().await.unwrap().status, 101);
    wire.send("echo").await;
    assert_eq!(wire.take(4).await, b"echo");
}

async fn others_are_refused_with_the_reason(world: &World) {
    let before = world.origin.hits();
    let mut mallory = world.person(MALLORY);
    let arrival = mallory.open(&world.host("wiki"), "/").await;
    assert_eq!(arrival.status(), 403);
    assert!(
        arrival.text().contains("Mallory") || arrival.text().contains(MALLORY),
        "{}",
        arrival.text()
    );
    assert_eq!(world.origin.hits(), before);
}

/// The browser gets it through the proxy, and no cache does. The tokens of these worlds last an hour.
async fn a_token_is_renewed_on_the_way(world: &World, alice: &mut Person) {
    let wiki = world.host("wiki");
    let old = alice.cookie(&wiki, "CF_Authorization").unwrap();
    let reply = alice.fetch(&wiki, "/", &[]).await;
    assert_eq!((reply.status, reply.header("set-cookie")), (200, None));
    assert_eq!(
        reply.header("cache-control"),
        None,
        "what the application says is what caches are told"
    );
    world.pass(jiff::SignedDuration::from_hours(2));
    let reply = alice.fetch(&wiki, "/cacheable", &[]).await;
    assert_eq!(reply.status, 200);
    let new = alice.cookie(&wiki, "CF_Authorization").unwrap();
    assert_ne!(old, new);
    assert_eq!(
        world.origin.last().header("cf-access-jwt-assertion"),
        Some(new.as_str())
    );
    assert!(
        reply.all("cache-control").any(|line| line.contains("no-store")),
        "{:?}",
        reply.headers
    );
    let after = alice.fetch(&wiki, "/", &[]).await;
    assert_eq!((after.status, after.header("set-cookie")), (200, None));
}

async fn log_out(world: &World, alice: &mut Person) {
    let wiki = world.host("wiki");
    let stolen = alice.clone();
    let goodbye = alice.open(&wiki, "/cdn-cgi/access/logout").await;
    assert_eq!(goodbye.status(), 200, "{}", goodbye.text());
    // The promise is one second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.origin.hits();
    for mut browser in [alice.clone(), stolen] {
        assert_eq!(browser.fetch(&wiki, "/", &[]).await.status, 302);
    }
    assert_eq!(world.origin.hits(), before);
}
