//! How an operation is asked for with curl: this gateway's own address, and a body that the schema takes.

use serde_json::{Map, Value, json};

use super::kind::{main_type, properties, shape_of};

/// How deep an example goes into objects; what is needed is never deeper.
const DEEPEST: usize = 6;

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'d> {
    pub(super) server: &'d str,
    pub(super) method: &'d str,
    /// Below the server; parameters in braces.
    pub(super) path: &'d str,
    /// The parameters of path and query that are needed, as the document has them.
    pub(super) needed: &'d [&'d Value],
}

/// The command. What the person has to put in stands there as a variable of the shell.
pub(super) fn curl(place: Place<'_>, body: Option<&Value>, document: &Value) -> String {
    let mut lines = vec![
        format!("curl{} \"{}\"", method(place.method), address(place)),
        "-H \"Authorization: Bearer $TOKEN\"".to_owned(),
    ];
    if let Some(schema) = body {
        let body = value(schema, "", document, DEEPEST);
        let body = serde_json::to_string_pretty(&body).unwrap_or_default();
        lines.push("-H \"Content-Type: application/json\"".to_owned());
        lines.push(format!("-d '{}'", body.replace('\n', "\n  ")));
    }
    lines.join(" \\\n  ")
}

fn method(method: &str) -> String {
    match method {
        "GET" => String::new(),
        other => format!(" -X {other}"),
    }
}

fn address(place: Place<'_>) -> String {
    let mut address = format!("{}{}", place.server, place.path);
    let mut query = Vec::new();
    for parameter in place.needed {
        let name = parameter["name"].as_str().unwrap_or_default();
        let filled = match parameter["example"].as_str() {
            Some(known) => known.to_owned(),
            None => format!("${}", name.to_ascii_uppercase()),
        };
        if parameter["in"] == "path" {
            address = address.replace(&format!("{{{name}}}"), &filled);
        } else {
            query.push(format!("{name}={filled}"));
        }
    }
    if !query.is_empty() {
        address.push('?');
        address.push_str(&query.join("&"));
    }
    address
}

/// A value that the schema takes: of an object, what is needed, or its first key where nothing is.
fn value(schema: &Value, key: &str, document: &Value, deep: usize) -> Value {
    let Some(deep) = deep.checked_sub(1) else {
        return Value::Null;
    };
    if let Some(given) = schema.get("examples").and_then(|examples| examples.get(0)) {
        return given.clone();
    }
    if let Some(name) = shape_of(schema) {
        return value(&document["components"]["schemas"][name], key, document, deep);
    }
    if let Some(first) = ["anyOf", "enum"]
        .iter()
        .find_map(|list| schema.get(*list)?.get(0))
    {
        return if schema.get("enum").is_some() {
            first.clone()
        } else {
            value(first, key, document, deep)
        };
    }
    let format = schema.get("format").and_then(Value::as_str);
    match (main_type(schema), format) {
        (Some("object"), _) => object(schema, document, deep),
        (Some("array"), _) => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            json!([value(items, key, document, deep)])
        }
        (Some("string"), Some("uuid")) => json!("00000000-0000-4000-8000-000000000000"),
        (Some("string"), Some("date-time")) => json!("2030-01-01T00:00:00Z"),
        (Some("string"), _) if key.ends_with("duration") => json!("24h"),
        (Some("string"), _) if key.contains("email") => json!("ada@example.com"),
        (Some("string"), _) => json!("Example"),
        (Some("boolean"), _) => json!(true),
        (Some("integer" | "number"), _) => json!(1),
        _ => Value::Null,
    }
}

fn object(schema: &Value, document: &Value, deep: usize) -> Value {
    let writable = |value: &Value| value.get("readOnly") != Some(&Value::Bool(true));
    let keys: Vec<(&String, &Value)> = properties(schema)
        .into_iter()
        .flatten()
        .filter(|(_, value)| writable(value))
        .collect();
    let required = schema.get("required").and_then(Value::as_array);
    let needed = |key: &&(&String, &Value)| {
        required.is_some_and(|required| required.iter().any(|needed| needed == key.0))
    };
    let mut chosen: Vec<_> = keys.iter().filter(needed).collect();
    if chosen.is_empty() {
        chosen.extend(keys.first());
    }
    let chosen = chosen.into_iter();
    let filled: Map<String, Value> = chosen
        .map(|(key, schema)| ((*key).clone(), value(schema, key, document, deep)))
        .collect();
    Value::Object(filled)
}
