//! Include, Require and Exclude together, of a policy or of an access group.

use crate::model::policy::Rules;

use super::answer::{Answer, Outlook};
use super::atoms::{Atoms, Join};
use super::person::Person;
use super::referents::{GroupIndex, Referents, Unresolved};
use super::request::{LateGroups, RequestFacts};

/// Three lists of rules, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct CompiledRules {
    pub(super) include: Atoms,
    pub(super) require: Atoms,
    pub(super) exclude: Atoms,
}

/// What one list after the other says of a person.
#[derive(Debug, Clone, Copy)]
pub(super) struct PersonAnswers {
    include: Outlook,
    require: Outlook,
    exclude: Outlook,
}

impl CompiledRules {
    /// # Errors
    /// [`Unresolved`] where a rule refers to something that is not there.
    pub(super) fn new(rules: Rules<'_>, referents: &Referents) -> Result<Self, Unresolved> {
        Ok(Self {
            include: Atoms::new(Join::Any, rules.include, referents)?,
            require: Atoms::new(Join::All, rules.require, referents)?,
            exclude: Atoms::new(Join::Any, rules.exclude, referents)?,
        })
    }

    /// What they say of a person. `group` tells what an access group says.
    pub(super) fn ask_person(
        &self,
        person: &Person<'_>,
        mut group: impl FnMut(GroupIndex) -> Outlook,
    ) -> PersonAnswers {
        PersonAnswers {
            include: self.include.ask_person(person, &mut group),
            require: self.require.ask_person(person, &mut group),
            exclude: self.exclude.ask_person(person, &mut group),
        }
    }

    /// Whether they match this request of that person.
    pub(super) fn matches(
        &self,
        person: PersonAnswers,
        facts: &RequestFacts,
        late: LateGroups<'_>,
    ) -> Outlook {
        let include = person.include.or(self.include.ask_request(facts, late));
        let require = person.require.and(self.require.ask_request(facts, late));
        let exclude = person.exclude.or(self.exclude.ask_request(facts, late));
        include.and(require).and(!exclude)
    }

    /// Whether requests make a difference.
    pub(super) fn asks_request(&self) -> bool {
        self.lists().into_iter().any(Atoms::asks_request)
    }

    /// Whether some request of this person could come to match, once all that can be found out has been.
    pub(super) fn could_match(&self, person: PersonAnswers) -> bool {
        let included = person.include.best == Answer::Yes || self.include.asks_request();
        included && person.require.best == Answer::Yes && person.exclude.worst == Answer::No
    }

    /// Whether no request of this person can match, or leave it open whether it does.
    pub(super) fn never_match(&self, person: PersonAnswers) -> bool {
        let included = person.include.now != Answer::No || self.include.asks_request();
        !included || person.require.now == Answer::No || person.exclude.now == Answer::Yes
    }

    pub(super) fn lists(&self) -> [&Atoms; 3] {
        [&self.include, &self.require, &self.exclude]
    }
}

impl PersonAnswers {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        include: Outlook::UNKNOWN,
        require: Outlook::UNKNOWN,
        exclude: Outlook::UNKNOWN,
    };

    /// Whether they match, as far as the person alone decides.
    pub(super) fn matches(self) -> Outlook {
        self.include.and(self.require).and(!self.exclude)
    }

    /// One list after the other.
    pub(super) fn lists(self) -> [Outlook; 3] {
        [self.include, self.require, self.exclude]
    }
}
