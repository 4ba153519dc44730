//! Compact JSON Web Signatures (RFC 7515): writing our tokens, taking other people's apart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// `base64url(header).base64url(claims)`: the bytes a signature covers (RFC 7515 §5.1).
pub(crate) fn signing_input(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        base64url(header.to_string()),
        base64url(claims.to_string())
    )
}

/// Completes a compact token.
pub(crate) fn with_signature(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", base64url(signature))
}

/// base64url without padding (RFC 7515 §2).
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Undoes [`base64url`].
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A token taken apart; nothing in it is verified yet.
pub(crate) struct Unverified<'a> {
    /// The JOSE header.
    pub(crate) header: Value,
    /// The claims.
    pub(crate) claims: Value,
    /// The bytes the signature covers.
    pub(crate) signed: &'a str,
    /// The signature.
    pub(crate) signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a compact token apart, or nothing if it is not three parts of which two are JSON objects.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let parsed = Self {
            header: serde_json::from_slice(&from_base64url(header)?).ok()?,
            claims: serde_json::from_slice(&from_base64url(claims)?).ok()?,
            signed,
            signature: from_base64url(signature)?,
        };
        (parsed.header.is_object() && parsed.claims.is_object()).then_some(parsed)
    }

    /// A text member of the header.
    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// A text claim.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// A time claim, in Unix seconds.
    pub(crate) fn time(&self, name: &str) -> Option<i64> {
        self.claims.get(name)?.as_i64()
    }
}
