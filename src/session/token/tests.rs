use jsonwebtoken::EncodingKey;
use serde_json::json;

use super::*;
use crate::session::keys::KeyMaterial;

const NOW: i64 = 1_767_226_200;
const ISSUER: &str = "https://login.example.com";

struct OneKey {
    kid: KeyId,
    header: String,
    decoding: DecodingKey,
    encoding: EncodingKey,
}

impl OneKey {
    fn new() -> Self {
        let material = KeyMaterial::generate(NOW * 1000).unwrap();
        Self {
            header: header_segment(&material.kid),
            decoding: DecodingKey::from_jwk(&serde_json::from_value(material.public_jwk.clone()).unwrap())
                .unwrap(),
            encoding: EncodingKey::from_rsa_pem(
                secrecy::ExposeSecret::expose_secret(&material.private_pem).as_bytes(),
            )
            .unwrap(),
            kid: material.kid,
        }
    }

    fn sign_with_header(&self, header: &str, claims: &Value) -> String {
        let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, Algorithm::RS256).unwrap();
        format!("{message}.{signature}")
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_with_header(&self.header, claims)
    }
}

impl TrustedKeys for OneKey {
    fn key_of_header(&self, segment: &str) -> Option<(&KeyId, &DecodingKey)> {
        (segment == self.header).then_some((&self.kid, &self.decoding))
    }
}

fn aud() -> AudTag {
    "a".repeat(64).parse().unwrap()
}

fn claims() -> Value {
    json!({"type":"app","aud":["a".repeat(64)],"iss":ISSUER,"exp":NOW + 60,"iat":NOW,"nbf":NOW,
           "identity_nonce":"6ei69kawdKzMIAPF","email":"ada@example.com","sub":"x","country":"DE"})
}

fn check(keys: &OneKey, token: &str) -> Result<Verified, TokenRefused> {
    let aud = aud();
    verify(
        token,
        keys,
        Demand {
            kind: Kind::App,
            aud: &aud,
            issuer: ISSUER,
            now: NOW,
        },
    )
}

#[test]
fn a_token_of_ours_is_accepted() {
    let keys = OneKey::new();
    let verified = check(&keys, &keys.sign(&claims())).unwrap();
    assert_eq!(verified.nonce.as_str(), "6ei69kawdKzMIAPF");
    assert_eq!(verified.exp, NOW + 60);
}

/// Abuse case 37.
#[test]
fn headers_that_we_do_not_write_are_refused_before_any_signature_is_checked() {
    let keys = OneKey::new();
    let kid = keys.kid.clone();
    for header in [
        json!({"alg":"none","typ":"JWT"}),
        json!({"alg":"None","kid":kid,"typ":"JWT"}),
        json!({"alg":"HS256","kid":kid,"typ":"JWT"}),
        json!({"alg":"ES256","kid":kid,"typ":"JWT"}),
        json!({"alg":"RS256","kid":"../../etc/passwd","typ":"JWT"}),
        json!({"alg":"RS256","kid":"b".repeat(64),"typ":"JWT"}),
        json!({"alg":"RS256","kid":kid,"typ":"JWT","jwk":{"kty":"RSA"}}),
        json!({"alg":"RS256","kid":kid,"typ":"JWT","jku":"http://169.254.169.254/"}),
        json!({"alg":"RS256","kid":kid,"typ":"JWT","crit":["x"]}),
        json!({"alg":"RS256","kid":kid,"typ":"JWT","zip":"DEF"}),
        json!({"alg":"PBES2-HS256+A128KW","p2c":2_147_483_648_u32,"kid":kid}),
    ] {
        let token = keys.sign_with_header(&URL_SAFE_NO_PAD.encode(header.to_string()), &claims());
        assert_eq!(check(&keys, &token), Err(TokenRefused::Header), "{header}");
    }
}

/// Abuse case 38.
#[test]
fn claims_that_confuse_are_refused() {
    let keys = OneKey::new();
    let with = |name: &str, value: Value| {
        let mut changed = claims();
        changed[name] = value;
        check(&keys, &keys.sign(&changed)).unwrap_err()
    };
    assert_eq!(with("aud", json!(["b".repeat(64)])), TokenRefused::Audience);
    assert_eq!(with("aud", json!("a".repeat(64))), TokenRefused::Claims);
    assert_eq!(with("aud", json!([])), TokenRefused::Claims);
    assert_eq!(
        with("aud", json!(["a".repeat(64), "b".repeat(64)])),
        TokenRefused::Claims
    );
    assert_eq!(with("type", json!("org")), TokenRefused::Audience);
    assert_eq!(with("type", json!("meta")), TokenRefused::Claims);
    assert_eq!(
        with("iss", json!("https://other.example.com")),
        TokenRefused::Issuer
    );
    assert_eq!(with("exp", json!(1e300)), TokenRefused::Claims);
    assert_eq!(with("exp", json!("9999999999")), TokenRefused::Claims);
    assert_eq!(with("exp", json!(-1)), TokenRefused::Time);
    assert_eq!(with("exp", json!(NOW)), TokenRefused::Time);
    assert_eq!(with("nbf", json!(NOW + 3600)), TokenRefused::Time);
    let mut absent = claims();
    absent.as_object_mut().unwrap().remove("exp");
    assert_eq!(check(&keys, &keys.sign(&absent)), Err(TokenRefused::Claims));
}

/// Abuse cases 37 and 91.
#[test]
fn signatures_hold_in_one_spelling_only() {
    let keys = OneKey::new();
    let token = keys.sign(&claims());
    assert_eq!(check(&keys, &format!("{token}=")), Err(TokenRefused::Signature));
    assert_eq!(check(&keys, &format!("{token} ")), Err(TokenRefused::Signature));
    let (message, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(check(&keys, &format!("{message}.")), Err(TokenRefused::Signature));
    assert_eq!(check(&keys, message), Err(TokenRefused::Shape));
    // The last character holds bits that no byte uses; any other value of them must not pass.
    let (head, last) = signature.split_at(signature.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        if !last.starts_with(other) {
            assert_eq!(
                check(&keys, &format!("{message}.{head}{other}")),
                Err(TokenRefused::Signature),
                "{other}"
            );
        }
    }
    let stranger = OneKey::new();
    let forged = stranger.sign_with_header(&keys.header, &claims());
    assert_eq!(check(&keys, &forged), Err(TokenRefused::Signature));
}

#[test]
fn what_is_no_token_is_refused() {
    let keys = OneKey::new();
    for text in ["", ".", "..", "...", "a.b", "a.b.c.d", "%%%", &"x".repeat(20_000)] {
        assert!(
            matches!(
                check(&keys, text),
                Err(TokenRefused::Shape | TokenRefused::Header)
            ),
            "{text:.20}"
        );
    }
}
