//! `[[applications]]` of `type = "app_launcher"`: who may open the launcher, and what it wears.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::applications::{Application, check_choice, common_settings, policies, refer, references};
use super::declared::Declaration;
use super::looks;
use super::names::Names;
use super::rules::Scope;
use super::tree::{Keys, Node, Table};
use crate::model::application::{LAUNCHER, LAUNCHER_NAME};

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

/// Whether a table declares the launcher.
pub(super) fn is_launcher(node: &Node<'_>) -> bool {
    let written = node.is_table().then(|| node.any_table()).flatten();
    let kind = written.and_then(|table| table.node("type"));
    kind.is_some_and(|kind| kind.as_text() == Some(LAUNCHER))
}

pub(super) fn read<'t>(
    node: &Node<'t>,
    scope: &Scope<'_>,
    names: &mut Names,
    policy_names: &mut Names,
) -> Option<Application<'t>> {
    let table = node.table(&KEYS)?;
    let name = table.node("name").map_or(Some(LAUNCHER_NAME), |node| node.name());
    let key = name.and_then(|name| names.enter(&table, name));
    let settings = settings(&table);
    let looks = looks::launcher(&table);
    let providers = references(&table, "allowed_idps", scope.providers);
    if let Some(allowed) = &providers {
        check_choice(&table, scope, allowed);
    }
    let pages = references(&table, "custom_pages", scope.pages);
    let policies = policies(&table, name.unwrap_or_default(), scope, policy_names);

    let (name, mut body, policies) = (name?, settings?, policies?);
    body.extend(looks?);
    body.insert("name".to_owned(), name.into());
    body.insert("type".to_owned(), LAUNCHER.into());
    let references = refer(&mut body, providers?, pages?, policies.links);
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
    let mut read = common_settings(table);
    if let Some(node) = table.node("auto_redirect_to_identity") {
        read.push(("auto_redirect_to_identity", node.boolean().map(Value::from)));
    }
    read.into_iter()
        .map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}
