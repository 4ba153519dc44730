//! `[[lists]]`: e-mail addresses or network addresses that rules refer to by the list's name.

use serde_json::{Value, json};

use super::declared::Declaration;
use super::names::Names;
use super::tree::{Keys, Node};
use crate::model::address::AddressRange;
use crate::model::email::EmailAddress;

pub(super) const KEYS: Keys = Keys {
    known: &["id", "name", "type", "items", "description"],
    refused: &[],
};
const ITEM_KEYS: Keys = Keys {
    known: &["value", "description"],
    refused: &[],
};
/// As Cloudflare's lists spell them.
const TYPES: &[(&str, &str)] = &[("EMAIL", "EMAIL"), ("IP", "IP")];

/// A list that was read.
pub(super) struct DeclaredList {
    pub(super) declaration: Declaration,
    /// Its type.
    pub(super) kind: &'static str,
}

pub(super) fn read(node: &Node<'_>, names: &mut Names) -> Option<DeclaredList> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"contractors\"")
        .and_then(|node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let kind = table
        .need("type", "write type = \"EMAIL\" or type = \"IP\"")
        .and_then(|node| node.one_of(TYPES));
    let items = table
        .need(
            "items",
            "write items = [\"ada@example.com\"] or items = [\"198.51.100.0/24\"]",
        )
        .and_then(|node| items(&node, kind?));
    let (name, kind) = (name?, kind?);
    let mut body = json!({ "name": name, "type": kind, "items": items? });
    if let (Some(description), Value::Object(body)) = (table.node("description"), &mut body) {
        body.insert("description".to_owned(), description.text()?.into());
    }
    let declaration = Declaration {
        key: key?,
        name: name.to_owned(),
        body,
        secrets: std::collections::BTreeMap::new(),
        references: Vec::new(),
        line: node.line(),
    };
    Some(DeclaredList { declaration, kind })
}

fn items(node: &Node<'_>, kind: &str) -> Option<Value> {
    let items: Vec<Option<Value>> = node.array()?.iter().map(|node| item(node, kind)).collect();
    items.into_iter().collect::<Option<Vec<_>>>().map(Value::from)
}

/// An address by itself, or with a description.
fn item(node: &Node<'_>, kind: &str) -> Option<Value> {
    if !node.is_table() {
        return Some(json!({ "value": value(node, kind)? }));
    }
    let table = node.table(&ITEM_KEYS)?;
    let value = value(&table.need("value", "write value = \"…\"")?, kind);
    let mut body = json!({ "value": value? });
    if let (Some(description), Value::Object(body)) = (table.node("description"), &mut body) {
        body.insert("description".to_owned(), description.text()?.into());
    }
    Some(body)
}

fn value<'t>(node: &Node<'t>, kind: &str) -> Option<&'t str> {
    if kind == "IP" {
        node.parsed::<AddressRange>("write 198.51.100.0/24")?;
    } else {
        node.parsed::<EmailAddress>("write ada@example.com")?;
    }
    node.text()
}
