//! Certificates and keys: that they are there, are PEM, and belong together.

use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

use super::secret::file_bytes;
use super::tree::Node;
use crate::crypto::pair::{Unfit, certified, is_rsa};
use crate::model::host::Host;

/// A certificate whose key is at hand.
pub(super) struct Pair(CertifiedKey);

impl Pair {
    /// Whether clients that ask for this host accept the certificate.
    pub(super) fn covers(&self, host: &Host) -> bool {
        let name = host.as_str().trim_start_matches('[').trim_end_matches(']');
        let (Ok(name), Ok(certificate)) = (ServerName::try_from(name), self.0.end_entity_cert()) else {
            return false;
        };
        ParsedCertificate::try_from(certificate)
            .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, &name).is_ok())
    }

    /// Whether the key is RSA.
    pub(super) fn is_rsa(&self) -> bool {
        is_rsa(&self.0)
    }
}

/// The certificate and key of two files that the nodes name.
pub(super) fn pair_of_files(chain: &Node<'_>, key: &Node<'_>) -> Option<Pair> {
    let chain_pem = file_bytes(chain);
    let key_pem = file_bytes(key);
    pair(chain, &chain_pem?, key, &key_pem?)
}

/// A certificate and a key that were read already.
pub(super) fn pair(chain: &Node<'_>, chain_pem: &[u8], key: &Node<'_>, key_pem: &[u8]) -> Option<Pair> {
    let unfit = match certified(chain_pem, key_pem) {
        Ok(pair) => return Some(Pair(pair)),
        Err(unfit) => unfit,
    };
    for unfit in unfit {
        match unfit {
            Unfit::NoCertificate => chain.fault(
                "there is no certificate in it",
                "name a PEM file with BEGIN CERTIFICATE",
            ),
            Unfit::NoKey => key.fault(
                "there is no private key in it",
                "name a PEM file with BEGIN PRIVATE KEY",
            ),
            Unfit::OfAnother => key.fault(
                unfit.to_string(),
                "name the key that the certificate was made for",
            ),
            Unfit::Unusable(_) => {
                key.fault(unfit.to_string(), "use an RSA or ECDSA key with its certificate");
            }
        }
    }
    None
}

/// Whether a file that the node names holds certificates.
pub(super) fn authorities(node: &Node<'_>) -> bool {
    let Some(pem) = file_bytes(node) else {
        return false;
    };
    let mut certificates = CertificateDer::pem_slice_iter(&pem).peekable();
    let fine = certificates.peek().is_some() && certificates.all(|certificate| certificate.is_ok());
    if !fine {
        node.fault(
            "there is no certificate in it",
            "name a PEM file with BEGIN CERTIFICATE",
        );
    }
    fine
}
