//! What an answer says to caches that carries a token or a cookie of ours.
//!
//! Some caches are spoken to by a field of their own, which counts for them in place of `Cache-Control`: targeted fields
//! (RFC 9213 §2.1), the `Surrogate-Control` and `Edge-Control` before them, and nginx's `X-Accel-Expires`.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};

const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");

/// Has no cache keep the answer, whatever the application says of its content.
pub(super) fn forbid(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    for name in targeted(headers) {
        // nginx takes a number there.
        let nothing = if name == X_ACCEL_EXPIRES { "0" } else { "no-store" };
        headers.insert(name, HeaderValue::from_static(nothing));
    }
}

/// Makes the answer one that only its client keeps. `false` where the application says that caches which others share
/// may keep it; then nothing is changed.
pub(super) fn keep_to_one_client(headers: &mut HeaderMap) -> bool {
    let said = directives(headers, &CACHE_CONTROL);
    let public = |directive: &Directive| matches!(directive.name.as_str(), "public" | "s-maxage");
    let targeted = targeted(headers);
    let mut elsewhere = targeted.iter().map(|name| directives(headers, name));
    if said.iter().any(public) || elsewhere.any(|said| !said.iter().any(Directive::keeps_out_others)) {
        return false;
    }
    if !said.iter().any(Directive::keeps_out_others) {
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    true
}

/// The fields of an answer that count in place of `Cache-Control` somewhere.
fn targeted(headers: &HeaderMap) -> Vec<HeaderName> {
    let is_targeted = |name: &&HeaderName| {
        name.as_str().ends_with("-cache-control")
            || matches!(
                name.as_str(),
                "surrogate-control" | "edge-control" | "x-accel-expires"
            )
    };
    headers.keys().filter(is_targeted).cloned().collect()
}

/// One directive of a cache's field (RFC 9111 §5.2).
struct Directive {
    /// Lower case.
    name: String,
    qualified: bool,
}

impl Directive {
    /// With names of fields behind it `private` is about these only (RFC 9111 §5.2.2.7).
    fn keeps_out_others(&self) -> bool {
        self.name == "no-store" || (self.name == "private" && !self.qualified)
    }
}

fn directives(headers: &HeaderMap, field: &HeaderName) -> Vec<Directive> {
    let mut found = Vec::new();
    for line in headers.get_all(field) {
        let line = String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase();
        let (mut quoted, mut escaped) = (false, false);
        // A comma in a quoted string ends no directive (RFC 9110 §5.6.4).
        let ends = |letter: char| {
            let literal = std::mem::take(&mut escaped);
            match letter {
                _ if literal => {}
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' => return !quoted,
                _ => {}
            }
            false
        };
        found.extend(line.split(ends).map(|directive| {
            let (name, argument) = directive
                .split_once('=')
                .map_or((directive, None), |(name, argument)| (name, Some(argument)));
            Directive {
                name: name.trim().to_owned(),
                qualified: argument.is_some(),
            }
        }));
    }
    found
}
