//! Settings of an application that are more than a word: `cors_headers`, `overrides`, `tags`, origins.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::tree::{Keys, Node, Table};
use crate::model::application::{ClaimName, Tag};
use crate::model::cors::{Cors, CorsHeader, CorsMethod, CorsParts, MaxAge};
use crate::model::destination::Destination;
use crate::model::public_path::PublicPath;
use crate::model::web_origin::WebOrigin;

pub(super) const CORS_KEYS: Keys = Keys {
    known: &[
        "allow_all_origins",
        "allowed_origins",
        "allow_all_methods",
        "allowed_methods",
        "allow_all_headers",
        "allowed_headers",
        "allow_credentials",
        "max_age",
    ],
    refused: &[],
};
pub(super) const OVERRIDE_KEYS: Keys = Keys {
    known: &["behavior", "path_pattern"],
    refused: &[],
};
const BEHAVIORS: &[(&str, ())] = &[("public", ())];
const AN_ORIGIN: &str = "write https://host, with a port unless it is the scheme's own, and nothing after it";

/// `cors_headers`, as the API has it.
pub(super) fn cors(node: &Node<'_>) -> Option<Value> {
    let table = node.table(&CORS_KEYS)?;
    let parts = CorsParts {
        all_origins: flag(&table, "allow_all_origins")?,
        origins: list(&table, "allowed_origins", AN_ORIGIN)?,
        all_methods: flag(&table, "allow_all_methods")?,
        methods: list::<CorsMethod>(&table, "allowed_methods", "write methods in capitals")?,
        all_headers: flag(&table, "allow_all_headers")?,
        headers: list::<CorsHeader>(&table, "allowed_headers", "write names such as \"content-type\"")?,
        credentials: flag(&table, "allow_credentials")?,
        max_age: match table.node("max_age") {
            Some(node) => Some(max_age(&node)?),
            None => None,
        },
    };
    let mut body = Map::new();
    for (key, set) in [
        ("allow_all_origins", parts.all_origins),
        ("allow_all_methods", parts.all_methods),
        ("allow_all_headers", parts.all_headers),
        ("allow_credentials", parts.credentials),
    ] {
        if set {
            body.insert(key.to_owned(), set.into());
        }
    }
    insert_list(
        &mut body,
        "allowed_origins",
        parts.origins.iter().map(WebOrigin::as_str),
    );
    let methods = parts.methods.iter().map(CorsMethod::as_str);
    insert_list(&mut body, "allowed_methods", methods);
    insert_list(
        &mut body,
        "allowed_headers",
        parts.headers.iter().map(CorsHeader::as_str),
    );
    if let Some(age) = parts.max_age {
        body.insert("max_age".to_owned(), age.seconds().into());
    }
    if let Err(contradiction) = Cors::new(parts) {
        node.fault(
            contradiction.to_string(),
            "write allowed_origins = [\"https://app.example.com\"]",
        );
        return None;
    }
    Some(body.into())
}

fn max_age(node: &Node<'_>) -> Option<MaxAge> {
    let age = MaxAge::try_from(node.integer()?);
    if let Err(out_of_range) = &age {
        node.fault(out_of_range.to_string(), "write max_age = 600");
    }
    age.ok()
}

fn insert_list<'a>(body: &mut Map<String, Value>, key: &str, words: impl Iterator<Item = &'a str>) {
    let words: Vec<&str> = words.collect();
    if !words.is_empty() {
        body.insert(key.to_owned(), words.into());
    }
}

fn flag(table: &Table<'_>, key: &str) -> Option<bool> {
    table.node(key).map_or(Some(false), |node| node.boolean())
}

fn list<T: std::str::FromStr<Err: std::fmt::Display>>(
    table: &Table<'_>,
    key: &str,
    mend: &str,
) -> Option<Vec<T>> {
    let Some(node) = table.node(key) else {
        return Some(Vec::new());
    };
    let read: Vec<Option<T>> = node.array()?.iter().map(|node| node.parsed(mend)).collect();
    read.into_iter().collect()
}

/// `overrides` of a destination, as the API has them.
pub(super) fn overrides(node: &Node<'_>, destination: &Destination) -> Option<Value> {
    let nodes = node.array()?;
    if nodes.len() > PublicPath::MOST {
        node.fault(
            format!("there are more than {}", PublicPath::MOST),
            "use patterns with *",
        );
        return None;
    }
    let read: Vec<Option<Value>> = nodes.iter().map(|node| one_override(node, destination)).collect();
    read.into_iter().collect::<Option<Vec<Value>>>().map(Value::from)
}

fn one_override(node: &Node<'_>, destination: &Destination) -> Option<Value> {
    let table = node.table(&OVERRIDE_KEYS)?;
    let public = "write { behavior = \"public\", path_pattern = \"/health\" }";
    let behavior = table
        .need("behavior", public)
        .and_then(|node| node.one_of(BEHAVIORS));
    let pattern = table.need("path_pattern", public)?;
    let path: PublicPath = pattern.parsed(public)?;
    if let Err(elsewhere) = path.is_below(destination) {
        pattern.fault(
            elsewhere.to_string(),
            "write the whole path, as it stands behind the host",
        );
        return None;
    }
    behavior?;
    Some(json!({ "behavior": "public", "path_pattern": path.to_string() }))
}

/// `tags`.
pub(super) fn tags(node: &Node<'_>) -> Option<Value> {
    words::<Tag>(node, Tag::MOST, "keep the useful ones", "write a short word")
}

/// `token_claims`.
pub(super) fn token_claims(node: &Node<'_>) -> Option<Value> {
    let mend = "write claims such as \"department\"";
    words::<ClaimName>(node, ClaimName::MOST, "name those that it reads", mend)
}

/// A list of words, each of which must be one of its kind.
fn words<T: FromStr<Err: Display> + Into<String>>(
    node: &Node<'_>,
    most: usize,
    too_many: &str,
    mend: &str,
) -> Option<Value> {
    let nodes = node.array()?;
    if nodes.len() > most {
        node.fault(format!("there are more than {most}"), too_many);
        return None;
    }
    let words: Vec<Option<String>> = nodes
        .iter()
        .map(|node| node.parsed::<T>(mend).map(Into::into))
        .collect();
    let words: Option<Vec<String>> = words.into_iter().collect();
    words.map(Value::from)
}

/// An origin as browsers send it.
pub(super) fn origin(node: &Node<'_>) -> Option<Value> {
    let origin: WebOrigin = node.parsed(AN_ORIGIN)?;
    Some(origin.as_str().into())
}
