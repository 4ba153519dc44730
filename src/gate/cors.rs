//! What browsers are told about other sites' scripts where an application says so (`cors_headers`, Fetch §3.3).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HeaderName, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::model::cors::{Choice, Cors, CorsHeader, CorsMethod};
use crate::pages::person::forbid_storing;
use crate::proxy::Body;

/// What we say in place of the application.
const OURS: [HeaderName; 5] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_MAX_AGE,
];

/// What an answer to a preflight differs by.
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

/// Every method that a script can use: browsers refuse CONNECT and TRACE before they ask (Fetch §2.2.1).
const ALL_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, HEAD, PUT, DELETE, OPTIONS, PATCH");

/// The longest list of headers that is given back as it was asked for, in bytes.
const LONGEST_REFLECTED: usize = 1024;

/// The answer to a preflight, or `None` where its origin may not ask.
pub(super) fn preflight(cors: &Cors, asked: &HeaderMap) -> Option<Response<Body>> {
    let origin = asked.get(ORIGIN)?;
    if !cors.allows(origin.as_bytes()) {
        return None;
    }
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = StatusCode::OK;
    let headers = answer.headers_mut();
    allow(cors, origin, headers);
    if let Some(methods) = methods(cors) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Some(names) = names(cors, asked) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    if let Some(age) = cors.max_age() {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.seconds()));
    }
    headers.insert(VARY, PREFLIGHT_VARY);
    forbid_storing(headers);
    Some(answer)
}

/// Puts our word in place of the application's on an answer, whoever it is by. `origin` is what the request sent.
pub(super) fn answer(cors: &Cors, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    for name in OURS {
        headers.remove(name);
    }
    if matches!(cors.origins(), Choice::Listed(_)) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin.filter(|origin| cors.allows(origin.as_bytes())) {
        allow(cors, origin, headers);
    }
}

fn allow(cors: &Cors, origin: &HeaderValue, headers: &mut HeaderMap) {
    let told = match cors.origins() {
        Choice::Any => HeaderValue::from_static("*"),
        Choice::Listed(_) => origin.clone(),
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, told);
    if cors.credentials() {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

fn methods(cors: &Cors) -> Option<HeaderValue> {
    match cors.methods() {
        Choice::Any => Some(ALL_METHODS),
        Choice::Listed(listed) => joined(listed.iter().map(CorsMethod::as_str)),
    }
}

/// All headers are told by giving back those asked for: `*` says nothing to a script that sends credentials, and does
/// not cover `Authorization` (Fetch §4.9).
fn names(cors: &Cors, asked: &HeaderMap) -> Option<HeaderValue> {
    match cors.headers() {
        Choice::Listed(listed) => joined(listed.iter().map(CorsHeader::as_str)),
        Choice::Any => {
            let asked = asked.get(ACCESS_CONTROL_REQUEST_HEADERS)?;
            let name = |name: &[u8]| HeaderName::from_bytes(name.trim_ascii()).is_ok();
            let fine =
                asked.len() <= LONGEST_REFLECTED && asked.as_bytes().split(|&byte| byte == b',').all(name);
            fine.then(|| asked.clone())
        }
    }
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> Option<HeaderValue> {
    let words: Vec<&str> = words.collect();
    let line = HeaderValue::from_str(&words.join(", ")).ok()?;
    (!words.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cors::CorsParts;

    fn listed(credentials: bool) -> Cors {
        Cors::new(CorsParts {
            origins: vec!["https://a.example.com".parse().unwrap()],
            all_headers: true,
            all_methods: true,
            credentials,
            ..CorsParts::default()
        })
        .unwrap()
    }

    fn asked(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        lines.iter().map(line).collect()
    }

    #[test]
    fn what_an_application_says_of_other_sites_is_replaced() {
        let mut headers = asked(&[
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-total"),
            ("vary", "accept-encoding"),
        ]);
        answer(
            &listed(false),
            Some(&HeaderValue::from_static("https://b.example.com")),
            &mut headers,
        );
        assert!(!headers.contains_key("access-control-allow-origin"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
        assert_eq!(headers["access-control-expose-headers"], "x-total");
        assert_eq!(
            headers.get_all("vary").iter().collect::<Vec<_>>(),
            ["accept-encoding", "Origin"]
        );
    }

    #[test]
    fn with_credentials_nothing_is_a_wildcard() {
        let asked = asked(&[
            ("origin", "https://a.example.com"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "authorization, x-own"),
        ]);
        let answer = preflight(&listed(true), &asked).unwrap();
        assert!(answer.headers().values().all(|value| value != "*"));
        assert_eq!(
            answer.headers()["access-control-allow-headers"],
            "authorization, x-own"
        );
        assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
    }

    #[test]
    fn a_list_of_headers_that_is_none_is_not_given_back() {
        let asked = asked(&[
            ("origin", "https://a.example.com"),
            ("access-control-request-headers", "x, \"y\""),
        ]);
        let answer = preflight(&listed(true), &asked).unwrap();
        assert!(!answer.headers().contains_key("access-control-allow-headers"));
    }
}
