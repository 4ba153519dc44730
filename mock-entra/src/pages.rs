//! The pages people see: plain HTML, readable without script, on a phone and in the dark.

pub(crate) mod index;
pub(crate) mod provisioning;
pub(crate) mod sign_in;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::aadsts::Refusal;
use crate::clock::login_stamp;
use crate::random;

/// The one style sheet, inlined into every page.
const STYLE: &str = include_str!("pages/style.css");

/// No page loads anything, and none may be framed. `form-action` stays open: a sign-in form's answer is a redirect
/// to the application.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// The page that posts its form by itself needs a script, and only this one.
const POLICY_OF_FORM_POST: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'";

/// The sign-out page holds frames of the applications.
const POLICY_OF_SIGN_OUT: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-src *; base-uri 'none'; frame-ancestors 'none'";

/// A page with this title and body.
pub(crate) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    html(status, POLICY, "", title, body)
}

/// A refusal that stays here, as Microsoft's own error page: code, trace and time for the support desk.
pub(crate) fn refusal(refusal: &Refusal, now: i64) -> Response {
    let body = format!(
        "<h1>Sign in</h1><p>Sorry, but we’re having trouble signing you in.</p><p class=\"error\" role=\"alert\">{}</p>\
         <dl><dt>Trace ID</dt><dd>{}</dd><dt>Correlation ID</dt><dd>{}</dd><dt>Timestamp</dt><dd>{}</dd></dl>",
        escape(&refusal.headline()),
        random::guid(),
        random::guid(),
        login_stamp(now),
    );
    page(StatusCode::BAD_REQUEST, "Sign in to your account", &body)
}

/// The HTML Microsoft's front door answers on bad days.
pub(crate) fn out_of_order(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(
        status,
        "Sign in to your account",
        "<p>Sorry, but we’re having trouble signing you in.</p>",
    )
}

/// `response_mode=form_post`: a form that posts itself, with a button where scripts are off.
/// <https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html>
pub(crate) fn form_post(action: &str, fields: &[(&'static str, String)]) -> Response {
    let hidden: String = fields.iter().map(|(name, value)| hidden(name, value)).collect();
    let body = format!(
        "<form method=\"post\" action=\"{}\">{hidden}<p><button>Continue</button></p></form>\
         <script>document.forms[0].submit()</script>",
        escape(action),
    );
    html(StatusCode::OK, POLICY_OF_FORM_POST, "", "Working…", &body)
}

/// The page after signing out: hidden frames tell the applications, then the browser goes on if it may.
pub(crate) fn signed_out(frames: &[String], onward: Option<&str>) -> Response {
    let frames: Vec<String> = frames.iter().map(|url| frame(url)).collect();
    let frames = frames.concat();
    let refresh = onward
        .map(|url| format!("<meta http-equiv=\"refresh\" content=\"1;url={}\">", escape(url)))
        .unwrap_or_default();
    let link = onward
        .map(|url| format!("<p><a href=\"{}\">Continue</a></p>", escape(url)))
        .unwrap_or_default();
    let body = format!(
        "<h1>You signed out of your account</h1><p>It’s a good idea to close all browser windows.</p>{link}{frames}"
    );
    html(StatusCode::OK, POLICY_OF_SIGN_OUT, &refresh, "Signed out", &body)
}

fn frame(url: &str) -> String {
    format!(
        "<iframe hidden title=\"sign-out\" src=\"{}\"></iframe>",
        escape(url)
    )
}

/// Adds a session cookie to an answer. Plain http knows no `Secure`, so browsers would refuse `SameSite=None`.
pub(crate) fn set_cookie(response: &mut Response, name: &str, value: &str) {
    let life = if value.is_empty() { "; Max-Age=0" } else { "" };
    if let Ok(cookie) =
        HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{life}"))
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// A hidden field of a form.
pub(crate) fn hidden(name: &str, value: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
        escape(name),
        escape(value)
    )
}

/// Text that may stand in HTML, in quoted attributes too.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn html(status: StatusCode, policy: &'static str, head: &str, title: &str, body: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">{head}<title>{}</title><style>{STYLE}</style></head>\
         <body><main>{body}</main><footer>mock-entra: a stand-in for Microsoft Entra ID, for tests only</footer>\
         </body></html>\n",
        escape(title),
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store, no-cache"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    ];
    (status, headers, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_attribute() {
        assert_eq!(escape("\"><script>'&"), "&quot;&gt;&lt;script&gt;&#39;&amp;");
    }
}
