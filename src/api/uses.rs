//! How many applications use what: counted once a snapshot, not once a request.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;

use crate::model::ids::{AppId, CustomPageId, PolicyId};
use crate::model::lines::Lines;
use crate::snapshot::Snapshot;

/// The counts of one snapshot.
#[derive(Debug, Default)]
pub(super) struct Counts {
    version: u64,
    policies: HashMap<PolicyId, u64>,
    pages: HashMap<CustomPageId, u64>,
    tags: HashMap<String, u64>,
    /// The addresses of applications, and whose each is.
    addresses: OnceLock<Addresses>,
}

#[derive(Debug)]
struct Addresses {
    lines: Lines,
    applications: Vec<AppId>,
}

impl Addresses {
    fn of(snapshot: &Snapshot) -> Self {
        let (mut lines, mut applications) = (Vec::new(), Vec::new());
        for (id, application) in &snapshot.applications {
            for destination in &application.app.destinations {
                lines.push(destination.to_string());
                applications.push(*id);
            }
        }
        Self {
            lines: Lines::of(lines),
            applications,
        }
    }
}

impl Counts {
    fn of(snapshot: &Snapshot) -> Self {
        let mut counts = Self {
            version: snapshot.version,
            ..Self::default()
        };
        for application in snapshot.applications.values() {
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

    /// The applications of the snapshot with an address that is this one, or that has this in it.
    pub(super) fn with_address(&self, snapshot: &Snapshot, written: &str, exact: bool) -> BTreeSet<AppId> {
        let addresses = self.addresses.get_or_init(|| Addresses::of(snapshot));
        let found = if exact {
            addresses.lines.equal_to(written)
        } else {
            addresses.lines.containing(written)
        };
        let ids = found.iter().filter_map(|line| addresses.applications.get(*line));
        ids.copied().collect()
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
