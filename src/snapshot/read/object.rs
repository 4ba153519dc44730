//! Reading JSON objects key by key, gathering every problem instead of stopping at the first.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::model::pointer;
/// What is wrong with an object, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place, as a JSON pointer (RFC 6901); empty for the object itself.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(f, "{place}: {}", self.reason)
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(super) fn add(&self, pointer: impl Into<String>, reason: impl Into<String>) {
        self.0.borrow_mut().push(Problem {
            pointer: pointer.into(),
            reason: reason.into(),
        });
    }

    pub(super) fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }

    /// The value, unless problems were found.
    pub(super) fn or_value<T>(self, value: Option<T>) -> Result<T, Vec<Problem>> {
        let problems = self.into_inner();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(problems),
        }
    }
}

/// A JSON object, its place, and where problems with it go.
#[derive(Debug, Clone)]
pub(super) struct Object<'v> {
    map: &'v Map<String, Value>,
    pointer: String,
    problems: &'v Problems,
}

impl<'v> Object<'v> {
    pub(super) fn new(value: &'v Value, pointer: impl Into<String>, problems: &'v Problems) -> Option<Self> {
        let pointer = pointer.into();
        let Value::Object(map) = value else {
            problems.add(pointer, "an object is needed");
            return None;
        };
        Some(Self {
            map,
            pointer,
            problems,
        })
    }

    /// An object below this one, at a whole pointer.
    pub(super) fn below(&self, value: &'v Value, pointer: &str) -> Option<Self> {
        Self::new(value, pointer, self.problems)
    }

    pub(super) fn problem(&self, key: &str, reason: impl Into<String>) {
        self.problems.add(self.place(key), reason);
    }

    /// A problem at a place below, given as a whole pointer.
    pub(super) fn problem_at(&self, pointer: impl Into<String>, reason: impl Into<String>) {
        self.problems.add(pointer, reason);
    }

    /// The value of a key that is there and not null.
    pub(super) fn given(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &str) -> Option<&'v Value> {
        let value = self.given(key);
        if value.is_none() {
            self.problem(key, "it is missing");
        }
        value
    }

    /// Text; the empty one counts as absent.
    pub(super) fn text(&self, key: &str) -> Option<&'v str> {
        let Value::String(text) = self.given(key)? else {
            self.problem(key, "text is needed");
            return None;
        };
        Some(text.as_str()).filter(|text| !text.is_empty())
    }

    pub(super) fn needed_text(&self, key: &str) -> Option<&'v str> {
        self.need(key)?;
        let text = self.text(key);
        if text.is_none() && self.given(key).is_some_and(Value::is_string) {
            self.problem(key, "it is empty");
        }
        text
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let Value::Bool(flag) = self.given(key)? else {
            self.problem(key, "true or false is needed");
            return None;
        };
        Some(*flag)
    }

    /// Text that is something; absent text is `None` without a problem.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &str) -> Option<T> {
        self.parse(key, self.text(key)?)
    }

    pub(super) fn needed<T: FromStr<Err: Display>>(&self, key: &str) -> Option<T> {
        self.parse(key, self.needed_text(key)?)
    }

    fn parse<T: FromStr<Err: Display>>(&self, key: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problem(key, reason.to_string());
                None
            }
        }
    }

    /// The items of a list with their places; absent and null are the empty list.
    pub(super) fn items(&self, key: &str) -> Vec<(String, &'v Value)> {
        let items = match self.given(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.problem(key, "a list is needed");
                return Vec::new();
            }
        };
        let place = self.place(key);
        items
            .iter()
            .enumerate()
            .map(|(index, item)| (format!("{place}/{index}"), item))
            .collect()
    }

    /// A list of texts, each of which is something.
    pub(super) fn list<T: FromStr<Err: Display>>(&self, key: &str) -> Vec<T> {
        let read = |(place, item): (String, &Value)| match item.as_str().map(str::parse) {
            Some(Ok(value)) => Some(value),
            Some(Err(reason)) => {
                self.problems.add(place, T::Err::to_string(&reason));
                None
            }
            None => {
                self.problems.add(place, "text is needed");
                None
            }
        };
        self.items(key).into_iter().filter_map(read).collect()
    }

    /// Whether there are no other keys; each that is makes a problem.
    pub(super) fn has_only(&self, known: &[&str]) -> bool {
        let mut only = true;
        for key in self.map.keys().filter(|key| !known.contains(&key.as_str())) {
            self.problem(key, "there is no such key");
            only = false;
        }
        only
    }

    /// Makes a problem of each key that asks for something which is not enforced here.
    pub(super) fn refuse_unenforced(&self, keys: &[&str]) {
        self.refuse(keys, "this version does not enforce it");
    }

    /// Makes a problem of each key that asks for something which there is not.
    pub(super) fn refuse(&self, keys: &[&str], reason: &str) {
        for &key in keys {
            if self.given(key).is_some_and(asks_for_something) {
                self.problem(key, reason);
            }
        }
    }

    fn place(&self, key: &str) -> String {
        pointer::below(&self.pointer, key)
    }
}

/// Whether a value asks for something. Neutral ones, which Cloudflare's API answers for what is not set, do not.
pub fn asks_for_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => map.values().any(asks_for_something),
        Value::Bool(true) | Value::Number(_) => true,
    }
}
