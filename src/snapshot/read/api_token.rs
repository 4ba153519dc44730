//! Tokens of the API. What stands in the body is what the operator wrote; the hash stands apart.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::object::{Object, Problem, Problems};
use crate::model::address::Network;
use crate::model::api_token::{ApiToken, TOKEN_HASH};
use crate::model::ids::ApiTokenId;
use crate::model::permission::Permissions;

/// Ranges of addresses of one token.
const MOST_ADDRESSES: usize = 100;

/// Reads a token of the API.
///
/// # Errors
/// Every problem found.
pub fn api_token(
    id: ApiTokenId,
    body: &Value,
    secrets: &BTreeMap<String, SecretString>,
) -> Result<ApiToken, Vec<Problem>> {
    let problems = Problems::default();
    let token = Object::new(body, "", &problems).and_then(|object| read(id, &object, secrets));
    problems.or_value(token)
}

fn read(id: ApiTokenId, object: &Object<'_>, secrets: &BTreeMap<String, SecretString>) -> Option<ApiToken> {
    let name = object.needed_text("name");
    let names: Vec<String> = object.list("permissions");
    let permissions = Permissions::from_names(names.iter().map(String::as_str));
    let permissions = match permissions {
        Ok(permissions) if permissions.is_empty() => {
            object.problem("permissions", "at least one permission is needed");
            None
        }
        Ok(permissions) => Some(permissions),
        Err(unknown) => {
            object.problem(
                "permissions",
                format!("there is no permission called \"{unknown}\""),
            );
            None
        }
    };
    let addresses: Vec<Network> = object.list("addresses");
    let addresses: Vec<IpNet> = addresses.into_iter().map(|network| network.0).collect();
    if addresses.len() > MOST_ADDRESSES {
        object.problem("addresses", format!("at most {MOST_ADDRESSES} are taken"));
    }
    let expires: Option<Timestamp> = object.parsed("expires_at");
    let hash = secrets.get(TOKEN_HASH);
    if hash.is_none() {
        object.problem("token", "its hash is missing");
    }
    Some(ApiToken {
        id,
        name: name?.to_owned(),
        permissions: permissions?,
        addresses,
        expires_ms: expires.map(Timestamp::as_millisecond),
        hash: hash?.expose_secret().to_owned(),
    })
}
