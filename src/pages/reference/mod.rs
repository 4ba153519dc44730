//! The API's reference: the OpenAPI document as a page for who programs against it.
//!
//! The page is made of the document and of nothing else, once, when the gateway starts: what the one says the other
//! says. It has no script; what is long is folded. It is English as the document is, so its words stand in the template.

#[expect(
    clippy::indexing_slicing,
    reason = "a JSON value read by a key that it has not is null, and nothing panics"
)]
mod example;
mod kept;
mod kind;
#[expect(
    clippy::indexing_slicing,
    reason = "a JSON value read by a key that it has not is null, and nothing panics"
)]
mod manual;
#[cfg(test)]
mod tests;

use askama::Template as _;
use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response};
use serde_json::Value;

use self::kept::Kept;
use self::manual::Manual;
use super::person::assets::{Ancestors, Script, content_security_policy};

/// The stylesheet of this page, behind that of all pages.
const STYLE: &str = include_str!("../../../templates/static/reference.css");

/// Where the page stands on the auth host.
pub const PAGE: &str = "/cdn-cgi/access/api";

/// Where the document stands beside it. The API has it too, for whoever shows a token.
pub const DOCUMENT: &str = "/cdn-cgi/access/api/openapi.json";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The document and its page, as they are sent.
#[derive(Debug)]
pub struct Reference {
    page: Kept,
    document: Kept,
    policy: HeaderValue,
}

impl Reference {
    /// The reference of an OpenAPI document. `organization` names whose gateway it is.
    ///
    /// # Errors
    /// Where the page cannot be written out; no document does that.
    pub fn of(document: &Value, organization: &str) -> askama::Result<Self> {
        let page = Manual::of(document, organization).render()?;
        let policy = content_security_policy(Script::None, &[], Ancestors::None, Some(STYLE));
        Ok(Self {
            page: Kept::new(page.into()),
            document: Kept::new(document.to_string().into()),
            // Hashes and fixed words always are a header's value.
            policy: HeaderValue::from_str(&policy)
                .unwrap_or(const { HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'") }),
        })
    }

    /// The page, or that the browser has it already.
    pub fn page(&self, headers: &HeaderMap) -> Response<Bytes> {
        let mut answer = self.page.answer(headers);
        let fields = answer.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        fields.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        fields.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        fields.insert(OPENER_POLICY, const { HeaderValue::from_static("same-origin") });
        fields.insert(X_FRAME_OPTIONS, const { HeaderValue::from_static("DENY") });
        fields.insert(
            X_CONTENT_TYPE_OPTIONS,
            const { HeaderValue::from_static("nosniff") },
        );
        answer
    }

    /// The document, or that the client has it already.
    pub fn document(&self, headers: &HeaderMap) -> Response<Bytes> {
        let mut answer = self.document.answer(headers);
        let fields = answer.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(
            X_CONTENT_TYPE_OPTIONS,
            const { HeaderValue::from_static("nosniff") },
        );
        answer
    }
}
