//! Secrets in the file: `{ env = "NAME" }`, `{ file = "/path" }`, or, with a warning, the text itself.

use secrecy::SecretString;

use super::tree::{Keys, Node};

const KEYS: Keys = Keys {
    known: &["env", "file"],
    refused: &[],
};
const FORM: &str = "write { env = \"NAME\" } or { file = \"/path\" }";

/// A secret text, without the line break that ends most files.
pub(super) fn text(node: &Node<'_>) -> Option<SecretString> {
    let bytes = bytes(node)?;
    let text = String::from_utf8(bytes).ok();
    if text.is_none() {
        node.fault("the secret is no UTF-8 text", "store it as text");
    }
    text.map(SecretString::from)
}

/// A secret as bytes. A line break that ends a text is cut; what is no text is taken whole.
pub(super) fn bytes(node: &Node<'_>) -> Option<Vec<u8>> {
    let bytes = if let Some(literal) = node.as_text() {
        node.warn("a secret stands in the file itself", FORM);
        literal.as_bytes().to_vec()
    } else if node.is_table() {
        referenced(node)?
    } else {
        node.fault("a secret is needed", FORM);
        return None;
    };
    let secret = without_line_break(bytes);
    if secret.is_empty() {
        node.fault("the secret is empty", "give it a value");
        return None;
    }
    Some(secret)
}

fn referenced(node: &Node<'_>) -> Option<Vec<u8>> {
    let table = node.table(&KEYS)?;
    match (table.node("env"), table.node("file")) {
        (Some(env), None) => {
            let name = env.text()?;
            let value = (node.reader.surroundings.env)(name);
            if value.is_none() {
                env.fault(
                    format!("the environment variable {name} is not set"),
                    "set it where the gateway is started",
                );
            }
            value.map(String::into_bytes)
        }
        (None, Some(file)) => file_bytes(&file),
        _ => {
            node.fault("a secret is one reference", FORM);
            None
        }
    }
}

/// What a file holds that is named in the configuration.
pub(super) fn file_bytes(node: &Node<'_>) -> Option<Vec<u8>> {
    let path = node.reader.path(node.text()?);
    match (node.reader.surroundings.read)(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            node.fault(
                format!("{} cannot be read: {error}", path.display()),
                "name a file that the gateway may read",
            );
            None
        }
    }
}

fn without_line_break(mut bytes: Vec<u8>) -> Vec<u8> {
    let is_text = std::str::from_utf8(&bytes).is_ok();
    if is_text && bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}
