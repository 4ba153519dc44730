//! `[[groups]]`: access groups, rules under a name that policies and other groups refer to.

use serde_json::{Value, json};

use super::declared::{Declaration, ObjectKey};
use super::names::Names;
use super::rules::{Place, Rules, Scope};
use super::tree::{Keys, Node, Table};

pub(super) const KEYS: Keys = Keys {
    known: &["id", "name", "include", "require", "exclude", "is_default"],
    refused: &[],
};

/// A group whose name is known and whose rules have not been read. Groups may refer to ones that stand below them.
pub(super) struct Heading<'t> {
    node: Node<'t>,
    table: Table<'t>,
    name: &'t str,
    key: ObjectKey,
}

/// An access group that was read.
pub(super) struct DeclaredGroup<'t> {
    pub(super) declaration: Declaration,
    node: Node<'t>,
    /// What its own rules ask.
    asks: Asks,
}

/// What rules ask that has no place in every policy.
#[derive(Debug, Clone, Copy, Default)]
struct Asks {
    /// Who somebody is.
    identity: bool,
    /// The token of another application.
    linked_app: bool,
}

/// The access groups that ask such, by themselves or through others.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Those that ask who somebody is.
    pub(super) identity: Vec<ObjectKey>,
    /// Those that ask for the token of another application.
    pub(super) linked_app: Vec<ObjectKey>,
}

pub(super) fn heading<'t>(node: &Node<'t>, names: &mut Names) -> Option<Heading<'t>> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"employees\"")
        .and_then(|node| node.name())?;
    Some(Heading {
        node: node.clone(),
        key: names.enter(&table, name)?,
        table,
        name,
    })
}

pub(super) fn read<'t>(heading: Heading<'t>, scope: &Scope<'_>) -> Option<DeclaredGroup<'t>> {
    let Heading {
        node,
        table,
        name,
        key,
    } = heading;
    let rules = Rules::of(&table, scope, Place::Anywhere);
    let is_default = table.node("is_default").map(|node| node.boolean());
    let mut body = json!({ "name": name });
    if let Value::Object(body) = &mut body {
        let mut lists = rules.body;
        body.append(&mut lists);
        if let Some(is_default) = is_default {
            body.insert("is_default".to_owned(), is_default?.into());
        }
    }
    let declaration = Declaration {
        key,
        name: name.to_owned(),
        body,
        secrets: std::collections::BTreeMap::new(),
        references: rules.references,
        line: node.line(),
    };
    rules.complete.then_some(DeclaredGroup {
        declaration,
        node,
        asks: Asks {
            identity: rules.asks_identity,
            linked_app: rules.links_app,
        },
    })
}

/// Tells circles of groups, and what groups ask, by themselves or through others.
pub(super) fn asking(groups: &[DeclaredGroup<'_>]) -> Asking {
    let place = |key: &ObjectKey| groups.iter().position(|group| group.declaration.key == *key);
    let inside = |group: &DeclaredGroup<'_>| -> Vec<usize> {
        let references = group.declaration.references.iter();
        references.filter_map(|(_, key)| place(key)).collect()
    };
    let inside: Vec<Vec<usize>> = groups.iter().map(inside).collect();
    let of = |index: usize| inside.get(index).map(Vec::as_slice).unwrap_or_default();
    let mut settled = vec![false; groups.len()];
    let mut asks: Vec<Asks> = groups.iter().map(|group| group.asks).collect();
    let is = |flags: &[bool], index: usize| flags.get(index).copied().unwrap_or_default();
    while settled.contains(&false) {
        let ready = (0..groups.len())
            .filter(|index| !is(&settled, *index) && of(*index).iter().all(|inside| is(&settled, *inside)));
        let ready: Vec<usize> = ready.collect();
        for &index in &ready {
            let inside: Vec<Asks> = of(index)
                .iter()
                .filter_map(|inside| asks.get(*inside).copied())
                .collect();
            if let (Some(asks), Some(settled)) = (asks.get_mut(index), settled.get_mut(index)) {
                asks.identity |= inside.iter().any(|inside| inside.identity);
                asks.linked_app |= inside.iter().any(|inside| inside.linked_app);
                *settled = true;
            }
        }
        if ready.is_empty() {
            for index in circle(&settled, of) {
                if let Some(settled) = settled.get_mut(index) {
                    *settled = true;
                }
                if let Some(group) = groups.get(index) {
                    group.node.fault(
                        "this access group refers to itself, directly or through others",
                        "take it out of one of the groups in the circle",
                    );
                }
            }
        }
    }
    let those = |which: fn(&Asks) -> bool| {
        let those = groups.iter().zip(&asks).filter(|(_, asks)| which(asks));
        those.map(|(group, _)| group.declaration.key.clone()).collect()
    };
    Asking {
        identity: those(|asks| asks.identity),
        linked_app: those(|asks| asks.linked_app),
    }
}

/// A circle among groups that are not settled, each of which refers to another such.
fn circle<'i>(settled: &[bool], inside: impl Fn(usize) -> &'i [usize]) -> Vec<usize> {
    let open = |index: usize| settled.get(index) == Some(&false);
    let mut way: Vec<usize> = Vec::new();
    let mut next = (0..settled.len()).find(|index| open(*index));
    while let Some(index) = next {
        if let Some(start) = way.iter().position(|on| *on == index) {
            return way.split_off(start);
        }
        way.push(index);
        next = inside(index).iter().copied().find(|inside| open(*inside));
    }
    way
}
