//! `[refusals]`: what people are told who are refused.

use super::tree::{Keys, Node};
use crate::model::refusals::{Refusals, RequirementKind, Told};

pub(super) const KEYS: Keys = Keys {
    known: &["tell", "words"],
    refused: &[],
};
const TELL: &[(&str, Told)] = &[
    ("nothing", Told::Nothing),
    ("kinds", Told::Kinds),
    ("names", Told::Names),
];

/// The longest sentence of an operator, in characters: it stands in a list.
const LONGEST: usize = 300;

pub(super) fn read(node: &Node<'_>) -> Option<Refusals> {
    let table = node.table(&KEYS)?;
    let told = table
        .node("tell")
        .map_or(Some(Told::default()), |node| node.one_of(TELL));
    let mut refusals = Refusals {
        told: told?,
        ..Refusals::default()
    };
    let Some(words) = table.node("words") else {
        return Some(refusals);
    };
    let mut whole = true;
    for (key, node) in words.any_table()?.nodes() {
        let Ok(kind) = key.parse::<RequirementKind>() else {
            let known: Vec<&str> = RequirementKind::ALL.iter().map(|kind| kind.as_str()).collect();
            node.fault(
                format!("there is no kind of requirement called {key}"),
                format!("write one of {}", known.join(", ")),
            );
            whole = false;
            continue;
        };
        match node.text() {
            Some(text) if text.chars().count() <= LONGEST && !text.chars().any(char::is_control) => {
                refusals.words.insert(kind, text.to_owned());
            }
            Some(_) => {
                node.fault(
                    "the sentence is too long, or has line breaks",
                    "300 characters of one line are taken",
                );
                whole = false;
            }
            None => whole = false,
        }
    }
    whole.then_some(refusals)
}
