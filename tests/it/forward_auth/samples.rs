//! What every sample must say, whichever proxy it is for.

/// By proxy: its sample and its endpoint.
const SAMPLES: [(&str, &str); 4] = [
    (
        include_str!("../../../examples/forward-auth/nginx.conf"),
        "/auth/nginx",
    ),
    (
        include_str!("../../../examples/forward-auth/Caddyfile"),
        "/auth/caddy",
    ),
    (
        include_str!("../../../examples/forward-auth/traefik.yml"),
        "/auth/traefik",
    ),
    (
        include_str!("../../../examples/forward-auth/envoy.yaml"),
        "/auth/envoy",
    ),
];

/// Each has its line, so that the client's own takes no effect.
const NAMES: [&str; 15] = [
    "cf-access-jwt-assertion",
    "cf-access-authenticated-user-email",
    "cookie",
    "set-cookie",
    "x-request-id",
    "x-vestibule-forward-auth",
    "cf-access-token",
    "cf-access-client-",
    "forwarded",
    "x-original-",
    "x-rewrite-url",
    "x-forwarded-method",
    "x-forwarded-uri",
    "true-client-ip",
    "cf-connecting-ip",
];

#[test]
fn every_sample_asks_its_endpoint_and_names_every_header() {
    for (sample, endpoint) in SAMPLES {
        // Comments promise; directives do.
        let lines = sample.lines().filter(|line| !line.trim_start().starts_with('#'));
        let text = lines.collect::<Vec<_>>().join("\n").to_ascii_lowercase();
        assert!(text.contains(endpoint), "{endpoint}");
        assert!(
            text.contains("cdn-cgi/access")
                && text.contains("well-known/cloudflare-access-protected-resource")
        );
        for name in NAMES {
            // Traefik names the cookies that it copies instead.
            let named =
                text.contains(name) || (name == "set-cookie" && text.contains("addauthcookiestoresponse"));
            assert!(named, "{endpoint}: {name}");
        }
    }
}
