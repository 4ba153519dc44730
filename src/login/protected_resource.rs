//! What tells clients that are no browsers how to sign in, for each resource. Public.
//!
//! Two documents: Access's own, `/.well-known/cloudflare-access-protected-resource[/<path>]`, and RFC 9728's,
//! `/.well-known/oauth-protected-resource[/<path>]`.
//!
//! # What the second does not say
//! This gateway is no OAuth server: it has no token endpoint, and takes no `Authorization: Bearer`. So the document names
//! no `authorization_servers` (a client would look there for metadata that is not there) and says with an empty
//! `bearer_methods_supported` that no way of sending a bearer token is known (RFC 9728 §2). What there is instead stands
//! in the other document, whose address it gives.

use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, json};
use super::call::Call;
use super::visit::Place;
use crate::model::host::Host;
use crate::model::organization::AuthUrl;

/// The path of Access's document, which a resource's own path may follow.
pub(super) const PATH: &str = "/.well-known/cloudflare-access-protected-resource";

/// The path of RFC 9728's document, likewise.
const OAUTH: &str = "/.well-known/oauth-protected-resource";

/// A document that is asked for, and the path of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked<'p> {
    Access(&'p str),
    OAuth(&'p str),
}

/// Which document a path asks for.
pub(super) fn which(path: &str) -> Option<Asked<'_>> {
    below(path, PATH)
        .map(Asked::Access)
        .or_else(|| below(path, OAUTH).map(Asked::OAuth))
}

/// Whether a path asks for the document of RFC 9728. An application that lets everybody in may have one of its own.
pub fn asks_for_oauth(path: &str) -> bool {
    below(path, OAUTH).is_some()
}

fn below<'p>(path: &'p str, document: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(document)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

impl Asked<'_> {
    /// Describes the resource.
    pub(super) fn answer(self, call: &Call<'_>) -> Answer {
        let document = match self {
            Self::Access(path) => access(call, path),
            // The auth host is no resource.
            Self::OAuth(_) if call.visit.place == Place::AuthHost => return super::routes::not_found(call),
            Self::OAuth(path) => oauth(call, path),
        };
        let mut answer = json(StatusCode::OK, &document);
        // Clients in a browser may read it: it says what everybody may know.
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        answer
    }
}

fn access(call: &Call<'_>, path: &str) -> Value {
    let auth = call.auth();
    let team_domain = auth.origin().split_once("://").map_or("", |(_, domain)| domain);
    json!({
        "resource": resource(call, path),
        "protected": true,
        "team_domain": team_domain,
        "authorization_servers": [auth.origin()],
        "authentication_methods": [{
            "name": "cloudflared",
            "description": "Sign in with a browser and send the token in the cf-access-token header",
            "documentation": "https://developers.cloudflare.com/cloudflare-one/tutorials/cli/",
        }],
    })
}

fn oauth(call: &Call<'_>, path: &str) -> Value {
    let host = call.visit.target.host();
    json!({
        "resource": resource(call, path),
        "bearer_methods_supported": [],
        "cloudflare_access_metadata": address(call.auth(), host, path),
    })
}

/// The identifier that the document's own address was made from (RFC 9728 §3.3 asks for the very same).
fn resource(call: &Call<'_>, path: &str) -> String {
    format!("{}{path}", call.auth().origin_of(call.visit.target.host()))
}

/// The address of the description of a path, for `www-authenticate`.
pub(super) fn address(auth: &AuthUrl, host: &Host, path: &str) -> String {
    format!("{}{PATH}{path}", auth.origin_of(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_asked_for_with_or_without_a_path() {
        assert_eq!(which(PATH), Some(Asked::Access("")));
        assert_eq!(
            which("/.well-known/oauth-protected-resource/a/b"),
            Some(Asked::OAuth("/a/b"))
        );
        assert_eq!(which("/.well-known/oauth-protected-resources"), None);
        assert_eq!(which("/"), None);
        assert!(!asks_for_oauth(PATH));
    }
}
