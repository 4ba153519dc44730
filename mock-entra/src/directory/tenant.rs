//! A tenant: its domains, people, groups, apps and authentication contexts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::app::{AppRegistration, GroupClaim, key};
use super::group::{Group, MemberRef};
use super::user::User;

/// One tenant, complete in itself. Build it, then hand it to [`crate::Directory::add_tenant`].
#[derive(Debug, Clone)]
pub struct Tenant {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domains: Vec<String>,
    pub(crate) users: Vec<User>,
    /// People who were deleted and can be restored.
    pub(crate) deleted: Vec<User>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) apps: BTreeMap<String, AppRegistration>,
    pub(crate) contexts: Vec<AuthContext>,
    /// Guests have the most restricted access level: they cannot read memberships.
    pub(crate) restricted_guests: bool,
}

/// An authentication context of Conditional Access.
#[derive(Debug, Clone)]
pub(crate) struct AuthContext {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) available: bool,
}

impl Tenant {
    /// An empty tenant with this GUID and display name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            domains: Vec::new(),
            users: Vec::new(),
            deleted: Vec::new(),
            groups: BTreeMap::new(),
            apps: BTreeMap::new(),
            contexts: Vec::new(),
            restricted_guests: false,
        }
    }

    /// Adds a verified domain.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domains.push(domain.into());
        self
    }

    /// Adds a person.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.put_user(user);
        self
    }

    /// Adds a group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.insert(group.id.clone(), group);
        self
    }

    /// Adds an app registration.
    #[must_use]
    pub fn app(mut self, app: AppRegistration) -> Self {
        self.apps.insert(app.client_id.clone(), app);
        self
    }

    /// Adds an authentication context (`c1` … `c99`); only available ones may be asked for.
    #[must_use]
    pub fn auth_context(
        mut self,
        id: impl Into<String>,
        name: impl Into<String>,
        description: impl Into<String>,
        available: bool,
    ) -> Self {
        self.contexts.push(AuthContext {
            id: id.into(),
            name: name.into(),
            description: description.into(),
            available,
        });
        self
    }

    /// Gives guests the most restricted access level: Graph refuses them their own memberships.
    #[must_use]
    pub fn restricted_guests(mut self) -> Self {
        self.restricted_guests = true;
        self
    }

    /// Adds a person, replacing the one with the same object id.
    pub(crate) fn put_user(&mut self, mut user: User) {
        user.settle_in(&self.initial_domain());
        self.users.retain(|known| known.oid != user.oid);
        self.deleted.retain(|known| known.oid != user.oid);
        self.users.push(user);
    }

    /// The domain every tenant has from the start: `contoso.onmicrosoft.com`.
    pub(crate) fn initial_domain(&self) -> String {
        let label: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{}.onmicrosoft.com", label.to_ascii_lowercase())
    }

    /// Whether the tenant segment of an address means this tenant: its GUID or one of its domains.
    pub(crate) fn is_called(&self, segment: &str) -> bool {
        self.id.eq_ignore_ascii_case(segment)
            || self.initial_domain().eq_ignore_ascii_case(segment)
            || self
                .domains
                .iter()
                .any(|domain| domain.eq_ignore_ascii_case(segment))
    }

    /// The person with this object id.
    pub(crate) fn by_oid(&self, oid: &str) -> Option<&User> {
        self.users.iter().find(|user| user.oid.eq_ignore_ascii_case(oid))
    }

    /// The person with this object id, to be changed.
    pub(crate) fn by_oid_mut(&mut self, oid: &str) -> Option<&mut User> {
        self.users
            .iter_mut()
            .find(|user| user.oid.eq_ignore_ascii_case(oid))
    }

    /// The person who is called this at the sign-in page.
    pub(crate) fn by_name(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.is_called(name))
    }

    /// Deletes a person, who can be restored; whether there was one.
    pub(crate) fn delete_user(&mut self, oid: &str) -> bool {
        let Some(place) = self
            .users
            .iter()
            .position(|user| user.oid.eq_ignore_ascii_case(oid))
        else {
            return false;
        };
        let user = self.users.remove(place);
        self.deleted.push(user);
        true
    }

    /// Restores a deleted person; whether there was one.
    pub(crate) fn restore_user(&mut self, oid: &str) -> bool {
        let Some(place) = self
            .deleted
            .iter()
            .position(|user| user.oid.eq_ignore_ascii_case(oid))
        else {
            return false;
        };
        let user = self.deleted.remove(place);
        self.users.push(user);
        true
    }

    /// Deletes a person for good, memberships included; whether there was one.
    pub(crate) fn purge_user(&mut self, oid: &str) -> bool {
        let is = |user: &User| user.oid.eq_ignore_ascii_case(oid);
        let known = self.users.iter().chain(&self.deleted).any(is);
        self.users.retain(|user| !is(user));
        self.deleted.retain(|user| !is(user));
        for group in self.groups.values_mut() {
            group.members.retain(|member| *member != MemberRef::user(oid));
        }
        known
    }

    /// Every group this member is in, directly or through other groups, in the order of their names.
    pub(crate) fn transitive_groups(&self, member: &MemberRef) -> Vec<&Group> {
        let mut holders: HashMap<&MemberRef, Vec<&Group>> = HashMap::new();
        for group in self.groups.values() {
            for known in &group.members {
                holders.entry(known).or_default().push(group);
            }
        }
        let mut found: BTreeMap<(&str, &str), &Group> = BTreeMap::new();
        let mut waiting = vec![member.clone()];
        while let Some(next) = waiting.pop() {
            for &group in holders.get(&next).into_iter().flatten() {
                if found.insert((&group.name, &group.id), group).is_none() {
                    waiting.push(MemberRef::Group(group.id.clone()));
                }
            }
        }
        found.into_values().collect()
    }

    /// The groups that list this member themselves.
    pub(crate) fn direct_groups<'a, 'm>(
        &'a self,
        member: &'m MemberRef,
    ) -> impl Iterator<Item = &'a Group> + use<'a, 'm> {
        self.groups
            .values()
            .filter(move |group| group.members.contains(member))
    }

    /// Whether the app lets this person in at all.
    pub(crate) fn is_assigned(&self, app: &AppRegistration, user: &User) -> bool {
        let person = MemberRef::User(user.oid.clone());
        !app.assignment_required
            || app.assigned.contains(&key(&person))
            || self
                .direct_groups(&person)
                .any(|group| app.assigned.contains(&(false, group.id.clone())))
    }

    /// The app roles of this person: nested groups do not count.
    pub(crate) fn roles(&self, app: &AppRegistration, user: &User) -> BTreeSet<String> {
        let person = MemberRef::User(user.oid.clone());
        let mut holders: Vec<MemberRef> = self
            .direct_groups(&person)
            .map(|group| MemberRef::Group(group.id.clone()))
            .collect();
        holders.push(person);
        app.roles
            .iter()
            .filter(|(_, holder)| holders.contains(holder))
            .map(|(value, _)| value.clone())
            .collect()
    }

    /// The ids the claim `groups` lists for this app.
    pub(crate) fn groups_for_claim(&self, app: &AppRegistration, user: &User) -> Vec<String> {
        let person = MemberRef::User(user.oid.clone());
        let ids = |groups: Vec<&Group>| groups.into_iter().map(|group| group.id.clone()).collect();
        match app.group_claim {
            GroupClaim::None => Vec::new(),
            GroupClaim::All => ids(self.transitive_groups(&person)),
            GroupClaim::SecurityGroup => ids(self
                .transitive_groups(&person)
                .into_iter()
                .filter(|group| group.security_enabled)
                .collect()),
            GroupClaim::ApplicationGroup => ids(self
                .direct_groups(&person)
                .filter(|group| app.assigned.contains(&(false, group.id.clone())))
                .collect()),
        }
    }
}
