//! The endpoints, asked with the bytes that each proxy sends.

use super::question::{ASKERS, Asker, Question, ask, with_lines};
use crate::support::log;
use crate::support::tenant::{ADAM, ALICE, MALLORY};
use crate::support::wire::Reply;
use crate::support::world::{FORWARD_AUTH_SECRET, World};

/// What applications are told; always there where a request may pass.
const TOLD: [&str; 4] = [
    "cf-access-jwt-assertion",
    "cf-access-authenticated-user-email",
    "cookie",
    "x-request-id",
];

/// A world whose people sign in through the gateway itself; only the questions come from outside.
async fn world() -> World {
    World::builder()
        .listen(&format!(
            "forward_auth = {{ address = \"127.0.0.1:0\", peers = [\"127.0.0.1/32\"], secret = \"{FORWARD_AUTH_SECRET}\" }}"
        ))
        .start()
        .await
}

async fn answer(world: &World, asker: Asker, question: &Question) -> Reply {
    let answer = question.answer(asker, world.forward_auth()).await;
    answer.unwrap_or_else(|| panic!("{asker:?} gets no answer to {question:?}"))
}

/// The `Cookie` line of a person who is signed in at these hosts.
async fn cookies(world: &World, upn: &str, path: &str) -> String {
    let person = world.signed_in(upn, &["wiki"]).await;
    person.cookie_header(&person.address(&world.host("wiki"), path))
}

#[tokio::test]
async fn whoever_is_signed_in_passes_with_every_header_set() {
    let world = world().await;
    let cookie = cookies(&world, ALICE, "/").await;
    for asker in ASKERS {
        let question = Question::about("GET", &world.authority("wiki"), "/deep?x=1")
            .line(&format!("Cookie: a=1; {cookie}; CF_Session=x; b=2"));
        let reply = answer(&world, asker, &question).await;
        assert_eq!(reply.status, 200, "{asker:?}: {}", reply.text());
        assert_eq!(reply.header("cf-access-authenticated-user-email"), Some(ALICE));
        let assertion = reply.header("cf-access-jwt-assertion").unwrap();
        assert_eq!(assertion.split('.').count(), 3, "{assertion}");
        let on = reply.header("cookie").unwrap();
        assert_eq!(on, format!("a=1; CF_Authorization={assertion}; b=2"), "{asker:?}");
        assert!(reply.header("cache-control").unwrap().contains("no-store"));
        for name in TOLD {
            assert_eq!(reply.all(name).count(), 1, "{asker:?}: {name}");
        }
    }
    assert_eq!(
        world.origin.hits(),
        1,
        "only the sign-in itself reached the application"
    );
}

/// Abuse case 33.
#[tokio::test]
async fn where_nobody_is_needed_every_header_is_there_and_empty() {
    let world = world().await;
    let cookie = cookies(&world, ALICE, "/public").await;
    for asker in ASKERS {
        let question = Question::about("GET", &world.authority("wiki"), "/public/x")
            .line("Cf-Access-Jwt-Assertion: forged")
            .line("Cf-Access-Authenticated-User-Email: ceo@contoso.example")
            .line(&format!("Cookie: {cookie}"));
        let reply = answer(&world, asker, &question).await;
        assert_eq!(reply.status, 200, "{asker:?}: {}", reply.text());
        for name in &TOLD[..3] {
            assert_eq!(reply.all(name).collect::<Vec<_>>(), [""], "{asker:?}: {name}");
        }
        assert!(!reply.header("x-request-id").unwrap().is_empty());
    }
}

#[tokio::test]
async fn nobody_is_sent_to_the_login_and_whoever_may_not_is_refused() {
    let world = world().await;
    let wiki = world.authority("wiki");
    let alice = cookies(&world, ALICE, "/").await;
    let login = format!("http://{}/cdn-cgi/access/login/", world.authority("login"));
    for asker in ASKERS {
        let nobody = answer(&world, asker, &Question::about("GET", &wiki, "/deep?x=1")).await;
        let asks = if asker == Asker::Nginx { 401 } else { 302 };
        assert_eq!(nobody.status, asks, "{asker:?}");
        assert!(
            nobody.header("location").unwrap().starts_with(&login),
            "{asker:?}"
        );
        assert!(nobody.header("set-cookie").unwrap().starts_with("CF_AppSession="));
        assert!(nobody.header("cache-control").unwrap().contains("no-store"));
        let scripts = Question::about("GET", &wiki, "/api").line("X-Requested-With: XMLHttpRequest");
        assert_eq!(answer(&world, asker, &scripts).await.status, 401, "{asker:?}");

        // Administrators only: her token is the whole host's, so she is asked to sign in there.
        let admin = Question::about("GET", &wiki, "/admin").line(&format!("Cookie: {alice}"));
        assert_eq!(answer(&world, asker, &admin).await.status, asks, "{asker:?}");
        let other = Question::about("GET", &world.authority("other"), "/").line(&format!("Cookie: {alice}"));
        assert_eq!(answer(&world, asker, &other).await.status, asks, "{asker:?}");

        for (host, path, status) in [
            ("unlisted.localhost".to_owned(), "/", 404),
            (wiki.clone(), "/public/..%2fadmin", 400),
            (wiki.clone(), "/public/%00", 400),
            ("a@wiki.localhost".to_owned(), "/public/x", 400),
        ] {
            let reply = answer(&world, asker, &Question::about("GET", &host, path)).await;
            let status = if asker == Asker::Nginx { 403 } else { status };
            assert_eq!(reply.status, status, "{asker:?} {host}{path}");
        }
    }
}

#[tokio::test]
async fn a_change_of_policy_and_the_end_of_a_session_count_for_the_next_question() {
    let mut world = world().await;
    let alice = cookies(&world, ALICE, "/").await;
    let question = Question::about("GET", &world.authority("wiki"), "/").line(&format!("Cookie: {alice}"));
    assert_eq!(answer(&world, Asker::Caddy, &question).await.status, 200);
    let nobody = "[{ name = \"nobody\", decision = \"deny\", include = [{ everyone = {} }] }, \"staff\"]";
    world.declare(|world| world.wiki_policies(nobody)).await;
    eventually(&world, &question, 403).await;
    world.declare(|world| world.wiki_policies("[\"staff\"]")).await;
    eventually(&world, &question, 200).await;
    let mut browser = world.person(ALICE);
    for pair in alice.split("; ") {
        let (name, value) = pair.split_once('=').unwrap();
        browser.plant(&world.host("wiki"), name, value);
    }
    browser
        .fetch(&world.host("wiki"), "/cdn-cgi/access/logout", &[])
        .await;
    eventually(&world, &question, 302).await;
}

/// Configuration travels through the feed, which is fast and not instant.
async fn eventually(world: &World, question: &Question, status: u16) {
    for _ in 0..100 {
        if answer(world, Asker::Caddy, question).await.status == status {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", answer(world, Asker::Caddy, question).await);
}

/// Abuse case 31.
#[tokio::test]
async fn who_is_no_known_proxy_gets_no_answer_to_its_question() {
    let world = world().await;
    let wiki = world.authority("wiki");
    let question = Question::about("GET", &wiki, "/public/x");
    for asker in ASKERS {
        let bytes = String::from_utf8(question.asked_by(asker)).unwrap();
        let secret = format!("X-Vestibule-Forward-Auth: {FORWARD_AUTH_SECRET}\r\n");
        assert_eq!(
            ask(bytes.as_bytes(), world.forward_auth()).await.unwrap().status,
            200
        );
        for other in [
            String::new(),
            secret.repeat(2),
            "X-Vestibule-Forward-Auth: the-secret-between-proxy-and-gatewax\r\n".to_owned(),
            "X-Vestibule-Forward-Auth: \r\n".to_owned(),
            format!("{secret}X-Vestibule-Forward-Auth: guess\r\n"),
        ] {
            let reply = ask(bytes.replace(&secret, &other).as_bytes(), world.forward_auth())
                .await
                .unwrap();
            assert_eq!(reply.status, 403, "{asker:?} {other}");
            assert!(reply.body.is_empty());
        }
    }
    // Another address of this machine, which is not among the peers.
    let strangers = World::builder()
        .listen(&format!(
            "forward_auth = {{ address = \"127.0.0.1:0\", peers = [\"127.0.0.2\"], secret = \"{FORWARD_AUTH_SECRET}\" }}"
        ))
        .start()
        .await;
    let reply = answer(&strangers, Asker::Caddy, &question).await;
    assert_eq!(reply.status, 403);
}

/// Abuse case 31.
#[tokio::test]
async fn a_question_with_a_header_missing_or_twice_is_none() {
    let world = world().await;
    let (wiki, secret) = (world.authority("wiki"), FORWARD_AUTH_SECRET);
    let url = format!("http://{wiki}/public/x");
    let nginx = [
        ("X-Original-Method", "GET"),
        ("X-Original-URL", url.as_str()),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    let forwarded = [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", wiki.as_str()),
        ("X-Forwarded-Uri", "/public/x"),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    for (endpoint, lines) in [
        ("/auth/nginx", &nginx[..]),
        ("/auth/nginx/answer", &nginx[..]),
        ("/auth/traefik", &forwarded[..]),
        ("/auth/caddy", &forwarded[..]),
    ] {
        for index in 0..lines.len() {
            let proof = ("X-Vestibule-Forward-Auth", secret);
            let mut fewer = lines.to_vec();
            fewer.remove(index);
            fewer.push(proof);
            let mut more = lines.to_vec();
            more.push(lines[index]);
            more.push(proof);
            for lines in [fewer, more] {
                let reply = ask(&with_lines(endpoint, &lines), world.forward_auth())
                    .await
                    .unwrap();
                assert_eq!(reply.status, 400, "{endpoint} {lines:?}");
            }
        }
    }
}

/// Abuse case 31: our own addresses are the public listener's.
#[tokio::test]
async fn an_address_of_the_gateways_own_is_never_let_in() {
    let world = world().await;
    let alice = cookies(&world, ALICE, "/").await;
    for asker in ASKERS {
        for (host, path) in [
            ("wiki", "/cdn-cgi/access/callback"),
            ("wiki", "/cdn-cgi/access/authorized?nonce=x"),
            ("wiki", "/CDN-CGI/Access/x"),
            ("wiki", "/public/%2e%2e/cdn-cgi/access/callback"),
            ("wiki", "/cdn-cgi%2faccess/callback"),
            ("wiki", "/.well-known/cloudflare-access-protected-resource/"),
            ("login", "/"),
            ("login", "/anything"),
        ] {
            for method in ["GET", "OPTIONS"] {
                let question =
                    Question::about(method, &world.authority(host), path).line(&format!("Cookie: {alice}"));
                let status = answer(&world, asker, &question).await.status;
                assert!(
                    matches!(status, 400 | 403 | 404),
                    "{asker:?} {method} {path}: {status}"
                );
            }
        }
    }
}

/// Abuse case 32.
#[tokio::test]
async fn a_malformed_cookie_is_nobodys_and_no_fault() {
    let world = world().await;
    let garbage = "x".repeat(20 * 1024);
    for asker in ASKERS {
        for cookie in [
            "CF_Authorization=%%%",
            "CF_Authorization==x",
            "CF_Authorization=",
            "=x",
            "CF_Authorization=a.b.c; CF_Authorization=d.e.f",
            "CF_Authorization=eyJhbGciOiJub25lIn0.e30.",
            &format!("CF_Authorization={garbage}"),
            &format!("CF_Authorization={garbage}; CF_Authorization={garbage}"),
        ] {
            let question =
                Question::about("GET", &world.authority("wiki"), "/").line(&format!("Cookie: {cookie}"));
            let reply = answer(&world, asker, &question).await;
            assert!(
                matches!(reply.status, 401 | 302 | 429),
                "{asker:?}: {}",
                reply.status
            );
        }
    }
}

#[tokio::test]
async fn addresses_are_those_that_the_proxy_saw() {
    let mut world = world().await;
    let inside =
        "[{ name = \"inside\", decision = \"bypass\", include = [{ ip = { ip = \"198.51.100.0/24\" } }] }]";
    world.declare(|world| world.wiki_policies(inside)).await;
    let question = Question::about("GET", &world.authority("wiki"), "/");
    eventually(&world, &question.clone().from("198.51.100.7"), 200).await;
    for asker in ASKERS {
        for (address, passes) in [
            ("198.51.100.7", true),
            ("192.0.2.7, 198.51.100.7", true),
            // Our own proxy, which is a peer, stands at the right end.
            ("198.51.100.7, 127.0.0.1", true),
            ("198.51.100.7, 192.0.2.7", false),
            ("198.51.100.7, unknown", false),
            ("unknown", false),
            ("unix:", false),
            ("", false),
        ] {
            let status = answer(&world, asker, &question.clone().from(address))
                .await
                .status;
            assert_eq!(status == 200, passes, "{asker:?} {address}: {status}");
        }
    }
}

#[tokio::test]
async fn a_websocket_of_a_foreign_origin_is_refused_with_or_without_its_upgrade_line() {
    let world = world().await;
    let alice = cookies(&world, ALICE, "/").await;
    let own = format!("http://{}", world.authority("wiki"));
    for asker in ASKERS {
        let question = Question::about("GET", &world.authority("wiki"), "/ws")
            .line(&format!("Cookie: {alice}"))
            .line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
            .line("Sec-WebSocket-Version: 13");
        let foreign = question.clone().line("Origin: https://evil.example");
        assert_eq!(answer(&world, asker, &foreign).await.status, 403, "{asker:?}");
        let whole = foreign.line("Upgrade: websocket").line("Connection: upgrade");
        assert_eq!(answer(&world, asker, &whole).await.status, 403, "{asker:?}");
        let own = question.line(&format!("Origin: {own}"));
        assert_eq!(answer(&world, asker, &own).await.status, 200, "{asker:?}");
    }
}

/// The proxy sends the path on as it came, so nothing may be taken out of it where that makes a difference.
#[tokio::test]
async fn a_path_that_had_to_be_resolved_passes_only_where_all_paths_are_alike() {
    let world = world().await;
    let wiki = cookies(&world, ALICE, "/").await;
    let person = world.signed_in(ALICE, &["other"]).await;
    let other = person.cookie_header(&person.address(&world.host("other"), "/"));
    for asker in ASKERS {
        for path in [
            "/public//../public/x",
            "/a//b",
            "/a/./b",
            "/a/b/.",
            "/public/x/..",
        ] {
            let question = |host: &str, cookie: &str| {
                Question::about("GET", &world.authority(host), path).line(&format!("Cookie: {cookie}"))
            };
            let refused = answer(&world, asker, &question("wiki", &wiki)).await.status;
            let malformed = if asker == Asker::Nginx { 403 } else { 400 };
            assert_eq!(refused, malformed, "{asker:?} {path}");
            assert_eq!(
                answer(&world, asker, &question("other", &other)).await.status,
                200,
                "{asker:?} {path}"
            );
        }
        let plain = Question::about("GET", &world.authority("wiki"), "/a/b%20c/%61/")
            .line(&format!("Cookie: {wiki}"));
        assert_eq!(answer(&world, asker, &plain).await.status, 200, "{asker:?}");
    }
}

#[tokio::test]
async fn nginx_gets_the_answer_for_the_person_where_it_asks_for_it() {
    let world = world().await;
    let alice = cookies(&world, ALICE, "/").await;
    let mut mallory = world.person(MALLORY);
    assert_eq!(mallory.open(&world.host("wiki"), "/").await.status(), 403);
    let at = world.forward_auth();
    let wiki = world.authority("wiki");
    let ask_for_answer = async |question: &Question| {
        let bytes = String::from_utf8(question.asked_by(Asker::Nginx)).unwrap();
        ask(
            bytes.replace("/auth/nginx ", "/auth/nginx/answer ").as_bytes(),
            at,
        )
        .await
        .unwrap()
    };
    let nobody = ask_for_answer(&Question::about("GET", &wiki, "/x")).await;
    assert_eq!(nobody.status, 302);
    assert!(nobody.header("set-cookie").unwrap().starts_with("CF_AppSession="));
    let odd = ask_for_answer(&Question::about("GET", &wiki, "/public/%00")).await;
    assert_eq!(odd.status, 400);
    assert!(odd.text().contains("<html"), "{}", odd.text());
    // It was refused by nginx and not by us.
    let passes = Question::about("GET", &wiki, "/x").line(&format!("Cookie: {alice}"));
    let reply = ask_for_answer(&passes).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("cf-access-jwt-assertion"), None);
}

#[tokio::test]
async fn the_other_listeners_know_no_such_endpoint_and_this_one_nothing_else() {
    let world = world().await;
    let question = Question::about("GET", &world.authority("wiki"), "/public/x");
    for asker in ASKERS {
        let reply = ask(&question.asked_by(asker), world.dial().address)
            .await
            .unwrap();
        assert_ne!(reply.status, 200, "{asker:?}");
    }
    let adam = cookies(&world, ADAM, "/").await;
    for path in [
        "/",
        "/auth",
        "/auth/nginx/",
        "/auth/apache",
        "/cdn-cgi/access/certs",
        "/metrics",
        "/livez",
    ] {
        let lines = [
            ("X-Vestibule-Forward-Auth", FORWARD_AUTH_SECRET),
            ("Cookie", adam.as_str()),
        ];
        let reply = ask(&with_lines(path, &lines), world.forward_auth())
            .await
            .unwrap();
        assert_eq!(reply.status, 404, "{path}");
    }
}

/// A proxy that asks passes the client's headers on: only those of its dialect are its own word.
#[tokio::test]
async fn a_country_in_a_header_is_the_clients_word_here() {
    let world = World::builder()
        .listen(&format!(
            "trusted_proxies = [\"127.0.0.1/32\"]\nforward_auth = {{ address = \"127.0.0.1:0\", peers = [\"127.0.0.1/32\"], secret = \"{FORWARD_AUTH_SECRET}\" }}"
        ))
        .more("[geo]\ncountry_header = \"CF-IPCountry\"\n")
        .start()
        .await;
    let trusted = [("CF-IPCountry", "DE"), ("X-Forwarded-For", "192.0.2.7")];
    let here = "/public/country-told-to-the-gateway";
    world.anonymous().fetch(&world.host("wiki"), here, &trusted).await;
    assert_eq!(
        log::answered(here)[0]["client.country"],
        "DE",
        "the public listener believes it"
    );
    for asker in ASKERS {
        let there = format!("/public/country-told-to-{asker:?}");
        let question = Question::about("GET", &world.authority("wiki"), &there).line("CF-IPCountry: DE");
        assert_eq!(answer(&world, asker, &question).await.status, 200);
        let lines = log::answered(&there);
        assert_eq!(lines[0]["client.address"], "192.0.2.7", "{asker:?}");
        assert!(lines[0]["client.country"].is_null(), "{asker:?}: {lines:?}");
    }
}

/// Within one application paths may differ too.
#[tokio::test]
async fn a_path_that_had_to_be_resolved_does_not_pass_where_some_paths_are_public() {
    let mut world = world().await;
    let open = "[[applications]]\nname = \"Shop\"\ndomain = \"www.localhost\"\npolicies = [\"staff\"]\n\
                destinations = [{ uri = \"www.localhost\", overrides = [{ behavior = \"public\", path_pattern = \"/health/*\" }] }]\n";
    world.declare(|world| world.more(open)).await;
    let www = world.authority("www");
    eventually(&world, &Question::about("GET", &www, "/health/x"), 200).await;
    for path in ["/orders//../health/x", "//health/x", "/orders/../health/x"] {
        for asker in ASKERS {
            let status = answer(&world, asker, &Question::about("GET", &www, path))
                .await
                .status;
            assert!(matches!(status, 400 | 403), "{asker:?} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn a_token_past_its_end_is_replaced_with_the_answer() {
    let listen = format!(
        "forward_auth = {{ address = \"127.0.0.1:0\", peers = [\"127.0.0.1/32\"], secret = \"{FORWARD_AUTH_SECRET}\" }}"
    );
    let world = World::builder()
        .listen(&listen)
        .wiki("session_duration = \"1h\"")
        .start()
        .await;
    let old = cookies(&world, ALICE, "/").await;
    world.pass(jiff::SignedDuration::from_hours(3));
    let question =
        Question::about("GET", &world.authority("wiki"), "/").line(&format!("Cookie: {old}; own=1"));
    for asker in ASKERS {
        let reply = answer(&world, asker, &question).await;
        assert_eq!(reply.status, 200, "{asker:?}");
        let assertion = reply.header("cf-access-jwt-assertion").unwrap();
        let set: Vec<&str> = reply.all("set-cookie").collect();
        assert!(
            matches!(set.as_slice(), [one] if one.starts_with(&format!("CF_Authorization={assertion};"))),
            "{set:?}"
        );
        assert!(!old.contains(assertion), "a new token");
        assert_eq!(
            reply.header("cookie"),
            Some("own=1"),
            "{asker:?}: the old token goes nowhere"
        );
    }
}
