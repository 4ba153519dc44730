//! The organization session of a program at a command line, at the login page.
//!
//! cloudflared shows the organization token it was given as the cookie `CF_Authorization`. Over https this gateway
//! takes organization tokens from `__Host-CF_Authorization` alone, because a sibling host can plant a cookie of any
//! other name in a browser: it would sign the person in as somebody else, and what the person then types would be
//! somebody else's. So the plain name counts only where no browser can have sent the request:
//!
//! - by HEAD, which no link, form or address bar sends;
//! - with a `User-Agent` that names such a program. A script may not set it in a request to another origin without
//!   asking first (Fetch §2.2.2: it is not safelisted), and neither the application's host nor the auth host agrees to
//!   that question; elements and `no-cors` requests cannot set it at all;
//! - without any header by which browsers tell of themselves: `Sec-Fetch-*`, `Origin`, `Referer`, `Accept-Language`.
//!
//! Whoever is no browser and has the token is its owner, or has stolen it, which this cannot change: the token opens
//! what its own session opens, for as long as that lives.

use std::sync::Arc;

use http::header::{ACCEPT_LANGUAGE, ORIGIN, REFERER, USER_AGENT};
use http::{HeaderMap, Method};

use super::call::Call;
use super::failure::Why;
use crate::session::table::LiveSession;
use crate::session::{cookies, identify};

/// How the programs that speak this protocol name themselves.
const PROGRAMS: [&str; 2] = ["cloudflared/", "vestibule/"];

/// The session whose organization token a program shows; `None` for whatever may be a browser.
pub(super) async fn session(call: &Call<'_>) -> Result<Option<Arc<LiveSession>>, Why> {
    if !is_program(&call.parts.method, &call.parts.headers) {
        return Ok(None);
    }
    let headers = &call.parts.headers;
    let name = cookies::AUTHORIZATION;
    match identify::organization_token_named(name, &call.snapshot, headers, call.now_ms()) {
        Ok(verified) => call.session(verified.nonce).await,
        Err(_) => Ok(None),
    }
}

fn is_program(method: &Method, headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let named = agent.is_some_and(|agent| PROGRAMS.iter().any(|program| agent.starts_with(program)));
    let tells_of_a_browser = [ORIGIN, REFERER, ACCEPT_LANGUAGE]
        .iter()
        .any(|name| headers.contains_key(name))
        || headers.keys().any(|name| name.as_str().starts_with("sec-"));
    *method == Method::HEAD && named && !tells_of_a_browser
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn is_one(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        is_program(method, &headers)
    }

    #[test]
    fn nothing_that_a_browser_may_have_sent_is_a_program() {
        let agent = ("user-agent", "cloudflared/2026.8.0");
        assert!(is_one(&Method::HEAD, &[agent]));
        assert!(is_one(&Method::HEAD, &[("user-agent", "vestibule/0.1.0")]));
        assert!(!is_one(&Method::GET, &[agent]));
        assert!(!is_one(&Method::HEAD, &[]));
        assert!(!is_one(
            &Method::HEAD,
            &[("user-agent", "Mozilla/5.0 cloudflared/1")]
        ));
        for told in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors"),
            ("sec-ch-ua", "x"),
            ("origin", "null"),
            ("referer", "https://evil.example/"),
            ("accept-language", "en"),
        ] {
            assert!(!is_one(&Method::HEAD, &[agent, told]), "{told:?}");
        }
    }
}
