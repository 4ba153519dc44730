//! Paths of Cloudflare's API that this version does not answer, so that whoever asks is told by name.

use super::operation::matches;

const ABSENT: &[(&str, &str)] = &[
    ("/accounts/{account_id}/access/apps/ca", "certificates for SSH"),
    (
        "/accounts/{account_id}/access/apps/{app_id}/ca",
        "certificates for SSH",
    ),
    ("/accounts/{account_id}/access/gateway_ca", "certificates for SSH"),
    (
        "/accounts/{account_id}/access/gateway_ca/{certificate_id}",
        "certificates for SSH",
    ),
    ("/accounts/{account_id}/access/bookmarks", "bookmarks"),
    (
        "/accounts/{account_id}/access/bookmarks/{bookmark_id}",
        "bookmarks",
    ),
    (
        "/accounts/{account_id}/access/saml_certificates",
        "certificates of SAML providers",
    ),
    (
        "/accounts/{account_id}/access/saml_certificates/{saml_cert_set_id}",
        "certificates of SAML providers",
    ),
    (
        "/accounts/{account_id}/access/idp_federation_grants",
        "federation grants",
    ),
    (
        "/accounts/{account_id}/access/idp_federation_grants/{grant_id}",
        "federation grants",
    ),
];

/// What a path is about that there is not.
pub(super) fn named(path: &str) -> Option<&'static str> {
    let mut absent = ABSENT.iter();
    absent
        .find(|(template, _)| matches(template, path).is_some())
        .map(|(_, what)| *what)
}
