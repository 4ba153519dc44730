//! Microsoft's refusals: one AADSTS code, one text, and the OAuth error it travels under.
//!
//! The table `aadsts/codes.tsv` says for each code where a person or program meets it, and under which `error`
//! at the authorize and at the token endpoint.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::clock::login_stamp;
use crate::directory::{AppRegistration, User};
use crate::json::set;
use crate::random;

/// The table, one code a line: code, place, error at authorize, error at token, status at token, suberror, text.
const TABLE: &str = include_str!("aadsts/codes.tsv");

/// How long a throttled client is told to wait, in seconds.
const THROTTLE_SECONDS: &str = "17";

/// Where a refusal of the authorize endpoint is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On Microsoft's own page: the application never hears of it.
    Page,
    /// At the application's redirect address.
    Callback,
}

/// What the table says about one code.
struct Entry<'a> {
    place: Place,
    authorize_error: &'a str,
    token_error: &'a str,
    token_status: StatusCode,
    suberror: Option<&'a str>,
    text: &'a str,
}

/// One refusal, ready to be shown at either endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The AADSTS number.
    pub(crate) code: u32,
    gaps: Box<Gaps>,
}

/// What fills the gaps of a text.
#[derive(Debug, Clone, Default)]
struct Gaps {
    /// Client id and name.
    app: Option<(String, String)>,
    tenant: Option<String>,
    user: Option<String>,
    value: Option<String>,
}

impl Refusal {
    /// A refusal with this code; the text's gaps stay general until filled.
    pub(crate) fn new(code: u32) -> Self {
        Self {
            code,
            gaps: Box::default(),
        }
    }

    /// Names the application in the text.
    pub(crate) fn app(mut self, app: &AppRegistration) -> Self {
        self.gaps.app = Some((app.client_id.clone(), app.name.clone()));
        self
    }

    /// Names an application that is not registered.
    pub(crate) fn client_id(mut self, client_id: &str) -> Self {
        self.gaps.app = Some((client_id.to_owned(), client_id.to_owned()));
        self
    }

    /// Names the tenant in the text.
    pub(crate) fn tenant(mut self, tenant: &str) -> Self {
        self.gaps.tenant = Some(tenant.to_owned());
        self
    }

    /// Names the person in the text.
    pub(crate) fn user(mut self, user: &User) -> Self {
        self.gaps.user = Some(user.upn.clone());
        self
    }

    /// Puts the offending value into the text.
    pub(crate) fn value(mut self, value: &str) -> Self {
        self.gaps.value = Some(value.to_owned());
        self
    }

    /// Whether the authorize endpoint shows this on its page or sends it to the application.
    pub(crate) fn place(&self) -> Place {
        entry(self.code).place
    }

    /// The `error` under which the authorize endpoint sends this.
    pub(crate) fn authorize_error(&self) -> &'static str {
        entry(self.code).authorize_error
    }

    /// `AADSTS…: text Trace ID: … Correlation ID: … Timestamp: …`, as `error_description` carries it.
    pub(crate) fn description(&self, now: i64) -> String {
        self.described(&random::guid(), &random::guid(), &login_stamp(now))
    }

    /// `AADSTS…: text`, for a page.
    pub(crate) fn headline(&self) -> String {
        format!("AADSTS{}: {}", self.code, self.text())
    }

    /// The answer of the token endpoint.
    pub(crate) fn token_answer(&self, now: i64, base_url: &str) -> Response {
        let entry = entry(self.code);
        let mut body = self.body(entry.token_error, now, base_url);
        if let Some(suberror) = entry.suberror {
            set(&mut body, "suberror", json!(suberror));
        }
        if let Some(claims) = self.claims() {
            set(&mut body, "claims", json!(claims));
        }
        json_answer(entry.token_status, body)
    }

    /// The answer of the metadata endpoint, whose only refusal is an unknown tenant.
    pub(crate) fn metadata_answer(&self, now: i64, base_url: &str) -> Response {
        json_answer(
            StatusCode::BAD_REQUEST,
            self.body("invalid_tenant", now, base_url),
        )
    }

    fn body(&self, error: &str, now: i64, base_url: &str) -> Value {
        let (trace, correlation, stamp) = (random::guid(), random::guid(), login_stamp(now));
        json!({
            "error": error,
            "error_description": self.described(&trace, &correlation, &stamp),
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("{base_url}/error?code={}", self.code),
        })
    }

    /// The claims a client has to replay at the authorize endpoint, as a JSON text.
    fn claims(&self) -> Option<&'static str> {
        const POLICY: &str = r#"{"access_token":{"capolids":{"essential":true,"values":["b5b1a2c3-0000-4111-8222-333344445555"]}}}"#;
        matches!(self.code, 50076 | 53003).then_some(POLICY)
    }

    fn described(&self, trace: &str, correlation: &str, stamp: &str) -> String {
        format!(
            "{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}",
            self.headline()
        )
    }

    fn text(&self) -> String {
        let (app, name) = self
            .gaps
            .app
            .as_ref()
            .map_or(("unknown", "unknown"), |(id, name)| (id, name));
        entry(self.code)
            .text
            .replace("{app}", app)
            .replace("{name}", name)
            .replace("{tenant}", self.gaps.tenant.as_deref().unwrap_or("unknown"))
            .replace("{user}", self.gaps.user.as_deref().unwrap_or("{EUII Hidden}"))
            .replace("{value}", self.gaps.value.as_deref().unwrap_or("unknown"))
    }
}

fn json_answer(status: StatusCode, body: Value) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store, no-cache"),
        (header::PRAGMA, "no-cache"),
    ];
    let mut response = (status, headers, Json(body)).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let pause = HeaderValue::from_static(THROTTLE_SECONDS);
        response.headers_mut().insert(header::RETRY_AFTER, pause);
    }
    response
}

fn entry(code: u32) -> Entry<'static> {
    let number = code.to_string();
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| parse(line, &number))
        .unwrap_or(Entry {
            // Microsoft adds codes all the time: one the table does not know must be possible on demand.
            place: Place::Callback,
            authorize_error: "invalid_request",
            token_error: "invalid_grant",
            token_status: StatusCode::BAD_REQUEST,
            suberror: None,
            text: "The request could not be completed.",
        })
}

fn parse(line: &'static str, number: &str) -> Option<Entry<'static>> {
    let mut columns = line.split('\t');
    if columns.next()? != number {
        return None;
    }
    Some(Entry {
        place: if columns.next()? == "page" {
            Place::Page
        } else {
            Place::Callback
        },
        authorize_error: columns.next()?,
        token_error: columns.next()?,
        token_status: columns.next()?.parse().ok()?,
        suberror: columns.next().filter(|suberror| *suberror != "-"),
        text: columns.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_can_be_read() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let number = line.split('\t').next().unwrap();
            assert!(parse(line, number).is_some(), "unreadable line: {line}");
            assert!(number.parse::<u32>().is_ok(), "no number: {line}");
        }
    }

    #[test]
    fn a_code_the_table_does_not_know_is_still_a_refusal() {
        let refusal = Refusal::new(4_242_424);
        assert_eq!(refusal.authorize_error(), "invalid_request");
        assert!(refusal.description(0).starts_with("AADSTS4242424: "));
    }
}
