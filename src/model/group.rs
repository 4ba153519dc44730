//! Access groups: rules under a name, which policies and other groups refer to.

use super::ids::GroupId;
use super::policy::Rules;
use super::selector::Selector;

/// An access group. It holds where any Include, every Require and no Exclude does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessGroup {
    /// The group's id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// At least one must hold.
    pub include: Vec<Selector>,
    /// All must hold.
    pub require: Vec<Selector>,
    /// None may hold.
    pub exclude: Vec<Selector>,
}

impl AccessGroup {
    /// Its rules, list by list.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            include: &self.include,
            require: &self.require,
            exclude: &self.exclude,
        }
    }
}
