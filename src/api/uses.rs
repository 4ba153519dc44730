//! How many applications use what: counted once a snapshot, not once a request.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::model::ids::{CustomPageId, PolicyId};
use crate::snapshot::Snapshot;

/// The counts of one snapshot.
#[derive(Debug, Default)]
pub(super) struct Counts {
    version: u64,
    policies: HashMap<PolicyId, u64>,
    pages: HashMap<CustomPageId, u64>,
    tags: HashMap<String, u64>,
}

impl Counts {
    fn of(snapshot: &Snapshot) -> Self {
        let mut counts = Self {
            version: snapshot.version,
            ..Self::default()
        };
        let launcher = snapshot.launcher.as_ref().map(|launcher| &launcher.guard);
        for application in snapshot.applications.values().chain(launcher) {
            let app = &application.app;
            for policy in &app.policies {
                *counts.policies.entry(*policy).or_default() += 1;
            }
            for page in &app.custom_pages {
                *counts.pages.entry(*page).or_default() += 1;
            }
            for tag in &app.launcher.tags {
                *counts.tags.entry(tag.as_str().to_owned()).or_default() += 1;
            }
        }
        counts
    }

    /// Applications with this policy.
    pub(super) fn of_policy(&self, policy: PolicyId) -> u64 {
        self.policies.get(&policy).copied().unwrap_or(0)
    }

    /// Applications with this page.
    pub(super) fn of_page(&self, page: CustomPageId) -> u64 {
        self.pages.get(&page).copied().unwrap_or(0)
    }

    /// Applications with this tag.
    pub(super) fn of_tag(&self, tag: &str) -> u64 {
        self.tags.get(tag).copied().unwrap_or(0)
    }
}

/// The counts of the snapshot that was last asked about.
#[derive(Debug, Default)]
pub(super) struct Uses(ArcSwapOption<Counts>);

impl Uses {
    /// The counts of this snapshot.
    pub(super) fn of(&self, snapshot: &Snapshot) -> Arc<Counts> {
        if let Some(counts) = self.0.load_full()
            && counts.version == snapshot.version
        {
            return counts;
        }
        let counts = Arc::new(Counts::of(snapshot));
        self.0.store(Some(Arc::clone(&counts)));
        counts
    }
}
