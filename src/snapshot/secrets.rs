//! Secrets of objects: taken out of the object, sealed together, kept beside it.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::crypto::seal::{Purpose, Sealer};
use crate::store::{Document, Kind};

/// The client secret of an identity provider.
pub const CLIENT_SECRET: &str = "client_secret";
/// The client secret that will follow.
pub const NEXT_CLIENT_SECRET: &str = "next_client_secret";
/// The private key of an identity provider's client certificate, PEM.
pub const CERTIFICATE_KEY: &str = "client_certificate_key";
/// SHA-256, in hexadecimal, of a SCIM secret that the configuration file declares.
pub const SCIM_SECRET_HASH: &str = "scim_secret_hash";

/// The sealed secrets cannot be read: another master key sealed them, or they were changed or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secrets cannot be unsealed: is this the master key they were sealed with?")]
pub struct SecretsUnreadable;

/// Seals the secrets of an object; `None` where there are none.
pub fn seal(
    kind: Kind,
    id: Uuid,
    secrets: &BTreeMap<String, SecretString>,
    sealer: &Sealer,
    now_ms: i64,
) -> Option<Vec<u8>> {
    if secrets.is_empty() {
        return None;
    }
    let exposed = secrets
        .iter()
        .map(|(key, secret)| (key.clone(), secret.expose_secret().into()));
    let plain = serde_json::Value::Object(exposed.collect()).to_string();
    Some(sealer.seal(
        Purpose::ProviderSecret,
        &associated(kind, id),
        plain.as_bytes(),
        now_ms,
    ))
}

/// Opens the secrets of an object.
///
/// # Errors
/// [`SecretsUnreadable`]
pub fn open(
    document: &Document,
    sealer: &Sealer,
    now_ms: i64,
) -> Result<BTreeMap<String, SecretString>, SecretsUnreadable> {
    let Some(bytes) = &document.secrets else {
        return Ok(BTreeMap::new());
    };
    let associated = associated(document.kind, document.id);
    let plain = sealer
        .open(Purpose::ProviderSecret, &associated, bytes, now_ms)
        .map_err(|_| SecretsUnreadable)?;
    serde_json::from_slice(&plain).map_err(|_| SecretsUnreadable)
}

/// Binds the secrets to their object.
fn associated(kind: Kind, id: Uuid) -> Vec<u8> {
    format!("{}/{}", kind.as_str(), id.hyphenated()).into_bytes()
}
