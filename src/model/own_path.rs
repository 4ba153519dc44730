//! Paths that are the gateway's own on every host.

/// They, and all below them.
const OWN: [&str; 2] = [
    "/cdn-cgi/access",
    "/.well-known/cloudflare-access-protected-resource",
];

/// Whether a path, decoded and without dot segments, is one of the gateway's own, in any case. No request for one ever
/// reaches an upstream, and no application has it.
pub fn is_own(path: &str) -> bool {
    OWN.iter().any(|own| {
        let (Some(head), Some(rest)) = (path.get(..own.len()), path.get(own.len()..)) else {
            return false;
        };
        head.eq_ignore_ascii_case(own) && (rest.is_empty() || rest.starts_with('/'))
    })
}
