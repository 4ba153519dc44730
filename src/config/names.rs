//! References among objects: by name, by id, or left out where there is only one.

use uuid::Uuid;

use super::declared::{DeclaredId, DeclaredKind, ObjectKey};
use super::suggest::closest;
use super::tree::{Node, Table};
use crate::model::ids::AppId;

/// The objects of one kind that a file declares, by name.
pub(super) struct Names {
    kind: DeclaredKind,
    /// How the kind is called in messages.
    word: &'static str,
    entries: Vec<(String, ObjectKey)>,
}

impl Names {
    pub(super) fn new(kind: DeclaredKind, word: &'static str) -> Self {
        Self {
            kind,
            word,
            entries: Vec::new(),
        }
    }

    /// What an object declared in this table is called: by its `id`, else by its name. A name or an id that is
    /// taken is a fault.
    pub(super) fn enter(&mut self, table: &Table<'_>, name: &str) -> Option<ObjectKey> {
        let written = table.node("id").map(|node| (uuid(&node), node));
        let id = match &written {
            Some((id, _)) => DeclaredId::Written((*id)?),
            None => DeclaredId::Derived(name.to_owned()),
        };
        let key = ObjectKey { kind: self.kind, id };
        if let Some(node) = table.node("name")
            && self.entries.iter().any(|(taken, _)| taken == name)
        {
            node.fault(
                format!("another {} is called \"{name}\"", self.word),
                "give each its own name",
            );
        }
        if let Some((_, node)) = written
            && self.entries.iter().any(|(_, taken)| *taken == key)
        {
            node.fault(
                format!("another {} has this id", self.word),
                "give each its own id",
            );
        }
        self.entries.push((name.to_owned(), key.clone()));
        Some(key)
    }

    /// Takes note of an object that no name leads to, such as a policy inside an application. A written id that is
    /// taken is a fault.
    pub(super) fn enter_nameless(&mut self, node: &Node<'_>, key: &ObjectKey) {
        let written = matches!(key.id, DeclaredId::Written(_));
        if written && self.entries.iter().any(|(_, taken)| taken == key) {
            node.fault(
                format!("another {} has this id", self.word),
                "give each its own id",
            );
        }
        // No name is empty.
        self.entries.push((String::new(), key.clone()));
    }

    /// The object that a text means: by name, or by an id, which may also be of an object that only the store has.
    pub(super) fn find(&self, node: &Node<'_>) -> Option<ObjectKey> {
        let text = node.text()?;
        let mut matching = self.entries.iter().filter(|(name, _)| name == text);
        match (matching.next(), matching.next()) {
            (Some((_, key)), None) => return Some(key.clone()),
            (Some(_), Some(_)) => return None, // The double name itself has been told.
            (None, _) => {}
        }
        if let Ok(id) = text.parse::<AppId>() {
            return Some(ObjectKey {
                kind: self.kind,
                id: DeclaredId::Written(id.0),
            });
        }
        let names = self
            .entries
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !name.is_empty());
        let mend = match closest(text, names.clone()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None if names.clone().next().is_none() => format!("declare it, or write the {}'s id", self.word),
            None => format!("declared are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        node.fault(format!("no {} is called \"{text}\"", self.word), mend);
        None
    }

    /// The only object, where a reference was left out.
    pub(super) fn only(&self, place: &Node<'_>, key: &str) -> Option<ObjectKey> {
        match self.entries.as_slice() {
            [(_, key)] => Some(key.clone()),
            [] => {
                place.fault(
                    format!("no {} is declared", self.word),
                    format!("declare one, or write {key} = \"its id\""),
                );
                None
            }
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                place.fault(
                    format!("which {} is meant? There are {}", self.word, names.len()),
                    format!("write {key} = one of: {}", names.join(", ")),
                );
                None
            }
        }
    }
}

/// A UUID in its hyphenated form.
pub(super) fn uuid(node: &Node<'_>) -> Option<Uuid> {
    let text = node.text()?;
    let id = text.parse::<AppId>().ok().map(|id| id.0);
    if id.is_none() {
        node.fault(
            format!("\"{text}\" is no UUID"),
            "write one such as 7335d417-61da-459d-899c-0a01c76a2f94",
        );
    }
    id
}
