//! Rules about client certificates at hosts where nobody is asked for one.

use serde_json::Value;

use super::applications::Application;
use super::cross::hosts_meet;
use super::declared::{Declaration, ObjectKey};

/// Warns of applications whose policies ask for client certificates at a host that no authority of the file names.
/// `ruled` are the policies and access groups that stand outside applications.
pub(super) fn check<'d>(
    applications: &'d [Application<'_>],
    ruled: impl Iterator<Item = &'d Declaration>,
    authorities: &[Declaration],
) {
    let inside = applications.iter().flat_map(|application| &application.policies);
    let asking = asking(ruled.chain(inside).collect());
    let named: Vec<&str> = authorities.iter().flat_map(hostnames).collect();
    for application in applications {
        let own = application.policies.iter().map(|policy| &policy.key);
        let referred = application.declaration.references.iter().map(|(_, key)| key);
        if !own.chain(referred).any(|key| asking.contains(&key)) {
            continue;
        }
        for (destination, node) in &application.destinations {
            let host = destination.host();
            if !named.iter().any(|named| hosts_meet(named, host)) {
                node.warn(
                    format!(
                        "its policies ask for client certificates, and no [[certificates]] names {host}: nobody is \
                         asked for one there, so that such rules are always unknown"
                    ),
                    format!("add \"{host}\" to the associated_hostnames of an authority"),
                );
            }
        }
    }
}

/// The keys of those that ask for certificates, by themselves or through access groups.
fn asking(mut open: Vec<&Declaration>) -> Vec<&ObjectKey> {
    let mut asking: Vec<&ObjectKey> = Vec::new();
    loop {
        let (found, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|declaration| {
            let through = declaration
                .references
                .iter()
                .any(|(_, key)| asking.contains(&key));
            through || has_rule(declaration)
        });
        if found.is_empty() {
            return asking;
        }
        asking.extend(found.iter().map(|declaration| &declaration.key));
        open = rest;
    }
}

fn has_rule(declaration: &Declaration) -> bool {
    let lists = ["include", "require", "exclude"].map(|list| declaration.body.get(list));
    let rules = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
    let mut names = rules.filter_map(Value::as_object).flat_map(|rule| rule.keys());
    names.any(|name| matches!(name.as_str(), "certificate" | "common_name"))
}

fn hostnames(authority: &Declaration) -> impl Iterator<Item = &str> {
    let names = authority
        .body
        .get("associated_hostnames")
        .and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}
