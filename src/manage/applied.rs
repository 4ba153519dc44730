//! Which declarations have been applied, so that an older file never undoes a newer one.
//!
//! Each set of declarations has a fingerprint; the organization's object lists those applied, the newest last. A
//! replica that starts with a file whose fingerprint stands there, but not last, has an older file: what it declares
//! was superseded, and the store's objects stay as the newer file made them. A file that is put back while its gateway
//! runs is no such file where the gateway had applied the newest; otherwise going back takes `vestibule apply`, which
//! makes it the newest again.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::Manage;
use super::organization::{self, set};
use super::plan::kind;
use crate::config::declared::Declared;
use crate::crypto::digest::hex;
use crate::store::{Document, ObjectWrite, StoreError};

const KEY: &str = "declarations";

/// Fingerprints kept. A replica whose file is older than so many changes has been away for longer than any roll-out.
const MAX_KEPT: usize = 256;

/// The declarations applied to a store.
#[derive(Debug)]
pub(super) struct Applied {
    /// The organization's object, which carries the list.
    document: Document,
    list: Vec<Value>,
}

/// How a set of declarations stands to those applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Never applied.
    New,
    /// Applied last.
    Newest,
    /// Applied, and another after it, at this time (milliseconds since 1970).
    Superseded(i64),
}

impl Applied {
    pub(super) async fn read(write: &mut ObjectWrite) -> Result<Self, StoreError> {
        let document = organization::read(write).await?;
        let list = document.body.get(KEY).and_then(Value::as_array).cloned();
        Ok(Self {
            document,
            list: list.unwrap_or_default(),
        })
    }

    pub(super) fn standing(&self, fingerprint: &str) -> Standing {
        let is_it = |entry: &&Value| entry.get("fingerprint").and_then(Value::as_str) == Some(fingerprint);
        let mut later = self.list.iter().skip_while(|entry| !is_it(entry)).skip(1);
        match (self.list.iter().any(|entry| is_it(&entry)), later.next()) {
            (false, _) => Standing::New,
            (true, None) => Standing::Newest,
            (true, Some(next)) => {
                Standing::Superseded(next.get("at_ms").and_then(Value::as_i64).unwrap_or(0))
            }
        }
    }

    /// The organization's object with this fingerprint as the newest.
    pub(super) fn with_newest(mut self, fingerprint: &str, now_ms: i64) -> Document {
        self.list
            .retain(|entry| entry.get("fingerprint").and_then(Value::as_str) != Some(fingerprint));
        self.list
            .push(json!({ "fingerprint": fingerprint, "at_ms": now_ms }));
        let surplus = self.list.len().saturating_sub(MAX_KEPT);
        self.list.drain(..surplus);
        set(&mut self.document, KEY, self.list.into());
        self.document
    }
}

impl Manage {
    /// What is equal for equal declarations, secrets included, and tells nothing about them.
    pub fn fingerprint(&self, declared: &[Declared]) -> String {
        let mut objects: Vec<Value> = declared
            .iter()
            .map(|object| {
                let secrets = object.secrets.iter();
                let secrets: Vec<_> = secrets
                    .map(|(key, secret)| json!([key, secret.expose_secret()]))
                    .collect();
                json!([
                    kind(object.kind).as_str(),
                    object.id,
                    object.name,
                    object.body,
                    secrets
                ])
            })
            .collect();
        objects.sort_by_cached_key(Value::to_string);
        let text = Value::Array(objects).to_string();
        hex(&self.sealer.fingerprint("declarations", text.as_bytes()))
    }
}
