//! Graph's refusals.
//!
//! <https://learn.microsoft.com/graph/errors>

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::clock::graph_stamp;
use crate::random;
use crate::scope::GRAPH_APP_ID;

/// One refusal.
pub(super) struct GraphRefusal {
    status: StatusCode,
    code: String,
    message: String,
    headers: Vec<(HeaderName, String)>,
}

impl GraphRefusal {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            headers: Vec::new(),
        }
    }

    /// The caller has no token, or none Graph takes.
    pub(super) fn bad_token(base_url: &str, message: &str) -> Self {
        let challenge = format!(
            "Bearer realm=\"\", authorization_uri=\"{base_url}/common/oauth2/authorize\", client_id=\"{GRAPH_APP_ID}\""
        );
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message);
        refusal.headers.push((header::WWW_AUTHENTICATE, challenge));
        refusal
    }

    /// Continuous access evaluation: the token is good, but something happened since.
    /// <https://learn.microsoft.com/entra/identity-platform/claims-challenge>
    pub(super) fn claims_challenge(base_url: &str, now: i64) -> Self {
        const MESSAGE: &str = "Continuous access evaluation resulted in challenge with result: InteractionRequired and \
                               code: TokenIssuedBeforeRevocationTimestamp";
        let claims = json!({ "access_token": { "nbf": { "essential": true, "value": now.to_string() } } });
        let mut refusal = Self::bad_token(base_url, MESSAGE);
        for (_, challenge) in &mut refusal.headers {
            challenge.push_str(", error_description=\"");
            challenge.push_str(MESSAGE);
            challenge.push_str("\", error=\"insufficient_claims\", claims=\"");
            challenge.push_str(&STANDARD.encode(claims.to_string()));
            challenge.push('"');
        }
        refusal
    }

    /// The token lacks the permission.
    pub(super) fn denied() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::new(StatusCode::FORBIDDEN, "Authorization_RequestDenied", message)
    }

    /// Nobody and nothing has this id.
    pub(super) fn not_found(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    }

    /// The request makes no sense.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
    }

    /// An advanced query without what it needs.
    /// <https://learn.microsoft.com/graph/aad-advanced-queries>
    pub(super) fn unsupported_query() -> Self {
        let message =
            "Unsupported Query. The request needs header ConsistencyLevel: eventual and $count=true.";
        Self::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
    }

    /// More ids than one answer holds.
    pub(super) fn too_many_results() -> Self {
        let message = "The specified result size limit has been exceeded.";
        Self::new(
            StatusCode::BAD_REQUEST,
            "Directory_ResultSizeLimitExceeded",
            message,
        )
    }

    /// A link to a page nobody handed out.
    pub(super) fn expired_page() -> Self {
        let message =
            "The specified page token value has expired and can no longer be included in your request.";
        Self::new(StatusCode::BAD_REQUEST, "Directory_ExpiredPageToken", message)
    }

    /// A delta token that is too old, or that nobody handed out: the client has to begin anew, at this address.
    pub(super) fn start_over(address: String) -> Self {
        let message = "The sync state generation is not found. The delta token is expired and data must be \
                       synchronized again.";
        let mut refusal = Self::new(StatusCode::GONE, "syncStateNotFound", message);
        refusal.headers.push((header::LOCATION, address));
        refusal
    }

    /// A path Graph, or this mock of it, does not have.
    pub(super) fn no_such_path(segments: &[&str]) -> Self {
        let last = segments.last().copied().unwrap_or_default();
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            format!("Resource not found for the segment '{last}'."),
        )
    }

    /// What a test asked for.
    pub(super) fn on_demand(status: u16, code: &str, retry_after: Option<&str>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut refusal = Self::new(status, code, "Please retry again later.");
        if let Some(retry_after) = retry_after {
            refusal
                .headers
                .push((header::RETRY_AFTER, retry_after.to_owned()));
        }
        refusal
    }

    /// Status, headers and body of the answer.
    pub(super) fn into_parts(
        self,
        now: i64,
        client_request_id: Option<&str>,
    ) -> (StatusCode, HeaderMap, Value) {
        let request_id = random::guid();
        let body = json!({
            "error": {
                "code": self.code,
                "message": self.message,
                "innerError": {
                    "date": graph_stamp(now),
                    "request-id": request_id,
                    "client-request-id": client_request_id.unwrap_or(&request_id),
                },
            },
        });
        let mut headers = HeaderMap::new();
        let own = [(HeaderName::from_static("request-id"), request_id)];
        for (name, value) in self.headers.into_iter().chain(own) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        (self.status, headers, body)
    }
}
