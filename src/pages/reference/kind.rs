//! What a schema says a value is, in a few words, and the keys of an object one below the other.

use std::fmt::{self, Write as _};

use askama::filters::{Escaper as _, Html, HtmlSafe};
use serde_json::Value;

/// How deep objects inside objects are told; the document's own are two deep.
const DEEPEST: usize = 6;

/// Words with links to shapes. Only what is escaped gets in.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// Everything is escaped on its way in.
impl HtmlSafe for Markup {}

impl Markup {
    fn text(&mut self, text: &str) {
        let _ = Html.write_escaped_str(&mut self.0, text); // writing to a String cannot fail
    }

    fn code(&mut self, text: &str) {
        self.0.push_str("<code>");
        self.text(text);
        self.0.push_str("</code>");
    }

    fn shape(&mut self, name: &str) {
        let mut anchor = String::new();
        let _ = Html.write_escaped_str(&mut anchor, name); // writing to a String cannot fail
        let _ = write!(self.0, "<a href=\"#shape-{anchor}\">{anchor}</a>"); // as above
    }
}

/// What a schema says.
pub(super) fn kind(schema: &Value) -> Markup {
    let mut told = Markup::default();
    tell(schema, &mut told, DEEPEST);
    told
}

fn tell(schema: &Value, told: &mut Markup, deep: usize) {
    let Some(deep) = deep.checked_sub(1) else {
        return told.text("JSON");
    };
    if let Some(name) = shape_of(schema) {
        return told.shape(name);
    }
    if let Some(fixed) = schema.get("const") {
        return told.code(&fixed.to_string());
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let mut first = true;
        for choice in choices.iter().filter(|choice| !is_null(choice)) {
            if !std::mem::take(&mut first) {
                told.text(" or ");
            }
            tell(choice, told, deep);
        }
        return;
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let mut first = true;
        for word in words.iter().filter_map(Value::as_str) {
            if !std::mem::take(&mut first) {
                told.text(", ");
            }
            told.code(word);
        }
        return;
    }
    let format = schema.get("format").and_then(Value::as_str);
    match (main_type(schema), format) {
        (Some("array"), _) => {
            told.text("list of ");
            match schema.get("items") {
                Some(items) => tell(items, told, deep),
                None => told.text("JSON"),
            }
        }
        (Some("string"), Some("uuid")) => told.text("UUID"),
        (Some("string"), Some("date-time")) => told.text("time (RFC 3339)"),
        (Some("string"), _) => told.text("text"),
        (Some("boolean"), _) => told.text("true or false"),
        (Some("integer" | "number"), _) => told.text("number"),
        (Some("object"), _) => told.text("object"),
        (Some("null"), _) => told.code("null"),
        _ => told.text("JSON"),
    }
}

/// The mark of a key that is the server's own.
pub(super) const READ_ONLY: &str = "read only";

/// A key of an object.
#[derive(Debug)]
pub(super) struct Row {
    /// Its name; of what is inside another object, behind that one's.
    pub(super) name: String,
    pub(super) kind: Markup,
    /// What it is to who writes or reads.
    pub(super) marks: Vec<&'static str>,
}

/// The keys of an object, those of objects inside it behind each.
pub(super) fn rows(schema: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    list(schema, "", &mut rows, DEEPEST);
    rows
}

fn list(schema: &Value, before: &str, rows: &mut Vec<Row>, deep: usize) {
    let (Some(deep), Some(keys)) = (deep.checked_sub(1), properties(schema)) else {
        return;
    };
    let needed = |name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|required| required.iter().any(|known| known == name))
    };
    for (key, value) in keys {
        let name = format!("{before}{key}");
        let flag = |mark: &str| value.get(mark) == Some(&Value::Bool(true));
        let marks = [
            (needed(key), "needed"),
            (flag("readOnly"), READ_ONLY),
            (flag("writeOnly"), "never shown"),
            (takes_null(value), "or null"),
        ];
        rows.push(Row {
            kind: kind(value),
            marks: marks
                .iter()
                .filter(|(is, _)| *is)
                .map(|(_, mark)| *mark)
                .collect(),
            name: name.clone(),
        });
        list(value, &format!("{name}."), rows, deep);
        if let Some(items) = value.get("items") {
            list(items, &format!("{name}[]."), rows, deep);
        }
    }
}

pub(super) fn properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// The name of the shape that a schema refers to.
pub(super) fn shape_of(schema: &Value) -> Option<&str> {
    schema
        .get("$ref")?
        .as_str()?
        .strip_prefix("#/components/schemas/")
}

/// The type of a value, `null` aside.
pub(super) fn main_type(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(only) => Some(only),
        Value::Array(several) => several
            .iter()
            .filter_map(Value::as_str)
            .find(|one| *one != "null"),
        _ => None,
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

fn takes_null(schema: &Value) -> bool {
    let lists = |key: &str, is: &dyn Fn(&Value) -> bool| {
        schema
            .get(key)
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(is))
    };
    lists("type", &|kind| kind == "null") || lists("anyOf", &is_null)
}
