//! Pages of the operator's.

use serde_json::Value;

use crate::model::custom_page::{CustomHtml, CustomPage, CustomPageKind};
use crate::model::ids::CustomPageId;

use super::object::{Object, Problem, Problems};

/// Reads a custom page.
///
/// # Errors
/// Every problem found.
pub fn custom_page(id: CustomPageId, body: &Value) -> Result<CustomPage, Vec<Problem>> {
    let problems = Problems::default();
    let page = Object::new(body, "", &problems).and_then(|object| {
        let name = object.needed_text("name");
        let kind = object.needed::<CustomPageKind>("type");
        let html = object.needed::<CustomHtml>("custom_html");
        // From 1 on it is a template with words of its own; pages are served as they are here.
        let version = object.given("contract_version");
        if version.is_some_and(|version| version.as_u64() != Some(0)) {
            object.problem("contract_version", "this version knows only 0");
        }
        Some(CustomPage {
            id,
            name: name?.to_owned(),
            kind: kind?,
            html: html?,
        })
    });
    problems.or_value(page)
}
