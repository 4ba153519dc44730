//! How the gateway proves itself at the token endpoint: secret, certificate or federated token.
//!
//! One place for every grant, so that no grant forgets it: a refresh without the assertion fails with AADSTS7000218.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::Url;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::errors::EntraError;
use crate::crypto::digest::sha256;
use crate::model::idp::{ClientCredential, EntraSettings};

/// `client_assertion_type` of RFC 7523 §2.2.
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good for, in seconds; MSAL uses the same.
const ASSERTION_LIFE: i64 = 600;
/// Most bytes of a federated token file. Kubernetes' tokens have about 1 kB.
const MAX_TOKEN_FILE: usize = 64 * 1024;

/// One way to prove who is asking.
pub(super) enum Proof {
    Secret(SecretString),
    Assertion(SecretString),
}

/// The proofs to try, in this order.
///
/// # Errors
/// [`EntraError::Misconfigured`] where certificate or token file cannot be used.
pub(super) async fn proofs(
    settings: &EntraSettings,
    token_endpoint: &Url,
    now: i64,
) -> Result<Vec<Proof>, EntraError> {
    match &settings.credential {
        ClientCredential::Secret { current, next } => {
            let secrets = std::iter::once(current).chain(next.as_ref());
            Ok(secrets.map(|secret| Proof::Secret(secret.clone())).collect())
        }
        ClientCredential::Certificate { certificate, key } => {
            let assertion = assertion(&settings.client_id, certificate, key, token_endpoint, now)
                .map_err(|what| EntraError::Misconfigured(what.to_owned()))?;
            Ok(vec![Proof::Assertion(assertion)])
        }
        ClientCredential::FederatedTokenFile(path) => {
            // Read each time: the file is rotated under our feet.
            let unreadable = || EntraError::Misconfigured("federated_token_file cannot be read".to_owned());
            let token = tokio::fs::read_to_string(path).await.map_err(|_| unreadable())?;
            let token = token.trim();
            if token.is_empty() || token.len() > MAX_TOKEN_FILE {
                return Err(unreadable());
            }
            Ok(vec![Proof::Assertion(SecretString::from(token))])
        }
    }
}

/// <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>: PS256 goes with `x5t#S256`.
fn assertion(
    client_id: &str,
    certificate: &str,
    key: &SecretString,
    token_endpoint: &Url,
    now: i64,
) -> Result<SecretString, &'static str> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|_| "client_certificate holds no certificate in PEM")?;
    let key = EncodingKey::from_rsa_pem(key.expose_secret().as_bytes())
        .map_err(|_| "client_certificate holds no RSA key in PEM")?;
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(sha256(&certificate)));
    let claims = json!({
        "aud": token_endpoint.as_str(),
        "iss": client_id,
        "sub": client_id,
        "jti": uuid::Uuid::new_v4().to_string(),
        "nbf": now,
        "iat": now,
        "exp": now + ASSERTION_LIFE,
    });
    jsonwebtoken::encode(&header, &claims, &key)
        .map(SecretString::from)
        .map_err(|_| "client_certificate's key cannot sign")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;
    use crate::entra::testing::settings;

    const NOW: i64 = 1_767_226_200;

    fn endpoint() -> Url {
        "https://login.microsoftonline.com/t/oauth2/v2.0/token"
            .parse()
            .unwrap()
    }

    async fn only_assertion(settings: &EntraSettings) -> SecretString {
        let mut proofs = proofs(settings, &endpoint(), NOW).await.unwrap();
        match (proofs.pop(), proofs.len()) {
            (Some(Proof::Assertion(assertion)), 0) => assertion,
            _ => panic!("one assertion is expected"),
        }
    }

    #[tokio::test]
    async fn a_certificate_signs_an_assertion_for_this_endpoint_and_ten_minutes() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let mut settings = settings("http://127.0.0.1:9");
        settings.credential = ClientCredential::Certificate {
            certificate: certificate.pem(),
            key: SecretString::from(key.serialize_pem()),
        };
        let assertion = only_assertion(&settings).await;
        let header = jsonwebtoken::decode_header(assertion.expose_secret()).unwrap();
        assert_eq!(header.alg, Algorithm::PS256);
        assert_eq!(
            header.x5t_s256,
            Some(URL_SAFE_NO_PAD.encode(sha256(certificate.der())))
        );
        let mut validation = Validation::new(Algorithm::PS256);
        validation.set_audience(&[endpoint().as_str()]);
        validation.validate_exp = false;
        let public = DecodingKey::from_rsa_pem(key.public_key_pem().as_bytes()).unwrap();
        let claims: Value = jsonwebtoken::decode(assertion.expose_secret(), &public, &validation)
            .unwrap()
            .claims;
        assert_eq!(claims["iss"], settings.client_id);
        assert_eq!(claims["sub"], settings.client_id);
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(),
            600
        );
        let again = only_assertion(&settings).await;
        assert_ne!(
            again.expose_secret(),
            assertion.expose_secret(),
            "jti is fresh each time"
        );
    }

    #[tokio::test]
    async fn a_federated_token_is_read_anew_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let mut settings = settings("http://127.0.0.1:9");
        settings.credential = ClientCredential::FederatedTokenFile(path.clone());
        assert!(proofs(&settings, &endpoint(), NOW).await.is_err());
        for token in ["first", "second"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            assert_eq!(only_assertion(&settings).await.expose_secret(), token);
        }
    }
}
