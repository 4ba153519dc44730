//! Which page of the operator's somebody sees who is refused.

use std::sync::Arc;

use crate::model::application::Application;
use crate::model::custom_page::{CustomPage, CustomPageKind};
use crate::model::organization::OrganizationPages;

/// Pages of the operator's in place of ours.
#[derive(Debug, Default)]
pub struct DenialPages {
    /// For people who are refused for who they are.
    pub identity_denied: Option<Arc<CustomPage>>,
    /// For all others who are refused.
    pub forbidden: Option<Arc<CustomPage>>,
}

impl DenialPages {
    /// The application's own, else the organization's.
    pub(super) fn of(
        application: &Application,
        organization: &OrganizationPages,
        known: &[Arc<CustomPage>],
    ) -> Self {
        let page = |kind, of_all: &Option<String>| {
            let of_kind = || known.iter().filter(move |page| page.kind == kind);
            let own = of_kind().find(|page| application.custom_pages.contains(&page.id));
            let named = |page: &&Arc<CustomPage>| {
                of_all
                    .as_ref()
                    .is_some_and(|named| page.name == *named || page.id.to_string() == *named)
            };
            own.or_else(|| of_kind().find(named)).cloned()
        };
        Self {
            identity_denied: page(CustomPageKind::IdentityDenied, &organization.identity_denied),
            forbidden: page(CustomPageKind::Forbidden, &organization.forbidden),
        }
    }
}
