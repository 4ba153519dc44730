//! `/.well-known/cloudflare-access-protected-resource[/<path>]`: tells clients that are no browsers how to sign in
//! (reference Access §1.6). Public.

use http::StatusCode;
use serde_json::json;

use super::answer::{Answer, json};
use super::call::Call;
use crate::model::host::Host;
use crate::model::organization::AuthUrl;

/// The path, which a resource's own path may follow.
pub(super) const PATH: &str = "/.well-known/cloudflare-access-protected-resource";

/// Describes the resource below the path.
pub(super) fn answer(call: &Call<'_>, below: &str) -> Answer {
    let auth = call.auth();
    let resource = format!("{}{below}", auth.origin_of(call.visit.target.host()));
    let team_domain = auth.origin().split_once("://").map_or("", |(_, domain)| domain);
    json(
        StatusCode::OK,
        &json!({
            "resource": resource,
            "protected": true,
            "team_domain": team_domain,
            "authorization_servers": [auth.origin()],
            "authentication_methods": [{
                "name": "cloudflared",
                "description": "Sign in with a browser and send the token in the cf-access-token header",
                "documentation": "https://developers.cloudflare.com/cloudflare-one/tutorials/cli/",
            }],
        }),
    )
}

/// The address of the description of a path, for `www-authenticate`.
pub(super) fn address(auth: &AuthUrl, host: &Host, path: &str) -> String {
    format!("{}{PATH}{path}", auth.origin_of(host))
}
