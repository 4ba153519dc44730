//! Answers of the login chain that are no pages.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::pages::person::forbid_storing;

/// What the chain answers with.
pub(super) type Answer = Response<Bytes>;

/// Sends the browser on. Kept by no cache, and the address it leaves is told to nobody: it may hold a ticket.
pub(super) fn redirect(location: &str) -> Answer {
    let body = format!(
        "<!doctype html><title>Continue</title><a href=\"{}\">Continue</a>\n",
        escaped(location)
    );
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = StatusCode::FOUND;
    let headers = answer.headers_mut();
    // Addresses are built here from checked parts; one that is no header value leads nowhere.
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(LOCATION, location);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    forbid_storing(headers);
    answer
}

/// Sends the browser on after a form, to an address that is read (RFC 9110 §15.4.4).
pub(super) fn see_other(location: &str) -> Answer {
    let mut answer = redirect(location);
    *answer.status_mut() = StatusCode::SEE_OTHER;
    answer
}

/// An answer in JSON, kept by no cache.
pub(super) fn json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Bytes::from(value.to_string()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    forbid_storing(headers);
    answer
}

/// Adds a `Set-Cookie`. A value that is no header was refused where it was made; it sets nothing.
pub(super) fn set_cookie(answer: &mut Answer, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// For the one attribute that these bodies have.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_never_stored_and_tells_nobody_where_it_came_from() {
        let answer = redirect("https://wiki.example.com/?a=1&b=%22");
        assert_eq!(answer.headers()[LOCATION], "https://wiki.example.com/?a=1&b=%22");
        assert!(
            answer.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("no-store")
        );
        assert_eq!(answer.headers()[REFERRER_POLICY], "no-referrer");
        let body = String::from_utf8(answer.into_body().to_vec()).unwrap();
        assert!(
            body.contains("href=\"https://wiki.example.com/?a=1&amp;b=%22\""),
            "{body}"
        );
    }
}
