//! The objects that a change is held against, and what of them it may clash with.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use uuid::Uuid;

use super::ManageError;
use super::claims::{Claims, of};
use crate::model::ids::{GroupId, ListId};
use crate::policy::Referents;
use crate::snapshot::read;
use crate::store::{Document, Kind, Object, ObjectWrite, Objects, StoreError};

/// The objects of the store, the organization's aside: it is no object among others.
#[derive(Debug, Clone)]
pub(super) struct Stored(pub(super) Objects);

impl Stored {
    /// As they stand before a write.
    pub(super) async fn before(write: &mut ObjectWrite) -> Result<Self, StoreError> {
        Ok(Self(write.objects().await?))
    }

    pub(super) fn get(&self, kind: Kind, id: Uuid) -> Option<Document> {
        self.0.get(kind, id).map(|object| object.document())
    }

    /// An object that is there.
    ///
    /// # Errors
    /// [`ManageError::NotFound`].
    pub(super) fn held(&self, kind: Kind, id: Uuid) -> Result<Document, ManageError> {
        self.get(kind, id).ok_or(ManageError::NotFound { kind, id })
    }

    /// An object that is there to be changed. A declared one is its file's.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Declared`].
    pub(super) fn changeable(&self, kind: Kind, id: Uuid) -> Result<Document, ManageError> {
        let document = self.held(kind, id)?;
        if document.declared {
            return Err(ManageError::Declared {
                kind,
                name: document.name,
            });
        }
        Ok(document)
    }

    pub(super) fn contains(&self, kind: Kind, id: Uuid) -> bool {
        self.0.get(kind, id).is_some()
    }

    pub(super) fn of_kind(&self, kind: Kind) -> &[Arc<Object>] {
        self.0.of_kind(kind)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.0.all().filter(|object| object.kind != Kind::Organization)
    }
}

/// What of the stored objects others refer to or clash with, by what they ask for. It follows from the objects alone;
/// it is kept from one write to the next, and taken up to the state that is asked about by what differs.
#[derive(Debug, Default)]
pub(super) struct Index {
    objects: Objects,
    users: HashMap<Uuid, BTreeSet<(Kind, Uuid)>>,
    /// What they have for themselves.
    pub(super) claims: Claims,
    /// The applications with a tag.
    tags: HashMap<String, BTreeSet<Uuid>>,
    /// The tags that there are.
    made_tags: HashSet<String>,
    referents: Arc<Referents>,
}

/// An index that several writers use, one at a time.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedIndex(Arc<Mutex<Index>>);

impl SharedIndex {
    /// The index of these objects.
    pub(super) fn of(&self, stored: &Stored) -> MutexGuard<'_, Index> {
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        index.go_to(&stored.0);
        index
    }
}

impl Index {
    fn go_to(&mut self, objects: &Objects) {
        let before = std::mem::replace(&mut self.objects, objects.clone());
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Organization) {
            let since = objects.since(&before, kind);
            // What is gone may be there anew.
            since
                .iter()
                .filter_map(|one| one.was)
                .for_each(|was| self.note(was, false));
            since
                .iter()
                .filter_map(|one| one.is)
                .for_each(|is| self.note(is, true));
        }
        let same = |kind| objects.same(kind, &before);
        if !(same(Kind::Group) && same(Kind::List)) {
            let documents = [Kind::Group, Kind::List].map(|kind| objects.of_kind(kind));
            let documents: Vec<Document> = documents
                .into_iter()
                .flatten()
                .map(|object| object.document())
                .collect();
            self.referents = Arc::new(referents(documents.iter()));
        }
    }

    /// Enters an object or takes it out.
    fn note(&mut self, object: &Object, there: bool) {
        let body = object.body();
        let mut mentioned = BTreeSet::new();
        mentions(&body, &mut mentioned);
        for id in mentioned.into_iter().filter(|id| *id != object.id) {
            enter(&mut self.users, id, (object.kind, object.id), there);
        }
        if object.kind == Kind::Application {
            let tags = body.get("tags").and_then(Value::as_array);
            for tag in tags.into_iter().flatten().filter_map(Value::as_str) {
                enter(&mut self.tags, tag.to_owned(), object.id, there);
            }
        }
        if object.kind == Kind::Tag {
            if there {
                self.made_tags.insert(object.name.clone());
            } else {
                self.made_tags.remove(&object.name);
            }
        }
        self.claims
            .note(of(object.kind, object.id, &object.name), &body, there);
    }

    /// The objects that refer to one: they have its id somewhere in them.
    pub(super) fn users_of(&self, id: Uuid) -> impl Iterator<Item = &Arc<Object>> {
        let users = self.users.get(&id).into_iter().flatten();
        users.filter_map(|(kind, id)| self.objects.get(*kind, *id))
    }

    /// The applications with a tag.
    pub(super) fn tagged(&self, tag: &str) -> impl Iterator<Item = &Arc<Object>> {
        let tagged = self.tags.get(tag).into_iter().flatten();
        tagged.filter_map(|id| self.objects.get(Kind::Application, *id))
    }

    /// Whether there is a tag, whoever has it.
    pub(super) fn has_tag(&self, tag: &str) -> bool {
        self.made_tags.contains(tag)
    }

    /// The objects that refer to one, those that refer to them, and so on: a policy asks what a group inside a group asks.
    pub(super) fn resting_on(&self, id: Uuid) -> Vec<Arc<Object>> {
        let (mut found, mut reached) = (BTreeMap::new(), vec![id]);
        while let Some(next) = reached.pop() {
            for user in self.users_of(next).filter(|user| user.id != id) {
                if found.insert((user.kind, user.id), Arc::clone(user)).is_none() {
                    reached.push(user.id);
                }
            }
        }
        found.into_values().collect()
    }

    /// All access groups and lists.
    pub(super) fn referents(&self) -> Arc<Referents> {
        Arc::clone(&self.referents)
    }
}

/// Enters a user of something, or takes it out.
fn enter<T: Eq + Hash, U: Ord>(users: &mut HashMap<T, BTreeSet<U>>, of: T, user: U, there: bool) {
    if there {
        users.entry(of).or_default().insert(user);
    } else if let Some(known) = users.get_mut(&of) {
        known.remove(&user);
        if known.is_empty() {
            users.remove(&of);
        }
    }
}

/// Reads access groups and lists. What cannot be read is told of where it is written, and is not there for others.
pub(super) fn referents<'d>(documents: impl Iterator<Item = &'d Document>) -> Referents {
    let (mut groups, mut lists) = (Vec::new(), Vec::new());
    for document in documents {
        match document.kind {
            Kind::Group => groups.extend(read::group(GroupId(document.id), &document.body)),
            Kind::List => lists.extend(read::list(ListId(document.id), &document.body)),
            _ => {}
        }
    }
    Referents::new(groups, lists)
}

/// The ids that stand anywhere in a value.
fn mentions(value: &Value, found: &mut BTreeSet<Uuid>) {
    match value {
        Value::String(text) if text.len() == HYPHENATED => found.extend(Uuid::try_parse(text)),
        Value::Array(items) => items.iter().for_each(|item| mentions(item, found)),
        Value::Object(map) => map.values().for_each(|below| mentions(below, found)),
        _ => {}
    }
}

/// The length of an id as it is written.
const HYPHENATED: usize = uuid::fmt::Hyphenated::LENGTH;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::claims::Keys;
    use super::*;

    const POLICY: Uuid = Uuid::from_u128(7);

    fn application(number: u128, body: Value) -> Document {
        Document::new(
            Kind::Application,
            Uuid::from_u128(100 + number),
            format!("application {number}"),
            body,
        )
    }

    #[test]
    fn what_refers_to_an_object_is_found_wherever_it_names_it() {
        let found = |value: Value| {
            let mut found = BTreeSet::new();
            mentions(&value, &mut found);
            found.contains(&POLICY)
        };
        let rule = json!({ "service_token": { "token_id": POLICY.to_string() } });
        let policy = json!({ "include": [{ "everyone": {} }], "exclude": [rule] });
        assert!(found(policy.clone()));
        assert!(found(json!({ "policies": [policy] })));
        assert!(found(json!({ "policies": [POLICY.to_string().to_uppercase()] })));
        assert!(!found(json!({ "policies": [Uuid::from_u128(8).to_string()] })));
    }

    #[test]
    fn an_index_follows_the_objects_back_and_forth() {
        let body = |name: &str, domain: &str, policies: &[Uuid]| {
            json!({
                "name": name, "type": "self_hosted", "domain": domain, "policies": policies,
                "aud": "0".repeat(64),
            })
        };
        let first = Stored(Objects::of([
            application(1, body("one", "one.test", &[POLICY])),
            application(2, json!({ "name": "broken" })),
        ]));
        let second = Stored(Objects::of([application(1, body("one", "uno.test", &[]))]));
        let shared = SharedIndex::default();
        let seen = |stored: &Stored| {
            let index = shared.of(stored);
            let with = |address: &str| {
                let address = address.parse().unwrap();
                index.claims.addresses.of(&address, &Keys::new()).is_some()
            };
            (index.users_of(POLICY).count(), with("one.test"), with("uno.test"))
        };
        assert_eq!(seen(&first), (1, true, false));
        assert_eq!(seen(&second), (0, false, true));
        assert_eq!(seen(&first), (1, true, false));
        let index = shared.of(&first);
        let own = Keys::from([(Kind::Application, Uuid::from_u128(101))]);
        let address = "one.test".parse().unwrap();
        assert!(index.claims.addresses.of(&address, &own).is_none());
        let aud = "0".repeat(64).parse().unwrap();
        assert_eq!(
            index.claims.audiences.of(&aud, &Keys::new()),
            Some("application 1")
        );
    }
}
