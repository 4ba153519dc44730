//! All objects of the store in memory, as they stood at one change.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use uuid::Uuid;

use super::documents::{Document, Kind};
use super::row::storable;
use crate::crypto::random;
use crate::model::lines::Lines;

/// An object as it is stored. Its body stays text until somebody reads it: it takes a fraction of the memory.
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its id, unique within its kind.
    pub id: Uuid,
    /// Its name, a label.
    pub name: String,
    /// The secrets, sealed.
    pub secrets: Option<Vec<u8>>,
    /// Whether the configuration file declares it.
    pub declared: bool,
    /// 1 when new, one more with every write.
    pub version: i64,
    /// When it was first written.
    pub created_ms: i64,
    /// When it was last written.
    pub updated_ms: i64,
    /// Differs from that of every other object and of every other state of this one: what was worked out of one holds
    /// for no other.
    pub serial: u64,
    body: Box<str>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Object {
    /// An object whose body is this text.
    pub(super) fn new(document: Document, body: Box<str>) -> Self {
        Self {
            kind: document.kind,
            id: document.id,
            name: document.name,
            secrets: document.secrets,
            declared: document.declared,
            version: document.version,
            created_ms: document.created_ms,
            updated_ms: document.updated_ms,
            serial: serial(),
            body,
        }
    }

    /// The object with its body read.
    pub fn document(&self) -> Document {
        Document {
            kind: self.kind,
            id: self.id,
            name: self.name.clone(),
            body: self.body(),
            secrets: self.secrets.clone(),
            declared: self.declared,
            version: self.version,
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
        }
    }

    /// The body, as it was accepted.
    pub fn body(&self) -> Value {
        // It was read when it was taken in, so it can be read.
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn place(&self) -> (i64, Uuid) {
        (self.created_ms, self.id)
    }
}

/// Which objects of a kind are asked for; the default asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Those of exactly this name.
    pub name: Option<String>,
    /// Those whose name contains this, in whatever case of the letters A to Z.
    pub search: Option<String>,
}

/// What became of an object between two states.
#[derive(Debug)]
pub struct Difference<'o> {
    /// How it was; `None` where it is new.
    pub was: Option<&'o Arc<Object>>,
    /// How it is; `None` where it is gone.
    pub is: Option<&'o Arc<Object>>,
}

/// All objects at one change. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    kinds: BTreeMap<Kind, Arc<OfKind>>,
}

/// The objects of one kind.
#[derive(Debug, Clone, Default)]
struct OfKind {
    /// Oldest first.
    ordered: Vec<Arc<Object>>,
    by_id: HashMap<Uuid, Arc<Object>>,
    /// Differs from that of every other state.
    serial: u64,
    /// Their names, in small letters.
    names: OnceLock<Arc<Lines>>,
}

impl Objects {
    /// Objects that are in no store.
    pub fn of(documents: impl IntoIterator<Item = Document>) -> Self {
        let mut objects = Self::default();
        for document in documents {
            let body = document.body.to_string().into_boxed_str();
            objects.take_in(Arc::new(Object::new(document, body)));
        }
        objects.in_order()
    }

    /// These with one in another state, or with one more.
    #[cfg(test)]
    pub(crate) fn with(&self, document: Document) -> Self {
        let mut with = self.clone();
        let (kind, id) = (document.kind, document.id);
        let body = document.body.to_string().into_boxed_str();
        with.put(kind, id, Some(Arc::new(Object::new(document, body))));
        with
    }

    /// These without one of them.
    #[cfg(test)]
    pub(crate) fn without(&self, kind: Kind, id: Uuid) -> Self {
        let mut without = self.clone();
        without.put(kind, id, None);
        without
    }

    /// Takes in an object that is not among them; [`Objects::in_order`] must follow.
    pub(super) fn take_in(&mut self, object: Arc<Object>) {
        let of_kind = Arc::make_mut(self.kinds.entry(object.kind).or_default());
        of_kind.by_id.insert(object.id, Arc::clone(&object));
        of_kind.ordered.push(object);
    }

    /// All of them, each kind oldest first.
    pub(super) fn in_order(mut self) -> Self {
        for of_kind in self.kinds.values_mut() {
            let of_kind = Arc::make_mut(of_kind);
            of_kind.ordered.sort_by_key(|object| object.place());
            of_kind.serial = serial();
        }
        self
    }

    /// The objects of a kind, oldest first.
    pub fn of_kind(&self, kind: Kind) -> &[Arc<Object>] {
        self.kinds.get(&kind).map_or(&[], |of_kind| &of_kind.ordered)
    }

    /// All objects, by kind.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.kinds.values().flat_map(|of_kind| &of_kind.ordered)
    }

    /// One object.
    pub fn get(&self, kind: Kind, id: Uuid) -> Option<&Arc<Object>> {
        self.kinds.get(&kind)?.by_id.get(&id)
    }

    /// A page of the objects of a kind, oldest first, and how many there are on all pages.
    pub fn page(
        &self,
        kind: Kind,
        filter: &ObjectFilter,
        (limit, offset): (u32, u64),
    ) -> (Vec<&Arc<Object>>, u64) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(of_kind) = self.kinds.get(&kind) else {
            return (Vec::new(), 0);
        };
        if *filter == ObjectFilter::default() {
            let page = of_kind.ordered.iter().skip(offset).take(limit);
            return (page.collect(), count(of_kind.ordered.len()));
        }
        let found = of_kind.found(filter);
        let page = found.iter().skip(offset).take(limit);
        let page = page.filter_map(|index| of_kind.ordered.get(*index));
        (page.collect(), count(found.len()))
    }

    /// What differs between any two states of the objects of a kind.
    pub fn serial(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).map_or(0, |of_kind| of_kind.serial)
    }

    /// Whether the objects of a kind are those of another state, none written since.
    pub fn same(&self, kind: Kind, other: &Self) -> bool {
        match (self.kinds.get(&kind), other.kinds.get(&kind)) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }

    /// What became of the objects of a kind since another state. One that was deleted and made anew is gone and new.
    pub fn since<'o>(&'o self, before: &'o Self, kind: Kind) -> Vec<Difference<'o>> {
        let (mut now, mut then) = (self.of_kind(kind), before.of_kind(kind));
        let mut since = Vec::new();
        loop {
            let untouched = now.iter().zip(then).take_while(|(is, was)| Arc::ptr_eq(is, was));
            let untouched = untouched.count();
            now = now.get(untouched..).unwrap_or_default();
            then = then.get(untouched..).unwrap_or_default();
            let (is, was) = match (now.first(), then.first()) {
                (None, None) => return since,
                (Some(is), Some(was)) => match is.place().cmp(&was.place()) {
                    Ordering::Equal => (Some(is), Some(was)),
                    Ordering::Less => (Some(is), None),
                    Ordering::Greater => (None, Some(was)),
                },
                one => one,
            };
            now = now.get(usize::from(is.is_some())..).unwrap_or_default();
            then = then.get(usize::from(was.is_some())..).unwrap_or_default();
            since.push(Difference { was, is });
        }
    }

    /// These objects with one of them as it is now; gone, where there is none.
    pub(super) fn put(&mut self, kind: Kind, id: Uuid, object: Option<Arc<Object>>) {
        Arc::make_mut(self.kinds.entry(kind).or_default()).put(id, object);
    }
}

impl OfKind {
    fn put(&mut self, id: Uuid, object: Option<Arc<Object>>) {
        self.names = OnceLock::new();
        self.serial = serial();
        let search =
            |ordered: &[Arc<Object>], place| ordered.binary_search_by_key(&place, |known| known.place());
        if let Some(was) = self.by_id.remove(&id)
            && let Ok(index) = search(&self.ordered, was.place())
        {
            self.ordered.remove(index);
        }
        if let Some(object) = object {
            let (Ok(index) | Err(index)) = search(&self.ordered, object.place());
            self.ordered.insert(index, Arc::clone(&object));
            self.by_id.insert(id, object);
        }
    }

    /// The places of those that a filter keeps.
    fn found(&self, filter: &ObjectFilter) -> Vec<usize> {
        let folded = |object: &Arc<Object>| object.name.to_ascii_lowercase();
        let names = || Arc::new(Lines::of(self.ordered.iter().map(folded)));
        let names = self.names.get_or_init(names);
        let is_called = |index: &usize, name: &str| {
            let object = self.ordered.get(*index);
            object.is_some_and(|object| object.name == name)
        };
        let name = filter.name.as_deref().map(storable);
        let search = filter
            .search
            .as_deref()
            .map(|part| storable(part).to_ascii_lowercase());
        match (name, search) {
            (None, search) => names.containing(&search.unwrap_or_default()),
            (Some(name), search) => {
                let mut found = names.equal_to(&name.to_ascii_lowercase());
                found.retain(|index| is_called(index, &name));
                if let Some(search) = search {
                    let search = names.containing(&search);
                    found.retain(|index| search.binary_search(index).is_ok());
                }
                found
            }
        }
    }
}

fn serial() -> u64 {
    u64::from_ne_bytes(random::bytes())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(names: &[&str]) -> Objects {
        Objects::of(names.iter().enumerate().map(|(number, name)| {
            let id = Uuid::from_u128(u128::try_from(number).unwrap());
            Document::new(Kind::Tag, id, (*name).to_owned(), Value::Null)
        }))
    }

    fn shown(objects: &Objects, filter: &ObjectFilter) -> (Vec<String>, u64) {
        let (page, total) = objects.page(Kind::Tag, filter, (2, 0));
        (page.iter().map(|object| object.name.clone()).collect(), total)
    }

    #[test]
    fn a_filter_by_name_is_exact_and_a_search_is_not() {
        let all = objects(&["a", "a", "A", "aa", "Zoë", "a_b", "%"]);
        let named = |name: &str| ObjectFilter {
            name: Some(name.to_owned()),
            search: None,
        };
        let holding = |part: &str| ObjectFilter {
            name: None,
            search: Some(part.to_owned()),
        };
        let of = |names: &[&str], total| (names.iter().map(|name| (*name).to_owned()).collect(), total);
        assert_eq!(shown(&all, &named("a")), of(&["a", "a"], 2));
        assert_eq!(shown(&all, &named("A")), of(&["A"], 1));
        assert_eq!(shown(&all, &named("b")), of(&[], 0));
        assert_eq!(shown(&all, &holding("A")), of(&["a", "a"], 5));
        assert_eq!(shown(&all, &holding("AA")), of(&["aa"], 1));
        assert_eq!(shown(&all, &holding("zoë")), of(&["Zoë"], 1));
        assert_eq!(shown(&all, &holding("zoË")), of(&[], 0));
        assert_eq!(shown(&all, &holding("_")), of(&["a_b"], 1));
        assert_eq!(shown(&all, &holding("%")), of(&["%"], 1));
        assert_eq!(shown(&all, &holding("a\0a")), of(&[], 0));
        let both = ObjectFilter {
            name: Some("a".to_owned()),
            search: Some("b".to_owned()),
        };
        assert_eq!(shown(&all, &both), of(&[], 0));
    }

    #[test]
    fn what_was_written_since_another_state_is_known() {
        let before = objects(&["one", "two", "three"]);
        let mut after = before.clone();
        assert!(after.since(&before, Kind::Tag).is_empty() && after.same(Kind::Tag, &before));
        let changed = Uuid::from_u128(1);
        let object = Arc::new(Object::new(
            Document {
                name: "zwei".to_owned(),
                ..before.get(Kind::Tag, changed).unwrap().document()
            },
            "{}".into(),
        ));
        after.put(Kind::Tag, changed, Some(object));
        after.put(Kind::Tag, Uuid::from_u128(2), None);
        let names: Vec<&str> = after
            .of_kind(Kind::Tag)
            .iter()
            .map(|object| object.name.as_str())
            .collect();
        assert_eq!(names, ["one", "zwei"]);
        let since: Vec<_> = after
            .since(&before, Kind::Tag)
            .into_iter()
            .map(|one| {
                (
                    one.was.map(|was| was.name.as_str()),
                    one.is.map(|is| is.name.as_str()),
                )
            })
            .collect();
        assert_eq!(since, [(Some("two"), Some("zwei")), (Some("three"), None)]);
        assert_eq!(before.of_kind(Kind::Tag).len(), 3);
    }
}
