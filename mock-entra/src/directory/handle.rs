//! One tenant of a directory that is in use: adding to it and changing it.

use std::sync::Arc;

use super::{AppRegistration, Directory, Group, MemberRef, Tenant, User};

/// One tenant of a running directory.
#[derive(Clone)]
pub struct TenantHandle {
    directory: Directory,
    id: String,
}

impl TenantHandle {
    /// A handle on the tenant with this GUID.
    pub(super) fn new(directory: Directory, id: &str) -> Self {
        Self {
            directory,
            id: id.to_owned(),
        }
    }

    /// Adds a person, replacing the one with the same object id.
    pub fn add_user(&self, user: User) -> &Self {
        self.change(|tenant| tenant.put_user(user))
    }

    /// Adds a group, replacing the one with the same object id.
    pub fn add_group(&self, group: Group) -> &Self {
        self.change(|tenant| {
            tenant.groups.insert(group.id.clone(), group);
        })
    }

    /// Registers an app, replacing the one with the same client id.
    pub fn add_app(&self, app: AppRegistration) -> &Self {
        self.change(|tenant| {
            tenant.apps.insert(app.client_id.clone(), app);
        })
    }

    /// Changes a registered app: the registration goes in, the changed one comes out.
    ///
    /// # Panics
    /// If there is no such app.
    pub fn edit_app(&self, client_id: &str, edit: impl FnOnce(AppRegistration) -> AppRegistration) -> &Self {
        let app = self
            .directory
            .lock()
            .tenants
            .get(&self.id)
            .and_then(|tenant| tenant.apps.get(client_id).cloned());
        match app {
            Some(app) => self.add_app(edit(app)),
            None => panic!("there is no app {client_id} in tenant {}", self.id),
        }
    }

    /// Puts a person or group into a group: [`Directory::add_member`].
    pub fn add_member(&self, group: &str, member: MemberRef) -> &Self {
        self.directory.add_member(group, member);
        self
    }

    /// Takes a person or group out of a group: [`Directory::remove_member`].
    pub fn remove_member(&self, group: &str, member: &MemberRef) -> &Self {
        self.directory.remove_member(group, member);
        self
    }

    /// Switches an account off: [`Directory::disable_user`].
    pub fn disable_user(&self, oid: &str) -> &Self {
        self.directory.disable_user(oid);
        self
    }

    /// Switches an account on again: [`Directory::enable_user`].
    pub fn enable_user(&self, oid: &str) -> &Self {
        self.directory.enable_user(oid);
        self
    }

    /// Deletes an account: [`Directory::delete_user`].
    pub fn delete_user(&self, oid: &str) -> &Self {
        self.directory.delete_user(oid);
        self
    }

    /// Restores a deleted account: [`Directory::restore_user`].
    pub fn restore_user(&self, oid: &str) -> &Self {
        self.directory.restore_user(oid);
        self
    }

    /// Deletes an account for good: [`Directory::purge_user`].
    pub fn purge_user(&self, oid: &str) -> &Self {
        self.directory.purge_user(oid);
        self
    }

    /// Deletes a group: [`Directory::delete_group`].
    pub fn delete_group(&self, id: &str) -> &Self {
        self.directory.delete_group(id);
        self
    }

    /// Revokes a person's sessions: [`Directory::revoke_sessions`].
    pub fn revoke_sessions(&self, oid: &str) -> &Self {
        self.directory.revoke_sessions(oid);
        self
    }

    /// Changes the tenant in any other way: it goes in, the changed one comes out.
    pub fn edit(&self, edit: impl FnOnce(Tenant) -> Tenant) -> &Self {
        self.change(|tenant| *tenant = edit(tenant.clone()))
    }

    fn change(&self, edit: impl FnOnce(&mut Tenant)) -> &Self {
        if let Some(tenant) = self.directory.lock().tenants.get_mut(&self.id) {
            edit(Arc::make_mut(tenant));
        }
        self
    }
}
