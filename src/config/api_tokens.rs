//! `[[api_tokens]]`: what opens the API. Of a token, only its hash goes on from here.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::declared::Declaration;
use super::listen::network;
use super::names::Names;
use super::secret;
use super::suggest::closest;
use super::tree::{Keys, Node, Table};
use crate::crypto::digest::sha256_hex;
use crate::model::api_token::{TOKEN_HASH, is_token};
use crate::model::permission::{EVERYTHING, Permission};

pub(super) const KEYS: Keys = Keys {
    known: &["id", "name", "token", "permissions", "addresses", "expires_at"],
    refused: &[],
};
const TOKEN: &str =
    "write { env = \"NAME\" } for 40 to 80 of A-Z, a-z, 0-9, - and _, as `openssl rand -hex 24` makes them";
const PERMISSIONS: &str = "write permissions = [\"Access: Apps and Policies Write\"], or [\"*\"] for all";

pub(super) fn read(node: &Node<'_>, names: &mut Names) -> Option<Declaration> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"terraform\"")
        .and_then(|node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let token = table.need("token", TOKEN).and_then(|node| token(&node));
    let permissions = permissions(&table);
    let addresses: Vec<Option<Value>> = table
        .list("addresses")
        .iter()
        .map(|node| network(node).map(|network| network.to_string().into()))
        .collect();
    let addresses: Option<Vec<Value>> = addresses.into_iter().collect();
    let expires = table.node("expires_at").map(|node| node.instant());
    let (name, permissions, addresses) = (name?, permissions?, addresses?);
    let mut body = Map::new();
    body.insert("name".to_owned(), name.into());
    body.insert("permissions".to_owned(), permissions.into());
    if !addresses.is_empty() {
        body.insert("addresses".to_owned(), addresses.into());
    }
    if let Some(expires) = expires {
        body.insert("expires_at".to_owned(), expires?.into());
    }
    let hash = SecretString::from(sha256_hex(token?.expose_secret().as_bytes()));
    Some(Declaration {
        key: key?,
        name: name.to_owned(),
        body: Value::Object(body),
        secrets: BTreeMap::from([(TOKEN_HASH.to_owned(), hash)]),
        references: Vec::new(),
        line: node.line(),
    })
}

fn token(node: &Node<'_>) -> Option<SecretString> {
    let token = secret::text(node)?;
    let fine = is_token(token.expose_secret());
    if !fine {
        node.fault("this is no token of the API", TOKEN);
    }
    fine.then_some(token)
}

fn permissions(table: &Table<'_>) -> Option<Vec<Value>> {
    table.need("permissions", PERMISSIONS)?;
    let nodes = table.list("permissions");
    if nodes.is_empty()
        && let Some(node) = table.node("permissions")
    {
        node.fault("a token that may do nothing", PERMISSIONS);
        return None;
    }
    let read: Vec<Option<Value>> = nodes.iter().map(permission).collect();
    read.into_iter().collect()
}

fn permission(node: &Node<'_>) -> Option<Value> {
    let name = node.text()?;
    if name == EVERYTHING || name.parse::<Permission>().is_ok() {
        return Some(name.into());
    }
    let mend = match closest(name, Permission::names()) {
        Some(known) => format!("did you mean \"{known}\"?"),
        None => PERMISSIONS.to_owned(),
    };
    node.fault(format!("no permission is called \"{name}\""), mend);
    None
}
