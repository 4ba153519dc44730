//! `[[service_tokens]]`: tokens that machines hold already. Of the secret, only its hash goes on from here.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::declared::Declaration;
use super::names::Names;
use super::secret;
use super::tree::{Keys, Node};
use crate::crypto::digest::sha256_hex;
use crate::model::ids::ClientId;
use crate::model::service_token::{LONGEST_SECRET, SECRET_HASH, TokenLife};

pub(super) const KEYS: Keys = Keys {
    known: &["id", "name", "client_id", "client_secret", "duration", "enabled"],
    refused: &[
        (
            "expires_at",
            "it follows from duration, counted from when the token was first declared",
        ),
        (
            "client_secret_version",
            "another client_secret is another version",
        ),
    ],
};
/// Secrets are kept as a plain hash, so nobody must be able to find one by trying.
const SHORTEST_SECRET: usize = 32;
const SECRET: &str =
    "write { env = \"NAME\" } for the secret as it was issued: cfast_… or 64 hexadecimal digits";

pub(super) fn read(node: &Node<'_>, names: &mut Names) -> Option<Declaration> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"CI\"")
        .and_then(|node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let client_id = table
        .node("client_id")
        .map(|node| node.parsed::<ClientId>("write it as it was issued, or leave it out: one is generated"));
    let duration = table.node("duration").map_or(Some(TokenLife::default()), |node| {
        node.parsed("write duration = \"8760h\" or \"forever\"")
    });
    let enabled = table.node("enabled").map_or(Some(true), |node| node.boolean());
    let secret = table
        .need("client_secret", SECRET)
        .and_then(|node| strong_secret(&node, SECRET));
    let (name, duration) = (name?, duration?);
    let mut body = Map::new();
    body.insert("name".to_owned(), name.into());
    if let Some(client_id) = client_id {
        body.insert("client_id".to_owned(), client_id?.as_str().into());
    }
    body.insert("duration".to_owned(), duration.as_str().into());
    body.insert("enabled".to_owned(), enabled?.into());
    let hash = SecretString::from(sha256_hex(secret?.expose_secret().as_bytes()));
    Some(Declaration {
        key: key?,
        name: name.to_owned(),
        body: Value::Object(body),
        secrets: BTreeMap::from([(SECRET_HASH.to_owned(), hash)]),
        references: Vec::new(),
        line: node.line(),
    })
}

/// A secret that is kept as a plain hash; `mend` says how to write one.
pub(super) fn strong_secret(node: &Node<'_>, mend: &str) -> Option<SecretString> {
    let secret = secret::text(node)?;
    let text = secret.expose_secret();
    let fine = (SHORTEST_SECRET..=LONGEST_SECRET).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !fine {
        node.fault(
            format!("a secret has {SHORTEST_SECRET} to {LONGEST_SECRET} visible characters without spaces"),
            mend,
        );
    }
    fine.then_some(secret)
}
