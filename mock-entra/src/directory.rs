//! The directory: tenants and everything in them, and the switches of the mock. All of it may be changed while the
//! mock runs.

mod app;
pub mod demo;
mod file;
mod group;
mod handle;
mod switches;
mod tenant;
mod user;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use app::{AppRegistration, FederatedCredential, GroupClaim};
pub use file::FileFault;
pub use group::{Group, MemberRef};
pub use handle::TenantHandle;
pub use tenant::Tenant;
pub use user::User;

use crate::clock::{self, Clock};
use crate::faults::{Fault, Faults};
use crate::grants::Grants;
use crate::keys::{KeyFailure, KeySet};
use crate::provisioning::Provisioning;
use crate::recorded::Recorded;

/// A cheap handle on the directory of a mock: clones share everything.
#[derive(Clone)]
pub struct Directory {
    state: Arc<Mutex<State>>,
}

/// Everything a mock knows.
pub(crate) struct State {
    /// Tenants by GUID.
    pub(crate) tenants: BTreeMap<String, Arc<Tenant>>,
    /// What was handed out.
    pub(crate) grants: Grants,
    /// What goes wrong.
    pub(crate) faults: Faults,
    /// How many entries a page of a Graph list has; none: as asked for, else Graph's 100.
    pub(crate) page_size: Option<usize>,
    /// Whether a Graph list begins with an empty page.
    pub(crate) empty_first_page: bool,
    /// Whether a delta query tells the changes of the round before once more.
    pub(crate) delta_replays: bool,
    keys: Option<KeySet>,
    app_keys: BTreeMap<String, KeySet>,
    requests: Vec<Recorded>,
    clock: Clock,
    offset: i64,
    /// The job that the provisioning page runs.
    pub(crate) provisioning: Option<Provisioning>,
}

impl State {
    /// The time in the mock, in Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)().saturating_add(self.offset)
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&Directory> for Directory {
    fn from(directory: &Directory) -> Self {
        directory.clone()
    }
}

impl From<&Tenant> for Directory {
    fn from(tenant: &Tenant) -> Self {
        let directory = Self::new();
        directory.add_tenant(tenant.clone());
        directory
    }
}

/// # Building
impl Directory {
    /// A directory without tenants, on the machine's clock.
    pub fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                tenants: BTreeMap::new(),
                grants: Grants::default(),
                faults: Faults::default(),
                page_size: None,
                empty_first_page: false,
                delta_replays: false,
                keys: None,
                app_keys: BTreeMap::new(),
                requests: Vec::new(),
                clock: clock::system(),
                offset: 0,
                provisioning: None,
            })),
        }
    }

    /// Adds a tenant, replacing the one with the same GUID.
    pub fn add_tenant(&self, tenant: Tenant) -> &Self {
        self.lock().tenants.insert(tenant.id.clone(), Arc::new(tenant));
        self
    }

    /// A tenant of the directory, to add to.
    ///
    /// # Panics
    /// If there is no tenant with this GUID: a test that edits it is mistaken.
    pub fn tenant(&self, id: &str) -> TenantHandle {
        assert!(
            self.lock().tenants.contains_key(id),
            "there is no tenant {id} in this directory"
        );
        TenantHandle::new(self.clone(), id)
    }

    /// Registers a redirect address for every app of every tenant.
    pub fn add_redirect_uri(&self, uri: &str) -> &Self {
        for tenant in self.lock().tenants.values_mut() {
            for app in Arc::make_mut(tenant).apps.values_mut() {
                app.redirect_uris.insert(uri.to_owned());
            }
        }
        self
    }
}

/// # People and groups, while the mock runs
///
/// Object ids are GUIDs, hence unique over all tenants. An id that nobody has is a mistake of the test, and panics.
impl Directory {
    /// Puts a person or group into a group.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn add_member(&self, group: &str, member: MemberRef) -> &Self {
        self.edit_group(group, |group| {
            if !group.members.contains(&member) {
                group.members.push(member);
            }
        });
        self
    }

    /// Takes a person or group out of a group.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn remove_member(&self, group: &str, member: &MemberRef) -> &Self {
        self.edit_group(group, |group| group.members.retain(|known| known != member));
        self
    }

    /// Switches an account off: sign-in and refresh answer AADSTS50057.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn disable_user(&self, oid: &str) -> &Self {
        self.edit_user(oid, |user| user.enabled = false)
    }

    /// Switches an account on again.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn enable_user(&self, oid: &str) -> &Self {
        self.edit_user(oid, |user| user.enabled = true)
    }

    /// Deletes an account: sign-in and refresh answer AADSTS50034, Graph 404. For thirty days it can be restored.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn delete_user(&self, oid: &str) -> &Self {
        self.edit_tenants(oid, |tenant| tenant.delete_user(oid))
    }

    /// Restores an account that was deleted, with its memberships.
    ///
    /// # Panics
    /// If there is no such deleted person.
    pub fn restore_user(&self, oid: &str) -> &Self {
        self.edit_tenants(oid, |tenant| tenant.restore_user(oid))
    }

    /// Deletes an account for good, whether it was deleted before or not.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn purge_user(&self, oid: &str) -> &Self {
        self.edit_tenants(oid, |tenant| tenant.purge_user(oid))
    }

    /// Deletes a group. A security group is gone for good.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn delete_group(&self, id: &str) -> &Self {
        self.edit_tenants(id, |tenant| tenant.groups.remove(id).is_some())
    }

    /// Revokes everything a person's earlier sign-ins brought: refresh answers AADSTS50173.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn revoke_sessions(&self, oid: &str) -> &Self {
        assert!(
            self.revoke_if_known(oid),
            "there is no user {oid} in this directory"
        );
        self
    }

    /// [`Directory::revoke_sessions`] for an id that may have gone; says whether somebody has it.
    pub(crate) fn revoke_if_known(&self, oid: &str) -> bool {
        let known = self.try_edit_user(oid, |user| user.generation += 1);
        self.lock()
            .grants
            .sessions
            .retain(|_, session| !session.oid.eq_ignore_ascii_case(oid));
        known
    }

    /// Changes the tenant in which an object is; `edit` says whether it was this one.
    fn edit_tenants(&self, id: &str, edit: impl Fn(&mut Tenant) -> bool) -> &Self {
        let mut state = self.lock();
        let found = state
            .tenants
            .values_mut()
            .any(|tenant| edit(Arc::make_mut(tenant)));
        drop(state);
        assert!(found, "there is no {id} in this directory");
        self
    }

    fn edit_user(&self, oid: &str, edit: impl FnOnce(&mut User)) -> &Self {
        assert!(
            self.try_edit_user(oid, edit),
            "there is no user {oid} in this directory"
        );
        self
    }

    fn try_edit_user(&self, oid: &str, edit: impl FnOnce(&mut User)) -> bool {
        let mut state = self.lock();
        let tenant = state
            .tenants
            .values_mut()
            .find(|tenant| tenant.by_oid(oid).is_some());
        tenant
            .and_then(|tenant| Arc::make_mut(tenant).by_oid_mut(oid))
            .map(edit)
            .is_some()
    }

    fn edit_group(&self, id: &str, edit: impl FnOnce(&mut Group)) {
        let mut state = self.lock();
        let tenant = state
            .tenants
            .values_mut()
            .find(|tenant| tenant.groups.contains_key(id));
        let found = tenant
            .and_then(|tenant| Arc::make_mut(tenant).groups.get_mut(id))
            .map(edit);
        drop(state);
        assert!(found.is_some(), "there is no group {id} in this directory");
    }
}

impl Directory {
    /// Everything, for one short look or change; never across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tenant an address means by GUID or domain.
    pub(crate) fn find_tenant(&self, segment: &str) -> Option<Arc<Tenant>> {
        self.lock()
            .tenants
            .values()
            .find(|tenant| tenant.is_called(segment))
            .cloned()
    }

    /// The ids of all tenants.
    pub fn tenant_ids(&self) -> Vec<String> {
        self.tenants().iter().map(|tenant| tenant.id.clone()).collect()
    }

    /// All tenants.
    pub(crate) fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.lock().tenants.values().cloned().collect()
    }

    /// The app as this tenant sees it: registered here, or multi-tenant and registered elsewhere.
    pub(crate) fn app_in(&self, tenant: Option<&Tenant>, client_id: &str) -> Option<AppRegistration> {
        if let Some(own) = tenant.and_then(|tenant| tenant.apps.get(client_id)) {
            return Some(own.clone());
        }
        let foreign = self
            .tenants()
            .iter()
            .find_map(|other| other.apps.get(client_id).cloned());
        foreign.filter(|app| app.multi_tenant || tenant.is_none())
    }

    /// Notes a request and waits as long as a fault says.
    pub(crate) async fn arrived(&self, request: Recorded) {
        let pause = {
            let mut state = self.lock();
            let pause = state.faults.strike(|fault| match fault {
                Fault::Slow { endpoint, ms } if *endpoint == request.endpoint => Some(*ms),
                _ => None,
            });
            state.requests.push(request);
            pause
        };
        if let Some(ms) = pause {
            tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
        }
    }

    /// Makes the first key if there is none, and the own keys of the apps that have one.
    pub(crate) fn ensure_keys(&self) -> Result<(), KeyFailure> {
        if self.lock().keys.is_none() {
            let first = KeySet::first()?;
            self.lock().keys.get_or_insert(first);
        }
        Ok(())
    }

    /// The keys that sign for an app: its own if it has a custom signing key, else the common ones.
    pub(crate) fn keys_for(&self, app: Option<&AppRegistration>) -> Result<KeySet, KeyFailure> {
        if let Some(app) = app.filter(|app| app.custom_signing_key) {
            if let Some(own) = self.lock().app_keys.get(&app.client_id) {
                return Ok(own.clone());
            }
            let fresh = KeySet::generate()?;
            return Ok(self
                .lock()
                .app_keys
                .entry(app.client_id.clone())
                .or_insert(fresh)
                .clone());
        }
        self.ensure_keys()?;
        self.lock().keys.clone().ok_or_else(KeyFailure::none)
    }
}
