//! What of an application follows from the rest of it, or from what it was: its type, the launcher's name and place, and
//! addresses in the three ways that they are written.

use serde_json::{Map, Value, json};

use crate::model::application::LAUNCHER_NAME;
use crate::snapshot::read::Problem;

/// The type of applications that say none.
pub(super) const SELF_HOSTED: &str = "self_hosted";

/// By their types clients tell applications apart: an answer always has it. It is kept for life, as the addresses,
/// policies and tokens of the one type mean nothing to the other.
pub(super) fn keep_type(body: &mut Map<String, Value>, before: Option<&Value>) -> Result<(), Vec<Problem>> {
    let written = |body: &Map<String, Value>| {
        let kind = body.get("type");
        kind.filter(|kind| !(kind.is_null() || **kind == "")).cloned()
    };
    let held = before.map(|before| before.as_object().and_then(written));
    let held = held.map(|held| held.unwrap_or_else(|| SELF_HOSTED.into()));
    match (written(body), held) {
        (None, held) => {
            body.insert("type".to_owned(), held.unwrap_or_else(|| SELF_HOSTED.into()));
            Ok(())
        }
        (Some(Value::String(other)), Some(Value::String(held))) if other != held => {
            let reason =
                format!("this application is of type {held} for life: make another one, and delete this one");
            Err(vec![Problem {
                pointer: "/type".to_owned(),
                reason,
            }])
        }
        _ => Ok(()),
    }
}

/// The launcher is where the auth host is, and needs no name.
pub(super) fn complete_launcher(body: &mut Map<String, Value>, auth_host: &str) -> Result<(), Vec<Problem>> {
    // Nothing and "" are the same: cloudflare-go before version 1 sends the second for the first.
    let unnamed = |name: &Value| name.is_null() || *name == "";
    if body.get("name").is_none_or(unnamed) {
        body.insert("name".to_owned(), LAUNCHER_NAME.into());
    }
    match body.shift_remove("domain") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(domain)) if domain.is_empty() || domain.eq_ignore_ascii_case(auth_host) => Ok(()),
        Some(_) => Err(vec![Problem {
            pointer: "/domain".to_owned(),
            reason: format!("the launcher is at {auth_host}, and nowhere else"),
        }]),
    }
}

/// The addresses of an application in the three ways that they are written: whichever was not sent follows from those
/// that were.
pub(super) struct Places {
    pub(super) domain: Value,
    pub(super) domains: Value,
    pub(super) destinations: Value,
}

impl Places {
    pub(super) fn of(body: &Value) -> Self {
        let listed = body.get("destinations").and_then(Value::as_array);
        let uris = listed
            .into_iter()
            .flatten()
            .filter_map(|destination| destination.get("uri"));
        let mut domains: Vec<Value> = uris.cloned().collect();
        if domains.is_empty() {
            let listed = body.get("self_hosted_domains").and_then(Value::as_array);
            domains = listed.cloned().unwrap_or_default();
        }
        let written = body.get("domain").filter(|domain| domain.is_string());
        let domain = written.or_else(|| domains.first()).cloned().unwrap_or_default();
        if domains.is_empty() && domain.is_string() {
            domains.push(domain.clone());
        }
        let destination = |uri: &Value| json!({ "type": "public", "uri": uri });
        Self {
            destinations: domains.iter().map(destination).collect(),
            domain,
            domains: Value::Array(domains),
        }
    }
}
