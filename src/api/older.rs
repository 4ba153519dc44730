//! What cloudflare-go before version 1 writes and reads otherwise than Cloudflare's description of the API has it;
//! Terraform's provider 4 and many tools are made with it (<https://github.com/cloudflare/cloudflare-go/tree/v0>).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::USER_AGENT;

use super::operation::matches;

/// Paths that it has with hyphens, and the last segment as it is.
const HYPHENS: &[(&str, &str)] = &[
    (
        "/accounts/{account_id}/access/logs/access-requests",
        "access_requests",
    ),
    (
        "/accounts/{account_id}/access/apps/{app_id}/revoke-tokens",
        "revoke_tokens",
    ),
];

/// A path as the operations have it.
pub(super) fn spelled(path: &str) -> Cow<'_, str> {
    let found = HYPHENS.iter().find(|known| matches(known.0, path).is_some());
    match (found, path.rsplit_once('/')) {
        (Some((_, last)), Some((above, _))) => Cow::Owned(format!("{above}/{last}")),
        _ => Cow::Borrowed(path),
    }
}

/// What it calls itself, and what Terraform's provider 4 does.
const NAMES: &[&str] = &["cloudflare-go/", "terraform-provider-cloudflare/4."];

/// Whether an answer with messages is lost on a client: it wants them to be texts, takes the whole answer for unreadable,
/// and the object that it has just made for not made.
pub(super) fn reads_no_messages(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| NAMES.iter().any(|name| agent.starts_with(name)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_path_with_hyphens_is_the_one_without() {
        for (written, meant) in [
            (
                "/accounts/a/access/logs/access-requests",
                "/accounts/a/access/logs/access_requests",
            ),
            (
                "/accounts/a/access/apps/b/revoke-tokens",
                "/accounts/a/access/apps/b/revoke_tokens",
            ),
            (
                "/accounts/a/access/tags/revoke-tokens",
                "/accounts/a/access/tags/revoke-tokens",
            ),
            ("/user/tokens/verify", "/user/tokens/verify"),
        ] {
            assert_eq!(spelled(written), meant);
        }
    }

    #[test]
    fn old_clients_are_known_by_their_names() {
        for (agent, old) in [
            ("cloudflare-go/0.116.0", true),
            (
                "terraform-provider-cloudflare/4.52.0 terraform-plugin-sdk/2.33.0 terraform/1.11.4",
                true,
            ),
            (
                "terraform-provider-cloudflare/5.22.0 terraform-plugin-framework/1.19.0",
                false,
            ),
            ("Cloudflare/Go 6.6.0", false),
            ("curl/8.5.0", false),
        ] {
            let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(agent))]);
            assert_eq!(reads_no_messages(&headers), old, "{agent}");
        }
    }
}
