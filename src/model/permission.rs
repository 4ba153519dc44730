//! What a token of the API may do, in the names of Cloudflare's permission groups.

use std::fmt;
use std::str::FromStr;

/// A part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Area {
    /// The organization, its keys and certificates, identity providers, access groups and lists.
    Organization,
    /// Applications, policies, tags and custom pages.
    Applications,
    /// Service tokens.
    ServiceTokens,
    /// Users, their sessions and the log of logins.
    AuditLogs,
    /// The log of provisioning.
    ScimLogs,
    /// Tests of policies against the people known.
    PolicyTests,
    /// Seats, and changes of users.
    Seats,
}

/// What is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Looking.
    Read,
    /// Changing.
    Write,
    /// Ending what sessions and tokens there are.
    Revoke,
}

/// One permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permission {
    /// Where.
    pub area: Area,
    /// What.
    pub right: Right,
}

/// Every permission there is, with its name.
const NAMES: &[(&str, Permission)] = &[
    (
        "Access: Organizations, Identity Providers, and Groups Read",
        Permission::read(Area::Organization),
    ),
    (
        "Access: Organizations, Identity Providers, and Groups Write",
        Permission::write(Area::Organization),
    ),
    (
        "Access: Organizations, Identity Providers, and Groups Revoke",
        Permission {
            area: Area::Organization,
            right: Right::Revoke,
        },
    ),
    (
        "Access: Apps and Policies Read",
        Permission::read(Area::Applications),
    ),
    (
        "Access: Apps and Policies Write",
        Permission::write(Area::Applications),
    ),
    (
        "Access: Apps and Policies Revoke",
        Permission {
            area: Area::Applications,
            right: Right::Revoke,
        },
    ),
    (
        "Access: Service Tokens Read",
        Permission::read(Area::ServiceTokens),
    ),
    (
        "Access: Service Tokens Write",
        Permission::write(Area::ServiceTokens),
    ),
    ("Access: Audit Logs Read", Permission::read(Area::AuditLogs)),
    ("Access: SCIM Logs Read", Permission::read(Area::ScimLogs)),
    ("Access: Policy Test Write", Permission::write(Area::PolicyTests)),
    ("Zero Trust: Seats Write", Permission::write(Area::Seats)),
];

/// The word that stands for every permission.
pub const EVERYTHING: &str = "*";

impl Permission {
    /// Looking at an area.
    pub const fn read(area: Area) -> Self {
        Self {
            area,
            right: Right::Read,
        }
    }

    /// Changing an area.
    pub const fn write(area: Area) -> Self {
        Self {
            area,
            right: Right::Write,
        }
    }

    /// Ending sessions and tokens of an area.
    pub const fn revoke(area: Area) -> Self {
        Self {
            area,
            right: Right::Revoke,
        }
    }

    /// The name that tokens and messages use.
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, permission)| *permission == self)
            .map_or("", |(name, _)| name)
    }

    /// All names, for messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

/// No permission has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such permission")]
pub struct NoSuchPermission;

impl FromStr for Permission {
    type Err = NoSuchPermission;

    fn from_str(name: &str) -> Result<Self, NoSuchPermission> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, permission)| *permission)
            .ok_or(NoSuchPermission)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The permissions of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    everything: bool,
    some: Vec<Permission>,
}

impl Permissions {
    /// Every permission.
    pub fn everything() -> Self {
        Self {
            everything: true,
            some: Vec::new(),
        }
    }

    /// Reads names; `*` is all of them.
    ///
    /// # Errors
    /// The name that is none.
    pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, &'n str> {
        let mut permissions = Self::default();
        for name in names {
            if name == EVERYTHING {
                permissions.everything = true;
            } else {
                permissions
                    .some
                    .push(name.parse().map_err(|NoSuchPermission| name)?);
            }
        }
        permissions.some.sort_unstable();
        permissions.some.dedup();
        Ok(permissions)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        if self.everything {
            return vec![EVERYTHING];
        }
        self.some.iter().map(|permission| permission.name()).collect()
    }

    /// Whether they allow this. Who may change an area may look at it, and end what is in it.
    pub fn allow(&self, wanted: Permission) -> bool {
        self.everything
            || self.some.iter().any(|held| {
                held.area == wanted.area && (held.right == wanted.right || held.right == Right::Write)
            })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        !self.everything && self.some.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_read_by_its_own_name() {
        for name in Permission::names() {
            assert_eq!(name.parse::<Permission>().unwrap().name(), name);
        }
        assert_eq!("Access: Everything".parse::<Permission>(), Err(NoSuchPermission));
    }

    #[test]
    fn who_may_change_may_look_and_not_the_other_way_round() {
        let writer = Permissions::from_names(["Access: Apps and Policies Write"]).unwrap();
        assert!(writer.allow(Permission::read(Area::Applications)));
        assert!(writer.allow(Permission::revoke(Area::Applications)));
        assert!(!writer.allow(Permission::read(Area::Organization)));
        let reader = Permissions::from_names(["Access: Apps and Policies Read"]).unwrap();
        assert!(!reader.allow(Permission::write(Area::Applications)));
        assert!(!reader.allow(Permission::revoke(Area::Applications)));
        assert!(Permissions::everything().allow(Permission::write(Area::Seats)));
        assert!(!Permissions::default().allow(Permission::read(Area::AuditLogs)));
    }
}
