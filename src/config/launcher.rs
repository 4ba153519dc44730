//! `[[applications]]` of `type = "app_launcher"`: who may open the launcher, and what it wears.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::applications::{Application, TOKEN_LIFE, fill, policies, references};
use super::declared::Declaration;
use super::looks;
use super::names::Names;
use super::rules::Scope;
use super::tree::{Keys, Node, Table};
use crate::model::ids::AudTag;
use crate::model::web_address::WebAddress;

pub(super) const KEYS: Keys = Keys {
    known: &[
        "id",
        "aud",
        "name",
        "type",
        "session_duration",
        "allowed_idps",
        "auto_redirect_to_identity",
        "policies",
        "custom_deny_message",
        "custom_deny_url",
        "custom_non_identity_deny_url",
        "custom_pages",
        "app_launcher_logo_url",
        "bg_color",
        "header_bg_color",
        "footer_links",
        "landing_page_design",
        "skip_app_launcher_login_page",
    ],
    refused: &[
        ("domain", "the launcher is on the auth host"),
        ("destinations", "the launcher is on the auth host"),
        ("self_hosted_domains", "the launcher is on the auth host"),
    ],
};
/// What it is called where the file does not say.
const NAME: &str = "App Launcher";
/// The type, as Access calls it.
pub(super) const TYPE: &str = "app_launcher";

/// Whether a table declares the launcher.
pub(super) fn is_launcher(node: &Node<'_>) -> bool {
    let written = node.is_table().then(|| node.any_table()).flatten();
    let kind = written.and_then(|table| table.node("type"));
    kind.is_some_and(|kind| kind.as_text() == Some(TYPE))
}

pub(super) fn read<'t>(
    node: &Node<'t>,
    scope: &Scope<'_>,
    names: &mut Names,
    policy_names: &mut Names,
) -> Option<Application<'t>> {
    let table = node.table(&KEYS)?;
    let name = table.node("name").map_or(Some(NAME), |node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let settings = settings(&table);
    let looks = looks::launcher(&table);
    let providers = references(&table, "allowed_idps", scope.providers);
    let pages = references(&table, "custom_pages", scope.pages);
    let policies = policies(&table, name.unwrap_or_default(), scope, policy_names);

    let (name, mut body, policies) = (name?, settings?, policies?);
    body.extend(looks?);
    body.insert("name".to_owned(), name.into());
    body.insert("type".to_owned(), TYPE.into());
    let mut references = fill(&mut body, "allowed_idps", providers?, |_| (Value::Null, ""));
    let pages = pages?;
    if !pages.is_empty() {
        references.extend(fill(&mut body, "custom_pages", pages, |_| (Value::Null, "")));
    }
    references.extend(fill(&mut body, "policies", policies.links, |index| {
        (json!({ "id": null, "precedence": index + 1 }), "/id")
    }));
    Some(Application {
        declaration: Declaration {
            key: key?,
            name: name.to_owned(),
            body: body.into(),
            secrets: BTreeMap::new(),
            references,
            line: node.line(),
        },
        destinations: Vec::new(),
        policies: policies.inside,
        launcher: table.node("type"),
    })
}

fn settings(table: &Table<'_>) -> Option<Map<String, Value>> {
    let mut read: Vec<(&str, Option<Value>)> = Vec::new();
    let mut option = |key: &'static str, value: &dyn Fn(&Node<'_>) -> Option<Value>| {
        if let Some(node) = table.node(key) {
            read.push((key, value(&node)));
        }
    };
    option("aud", &|node| {
        let aud: AudTag = node.parsed("leave it out: one is generated and kept")?;
        Some(String::from(aud).into())
    });
    option("session_duration", &|node| {
        Some(TOKEN_LIFE.parse(node)?.as_str().into())
    });
    option("auto_redirect_to_identity", &|node| {
        node.boolean().map(Value::from)
    });
    option("custom_deny_message", &|node| node.text().map(Value::from));
    for key in ["custom_deny_url", "custom_non_identity_deny_url"] {
        option(key, &|node| {
            let address: WebAddress = node.parsed("write https://www.example.com/refused")?;
            Some(address.as_str().into())
        });
    }
    read.into_iter()
        .map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}
