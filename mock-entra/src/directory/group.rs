//! Groups, and who or what is in them.

/// A group of a tenant.
#[derive(Debug, Clone)]
pub struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) security_enabled: bool,
    pub(crate) members: Vec<MemberRef>,
}

/// A direct member of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberRef {
    /// A person, by object id.
    User(String),
    /// A group within the group, by object id.
    Group(String),
}

impl Group {
    /// A security group without members.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            security_enabled: true,
            members: Vec::new(),
        }
    }

    /// A Microsoft 365 group that grants no rights (`securityEnabled` false).
    #[must_use]
    pub fn not_security_enabled(mut self) -> Self {
        self.security_enabled = false;
        self
    }

    /// Puts a person or a group into the group.
    #[must_use]
    pub fn member(mut self, member: MemberRef) -> Self {
        self.members.push(member);
        self
    }
}

impl MemberRef {
    /// A person, by object id.
    pub fn user(oid: impl Into<String>) -> Self {
        Self::User(oid.into())
    }

    /// A group, by object id.
    pub fn group(id: impl Into<String>) -> Self {
        Self::Group(id.into())
    }
}
