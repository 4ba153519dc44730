//! `[[identity_providers]]`: Entra directories with the keys of Access' type `azureAD`, and ours.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::certificate;
use super::clouds::{DEFAULT, UNAVAILABLE};
use super::declared::Declaration;
use super::names::{Names, uuid};
use super::scim;
use super::secret;
use super::suggest::closest;
use super::tree::{Keys, Node, Table};
use crate::model::duration::GoDuration;
use crate::model::idp::Cloud;

pub(super) const KEYS: Keys = Keys {
    known: &[
        "id",
        "name",
        "type",
        "config",
        "scim_config",
        "scim_secret",
        "directory_sync",
    ],
    refused: &[],
};
pub(super) const CONFIG_KEYS: Keys = Keys {
    known: &[
        "client_id",
        "client_secret",
        "next_client_secret",
        "client_secret_expires_at",
        "client_certificate",
        "federated_token_file",
        "directory_id",
        "support_groups",
        "pkce_enabled",
        "email_claim_name",
        "claims",
        "prompt",
        "domain_hint",
        "conditional_access_enabled",
        "azure_cloud",
        "scopes",
        "trust_guest_email",
        "custom_signing_key",
        "refresh_check",
        "refresh_check_grace",
    ],
    refused: &[(
        "redirect_url",
        "the redirect address follows from auth_url: <auth_url>/cdn-cgi/access/callback",
    )],
};
pub(super) const CERTIFICATE_KEYS: Keys = Keys {
    known: &["certificate", "key"],
    refused: &[],
};
const TYPES: &[(&str, ())] = &[("azureAD", ())];
const PROMPTS: &[(&str, ())] = &[("login", ()), ("select_account", ()), ("none", ())];
const CREDENTIAL: &str = "write client_secret = { env = \"ENTRA_SECRET\" }";
const SUPPORT_GROUPS: &str = "support_groups";
/// Where the hash of a declared SCIM secret stands among a provider's secrets.
const SCIM_SECRET_HASH: &str = "scim_secret_hash";

/// A provider that was read.
pub(super) struct Provider {
    pub(super) declaration: Declaration,
    /// Whether group rules can be answered for its people.
    pub(super) groups: bool,
}

impl Provider {
    /// Whether a switch of its settings is on.
    pub(super) fn is_on(&self, key: &str) -> bool {
        self.setting(key) == Some(&Value::Bool(true))
    }

    /// Whether it copies a claim into identities.
    pub(super) fn copies(&self, claim: &str) -> bool {
        let claims = self.setting("claims").and_then(Value::as_array);
        claims.is_some_and(|claims| claims.iter().any(|copied| copied == claim))
    }

    fn setting(&self, key: &str) -> Option<&Value> {
        self.declaration.body.get("config")?.get(key)
    }
}

pub(super) fn read(node: &Node<'_>, clouds: &BTreeMap<String, Cloud>, names: &mut Names) -> Option<Provider> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"Entra ID\", as the chooser shall show it")
        .and_then(|node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let kind = table
        .need("type", "write type = \"azureAD\"")
        .and_then(|node| node.one_of(TYPES));
    let config = table
        .need(
            "config",
            "write config = { client_id = …, client_secret = …, directory_id = … }",
        )
        .and_then(|node| settings(&node, clouds));
    let scim = table.node("scim_config").map(|node| scim::config(&node));
    let scim_secret = table.node("scim_secret").map(|node| {
        if scim.is_none() {
            node.fault(
                "a secret for nothing",
                "write scim_config = { enabled = true } as well",
            );
        }
        scim::secret_hash(&node)
    });
    let by_scim = says_enabled(scim.as_ref().and_then(Option::as_ref), true);
    let sync = table.node("directory_sync").map(|node| {
        let read = scim::sync(&node);
        if by_scim && !says_enabled(read.as_ref(), false) {
            node.fault(
                "the directory tells of its people by SCIM already",
                "keep one of scim_config and directory_sync",
            );
        }
        read
    });
    let (name, (config, mut secrets)) = (name?, config?);
    kind?;
    let read = sync.as_ref().and_then(Option::as_ref);
    let by_graph = read.is_some() && !says_enabled(read, false);
    let groups = config.get(SUPPORT_GROUPS) == Some(&Value::Bool(true)) || by_scim || by_graph;
    let mut body = json!({ "name": name, "type": "azureAD", "config": config });
    if let (Some(scim), Value::Object(body)) = (scim, &mut body) {
        body.insert("scim_config".to_owned(), scim?);
    }
    if let (Some(sync), Value::Object(body)) = (sync, &mut body) {
        body.insert("directory_sync".to_owned(), sync?);
    }
    if let Some(hash) = scim_secret {
        secrets.insert(SCIM_SECRET_HASH.to_owned(), hash?);
    }
    let declaration = Declaration {
        key: key?,
        name: name.to_owned(),
        body,
        secrets,
        references: Vec::new(),
        line: node.line(),
    };
    Some(Provider { declaration, groups })
}

/// Whether what was read of a directory says `enabled`, and this of it.
fn says_enabled(read: Option<&Value>, on: bool) -> bool {
    read.and_then(|read| read.get("enabled")) == Some(&Value::Bool(on))
}

type Settings = (Map<String, Value>, BTreeMap<String, SecretString>);

fn settings(node: &Node<'_>, clouds: &BTreeMap<String, Cloud>) -> Option<Settings> {
    let table = node.table(&CONFIG_KEYS)?;
    let mut written = Written {
        table: &table,
        config: Map::new(),
        secrets: BTreeMap::new(),
        complete: true,
    };
    for (key, mend) in [
        (
            "client_id",
            "write the Application (client) ID of the app registration",
        ),
        ("directory_id", "write the Directory (tenant) ID"),
    ] {
        let id = table.need(key, mend).and_then(|node| uuid(&node));
        written.keep(key, id.map(|id| Value::from(id.to_string())));
    }
    credential(&mut written);
    for key in [
        "support_groups",
        "conditional_access_enabled",
        "pkce_enabled",
        "trust_guest_email",
        "custom_signing_key",
    ] {
        written.option(key, |node| node.boolean().map(Value::from));
    }
    for key in ["email_claim_name", "domain_hint"] {
        written.option(key, |node| node.name().map(Value::from));
    }
    written.option("refresh_check", |node| duration(node, Duration::from_mins(1)));
    written.option("refresh_check_grace", |node| duration(node, Duration::ZERO));
    for key in ["claims", "scopes"] {
        written.option(key, words);
    }
    written.option("prompt", |node| {
        node.one_of(PROMPTS)?;
        node.text().map(Value::from)
    });
    written.option("azure_cloud", |node| azure_cloud(node, clouds).map(Value::from));
    written.complete.then_some((written.config, written.secrets))
}

fn duration(node: &Node<'_>, least: Duration) -> Option<Value> {
    let mend = "write a duration such as \"15m\"";
    let length: GoDuration = node.parsed(mend)?;
    let fine = length.length() >= least;
    if !fine {
        node.fault(format!("{length} is too short"), mend);
    }
    fine.then(|| length.as_str().into())
}

/// The settings as far as they have been read.
struct Written<'w, 't> {
    table: &'w Table<'t>,
    config: Map<String, Value>,
    secrets: BTreeMap<String, SecretString>,
    complete: bool,
}

impl Written<'_, '_> {
    /// Keeps a value; without one the provider is not complete.
    fn keep(&mut self, key: &str, value: Option<Value>) {
        match value {
            Some(value) => {
                self.config.insert(key.to_owned(), value);
            }
            None => self.complete = false,
        }
    }

    fn keep_secret(&mut self, key: &str, secret: Option<SecretString>) {
        match secret {
            Some(secret) => {
                self.secrets.insert(key.to_owned(), secret);
            }
            None => self.complete = false,
        }
    }

    /// Reads a key that may be absent.
    fn option(&mut self, key: &str, read: impl FnOnce(&Node<'_>) -> Option<Value>) {
        if let Some(node) = self.table.node(key) {
            let value = read(&node);
            self.keep(key, value);
        }
    }
}

/// How the client proves itself: by secret, by certificate or by a federated token. Exactly one.
fn credential(written: &mut Written<'_, '_>) {
    let table = written.table;
    let given = ["client_secret", "client_certificate", "federated_token_file"]
        .into_iter()
        .filter_map(|key| table.node(key))
        .collect::<Vec<_>>();
    match given.as_slice() {
        [] => {
            written.complete = false;
            table.need("client_secret", CREDENTIAL);
        }
        [_] => {}
        [_, second, ..] => {
            second.fault(
                "the client proves itself in one way only",
                "keep one of client_secret, client_certificate and federated_token_file",
            );
            written.complete = false;
        }
    }
    for key in ["client_secret", "next_client_secret"] {
        if let Some(node) = table.node(key) {
            written.keep_secret(key, secret::text(&node));
        }
    }
    if let (Some(node), None) = (table.node("next_client_secret"), table.node("client_secret")) {
        node.fault("a next secret without a present one", "write it as client_secret");
    }
    written.option("client_secret_expires_at", |node| node.instant().map(Value::from));
    if let Some(node) = table.node("client_certificate") {
        match client_certificate(&node) {
            Some((certificate, key)) => {
                written.keep("client_certificate", Some(json!({ "certificate": certificate })));
                written.keep_secret("client_certificate_key", Some(key));
            }
            None => written.complete = false,
        }
    }
    written.option("federated_token_file", |node| {
        secret::file_bytes(node)?;
        Some(Value::from(node.reader.path(node.text()?).display().to_string()))
    });
}

/// The certificate and its RSA key, PEM each. Entra takes RSA only
/// (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
fn client_certificate(node: &Node<'_>) -> Option<(String, SecretString)> {
    let table = node.table(&CERTIFICATE_KEYS)?;
    let certificate_node = table.need("certificate", "write { file = \"/path/certificate.pem\" }")?;
    let key_node = table.need("key", "write { file = \"/path/key.pem\" }")?;
    let certificate = match certificate_node.as_text() {
        Some(pem) => Some(pem.to_owned()),
        None => secret::text(&certificate_node).map(|text| text.expose_secret().to_owned()),
    };
    let key = secret::text(&key_node);
    let (certificate, key) = (certificate?, key?);
    let pair = certificate::pair(
        &certificate_node,
        certificate.as_bytes(),
        &key_node,
        key.expose_secret().as_bytes(),
    )?;
    if !pair.is_rsa() {
        key_node.fault("Entra takes RSA certificates only", "make one with an RSA key");
        return None;
    }
    Some((certificate, key))
}

/// A list of words without white space: claims and scopes are sent separated by it.
fn words(node: &Node<'_>) -> Option<Value> {
    let words = node.array()?.into_iter().map(|node| {
        let word = node.name()?;
        let fine = !word.contains(char::is_whitespace);
        if !fine {
            node.fault(
                format!("\"{word}\" has white space in it"),
                "write one word an entry",
            );
        }
        fine.then(|| Value::from(word))
    });
    let words: Vec<Option<Value>> = words.collect();
    words.into_iter().collect::<Option<Vec<Value>>>().map(Value::from)
}

fn azure_cloud(node: &Node<'_>, clouds: &BTreeMap<String, Cloud>) -> Option<String> {
    let name = node.text()?;
    if let Some((_, why)) = UNAVAILABLE.iter().find(|(closed, _)| *closed == name) {
        node.fault(
            *why,
            format!("write \"{DEFAULT}\" or the cloud the directory moved to"),
        );
        return None;
    }
    if !clouds.contains_key(name) {
        let mend = match closest(name, clouds.keys().map(String::as_str)) {
            Some(cloud) => format!("did you mean \"{cloud}\"?"),
            None => format!("describe it as [clouds.{name}], or leave it out for the worldwide cloud"),
        };
        node.fault(format!("no cloud is called \"{name}\""), mend);
        return None;
    }
    Some(name.to_owned())
}
