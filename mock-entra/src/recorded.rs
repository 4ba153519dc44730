//! Which requests arrived, so that a test can say how many there were.

use axum::http::{Method, Uri};

use crate::faults::Endpoint;

/// One request, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The part of the mock that answered.
    pub endpoint: Endpoint,
    /// The HTTP method.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// The grant type of a token request.
    pub grant: Option<String>,
}

impl Recorded {
    /// A request as it arrived, without its grant type.
    pub(crate) fn new(endpoint: Endpoint, method: &Method, uri: &Uri) -> Self {
        Self {
            endpoint,
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            grant: None,
        }
    }
}
