//! Microsoft's error answers (AADSTS): reading one, and which class it belongs to.
//!
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>. Microsoft says that codes may change and
//! that clients branch on `error`; so `error` and `suberror` decide first, and the code where they leave it open.
//! `error_description` is read for its numbers only: whoever makes a person follow a link could write anything there.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::class::Class;

/// An error answer of the authorize, token or discovery endpoint, without any text of Microsoft's in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AadstsAnswer {
    /// The number after `AADSTS`, where there is one.
    pub code: Option<u32>,
    /// What it means for the person and the operator.
    pub class: Class,
    /// `error`, a word of RFC 6749 §5.2; `unrecognized` where it is no such word.
    pub error: String,
    /// `suberror`, or `error_subcode` of a callback.
    pub suberror: Option<String>,
    /// Trace id: Microsoft's support asks for it.
    pub trace_id: Option<String>,
    /// Correlation id: likewise.
    pub correlation_id: Option<String>,
    /// `claims` to be replayed unchanged in one interactive login.
    pub claims: Option<String>,
    /// How long to wait, where Microsoft said so.
    pub retry_after: Option<Duration>,
    /// Whether a browser brought it, in whose address bar anybody may write it.
    pub by_browser: bool,
}

/// One row of `aadsts.json`. `message` is for the person, except in class Config, where it is for the operator.
#[derive(Debug, Deserialize)]
struct Known {
    code: u32,
    class: Class,
    meaning: String,
    message: String,
}

static KNOWN: LazyLock<HashMap<u32, Known>> = LazyLock::new(|| {
    // The file is part of the program; a test reads every row of it.
    let rows: Vec<Known> = serde_json::from_str(include_str!("aadsts.json")).unwrap_or_default();
    rows.into_iter().map(|row| (row.code, row)).collect()
});

/// The client secret is wrong.
const SECRET_WRONG: u32 = 7_000_215;
/// The client secret has expired.
const SECRET_EXPIRED: u32 = 7_000_222;
/// The person declined.
const DECLINED: u32 = 65_004;

impl AadstsAnswer {
    /// Reads the query of a callback; `None` where it reports no error.
    pub fn from_callback(query: &str) -> Option<Self> {
        let mut fields: HashMap<String, String> = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            fields
                .entry(name.into_owned())
                .or_insert_with(|| value.into_owned());
        }
        let field = |name: &str| fields.get(name).map(String::as_str);
        let description = field("error_description").unwrap_or_default();
        Some(Self::new(
            field("error")?,
            field("error_subcode").or_else(|| field("suberror")),
            code_in(description),
            description,
        ))
    }

    /// Reads the body of a refusing answer; `None` where it is no error of OAuth's (HTML, empty, cut).
    pub fn from_body(status: StatusCode, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let description = text("error_description").unwrap_or_default();
        let listed = body.get("error_codes").and_then(|codes| codes.get(0));
        let code = listed
            .and_then(Value::as_u64)
            .and_then(|code| u32::try_from(code).ok())
            .or_else(|| code_in(description));
        let mut answer = Self::new(text("error")?, text("suberror"), code, description);
        answer.trace_id = text("trace_id").and_then(reference).or(answer.trace_id);
        answer.correlation_id = text("correlation_id")
            .and_then(reference)
            .or(answer.correlation_id);
        answer.claims = text("claims").and_then(challenge);
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            answer.class = Class::Transient;
        }
        Some(answer)
    }

    /// Reads one of Microsoft's own pages; `None` where no code stands in it.
    pub(super) fn from_page(page: &str) -> Option<Self> {
        let mut codes = page.match_indices("AADSTS");
        let code = codes.find_map(|(at, _)| page.get(at..).and_then(code_in))?;
        Some(Self::new("invalid_request", None, Some(code), ""))
    }

    fn new(error: &str, suberror: Option<&str>, code: Option<u32>, description: &str) -> Self {
        let error = word(error).unwrap_or("unrecognized");
        let suberror = suberror.and_then(word);
        Self {
            code,
            class: classify(error, suberror, code),
            error: error.to_owned(),
            suberror: suberror.map(str::to_owned),
            trace_id: after(description, "Trace ID: "),
            correlation_id: after(description, "Correlation ID: "),
            claims: None,
            retry_after: None,
            by_browser: false,
        }
    }

    /// Whether the person turned back at Microsoft: no fault, and trying again is offered.
    pub fn cancelled(&self) -> bool {
        self.code == Some(DECLINED)
            || (self.error == "access_denied" && self.suberror.as_deref() == Some("cancel"))
    }

    /// Whether a silent login (`prompt=none`) that got this answer should be followed by one with interaction.
    pub fn interaction_may_help(&self) -> bool {
        matches!(self.class, Class::Interactive | Class::Consent)
    }

    /// Whether the credential was refused, so that the one that will follow may be tried. Microsoft says so to whoever shows
    /// it, and never through a browser.
    pub fn secret_refused(&self) -> bool {
        !self.by_browser && matches!(self.code, Some(SECRET_WRONG | SECRET_EXPIRED))
    }

    /// The sentence for the person. Configuration faults have one text: the details are the operator's.
    pub fn person_text(&self) -> &'static str {
        if self.cancelled() {
            return "You turned back before the sign-in was finished.";
        }
        match self.known() {
            Some(known) if known.class == self.class && self.class != Class::Config => &known.message,
            _ => self.class.text(),
        }
    }

    /// What the operator should know of the code, for the log.
    pub fn operator_text(&self) -> Option<&'static str> {
        self.known().map(|known| match known.class {
            Class::Config => known.message.as_str(),
            _ => known.meaning.as_str(),
        })
    }

    fn known(&self) -> Option<&'static Known> {
        self.code.and_then(|code| KNOWN.get(&code))
    }
}

impl std::fmt::Display for AadstsAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => write!(f, "AADSTS{code} ({})", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

fn classify(error: &str, suberror: Option<&str>, code: Option<u32>) -> Class {
    let by_code = code.and_then(|code| KNOWN.get(&code)).map(|known| known.class);
    match (error, suberror) {
        ("temporarily_unavailable" | "server_error", _) => Class::Transient,
        ("consent_required", _) | (_, Some("consent_required")) => Class::Consent,
        (_, Some("basic_action" | "additional_action")) | ("login_required", _) => Class::Interactive,
        (_, Some("message_only" | "protection_policy_required")) => Class::Denied,
        (_, Some("user_password_expired")) => Class::UserAction,
        // "Not assigned" (50105) comes as interaction_required, and no interaction helps: the code knows better.
        ("interaction_required", _) => by_code.unwrap_or(Class::Interactive),
        ("access_denied", _) => by_code.unwrap_or(Class::Denied),
        (_, Some("bad_token" | "token_expired" | "client_mismatch")) => by_code.unwrap_or(Class::Revoked),
        (
            "invalid_client"
            | "unauthorized_client"
            | "invalid_request"
            | "invalid_scope"
            | "invalid_resource"
            | "invalid_tenant"
            | "unsupported_response_type"
            | "unsupported_grant_type",
            _,
        ) => by_code.unwrap_or(Class::Config),
        _ => by_code.unwrap_or(Class::Restart),
    }
}

/// The number in `AADSTS50105: …`.
fn code_in(description: &str) -> Option<u32> {
    let digits = description.strip_prefix("AADSTS")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

/// A word of OAuth's: what is anything else is not repeated into logs.
fn word(text: &str) -> Option<&str> {
    let fits = (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    fits.then_some(text)
}

/// A trace or correlation id: a UUID, else nothing.
fn reference(text: &str) -> Option<String> {
    uuid::Uuid::parse_str(text).ok().map(|id| id.to_string())
}

fn after(description: &str, label: &str) -> Option<String> {
    let (_, rest) = description.split_once(label)?;
    reference(rest.split_whitespace().next()?)
}

/// Longest claims challenge sent on: beyond it the authorization address would be refused (AADSTS90015).
pub(super) const MAX_CHALLENGE: usize = 2048;

/// A claims challenge is a JSON object; what is not is not sent back to Microsoft.
pub(super) fn challenge(text: &str) -> Option<String> {
    let sound = text.len() <= MAX_CHALLENGE
        && serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    sound.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
