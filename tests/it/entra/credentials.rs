//! The three ways in which the gateway proves itself, and the alarm when it cannot.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mock_entra::{Endpoint, FederatedCredential, demo};
use secrecy::SecretString;
use serde_json::json;
use vestibule::entra::Class;
use vestibule::model::idp::ClientCredential;

use super::world::World;

fn rsa_key() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap()
}

fn certificate(key: &rcgen::KeyPair) -> String {
    rcgen::CertificateParams::default()
        .self_signed(key)
        .unwrap()
        .pem()
}

#[tokio::test]
async fn a_registered_certificate_is_accepted_and_another_is_an_operators_matter() {
    let (registered, other) = (rsa_key(), rsa_key());
    let pem = certificate(&registered);
    let world = World::start().await.registered(|app| app.certificate_pem(&pem));
    let with = |world: World, key: &rcgen::KeyPair, pem: String| {
        let key = SecretString::from(key.serialize_pem());
        world.configured(|settings| {
            settings.credential = ClientCredential::Certificate {
                certificate: pem,
                key,
            };
        })
    };
    let world = with(world, &registered, pem);
    world.sign_in(demo::ALICE).await.unwrap();
    let world = with(world, &other, certificate(&other));
    let refused = world.sign_in(demo::ALICE).await.unwrap_err();
    assert_eq!(refused.class(), Class::Config, "{refused}");
}

#[tokio::test]
async fn a_federated_token_from_a_file_is_accepted_for_login_and_refresh() {
    let key = rsa_key();
    let public = jsonwebtoken::jwk::Jwk::from_encoding_key(
        &EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap(),
        Algorithm::RS256,
    )
    .unwrap();
    let (issuer, subject) = (
        "https://cluster.example",
        "system:serviceaccount:gateway:vestibule",
    );
    let credential = FederatedCredential::new(
        issuer,
        subject,
        "api://AzureADTokenExchange",
        &serde_json::to_value(&public).unwrap(),
    );
    let world = World::start().await.registered(|app| app.federated(credential));
    let now = world.entra.now();
    let token = jsonwebtoken::encode(
        &Header::new(Algorithm::RS256),
        &json!({ "iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "iat": now, "nbf": now, "exp": now + 600 }),
        &EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap(),
    )
    .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, token).unwrap();
    let world = world.configured(|settings| settings.credential = ClientCredential::FederatedTokenFile(file));
    let alice = world.sign_in(demo::ALICE).await.unwrap();
    let refresh = vestibule::entra::Refresh {
        refresh_token: alice.refresh_token.unwrap(),
        person: alice.person,
    };
    world
        .relying_party
        .refresh(&world.provider, &refresh)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wrong_secret_is_an_alarm_and_the_next_one_takes_over() {
    let wrong = |next: Option<&str>| ClientCredential::Secret {
        current: "not-the-secret".into(),
        next: next.map(SecretString::from),
    };
    let world = World::start()
        .await
        .configured(|settings| settings.credential = wrong(None));
    let refused = world.sign_in(demo::ALICE).await.unwrap_err();
    assert!(refused.explain().alarm);
    assert!(!format!("{refused:?}").contains("not-the-secret"));
    let world = world.configured(|settings| settings.credential = wrong(Some(demo::CLIENT_SECRET)));
    world.entra.forget_requests();
    world.sign_in(demo::ALICE).await.unwrap();
    assert_eq!(world.entra.count(Endpoint::Token), 2);
}
