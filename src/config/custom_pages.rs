//! `[[custom_pages]]`: pages of the operator's, shown in place of ours.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::declared::Declaration;
use super::names::Names;
use super::tree::{Keys, Node, Table};
use crate::model::custom_page::{CustomHtml, CustomPageKind};

pub(super) const KEYS: Keys = Keys {
    known: &["id", "name", "type", "custom_html"],
    refused: &[],
};
const FILE_KEYS: Keys = Keys {
    known: &["file"],
    refused: &[],
};
const TYPES: &[(&str, CustomPageKind)] = &[
    ("identity_denied", CustomPageKind::IdentityDenied),
    ("forbidden", CustomPageKind::Forbidden),
];
const HTML: &str = "write custom_html = { file = \"refused.html\" }";

pub(super) fn read(node: &Node<'_>, names: &mut Names) -> Option<Declaration> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"Refused\"")
        .and_then(|node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let kind = table
        .need("type", "write type = \"identity_denied\" or \"forbidden\"")
        .and_then(|node| node.one_of(TYPES));
    let html = table.need("custom_html", HTML).and_then(|node| html(&node));
    let (name, kind) = (name?, kind?);
    Some(Declaration {
        key: key?,
        name: name.to_owned(),
        body: json!({ "name": name, "type": kind.as_str(), "custom_html": html? }),
        secrets: BTreeMap::new(),
        references: Vec::new(),
        line: node.line(),
    })
}

/// Holds what `[organization]` says of pages against the pages there are.
pub(super) fn check_organization(root: &Table<'_>, names: &Names, pages: &[Declaration]) {
    let organization = root.node("organization").and_then(|node| node.any_table());
    let written = organization.and_then(|table| table.node("custom_pages")?.any_table());
    let Some(written) = written else {
        return;
    };
    for (word, _) in TYPES {
        let Some(node) = written.node(word) else {
            continue;
        };
        let Some(key) = names.find(&node) else {
            continue;
        };
        let page = pages.iter().find(|page| page.key == key);
        if page.is_some_and(|page| page.body.get("type").and_then(Value::as_str) != Some(*word)) {
            node.fault(format!("the page is not of type {word}"), "name one that is");
        }
    }
}

/// The page itself: written out, or in a file.
fn html(node: &Node<'_>) -> Option<String> {
    let text = if node.is_table() {
        let file = node.table(&FILE_KEYS)?.need("file", HTML)?;
        let path = node.reader.path(file.text()?);
        match (node.reader.surroundings.read)(&path).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => {
                file.fault("the file is no UTF-8 text", "save it as UTF-8");
                return None;
            }
            Err(error) => {
                file.fault(
                    format!("{} cannot be read: {error}", path.display()),
                    "name a readable file",
                );
                return None;
            }
        }
    } else {
        node.text()?.to_owned()
    };
    if let Err(malformed) = text.parse::<CustomHtml>() {
        node.fault(malformed.to_string(), HTML);
        return None;
    }
    Some(text)
}
