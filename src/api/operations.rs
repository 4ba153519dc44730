//! Everything the API can do.

use super::operation::Operation;
use super::{
    access_requests, app_policies, apps, auth_contexts, certificates, custom_pages, directory_sync, groups,
    identity_providers, keys, lists, organizations, policies, policy_checks, policy_tests, provider_test,
    revocation, scim, scim_updates, seats, service_tokens, tags, token_verify, user_sessions, users,
};

/// The operations, by what they are about, which is their tag in the OpenAPI document. Of two that fit a path, the first
/// is meant.
const ALL: &[(&str, &[Operation])] = &[
    ("Identity providers", identity_providers::OPERATIONS),
    ("Provisioning", scim::OPERATIONS),
    ("Provisioning", scim_updates::OPERATIONS),
    ("Identity providers", provider_test::OPERATIONS),
    ("Provisioning", directory_sync::OPERATIONS),
    ("Identity providers", auth_contexts::OPERATIONS),
    ("Applications", apps::OPERATIONS),
    ("Applications", app_policies::OPERATIONS),
    ("Policies", policies::OPERATIONS),
    ("Policies", policy_checks::OPERATIONS),
    ("Policies", policy_tests::OPERATIONS),
    ("Groups", groups::OPERATIONS),
    ("Service tokens", service_tokens::OPERATIONS),
    ("Lists", lists::OPERATIONS),
    ("Certificates", certificates::OPERATIONS),
    ("Custom pages", custom_pages::OPERATIONS),
    ("Tags", tags::OPERATIONS),
    ("Users", users::OPERATIONS),
    ("Users", user_sessions::OPERATIONS),
    ("Users", seats::OPERATIONS),
    ("Organization", organizations::OPERATIONS),
    ("Organization", keys::OPERATIONS),
    ("Organization", revocation::OPERATIONS),
    ("Logs", access_requests::OPERATIONS),
    ("Tokens", token_verify::OPERATIONS),
];

/// Each of them.
pub(super) fn all() -> impl Iterator<Item = &'static Operation> {
    by_area().map(|(_, operation)| operation)
}

/// Each of them with what it is about.
pub(super) fn by_area() -> impl Iterator<Item = (&'static str, &'static Operation)> {
    ALL.iter()
        .flat_map(|(area, operations)| operations.iter().map(|operation| (*area, operation)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_operation_has_an_id_and_a_place_of_its_own() {
        let ids: HashSet<_> = all().map(|operation| operation.id).collect();
        let places: HashSet<_> = all()
            .map(|operation| (operation.method, operation.path))
            .collect();
        assert_eq!((ids.len(), places.len()), (all().count(), all().count()));
    }
}
