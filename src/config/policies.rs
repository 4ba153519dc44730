//! Policies, at the top of the file or inside an application, and their rules.

use serde_json::{Map, Value, json};

use super::applications::TOKEN_LIFE;
use super::declared::{Declaration, DeclaredId, DeclaredKind, ObjectKey};
use super::names::Names;
use super::providers::Provider;
use super::tree::{Keys, Node, Table};
use crate::model::address::AddressRange;
use crate::model::email::{EmailAddress, EmailDomain};
use crate::model::ids::ObjectId;
use crate::model::selector::Selector;

const KEYS: Keys = Keys {
    known: &[
        "id",
        "name",
        "decision",
        "include",
        "require",
        "exclude",
        "session_duration",
    ],
    refused: &[
        ("precedence", "the order in the file is the precedence"),
        ("purpose_justification_required", NOT_YET),
        ("purpose_justification_prompt", NOT_YET),
        ("approval_required", NOT_YET),
        ("approval_groups", NOT_YET),
        ("isolation_required", NOT_YET),
        ("mfa_config", NOT_YET),
        ("connection_rules", NOT_YET),
    ],
};
const NOT_YET: &str = "this version does not evaluate it yet";
const DECISIONS: &[(&str, bool)] = &[("allow", true), ("deny", true), ("bypass", false)];

/// What rules may refer to.
pub(super) struct Scope<'s> {
    pub(super) providers: &'s Names,
    pub(super) pages: &'s Names,
    pub(super) known: &'s [Provider],
}

/// A policy that applications refer to by name.
pub(super) fn read(node: &Node<'_>, scope: &Scope<'_>, names: &mut Names) -> Option<Declaration> {
    let (table, name) = heading(node)?;
    let key = name.and_then(|name| names.enter(&table, name));
    policy(node, &table, key, name, scope)
}

/// A policy inside an application, which is called after both.
pub(super) fn read_inside(
    node: &Node<'_>,
    application: &str,
    scope: &Scope<'_>,
    names: &mut Names,
) -> Option<Declaration> {
    let (table, name) = heading(node)?;
    let mut key = name.and_then(|name| names.enter(&table, name));
    if let Some(ObjectKey {
        id: DeclaredId::Derived(derived),
        ..
    }) = &mut key
    {
        // Names have no control characters, so that no two pairs make the same text.
        *derived = format!("{application}\n{derived}");
    }
    policy(node, &table, key, name, scope)
}

/// The names of policies inside one application.
pub(super) fn names() -> Names {
    Names::new(DeclaredKind::Policy, "policy")
}

fn heading<'t>(node: &Node<'t>) -> Option<(Table<'t>, Option<&'t str>)> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"staff\"")
        .and_then(|node| node.name());
    Some((table, name))
}

fn policy(
    node: &Node<'_>,
    table: &Table<'_>,
    key: Option<ObjectKey>,
    name: Option<&str>,
    scope: &Scope<'_>,
) -> Option<Declaration> {
    let decision = table
        .need("decision", "write decision = \"allow\"")
        .and_then(|node| decision(&node));
    let include = table.need(
        "include",
        "write include = [{ everyone = {} }] or who else may come",
    );
    if let Some(node) = &include
        && node.array().is_some_and(|rules| rules.is_empty())
    {
        node.fault("nobody is included", "write at least one rule");
    }
    let mut rules = Rules {
        scope,
        identity_allowed: decision.is_none_or(|(_, identity)| identity),
        body: Map::new(),
        references: Vec::new(),
        complete: include.is_some(),
    };
    for list in ["include", "require", "exclude"] {
        if let Some(node) = table.node(list) {
            rules.read(list, &node);
        }
    }
    let session_duration = table.node("session_duration").map(|node| TOKEN_LIFE.parse(&node));
    let (name, (decision, _)) = (name?, decision?);
    let mut body = json!({ "name": name, "decision": decision });
    if let Value::Object(body) = &mut body {
        body.append(&mut rules.body);
        if let Some(duration) = session_duration {
            body.insert("session_duration".to_owned(), duration?.as_str().into());
        }
    }
    Some(Declaration {
        key: key?,
        name: name.to_owned(),
        body,
        secrets: std::collections::BTreeMap::new(),
        references: rules.references,
        line: node.line(),
    })
    .filter(|_| rules.complete)
}

fn decision<'t>(node: &Node<'t>) -> Option<(&'t str, bool)> {
    let text = node.text()?;
    match text {
        "non_identity" => {
            node.fault(
                "Service Auth needs service tokens, which are not in this version",
                "write allow, deny or bypass",
            );
            None
        }
        "block" => {
            node.fault("\"block\" is spelled deny", "write deny");
            None
        }
        _ => node.one_of(DECISIONS).map(|identity| (text, identity)),
    }
}

/// The rules of one policy as far as they have been read.
struct Rules<'s> {
    scope: &'s Scope<'s>,
    identity_allowed: bool,
    body: Map<String, Value>,
    references: Vec<(String, ObjectKey)>,
    complete: bool,
}

impl Rules<'_> {
    fn read(&mut self, list: &str, node: &Node<'_>) {
        let Some(nodes) = node.array() else {
            self.complete = false;
            return;
        };
        let mut rules = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            match self.rule(node, &format!("/{list}/{index}")) {
                Some(rule) => rules.push(rule),
                None => self.complete = false,
            }
        }
        self.body.insert(list.to_owned(), rules.into());
    }

    fn rule(&mut self, node: &Node<'_>, pointer: &str) -> Option<Value> {
        let entries = node.any_table()?.nodes();
        let [(selector, inner)] = entries.as_slice() else {
            node.fault(
                format!("a rule has one selector, not {}", entries.len()),
                "write each rule in its own braces: { email = { email = \"ada@example.com\" } }",
            );
            return None;
        };
        if !self.identity_allowed && IDENTITY_SELECTORS.contains(selector) {
            inner.fault(
                "a bypass policy knows nobody: there is no sign-in",
                "write { everyone = {} } or { ip = … }, or decision = \"allow\"",
            );
            return None;
        }
        let body = match *selector {
            "everyone" => everyone(inner),
            "email" => email(inner),
            "email_domain" => email_domain(inner),
            "azureAD" => self.group(inner, pointer),
            "ip" => address(inner),
            other => {
                unknown(inner, other);
                None
            }
        };
        Some(json!({ *selector: body? }))
    }

    fn group(&mut self, node: &Node<'_>, pointer: &str) -> Option<Value> {
        const GROUP: Keys = Keys {
            known: &["id", "identity_provider", "identity_provider_id"],
            refused: &[],
        };
        let table = node.table(&GROUP)?;
        let id: Option<ObjectId> = table
            .need("id", "write the Object ID of the group in Entra")
            .and_then(|node| node.parsed("write the Object ID of the group in Entra, a UUID"));
        let provider = match (
            table.node("identity_provider"),
            table.node("identity_provider_id"),
        ) {
            (Some(_), Some(second)) => {
                second.fault("the provider is named twice", "keep one of the two");
                None
            }
            (Some(reference), None) | (None, Some(reference)) => self.scope.providers.find(&reference),
            (None, None) => self.scope.providers.only(node, "identity_provider"),
        };
        let (id, provider) = (id?, provider?);
        let without_groups = self
            .scope
            .known
            .iter()
            .any(|known| known.declaration.key == provider && !known.groups);
        if without_groups {
            node.warn(
                "this provider does not read groups, so that the rule holds for nobody",
                "write support_groups = true in the provider's config",
            );
        }
        self.references
            .push((format!("{pointer}/azureAD/identity_provider_id"), provider));
        Some(json!({ "id": id, "identity_provider_id": null }))
    }
}

/// The selectors that this version evaluates.
const SELECTORS: &[&str] = &["everyone", "email", "email_domain", "azureAD", "ip"];
/// Those of them that ask who somebody is.
const IDENTITY_SELECTORS: &[&str] = &["email", "email_domain", "azureAD"];

fn everyone(node: &Node<'_>) -> Option<Value> {
    node.table(&Keys {
        known: &[],
        refused: &[],
    })?;
    Some(json!({}))
}

fn email(node: &Node<'_>) -> Option<Value> {
    const EMAIL: Keys = Keys {
        known: &["email"],
        refused: &[],
    };
    let node = node
        .table(&EMAIL)?
        .need("email", "write { email = { email = \"ada@example.com\" } }")?;
    node.parsed::<EmailAddress>("write ada@example.com")?;
    Some(json!({ "email": node.text()? }))
}

fn email_domain(node: &Node<'_>) -> Option<Value> {
    const DOMAIN: Keys = Keys {
        known: &["domain"],
        refused: &[],
    };
    let mend = "write { email_domain = { domain = \"example.com\" } }";
    let node = node.table(&DOMAIN)?.need("domain", mend)?;
    let text = node.text()?;
    if text.parse::<EmailDomain>().is_err() {
        node.fault(format!("\"{text}\" is no domain"), "write example.com, without @");
        return None;
    }
    Some(json!({ "domain": text }))
}

fn address(node: &Node<'_>) -> Option<Value> {
    const ADDRESS: Keys = Keys {
        known: &["ip"],
        refused: &[],
    };
    let mend = "write { ip = { ip = \"198.51.100.0/24\" } }";
    let node = node.table(&ADDRESS)?.need("ip", mend)?;
    node.parsed::<AddressRange>(mend)?;
    Some(json!({ "ip": node.text()? }))
}

fn unknown(node: &Node<'_>, selector: &str) {
    let later = Selector::EVALUATED.contains(&selector);
    let reason = if later {
        format!("this version does not evaluate the selector {selector} yet")
    } else {
        format!("there is no selector {selector}")
    };
    let mend = match super::suggest::closest(selector, SELECTORS.iter().copied()) {
        Some(known) if !later => format!("did you mean {known}?"),
        _ => format!("use {}", SELECTORS.join(", ")),
    };
    node.fault(reason, mend);
}
