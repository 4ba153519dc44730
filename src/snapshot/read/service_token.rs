//! Service tokens. What stands in the body is what the API shows; hashes stand apart.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::object::{Object, Problem, Problems};
use crate::model::ids::ServiceTokenId;
use crate::model::number;
use crate::model::service_token::{
    PREVIOUS_SECRET_HASH, PreviousSecret, SECRET_HASH, SecretHash, ServiceToken,
};

/// Access' own limit on names.
const MAX_NAME: usize = 350;

/// Reads a service token.
///
/// # Errors
/// Every problem found.
pub fn service_token(
    id: ServiceTokenId,
    body: &Value,
    secrets: &BTreeMap<String, SecretString>,
) -> Result<ServiceToken, Vec<Problem>> {
    let problems = Problems::default();
    let token = Object::new(body, "", &problems).and_then(|object| read(id, &object, secrets));
    problems.or_value(token)
}

fn read(
    id: ServiceTokenId,
    object: &Object<'_>,
    secrets: &BTreeMap<String, SecretString>,
) -> Option<ServiceToken> {
    let name = object.needed_text("name");
    let bad_name = |name: &&str| {
        name.trim().is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control)
    };
    if name.as_ref().is_some_and(bad_name) {
        object.problem("name", "a name has 1 to 350 visible characters");
    }
    let client_id = object.needed("client_id");
    let duration = object.needed("duration");
    let enabled = object.flag("enabled").unwrap_or(true);
    let expires: Option<Timestamp> = object.needed("expires_at");
    let secret_version = version(object);
    let previous_until: Option<Timestamp> = object.parsed("previous_client_secret_expires_at");
    let secret = hash(secrets, SECRET_HASH);
    if secret.is_none() {
        object.problem("client_secret", "its hash is missing");
    }
    let previous = hash(secrets, PREVIOUS_SECRET_HASH)
        .zip(previous_until)
        .map(|(secret, until)| PreviousSecret {
            secret,
            until_ms: until.as_millisecond(),
        });
    Some(ServiceToken {
        id,
        name: name?.to_owned(),
        client_id: client_id?,
        duration: duration?,
        enabled,
        expires_ms: expires?.as_millisecond(),
        secret_version: secret_version?,
        secret: secret?,
        previous,
    })
}

/// The version that its writer gives the secret; the first is 1.
fn version(object: &Object<'_>) -> Option<u64> {
    let Some(written) = object.given("client_secret_version") else {
        return Some(1);
    };
    let version = number::whole(written).filter(|version| *version > 0);
    if version.is_none() {
        object.problem("client_secret_version", "a whole number from 1 is needed");
    }
    version
}

fn hash(secrets: &BTreeMap<String, SecretString>, key: &str) -> Option<SecretHash> {
    let text = secrets.get(key)?.expose_secret();
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(SecretHash(hash))
}
