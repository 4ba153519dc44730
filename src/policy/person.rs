//! One person, as rules ask about them.

use std::cell::{Cell, OnceCell};

use hashbrown::HashSet;
use serde_json::Value;

use crate::model::email::EmailAddress;
use crate::model::identity::{Evaluation, Identity};
use crate::model::ids::{IdpId, ObjectId};

use super::answer::{Answer, Outlook};

/// The person that many rules are asked about, or nobody. Without an identity rules about the person are unknown.
pub(super) struct Person<'p> {
    pub(super) identity: Option<&'p Identity>,
    /// How often the list of groups has been walked.
    walks: Cell<u32>,
    held: OnceCell<HashSet<ObjectId>>,
    names: OnceCell<Names<'p>>,
}

/// The names of the groups that a person holds.
struct Names<'p> {
    held: HashSet<&'p str>,
    /// Whether every group's name is known.
    complete: bool,
}

/// A few questions are answered by walking the list of groups; for more it is worth an index.
const WALKS: u32 = 4;

impl<'p> Person<'p> {
    pub(super) fn new(identity: Option<&'p Identity>) -> Self {
        Self {
            identity,
            walks: Cell::new(0),
            held: OnceCell::new(),
            names: OnceCell::new(),
        }
    }

    /// The address, where rules may rely on it.
    pub(super) fn email(&self) -> Option<&'p EmailAddress> {
        self.identity.and_then(Identity::trusted_email)
    }

    /// Whether one of these groups of the person's own directory is held.
    pub(super) fn holds_any(&self, identity: &Identity, wanted: &HashSet<ObjectId>) -> Answer {
        let held = identity.groups.held();
        let walk = held.len() <= wanted.len() || !self.is_worth_an_index();
        let found = if walk {
            held.iter().any(|group| wanted.contains(&group.id))
        } else {
            wanted.iter().any(|id| self.held(identity).contains(id))
        };
        found_among(found, identity.groups.complete())
    }

    /// Whether every one of these groups of the person's own directory is held.
    pub(super) fn holds_all(&self, identity: &Identity, wanted: &HashSet<ObjectId>) -> Answer {
        let found = wanted.iter().all(|id| self.held(identity).contains(id));
        found_among(found, identity.groups.complete())
    }

    /// Whether a group of this name is held.
    pub(super) fn holds_name(&self, name: &str) -> Answer {
        let Some(identity) = self.identity else {
            return Answer::Unknown;
        };
        let names = self.names.get_or_init(|| {
            let held = identity.groups.held();
            Names {
                held: held.iter().filter_map(|group| group.name.as_deref()).collect(),
                complete: identity.groups.complete() && held.iter().all(|group| group.name.is_some()),
            }
        });
        found_among(names.held.contains(name), names.complete)
    }

    fn is_worth_an_index(&self) -> bool {
        let walks = self.walks.get();
        self.walks.set(walks.saturating_add(1));
        walks >= WALKS
    }

    fn held(&self, identity: &Identity) -> &HashSet<ObjectId> {
        let index = || identity.groups.held().iter().map(|group| group.id).collect();
        self.held.get_or_init(index)
    }
}

/// What was not found is certainly not there only where the list is complete.
fn found_among(found: bool, complete: bool) -> Answer {
    match (found, complete) {
        (true, _) => Answer::Yes,
        (false, true) => Answer::No,
        (false, false) => Answer::Unknown,
    }
}

/// Whether the person has satisfied an authentication context. Entra can be asked for one that is not there.
pub(super) fn context(identity: &Identity, provider: IdpId, context: &str) -> Outlook {
    if identity.provider != provider {
        return Outlook::settled(Answer::No);
    }
    if identity.contexts.iter().any(|satisfied| satisfied == context) {
        return Outlook::settled(Answer::Yes);
    }
    let now = if identity.contexts_asked {
        Answer::No
    } else {
        Answer::Unknown
    };
    Outlook {
        worst: now,
        now,
        best: Answer::Yes,
    }
}

/// What an external evaluation said of the person. One that has not been asked can be, and one that gave no verdict can
/// be asked once more.
pub(super) fn evaluation(identity: &Identity, evaluate_url: &str, keys_url: &str) -> Outlook {
    let same = |known: &&Evaluation| known.evaluate_url == evaluate_url && known.keys_url == keys_url;
    // The last word counts.
    let last = identity.evaluations.iter().rfind(same);
    match last.and_then(|known| known.success) {
        Some(success) => Outlook::settled(Answer::from(success)),
        None => Outlook {
            worst: Answer::No,
            now: Answer::Unknown,
            best: Answer::Yes,
        },
    }
}

/// The texts that a claim is, or holds.
pub(super) fn texts_of(claim: &Value) -> Vec<String> {
    match claim {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Array(items) => items
            .iter()
            .filter(|item| !item.is_array())
            .flat_map(texts_of)
            .collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}
