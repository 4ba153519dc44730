//! Lists of e-mail and network addresses, in the shape of Cloudflare's lists: a type, and items with a value each.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

use crate::model::ids::ListId;
use crate::model::list::{List, ListItems};

use super::object::{Object, Problem, Problems};

/// Items of one list: ten times what Cloudflare takes of its largest customers, some megabytes in memory.
const MAX_ITEMS: usize = 50_000;

/// Reads a list.
///
/// # Errors
/// Every problem found.
pub fn list(id: ListId, body: &Value) -> Result<List, Vec<Problem>> {
    let problems = Problems::default();
    let list = Object::new(body, "", &problems).and_then(|object| {
        let name = object.needed_text("name");
        let items = match object.needed_text("type") {
            Some("EMAIL") => Some(ListItems::Emails(items(&object))),
            Some("IP") => Some(ListItems::Addresses(items(&object))),
            Some(_) => {
                object.problem("type", "one of EMAIL and IP is needed");
                None
            }
            None => None,
        };
        Some(List {
            id,
            name: name?.to_owned(),
            items: items?,
        })
    });
    problems.or_value(list)
}

fn items<T: FromStr<Err: Display>>(object: &Object<'_>) -> Vec<T> {
    let items = object.items("items");
    if items.len() > MAX_ITEMS {
        object.problem("items", format!("at most {MAX_ITEMS} are taken"));
        return Vec::new();
    }
    let read = |(pointer, item): (String, &Value)| object.below(item, &pointer)?.needed("value");
    items.into_iter().filter_map(read).collect()
}
