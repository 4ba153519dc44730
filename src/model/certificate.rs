//! Certificates that clients present.

use std::sync::Arc;

/// What is known of a client's certificate on its connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientCertificate {
    /// None was asked for: the connection is not ours to ask on, or its host takes no certificates.
    #[default]
    Unknown,
    /// It was asked for, and none came that counts. Access, too, treats one that does not verify as not presented.
    Absent,
    /// One came, and an authority that the operator named signed it.
    Verified(Arc<VerifiedCertificate>),
}

/// A certificate that an authority of the operator's signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCertificate {
    /// The common name of its subject; `None` where it has none, or several.
    pub common_name: Option<String>,
    /// The distinguished name of its issuer (RFC 4514).
    pub issuer: String,
    /// The identifier of its issuer's key, lower-case hexadecimal; empty where it does not say.
    pub issuer_key: String,
    /// Its serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// When it counts no longer, milliseconds since 1970: the end of its own validity, or of a certificate above it.
    pub expires_ms: i64,
}
