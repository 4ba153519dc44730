//! What access groups say of a person: each is asked once, however many rules refer to it.

use std::collections::BTreeSet;

use hashbrown::HashSet;

use crate::model::identity::Identity;

use super::answer::{Answer, Outlook};
use super::atoms::Atoms;
use super::person::{Person, context, evaluation};
use super::referents::{CompiledGroup, GroupIndex, Referents};
use super::rules::{CompiledRules, PersonAnswers};
use super::verdict::Need;

/// The answers of access groups about one person, as far as they have been asked for.
pub(super) struct GroupAnswers<'g, 'p> {
    referents: &'g Referents,
    person: &'g Person<'p>,
    /// Of groups that ask about persons alone.
    known: Vec<Option<Outlook>>,
}

impl<'g, 'p> GroupAnswers<'g, 'p> {
    pub(super) fn new(referents: &'g Referents, person: &'g Person<'p>) -> Self {
        Self {
            referents,
            person,
            known: Vec::new(),
        }
    }

    pub(super) fn identity(&self) -> Option<&'p Identity> {
        self.person.identity
    }

    /// What a group that asks about persons alone says. Groups inside it are asked first, without recursion: they may
    /// be nested deeper than a thread's stack reaches.
    pub(super) fn of(&mut self, index: GroupIndex) -> Outlook {
        if self.known.is_empty() {
            self.known.resize(self.referents.groups.len(), None);
        }
        let mut waiting = vec![index];
        while let Some(&next) = waiting.last() {
            let open = self.known(next).is_none();
            let Some(group) = self.referents.at(next).filter(|_| open) else {
                waiting.pop();
                continue;
            };
            let before = waiting.len();
            let inside = group.rules.lists().into_iter().flat_map(|atoms| &atoms.groups);
            waiting.extend(inside.copied().filter(|inside| self.known(*inside).is_none()));
            if waiting.len() > before {
                continue;
            }
            let answer = self.person_answers(next).matches();
            if let Some(place) = self.known.get_mut(next.place()) {
                *place = Some(answer);
            }
            waiting.pop();
        }
        self.known(index).unwrap_or(Outlook::UNKNOWN)
    }

    fn known(&self, index: GroupIndex) -> Option<Outlook> {
        self.known.get(index.place()).copied().flatten()
    }

    /// What a group's rules about persons say; of one that asks about requests too, it is half an answer. The groups
    /// inside must have been asked, or be asked by [`GroupAnswers::late`].
    pub(super) fn person_answers(&self, index: GroupIndex) -> PersonAnswers {
        let known = |inside| self.known(inside).unwrap_or(Outlook::UNKNOWN);
        match self.referents.at(index) {
            Some(group) => group.rules.ask_person(self.person, known),
            None => PersonAnswers::UNKNOWN,
        }
    }

    /// The groups that ask about requests among those that rules refer to, directly or through each other, ascending.
    pub(super) fn late<'r>(&mut self, rules: impl Iterator<Item = &'r CompiledRules>) -> Vec<GroupIndex> {
        let late_of = |rules: &CompiledRules| {
            let lists = rules.lists().into_iter();
            let late = lists.flat_map(|atoms| atoms.late_groups.iter().copied());
            late.collect::<Vec<_>>()
        };
        let mut found: BTreeSet<GroupIndex> = BTreeSet::new();
        let mut waiting: Vec<GroupIndex> = rules.flat_map(late_of).collect();
        while let Some(index) = waiting.pop() {
            let Some(group) = self.referents.at(index).filter(|_| found.insert(index)) else {
                continue;
            };
            waiting.extend(late_of(&group.rules));
            self.ask_inside(group);
        }
        found.into_iter().collect()
    }

    /// Asks the groups inside one that ask about persons alone.
    fn ask_inside(&mut self, group: &CompiledGroup) {
        for atoms in group.rules.lists() {
            for &inside in &atoms.groups {
                self.of(inside);
            }
        }
    }

    /// The first thing that can be found out about the person and that the rules ask for.
    /// `wanted` tells whether it is good for the person that the rules hold.
    pub(super) fn need(
        &mut self,
        rules: &CompiledRules,
        person: PersonAnswers,
        wanted: bool,
    ) -> Option<Need> {
        let identity = self.person.identity?;
        let mut seen: HashSet<(GroupIndex, bool)> = HashSet::new();
        let referents = self.referents;
        let mut waiting: Vec<(&Atoms, bool)> = Vec::new();
        push_open(&mut waiting, rules, person, wanted);
        while let Some((atoms, wanted)) = waiting.pop() {
            if let Some(need) = need_of(atoms, wanted, identity) {
                return Some(need);
            }
            for &index in atoms.groups.iter().chain(&atoms.late_groups) {
                if !seen.insert((index, wanted)) {
                    continue;
                }
                if let Some(group) = referents.at(index) {
                    self.ask_inside(group);
                    let answers = self.person_answers(index);
                    push_open(&mut waiting, &group.rules, answers, wanted);
                }
            }
        }
        None
    }
}

/// The lists whose answer could change, the first on top. `wanted` tells whether it is good for the person that the
/// rules hold.
fn push_open<'r>(
    waiting: &mut Vec<(&'r Atoms, bool)>,
    rules: &'r CompiledRules,
    person: PersonAnswers,
    wanted: bool,
) {
    let wants = [wanted, wanted, !wanted];
    let lists = rules.lists().into_iter().zip(person.lists()).zip(wants);
    let open = lists.filter(|((atoms, answer), _)| answer.is_open() || !atoms.late_groups.is_empty());
    let open: Vec<_> = open.map(|((atoms, _), wanted)| (atoms, wanted)).collect();
    waiting.extend(open.into_iter().rev());
}

/// What a list asks for that can be found out: first what Entra can be asked for, where that is wanted, then what has
/// not been asked of others.
fn need_of(atoms: &Atoms, wanted: bool, identity: &Identity) -> Option<Need> {
    let mut contexts = atoms.contexts().filter(|_| wanted).filter(|(provider, id)| {
        let outlook = context(identity, *provider, id);
        outlook.now != Answer::Yes && outlook.best == Answer::Yes
    });
    if let Some((provider, context)) = contexts.next() {
        return Some(Need::AuthContext {
            provider,
            context: context.to_owned(),
        });
    }
    let mut evaluations = atoms
        .evaluations()
        .filter(|(evaluate, keys)| evaluation(identity, evaluate, keys).is_open());
    evaluations
        .next()
        .map(|(evaluate_url, keys_url)| Need::Evaluation {
            evaluate_url: evaluate_url.to_owned(),
            keys_url: keys_url.to_owned(),
        })
}
