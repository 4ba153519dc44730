//! The header fields of a request on its way to an upstream: strip, then set, in that order and only here.
//!
//! What is set comes after what is stripped, so that a client's `Connection: Cf-Access-Jwt-Assertion` cannot take
//! away what we say (GHSA-w9mr-28mw-j8hg and its class).

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

use super::request_cookies;
use crate::model::header_names::{self, Standing, reads_as};
use crate::policy::{Nature, Permit};

const ASSERTION: HeaderName = HeaderName::from_static("cf-access-jwt-assertion");
const EMAIL: HeaderName = HeaderName::from_static("cf-access-authenticated-user-email");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who the client is, as far as the upstream is told.
#[derive(Debug)]
pub struct Client {
    /// The address that the decision was made for.
    pub address: IpAddr,
    /// Whether the person's browser speaks https, to us or to a trusted proxy.
    pub https: bool,
    /// Whether the peer is one of `trusted_proxies`: then its forwarding headers, other than those we set, go on.
    pub through_trusted_proxy: bool,
    /// A further header that only trusted proxies may set: the country's, by the name the operator gave it.
    pub believed_header: Option<HeaderName>,
    /// Headers in which some application takes service tokens.
    pub credential_headers: Arc<[HeaderName]>,
    /// The id that log lines, pages and the upstream share.
    pub request_id: HeaderValue,
}

/// What the upstream is told about the person; nothing on Bypass.
#[derive(Debug, Default)]
pub struct Identity {
    /// `Cf-Access-Jwt-Assertion`: the application token.
    pub assertion: Option<HeaderValue>,
    /// `Cf-Access-Authenticated-User-Email`.
    pub email: Option<HeaderValue>,
    /// Whether the assertion's `CF_Authorization` cookie may go on too.
    pub cookie: bool,
    /// Whether it goes on even where the client sent none.
    pub cookie_added: bool,
}

impl Identity {
    /// What may be told of it under this leave: nothing where it is for anybody.
    pub(super) fn under(self, permit: &Permit) -> Self {
        match permit.nature() {
            Nature::Identity | Nature::Service => self,
            Nature::Bypass => Self::default(),
        }
    }
}

/// Names that never go on as trailers, besides those that nobody may send so: what comes after the body was never looked
/// at, so neither is a service token taken from there nor a trusted proxy believed.
#[derive(Debug, Clone, Default)]
pub(super) struct Withheld {
    credentials: Arc<[HeaderName]>,
    believed: Option<HeaderName>,
}

impl Withheld {
    /// Those of a request.
    pub(super) fn of(client: &Client) -> Self {
        Self {
            credentials: Arc::clone(&client.credential_headers),
            believed: client.believed_header.clone(),
        }
    }

    fn holds(&self, name: &HeaderName) -> bool {
        let mut names = self.credentials.iter().chain(&self.believed);
        names.any(|withheld| reads_as(name.as_str(), withheld.as_str()))
    }
}

/// Makes the client's header fields the ones that the upstream receives. `host` is the `Host` asked for.
pub(super) fn prepare(headers: &mut HeaderMap, client: &Client, identity: Identity, host: &HeaderValue) {
    let te_trailers = asks_for_trailers(headers);
    strip(headers, client.through_trusted_proxy);
    announce_allowed_trailers(headers, &Withheld::of(client));
    if let Some(believed) = &client.believed_header {
        strip_believed(headers, believed, client.through_trusted_proxy);
    }
    settle_cookies(headers, &identity);

    if te_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    set_identity(headers, identity);
    // The decided address alone: whatever a client wrote to the left of it is hearsay.
    if let Ok(address) = HeaderValue::from_str(&client.address.to_string()) {
        headers.insert(FORWARDED_FOR, address);
    }
    headers.insert(FORWARDED_HOST, host.clone());
    let proto = if client.https { "https" } else { "http" };
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(proto));
    headers.insert(REQUEST_ID, client.request_id.clone());
}

/// The client's cookies without what is ours, but for the token of whom it is let in as.
fn settle_cookies(headers: &mut HeaderMap, identity: &Identity) {
    let token = identity.assertion.as_ref().filter(|_| identity.cookie);
    request_cookies::strip(headers, token.map(HeaderValue::as_bytes));
    if let Some(assertion) = identity.assertion.as_ref().filter(|_| identity.cookie_added) {
        request_cookies::add(headers, assertion);
    }
}

fn set_identity(headers: &mut HeaderMap, identity: Identity) {
    if let Some(assertion) = identity.assertion {
        headers.insert(ASSERTION, assertion);
    }
    if let Some(email) = identity.email {
        headers.insert(EMAIL, email);
    }
}

/// What another proxy, which forwards in our place what was permitted, has to set: always every field, empty where
/// there is nothing to say, so that it takes the place of whatever the client sent (CVE-2026-30851 and its class).
/// `Cookie` is the client's own without what is ours.
pub fn for_proxy(
    client: &HeaderMap,
    request_id: HeaderValue,
    permit: &Permit,
    identity: Identity,
) -> HeaderMap {
    let identity = identity.under(permit);
    let mut headers = HeaderMap::new();
    for line in client.get_all(header::COOKIE) {
        headers.append(header::COOKIE, line.clone());
    }
    settle_cookies(&mut headers, &identity);
    set_identity(&mut headers, identity);
    headers.insert(REQUEST_ID, request_id);
    for name in [ASSERTION, EMAIL, header::COOKIE] {
        headers
            .entry(name)
            .or_insert(const { HeaderValue::from_static("") });
    }
    headers
}

/// Whether a field of this name says something about this connection or its framing only, and so never goes on
/// (RFC 9110 §7.6.1; `Proxy-*` as every proxy treats them; `HTTP2-Settings` of RFC 7540 §3.2.1).
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-authentication-info"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// The names that `Connection` lines declare to be hop-by-hop: all lines, not only the first.
pub(super) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        // The two options that nearly every line has; neither is a field that could carry anything.
        .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive") && !name.eq_ignore_ascii_case(b"close"))
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect()
}

/// Takes out of trailers what may not come after the body: our names, framing, routing, credentials (RFC 9110
/// §6.5.1).
pub(super) fn strip_trailers(trailers: &mut HeaderMap, withheld: &Withheld) {
    let doomed: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| is_forbidden_trailer(name) || withheld.holds(name))
        .cloned()
        .collect();
    for name in doomed {
        trailers.remove(name);
    }
}

/// Leaves only those names in `Trailer` lines that may come as trailers.
pub(super) fn announce_allowed_trailers(headers: &mut HeaderMap, withheld: &Withheld) {
    if !headers.contains_key(header::TRAILER) {
        return;
    }
    let lines = headers.get_all(header::TRAILER).iter();
    let allowed: Vec<String> = lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !is_forbidden_trailer(name) && !withheld.holds(name))
        .map(|name| name.as_str().to_owned())
        .collect();
    match HeaderValue::from_str(&allowed.join(", ")) {
        Ok(line) if !allowed.is_empty() => headers.insert(header::TRAILER, line),
        _ => headers.remove(header::TRAILER),
    };
}

fn is_forbidden_trailer(name: &HeaderName) -> bool {
    is_hop_by_hop(name)
        || header_names::standing(name.as_str()) != Standing::Foreign
        || is_forwarding(name.as_str())
        || imitates_forwarding(name.as_str())
        || matches!(
            name.as_str(),
            "host"
                | "content-length"
                | "content-encoding"
                | "content-type"
                | "content-range"
                | "trailer"
                | "expect"
                | "authorization"
                | "cookie"
                | "set-cookie"
                | "www-authenticate"
                | "cache-control"
                | "age"
                | "expires"
                | "date"
                | "location"
                | "vary"
                | "range"
                | "x-request-id"
        )
}

fn strip(headers: &mut HeaderMap, trusted: bool) {
    let mut doomed = named_by_connection(headers);
    let unwanted = headers.keys().filter(|name| {
        is_hop_by_hop(name)
            // hyper has sent, or will send, our own 100; the upstream's would come too late.
            || *name == header::EXPECT
            || header_names::standing(name.as_str()) != Standing::Foreign
            || (!trusted && is_forwarding(name.as_str()))
            || imitates_forwarding(name.as_str())
    });
    doomed.extend(unwanted.cloned());
    for name in doomed {
        headers.remove(name);
    }
}

/// Takes out a header that is believed from trusted proxies only, and in any case what an upstream that maps punctuation
/// would take for it.
fn strip_believed(headers: &mut HeaderMap, believed: &HeaderName, trusted: bool) {
    let alike = |name: &&HeaderName| reads_as(name.as_str(), believed.as_str());
    let names: Vec<HeaderName> = headers.keys().filter(alike).cloned().collect();
    for name in names {
        if !trusted || name != *believed {
            headers.remove(name);
        }
    }
}

/// Whether a name claims where a request came from or what it once asked for. From a peer that is not trusted this
/// is hearsay, which frameworks and older servers act on.
fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded")
        || name.starts_with("x-original-")
        || name.starts_with("cf-connecting-ip")
        || matches!(
            name,
            "forwarded"
                | "x-real-ip"
                | "x-rewrite-url"
                | "true-client-ip"
                | "x-true-client-ip"
                | "x-client-ip"
                | "client-ip"
                | "x-cluster-client-ip"
                | "fastly-client-ip"
                | "x-azure-clientip"
                | "x-envoy-external-address"
                | "x-envoy-original-path"
                | "x-host"
                | "x-http-host-override"
                | "x-proxyuser-ip"
                | "cf-pseudo-ipv4"
                | "cf-ipcountry"
                | "cf-visitor"
                | "cf-worker"
        )
}

/// Whether an upstream that maps punctuation (CGI, WSGI, PHP read `-` as `_`) would take a name for one that says where
/// a request came from. No proxy writes them so, not even a trusted one (CVE-2026-39858 and its class).
fn imitates_forwarding(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.bytes().all(plain) {
        return false;
    }
    let folded: String = name
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte) } else { '-' })
        .collect();
    is_forwarding(&folded) || folded == REQUEST_ID.as_str()
}

fn asks_for_trailers(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::TE).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn sent_on(lines: &[(&str, &str)], trusted: bool, identity: Identity) -> HeaderMap {
        let mut headers = map(lines);
        let client = Client {
            address: "192.0.2.7".parse().unwrap(),
            https: true,
            through_trusted_proxy: trusted,
            believed_header: Some(HeaderName::from_static("x-edge-country")),
            credential_headers: Arc::new([HeaderName::from_static("x-service-token")]),
            request_id: HeaderValue::from_static("id-1"),
        };
        prepare(
            &mut headers,
            &client,
            identity,
            &HeaderValue::from_static("app.example.com"),
        );
        headers
    }

    fn alice() -> Identity {
        Identity {
            assertion: Some(HeaderValue::from_static("eyJ")),
            email: Some(HeaderValue::from_static("alice@example.com")),
            cookie: true,
            cookie_added: false,
        }
    }

    fn only(headers: &HeaderMap, name: &str) -> String {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        values[0].to_str().unwrap().to_owned()
    }

    /// Abuse case 25.
    #[test]
    fn a_connection_line_cannot_take_away_what_we_say() {
        let headers = sent_on(
            &[
                ("connection", "close, Cf-Access-Jwt-Assertion"),
                ("connection", "x-forwarded-for, X-Secret"),
                ("x-secret", "1"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
            ],
            false,
            alice(),
        );
        assert_eq!(only(&headers, "cf-access-jwt-assertion"), "eyJ");
        assert_eq!(only(&headers, "x-forwarded-for"), "192.0.2.7");
        for name in ["connection", "x-secret", "keep-alive", "proxy-connection"] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }

    /// Abuse cases 21 and 24.
    #[test]
    fn identity_headers_of_the_client_never_pass() {
        let forged = [
            ("cf-access-jwt-assertion", "forged"),
            ("cf-access-jwt-assertion", "again"),
            ("cf-access-authenticated-user-email", "ceo@example.com"),
            ("cf-access-client-id", "id"),
            ("cf-access-client-secret", "secret"),
            ("cf-access-token", "t"),
            ("cf-access-groups", "admins"),
        ];
        let headers = sent_on(&forged, true, Identity::default());
        assert!(headers.keys().all(|name| !name.as_str().starts_with("cf-access")));
        let headers = sent_on(&forged, true, alice());
        assert_eq!(only(&headers, "cf-access-jwt-assertion"), "eyJ");
        assert_eq!(
            only(&headers, "cf-access-authenticated-user-email"),
            "alice@example.com"
        );
        assert!(!headers.contains_key("cf-access-client-secret"));
    }

    #[test]
    fn the_countrys_header_goes_on_from_trusted_proxies_only_and_its_imitations_never() {
        let lines = [
            ("x-edge-country", "SE"),
            ("x_edge_country", "DE"),
            ("x-edge-county", "x"),
        ];
        let headers = sent_on(&lines, false, Identity::default());
        assert!(!headers.contains_key("x-edge-country") && !headers.contains_key("x_edge_country"));
        assert_eq!(only(&headers, "x-edge-county"), "x");
        let headers = sent_on(&lines, true, Identity::default());
        assert_eq!(only(&headers, "x-edge-country"), "SE");
        assert!(!headers.contains_key("x_edge_country"));
    }

    /// Abuse case 29, each name separately.
    #[test]
    fn forwarding_headers_of_untrusted_peers_are_replaced_or_removed() {
        for name in [
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-uri",
            "x-forwarded-server",
            "forwarded",
            "x-real-ip",
            "x-original-url",
            "x-original-uri",
            "x-rewrite-url",
            "true-client-ip",
            "cf-connecting-ip",
        ] {
            let headers = sent_on(&[(name, "10.0.0.1")], false, Identity::default());
            assert!(!headers.contains_key(name), "{name}");
            assert!(
                sent_on(&[(name, "x")], true, Identity::default()).contains_key(name),
                "{name}"
            );
        }
        for (name, ours) in [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "app.example.com"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "id-1"),
        ] {
            for trusted in [true, false] {
                let headers = sent_on(&[(name, "theirs")], trusted, Identity::default());
                assert_eq!(only(&headers, name), ours);
            }
        }
    }

    /// Abuse case 22, for the names that say where a request came from.
    #[test]
    fn no_spelling_of_a_forwarding_header_gets_past() {
        for name in [
            "x_forwarded_for",
            "x-forwarded_for",
            "x.forwarded.proto",
            "x_real_ip",
            "cf_connecting_ip",
            "x_request_id",
        ] {
            for trusted in [true, false] {
                let headers = sent_on(&[(name, "10.0.0.1")], trusted, Identity::default());
                assert!(!headers.contains_key(name), "{name}");
            }
            let mut trailers = map(&[(name, "10.0.0.1")]);
            strip_trailers(&mut trailers, &Withheld::default());
            assert!(trailers.is_empty(), "{name}");
        }
        let own = [("x_tenant", "7"), ("session_id", "8")];
        let headers = sent_on(&own, false, Identity::default());
        assert!(own.iter().all(|(name, _)| headers.contains_key(*name)));
    }

    #[test]
    fn te_keeps_trailers_and_nothing_else() {
        let headers = sent_on(
            &[("te", "gzip, Trailers;q=1"), ("te", "trailers")],
            false,
            Identity::default(),
        );
        assert_eq!(only(&headers, "te"), "trailers");
        assert!(!sent_on(&[("te", "gzip")], false, Identity::default()).contains_key("te"));
    }

    /// Abuse case 27.
    #[test]
    fn reserved_and_framing_trailers_are_neither_announced_nor_passed() {
        let announced = "Cf-Access-Jwt-Assertion, grpc-status, Content-Length, x-sum";
        let headers = sent_on(&[("trailer", announced)], false, Identity::default());
        assert_eq!(only(&headers, "trailer"), "grpc-status, x-sum");
        assert!(!sent_on(&[("trailer", "cookie")], false, Identity::default()).contains_key("trailer"));
        let mut trailers = map(&[
            ("cf-access-jwt-assertion", "x"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("x-forwarded-for", "::1"),
            ("grpc-status", "0"),
        ]);
        strip_trailers(&mut trailers, &Withheld::default());
        assert_eq!(trailers, map(&[("grpc-status", "0")]));
    }
}
