//! Policies.

use serde_json::Value;

use crate::model::email::EmailAddress;
use crate::model::ids::PolicyId;
use crate::model::number;
use crate::model::policy::{ApprovalGroup, Decision, Policy, TOO_FEW};
use crate::model::selector::Selector;

use super::application::session_duration;
use super::object::{Object, Problem, Problems};
use super::rules::{include, rules};

/// What asks something of people that is not asked here.
const UNENFORCED: &[&str] = &["isolation_required", "connection_rules", "mfa_config"];

/// Groups of approvers of one policy. Access has no number; every one of them has to act, so there are few.
const MAX_APPROVAL_GROUPS: usize = 20;
/// Approvers in one group: each request is shown, and may be mailed, to all of them.
const MAX_APPROVERS: usize = 100;
/// The sentence that people are asked for their reason with: a page shows it.
const MAX_PROMPT: usize = 1_000;

/// Reads a policy. Whether what it refers to exists is another question.
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
    let include = include(object, decision);
    let require = rules(object, "require", decision);
    let exclude = rules(object, "exclude", decision);
    if decision == Some(Decision::NonIdentity) && require.is_empty() && include.contains(&Selector::Everyone)
    {
        object.problem(
            "include",
            "everyone would need no service token; require one, or use the decision bypass",
        );
    }
    let session_duration = session_duration(object);
    let justification = object.flag("purpose_justification_required").unwrap_or(false);
    let approval = object.flag("approval_required").unwrap_or(false);
    for (key, asked) in [
        ("purpose_justification_required", justification),
        ("approval_required", approval),
    ] {
        if asked && decision.is_some_and(|decision| decision != Decision::Allow) {
            object.problem(key, "only a policy of decision allow can ask for it");
        }
    }
    let approval_groups = approval_groups(object);
    // Of groups that cannot be read it is said what is wrong with them.
    let written = object.given("approval_groups").and_then(Value::as_array);
    if approval && approval_groups.is_empty() && written.is_none_or(Vec::is_empty) {
        object.problem("approval_groups", "somebody who may give leave is needed");
    }
    Some(Policy {
        id,
        name: name?.to_owned(),
        decision: decision?,
        include,
        require,
        exclude,
        session_duration,
        purpose_justification_required: justification,
        purpose_justification_prompt: prompt(object),
        approval_required: approval,
        approval_groups,
    })
}

fn decision(object: &Object<'_>) -> Option<Decision> {
    match object.needed_text("decision")? {
        "allow" => Some(Decision::Allow),
        "deny" => Some(Decision::Deny),
        "bypass" => Some(Decision::Bypass),
        "non_identity" => Some(Decision::NonIdentity),
        _ => {
            object.problem(
                "decision",
                "one of allow, deny, bypass and non_identity is needed",
            );
            None
        }
    }
}

fn prompt(object: &Object<'_>) -> Option<String> {
    let text = object.text("purpose_justification_prompt")?;
    if text.chars().count() > MAX_PROMPT {
        object.problem(
            "purpose_justification_prompt",
            format!("at most {MAX_PROMPT} characters are taken"),
        );
        return None;
    }
    Some(text.to_owned())
}

fn approval_groups(object: &Object<'_>) -> Vec<ApprovalGroup> {
    let items = object.items("approval_groups");
    if items.len() > MAX_APPROVAL_GROUPS {
        object.problem(
            "approval_groups",
            format!("at most {MAX_APPROVAL_GROUPS} groups are taken"),
        );
        return Vec::new();
    }
    let groups = items.into_iter().filter_map(|(pointer, item)| {
        let group = object.below(item, &pointer)?;
        approval_group(&group)
    });
    groups.collect()
}

fn approval_group(group: &Object<'_>) -> Option<ApprovalGroup> {
    let approvers: Vec<EmailAddress> = group.list("email_addresses");
    let list = group.parsed("email_list_uuid");
    let needed = match group.given("approvals_needed") {
        // A group without number asks for one approval.
        None => Some(1),
        Some(number) => number::whole(number).and_then(|number| u32::try_from(number).ok()),
    };
    let Some(needed) = needed.filter(|number| *number > 0) else {
        group.problem("approvals_needed", "a whole number from 1 on is needed");
        return None;
    };
    if approvers.len() > MAX_APPROVERS {
        group.problem(
            "email_addresses",
            format!("at most {MAX_APPROVERS} addresses are taken"),
        );
    }
    if approvers.is_empty() && list.is_none() {
        group.problem("email_addresses", "somebody who may give leave is needed");
    }
    let mut distinct = approvers.clone();
    distinct.sort();
    distinct.dedup();
    // How many a list has is known only when leave is asked for.
    if list.is_none() && !approvers.is_empty() && u32::try_from(distinct.len()).unwrap_or(u32::MAX) < needed {
        group.problem("approvals_needed", TOO_FEW);
    }
    Some(ApprovalGroup {
        approvals_needed: needed,
        email_addresses: distinct,
        email_list: list,
    })
}
