//! Policies (reference Access §4.2 and §4.4).

use serde_json::Value;

use crate::model::duration::GoDuration;
use crate::model::ids::PolicyId;
use crate::model::policy::{Decision, NOT_EVALUATED, Policy, Selector};

use super::object::{Object, Problem, Problems};

/// What asks something of people that is not asked here.
const UNENFORCED: &[&str] = &[
    "approval_required",
    "approval_groups",
    "isolation_required",
    "purpose_justification_required",
    "connection_rules",
    "mfa_config",
];

/// Reads a policy.
///
/// # Errors
/// Every problem found.
pub fn policy(id: PolicyId, body: &Value) -> Result<Policy, Vec<Problem>> {
    let problems = Problems::default();
    let policy = Object::new(body, "", &problems).and_then(|object| read(id, &object));
    problems.or_value(policy)
}

pub(super) fn read(id: PolicyId, object: &Object<'_>) -> Option<Policy> {
    object.refuse_unenforced(UNENFORCED);
    let name = object.needed_text("name");
    let decision = decision(object);
    let include = rules(object, "include", decision);
    if object
        .need("include")
        .is_some_and(|list| *list == Value::Array(Vec::new()))
    {
        object.problem("include", "at least one rule is needed");
    }
    let require = rules(object, "require", decision);
    let exclude = rules(object, "exclude", decision);
    let session_duration = object.parsed::<GoDuration>("session_duration");
    Some(Policy {
        id,
        name: name?.to_owned(),
        decision: decision?,
        include,
        require,
        exclude,
        session_duration,
    })
}

fn decision(object: &Object<'_>) -> Option<Decision> {
    match object.needed_text("decision")? {
        "allow" => return Some(Decision::Allow),
        "deny" => return Some(Decision::Deny),
        "bypass" => return Some(Decision::Bypass),
        "non_identity" => object.problem("decision", "this version has no service tokens"),
        _ => object.problem("decision", "one of allow, deny and bypass is needed"),
    }
    None
}

fn rules(object: &Object<'_>, list: &str, decision: Option<Decision>) -> Vec<Selector> {
    let mut rules = Vec::new();
    for (pointer, item) in object.items(list) {
        match rule(item) {
            Ok(rule) if decision == Some(Decision::Bypass) && rule.asks_identity() => object.problem_at(
                pointer,
                "bypass is decided without knowing who asks; use everyone or ip, or the decision allow",
            ),
            Ok(rule) => rules.push(rule),
            Err((below, reason)) => object.problem_at(format!("{pointer}{below}"), reason),
        }
    }
    rules
}

/// A rule, or the place in it that is wrong and why.
fn rule(item: &Value) -> Result<Selector, (String, String)> {
    let Value::Object(map) = item else {
        return Err((String::new(), "an object with one selector is needed".to_owned()));
    };
    let mut keys = map.iter();
    let (Some((name, settings)), None) = (keys.next(), keys.next()) else {
        let reason = format!("a rule has exactly one selector, not {}", map.len());
        return Err((String::new(), reason));
    };
    let place = format!("/{name}");
    if NOT_EVALUATED.contains(&name.as_str()) {
        return Err((
            place,
            format!("this version does not evaluate the selector {name}"),
        ));
    }
    if !matches!(
        name.as_str(),
        "everyone" | "email" | "email_domain" | "azureAD" | "ip"
    ) {
        return Err((place, format!("there is no selector {name}")));
    }
    // Access' answers carry further keys in some selectors, so unknown ones are passed over.
    let selector: Result<Selector, _> = serde_json::from_value(item.clone());
    selector.map_err(|error| {
        if settings.is_object() {
            (place, error.to_string())
        } else {
            (place, "an object is needed".to_owned())
        }
    })
}
