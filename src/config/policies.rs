//! Policies, at the top of the file or inside an application.

use serde_json::{Map, Value, json};

use super::applications::token_duration;
use super::declared::{Declaration, DeclaredId, DeclaredKind, ObjectKey};
use super::names::Names;
use super::rules::{Place, Rules, Scope};
use super::tree::{Keys, Node, Table};
use crate::model::email::EmailAddress;
use crate::model::policy::{TOO_FEW, TOO_FEW_ON_LIST};

pub(super) const KEYS: Keys = Keys {
    known: &[
        "id",
        "name",
        "decision",
        "include",
        "require",
        "exclude",
        "session_duration",
        "purpose_justification_required",
        "purpose_justification_prompt",
        "approval_required",
        "approval_groups",
    ],
    refused: &[
        ("precedence", "the order in the file is the precedence"),
        ("isolation_required", NOT_YET),
        ("mfa_config", NOT_YET),
        ("connection_rules", NOT_YET),
    ],
};
pub(super) const APPROVAL_KEYS: Keys = Keys {
    known: &[
        "approvals_needed",
        "email_addresses",
        "email_list",
        "email_list_uuid",
    ],
    refused: &[],
};
/// More approvers than that cannot be written into one group.
const MOST_APPROVALS: u16 = 100;
const NOT_YET: &str = "this version does not evaluate it";
const NOBODY_SIGNS_IN: &str = "a bypass policy knows nobody: there is no sign-in";
const MACHINES_ONLY: &str = "a Service Auth policy knows machines only: there is no sign-in";
/// Decisions, and which rules have a place there.
const DECISIONS: &[(&str, Place)] = &[
    ("allow", Place::AmongPeople),
    ("deny", Place::AmongPeople),
    ("bypass", Place::AmongRequests(NOBODY_SIGNS_IN)),
    ("non_identity", Place::AmongRequests(MACHINES_ONLY)),
];

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
    let mut rules = Rules::of(table, scope, decision.map_or(Place::Anywhere, |(_, place)| place));
    if decision.is_some_and(|(word, _)| word == "non_identity") {
        refuse_everyone(table);
    }
    let session_duration = table.node("session_duration").map(|node| token_duration(&node));
    let asks = asks(
        table,
        scope,
        decision.map(|(word, _)| word),
        &mut rules.references,
    );
    let (name, (decision, _)) = (name?, decision?);
    let mut body = json!({ "name": name, "decision": decision });
    if let Value::Object(body) = &mut body {
        body.append(&mut rules.body);
        if let Some(duration) = session_duration {
            body.insert("session_duration".to_owned(), duration?);
        }
        body.append(&mut asks?);
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

fn decision<'t>(node: &Node<'t>) -> Option<(&'t str, Place)> {
    let text = node.text()?;
    if text == "block" {
        node.fault("\"block\" is spelled deny", "write deny");
        return None;
    }
    node.one_of(DECISIONS).map(|place| (text, place))
}

/// Whoever may come without a token and without a sign-in may come by bypass, and then it is said so.
fn refuse_everyone(table: &Table<'_>) {
    let required = table.list("require");
    let everyone = table.list("include").into_iter().find(|rule| {
        let entries = rule.is_table().then(|| rule.any_table()).flatten();
        entries.is_some_and(|entries| entries.node("everyone").is_some())
    });
    if let Some(node) = everyone.filter(|_| required.is_empty()) {
        node.fault(
            "everyone would need no service token",
            "require one, or write decision = \"bypass\"",
        );
    }
}

/// What the policy asks of people besides being who they are.
fn asks(
    table: &Table<'_>,
    scope: &Scope<'_>,
    decision: Option<&str>,
    references: &mut Vec<(String, ObjectKey)>,
) -> Option<Map<String, Value>> {
    let mut read: Vec<(&str, Option<Value>)> = Vec::new();
    let mut asked = Vec::new();
    for key in ["purpose_justification_required", "approval_required"] {
        let Some(node) = table.node(key) else { continue };
        let flag = node.boolean();
        if flag == Some(true) {
            asked.push(key);
            if decision.is_some_and(|decision| decision != "allow") {
                node.fault("only a policy of decision allow can ask for it", "leave it out");
            }
        }
        read.push((key, flag.map(Value::from)));
    }
    if let Some(node) = table.node("purpose_justification_prompt") {
        if !asked.contains(&"purpose_justification_required") {
            node.warn(
                "nobody is asked for a reason, so that nobody sees it",
                "write purpose_justification_required = true, or leave it out",
            );
        }
        read.push(("purpose_justification_prompt", node.text().map(Value::from)));
    }
    match table.node("approval_groups") {
        Some(node) => {
            if !asked.contains(&"approval_required") {
                node.warn(
                    "nobody needs leave, so that these are never asked",
                    "write approval_required = true, or leave it out",
                );
            }
            read.push(("approval_groups", approval_groups(&node, scope, references)));
        }
        None if asked.contains(&"approval_required") => {
            table.need(
                "approval_groups",
                "write approval_groups = [{ approvals_needed = 1, email_addresses = [\"boss@example.com\"] }]",
            );
            return None;
        }
        None => {}
    }
    let read = read
        .into_iter()
        .map(|(key, value)| Some((key.to_owned(), value?)));
    read.collect()
}

fn approval_groups(
    node: &Node<'_>,
    scope: &Scope<'_>,
    references: &mut Vec<(String, ObjectKey)>,
) -> Option<Value> {
    let groups: Vec<Option<Value>> = node
        .array()?
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let pointer = format!("/approval_groups/{index}/email_list_uuid");
            approval_group(node, scope, &pointer, references)
        })
        .collect();
    if groups.is_empty() {
        node.fault("nobody may give leave", "name approvers");
        return None;
    }
    groups.into_iter().collect::<Option<Vec<_>>>().map(Value::from)
}

fn approval_group(
    node: &Node<'_>,
    scope: &Scope<'_>,
    pointer: &str,
    references: &mut Vec<(String, ObjectKey)>,
) -> Option<Value> {
    let table = node.table(&APPROVAL_KEYS)?;
    let mut body = json!({ "approvals_needed": 1 });
    let Value::Object(entries) = &mut body else {
        return None;
    };
    if let Some(needed) = table.node("approvals_needed") {
        entries.insert(
            "approvals_needed".to_owned(),
            needed
                .whole_number(1..=MOST_APPROVALS, "write approvals_needed = 1")?
                .into(),
        );
    }
    if let Some(addresses) = table.node("email_addresses") {
        let read: Vec<Option<Value>> = addresses
            .array()?
            .iter()
            .map(|node| {
                node.parsed::<EmailAddress>("write boss@example.com")?;
                node.text().map(Value::from)
            })
            .collect();
        let read: Option<Vec<Value>> = read.into_iter().collect();
        entries.insert("email_addresses".to_owned(), read?.into());
    }
    let list = match (table.node("email_list"), table.node("email_list_uuid")) {
        (Some(_), Some(second)) => {
            second.fault("the list is named twice", "keep one of the two");
            return None;
        }
        (one, other) => one.or(other),
    };
    let needed = entries.get("approvals_needed").and_then(Value::as_u64);
    if list.is_none()
        && let Some(node) = table.node("approvals_needed")
        && approvers(entries) > 0
        && needed.is_some_and(|needed| needed > approvers(entries))
    {
        node.fault(TOO_FEW, "name more approvers, or ask for fewer");
        return None;
    }
    if let Some(list) = list {
        let target = scope.lists.find(&list)?;
        let most = scope
            .list_size(&target)
            .map(|size| size.saturating_add(approvers(entries)));
        if let (Some(node), Some(most)) = (table.node("approvals_needed"), most)
            && needed.is_some_and(|needed| needed > most)
        {
            node.warn(TOO_FEW_ON_LIST, "name more approvers, or ask for fewer");
        }
        references.push((pointer.to_owned(), target));
        entries.insert("email_list_uuid".to_owned(), Value::Null);
    } else if table.list("email_addresses").is_empty() {
        node.fault(
            "nobody of this group may give leave",
            "write email_addresses = [\"boss@example.com\"] or email_list = \"a list's name\"",
        );
        return None;
    }
    Some(body)
}

/// How many approvers a group names by address.
fn approvers(group: &Map<String, Value>) -> u64 {
    let named = group.get("email_addresses").and_then(Value::as_array);
    let named = named.into_iter().flatten().filter_map(Value::as_str);
    let distinct: std::collections::BTreeSet<String> = named.map(str::to_ascii_lowercase).collect();
    u64::try_from(distinct.len()).unwrap_or(u64::MAX)
}
