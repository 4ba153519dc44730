//! Everything the API can do.

use super::operation::Operation;
use super::{
    access_requests, app_policies, apps, auth_contexts, certificates, custom_pages, directory_sync, groups,
    identity_providers, keys, lists, organizations, policies, policy_checks, policy_tests, provider_test,
    revocation, scim, scim_updates, seats, service_tokens, tags, token_verify, user_sessions, users,
};

/// The operations, by what they are about. Of two that fit a path, the first is meant.
const ALL: &[&[Operation]] = &[
    identity_providers::OPERATIONS,
    scim::OPERATIONS,
    scim_updates::OPERATIONS,
    provider_test::OPERATIONS,
    directory_sync::OPERATIONS,
    auth_contexts::OPERATIONS,
    apps::OPERATIONS,
    app_policies::OPERATIONS,
    policies::OPERATIONS,
    policy_checks::OPERATIONS,
    policy_tests::OPERATIONS,
    groups::OPERATIONS,
    service_tokens::OPERATIONS,
    lists::OPERATIONS,
    certificates::OPERATIONS,
    custom_pages::OPERATIONS,
    tags::OPERATIONS,
    users::OPERATIONS,
    user_sessions::OPERATIONS,
    seats::OPERATIONS,
    organizations::OPERATIONS,
    keys::OPERATIONS,
    revocation::OPERATIONS,
    access_requests::OPERATIONS,
    token_verify::OPERATIONS,
];

/// Each of them.
pub(super) fn all() -> impl Iterator<Item = &'static Operation> {
    ALL.iter().copied().flatten()
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
