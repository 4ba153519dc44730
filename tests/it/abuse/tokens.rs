//! Tokens and cookies that are not what they claim to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use vestibule::session::keys::{KeyMaterial, Signer};

use crate::support::person::Person;
use crate::support::tenant::{ADAM, ALICE};
use crate::support::world::World;

const COOKIE: &str = "CF_Authorization";

/// The claims of a token.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub(crate) fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Claims with some replaced; a null takes one out.
pub(crate) fn with(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// Signs with the gateway's own key, as nobody outside can.
pub(crate) async fn signed_by_us(world: &World, claims: &Value) -> String {
    let running = world.running();
    let signer = Signer::new();
    let rows = running.store.signing_keys().await.unwrap();
    signer
        .take_up(&rows, &running.sealer, running.clock.now_ms())
        .unwrap();
    signer.sign(claims).await.unwrap()
}

/// A browser that shows this token to *Wiki* is asked to sign in, and nothing reaches the upstream.
async fn opens_nothing(world: &World, token: &str, why: &str) {
    let hits = world.origin.hits();
    let host = world.host("wiki");
    for header in [
        ("Cookie", format!("{COOKIE}={token}")),
        ("cf-access-token", token.to_owned()),
    ] {
        let reply = world
            .anonymous()
            .fetch(&host, "/x", &[(header.0, &header.1)])
            .await;
        assert_eq!(reply.status, 302, "{why} in {}: {}", header.0, reply.text());
        assert!(
            reply
                .header("location")
                .unwrap()
                .contains("/cdn-cgi/access/login/"),
            "{why}"
        );
    }
    assert_eq!(world.origin.hits(), hits, "{why}");
}

/// How a token with a header of the attacker's choice is signed.
enum Signed {
    /// With nothing.
    Not,
    /// With the signature of the genuine token.
    AsBefore,
    /// With a key of the attacker's own.
    ByAttacker,
    /// As HS256 with this text, which everybody can read, as the secret.
    With(String),
}

#[tokio::test]
async fn forged_tokens_are_asked_to_sign_in() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let token = alice.cookie(&world.host("wiki"), COOKIE).unwrap();
    let kid = part(&token, 0)["kid"].clone();
    // Whoever fetches what a token names is caught here.
    let canary = Canary::start().await;
    let attacker = KeyMaterial::generate(world.clock.now_ms()).unwrap();
    let certs = world
        .anonymous()
        .fetch(&world.host("login"), "/cdn-cgi/access/certs", &[])
        .await;
    let certs: Value = serde_json::from_slice(&certs.body).unwrap();
    let modulus = certs["keys"][0]["n"].as_str().unwrap().to_owned();
    let certificate = certs["public_cert"]["cert"].as_str().unwrap().to_owned();
    let own = attacker.kid.as_str();
    let headers = [
        (json!({"alg": "none", "kid": kid, "typ": "JWT"}), Signed::Not),
        (json!({"alg": "None", "kid": kid, "typ": "JWT"}), Signed::Not),
        (json!({"alg": "RS256", "kid": kid, "typ": "JWT"}), Signed::Not),
        (
            json!({"alg": "HS256", "kid": kid, "typ": "JWT"}),
            Signed::With(modulus),
        ),
        (
            json!({"alg": "HS256", "kid": kid, "typ": "JWT"}),
            Signed::With(certificate),
        ),
        (
            json!({"alg": "ES256", "kid": kid, "typ": "JWT"}),
            Signed::AsBefore,
        ),
        (
            json!({"alg": "RS256", "kid": "../../etc/passwd", "typ": "JWT"}),
            Signed::ByAttacker,
        ),
        (
            json!({"alg": "RS256", "kid": own, "typ": "JWT"}),
            Signed::ByAttacker,
        ),
        (
            json!({"alg": "RS256", "kid": kid, "typ": "JWT"}),
            Signed::ByAttacker,
        ),
        (
            json!({"alg": "RS256", "jwk": attacker.public_jwk, "typ": "JWT"}),
            Signed::ByAttacker,
        ),
        (
            json!({"alg": "RS256", "kid": own, "jku": canary.address, "typ": "JWT"}),
            Signed::ByAttacker,
        ),
        (
            json!({"alg": "RS256", "kid": own, "x5u": canary.address, "typ": "JWT"}),
            Signed::ByAttacker,
        ),
        (
            json!({"alg": "RS256", "kid": kid, "typ": "JWT", "crit": ["x"], "x": 1}),
            Signed::AsBefore,
        ),
    ];
    for (header, signed) in headers {
        let forged = forge(&token, &header, &signed, &attacker);
        opens_nothing(&world, &forged, &header.to_string()).await;
    }
    let bomb = encode(&json!({"alg": "dir", "enc": "A128GCM", "zip": "DEF"}));
    let slow = encode(&json!({"alg": "PBES2-HS256+A128KW", "p2c": 2_147_483_648_u64}));
    let unsigned = token.rsplit_once('.').unwrap().0;
    for forged in [
        format!("{bomb}.a.b.c.d"),
        format!("{slow}.a.b.c.d"),
        unsigned.to_owned(),
        format!("{token}{}", "a".repeat(8_000)),
    ] {
        opens_nothing(&world, &forged, "what is no token").await;
    }
    assert_eq!(
        canary.visits.load(Ordering::SeqCst),
        0,
        "an address in a token was fetched"
    );
}

/// The token with another header.
fn forge(token: &str, header: &Value, signed: &Signed, attacker: &KeyMaterial) -> String {
    let mut parts = token.split('.').skip(1);
    let message = format!("{}.{}", encode(header), parts.next().unwrap());
    let sign = |key: &EncodingKey, algorithm| {
        jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap()
    };
    let signature = match signed {
        Signed::Not => String::new(),
        Signed::AsBefore => parts.next().unwrap().to_owned(),
        Signed::ByAttacker => {
            let pem = attacker.private_pem.expose_secret().as_bytes();
            sign(&EncodingKey::from_rsa_pem(pem).unwrap(), Algorithm::RS256)
        }
        Signed::With(secret) => sign(&EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256),
    };
    format!("{message}.{signature}")
}

#[tokio::test]
async fn tokens_of_ours_with_other_claims_are_asked_to_sign_in() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki", "other"]).await;
    let ours = claims(&alice.cookie(&world.host("wiki"), COOKIE).unwrap());
    let control = signed_by_us(&world, &ours).await;
    let cookie = format!("{COOKIE}={control}");
    let reply = world
        .anonymous()
        .fetch(&world.host("wiki"), "/x", &[("Cookie", &cookie)])
        .await;
    assert_eq!(
        reply.status, 200,
        "the same claims under the same key are the same token"
    );

    let other = claims(&alice.cookie(&world.host("other"), COOKIE).unwrap());
    let now = world.clock.now_seconds();
    for changes in [
        json!({"aud": other["aud"]}),
        json!({"type": "org"}),
        json!({"type": null}),
        json!({"iss": "https://another.cloudflareaccess.com"}),
        json!({"iss": null}),
        json!({"exp": 1e300}),
        json!({"exp": "9999999999"}),
        json!({"exp": -1}),
        json!({"exp": null}),
        // Within 31 days of its end it would be renewed, because its session lives.
        json!({"exp": now - 32 * 86_400}),
        json!({"nbf": now + 3_600}),
        json!({"aud": ours["aud"][0]}),
        json!({"aud": []}),
        json!({"aud": [ours["aud"][0], other["aud"][0]]}),
        json!({"aud": null}),
        json!({"identity_nonce": null}),
        json!({"identity_nonce": "AAAAAAAAAAAAAAAA"}),
    ] {
        let token = signed_by_us(&world, &with(&ours, &changes)).await;
        opens_nothing(&world, &token, &changes.to_string()).await;
    }
}

#[tokio::test]
async fn a_token_opens_the_application_it_was_made_for_and_no_other() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki", "other"]).await;
    let (wiki, other, login) = (world.host("wiki"), world.host("other"), world.host("login"));
    let tokens = [
        alice.cookie(&wiki, COOKIE).unwrap(),
        alice.cookie(&other, COOKIE).unwrap(),
    ];
    let organization = alice.cookie(&login, COOKIE).unwrap();
    // Both orders: what is warm on one application is cold on the other, and the other way round.
    for (host, right, wrong) in [(&wiki, &tokens[0], &tokens[1]), (&other, &tokens[1], &tokens[0])] {
        for (token, status) in [
            (wrong, 302),
            (&organization, 302),
            (right, 200),
            (wrong, 302),
            (&organization, 302),
        ] {
            let cookie = format!("{COOKIE}={token}");
            let reply = world.anonymous().fetch(host, "/x", &[("Cookie", &cookie)]).await;
            assert_eq!(reply.status, status, "{host}");
        }
    }
    // An application's token is no organization token: the login page asks Entra.
    let mut thief = world.person(ADAM);
    thief.plant(&login, COOKIE, &tokens[0]);
    assert!(thief.open(&other, "/x").await.asked_entra());
}

#[tokio::test]
async fn two_sessions_in_one_request_are_no_session() {
    let world = World::start().await;
    let wiki = world.host("wiki");
    let alice = world
        .signed_in(ALICE, &["wiki"])
        .await
        .cookie(&wiki, COOKIE)
        .unwrap();
    let adam = world
        .signed_in(ADAM, &["wiki"])
        .await
        .cookie(&wiki, COOKIE)
        .unwrap();
    for (first, second) in [(&alice, &adam), (&adam, &alice)] {
        let cookie = format!("{COOKIE}={first}; {COOKIE}={second}");
        let reply = world.anonymous().fetch(&wiki, "/x", &[("Cookie", &cookie)]).await;
        assert_eq!(reply.status, 302);
    }
    // One that is worth nothing does not spoil the one that is.
    let cookie = format!("{COOKIE}=planted; {COOKIE}={alice}");
    assert_eq!(
        world
            .anonymous()
            .fetch(&wiki, "/x", &[("Cookie", &cookie)])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn cookies_of_the_application_pass_in_order_and_ours_do_not() {
    let world = World::start().await;
    let wiki = world.host("wiki");
    let token = world
        .signed_in(ALICE, &["wiki"])
        .await
        .cookie(&wiki, COOKIE)
        .unwrap();
    let cookie = format!(
        "a=1; CF_AppSession=s; {COOKIE}=planted; CF_Session=s; b=2; {COOKIE}={token}; CF_Binding=s; c=3; __Host-CF_Session=s"
    );
    let reply = world
        .anonymous()
        .fetch(
            &wiki,
            "/x",
            &[("Cookie", &cookie), ("CF-Access-Client-Secret", "s")],
        )
        .await;
    assert_eq!(reply.status, 200);
    let seen = world.origin.last();
    let sent: Vec<&str> = seen.header("cookie").unwrap().split("; ").collect();
    let own: Vec<&str> = sent
        .iter()
        .copied()
        .filter(|cookie| !cookie.starts_with(COOKIE))
        .collect();
    assert_eq!(own, ["a=1", "b=2", "c=3"]);
    let tokens: Vec<&str> = sent
        .iter()
        .copied()
        .filter(|cookie| cookie.starts_with(COOKIE))
        .collect();
    assert_eq!(tokens, [format!("{COOKIE}={token}")]);
    assert_eq!(seen.header("cf-access-client-secret"), None);
    assert_eq!(seen.header("cf-access-jwt-assertion"), Some(token.as_str()));
}

#[tokio::test]
async fn an_upstream_cannot_set_our_cookies() {
    let world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let reply = alice.fetch(&world.host("wiki"), "/cookies", &[]).await;
    assert_eq!(reply.all("set-cookie").collect::<Vec<_>>(), ["own=1; Path=/"]);
}

#[tokio::test]
async fn planted_cookies_are_worth_nothing_after_a_login() {
    let world = World::start().await;
    let (wiki, login) = (world.host("wiki"), world.host("login"));
    let mut alice = world.person(ALICE);
    alice.plant(&wiki, COOKIE, "planted");
    alice.plant(&wiki, "CF_AppSession", "planted");
    alice.plant(&login, COOKIE, "planted");
    alice.plant(&login, "CF_Session", "planted");
    assert_eq!(alice.open(&wiki, "/x").await.status(), 200);
    for (host, name) in [
        (&wiki, COOKIE),
        (&wiki, "CF_AppSession"),
        (&login, COOKIE),
        (&login, "CF_Session"),
    ] {
        assert_ne!(
            alice.cookie(host, name).as_deref(),
            Some("planted"),
            "{name} of {host}"
        );
    }
}

#[tokio::test]
async fn what_is_to_be_seen_in_tokens_and_urls_opens_nothing() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let wiki = world.host("wiki");
    let claims = claims(&alice.cookie(&wiki, COOKIE).unwrap());
    let visible = [
        claims["identity_nonce"].as_str().unwrap().to_owned(),
        claims["sub"].as_str().unwrap().to_owned(),
        claims["aud"][0].as_str().unwrap().to_owned(),
        alice.cookie(&wiki, "CF_AppSession").unwrap(),
        alice.cookie(&world.host("login"), "CF_Session").unwrap(),
    ];
    for value in visible {
        opens_nothing(&world, &value, "a visible identifier").await;
    }
}

#[tokio::test]
async fn applications_find_every_key_that_signs_under_certs() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let assertion = alice.cookie(&world.host("wiki"), COOKIE).unwrap();
    for host in ["login", "wiki"] {
        let reply = world
            .anonymous()
            .fetch(&world.host(host), "/cdn-cgi/access/certs", &[])
            .await;
        let certs: Value = serde_json::from_slice(&reply.body).unwrap();
        let keys = certs["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2, "the one that signs and the one that will");
        let kid = &part(&assertion, 0)["kid"];
        let key = keys
            .iter()
            .find(|key| key["kid"] == *kid)
            .expect("the key that signed");
        let key = jsonwebtoken::DecodingKey::from_rsa_components(
            key["n"].as_str().unwrap(),
            key["e"].as_str().unwrap(),
        )
        .unwrap();
        // What Access's documentation tells applications to check.
        let claims = claims(&assertion);
        let mut checks = jsonwebtoken::Validation::new(Algorithm::RS256);
        checks.set_audience(&[claims["aud"][0].as_str().unwrap()]);
        checks.set_issuer(&[format!("http://{}", world.authority("login"))]);
        jsonwebtoken::decode::<Value>(&assertion, &key, &checks).unwrap();
    }
}

#[tokio::test]
async fn claims_of_the_provider_never_replace_ours() {
    let claimed =
        json!({"aud": "x", "exp": 1, "type": "org", "sub": "x", "identity_nonce": "x", "department": "R&D"});
    let (world, alice) = signed_in_with(&claimed).await;
    let token = claims(&alice.cookie(&world.host("wiki"), COOKIE).unwrap());
    assert_eq!(token["type"], "app");
    assert_eq!(token["email"], ALICE);
    assert_ne!(token["sub"], "x");
    assert_eq!(token["custom"]["department"], "R&D");
}

#[tokio::test]
async fn claims_with_line_breaks_and_odd_letters_stay_in_the_token() {
    let department = "a\r\nX-Admin: 1 \u{1f511} a,b|c";
    let (world, alice) = signed_in_with(&json!({"name": "A\r\nX-Admin: 1", "department": department})).await;
    let token = claims(&alice.cookie(&world.host("wiki"), COOKIE).unwrap());
    assert_eq!(token["custom"]["department"], department);
    let seen = world.origin.last();
    assert_eq!(seen.header("x-admin"), None, "{}", seen.head);
    // What does not fit is left out, not cut: the cookie stays below what browsers keep.
    let (world, alice) = signed_in_with(&json!({"department": "x".repeat(20_000)})).await;
    let token = alice.cookie(&world.host("wiki"), COOKIE).unwrap();
    assert!(token.len() < 3_500 && claims(&token).pointer("/custom/department").is_none());
}

/// Alice, signed in with further claims in the ID token, of which `department` is to be copied.
async fn signed_in_with(claimed: &Value) -> (World, Person) {
    let world = World::builder()
        .provider("claims = [\"department\"]")
        .start()
        .await;
    let mut claimed = claimed.clone();
    // What the checks of the ID token itself rest on stays.
    for checked in ["aud", "exp", "sub"] {
        claimed.as_object_mut().unwrap().remove(checked);
    }
    world
        .entra
        .fail_next(mock_entra::Fault::IdToken(mock_entra::IdTokenFault::extra(
            claimed,
        )));
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    (world, alice)
}

/// Counts who connects.
struct Canary {
    address: String,
    visits: Arc<AtomicUsize>,
}

impl Canary {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}/keys", listener.local_addr().unwrap());
        let visits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visits);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, visits }
    }
}
