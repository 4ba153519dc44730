//! `[[certificates]]`: authorities whose client certificates are taken, and the hosts at which they count.

use std::collections::BTreeMap;

use serde_json::json;

use super::declared::Declaration;
use super::names::Names;
use super::secret::file_bytes;
use super::tree::{Keys, Node};
use crate::crypto::x509;
use crate::model::destination::Destination;

pub(super) const KEYS: Keys = Keys {
    known: &["id", "name", "certificate", "associated_hostnames"],
    refused: &[],
};
const FILE: Keys = Keys {
    known: &["file"],
    refused: &[],
};
const CERTIFICATE: &str =
    "write certificate = { file = \"/etc/vestibule/clients-ca.pem\" }, or the PEM text itself";
const HOSTNAMES: &str = "write associated_hostnames = [\"wiki.example.com\"]";

pub(super) fn read(node: &Node<'_>, names: &mut Names) -> Option<Declaration> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"Laptops\"")
        .and_then(|node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let certificate = table.need("certificate", CERTIFICATE).and_then(|node| pem(&node));
    let hostnames = table
        .need("associated_hostnames", HOSTNAMES)
        .and_then(|node| hostnames(&node));
    let (name, certificate, hostnames) = (name?, certificate?, hostnames?);
    Some(Declaration {
        key: key?,
        name: name.to_owned(),
        body: json!({
            "name": name,
            "certificate": certificate,
            "associated_hostnames": hostnames,
        }),
        secrets: BTreeMap::new(),
        references: Vec::new(),
        line: node.line(),
    })
}

fn pem(node: &Node<'_>) -> Option<String> {
    let text = if node.is_table() {
        let file = node.table(&FILE)?.need("file", CERTIFICATE)?;
        let bytes = file_bytes(&file)?;
        String::from_utf8(bytes).unwrap_or_default()
    } else {
        node.text()?.to_owned()
    };
    match x509::authorities(&text) {
        Ok(_) => Some(text),
        Err(reason) => {
            node.fault(reason.to_string(), CERTIFICATE);
            None
        }
    }
}

fn hostnames(node: &Node<'_>) -> Option<Vec<String>> {
    let nodes = node.array()?;
    if nodes.is_empty() {
        node.warn("its certificates count nowhere", HOSTNAMES);
    }
    let read = nodes.iter().map(|node| {
        let host: Destination = node.parsed("write a host such as wiki.example.com or *.example.com")?;
        if !host.path().is_empty() {
            node.fault(
                "certificates are asked for by host, before there is a path",
                "leave the path out",
            );
            return None;
        }
        Some(host.to_string())
    });
    // Every one is read, so that all mistakes are told.
    let read: Vec<Option<String>> = read.collect();
    read.into_iter().collect()
}
