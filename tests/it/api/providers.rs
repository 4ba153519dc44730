//! Identity providers: the requests of Cloudflare's page on Entra ID, word for word.

use serde_json::{Value, json};

use super::{call, id, made, world};
use crate::support::{tenant, world::World};

/// The secret that is sent, and must never come back.
const SECRET: &str = "Zx8Q~the-secret-of-the-example-registration";

fn example() -> Value {
    json!({
        "name": "Entra ID example",
        "type": "azureAD",
        "config": {
            "client_id": "3b5f2c9e-5d0f-4c0e-9c1c-1a2b3c4d5e6f",
            "client_secret": SECRET,
            "directory_id": tenant::TENANT,
            "support_groups": true,
        },
    })
}

/// As the page says: make it, get it, copy the answer, put it back with `prompt`.
#[tokio::test]
async fn the_page_of_cloudflare_on_entra_id_works_as_it_stands() {
    let world = world().await;
    let made = made(&world, "/access/identity_providers", example()).await;
    assert_eq!(made["uid"], made["id"]);
    assert_eq!(made["config"]["support_groups"], true);
    let callback = format!("http://{}/cdn-cgi/access/callback", world.authority("login"));
    assert_eq!(made["config"]["redirect_url"], callback);
    let path = format!("/access/identity_providers/{}", id(&made));

    let mut copied = call(&world, "GET", &path, None).await.result(200);
    assert_eq!(copied, made);
    copied["config"]["prompt"] = json!("login");
    let put = call(&world, "PUT", &path, Some(&copied)).await.result(200);
    assert_eq!(put["config"]["prompt"], "login");
    assert_ne!(put["version"], made["version"]);

    // The secret is still the one that was sent first: it can be opened, and stands in no answer.
    let document = world
        .store()
        .await
        .document(
            vestibule::store::Kind::IdentityProvider,
            id(&made).parse().unwrap(),
        )
        .await
        .unwrap()
        .unwrap();
    assert!(document.secrets.is_some());
    assert!(world.running().published.load().faults.is_empty());
    for answer in [
        &made,
        &put,
        &copied,
        &call(&world, "GET", "/access/identity_providers", None).await.body,
    ] {
        assert!(!answer.to_string().contains(SECRET));
    }
    call(&world, "DELETE", &path, None).await.result(202);
    assert_eq!(call(&world, "GET", &path, None).await.status, 404);
}

#[tokio::test]
async fn a_provider_of_the_api_signs_people_in() {
    let mut world = World::builder().more(&super::tokens()).start().await;
    world.declare(|builder| builder).await;
    let mut body = example();
    body["name"] = json!("By API");
    body["config"] = json!({
        "client_id": tenant::CLIENT, "client_secret": tenant::SECRET, "directory_id": tenant::TENANT,
        "support_groups": true, "azure_cloud": "mock",
    });
    let provider = made(&world, "/access/identity_providers", body).await;
    let application = json!({
        "name": "Third", "type": "self_hosted", "domain": world.host("third"), "allowed_idps": [id(&provider)],
        "policies": [{ "name": "alice", "decision": "allow", "include": [{ "email": { "email": "alice@contoso.example" } }] }],
    });
    made(&world, "/access/apps", application).await;
    let mut alice = world.person("alice@contoso.example");
    let arrival = alice.open(&world.host("third"), "/deep").await;
    // No upstream serves it: the decision has fallen, and she was let in.
    assert_eq!(arrival.status(), 502, "{}", arrival.text());
    let mut bob = world.person("adam@contoso.example");
    assert_eq!(bob.open(&world.host("third"), "/deep").await.status(), 403);
}

#[tokio::test]
async fn what_is_not_known_or_not_done_is_refused_by_its_place() {
    let world = world().await;
    for (pointer, value, wanted) in [
        ("/config/clientid", json!("x"), "/config/clientid"),
        ("/config/prompt", json!("always"), "/config/prompt"),
        ("/config/directory_id", json!("common"), "/config/directory_id"),
        (
            "/config/federated_token_file",
            json!("/etc/passwd"),
            "/config/federated_token_file",
        ),
        ("/type", json!("okta"), "/type"),
        ("/name", json!(""), "/name"),
    ] {
        let mut body = example();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key] = value;
        let answer = call(&world, "POST", "/access/identity_providers", Some(&body)).await;
        let (code, _, place) = answer.error(400);
        assert_eq!((code, place.as_deref()), (12130, Some(wanted)), "{}", answer.body);
    }
    let mut body = example();
    body["colour"] = json!("blue");
    let answer = call(&world, "POST", "/access/identity_providers", Some(&body)).await;
    assert!(
        answer.body["messages"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("/colour")
    );
    assert_eq!(answer.result(201)["colour"], "blue");
}

#[tokio::test]
async fn what_the_file_declares_is_read_only() {
    let world = world().await;
    let all = call(&world, "GET", "/access/identity_providers", None)
        .await
        .result(200);
    let declared = &all[0];
    assert_eq!(declared["read_only"], true);
    let path = format!("/access/identity_providers/{}", id(declared));
    for (method, body) in [("PUT", Some(declared)), ("DELETE", None)] {
        let answer = call(&world, method, &path, body).await;
        let (code, message, _) = answer.error(409);
        assert_eq!(code, 12132);
        assert!(message.contains("configuration file"), "{message}");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
}

#[tokio::test]
async fn a_provider_in_use_stays_and_who_uses_it_is_named() {
    let world = world().await;
    let provider = made(&world, "/access/identity_providers", example()).await;
    let application = json!({
        "name": "Third", "type": "self_hosted", "domain": world.host("third"), "allowed_idps": [id(&provider)],
    });
    let application = made(&world, "/access/apps", application).await;
    let path = format!("/access/identity_providers/{}", id(&provider));
    let answer = call(&world, "DELETE", &path, None).await;
    assert!(
        answer.error(409).1.contains("application \"Third\""),
        "{}",
        answer.body
    );
    call(
        &world,
        "DELETE",
        &format!("/access/apps/{}", id(&application)),
        None,
    )
    .await
    .result(202);
    call(&world, "DELETE", &path, None).await.result(202);
}

/// The empty text is none of the words, and official clients would take the answer for another type of provider.
#[tokio::test]
async fn an_empty_prompt_is_none() {
    let world = world().await;
    let mut body = example();
    body["config"]["prompt"] = json!("");
    body["config"]["azure_cloud"] = json!("");
    body["scim_config"] = json!({ "enabled": false, "identity_update_behavior": "" });
    let made = made(&world, "/access/identity_providers", body.clone()).await;
    let path = format!("/access/identity_providers/{}", id(&made));
    let put = call(&world, "PUT", &path, Some(&body)).await.result(200);
    for shown in [&made, &put] {
        assert_eq!(shown["config"].get("prompt"), None);
        assert_eq!(shown["config"]["azure_cloud"], "default");
        assert_eq!(shown["scim_config"]["identity_update_behavior"], "no_action");
    }
}

/// The words are those of `scim_config`, and the API's description says them in both places.
#[tokio::test]
async fn what_a_change_does_is_one_of_a_few_words_however_the_directory_tells_of_it() {
    const PATH: &str = "/access/identity_providers";
    const BEHAVIOR: &str = "identity_update_behavior";
    let world = world().await;
    for place in ["scim_config", "directory_sync"] {
        let mut body = example();
        body["name"] = json!(place);
        body[place] = json!({ "enabled": false, BEHAVIOR: "never" });
        let refused = call(&world, "POST", PATH, Some(&body)).await;
        let (_, message, pointer) = refused.error(400);
        assert_eq!(pointer, Some(format!("/{place}/{BEHAVIOR}")), "{message}");
        assert!(message.contains("automatic, reauth and no_action"), "{message}");
        body[place][BEHAVIOR] = json!("");
        let made = made(&world, PATH, body.clone()).await;
        let path = format!("{PATH}/{}", id(&made));
        let put = call(&world, "PUT", &path, Some(&body)).await.result(200);
        for shown in [&made, &put] {
            assert_ne!(shown[place].get(BEHAVIOR), Some(&json!("")), "{place}: {shown}");
        }
    }
    let bearer = format!("Bearer {}", super::TOKEN);
    let token = [("Authorization", bearer.as_str())];
    let document = super::ask(&world, "GET", "/openapi.json", &token, None).await;
    let schemas = &document.body["components"]["schemas"];
    let words = |schema: &str| schemas[schema]["properties"][BEHAVIOR]["enum"].clone();
    assert_eq!(
        words("DirectorySync"),
        json!(["automatic", "reauth", "no_action", null])
    );
    assert_eq!(words("ScimConfig"), words("DirectorySync"));
}

#[tokio::test]
async fn a_client_certificate_is_stored_with_the_key_it_was_made_for_or_not_at_all() {
    let world = world().await;
    let pair = |algorithm| {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (certificate, key) = pair(&rcgen::PKCS_RSA_SHA256);
    let (_, other) = pair(&rcgen::PKCS_RSA_SHA256);
    let (curved, its_key) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
    let both = format!("{certificate}{key}");
    let body = |certificate: &str, key: &str| {
        let mut body = example();
        let config = body["config"].as_object_mut().unwrap();
        config.remove("client_secret");
        config.insert(
            "client_certificate".to_owned(),
            json!({ "certificate": certificate, "key": key }),
        );
        body
    };
    let path = "/access/identity_providers";
    let at = |key: &str| format!("/config/client_certificate/{key}");
    for (certificate, key, place, told) in [
        ("x", "y", at("certificate"), "no certificate"),
        (certificate.as_str(), "y", at("key"), "no private key"),
        (&certificate, &other, at("key"), "does not belong"),
        (&curved, &its_key, at("key"), "RSA"),
        (&both, &key, at("certificate"), "private key in it"),
    ] {
        let answer = call(&world, "POST", path, Some(&body(certificate, key))).await;
        let (code, message, pointer) = answer.error(400);
        assert_eq!((code, pointer), (12130, Some(place)), "{message}");
        assert!(message.contains(told), "{message}");
        assert!(!answer.body.to_string().contains("-----BEGIN"), "{message}");
    }
    let made = made(&world, path, body(&certificate, &key)).await;
    assert_eq!(
        made["config"]["client_certificate"],
        json!({ "certificate": certificate })
    );
    // The key stays where it is not sent anew, and must fit then too.
    let one = format!("{path}/{}", id(&made));
    let mut again = body(&certificate, "");
    again["name"] = json!("renamed");
    call(&world, "PUT", &one, Some(&again)).await.result(200);
    let answer = call(
        &world,
        "PUT",
        &one,
        Some(&body(&pair(&rcgen::PKCS_RSA_SHA256).0, "")),
    )
    .await;
    assert_eq!(answer.error(400).2, Some(at("key")));
}

#[tokio::test]
async fn a_directory_is_read_by_graph_where_scim_is_off() {
    let world = world().await;
    let sync = json!({ "interval": "5m", "user_deprovision": true, "identity_update_behavior": "automatic" });
    let mut body = example();
    body["directory_sync"] = sync.clone();
    body["scim_config"] = json!({ "enabled": true });
    let both = call(&world, "POST", "/access/identity_providers", Some(&body)).await;
    let (_, message, place) = both.error(400);
    assert_eq!(place.as_deref(), Some("/directory_sync"), "{message}");
    assert!(message.contains("by SCIM"), "{message}");
    body["scim_config"] = json!({ "enabled": false });
    for (key, value) in [
        ("interval", json!("30s")),
        ("intervall", json!("5m")),
        ("silence_alarm", json!("5m")),
    ] {
        let mut wrong = body.clone();
        wrong["directory_sync"][key] = value;
        let wrong = call(&world, "POST", "/access/identity_providers", Some(&wrong)).await;
        assert_eq!(
            wrong.error(400).2.as_deref(),
            Some(format!("/directory_sync/{key}").as_str())
        );
    }
    let provider = made(&world, "/access/identity_providers", body).await;
    assert_eq!(provider["directory_sync"], sync, "as it was sent");
    let path = format!("/access/identity_providers/{}/directory_sync", id(&provider));
    let asked = call(&world, "POST", &path, None).await.result(202);
    assert_eq!(asked["people"], 0);
    // The app of the example is nobody's in this tenant.
    let began = std::time::Instant::now();
    loop {
        let stands = call(&world, "GET", &path, None).await.result(200);
        if let Some(failure) = stands["failure"].as_str() {
            assert_eq!(stands["last_success_at"], Value::Null, "{failure}");
            break;
        }
        assert!(began.elapsed().as_secs() < 30, "{stands}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut off = example();
    off["directory_sync"] = json!({ "enabled": false });
    let path = format!("/access/identity_providers/{}", id(&provider));
    call(&world, "PUT", &path, Some(&off)).await.result(200);
    let refused = call(&world, "GET", &format!("{path}/directory_sync"), None).await;
    assert!(refused.error(400).1.contains("is off"));
}
