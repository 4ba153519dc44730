//! What a certificate says of itself. Whether it is genuine is not asked here.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use webpki::anchor_from_trusted_cert;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::digest::{hex, sha256_hex};

/// The longest common name, in characters: the upper bound of RFC 5280, appendix A.1 (`ub-common-name`).
const LONGEST_COMMON_NAME: usize = 64;

/// The longest PEM text of authorities, in bytes: some dozens of certificates.
const LONGEST_PEM: usize = 64 * 1024;

/// Certificates in one such text: an authority with all its generations has fewer.
const MOST_AUTHORITIES: usize = 32;

/// The fields of a certificate that something here asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The common name of its subject; `None` where it has none, several, or one that is no plain text of at most 64
    /// characters.
    pub common_name: Option<String>,
    /// The distinguished name of its issuer.
    pub issuer: String,
    /// The identifier of its issuer's key, lower-case hexadecimal; empty where it does not say.
    pub issuer_key: String,
    /// Its serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the whole, lower-case hexadecimal.
    pub fingerprint: String,
    /// Begin of its validity, milliseconds since 1970.
    pub begins_ms: i64,
    /// End of its validity, milliseconds since 1970.
    pub ends_ms: i64,
    /// Whether it may sign others (basic constraints).
    pub is_authority: bool,
}

/// The bytes are no X.509 certificate, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no X.509 certificate")]
pub struct NoCertificate;

impl Certificate {
    /// Reads a certificate from its DER form.
    ///
    /// # Errors
    /// [`NoCertificate`].
    pub fn read(der: &[u8]) -> Result<Self, NoCertificate> {
        let Ok(([], read)) = X509Certificate::from_der(der) else {
            return Err(NoCertificate);
        };
        let validity = read.validity();
        let authority = read.basic_constraints().map_err(|_| NoCertificate)?;
        Ok(Self {
            common_name: common_name(&read),
            issuer: read.issuer().to_string(),
            issuer_key: issuer_key(&read),
            serial: hex(read.raw_serial()),
            fingerprint: sha256_hex(der),
            begins_ms: validity.not_before.timestamp().saturating_mul(1000),
            ends_ms: validity.not_after.timestamp().saturating_mul(1000),
            is_authority: authority.is_some_and(|constraints| constraints.value.ca),
        })
    }
}

/// Why a text names no authorities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAuthorities {
    /// Longer than [`LONGEST_PEM`].
    #[error("it is longer than {LONGEST_PEM} bytes")]
    TooLong,
    /// More than [`MOST_AUTHORITIES`].
    #[error("there are more than {MOST_AUTHORITIES} certificates in it")]
    TooMany,
    /// No certificate in it, or one that cannot be read.
    #[error(
        "there is no certificate in it, or one that cannot be read: PEM with BEGIN CERTIFICATE is needed"
    )]
    NoCertificate,
    /// A certificate that may not sign others. Trusted as an authority, it could all the same.
    #[error("a certificate in it is not that of an authority (basic constraints, CA)")]
    NotAnAuthority,
    /// A private key stands beside the certificates: it would be kept, and shown, as if it were none.
    #[error("there is a private key in it, which belongs to the authority alone")]
    PrivateKey,
}

/// How the line that begins a private key ends, whatever its kind (RFC 7468 §10 and §11, RFC 5915 §4).
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// The certificates of authorities that a PEM text holds, each in DER.
///
/// # Errors
/// [`NoAuthorities`]; one bad certificate spoils the text.
pub fn authorities(pem: &str) -> Result<Vec<Vec<u8>>, NoAuthorities> {
    if pem.len() > LONGEST_PEM {
        return Err(NoAuthorities::TooLong);
    }
    if pem.contains(PRIVATE_KEY) {
        return Err(NoAuthorities::PrivateKey);
    }
    let mut authorities = Vec::new();
    for found in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let der = found.map_err(|_| NoAuthorities::NoCertificate)?;
        let read = Certificate::read(&der).map_err(|_| NoAuthorities::NoCertificate)?;
        if !read.is_authority || anchor_from_trusted_cert(&der).is_err() {
            return Err(NoAuthorities::NotAnAuthority);
        }
        authorities.push(der.to_vec());
    }
    match authorities.len() {
        0 => Err(NoAuthorities::NoCertificate),
        number if number > MOST_AUTHORITIES => Err(NoAuthorities::TooMany),
        _ => Ok(authorities),
    }
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else {
        return None;
    };
    let name = name.as_str().ok()?;
    let plain = !name.is_empty()
        && name.chars().count() <= LONGEST_COMMON_NAME
        && !name.chars().any(char::is_control);
    plain.then(|| name.to_owned())
}

fn issuer_key(certificate: &X509Certificate<'_>) -> String {
    let identifiers = certificate.extensions().iter();
    let mut identifiers = identifiers.filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => identifier.key_identifier.as_ref(),
        _ => None,
    });
    identifiers.next().map(|key| hex(key.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, IsCa, KeyPair};

    use super::*;

    fn made(names: &[&str], is_ca: IsCa) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.is_ca = is_ca;
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(made.der()).unwrap()
    }

    #[test]
    fn the_common_name_is_read_where_it_is_one_plain_text() {
        let name = |text: &str| made(&[text], IsCa::NoCa).common_name;
        assert_eq!(name("client.example.com").as_deref(), Some("client.example.com"));
        assert_eq!(name(&"ä".repeat(64)).map(|name| name.chars().count()), Some(64));
        assert_eq!(made(&[], IsCa::NoCa).common_name, None);
        for text in ["", "a\nb", "a\0b", &"x".repeat(65)] {
            assert_eq!(name(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_authority_is_told_from_what_it_signs() {
        let authority = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        assert!(made(&["CA"], authority).is_authority);
        assert!(!made(&["client"], IsCa::NoCa).is_authority);
        assert!(!made(&["client"], IsCa::ExplicitNoCa).is_authority);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let mut longer = made.cert.der().to_vec();
        longer.push(0);
        for bytes in [&b""[..], b"no certificate", &longer] {
            assert_eq!(Certificate::read(bytes), Err(NoCertificate));
        }
    }
}
