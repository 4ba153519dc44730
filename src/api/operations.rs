//! Everything the API can do.

use super::operation::Operation;
use super::{
    app_policies, apps, certificates, custom_pages, groups, identity_providers, lists, policies,
    service_tokens, tags, token_verify,
};

/// The operations, by what they are about. Of two that fit a path, the first is meant.
const ALL: &[&[Operation]] = &[
    identity_providers::OPERATIONS,
    apps::OPERATIONS,
    app_policies::OPERATIONS,
    policies::OPERATIONS,
    groups::OPERATIONS,
    service_tokens::OPERATIONS,
    lists::OPERATIONS,
    certificates::OPERATIONS,
    custom_pages::OPERATIONS,
    tags::OPERATIONS,
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
