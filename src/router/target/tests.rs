use http::Request;
use proptest::prelude::*;

use super::*;

fn request(target: &str, headers: &[(&str, &str)]) -> Option<Request<()>> {
    let mut request = Request::builder().uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).ok()
}

fn parse_head(target: &str, headers: &[(&str, &str)], via: Via) -> Result<Target, TargetRefused> {
    let request = request(target, headers).unwrap();
    Target::parse(request.method(), request.uri(), request.headers(), via)
}

fn parse(target: &str) -> Result<Target, TargetRefused> {
    parse_head(target, &[("host", "app.example.com")], Via::Http1)
}

#[test]
fn a_plain_target_goes_on_byte_for_byte() {
    for path in [
        "/",
        "/a/b.c/",
        "/a?x=/../b",
        "/~x/!$&'()*+,=:@-_",
        "/a[1]|^",
        "/?",
    ] {
        let target = parse(path).unwrap();
        assert_eq!(target.forward().as_str(), path);
        assert_eq!(target.path(), path.split('?').next().unwrap());
        assert_eq!(target.second_path(), None);
    }
}

/// Abuse cases 2, 4, 5, 7, 8, 10: what is decided and what is forwarded.
#[test]
fn decision_and_forwarded_bytes_mean_the_same() {
    for (raw, path, forward) in [
        ("/public/../admin", "/admin", "/admin"),
        ("/public/%2e%2e/admin", "/admin", "/admin"),
        ("/public/.%2E/admin", "/admin", "/admin"),
        ("/public/./../admin", "/admin", "/admin"),
        ("/../../admin", "/admin", "/admin"),
        ("/a/b/..", "/a/", "/a/"),
        ("/a/.", "/a/", "/a/"),
        ("/..", "/", "/"),
        ("//admin", "/admin", "/admin"),
        ("//evil.com/x", "/evil.com/x", "/evil.com/x"),
        ("/public//../admin?q", "/admin", "/admin?q"),
        (
            "/public/%252e%252e%252fadmin",
            "/public/%2e%2e%2fadmin",
            "/public/%252e%252e%252fadmin",
        ),
        ("/%61dmin", "/admin", "/admin"),
        ("/a%64min", "/admin", "/admin"),
        ("/x%5a", "/xZ", "/xZ"),
        ("/Admin%20x", "/Admin x", "/Admin%20x"),
        ("/admin%23/public", "/admin#/public", "/admin%23/public"),
        ("/admin%3f/public", "/admin?/public", "/admin%3f/public"),
        ("/b%C3%BCcher", "/bücher", "/b%C3%BCcher"),
        ("/...", "/...", "/..."),
        ("/.well-known/x", "/.well-known/x", "/.well-known/x"),
    ] {
        let target = parse(raw).unwrap();
        assert_eq!(
            (target.path(), target.forward().as_str()),
            (path, forward),
            "{raw}"
        );
        assert_eq!(target.second_path(), None, "{raw}");
    }
}

/// Abuse cases 3, 6, 9.
#[test]
fn what_has_no_one_meaning_is_refused() {
    for (raw, reason) in [
        ("/public\\..\\admin", TargetRefused::BadByte),
        ("/public/..\\admin", TargetRefused::BadByte),
        ("/a%00", TargetRefused::BadByte),
        ("/a%0d%0aX:%20y", TargetRefused::BadByte),
        ("/a%7f", TargetRefused::BadByte),
        ("/a%c2%85", TargetRefused::BadByte),
        ("/%c0%af", TargetRefused::BadByte),
        ("/%ff", TargetRefused::BadByte),
        ("/bücher", TargetRefused::BadByte),
        ("/a?ü", TargetRefused::BadByte),
        ("/%zz", TargetRefused::BadEscape),
        ("/%+1", TargetRefused::BadEscape),
        ("/%", TargetRefused::BadEscape),
        ("/a%4", TargetRefused::BadEscape),
        ("/public/..;/admin", TargetRefused::DotSegmentWithParameter),
        ("/public/..;x=1/admin", TargetRefused::DotSegmentWithParameter),
        ("/public/..%3b/admin", TargetRefused::DotSegmentWithParameter),
        ("/public/%2e%2e;/admin", TargetRefused::DotSegmentWithParameter),
        ("/public/.;/admin", TargetRefused::DotSegmentWithParameter),
        ("/public/..%2fadmin", TargetRefused::DotSegmentByEncodedSlash),
        ("/public/..%5cadmin", TargetRefused::DotSegmentByEncodedSlash),
        ("/admin%2f..%2fx", TargetRefused::DotSegmentByEncodedSlash),
        ("/admin%2F%2e%2E", TargetRefused::DotSegmentByEncodedSlash),
        ("/admin%5c.%5cx", TargetRefused::DotSegmentByEncodedSlash),
        (
            "/x/..%2f..%2fcdn-cgi/access/x",
            TargetRefused::DotSegmentByEncodedSlash,
        ),
        ("/a%2fb;c", TargetRefused::Ambiguous),
        ("/a%2fb%5cc", TargetRefused::Ambiguous),
        ("*", TargetRefused::NotOriginForm),
    ] {
        assert_eq!(parse(raw).unwrap_err(), reason, "{raw}");
    }
}

/// Abuse cases 1 and 6.
#[test]
fn a_path_with_two_meanings_gives_both() {
    for (raw, path, second, encoded_slash) in [
        ("/public%2f..admin", "/public%2F..admin", "/public/..admin", true),
        ("/public%5cadmin", "/public\\admin", "/public/admin", true),
        ("/a%2Fb", "/a%2Fb", "/a/b", true),
        ("/admin;x=1", "/admin;x=1", "/admin", false),
        ("/admin%3Bx/y", "/admin;x/y", "/admin/y", false),
        ("/;/admin", "/;/admin", "/admin", false),
    ] {
        let target = parse(raw).unwrap();
        assert_eq!(target.path(), path, "{raw}");
        assert_eq!(target.second_path(), Some(second), "{raw}");
        assert_eq!(target.has_encoded_slash(), encoded_slash, "{raw}");
        assert_eq!(target.forward().as_str(), raw);
    }
}

/// Abuse case 11.
#[test]
fn case_dot_and_port_of_the_host_do_not_matter() {
    for host in [
        "APP.Example.COM",
        "app.example.com.",
        "app.example.com:443",
        "app.example.com:8443",
        "app.example.com:",
    ] {
        let target = parse_head("/", &[("host", host)], Via::Http1).unwrap();
        assert_eq!(target.host().as_str(), "app.example.com", "{host}");
        assert_eq!(target.authority(), host);
    }
    let target = parse_head("/", &[("host", "[::1]:8080")], Via::Http1).unwrap();
    assert_eq!(target.host().as_str(), "[::1]");
}

/// Abuse cases 12 and 76.
#[test]
fn a_request_for_two_hosts_or_none_is_refused() {
    for (target, headers, reason) in [
        ("/", &[][..], TargetRefused::HostMissing),
        ("/", &[("host", "")], TargetRefused::HostMalformed),
        (
            "/",
            &[("host", "a@app.example.com")],
            TargetRefused::HostMalformed,
        ),
        (
            "/",
            &[("host", "app.example.com:x")],
            TargetRefused::HostMalformed,
        ),
        (
            "/",
            &[("host", "app.example.com:99999")],
            TargetRefused::HostMalformed,
        ),
        (
            "/",
            &[("host", "app.example.com:+80")],
            TargetRefused::HostMalformed,
        ),
        (
            "/",
            &[("host", "a.example.com, b.example.com")],
            TargetRefused::HostMalformed,
        ),
        (
            "/",
            &[("host", "app.example.com"), ("host", "app.example.com")],
            TargetRefused::SeveralHosts,
        ),
        (
            "http://other.example.com/",
            &[("host", "app.example.com")],
            TargetRefused::HostsDiffer,
        ),
        (
            "http://app.example.com:81/",
            &[("host", "app.example.com")],
            TargetRefused::HostsDiffer,
        ),
        ("http://169.254.169.254/", &[], TargetRefused::HostMissing),
        (
            "ftp://app.example.com/",
            &[("host", "app.example.com")],
            TargetRefused::NotOriginForm,
        ),
        (
            "app.example.com:80",
            &[("host", "app.example.com:80")],
            TargetRefused::NotOriginForm,
        ),
    ] {
        assert_eq!(
            parse_head(target, headers, Via::Http1).unwrap_err(),
            reason,
            "{target} {headers:?}"
        );
    }
}

#[test]
fn the_absolute_form_of_the_same_host_is_read_as_a_path() {
    for (absolute, forward) in [
        ("http://app.example.com/a?b", "/a?b"),
        ("http://app.example.com", "/"),
        ("http://app.example.com?b", "/?b"),
    ] {
        let target = parse_head(absolute, &[("host", "app.example.com")], Via::Http1).unwrap();
        assert_eq!(target.forward().as_str(), forward);
    }
}

#[test]
fn http_2_names_its_host_in_the_authority() {
    let target = parse_head("https://app.example.com/a", &[], Via::Http2).unwrap();
    assert_eq!((target.host().as_str(), target.path()), ("app.example.com", "/a"));
    assert_eq!(target.authority(), "app.example.com");
    let target = parse_head("/a", &[("host", "app.example.com")], Via::Http2).unwrap();
    assert_eq!(target.host().as_str(), "app.example.com");
    let differs = parse_head(
        "https://app.example.com/a",
        &[("host", "other.example.com")],
        Via::Http2,
    );
    assert_eq!(differs.unwrap_err(), TargetRefused::HostsDiffer);
}

/// Abuse case 17.
#[test]
fn tunnels_and_echoes_are_not_served() {
    for (method, status) in [
        ("TRACE", Some(405)),
        ("CONNECT", Some(405)),
        ("get", None),
        ("FOO", None),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = request("/", &[("host", "app.example.com")]).unwrap();
        let parsed = Target::parse(&method, request.uri(), request.headers(), Via::Http1);
        assert_eq!(
            parsed.err().map(|reason| reason.status().as_u16()),
            status,
            "{method}"
        );
    }
}

/// Abuse cases 22 and 72.
#[test]
fn imitated_headers_and_two_lengths_are_refused() {
    let host = ("host", "app.example.com");
    for (headers, reason) in [
        (
            &[host, ("cf_access_jwt_assertion", "x")][..],
            TargetRefused::HeaderLookAlike,
        ),
        (
            &[host, ("Cf-Access_Jwt-Assertion", "x")],
            TargetRefused::HeaderLookAlike,
        ),
        (
            &[host, ("transfer-encoding", "chunked"), ("content-length", "6")],
            TargetRefused::TwoLengths,
        ),
    ] {
        let refused = parse_head("/", headers, Via::Http1).unwrap_err();
        assert_eq!((refused, refused.status().as_u16()), (reason, 400));
    }
    assert!(parse_head("/", &[host, ("cf-access-token", "x")], Via::Http1).is_ok());
}

/// Abuse case 18.
#[test]
fn our_own_paths_are_known_in_every_spelling() {
    for (path, reserved) in [
        ("/cdn-cgi/access/login", true),
        ("/cdn-cgi/access", true),
        ("/cdn-cgi/access/", true),
        ("/%63dn-cgi/access/certs", true),
        ("//cdn-cgi//access/unknown", true),
        ("/%2e%2e/cdn-cgi/access/x", true),
        ("/cdn-cgi%2faccess/x", true),
        ("/cdn-cgi;v=1/access/x", true),
        ("/CDN-CGI/Access/login", true),
        ("/.well-known/cloudflare-access-protected-resource/x", true),
        ("/cdn-cgi/access/../../admin", false),
        ("/cdn-cgi/accessories", false),
        ("/cdn-cgi/é", false),
        ("/x/cdn-cgi/access/login", false),
    ] {
        let parsed = parse(&path.replace('é', "%C3%A9")).unwrap();
        assert_eq!(parsed.is_reserved(), reserved, "{path}");
    }
}

/// Paths made of the pieces that attacks are made of.
fn hostile_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "//", ".", "..", "%2e", "%2E%2e", "%2f", "%5C", "%5c", ";", "%3b", ";a=1", "%25", "%252e", "a",
        "b", "admin", "public", "%61", "%C3%BC", "%20", "%3f", "%23", "cdn-cgi", "access", "~", "*", "%",
        "%0", "%00", "\\", "{", "\"", "[",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn parse_if_request(path: &str) -> Option<Target> {
    let request = request(path, &[("host", "app.example.com")])?;
    Target::parse(request.method(), request.uri(), request.headers(), Via::Http1).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Abuse case 16: reading what is forwarded gives the decision again, and forwards the same.
    #[test]
    fn reading_the_forwarded_bytes_changes_nothing(raw in hostile_path(), query in "(\\?[a-z/.%]{0,6})?") {
        if let Some(target) = parse_if_request(&format!("{raw}{query}")) {
            let again = parse(target.forward().as_str()).unwrap();
            prop_assert_eq!(again.path(), target.path());
            prop_assert_eq!(again.second_path(), target.second_path());
            prop_assert_eq!(again.forward(), target.forward());
            prop_assert_eq!(again.query(), target.query());
        }
    }

    #[test]
    fn no_reading_has_dot_segments_or_empty_ones(raw in hostile_path()) {
        if let Some(target) = parse_if_request(&raw) {
            let forward = target.forward().path();
            for path in [Some(target.path()), target.second_path(), Some(forward)].into_iter().flatten() {
                let inner = path.strip_prefix('/').unwrap();
                let (inner, _) = inner.rsplit_once('/').map_or((inner, ""), |(a, b)| if b.is_empty() { (a, b) } else { (inner, "") });
                prop_assert!(
                    inner.is_empty() || inner.split('/').all(|s| !s.is_empty() && s != "." && s != ".."),
                    "{} -> {}", raw, path
                );
            }
        }
    }

    /// An upstream that decodes first and resolves afterwards reaches what was decided, or the second reading.
    #[test]
    fn an_upstream_that_decodes_before_it_splits_sees_a_reading_that_was_decided(raw in hostile_path()) {
        if let Some(target) = parse_if_request(&raw) {
            let decoded = percent_encoding::percent_decode_str(target.forward().path()).decode_utf8().unwrap();
            let decoded = decoded.replace('\\', "/");
            let mut kept = Vec::new();
            for segment in decoded.split('/') {
                match segment {
                    "" | "." => {}
                    ".." => { kept.pop(); }
                    name => kept.push(name),
                }
            }
            let upstream = format!("/{}", kept.join("/"));
            // One that resolves nothing sees the same.
            prop_assert!(!decoded.split('/').any(|name| matches!(name, "." | "..")), "{} -> {}", raw, decoded);
            let readings = [Some(target.path()), target.second_path()];
            prop_assert!(
                readings.into_iter().flatten().any(|reading| reading.trim_end_matches('/') == upstream.trim_end_matches('/')),
                "{} -> {} but {:?}", raw, upstream, readings
            );
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(raw in ".{0,60}") {
        let _ = parse_if_request(&format!("/{raw}"));
    }
}
