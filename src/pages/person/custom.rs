//! A page that the operator wrote. It is served in a sandbox: it runs no script, sends no form, and stands on an origin
//! of its own, so that nothing of ours is in its reach whatever it holds.

use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::respond::forbid_storing;
use crate::model::custom_page::CustomHtml;

/// Links work, in this window and in others; pictures, type faces and styles may come from anywhere over https.
const SANDBOX: HeaderValue = HeaderValue::from_static(
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; \
     default-src 'none'; style-src 'unsafe-inline' https:; img-src https: data:; font-src https: data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The operator's page for a request that is refused.
pub fn custom_page(html: &CustomHtml, request_id: &str) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(html.with_request_id(request_id)));
    *answer.status_mut() = StatusCode::FORBIDDEN;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, SANDBOX);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // The page need not show it; the help desk asks for it all the same.
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    forbid_storing(headers);
    answer
}

/// Lets other sites show one of our pages in a frame, where an application is made for that (`allow_iframe`).
pub fn allow_framing(headers: &mut HeaderMap) {
    const NOBODY: &str = "; frame-ancestors 'none'";
    headers.remove(X_FRAME_OPTIONS);
    let policy = headers
        .get(CONTENT_SECURITY_POLICY)
        .and_then(|policy| policy.to_str().ok());
    let policy = policy.and_then(|policy| HeaderValue::from_str(&policy.replace(NOBODY, "")).ok());
    if let Some(policy) = policy {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_page_is_in_a_sandbox_without_an_origin() {
        let html = "<script>alert(1)</script> ::RAY_ID::".parse().unwrap();
        let mut answer = custom_page(&html, "id-7");
        let policy = answer.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        let sandbox = policy.split(';').next().unwrap();
        assert!(
            sandbox.starts_with("sandbox ") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert!(
            !sandbox.contains("allow-scripts") && !sandbox.contains("allow-same-origin"),
            "{sandbox}"
        );
        assert!(answer.body().ends_with(b"id-7"));
        assert_eq!(answer.headers()["x-request-id"], "id-7");
        allow_framing(answer.headers_mut());
        assert!(!answer.headers().contains_key(X_FRAME_OPTIONS));
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            !policy.contains("frame-ancestors") && policy.starts_with("sandbox "),
            "{policy}"
        );
    }
}
