//! What a filter wants to know of the members of groups.

use super::filter::{Comparison, Filter, Literal};
use super::schema::MEMBERS;

/// Members that are read to find out which groups a filter means. Entra asks for none of it.
pub(super) const MOST_READ: usize = 200_000;

/// What a filter wants to know of members. Groups are large, so no more of them is read.
pub(super) struct Asked<'f> {
    /// Whether these people are members.
    pub(super) people: Vec<&'f str>,
    /// Members to look at: none, one, or all.
    pub(super) members: usize,
    /// Members that may still be read, of all groups together.
    pub(super) left: usize,
}

impl<'f> Asked<'f> {
    /// What a filter wants to know.
    pub(super) fn by(filter: &'f Filter) -> Self {
        let mut asked = Self {
            people: Vec::new(),
            members: 0,
            left: MOST_READ,
        };
        asked.of(filter);
        asked
    }

    fn of(&mut self, filter: &'f Filter) {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| self.of(part)),
            Filter::Not(inner) => self.of(inner),
            Filter::Present(path) if path.is(MEMBERS) => self.look_at(1),
            Filter::Compare(path, comparison, literal) if path.is(MEMBERS) => {
                let of_value = path.sub.is_none() || path.is_sub(MEMBERS, "value");
                match (comparison, literal) {
                    (Comparison::Equal | Comparison::NotEqual, Literal::Text(person)) if of_value => {
                        self.people.push(person);
                    }
                    (_, Literal::Null) => self.look_at(1),
                    _ if path.is_sub(MEMBERS, "type") => self.look_at(1),
                    _ => self.look_at(usize::MAX),
                }
            }
            Filter::Element(path, inner) if path.is(MEMBERS) => {
                let telling: Vec<&Filter> = inner.conjuncts().iter().filter(|part| !is_alike(part)).collect();
                match telling.as_slice() {
                    [] => self.look_at(1),
                    [Filter::Compare(sub, Comparison::Equal, Literal::Text(person))] if sub.is("value") => {
                        self.people.push(person);
                    }
                    _ => self.look_at(usize::MAX),
                }
            }
            Filter::Present(_) | Filter::Compare(..) | Filter::Element(..) => {}
        }
    }

    fn look_at(&mut self, members: usize) {
        self.members = self.members.max(members);
    }
}

/// Whether all members are alike in what a filter asks of one: they have the same type, and each part of each is there.
fn is_alike(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(is_alike),
        Filter::Not(inner) => is_alike(inner),
        Filter::Compare(path, _, literal) => path.is("type") || *literal == Literal::Null,
        Filter::Present(_) => true,
        Filter::Element(..) => false,
    }
}
