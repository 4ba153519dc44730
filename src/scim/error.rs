//! What SCIM clients are told where something did not work (RFC 7644 §3.12). The text is read by administrators, in
//! Entra's provisioning log.

use http::StatusCode;
use serde_json::{Value, json};

use crate::store::StoreError;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ScimError {
    /// The filter cannot be read.
    #[error("{0}")]
    Filter(String),
    /// The body is no JSON, or no request of SCIM.
    #[error("{0}")]
    Syntax(String),
    /// A path of a PATCH cannot be read.
    #[error("{0}")]
    Path(String),
    /// An operation says not where it works.
    #[error("{0}")]
    NoTarget(String),
    /// A value is missing or cannot stand.
    #[error("{0}")]
    Value(String),
    /// An attribute cannot be written.
    #[error("{0}")]
    Mutability(String),
    /// More than is done at once.
    #[error("{0}")]
    TooMany(String),
    /// Another resource has the value already.
    #[error("{0}")]
    Taken(String),
    /// There is no such resource or endpoint.
    #[error("{0}")]
    NotFound(String),
    /// The method is not served there.
    #[error("the method is not served at this address")]
    Method,
    /// What the standard has and this service has not.
    #[error("{0} is not offered")]
    NotOffered(&'static str),
    /// The secret is missing or wrong.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The address showed too many wrong secrets.
    #[error("too many wrong secrets came from this address; wait some seconds")]
    TooManyFailures,
    /// The body is longer than is taken.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// The gateway has too much to do.
    #[error("the gateway has too much to do; try again")]
    Busy,
    /// The store does not answer.
    #[error("the gateway's store is not available; try again")]
    Unavailable,
    /// What the directory may tell was changed while it told.
    #[error("the provider's settings were changed meanwhile; try again")]
    Changed,
    /// Something else failed. The log says what.
    #[error("the gateway failed; its log says why, under the request id {0}")]
    Internal(String),
}

impl ScimError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Filter(_)
            | Self::Syntax(_)
            | Self::Path(_)
            | Self::NoTarget(_)
            | Self::Value(_)
            | Self::Mutability(_)
            | Self::TooMany(_) => StatusCode::BAD_REQUEST,
            Self::Taken(_) => StatusCode::CONFLICT,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotOffered(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::TooManyFailures => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::Unavailable | Self::Changed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status().as_str(),
            "detail": self.to_string()
        });
        if let (Value::Object(body), Some(kind)) = (&mut body, self.kind()) {
            body.insert("scimType".to_owned(), kind.into());
        }
        body
    }

    fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Filter(_) => "invalidFilter",
            Self::Syntax(_) => "invalidSyntax",
            Self::Path(_) => "invalidPath",
            Self::NoTarget(_) => "noTarget",
            Self::Value(_) => "invalidValue",
            Self::Mutability(_) => "mutability",
            Self::TooMany(_) => "tooMany",
            Self::Taken(_) => "uniqueness",
            _ => return None,
        })
    }
}

impl ScimError {
    /// What is told of a failure of the store. What exists already is the client's to mend, all else is not.
    pub(super) fn of_store(error: StoreError, request_id: &str) -> Self {
        match error {
            StoreError::Conflict(what) => Self::Taken(format!("{what} is in use already")),
            StoreError::NotTold => Self::Changed,
            StoreError::Unavailable(cause) => {
                tracing::error!(request.id = request_id, %cause, "SCIM: the store does not answer");
                Self::Unavailable
            }
            error => {
                tracing::error!(request.id = request_id, %error, "SCIM: a request failed");
                Self::Internal(request_id.to_owned())
            }
        }
    }
}
