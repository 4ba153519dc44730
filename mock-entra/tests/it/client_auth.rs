//! Client assertions: by certificate and by federated token, wrong in one point alone.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use mock_entra::{AppRegistration, FederatedCredential, demo};
use serde_json::{Value, json};

use crate::support::{Form, World};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "https://oidc.cluster.example/";
const SUBJECT: &str = "system:serviceaccount:login:gateway";
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// An RSA key with a self-signed certificate.
struct Credential {
    key: String,
    certificate: String,
    der: Vec<u8>,
    jwk: Value,
}

/// One registered credential for all tests: making a key takes its time.
fn registered() -> &'static Credential {
    static REGISTERED: OnceLock<Credential> = OnceLock::new();
    REGISTERED.get_or_init(Credential::new)
}

/// A credential nobody registered.
fn foreign() -> &'static Credential {
    static FOREIGN: OnceLock<Credential> = OnceLock::new();
    FOREIGN.get_or_init(Credential::new)
}

impl Credential {
    fn new() -> Self {
        let size = rcgen::RsaKeySize::_2048;
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let encoding = EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap();
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&encoding, Algorithm::RS256).unwrap();
        Self {
            key: key.serialize_pem(),
            certificate: certificate.pem(),
            der: certificate.der().to_vec(),
            jwk: serde_json::to_value(jwk).unwrap(),
        }
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        encode(
            header,
            claims,
            &EncodingKey::from_rsa_pem(self.key.as_bytes()).unwrap(),
        )
        .unwrap()
    }

    fn sha256(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    fn sha1(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der))
    }

    fn ps256(&self) -> Header {
        Header {
            x5t_s256: Some(self.sha256()),
            ..Header::new(Algorithm::PS256)
        }
    }

    fn rs256(&self) -> Header {
        Header {
            x5t: Some(self.sha1()),
            ..Header::new(Algorithm::RS256)
        }
    }
}

async fn world_with_certificate() -> World {
    World::start_with(|app| app.certificate_pem(&registered().certificate)).await
}

/// The claims of the right client.
fn claims(world: &World) -> Value {
    let now = world.entra.now();
    json!({
        "aud": world.token_url(), "iss": demo::CLIENT_ID, "sub": demo::CLIENT_ID,
        "jti": uuid::Uuid::new_v4().to_string(), "nbf": now, "iat": now, "exp": now + 600,
    })
}

fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

/// A client-credentials request that proves itself by an assertion.
fn asserting(world: &World, assertion: &str) -> Form {
    let form = world.app_login().without("client_secret");
    form.with("client_assertion_type", JWT_BEARER)
        .with("client_assertion", assertion)
}

#[tokio::test]
async fn a_registered_certificate_is_as_good_as_a_secret() {
    let world = world_with_certificate().await;
    for header in [registered().ps256(), registered().rs256()] {
        let assertion = registered().sign(&header, &claims(&world));
        let answer = world.token(asserting(&world, &assertion)).await;
        assert_eq!(answer.status, 200, "{:?}: {}", header.alg, answer.body);
    }
}

#[tokio::test]
async fn the_way_a_certificate_is_named_goes_with_the_algorithm() {
    let world = world_with_certificate().await;
    let certificate = registered();
    let sha1_for_ps256 = Header {
        x5t: Some(certificate.sha1()),
        ..Header::new(Algorithm::PS256)
    };
    let sha256_for_rs256 = Header {
        x5t_s256: Some(certificate.sha256()),
        ..Header::new(Algorithm::RS256)
    };
    let hex = certificate
        .der
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat();
    let hexadecimal = Header {
        x5t_s256: Some(hex),
        ..Header::new(Algorithm::PS256)
    };
    for header in [
        sha1_for_ps256,
        sha256_for_rs256,
        hexadecimal,
        Header::new(Algorithm::PS256),
        foreign().ps256(),
    ] {
        let assertion = certificate.sign(&header, &claims(&world));
        let answer = world.token(asserting(&world, &assertion)).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", 700_027), "{header:?}");
    }
    let forged = foreign().sign(&certificate.ps256(), &claims(&world));
    assert_eq!(world.token(asserting(&world, &forged)).await.aadsts(), 700_027);
    let other = Header {
        x5t_s256: Some(certificate.sha256()),
        ..Header::new(Algorithm::PS384)
    };
    let unusual = certificate.sign(&other, &claims(&world));
    assert_eq!(world.token(asserting(&world, &unusual)).await.aadsts(), 50012);
}

#[tokio::test]
async fn an_assertion_names_this_endpoint_this_client_and_this_time() {
    let world = world_with_certificate().await;
    let now = world.entra.now();
    let base = world.entra.base_url();
    let right = || claims(&world);
    let wrong = [
        (
            "another host",
            with(right(), "aud", "https://login.microsoftonline.com/common/v2.0"),
            700_023,
        ),
        (
            "the issuer",
            with(right(), "aud", format!("{base}/{}/v2.0", demo::TENANT)),
            700_023,
        ),
        (
            "another tenant",
            with(right(), "aud", world.token_url().replace(demo::TENANT, "common")),
            700_023,
        ),
        ("expired", with(right(), "exp", now - 400), 700_024),
        ("not yet valid", with(right(), "nbf", now + 400), 700_024),
        ("without expiry", with(right(), "exp", Value::Null), 700_024),
        ("another subject", with(right(), "sub", "somebody"), 700_021),
        ("another issuer", with(right(), "iss", "somebody"), 700_021),
        ("without jti", with(right(), "jti", Value::Null), 50012),
    ];
    for (what, claims, code) in wrong {
        let assertion = registered().sign(&registered().ps256(), &claims);
        let answer = world.token(asserting(&world, &assertion)).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", code), "{what}");
    }
}

#[tokio::test]
async fn an_assertion_is_good_once_and_comes_with_its_type() {
    let world = world_with_certificate().await;
    let assertion = registered().sign(&registered().ps256(), &claims(&world));
    let untyped = asserting(&world, &assertion).without("client_assertion_type");
    assert_eq!(world.token(untyped).await.aadsts(), 900_144);
    assert_eq!(world.token(asserting(&world, &assertion)).await.status, 200);
    assert_eq!(world.token(asserting(&world, &assertion)).await.aadsts(), 50012);
    assert_eq!(world.token(asserting(&world, "not.a.jwt")).await.aadsts(), 50012);
}

#[tokio::test]
async fn a_mock_whose_clock_is_off_refuses_the_assertion_of_an_honest_client() {
    let world = world_with_certificate().await;
    let assertion = registered().sign(&registered().ps256(), &claims(&world));
    world.entra.set_clock_offset(1_200);
    assert_eq!(world.token(asserting(&world, &assertion)).await.aadsts(), 700_024);
}

fn trusting(app: AppRegistration) -> AppRegistration {
    app.federated(FederatedCredential::new(
        ISSUER,
        SUBJECT,
        AUDIENCE,
        &registered().jwk,
    ))
}

#[tokio::test]
async fn a_federated_token_is_matched_by_issuer_subject_and_audience() {
    let world = World::start_with(trusting).await;
    let now = world.entra.now();
    let right = || json!({ "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "exp": now + 3_600 });
    let header = Header::new(Algorithm::RS256);
    let wrong = [
        (with(right(), "iss", "https://oidc.cluster.example"), 700_211),
        (with(right(), "sub", SUBJECT.to_uppercase()), 700_213),
        (with(right(), "aud", "api://AzureADTokenExchangeUSGov"), 700_212),
        (with(right(), "exp", now - 400), 700_024),
    ];
    for (claims, code) in wrong {
        let answer = world
            .token(asserting(&world, &registered().sign(&header, &claims)))
            .await;
        assert_eq!(answer.refusal(), (401, "invalid_client", code), "{claims}");
    }
    let forged = world
        .token(asserting(&world, &foreign().sign(&header, &right())))
        .await;
    assert_eq!(forged.aadsts(), 50013);
    let token = registered().sign(&header, &right());
    for _ in 0..2 {
        let answer = world.token(asserting(&world, &token)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let untrusting = World::start().await;
    assert_eq!(
        untrusting.token(asserting(&untrusting, &token)).await.aadsts(),
        70021
    );
}
