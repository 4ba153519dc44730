//! A certificate and its private key: that both are PEM, and belong together.

use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with a certificate or its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The one text has no certificate in it, or one that cannot be read.
    #[error("there is no certificate in it: PEM with BEGIN CERTIFICATE is needed")]
    NoCertificate,
    /// The other has no private key in it.
    #[error("there is no private key in it: PEM with BEGIN PRIVATE KEY is needed")]
    NoKey,
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate")]
    OfAnother,
    /// They cannot be used; why.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(String),
}

/// A certificate, perhaps with those that vouch for it, and its key, both PEM.
///
/// # Errors
/// [`Unfit`], as many as there are.
pub fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, Vec<Unfit>> {
    let certificates: Option<Vec<_>> = CertificateDer::pem_slice_iter(chain).map(Result::ok).collect();
    let certificates = certificates.filter(|found| !found.is_empty());
    let private = PrivateKeyDer::from_pem_slice(key).ok();
    let (certificates, private) = match (certificates, private) {
        (Some(certificates), Some(private)) => (certificates, private),
        (certificates, private) => {
            let no_certificate = certificates.is_none().then_some(Unfit::NoCertificate);
            let no_key = private.is_none().then_some(Unfit::NoKey);
            return Err(no_certificate.into_iter().chain(no_key).collect());
        }
    };
    CertifiedKey::from_der(certificates, private, &default_provider()).map_err(|error| {
        vec![match error {
            rustls::Error::InconsistentKeys(_) => Unfit::OfAnother,
            error => Unfit::Unusable(error.to_string()),
        }]
    })
}

/// Whether a key is RSA.
pub fn is_rsa(pair: &CertifiedKey) -> bool {
    pair.key.algorithm() == SignatureAlgorithm::RSA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_its_certificate_and_to_no_other() {
        let made = || rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        let (chain, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let told = |chain: &str, key: &str| certified(chain.as_bytes(), key.as_bytes()).err();
        assert_eq!(told(&chain, &key), None);
        assert_eq!(told(&other.cert.pem(), &key), Some(vec![Unfit::OfAnother]));
        assert_eq!(told("x", "y"), Some(vec![Unfit::NoCertificate, Unfit::NoKey]));
        assert_eq!(told(&chain, &chain), Some(vec![Unfit::NoKey]));
    }
}
