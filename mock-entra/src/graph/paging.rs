//! Lists, page by page.
//!
//! <https://learn.microsoft.com/graph/paging>

use serde_json::{Map, Value, json};

use super::error::GraphRefusal;
use super::{GraphRequest, odata_context};
use crate::grants::Page;
use crate::params::Params;
use crate::random;
use crate::server::Context;

/// Entries a page has if nobody asks for another number.
const DEFAULT_SIZE: usize = 100;

/// Most entries a page may have.
const LARGEST_SIZE: usize = 999;

/// The number of the page a request is for; the first is 1.
pub(super) fn number(context: &Context, params: &Params) -> u32 {
    let token = params.find("$skiptoken").unwrap_or_default();
    let state = context.directory.lock();
    let page = state.grants.pages.get(token).map(|page| page.number);
    let of_delta = || state.grants.deltas.get(token).map(|delta| delta.number);
    page.or_else(of_delta).unwrap_or(1)
}

/// The page the request is for, with the link to the next one. The count stands on the first page only.
pub(super) fn page(request: &GraphRequest<'_>, of: &str, entries: Vec<Value>) -> Result<Value, GraphRefusal> {
    let here = here(request)?;
    let (forced, empty_first) = {
        let state = request.context.directory.lock();
        (state.page_size, state.empty_first_page)
    };
    let asked = asked_size(request)?;
    let size = forced.unwrap_or(asked);
    let taken = if empty_first && here.number == 1 && !entries.is_empty() {
        0
    } else {
        size
    };
    let total = entries.len();
    let next = here.offset.saturating_add(taken);
    let mut body = Map::new();
    body.insert(
        "@odata.context".to_owned(),
        odata_context(&request.context.base_url, of),
    );
    if here.number == 1 && request.params.find("$count") == Some("true") {
        body.insert("@odata.count".to_owned(), json!(total));
    }
    if next < total {
        body.insert(
            "@odata.nextLink".to_owned(),
            json!(next_link(request, &here, next)),
        );
    }
    let shown: Vec<Value> = entries.into_iter().skip(here.offset).take(taken).collect();
    body.insert("value".to_owned(), Value::Array(shown));
    Ok(Value::Object(body))
}

fn here(request: &GraphRequest<'_>) -> Result<Page, GraphRefusal> {
    let path = request.uri.path().to_owned();
    let Some(token) = request.params.find("$skiptoken") else {
        return Ok(Page {
            offset: 0,
            number: 1,
            path,
        });
    };
    let known = request.context.directory.lock().grants.pages.get(token).cloned();
    known
        .filter(|page| page.path == path)
        .ok_or_else(GraphRefusal::expired_page)
}

fn asked_size(request: &GraphRequest<'_>) -> Result<usize, GraphRefusal> {
    let Some(top) = request.params.find("$top") else {
        return Ok(DEFAULT_SIZE);
    };
    match top.parse() {
        Ok(size @ 1..=LARGEST_SIZE) => Ok(size),
        _ => Err(GraphRefusal::bad_request(format!(
            "Invalid page size specified: '{top}'. Must be between 1 and 999."
        ))),
    }
}

/// The address of the next page: the same query, and a token nobody can read.
fn next_link(request: &GraphRequest<'_>, here: &Page, offset: usize) -> String {
    let token = format!("RFNwdAoA{}", random::long_opaque());
    let path = here.path.clone();
    let next = Page {
        offset,
        number: here.number.saturating_add(1),
        path: path.clone(),
    };
    request
        .context
        .directory
        .lock()
        .grants
        .pages
        .insert(token.clone(), next);
    let query = request.uri.query().unwrap_or_default().replace("%24", "$");
    let mut pairs: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("$skiptoken="))
        .collect();
    let skip = format!("$skiptoken={token}");
    pairs.push(&skip);
    format!("{}{path}?{}", request.context.base_url, pairs.join("&"))
}
