//! Applications with what they share: policies, and pages for those whom they refuse.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::model::custom_page::CustomPage;
use crate::model::ids::{AppId, AudTag, CustomPageId, PolicyId};
use crate::model::organization::{Organization, OrganizationPages};
use crate::model::policy::Policy;
use crate::model::selector::Unevaluated;
use crate::policy::{self, CompiledPolicies, PreparedPolicy, Referents};
use crate::router::{self, Table};
use crate::store::{Document, Kind, Object};

use super::super::Snapshot;
use super::super::contents::{ObjectFault, ProtectedApplication};
use super::super::pages::DenialPages;
use super::super::read::{self, Around};
use super::{Inputs, kept, of_kind, sentence};

/// A policy as it was read, and ready to decide.
type Ready = (Arc<Policy>, PreparedPolicy);

/// What applications were compiled with, for the next snapshot to take over.
#[derive(Debug, Default)]
pub(crate) struct Basis {
    policies: Arc<Policies>,
    custom_pages: Arc<[Arc<CustomPage>]>,
}

/// Policies; those that cannot be used stand there with the reason.
type Policies = HashMap<PolicyId, Result<Ready, String>>;

/// What policies are compiled with.
struct Shared<'s> {
    referents: Arc<Referents>,
    accepted: &'s BTreeSet<Unevaluated>,
    /// The organization's pages.
    pages: &'s OrganizationPages,
}

/// The applications as requests ask for them.
pub(super) struct Applications {
    pub(super) by_id: HashMap<AppId, Arc<ProtectedApplication>>,
    pub(super) by_aud: HashMap<AudTag, Arc<ProtectedApplication>>,
    pub(super) routes: Table<Arc<ProtectedApplication>>,
    pub(super) basis: Basis,
}

/// The applications, and what they were compiled with. Those of the snapshot before are taken over where neither they
/// nor anything that they rest on was written since.
pub(super) fn compile(
    inputs: &Inputs<'_>,
    organization: &Organization,
    referents: Arc<Referents>,
    faults: &mut Vec<ObjectFault>,
) -> Applications {
    let shared = Shared {
        accepted: &organization.accept_unevaluated_selectors,
        pages: &organization.custom_pages,
        referents,
    };
    let before = inputs.before.filter(|before| {
        Arc::ptr_eq(&before.referents, &shared.referents)
            && before.organization.accept_unevaluated_selectors == *shared.accepted
    });
    let custom_pages = kept(inputs, &[Kind::CustomPage], faults, |before| {
        Arc::clone(&before.basis.custom_pages)
    });
    let policies = before.and_then(|_| {
        kept(inputs, &[Kind::Policy], faults, |before| {
            Arc::clone(&before.basis.policies)
        })
    });
    let basis = Basis {
        policies: policies.unwrap_or_else(|| Arc::new(shared.policies(inputs, before, faults))),
        custom_pages: custom_pages.unwrap_or_else(|| self::custom_pages(inputs, faults)),
    };
    let before = before.filter(|before| {
        Arc::ptr_eq(&before.basis.custom_pages, &basis.custom_pages)
            && before.organization.custom_pages == *shared.pages
    });
    let amended = before.and_then(|before| shared.amended(inputs, before, &basis));
    let (applications, broken) = match amended {
        Some((by_id, by_aud, routes, broken)) => (
            Applications {
                by_id,
                by_aud,
                routes,
                basis,
            },
            broken,
        ),
        None => shared.all(inputs, before, basis),
    };
    faults.extend(broken);
    applications
}

/// An application of the snapshot before, if it would come out the same.
fn taken_over(object: &Arc<Object>, before: &Snapshot, basis: &Basis) -> Option<Arc<ProtectedApplication>> {
    let was = before.objects.get(Kind::Application, object.id)?;
    let known = before.applications.get(&AppId(object.id))?;
    let same = |policy: &PolicyId| match (basis.policies.get(policy), before.basis.policies.get(policy)) {
        (Some(Ok((now, _))), Some(Ok((was, _)))) => Arc::ptr_eq(now, was),
        // One of its own; one that is missing would have broken it.
        (None, None) => true,
        _ => false,
    };
    let stands = Arc::ptr_eq(was, object) && known.broken.is_none() && known.app.policies.iter().all(same);
    stands.then(|| Arc::clone(known))
}

/// By id, by audience, by address, and what is broken.
type Amended = (
    HashMap<AppId, Arc<ProtectedApplication>>,
    HashMap<AudTag, Arc<ProtectedApplication>>,
    Table<Arc<ProtectedApplication>>,
    Vec<ObjectFault>,
);

/// Applications written since the snapshot before, at most; with more of them, all are gone through.
const FEW: usize = 32;

impl Shared<'_> {
    /// The applications of the snapshot before with those few in another state that were written since; `None` where
    /// that would change anything for others.
    fn amended(&self, inputs: &Inputs<'_>, before: &Snapshot, basis: &Basis) -> Option<Amended> {
        let all = inputs.objects.of_kind(Kind::Application);
        let since = inputs.objects.since(&before.objects, Kind::Application);
        if since.len() > FEW || !Arc::ptr_eq(&before.basis.policies, &basis.policies) {
            return None;
        }
        let mut by_id = before.applications.clone();
        let mut by_aud = before.by_aud.clone();
        let mut routes = before.routes.clone();
        let written: HashSet<String> = since
            .iter()
            .filter_map(|one| Some(one.is?.id.to_string()))
            .collect();
        let known = before
            .faults
            .iter()
            .filter(|fault| fault.kind == Kind::Application.as_str());
        let known = known.filter(|fault| !written.contains(&fault.id));
        let mut broken: Vec<ObjectFault> = known.cloned().collect();
        for one in since {
            let object = one.is?;
            let application = Arc::new(self.protect(&object.document(), basis));
            let (id, aud) = (application.app.id, &application.app.aud);
            let first = by_aud.get(aud).map(|first| first.app.id);
            let stands = if let Some(was) = by_id.get(&id) {
                routes.replace(|known| known.app.id == id, Arc::clone(&application));
                first == Some(id)
                    && was.app.destinations == application.app.destinations
                    && was.app.case_insensitive_paths == application.app.case_insensitive_paths
            } else {
                let is_last = all.last().is_some_and(|last| last.id == object.id);
                is_last && first.is_none() && routes.push(entry(&application))
            };
            if !stands {
                return None;
            }
            if let Some(reason) = &application.broken {
                broken.push(ObjectFault::of(object, reason.clone()));
            }
            by_aud.insert(aud.clone(), Arc::clone(&application));
            by_id.insert(id, application);
        }
        Some((by_id, by_aud, routes, broken))
    }

    /// All applications, one by one.
    fn all(
        &self,
        inputs: &Inputs<'_>,
        before: Option<&Snapshot>,
        basis: Basis,
    ) -> (Applications, Vec<ObjectFault>) {
        let objects = inputs.objects.of_kind(Kind::Application);
        let mut applications = Vec::with_capacity(objects.len());
        let mut by_aud = HashMap::with_capacity(objects.len());
        let mut broken = Vec::new();
        for object in objects {
            let known = before.and_then(|before| taken_over(object, before, &basis));
            let mut application = known.unwrap_or_else(|| Arc::new(self.protect(&object.document(), &basis)));
            match by_aud.entry(application.app.aud.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Arc::clone(&application));
                }
                // An audience names one application; the older one keeps it.
                Entry::Occupied(_) => {
                    let mut second = self.protect(&object.document(), &basis);
                    second.deny_everyone("another application has the same aud".to_owned());
                    application = Arc::new(second);
                }
            }
            if let Some(reason) = &application.broken {
                broken.push(ObjectFault::of(object, reason.clone()));
            }
            applications.push(application);
        }
        let all = Applications {
            routes: Table::build(applications.iter().map(entry)),
            by_id: applications
                .into_iter()
                .map(|known| (known.app.id, known))
                .collect(),
            by_aud,
            basis,
        };
        (all, broken)
    }

    fn policies(
        &self,
        inputs: &Inputs<'_>,
        before: Option<&Snapshot>,
        faults: &mut Vec<ObjectFault>,
    ) -> Policies {
        let objects = inputs.objects.of_kind(Kind::Policy);
        let mut policies = HashMap::with_capacity(objects.len());
        for object in objects {
            let id = PolicyId(object.id);
            let known = before.and_then(|before| {
                let was = before.objects.get(Kind::Policy, object.id)?;
                let known = before.basis.policies.get(&id)?;
                Arc::ptr_eq(was, object).then(|| known.clone())
            });
            let ready = known.unwrap_or_else(|| {
                let read = read::policy(id, &object.body()).map_err(|problems| sentence(&problems));
                read.and_then(|policy| self.ready(policy))
            });
            if let Err(reason) = &ready {
                faults.push(ObjectFault::of(object, reason.clone()));
            }
            policies.insert(id, ready);
        }
        policies
    }

    /// Compiles a policy, if what it refers to is there and the operator takes its selectors.
    fn ready(&self, policy: Policy) -> Result<Ready, String> {
        let around = Around {
            referents: &self.referents,
            accepted: self.accepted,
            named: None,
        };
        let problems = around.policy_problems(&policy, "");
        if !problems.is_empty() {
            return Err(sentence(&problems));
        }
        let prepared = policy::prepare(&policy, &self.referents);
        let prepared = prepared.map_err(|unresolved| unresolved.to_string())?;
        Ok((Arc::new(policy), prepared))
    }

    fn protect(&self, document: &Document, basis: &Basis) -> ProtectedApplication {
        let id = AppId(document.id);
        let (read, problems) = read::readable_application(id, &document.body);
        let (ready, missing) = self.policies_of(&read, basis);
        let (policy_docs, prepared): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
        let policies = CompiledPolicies::new(id, prepared, &self.referents);
        let mut application = ProtectedApplication::new(read.application, policies, policy_docs);
        application.design = read.launcher.map(Arc::new);
        if !problems.is_empty() {
            application.deny_everyone(sentence(&problems));
        } else if let Some(reason) = missing {
            // Without it others would decide, and it may be the one that denies.
            application.deny_everyone(reason);
        }
        application.pages = DenialPages::of(&application.app, self.pages, &basis.custom_pages);
        application
    }

    fn policies_of(&self, read: &read::ReadApplication, basis: &Basis) -> (Vec<Ready>, Option<String>) {
        let mut policies = Vec::new();
        let mut missing = None;
        for id in &read.application.policies {
            let inside = read.inside.iter().find(|policy| policy.id == *id);
            let ready = match (inside, basis.policies.get(id)) {
                (Some(policy), _) => self.ready(policy.clone()),
                (None, Some(ready)) => ready.clone(),
                (None, None) => {
                    missing.get_or_insert_with(|| format!("its policy {id} does not exist"));
                    continue;
                }
            };
            match ready {
                Ok(ready) => policies.push(ready),
                Err(reason) => {
                    missing.get_or_insert_with(|| format!("its policy {id} cannot be used: {reason}"));
                }
            }
        }
        (policies, missing)
    }
}

fn entry(application: &Arc<ProtectedApplication>) -> router::Entry<Arc<ProtectedApplication>> {
    router::Entry {
        destinations: application.app.destinations.clone(),
        case_insensitive: application.app.case_insensitive_paths,
        value: Arc::clone(application),
    }
}

/// A page that cannot be read is as if it were not there: ours is shown.
fn custom_pages(inputs: &Inputs<'_>, faults: &mut Vec<ObjectFault>) -> Arc<[Arc<CustomPage>]> {
    let mut pages = Vec::new();
    for document in of_kind(inputs, Kind::CustomPage) {
        match read::custom_page(CustomPageId(document.id), &document.body) {
            Ok(page) => pages.push(Arc::new(page)),
            Err(problems) => faults.push(ObjectFault::new(&document, sentence(&problems))),
        }
    }
    pages.into()
}
