//! What an application refuses that verifies the assertion as `examples/validators/README.md` says.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode, decode_header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use vestibule::session::keys::KeyMaterial;

use crate::abuse::tokens::{claims, encode, signed_by_us, with};
use crate::support::tenant::ALICE;
use crate::support::world::World;

/// An application that believes the assertion and nothing else.
struct Application {
    keys: JwkSet,
    issuer: String,
    audience: String,
}

impl Application {
    /// Who is asking, by the request's header fields.
    fn person(&self, headers: &[(&str, &str)]) -> Result<String, String> {
        let named = |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case("cf-access-jwt-assertion");
        let mut assertions = headers.iter().filter(named);
        let (Some((_, assertion)), None) = (assertions.next(), assertions.next()) else {
            return Err("not one assertion".to_owned());
        };
        let header = decode_header(assertion).map_err(|error| error.to_string())?;
        let key = header.kid.as_deref().and_then(|kid| self.keys.find(kid));
        let key = DecodingKey::from_jwk(key.ok_or("unknown key")?).map_err(|error| error.to_string())?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
        validation.validate_nbf = true;
        let token = decode::<Value>(assertion, &key, &validation).map_err(|error| error.to_string())?;
        if token.claims["type"] != "app" {
            return Err("no application token".to_owned());
        }
        token.claims["email"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| "no person".to_owned())
    }
}

/// Abuse case 35.
#[tokio::test]
async fn an_application_reached_past_the_gateway_believes_its_own_assertion_alone() {
    let world = World::start().await;
    let alice = world.signed_in(ALICE, &["wiki", "other"]).await;
    let token = |host: &str| alice.cookie(&world.host(host), "CF_Authorization").unwrap();
    let own = token("wiki");
    let certs = world
        .anonymous()
        .fetch(&world.host("login"), "/cdn-cgi/access/certs", &[])
        .await;
    let application = Application {
        keys: serde_json::from_slice(&certs.body).unwrap(),
        issuer: format!("http://{}", world.authority("login")),
        audience: claims(&own)["aud"][0].as_str().unwrap().to_owned(),
    };
    let shown = |token: &str| application.person(&[("Cf-Access-Jwt-Assertion", token)]);
    assert_eq!(shown(&own), Ok(ALICE.to_owned()));

    let refused = |headers: &[(&str, &str)], why: &str| {
        let answer = application.person(headers);
        assert!(answer.is_err(), "{why}: {answer:?}");
    };
    refused(&[], "nothing");
    refused(
        &[("Cf-Access-Authenticated-User-Email", ALICE)],
        "the address alone",
    );
    refused(
        &[("Cookie", &format!("CF_Authorization={own}"))],
        "the cookie alone",
    );
    refused(
        &[
            ("Cf-Access-Jwt-Assertion", &own),
            ("cf-access-jwt-assertion", &own),
        ],
        "two assertions",
    );
    refused(&[("Cf-Access-Jwt-Assertion", "")], "an empty assertion");

    let genuine = claims(&own);
    let past = genuine["iat"].as_i64().unwrap() - 7200;
    let foreign = KeyMaterial::generate(world.clock.now_ms()).unwrap();
    let foreign = EncodingKey::from_rsa_pem(foreign.private_pem.expose_secret().as_bytes()).unwrap();
    let header = jsonwebtoken::Header {
        kid: decode_header(&own).unwrap().kid,
        ..jsonwebtoken::Header::new(Algorithm::RS256)
    };
    let none = format!(
        "{}.{}.",
        encode(&json!({ "alg": "none", "kid": header.kid })),
        encode(&genuine)
    );
    for (assertion, why) in [
        (token("other"), "another application's"),
        (token("login"), "the organization's"),
        (
            signed_by_us(&world, &with(&genuine, &json!({ "type": "org" }))).await,
            "another type",
        ),
        (
            signed_by_us(&world, &with(&genuine, &json!({ "exp": past }))).await,
            "over",
        ),
        (
            signed_by_us(&world, &with(&genuine, &json!({ "exp": null }))).await,
            "without an end",
        ),
        (
            signed_by_us(&world, &with(&genuine, &json!({ "nbf": past + 14_400 }))).await,
            "not yet",
        ),
        (
            signed_by_us(
                &world,
                &with(&genuine, &json!({ "iss": "https://login.evil.example" })),
            )
            .await,
            "another issuer's",
        ),
        (
            signed_by_us(&world, &with(&genuine, &json!({ "aud": [] }))).await,
            "for nobody",
        ),
        (
            jsonwebtoken::encode(&header, &genuine, &foreign).unwrap(),
            "signed by another key",
        ),
        (none, "unsigned"),
        (
            own.rsplit_once('.').unwrap().0.to_owned() + ".",
            "without its signature",
        ),
    ] {
        refused(&[("Cf-Access-Jwt-Assertion", &assertion)], why);
    }
}
