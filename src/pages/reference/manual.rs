//! The document taken apart for its page.

use askama::Template;
use serde_json::Value;

use super::example::{Place, curl};
use super::kind::{Markup, READ_ONLY, Row, kind, properties, rows, shape_of};
use super::{DOCUMENT, STYLE};
use crate::pages::person::assets;

/// The page.
#[derive(Template)]
#[template(path = "reference/page.html")]
pub(super) struct Manual<'d> {
    style: &'static str,
    own_style: &'static str,
    organization: &'d str,
    version: &'d str,
    description: &'d str,
    server: &'d str,
    document_path: &'static str,
    areas: Vec<Area<'d>>,
    shapes: Vec<Shape<'d>>,
}

/// Operations that are about the same.
struct Area<'d> {
    name: &'d str,
    anchor: String,
    operations: Vec<Operation<'d>>,
}

struct Operation<'d> {
    id: &'d str,
    method: &'d str,
    tone: &'static str,
    path: &'d str,
    summary: &'d str,
    /// What a token must allow.
    permission: Option<&'d str>,
    parameters: Vec<Parameter<'d>>,
    body: Option<Body>,
    /// The answer where it was done, and those where it was not.
    done: Vec<Answer<'d>>,
    refused: Vec<Answer<'d>>,
    curl: String,
}

struct Parameter<'d> {
    name: &'d str,
    place: &'d str,
    kind: Markup,
    needed: bool,
    meaning: &'d str,
}

struct Body {
    kind: Markup,
    needed: bool,
    /// What whoever writes may put into it.
    rows: Vec<Row>,
}

struct Answer<'d> {
    status: &'d str,
    meaning: &'d str,
    /// What `result` is, where the request was done.
    result: Option<Markup>,
    paged: bool,
}

struct Shape<'d> {
    name: &'d str,
    rows: Vec<Row>,
    /// Whether a key that is not listed is refused.
    closed: bool,
}

/// The methods in the order of OpenAPI's path items, with how each looks.
const METHODS: [(&str, &str, &str); 5] = [
    ("get", "GET", "read"),
    ("post", "POST", "ok"),
    ("put", "PUT", "warn"),
    ("patch", "PATCH", "warn"),
    ("delete", "DELETE", "danger"),
];

impl<'d> Manual<'d> {
    pub(super) fn of(document: &'d Value, organization: &'d str) -> Self {
        let named = document["tags"].as_array().into_iter().flatten();
        let areas = named
            .map(|tag| text(&tag["name"]))
            .map(|name| Area {
                name,
                anchor: name.to_ascii_lowercase().replace(' ', "-"),
                operations: operations(document, name),
            })
            .collect();
        let schemas = document["components"]["schemas"].as_object();
        let mut shapes: Vec<(&String, &Value)> = schemas.into_iter().flatten().collect();
        shapes.sort_unstable_by_key(|(name, _)| *name);
        Self {
            style: assets::STYLE,
            own_style: STYLE,
            organization,
            version: text(&document["info"]["version"]),
            description: text(&document["info"]["description"]),
            server: text(&document["servers"][0]["url"]),
            document_path: DOCUMENT,
            areas,
            shapes: shapes
                .into_iter()
                .map(|(name, schema)| Shape {
                    name,
                    rows: rows(schema),
                    closed: schema.get("additionalProperties") == Some(&Value::Bool(false)),
                })
                .collect(),
        }
    }

    fn count(&self) -> usize {
        self.areas.iter().map(|area| area.operations.len()).sum()
    }
}

fn operations<'d>(document: &'d Value, area: &str) -> Vec<Operation<'d>> {
    let places = document["paths"].as_object().into_iter().flatten();
    let mut operations = Vec::new();
    for (path, place) in places {
        for (key, method, tone) in METHODS {
            let Some(described) = place.get(key) else { continue };
            if described["tags"][0] == area {
                operations.push(operation(document, (path, place), (method, tone), described));
            }
        }
    }
    operations
}

fn operation<'d>(
    document: &'d Value,
    (path, place): (&'d str, &'d Value),
    (method, tone): (&'static str, &'static str),
    described: &'d Value,
) -> Operation<'d> {
    let of = |value: &'d Value| value["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<&Value> = of(place).chain(of(described)).collect();
    let needed: Vec<&Value> = parameters
        .iter()
        .copied()
        .filter(|one| one["required"] == true)
        .collect();
    let body = described.get("requestBody");
    let schema = body.and_then(schema_of);
    let answers = described["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .map(answer);
    let (done, refused) = answers.partition(|answer: &Answer<'_>| answer.status.starts_with('2'));
    let at = Place {
        server: text(&document["servers"][0]["url"]),
        method,
        path,
        needed: &needed,
    };
    Operation {
        id: text(&described["operationId"]),
        method,
        tone,
        path,
        summary: text(&described["summary"]),
        permission: described["description"].as_str(),
        curl: curl(at, schema, document),
        parameters: parameters.into_iter().map(parameter).collect(),
        body: body.zip(schema).map(|(body, schema)| Body {
            kind: kind(schema),
            needed: body["required"] == true,
            rows: writable(document, schema),
        }),
        done,
        refused,
    }
}

/// The keys of the object that a body is, or is a list of, but for those that are passed over.
fn writable(document: &Value, schema: &Value) -> Vec<Row> {
    let one = schema.get("items").unwrap_or(schema);
    let shape = shape_of(one).map(|name| &document["components"]["schemas"][name]);
    let mut rows = rows(shape.unwrap_or(one));
    rows.retain(|row| !row.marks.contains(&READ_ONLY));
    rows
}

fn parameter(parameter: &Value) -> Parameter<'_> {
    Parameter {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        kind: kind(&parameter["schema"]),
        needed: parameter["required"] == true,
        meaning: text(&parameter["description"]),
    }
}

fn answer<'d>((status, described): (&'d String, &'d Value)) -> Answer<'d> {
    let keys = schema_of(described).and_then(properties);
    let part = |name: &str| keys.and_then(|keys| keys.get(name));
    Answer {
        status,
        meaning: text(&described["description"]),
        result: part("result").map(kind),
        paged: part("result_info").is_some(),
    }
}

/// The schema of what is sent or answered.
fn schema_of(described: &Value) -> Option<&Value> {
    described.get("content")?.get("application/json")?.get("schema")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
