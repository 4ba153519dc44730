//! One list of rules, turned into look-ups.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::model::email::EmailAddress;
use crate::model::identity::Identity;
use crate::model::ids::{IdpId, ObjectId};
use crate::model::selector::{DirectoryGroup, Selector};

use super::RequestFacts;
use super::answer::{Answer, Outlook};
use super::person::{self, Person, texts_of};
use super::referents::{GroupIndex, Referents, Unresolved};
use super::request::{LateGroups, RequestAtoms};

/// How the rules of a list are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    /// One must hold: Include and Exclude.
    Any,
    /// All must hold: Require.
    All,
}

impl Join {
    /// What a list without rules says.
    pub(super) fn empty(self) -> Answer {
        match self {
            Self::Any => Answer::No,
            Self::All => Answer::Yes,
        }
    }

    pub(super) fn two(self, one: Outlook, other: Outlook) -> Outlook {
        match self {
            Self::Any => one.or(other),
            Self::All => one.and(other),
        }
    }

    pub(super) fn answers(self, one: Answer, other: Answer) -> Answer {
        match self {
            Self::Any => one.or(other),
            Self::All => one.and(other),
        }
    }

    /// What `wanted` different values say where exactly one can be had, and `found` tells whether it is among them.
    pub(super) fn one_of(self, wanted: usize, found: bool) -> Answer {
        match self {
            Self::Any => found.into(),
            Self::All => (found && wanted == 1).into(),
        }
    }
}

/// A list of rules. What asks about the person stands apart from what asks about the request: Kleene's *and* and *or*
/// are associative and commutative, so that the two may be asked at different times.
#[derive(Debug, Clone)]
pub(super) struct Atoms {
    join: Join,
    everyone: bool,
    /// Whether there are rules that are never evaluated.
    unevaluated: bool,
    person: Option<Box<PersonAtoms>>,
    pub(super) request: Option<Box<RequestAtoms>>,
    /// Access groups that ask about persons alone.
    pub(super) groups: Box<[GroupIndex]>,
    /// Access groups that ask about requests too.
    pub(super) late_groups: Box<[GroupIndex]>,
}

/// Rules about the person.
#[derive(Debug, Clone, Default)]
struct PersonAtoms {
    emails: HashSet<EmailAddress>,
    domains: HashSet<Box<str>>,
    email_lists: Vec<Arc<HashSet<EmailAddress>>>,
    directories: HashMap<IdpId, DirectoryAtoms>,
    providers: HashSet<IdpId>,
    methods: HashSet<Box<str>>,
    contexts: BTreeSet<(IdpId, Box<str>)>,
    /// The values wanted of each claim of a provider.
    claims: HashMap<IdpId, HashMap<Box<str>, HashSet<Box<str>>>>,
    evaluations: BTreeSet<(Box<str>, Box<str>)>,
}

/// Groups of one directory.
#[derive(Debug, Clone, Default)]
struct DirectoryAtoms {
    ids: HashSet<ObjectId>,
    names: HashSet<Box<str>>,
}

impl Atoms {
    /// # Errors
    /// [`Unresolved`] where a rule refers to something that is not there.
    pub(super) fn new<'r>(
        join: Join,
        rules: impl IntoIterator<Item = &'r Selector>,
        referents: &Referents,
    ) -> Result<Self, Unresolved> {
        let mut atoms = Self {
            join,
            everyone: false,
            unevaluated: false,
            person: None,
            request: None,
            groups: Box::default(),
            late_groups: Box::default(),
        };
        let (mut person, mut request) = (PersonAtoms::default(), RequestAtoms::new(join));
        let (mut groups, mut late_groups) = (BTreeSet::new(), BTreeSet::new());
        let (mut about_person, mut about_request) = (false, false);
        for rule in rules {
            match rule {
                Selector::Everyone => atoms.everyone = true,
                Selector::Unevaluated { .. } => atoms.unevaluated = true,
                Selector::Group { id } => {
                    let (index, late) = referents.group(*id)?;
                    if late { &mut late_groups } else { &mut groups }.insert(index);
                }
                rule if request.add(rule, referents)? => about_request = true,
                rule => {
                    person.add(rule, referents)?;
                    about_person = true;
                }
            }
        }
        atoms.person = about_person.then(|| Box::new(person));
        atoms.request = about_request.then(|| Box::new(request.finish()));
        atoms.groups = groups.into_iter().collect();
        atoms.late_groups = late_groups.into_iter().collect();
        Ok(atoms)
    }

    /// What the rules about persons say of one. `group` tells what an access group says.
    pub(super) fn ask_person(
        &self,
        person: &Person<'_>,
        mut group: impl FnMut(GroupIndex) -> Outlook,
    ) -> Outlook {
        let mut answer = Outlook::settled(self.join.empty());
        if self.everyone {
            answer = self.join.two(answer, Outlook::settled(Answer::Yes));
        }
        if self.unevaluated {
            answer = self.join.two(answer, Outlook::UNKNOWN);
        }
        if let Some(atoms) = &self.person {
            let asked = match person.identity {
                Some(identity) => atoms.ask(self.join, person, identity),
                None => Outlook::UNKNOWN,
            };
            answer = self.join.two(answer, asked);
        }
        for &index in &self.groups {
            answer = self.join.two(answer, group(index));
        }
        answer
    }

    /// What the rules about requests say of one.
    pub(super) fn ask_request(&self, facts: &RequestFacts, late: LateGroups<'_>) -> Outlook {
        let mut answer = Outlook::settled(self.join.empty());
        if let Some(request) = &self.request {
            answer = self.join.two(answer, Outlook::settled(request.ask(facts)));
        }
        for &index in &self.late_groups {
            answer = self.join.two(answer, late.of(index));
        }
        answer
    }

    /// Whether requests make a difference.
    pub(super) fn asks_request(&self) -> bool {
        self.request.is_some() || !self.late_groups.is_empty()
    }

    /// The authentication contexts that a person can be asked for, as provider and context.
    pub(super) fn contexts(&self) -> impl Iterator<Item = (IdpId, &str)> {
        let atoms = self.person.iter().flat_map(|atoms| &atoms.contexts);
        atoms.map(|(provider, context)| (*provider, &**context))
    }

    /// The external evaluations, as their addresses and those of their keys.
    pub(super) fn evaluations(&self) -> impl Iterator<Item = (&str, &str)> {
        let atoms = self.person.iter().flat_map(|atoms| &atoms.evaluations);
        atoms.map(|(evaluate, keys)| (&**evaluate, &**keys))
    }
}

impl PersonAtoms {
    fn add(&mut self, rule: &Selector, referents: &Referents) -> Result<(), Unresolved> {
        match rule {
            Selector::Email { email } => {
                self.emails.insert(email.clone());
            }
            Selector::EmailDomain { domain } => {
                self.domains.insert(domain.as_str().into());
            }
            Selector::EmailList { id } => self.email_lists.push(referents.email_list(*id)?),
            Selector::AzureAd {
                id,
                identity_provider_id,
            } => {
                let directory = self.directories.entry(*identity_provider_id).or_default();
                match id {
                    DirectoryGroup::Id(id) => directory.ids.insert(*id),
                    DirectoryGroup::Name(name) => directory.names.insert(name.clone()),
                };
            }
            Selector::AuthContext {
                ac_id,
                identity_provider_id,
            } => {
                let context = (*identity_provider_id, ac_id.as_str().into());
                self.contexts.insert(context);
            }
            Selector::AuthMethod { auth_method } => {
                self.methods.insert(auth_method.as_str().into());
            }
            Selector::LoginMethod { id } => {
                self.providers.insert(*id);
            }
            Selector::Oidc {
                claim_name,
                claim_value,
                identity_provider_id,
            } => {
                let claims = self.claims.entry(*identity_provider_id).or_default();
                let values = claims.entry(claim_name.as_str().into()).or_default();
                values.insert(claim_value.as_str().into());
            }
            Selector::ExternalEvaluation {
                evaluate_url,
                keys_url,
            } => {
                let evaluation = (evaluate_url.as_str().into(), keys_url.as_str().into());
                self.evaluations.insert(evaluation);
            }
            Selector::Everyone
            | Selector::Group { .. }
            | Selector::Ip { .. }
            | Selector::IpList { .. }
            | Selector::Geo { .. }
            | Selector::ServiceToken { .. }
            | Selector::AnyValidServiceToken
            | Selector::Certificate
            | Selector::CommonName { .. }
            | Selector::Unevaluated { .. } => {}
        }
        Ok(())
    }

    fn ask(&self, join: Join, person: &Person<'_>, identity: &Identity) -> Outlook {
        let mut answer = join.empty();
        let mut say = |other| answer = join.answers(answer, other);
        if !self.emails.is_empty() {
            let found = person.email().map(|own| self.emails.contains(own));
            say(found.map_or(Answer::Unknown, |found| join.one_of(self.emails.len(), found)));
        }
        if !self.domains.is_empty() {
            let found = person.email().map(|own| self.domains.contains(own.domain()));
            say(found.map_or(Answer::Unknown, |found| join.one_of(self.domains.len(), found)));
        }
        for list in &self.email_lists {
            say(person
                .email()
                .map_or(Answer::Unknown, |own| list.contains(own).into()));
        }
        if !self.directories.is_empty() {
            say(self.ask_directories(join, person, identity));
        }
        if !self.providers.is_empty() {
            say(join.one_of(self.providers.len(), self.providers.contains(&identity.provider)));
        }
        if !self.methods.is_empty() {
            say(self.ask_methods(join, identity));
        }
        if !self.claims.is_empty() {
            say(self.ask_claims(join, identity));
        }
        let mut outlook = Outlook::settled(answer);
        for (provider, context) in &self.contexts {
            outlook = join.two(outlook, person::context(identity, *provider, context));
        }
        for (evaluate_url, keys_url) in &self.evaluations {
            outlook = join.two(outlook, person::evaluation(identity, evaluate_url, keys_url));
        }
        outlook
    }

    fn ask_directories(&self, join: Join, person: &Person<'_>, identity: &Identity) -> Answer {
        // A group of another directory is certainly not held.
        let Some(wanted) = self.directories.get(&identity.provider) else {
            return Answer::No;
        };
        let mut answer = match join {
            Join::Any if wanted.ids.is_empty() => Answer::No,
            Join::Any => person.holds_any(identity, &wanted.ids),
            Join::All if self.directories.len() > 1 => return Answer::No,
            Join::All => person.holds_all(identity, &wanted.ids),
        };
        for name in &wanted.names {
            answer = join.answers(answer, person.holds_name(name));
        }
        answer
    }

    /// Entra tells methods only where it is asked to, so none is no answer.
    fn ask_methods(&self, join: Join, identity: &Identity) -> Answer {
        if identity.amr.is_empty() {
            return Answer::Unknown;
        }
        match join {
            Join::Any => identity
                .amr
                .iter()
                .any(|method| self.methods.contains(method.as_str()))
                .into(),
            Join::All => {
                let mut wanted = self.methods.iter();
                wanted
                    .all(|wanted| identity.amr.iter().any(|method| **method == **wanted))
                    .into()
            }
        }
    }

    fn ask_claims(&self, join: Join, identity: &Identity) -> Answer {
        // What another provider would have said is certainly not what this one says.
        let Some(claims) = self.claims.get(&identity.provider) else {
            return Answer::No;
        };
        if join == Join::All && self.claims.len() > 1 {
            return Answer::No;
        }
        let answers = claims
            .iter()
            .map(|(name, wanted)| ask_claim(join, name, wanted, identity));
        answers.fold(join.empty(), |one, other| join.answers(one, other))
    }
}

/// The claim that Entra leaves out where a person is in too many groups, instead of cutting it short
/// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference#groups-overage-claim>).
const OVERAGE_CLAIM: &str = "groups";

fn ask_claim(join: Join, name: &str, wanted: &HashSet<Box<str>>, identity: &Identity) -> Answer {
    let claim = identity.claims.get(name).filter(|claim| !claim.is_null());
    let Some(claim) = claim else {
        // The provider may be asked for more claims now than it was when this person signed in.
        let asked = identity.claims_asked.iter().any(|asked| asked == name);
        let absent = asked && name != OVERAGE_CLAIM;
        return if absent { Answer::No } else { Answer::Unknown };
    };
    let texts = texts_of(claim);
    match join {
        Join::Any => texts.iter().any(|text| wanted.contains(text.as_str())).into(),
        Join::All => {
            let mut wanted = wanted.iter();
            wanted
                .all(|wanted| texts.iter().any(|text| **text == **wanted))
                .into()
        }
    }
}
