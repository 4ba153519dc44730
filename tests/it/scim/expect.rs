//! How answers are held against what fixtures expect, as `index.json` says.

use serde_json::Value;

/// Why an answer is not as expected; empty where it is.
pub(super) fn faults(expected: &Value, status: u16, body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let wanted = match &expected["status"] {
        Value::Array(some) => some.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    if !wanted.is_empty() && !wanted.contains(&status.into()) {
        faults.push(format!("status {status}, not of {wanted:?}: {body}"));
    }
    if let Some(wanted) = expected.get("body") {
        contains(body, wanted, "", &mut faults);
    }
    if let Some(unwanted) = expected.get("body_not") {
        let mut found = Vec::new();
        contains(body, unwanted, "", &mut found);
        if found.is_empty() {
            faults.push(format!("it is as it must not be: {body}"));
        }
    }
    for pointer in texts(expected, "body_absent") {
        let found = body.pointer(&pointer);
        if found.is_some_and(|value| !(value.is_null() || value == "")) {
            faults.push(format!("{pointer} is there: {body}"));
        }
    }
    for key in texts(expected, "literal_keys_absent") {
        if body.get(&key).is_some() {
            faults.push(format!("there is a member called {key}"));
        }
    }
    if let Some(Value::Array(wanted)) = expected.get("members_exactly") {
        let members = body["members"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<String> = members
            .iter()
            .map(|member| member["value"].as_str().unwrap_or_default().to_owned())
            .collect();
        let mut wanted: Vec<String> = wanted.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        found.sort();
        wanted.sort();
        if found != wanted {
            faults.push(format!("members are {found:?}, not {wanted:?}"));
        }
    }
    faults
}

fn texts(expected: &Value, key: &str) -> Vec<String> {
    let texts = expected[key].as_array().cloned().unwrap_or_default();
    texts
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// Whether a value has everything that is wanted of it.
fn contains(found: &Value, wanted: &Value, at: &str, faults: &mut Vec<String>) {
    match wanted {
        Value::Object(wanted) => {
            for (key, wanted) in wanted {
                match found.get(key) {
                    Some(found) => contains(found, wanted, &format!("{at}/{key}"), faults),
                    None => faults.push(format!("{at}/{key} is missing in {found}")),
                }
            }
        }
        Value::Array(wanted) => {
            let Value::Array(found) = found else {
                faults.push(format!("{at} is no list: {found}"));
                return;
            };
            if wanted.is_empty() && !found.is_empty() {
                faults.push(format!("{at} is not empty"));
            }
            for wanted in wanted {
                let has = found.iter().any(|found| {
                    let mut faults = Vec::new();
                    contains(found, wanted, at, &mut faults);
                    faults.is_empty()
                });
                if !has {
                    faults.push(format!("{at} lacks {wanted}: {found:?}"));
                }
            }
        }
        Value::String(text) if text.starts_with("{{") => {
            let fits = match text.as_str() {
                "{{any}}" => found.as_str().is_some_and(|text| !text.is_empty()),
                "{{any_int}}" => found.is_i64(),
                "{{any_bool}}" => found.is_boolean(),
                "{{any_array}}" => found.is_array(),
                "{{timestamp}}" => found
                    .as_str()
                    .is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
                other => {
                    let length = other
                        .strip_prefix("{{array_len:")
                        .and_then(|rest| rest.strip_suffix("}}"));
                    let length: usize = length
                        .unwrap_or_else(|| panic!("what is {other}?"))
                        .parse()
                        .unwrap();
                    found.as_array().is_some_and(|found| found.len() == length)
                }
            };
            if !fits {
                faults.push(format!("{at} is {found}, not {text}"));
            }
        }
        exact => {
            if found != exact {
                faults.push(format!("{at} is {found}, not {exact}"));
            }
        }
    }
}

/// Whether a header's value fits a prefix with a star, or is there at all.
pub(super) fn header_fits(found: Option<&str>, wanted: &str) -> bool {
    match (found, wanted) {
        (None, _) => false,
        (Some(found), "{{any}}") => !found.is_empty(),
        (Some(found), wanted) => match wanted.strip_suffix('*') {
            Some(prefix) => found.starts_with(prefix),
            None => found == wanted,
        },
    }
}
