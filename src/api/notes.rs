//! What of an object does less than it seems to, said in the answer to whoever writes it: in the words of
//! `vestibule check`.

use serde_json::{Map, Value};

use super::shape::{Shape, What};
use crate::model::application::{INTERSTITIAL_STAYS, STILL_CHOSEN};
use crate::model::ids::{IdpId, ListId};
use crate::model::organization::STILL_DENIED;
use crate::model::pointer;
use crate::model::policy::TOO_FEW_ON_LIST;
use crate::model::selector::Unevaluated;
use crate::model::token_duration::TokenDuration;
use crate::model::unanswered;
use crate::snapshot::Snapshot;

/// What is worth knowing about a body of this shape, each with its place.
pub(super) fn of(shape: &Shape, body: &Map<String, Value>, snapshot: &Snapshot) -> Vec<String> {
    let mut notes = Vec::new();
    gather(shape, body, "", snapshot, &mut notes);
    notes
}

fn gather(shape: &Shape, body: &Map<String, Value>, at: &str, snapshot: &Snapshot, notes: &mut Vec<String>) {
    for key in shape.keys {
        let Some(value) = body.get(key.name) else { continue };
        let at = pointer::below(at, key.name);
        match (key.what, value) {
            (What::Rules, Value::Array(rules)) => {
                notes.extend(rules.iter().enumerate().filter_map(|(index, rule)| {
                    let (name, settings) = rule.as_object()?.iter().next()?;
                    let said = always_unknown(name, settings, snapshot)?;
                    let place = pointer::below(&format!("{at}/{index}"), name);
                    Some(format!("{place}: {said}"))
                }));
            }
            (What::Object(inner), Value::Object(map)) => gather(inner, map, &at, snapshot, notes),
            (What::Objects(inner) | What::ObjectsOrLinks(inner, _), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Object(map) = item {
                        gather(inner, map, &format!("{at}/{index}"), snapshot, notes);
                    }
                }
            }
            (What::Flag, Value::Bool(true)) if key.name == "skip_interstitial" => {
                notes.push(format!("{at}: {INTERSTITIAL_STAYS}"));
            }
            (What::Flag, Value::Bool(true))
                if key.name == "auto_redirect_to_identity" && has_choice(shape, body, snapshot) =>
            {
                notes.push(format!("{at}: {STILL_CHOSEN}"));
            }
            (What::Flag, Value::Bool(false)) if key.name == "deny_unmatched_requests" => {
                notes.push(format!("{at}: {STILL_DENIED}"));
            }
            (What::Text, Value::String(written)) if key.name == "session_duration" => {
                let duration = written.parse::<TokenDuration>().ok();
                let warning = duration.and_then(|duration| duration.warning());
                notes.extend(warning.map(|warning| format!("{at}: {warning}")));
            }
            (What::Number, Value::Number(needed))
                if key.name == "approvals_needed" && are_too_few(needed.as_u64(), body, snapshot) =>
            {
                notes.push(format!("{at}: {TOO_FEW_ON_LIST}"));
            }
            _ => {}
        }
    }
}

/// What is to be told of a rule that nobody's sign-in ever answers.
fn always_unknown(name: &str, settings: &Value, snapshot: &Snapshot) -> Option<String> {
    if let Ok(selector) = name.parse::<Unevaluated>() {
        return Some(selector.warning());
    }
    let provider = settings.get("identity_provider_id")?.as_str()?;
    let provider: IdpId = provider.parse().ok()?;
    let provider = snapshot.providers.get(&provider)?;
    match name {
        "azureAD" => unanswered::groups(provider),
        "auth_context" => unanswered::contexts(provider),
        "oidc" => unanswered::claim(settings.get("claim_name")?.as_str()?, provider),
        _ => None,
    }
}

/// Whether an application has more than one provider. The organization has the same setting for those that say nothing.
fn has_choice(shape: &Shape, application: &Map<String, Value>, snapshot: &Snapshot) -> bool {
    const ALLOWED: &str = "allowed_idps";
    let allowed = application.get(ALLOWED).and_then(Value::as_array);
    let allowed = allowed.map(Vec::as_slice).unwrap_or_default();
    let several = match allowed.first() {
        None => snapshot.providers.len() > 1,
        Some(first) => allowed.iter().any(|other| other != first),
    };
    several && shape.keys.iter().any(|key| key.name == ALLOWED)
}

/// Whether fewer may give leave than are needed, by a list as it is now. Without a list such a group is refused.
fn are_too_few(needed: Option<u64>, group: &Map<String, Value>, snapshot: &Snapshot) -> bool {
    let list = group.get("email_list_uuid").and_then(Value::as_str);
    let list: Option<ListId> = list.and_then(|id| id.parse().ok());
    let Some(size) = list.and_then(|id| snapshot.referents.email_list_size(id)) else {
        return false;
    };
    let named = group.get("email_addresses").and_then(Value::as_array);
    let most = size.saturating_add(named.map_or(0, Vec::len));
    needed.is_some_and(|needed| needed > u64::try_from(most).unwrap_or(u64::MAX))
}
