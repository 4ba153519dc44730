//! What another proxy asks: one endpoint a dialect, each of which believes exactly the header fields that proxies of its
//! kind write, once each. All others are the client's, and count for nothing.

use http::header::{HOST, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri};

/// The proxies that are understood, by how they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// nginx's `auth_request`, which takes 2xx, 401 and 403 and passes no body on.
    Nginx,
    /// The answer for a person whom `auth_request` has been told not to let in.
    NginxAnswer,
    /// Traefik's `ForwardAuth` and Caddy's `forward_auth`, which write the same fields and pass answers on whole.
    Forwarded,
    /// Envoy's `ext_authz` over HTTP: the request itself without its body, its path behind a prefix.
    Envoy,
}

/// The endpoints with a path of their own.
const ENDPOINTS: [(&str, Dialect); 4] = [
    ("/auth/nginx", Dialect::Nginx),
    ("/auth/nginx/answer", Dialect::NginxAnswer),
    ("/auth/traefik", Dialect::Forwarded),
    ("/auth/caddy", Dialect::Forwarded),
];
/// What Envoy puts before the path asked for.
const ENVOY: &str = "/auth/envoy";

/// Where the client is: every dialect has it, and the listener has read it already.
const CLIENT: &str = "x-forwarded-for";

/// The schemes of requests. Traefik speaks of a WebSocket's as `ws` and `wss`.
const SCHEMES: [&str; 4] = ["https", "http", "wss", "ws"];

/// A request that another proxy has and asks about.
#[derive(Debug)]
pub struct Question {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub uri: Uri,
    /// Its header fields, with `Host`.
    pub headers: HeaderMap,
}

/// The proxy is not set up as it should be, or the client asked it for something odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// The proxy did not write it.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The proxy did not replace the client's.
    #[error("{0} is there more than once")]
    Repeated(&'static str),
    /// It has no reading.
    #[error("{0} is malformed")]
    Malformed(&'static str),
}

impl Dialect {
    /// The dialect of an endpoint.
    pub fn of(endpoint: &Uri) -> Option<Self> {
        let path = endpoint.path();
        let named = ENDPOINTS.iter().find(|(known, _)| *known == path);
        let envoy = || behind_prefix(path).map(|_| Self::Envoy);
        named.map(|&(_, dialect)| dialect).or_else(envoy)
    }

    /// Reads what is asked.
    ///
    /// # Errors
    /// [`Unclear`] where one of the dialect's fields is not there exactly once, or makes no sense.
    pub fn read(self, head: Parts) -> Result<Question, Unclear> {
        only(&head.headers, CLIENT)?;
        let mut question = match self {
            Self::Nginx | Self::NginxAnswer => original(head),
            Self::Forwarded => forwarded(head),
            Self::Envoy => prefixed(head),
        }?;
        // Some proxies take `Upgrade` out of what they ask; the other marks of a WebSocket stay (RFC 6455 §4.1).
        let marks = ["sec-websocket-key", "sec-websocket-version"];
        if marks.iter().any(|mark| question.headers.contains_key(*mark)) {
            question
                .headers
                .entry(UPGRADE)
                .or_insert(const { HeaderValue::from_static("websocket") });
        }
        Ok(question)
    }
}

/// `X-Original-Method`, and `X-Original-URL` with scheme, host, path and query.
fn original(head: Parts) -> Result<Question, Unclear> {
    const METHOD: &str = "x-original-method";
    const URL: &str = "x-original-url";
    let method = method(only(&head.headers, METHOD)?, METHOD)?;
    let url = only(&head.headers, URL)?;
    let (scheme, rest) = url.split_once("://").ok_or(Unclear::Malformed(URL))?;
    scheme_is_known(scheme, URL)?;
    let path = rest.find(['/', '?', '#']).ok_or(Unclear::Malformed(URL))?;
    let (host, path) = rest.split_at(path);
    let (host, uri) = (value(host, URL)?, origin_form(path, URL)?);
    Ok(asked(method, uri, host, head.headers))
}

/// `X-Forwarded-Method`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Uri`.
fn forwarded(head: Parts) -> Result<Question, Unclear> {
    const METHOD: &str = "x-forwarded-method";
    const PROTO: &str = "x-forwarded-proto";
    const ASKED_HOST: &str = "x-forwarded-host";
    const ASKED_URI: &str = "x-forwarded-uri";
    let method = method(only(&head.headers, METHOD)?, METHOD)?;
    scheme_is_known(only(&head.headers, PROTO)?, PROTO)?;
    let host = value(only(&head.headers, ASKED_HOST)?, ASKED_HOST)?;
    let uri = origin_form(only(&head.headers, ASKED_URI)?, ASKED_URI)?;
    Ok(asked(method, uri, host, head.headers))
}

/// Method and `Host` of the request itself, and the path behind a prefix.
fn prefixed(head: Parts) -> Result<Question, Unclear> {
    const PROTO: &str = "x-forwarded-proto";
    const PATH: &str = "the path";
    scheme_is_known(only(&head.headers, PROTO)?, PROTO)?;
    let host = value(only(&head.headers, HOST.as_str())?, "host")?;
    let whole = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let path = behind_prefix(whole).ok_or(Unclear::Malformed(PATH))?;
    let uri = origin_form(path, PATH)?;
    Ok(asked(head.method, uri, host, head.headers))
}

fn behind_prefix(path: &str) -> Option<&str> {
    path.strip_prefix(ENVOY).filter(|rest| rest.starts_with('/'))
}

fn asked(method: Method, uri: Uri, host: HeaderValue, mut headers: HeaderMap) -> Question {
    headers.insert(HOST, host);
    Question { method, uri, headers }
}

/// The value of a field that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Unclear> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(Unclear::Missing(name))?;
    if lines.next().is_some() {
        return Err(Unclear::Repeated(name));
    }
    line.to_str().map_err(|_| Unclear::Malformed(name))
}

fn method(text: &str, name: &'static str) -> Result<Method, Unclear> {
    Method::from_bytes(text.as_bytes()).map_err(|_| Unclear::Malformed(name))
}

fn value(text: &str, name: &'static str) -> Result<HeaderValue, Unclear> {
    HeaderValue::from_str(text).map_err(|_| Unclear::Malformed(name))
}

fn scheme_is_known(text: &str, name: &'static str) -> Result<(), Unclear> {
    if SCHEMES.iter().any(|scheme| text.eq_ignore_ascii_case(scheme)) {
        Ok(())
    } else {
        Err(Unclear::Malformed(name))
    }
}

/// A path with its query, as a request line has them.
fn origin_form(text: &str, name: &'static str) -> Result<Uri, Unclear> {
    // The `http` crate would cut a fragment off in silence.
    if !text.starts_with('/') || text.contains('#') {
        return Err(Unclear::Malformed(name));
    }
    let whole = PathAndQuery::try_from(text).map_err(|_| Unclear::Malformed(name))?;
    Ok(Uri::from(whole))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn read(method: &str, endpoint: &str, fields: &[(&str, &str)]) -> Result<Question, Unclear> {
        let mut request = Request::builder().method(method).uri(endpoint);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Dialect::of(&head.uri).expect("an endpoint").read(head)
    }

    const NGINX: [(&str, &str); 3] = [
        ("x-original-method", "POST"),
        ("x-original-url", "https://app.example.com/a/b?c=/d"),
        ("x-forwarded-for", "192.0.2.7"),
    ];
    const CADDY: [(&str, &str); 5] = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/a/b?c=/d"),
        ("x-forwarded-for", "192.0.2.7"),
    ];
    const ENVOY: [(&str, &str); 3] = [
        ("host", "app.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "192.0.2.7"),
    ];

    type Fields = Vec<(&'static str, &'static str)>;

    fn dialects() -> [(&'static str, &'static str, Fields); 5] {
        [
            ("GET", "/auth/nginx", NGINX.to_vec()),
            ("GET", "/auth/nginx/answer", NGINX.to_vec()),
            ("GET", "/auth/traefik", CADDY.to_vec()),
            ("GET", "/auth/caddy", CADDY.to_vec()),
            ("POST", "/auth/envoy/a/b?c=/d", ENVOY.to_vec()),
        ]
    }

    #[test]
    fn every_dialect_asks_about_the_same_request() {
        for (method, endpoint, fields) in dialects() {
            let question = read(method, endpoint, &fields).unwrap();
            assert_eq!(question.method, Method::POST, "{endpoint}");
            assert_eq!(question.uri, "/a/b?c=/d", "{endpoint}");
            assert_eq!(question.headers[HOST], "app.example.com", "{endpoint}");
        }
    }

    /// Abuse case 31.
    #[test]
    fn each_field_of_a_dialect_is_there_exactly_once() {
        for (method, endpoint, fields) in dialects() {
            for index in 0..fields.len() {
                let mut fewer = fields.clone();
                let (name, value) = fewer.remove(index);
                let missing = read(method, endpoint, &fewer).unwrap_err();
                assert_eq!(missing, Unclear::Missing(name), "{endpoint}");
                let mut more = fields.clone();
                more.push((name, value));
                let repeated = read(method, endpoint, &more).unwrap_err();
                assert_eq!(repeated, Unclear::Repeated(name), "{endpoint}");
            }
        }
    }

    /// Abuse case 31: what belongs to another dialect is the client's word.
    #[test]
    fn the_fields_of_other_dialects_are_not_read() {
        let foreign = [
            ("x-original-url", "https://app.example.com/public"),
            ("x-original-uri", "/cdn-cgi/access/callback"),
            ("x-original-method", "OPTIONS"),
            ("x-forwarded-method", "OPTIONS"),
            ("x-forwarded-host", "other.example.com"),
            ("x-forwarded-uri", "/public"),
        ];
        for (method, endpoint, fields) in dialects() {
            let own = |name: &str| fields.iter().any(|(known, _)| *known == name);
            let mut all = fields.clone();
            all.extend(foreign.iter().filter(|(name, _)| !own(name)));
            let question = read(method, endpoint, &all).unwrap();
            assert_eq!(question.method, Method::POST, "{endpoint}");
            assert_eq!(question.uri, "/a/b?c=/d", "{endpoint}");
            assert_eq!(question.headers[HOST], "app.example.com", "{endpoint}");
        }
    }

    #[test]
    fn what_has_no_reading_is_refused() {
        for url in [
            "",
            "/a",
            "https:/app.example.com/a",
            "https://app.example.com",
            "https://app.example.com?x",
            "ftp://app.example.com/a",
            "https://app.example.com/a#b",
            "https://app.example.com/a b",
            "https://app.example.com#/a",
        ] {
            let mut fields = NGINX;
            fields[1].1 = url;
            let refused = read("GET", "/auth/nginx", &fields).unwrap_err();
            assert_eq!(refused, Unclear::Malformed("x-original-url"), "{url}");
        }
        for (index, value) in [
            (0, ""),
            (0, "GE T"),
            (1, "https, http"),
            (1, ""),
            (3, ""),
            (3, "a"),
            (3, "*"),
            (3, "/#"),
        ] {
            let mut fields = CADDY;
            fields[index].1 = value;
            let refused = read("GET", "/auth/caddy", &fields).unwrap_err();
            assert_eq!(refused, Unclear::Malformed(fields[index].0), "{value}");
        }
    }

    #[test]
    fn nothing_else_is_an_endpoint() {
        for path in [
            "/",
            "/auth",
            "/auth/nginx/",
            "/auth/nginx/x",
            "/auth/envoy",
            "/auth/envoyx/",
            "/AUTH/nginx",
        ] {
            assert_eq!(Dialect::of(&path.parse().unwrap()), None, "{path}");
        }
    }

    #[test]
    fn a_websocket_is_known_without_its_upgrade_line() {
        let mut fields = CADDY.to_vec();
        assert!(
            !read("GET", "/auth/caddy", &fields)
                .unwrap()
                .headers
                .contains_key(UPGRADE)
        );
        fields.push(("sec-websocket-key", "x"));
        assert_eq!(
            read("GET", "/auth/caddy", &fields).unwrap().headers[UPGRADE],
            "websocket"
        );
    }
}
