//! What rules refer to: access groups and lists, compiled once for all policies of a snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::model::email::EmailAddress;
use crate::model::group::AccessGroup;
use crate::model::ids::{GroupId, ListId};
use crate::model::list::{List, ListItems};
use crate::model::policy::Rules;
use crate::model::selector::Selector;

use super::address_set::AddressSet;
use super::group_order::{Ordered, order};
use super::rules::CompiledRules;

/// The access groups and lists of an organization. Shared by all its compiled policies.
#[derive(Debug, Default)]
pub struct Referents {
    /// Every group stands behind those that it refers to.
    pub(super) groups: Vec<CompiledGroup>,
    by_id: HashMap<GroupId, Result<GroupIndex, Unresolved>>,
    emails: HashMap<ListId, Arc<HashSet<EmailAddress>>>,
    addresses: HashMap<ListId, Arc<AddressSet>>,
}

/// The place of a group in [`Referents::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupIndex(u32);

#[derive(Debug)]
pub(super) struct CompiledGroup {
    pub(super) group: AccessGroup,
    pub(super) rules: CompiledRules,
    /// Whether requests make a difference, by its own rules or those of a group in it.
    late: bool,
    /// Whether it asks who somebody is, by its own rules or those of a group in it.
    asks_identity: bool,
    /// Whether it asks for the token of another application, by its own rules or those of a group in it.
    links_app: bool,
}

/// A rule refers to something that is not there, or that cannot be used. Whoever has such a rule lets nobody pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unresolved {
    reason: Arc<str>,
    /// Whether it tells which access group is to blame.
    names_group: bool,
}

impl Unresolved {
    pub(super) fn new(reason: impl Into<Arc<str>>) -> Self {
        Self {
            reason: reason.into(),
            names_group: false,
        }
    }

    /// The same of a group. The innermost is the one to mend.
    fn of_group(self, name: &str) -> Self {
        if self.names_group {
            return self;
        }
        Self {
            reason: format!("the access group \"{name}\": {}", self.reason).into(),
            names_group: true,
        }
    }
}

impl Referents {
    /// Compiles groups and lists.
    ///
    /// Never fails: a group that refers to what is not there, or in a circle to itself, is one that cannot be used.
    pub fn new(groups: Vec<AccessGroup>, lists: Vec<List>) -> Self {
        let mut referents = Self::default();
        for list in lists {
            match list.items {
                ListItems::Emails(emails) => {
                    let emails = Arc::new(emails.into_iter().collect());
                    referents.emails.insert(list.id, emails);
                }
                ListItems::Addresses(ranges) => {
                    let ranges = Arc::new(AddressSet::union_of(ranges));
                    referents.addresses.insert(list.id, ranges);
                }
            }
        }
        let Ordered { order, circles } = order(groups);
        for (id, circle) in circles {
            let unresolved = Unresolved {
                reason: circle,
                names_group: true,
            };
            referents.by_id.insert(id, Err(unresolved));
        }
        for group in order {
            referents.add(group);
        }
        referents
    }

    fn add(&mut self, group: AccessGroup) {
        let id = group.id;
        let compiled = CompiledRules::new(group.rules(), self);
        let compiled = compiled.map_err(|unresolved| unresolved.of_group(&group.name));
        let next = u32::try_from(self.groups.len()).map(GroupIndex);
        let entry = match (compiled, next) {
            (Ok(rules), Ok(index)) => {
                self.groups.push(CompiledGroup {
                    late: rules.asks_request(),
                    asks_identity: self.asks_identity(group.rules()),
                    links_app: self.links_app(group.rules()),
                    group,
                    rules,
                });
                Ok(index)
            }
            (Err(unresolved), _) => Err(unresolved),
            (_, Err(_)) => Err(Unresolved::new("there are too many access groups")),
        };
        self.by_id.insert(id, entry);
    }

    /// Whether rules ask who somebody is, by themselves or through an access group.
    pub fn asks_identity(&self, rules: Rules<'_>) -> bool {
        let mut rules = rules.iter();
        rules.any(|(_, _, rule)| self.rule_asks_identity(rule))
    }

    /// Whether one rule asks who somebody is, by itself or through an access group.
    pub fn rule_asks_identity(&self, rule: &Selector) -> bool {
        match rule {
            Selector::Group { id } => {
                let group = self.group(*id).ok().and_then(|(index, _)| self.at(index));
                group.is_some_and(|group| group.asks_identity)
            }
            rule => rule.asks_identity(),
        }
    }

    /// Whether rules ask for the token of another application, by themselves or through an access group.
    fn links_app(&self, rules: Rules<'_>) -> bool {
        let mut rules = rules.iter();
        rules.any(|(_, _, rule)| self.rule_links_app(rule))
    }

    /// Whether one rule asks for the token of another application, by itself or through an access group.
    pub fn rule_links_app(&self, rule: &Selector) -> bool {
        match rule {
            Selector::Group { id } => {
                let group = self.group(*id).ok().and_then(|(index, _)| self.at(index));
                group.is_some_and(|group| group.links_app)
            }
            rule => rule.links_app(),
        }
    }

    /// Whether what a rule refers to here can be used.
    ///
    /// # Errors
    /// [`Unresolved`] where it cannot.
    pub fn resolve(&self, rule: &Selector) -> Result<(), Unresolved> {
        match rule {
            Selector::Group { id } => self.group(*id).map(|_| ()),
            Selector::EmailList { id } => self.email_list(*id).map(|_| ()),
            Selector::IpList { id } => self.address_list(*id).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The addresses of a list of e-mail addresses; `None` where there is no such list.
    pub fn addresses_on(&self, id: ListId) -> Option<impl Iterator<Item = &EmailAddress>> {
        self.emails.get(&id).map(|list| list.iter())
    }

    /// How many addresses a list of e-mail addresses has; `None` where there is no such list.
    pub fn email_list_size(&self, id: ListId) -> Option<usize> {
        self.emails.get(&id).map(|list| list.len())
    }

    /// Whether an address is on a list of e-mail addresses; `None` where there is no such list.
    pub fn is_on_email_list(&self, id: ListId, address: &EmailAddress) -> Option<bool> {
        self.emails.get(&id).map(|list| list.contains(address))
    }

    /// A group, and whether requests make a difference to it.
    pub(super) fn group(&self, id: GroupId) -> Result<(GroupIndex, bool), Unresolved> {
        match self.by_id.get(&id) {
            Some(Ok(index)) => Ok((*index, self.at(*index).is_some_and(|group| group.late))),
            Some(Err(unresolved)) => Err(unresolved.clone()),
            None => Err(Unresolved::new(format!("no access group has the id {id}"))),
        }
    }

    pub(super) fn at(&self, index: GroupIndex) -> Option<&CompiledGroup> {
        self.groups.get(index.place())
    }

    /// The groups that rules refer to, directly or through each other, ascending.
    pub(super) fn reached_from<'r>(&self, rules: impl Iterator<Item = &'r CompiledRules>) -> Vec<GroupIndex> {
        let inside = |rules: &CompiledRules| {
            let lists = rules.lists().into_iter();
            let groups = lists.flat_map(|atoms| atoms.groups.iter().chain(&atoms.late_groups).copied());
            groups.collect::<Vec<_>>()
        };
        let mut found = BTreeSet::new();
        let mut waiting: Vec<GroupIndex> = rules.flat_map(inside).collect();
        while let Some(index) = waiting.pop() {
            if let Some(group) = self.at(index).filter(|_| found.insert(index)) {
                waiting.extend(inside(&group.rules));
            }
        }
        found.into_iter().collect()
    }

    pub(super) fn email_list(&self, id: ListId) -> Result<Arc<HashSet<EmailAddress>>, Unresolved> {
        let list = self.emails.get(&id).cloned();
        list.ok_or_else(|| Unresolved::new(format!("no list of e-mail addresses has the id {id}")))
    }

    pub(super) fn address_list(&self, id: ListId) -> Result<Arc<AddressSet>, Unresolved> {
        let list = self.addresses.get(&id).cloned();
        list.ok_or_else(|| Unresolved::new(format!("no list of network addresses has the id {id}")))
    }
}

impl GroupIndex {
    pub(super) fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}
