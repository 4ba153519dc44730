//! How a client that is no browser learns which application it speaks to, and how it is told to sign in.

use serde_json::Value;

use super::aud;
use super::cloudflared::{AppInfo, Cloudflared, unverified};
use crate::support::origin::MARK;
use crate::support::tenant::ALICE;
use crate::support::world::World;

const ASKS: (&str, &str) = ("cf-access-metadata-request", "true");

#[tokio::test]
async fn both_generations_find_the_application() {
    let world = World::start().await;
    let cloudflared = Cloudflared::of(&world);
    let wiki = cloudflared.address(&world.host("wiki"), "/deep?x=1");
    let auth = world.authority("login");
    let found = AppInfo {
        auth_domain: auth.clone(),
        aud: aud(&world, "Wiki"),
        app_hostname: world.host("wiki"),
    };
    assert_eq!(cloudflared.app_info(&wiki).await, Ok(found));
    // The older one goes by host names alone.
    let older = cloudflared.older_app_info(&wiki).await.unwrap();
    assert_eq!(older.auth_domain, world.host("login"));
    assert_eq!(
        (older.aud, older.app_hostname),
        (aud(&world, "Wiki"), world.host("wiki"))
    );
    // The most specific application counts.
    let admin = cloudflared.address(&world.host("wiki"), "/admin/x");
    let found = cloudflared.app_info(&admin).await.unwrap();
    assert_eq!(found.aud, aud(&world, "Administration"));
    assert_eq!(found.app_hostname, format!("{}/admin", world.host("wiki")));
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn on_tls_the_auth_domain_is_the_host_that_tokens_name() {
    let world = World::builder().tls().start().await;
    let cloudflared = Cloudflared::of(&world);
    let wiki = cloudflared.address(&world.host("wiki"), "/");
    let found = cloudflared.app_info(&wiki).await.unwrap();
    assert_eq!(found.auth_domain, world.authority("login"));
}

#[tokio::test]
async fn the_metadata_is_signed_once_for_many_who_ask() {
    let world = World::builder()
        .more("[[applications]]\nname = \"All\"\ndomain = \"*.all.localhost\"\npolicies = [\"staff\"]\n")
        .start()
        .await;
    let cloudflared = Cloudflared::of(&world);
    let ask = async |host: &str, path: &str| {
        let url = cloudflared.address(host, path);
        let reply = cloudflared.send("HEAD", &url, &[ASKS]).await;
        assert_eq!(reply.status, 200);
        reply.header("cf-access-metadata").unwrap().to_owned()
    };
    let first = ask("a.all.localhost", "/").await;
    assert_eq!(ask("a.all.localhost", "/another?path").await, first);
    let claims = unverified(&first);
    assert_eq!(claims["app_hostname"], "*.all.localhost");
    assert_eq!(claims["hostname"], "a.all.localhost");
    assert_ne!(ask("b.all.localhost", "/").await, first);
    world.pass(jiff::SignedDuration::from_mins(11));
    assert_ne!(ask("a.all.localhost", "/").await, first);
}

/// Whoever names host after host makes a signature each time, and is told to wait.
#[tokio::test]
async fn asking_about_host_after_host_is_slowed_down() {
    let world = World::builder()
        .more("[[applications]]\nname = \"All\"\ndomain = \"*.all.localhost\"\npolicies = [\"staff\"]\n")
        .start()
        .await;
    let cloudflared = Cloudflared::of(&world);
    let mut statuses = Vec::new();
    for number in 0..70 {
        let url = cloudflared.address(&format!("h{number}.all.localhost"), "/");
        statuses.push(cloudflared.send("HEAD", &url, &[ASKS]).await.status);
    }
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[69], 429, "{statuses:?}");
    // What was signed before is still given out.
    let known = cloudflared.address("h0.all.localhost", "/");
    assert_eq!(cloudflared.send("HEAD", &known, &[ASKS]).await.status, 200);
}

#[tokio::test]
async fn nothing_is_told_of_what_everybody_may_open_and_of_what_is_not_there() {
    let world = World::start().await;
    let cloudflared = Cloudflared::of(&world);
    let public = cloudflared.address(&world.host("wiki"), "/public/x");
    let reply = cloudflared.send("HEAD", &public, &[ASKS]).await;
    assert_eq!((reply.status, reply.header("cf-access-metadata")), (200, None));
    // It went to the application, which is not told what was asked.
    assert!(world.origin.last().header(ASKS.0).is_none());
    let elsewhere = cloudflared.address("nowhere.localhost", "/");
    assert_eq!(cloudflared.send("HEAD", &elsewhere, &[ASKS]).await.status, 404);
    // GET is a request for the page, whatever else it says.
    let wiki = cloudflared.address(&world.host("wiki"), "/");
    let reply = cloudflared.send("GET", &wiki, &[ASKS]).await;
    assert_eq!((reply.status, reply.header("cf-access-metadata")), (302, None));
}

#[tokio::test]
async fn refusals_name_the_application_too() {
    let world = World::builder()
        .wiki_policies("[{ name = \"elsewhere\", decision = \"bypass\", include = [{ ip = { ip = \"203.0.113.0/24\" } }] }]")
        .start()
        .await;
    let cloudflared = Cloudflared::of(&world);
    let wiki = cloudflared.address(&world.host("wiki"), "/");
    let reply = cloudflared.send("HEAD", &wiki, &[]).await;
    assert_eq!(reply.status, 403);
    let info = cloudflared.older_app_info(&wiki).await.unwrap();
    assert_eq!(
        (info.aud, info.app_hostname),
        (aud(&world, "Wiki"), world.host("wiki"))
    );
}

/// Where the application asks for it, scripts and programs get 401 with JSON instead of a redirect.
#[tokio::test]
async fn scripts_and_programs_get_401_where_the_application_says_so() {
    let fetch = ("Sec-Fetch-Mode", "cors");
    let image = ("Sec-Fetch-Mode", "no-cors");
    let page = ("Sec-Fetch-Mode", "navigate");
    let ask = async |world: &World, header: (&str, &str)| {
        let cloudflared = Cloudflared::of(world);
        let wiki = cloudflared.address(&world.host("wiki"), "/api/things");
        cloudflared.send("GET", &wiki, &[header]).await
    };
    let world = World::builder().wiki("unauthenticated_401 = true").start().await;
    for header in [fetch, image, ("Accept", "application/json"), ("Accept", "*/*")] {
        let reply = ask(&world, header).await;
        assert_eq!(reply.status, 401, "{header:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["error"], "sign_in_required");
        let resource = format!(
            "Cloudflare-Access resource_metadata=\"{}://{}/.well-known/cloudflare-access-protected-resource/api/things\"",
            world.scheme(),
            world.authority("wiki")
        );
        assert_eq!(reply.header("www-authenticate"), Some(resource.as_str()));
        assert_eq!(reply.header("cf-access-aud"), Some(aud(&world, "Wiki").as_str()));
        assert_eq!(
            reply.header("cf-access-domain"),
            Some(world.host("wiki").as_str())
        );
        assert!(!reply.text().contains(MARK));
    }
    for header in [page, ("Accept", "text/html,*/*"), ("X-Nothing", "said")] {
        assert_eq!(ask(&world, header).await.status, 302, "{header:?}");
    }
    let silent = World::start().await;
    for header in [fetch, image, ("Accept", "application/json")] {
        assert_eq!(ask(&silent, header).await.status, 302, "{header:?}");
    }
}

#[tokio::test]
async fn a_token_is_checked_without_the_application() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki"]).await;
    let token = alice.cookie(&world.host("wiki"), "CF_Authorization").unwrap();
    let cloudflared = Cloudflared::of(&world);
    let wiki = cloudflared.address(&world.host("wiki"), "/deep?x=1");
    let hits = world.origin.hits();
    assert!(cloudflared.token_is_valid(&wiki, &token).await);
    assert!(!cloudflared.token_is_valid(&wiki, "no.token.atall").await);
    // For another application it is none.
    let other = cloudflared.address(&world.host("other"), "/");
    assert!(!cloudflared.token_is_valid(&other, &token).await);
    assert_eq!(world.origin.hits(), hits);
    // Any other query is the application's.
    let url = cloudflared.address(&world.host("wiki"), "/?cloudflared_token_check=maybe");
    let reply = cloudflared
        .send("GET", &url, &[("cf-access-token", &token)])
        .await;
    assert!(reply.text().contains(MARK));
}

/// RFC 9728, beside the document that Access has.
#[tokio::test]
async fn a_resource_is_described_as_rfc_9728_asks() {
    let world = World::start().await;
    let cloudflared = Cloudflared::of(&world);
    let origin = format!("{}://{}", world.scheme(), world.authority("wiki"));
    for path in ["", "/deep/path"] {
        let url = cloudflared.address(
            &world.host("wiki"),
            &format!("/.well-known/oauth-protected-resource{path}"),
        );
        let reply = cloudflared.send("GET", &url, &[]).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        let document: Value = serde_json::from_slice(&reply.body).unwrap();
        // §3.3: the very identifier that the address was made from.
        assert_eq!(document["resource"], format!("{origin}{path}"));
        assert_eq!(document["bearer_methods_supported"], serde_json::json!([]));
        assert!(document.get("authorization_servers").is_none(), "{document}");
        let other = document["cloudflare_access_metadata"].as_str().unwrap();
        let other = cloudflared.send("GET", &other.parse().unwrap(), &[]).await;
        let other: Value = serde_json::from_slice(&other.body).unwrap();
        assert_eq!(other["resource"], format!("{origin}{path}"));
    }
    assert_eq!(world.origin.hits(), 0);
    // What is open to everybody describes itself.
    let url = cloudflared.address(&world.host("login"), "/.well-known/oauth-protected-resource");
    assert_eq!(cloudflared.send("GET", &url, &[]).await.status, 404);
}

#[tokio::test]
async fn an_open_application_may_have_a_document_of_its_own() {
    let world = World::builder()
        .more("[[applications]]\nname = \"Document\"\ndomain = \"other.localhost/.well-known/oauth-protected-resource\"\npolicies = [{ name = \"open\", decision = \"bypass\", include = [{ everyone = {} }] }]\n")
        .start()
        .await;
    let cloudflared = Cloudflared::of(&world);
    let url = cloudflared.address(&world.host("other"), "/.well-known/oauth-protected-resource/x");
    let reply = cloudflared.send("GET", &url, &[]).await;
    assert!(reply.text().contains(MARK), "{}", reply.text());
}
