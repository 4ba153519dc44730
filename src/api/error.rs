//! Errors of the API: Cloudflare's envelope, its numbers and its words.

use http::StatusCode;
use serde_json::{Value, json};

use crate::manage::ManageError;
use crate::snapshot::read::Problem;
use crate::store::StoreError;

/// Why a request is not answered with a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) errors: Vec<ErrorItem>,
    /// Seconds after which it may be tried again.
    pub(super) retry_after: Option<u32>,
    /// The methods that there are, where the one asked for is not among them.
    pub(super) allow: Option<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorItem {
    pub(super) code: u32,
    pub(super) message: String,
    /// The place in the body, as a JSON pointer (RFC 6901).
    pub(super) pointer: Option<String>,
}

/// The number of a request that cannot be taken as it is.
const INVALID_REQUEST: u32 = 12130;
/// The number of a request that something else stands against.
const CONFLICT: u32 = 12132;

impl ApiError {
    pub(super) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            errors: vec![ErrorItem {
                code,
                message: message.into(),
                pointer: None,
            }],
            retry_after: None,
            allow: None,
        }
    }

    /// No credential was shown, or in a way that is none.
    pub(super) fn unauthenticated() -> Self {
        Self::new(StatusCode::FORBIDDEN, 10001, "Unable to authenticate request")
    }

    /// The headers do not carry a credential as they should.
    pub(super) fn malformed_credential() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 6003, "Invalid request headers")
    }

    /// The credential is not good.
    pub(super) fn invalid_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, 9109, "Invalid access token")
    }

    /// The credential does not allow this.
    pub(super) fn forbidden(permission: &str) -> Self {
        let message = format!("Authentication error: the token lacks the permission \"{permission}\"");
        Self::new(StatusCode::FORBIDDEN, 10000, message)
    }

    /// Too many requests, or too many wrong credentials.
    pub(super) fn too_many(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                971,
                "Please wait and consider throttling your request speed",
            )
        }
    }

    /// Nothing is at this address.
    pub(super) fn no_route(path: &str) -> Self {
        let message = format!("Could not route to {path}, perhaps your object identifier is invalid?");
        Self::new(StatusCode::NOT_FOUND, 7003, message)
    }

    /// The same, where something could be that this version does not have.
    pub(super) fn absent(path: &str, what: &str) -> Self {
        let message = format!("Could not route to {path}: this version has no {what}");
        Self::new(StatusCode::NOT_FOUND, 7003, message)
    }

    /// The address is none that everybody would read in the same way.
    pub(super) fn unreadable(path: &str, reason: &str) -> Self {
        let message = format!("Could not route to {path}: {reason}");
        Self::new(StatusCode::BAD_REQUEST, 7003, message)
    }

    /// The address is in a zone, and here everything is the account's. Not 404: to whoever asks for an object by it, the
    /// object would seem to be gone.
    pub(super) fn no_zones(path: &str, instead: &str) -> Self {
        let message = format!(
            "Could not route to {path}: this gateway has no zones, everything is the account's; ask for {instead}"
        );
        Self::new(StatusCode::BAD_REQUEST, 7003, message)
    }

    /// Something is there, but not by this method.
    pub(super) fn no_method(method: &str, allowed: &[&str]) -> Self {
        let message = format!("Method {method} not available for that URI.");
        Self {
            allow: Some(allowed.join(", ")),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, 7001, message)
        }
    }

    /// There is no such object.
    pub(super) fn unknown(what: Unknown) -> Self {
        let (code, word) = what.words();
        Self::new(
            StatusCode::NOT_FOUND,
            code,
            format!("access.api.error.unknown_{word}"),
        )
    }

    /// The request cannot be taken as it is.
    pub(super) fn invalid(detail: impl AsRef<str>) -> Self {
        let message = format!("access.api.error.invalid_request: {}", detail.as_ref());
        Self::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, message)
    }

    /// The same for one place in the body.
    pub(super) fn invalid_at(pointer: impl Into<String>, detail: impl AsRef<str>) -> Self {
        let mut error = Self::invalid(detail);
        for item in &mut error.errors {
            item.pointer = Some(String::new());
        }
        if let Some(item) = error.errors.first_mut() {
            item.pointer = Some(pointer.into());
        }
        error
    }

    /// Everything that is wrong with a body, each at its place.
    pub(super) fn problems(problems: &[Problem]) -> Self {
        let errors = problems.iter().map(|problem| ErrorItem {
            code: INVALID_REQUEST,
            message: format!("access.api.error.invalid_request: {}", problem.reason),
            pointer: Some(problem.pointer.clone()),
        });
        Self {
            status: StatusCode::BAD_REQUEST,
            errors: errors.collect(),
            retry_after: None,
            allow: None,
        }
    }

    /// Something else stands against it.
    pub(super) fn conflict(detail: impl AsRef<str>) -> Self {
        let message = format!("access.api.error.conflict: {}", detail.as_ref());
        Self::new(StatusCode::CONFLICT, CONFLICT, message)
    }

    /// The object is declared in a file, which alone may change it.
    pub(super) fn read_only() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            CONFLICT,
            "access.api.error.conflict: the object is declared in the configuration file and is read-only here",
        )
    }

    /// The store cannot be asked.
    pub(super) fn unavailable() -> Self {
        Self {
            retry_after: Some(5),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                10013,
                "The store cannot be reached; look whether a change was made before asking for it again",
            )
        }
    }

    /// Microsoft cannot be asked.
    pub(super) fn provider_unavailable(detail: impl AsRef<str>) -> Self {
        let message = format!("access.api.error.unavailable: {}", detail.as_ref());
        Self {
            retry_after: Some(60),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, 10014, message)
        }
    }

    /// The envelope.
    pub(super) fn envelope(&self) -> Value {
        let errors: Vec<Value> = self.errors.iter().map(ErrorItem::value).collect();
        json!({"success": false, "errors": errors, "messages": [], "result": null})
    }
}

impl ErrorItem {
    fn value(&self) -> Value {
        match &self.pointer {
            Some(pointer) => json!({
                "code": self.code, "message": self.message, "source": {"pointer": pointer},
            }),
            None => json!({"code": self.code, "message": self.message}),
        }
    }
}

/// Kinds of objects that may not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Application,
    Policy,
    Group,
    IdentityProvider,
    ServiceToken,
    Tag,
    CustomPage,
    Certificate,
    List,
    ScimResource,
    User,
    Session,
    Seat,
    PolicyTest,
}

impl Unknown {
    /// The number and the word. 11021 is Cloudflare's; for the others only the words are known.
    fn words(self) -> (u32, &'static str) {
        match self {
            Self::Application => (11021, "application"),
            Self::Policy => (11022, "policy"),
            Self::Group => (11023, "group"),
            Self::IdentityProvider => (11024, "identity_provider"),
            Self::ServiceToken => (11025, "service_token"),
            Self::Tag => (11028, "tag"),
            Self::CustomPage => (11029, "custom_page"),
            Self::Certificate => (11030, "certificate"),
            Self::List => (11031, "list"),
            Self::ScimResource => (11036, "scim_resource"),
            Self::User => (11032, "user"),
            Self::Session => (11033, "session"),
            Self::Seat => (11034, "seat"),
            Self::PolicyTest => (11035, "policy_test"),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::NotTold) {
            return Self::conflict(error.to_string());
        }
        tracing::error!(%error, "The API could not ask the store");
        Self::unavailable()
    }
}

impl From<ManageError> for ApiError {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::Refused(refused) => {
                let problems: Vec<Problem> = refused.into_iter().flat_map(|object| object.problems).collect();
                Self::problems(&problems)
            }
            ManageError::Taken(taken) => {
                let problems = taken.into_iter().flat_map(|object| object.problems);
                let errors = problems.map(|problem| ErrorItem {
                    code: CONFLICT,
                    message: format!("access.api.error.conflict: {}", problem.reason),
                    pointer: Some(problem.pointer),
                });
                Self {
                    errors: errors.collect(),
                    ..Self::conflict("")
                }
            }
            ManageError::Store(error) => error.into(),
            ManageError::Declared { .. } => Self::read_only(),
            // Handlers name what they look for: what is not found here went meanwhile.
            error @ (ManageError::NotFound { .. }
            | ManageError::ForeignAccount { .. }
            | ManageError::Exists { .. }
            | ManageError::InUse { .. }) => Self::conflict(error.to_string()),
        }
    }
}
