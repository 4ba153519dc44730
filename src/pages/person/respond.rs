//! How a page becomes an answer, with the headers that every page carries.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL as CACHE_CONTROL_NAME, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    EXPIRES as EXPIRES_NAME, HeaderName, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::accept::Accept;
use super::assets::{Ancestors, Script, content_security_policy};
use super::frame::{Frame, logo, own_style};
use super::wear::Wear;
use crate::model::web_address::WebAddress;

/// What Access sends so that no cache keeps an answer (Cloudflare Access, login redirect).
pub const CACHE_CONTROL: HeaderValue = HeaderValue::from_static(
    "private, max-age=0, no-store, no-cache, must-revalidate, post-check=0, pre-check=0",
);

/// `Expires` of the same, for caches of HTTP/1.0.
pub const EXPIRES: HeaderValue = HeaderValue::from_static("Thu, 01 Jan 1970 00:00:01 GMT");

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// A page for people.
pub trait Page {
    /// The status of the answer.
    fn status(&self) -> StatusCode;

    /// What happened, as a stable word for programs.
    fn code(&self) -> &str;

    /// What happened, as one sentence in plain text.
    fn message(&self) -> String;

    /// The page itself.
    ///
    /// # Errors
    /// Where a value cannot be written out; none of ours does that.
    fn html(&self, frame: &Frame<'_>) -> askama::Result<String>;

    /// What clients that asked for JSON are told besides.
    fn details(&self) -> Map<String, Value> {
        Map::new()
    }

    /// The script it carries.
    fn script(&self) -> Script {
        Script::None
    }

    /// Who may frame it.
    fn ancestors(&self) -> Ancestors<'_> {
        Ancestors::None
    }

    /// Whether it has a form that changes something.
    fn sends(&self) -> bool {
        false
    }

    /// Origins besides the page's own data that its pictures come from.
    fn images(&self) -> Vec<String> {
        Vec::new()
    }

    /// What it wears besides what all pages do.
    fn wear(&self) -> Wear<'_> {
        Wear::default()
    }

    /// After how many seconds trying again makes sense (RFC 9110 §10.2.3).
    fn retry_after(&self) -> Option<u32> {
        None
    }

    /// The methods that are served, where another was asked for (RFC 9110 §10.2.1).
    fn allow(&self) -> Option<&'static str> {
        None
    }

    /// The page as an answer.
    fn respond(&self, frame: &Frame<'_>) -> Response<Bytes> {
        // A page that cannot be written is still an answer with its status and its message.
        let (body, kind) = match self.html(frame) {
            Ok(html) => (html, "text/html; charset=utf-8"),
            Err(_) => (self.message(), "text/plain; charset=utf-8"),
        };
        let wear = self.wear();
        let mut images = self.images();
        images.extend(logo(frame, &wear).map(WebAddress::origin));
        images.sort_unstable();
        images.dedup();
        let style = own_style(frame, &wear);
        let policy = content_security_policy(self.script(), &images, self.ancestors(), style.as_deref());
        answer(self, body, kind, &policy)
    }

    /// The page, or the same as JSON for a client that asked for it.
    fn respond_as(&self, accept: Accept, frame: &Frame<'_>) -> Response<Bytes> {
        if accept == Accept::Html {
            return self.respond(frame);
        }
        let twin = Twin {
            error: self.code(),
            message: &self.message(),
            request_id: frame.request_id,
            details: self.details(),
        };
        // Texts and JSON always serialize.
        let body = serde_json::to_string(&twin).unwrap_or_default();
        answer(
            self,
            body,
            "application/json",
            "default-src 'none'; frame-ancestors 'none'",
        )
    }
}

/// Tells every cache to keep nothing of an answer.
pub fn forbid_storing(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL_NAME, CACHE_CONTROL);
    headers.insert(EXPIRES_NAME, EXPIRES);
}

/// What a client gets that asked for JSON.
#[derive(Serialize)]
struct Twin<'a> {
    error: &'a str,
    message: &'a str,
    request_id: &'a str,
    #[serde(flatten)]
    details: Map<String, Value>,
}

fn answer<P: Page + ?Sized>(page: &P, body: String, kind: &'static str, policy: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = page.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    forbid_storing(headers);
    let framed = matches!(page.ancestors(), Ancestors::Origin(_));
    // Only a configured origin can make a policy unfit for a header; then nobody may frame the page.
    let policy = HeaderValue::from_str(policy)
        .unwrap_or(const { HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'") });
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(
        X_CONTENT_TYPE_OPTIONS,
        const { HeaderValue::from_static("nosniff") },
    );
    // By `no-referrer` browsers send `Origin: null` with a form (Fetch §3.2), which is no sign of our own page. By
    // `same-origin` they send the origin, and still tell nobody else where they come from.
    let referrer = if page.sends() {
        "same-origin"
    } else {
        "no-referrer"
    };
    headers.insert(REFERRER_POLICY, HeaderValue::from_static(referrer));
    headers.insert(OPENER_POLICY, const { HeaderValue::from_static("same-origin") });
    if !framed {
        // For browsers that do not know `frame-ancestors`; it cannot name an origin.
        headers.insert(X_FRAME_OPTIONS, const { HeaderValue::from_static("DENY") });
    }
    if let Some(methods) = page.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if let Some(seconds) = page.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
