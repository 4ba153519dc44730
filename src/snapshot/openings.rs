//! What of an application passes whoever asks: paths that are public, and preflights where it wants to answer them.

use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, Method};
use uuid::Uuid;

use super::ProtectedApplication;
use crate::model::application::Application;
use crate::model::destination::Destination;
use crate::model::ids::PolicyId;
use crate::model::policy::{Decision, Policy, Selector};
use crate::model::public_path::PublicPath;
use crate::policy::{self, CompiledPolicies};
use crate::router::{Entry, Routed, Table, Target};

/// The exceptions of one application.
#[derive(Debug, Default)]
pub(super) struct Openings {
    /// By destination, so that what one of them opens is not opened below a more specific one.
    public: Option<Table<Vec<PublicPath>>>,
    folds_case: bool,
    preflights: bool,
    /// Lets everybody pass, and tells nobody's identity.
    open: CompiledPolicies,
}

impl Openings {
    pub(super) fn of(application: &Application) -> Self {
        let folds_case = application.case_insensitive_paths;
        let paths_of = |destination: &Destination| -> Vec<PublicPath> {
            let own = application.overrides.iter();
            let own = own.filter(|overrides| overrides.destination == *destination);
            let paths = own.flat_map(|overrides| &overrides.paths);
            paths
                .map(|path| {
                    if folds_case {
                        path.to_lowercase()
                    } else {
                        path.clone()
                    }
                })
                .collect()
        };
        let entries = application.destinations.iter().map(|destination| Entry {
            destinations: vec![destination.clone()],
            case_insensitive: folds_case,
            value: paths_of(destination),
        });
        let id = PolicyId(Uuid::nil());
        let everybody = Policy::new(
            id,
            "open to everybody",
            Decision::Bypass,
            vec![Selector::Everyone],
        );
        Self {
            public: (!application.overrides.is_empty()).then(|| Table::build(entries)),
            folds_case,
            preflights: application.options_preflight_bypass,
            // It refers to nothing that could be missing; if it did, nobody would pass.
            open: policy::compile(application.id, &[everybody], &Arc::default()).unwrap_or_default(),
        }
    }

    fn opens(&self, target: &Target, preflight: bool) -> bool {
        (preflight && self.preflights) || self.is_public(target)
    }

    /// Whether every reading of the path is public.
    fn is_public(&self, target: &Target) -> bool {
        let Some(public) = &self.public else {
            return false;
        };
        let Routed::Match(paths) = public.route(target) else {
            return false;
        };
        let is_open = |path: &str| {
            let folded;
            let path = if self.folds_case {
                folded = path.to_lowercase();
                &folded
            } else {
                path
            };
            paths.iter().any(|pattern| pattern.covers(path))
        };
        is_open(target.path()) && target.second_path().is_none_or(is_open)
    }
}

impl ProtectedApplication {
    /// Whether some paths are open to everybody, so that it matters how a path is read.
    pub fn has_public_paths(&self) -> bool {
        self.openings.public.is_some()
    }

    /// What decides a request that passes whoever asks, so that nobody need be identified.
    pub fn opening(&self, target: &Target, preflight: bool) -> Option<&CompiledPolicies> {
        self.openings
            .opens(target, preflight)
            .then_some(&self.openings.open)
    }
}

/// Whether a request is a browser's question before another site's script may ask (Fetch §3.3.2). It carries no cookies
/// and follows no redirect.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
