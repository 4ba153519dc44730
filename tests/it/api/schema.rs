//! The OpenAPI document, as a client reads it, and whether an answer is what it says.

use serde_json::Value;

use super::{TOKEN, ask};
use crate::support::world::World;

/// The document.
pub(super) struct Document(Value);

/// One operation of it.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    /// Below `/client/v4`, parameters in braces.
    pub(super) path: String,
    /// The names of its parameters in the query.
    pub(super) query: Vec<String>,
    /// The schema of its body.
    pub(super) body: Option<Value>,
    /// By status.
    responses: Value,
}

impl Document {
    pub(super) async fn read(world: &World) -> Self {
        let bearer = format!("Bearer {TOKEN}");
        let answer = ask(world, "GET", "/openapi.json", &[("Authorization", &bearer)], None).await;
        assert_eq!(answer.status, 200);
        Self(answer.body)
    }

    /// Every operation, in the document's order.
    pub(super) fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        let all = paths.flat_map(|(path, place)| {
            let methods = place.as_object().unwrap().iter();
            let methods = methods.filter(|(method, _)| *method != "parameters");
            methods.map(move |(method, described)| Operation::read(method, path, described))
        });
        all.collect()
    }

    /// What a schema refers to, or itself.
    pub(super) fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.0.pointer(&reference[1..]).unwrap(),
            None => schema,
        }
    }

    /// What of an answer is not as the document says.
    pub(super) fn faults(&self, operation: &Operation, status: u16, answer: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        if status >= 500 {
            faults.push("it failed".to_owned());
        }
        let said = &operation.responses[status.to_string()];
        let response = match (status, said) {
            (400.., _) => &operation.responses["default"],
            (_, Value::Null) => {
                faults.push(format!("a status that is not described: {status}"));
                return faults;
            }
            (_, said) => said,
        };
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() {
            if !answer.is_null() {
                faults.push("a body where none is described".to_owned());
            }
        } else {
            self.check(schema, answer, "", &mut faults);
        }
        faults
    }

    /// JSON Schema as far as the document uses it.
    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let schema = self.resolved(schema);
        if let Some(any_of) = schema["anyOf"].as_array() {
            let mut tried = any_of.iter().map(|schema| {
                let mut faults = Vec::new();
                self.check(schema, value, at, &mut faults);
                faults
            });
            let Some(first) = tried.next().filter(|faults| !faults.is_empty()) else {
                return;
            };
            if !tried.any(|faults| faults.is_empty()) {
                faults.extend(first);
            }
            return;
        }
        if schema.get("const").is_some_and(|wanted| wanted != value) {
            faults.push(format!("{at}: not {}", schema["const"]));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is = kind_of(value);
        if !kinds.is_empty() && !kinds.contains(&is) {
            faults.push(format!("{at}: {is} where {kinds:?} is described"));
        }
        match value {
            Value::String(text) => {
                let fits = match schema["format"].as_str() {
                    Some("uuid") => uuid::Uuid::try_parse(text).is_ok(),
                    Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
                    _ => true,
                };
                if !fits {
                    faults.push(format!("{at}: {text:?} is no {}", schema["format"]));
                }
            }
            Value::Array(items) => {
                let least = schema["minItems"].as_u64().unwrap_or(0);
                let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
                let number = u64::try_from(items.len()).unwrap();
                if number < least || number > most {
                    faults.push(format!("{at}: {number} items"));
                }
                if let Some(each) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.check(each, item, &format!("{at}/{index}"), faults);
                    }
                }
            }
            Value::Object(map) => {
                for (key, value) in map {
                    let place = format!("{at}/{key}");
                    match schema["properties"].get(key) {
                        Some(property) if property["writeOnly"] == true => {
                            faults.push(format!("{place}: a secret comes back"));
                        }
                        Some(property) => self.check(property, value, &place, faults),
                        None if schema["additionalProperties"] == false => {
                            faults.push(format!("{place}: not described"));
                        }
                        None => {}
                    }
                }
                let required = schema["required"].as_array().into_iter().flatten();
                let missing = required
                    .filter_map(Value::as_str)
                    .filter(|key| !map.contains_key(*key));
                faults.extend(missing.map(|key| format!("{at}/{key}: missing")));
            }
            _ => {}
        }
    }
}

impl Operation {
    fn read(method: &str, path: &str, described: &Value) -> Self {
        let parameters = described["parameters"].as_array().into_iter().flatten();
        let query = parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: query.collect(),
            body: described
                .pointer("/requestBody/content/application~1json/schema")
                .cloned(),
            responses: described["responses"].clone(),
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() != 0.0) => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
