//! Which requests arrived, so that a test can say how many there were.

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
    /// The grant type of a token request.
    pub grant: Option<String>,
}
