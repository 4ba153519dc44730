//! Certificates that clients present.

use std::sync::Arc;

/// What is known of a client's certificate on its connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientCertificate {
    /// None was asked for: the connection is not ours to ask on, or its host takes no certificates.
    #[default]
    Unknown,
    /// It was asked for, and none came.
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
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// End of its validity, milliseconds since 1970.
    pub expires_ms: i64,
}
