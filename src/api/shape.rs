//! What the objects of the API look like: which keys each has, and what becomes of them.
//!
//! A shape is used three times, so that it cannot drift: it takes a body apart, it names what it does not know, and the
//! OpenAPI document is made from it. Whether values can stand is read where objects are read for requests
//! ([`crate::snapshot::read`]): there is one reader of rules, not two.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::model::pointer;
use crate::snapshot::read::Problem;

/// The keys of an object.
#[derive(Debug)]
pub(super) struct Shape {
    /// Its name in the OpenAPI document.
    pub(super) name: &'static str,
    pub(super) keys: &'static [Key],
    pub(super) unknown: UnknownKeys,
}

/// What becomes of a key that the shape does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownKeys {
    /// It is refused: it might have been meant to keep somebody out.
    Refused,
    /// It is kept, comes back, and the answer says that nothing follows from it.
    Kept,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) what: What,
    pub(super) role: Role,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Text,
    /// One of a few texts.
    Word(&'static [&'static str]),
    Flag,
    Number,
    /// RFC 3339.
    Time,
    /// A UUID.
    Id,
    Texts,
    Object(&'static Shape),
    Objects(&'static Shape),
    /// The same, each of which may stand for itself by its id, or by the second: its id with what belongs to the place.
    ObjectsOrLinks(&'static Shape, &'static Shape),
    /// Selectors, one an object.
    Rules,
    /// Whatever JSON there is.
    Any,
}

/// What a key is to whoever writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It must be there in a new object.
    Needed,
    /// It may be there.
    Optional,
    /// The server owns it; sent back, it is passed over.
    ReadOnly,
    /// It never comes back.
    Secret,
}

pub(super) const fn needed(name: &'static str, what: What) -> Key {
    Key {
        name,
        what,
        role: Role::Needed,
    }
}

pub(super) const fn optional(name: &'static str, what: What) -> Key {
    Key {
        name,
        what,
        role: Role::Optional,
    }
}

pub(super) const fn read_only(name: &'static str, what: What) -> Key {
    Key {
        name,
        what,
        role: Role::ReadOnly,
    }
}

pub(super) const fn secret(name: &'static str) -> Key {
    Key {
        name,
        what: What::Text,
        role: Role::Secret,
    }
}

/// A body taken apart.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// What is kept and comes back.
    pub(super) body: Map<String, Value>,
    /// The secrets, by the pointer they stood at.
    pub(super) secrets: BTreeMap<String, SecretString>,
    /// Where keys stand of which nothing is known, and that are kept.
    pub(super) unknown: Vec<String>,
    /// What cannot be taken.
    pub(super) problems: Vec<Problem>,
}

impl Shape {
    /// Takes a body apart.
    pub(super) fn take(&self, body: Map<String, Value>) -> Taken {
        let mut taken = Taken::default();
        let kept = self.keep(body, "", &mut taken);
        taken.body = kept;
        taken
    }

    fn keep(&self, body: Map<String, Value>, at: &str, taken: &mut Taken) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in body {
            let pointer = pointer::below(at, &name);
            let Some(key) = self.keys.iter().find(|key| key.name == name) else {
                match self.unknown {
                    UnknownKeys::Refused => taken.problems.push(Problem {
                        pointer,
                        reason: "there is no such key".to_owned(),
                    }),
                    UnknownKeys::Kept => {
                        taken.unknown.push(pointer);
                        kept.insert(name, value);
                    }
                }
                continue;
            };
            match key.role {
                Role::ReadOnly => {}
                Role::Secret => take_secret(value, pointer, taken),
                Role::Needed | Role::Optional => {
                    let value = key.what.keep(value, &pointer, taken);
                    kept.insert(name, value);
                }
            }
        }
        kept
    }

    /// The names of the keys that a new object must have.
    pub(super) fn needed(&self) -> impl Iterator<Item = &'static str> {
        let needed = self.keys.iter().filter(|key| key.role == Role::Needed);
        needed.map(|key| key.name)
    }
}

impl What {
    fn keep(self, value: Value, at: &str, taken: &mut Taken) -> Value {
        match (self, value) {
            (Self::Object(shape), Value::Object(map)) => Value::Object(shape.keep(map, at, taken)),
            (Self::Objects(shape) | Self::ObjectsOrLinks(shape, _), Value::Array(items)) => {
                let items = items.into_iter().enumerate().map(|(index, item)| match item {
                    Value::Object(map) => Value::Object(shape.keep(map, &format!("{at}/{index}"), taken)),
                    other => other,
                });
                Value::Array(items.collect())
            }
            // Whether it is what it should be is said by whoever reads it.
            (_, value) => value,
        }
    }
}

/// The longest secret that is taken, in bytes: a private key in PEM is far shorter.
const LONGEST_SECRET: usize = 16 * 1024;

fn take_secret(value: Value, pointer: String, taken: &mut Taken) {
    let fault = match value {
        // Older tools send back what they were shown in its place.
        Value::Null => return,
        Value::String(text) if text.is_empty() || text.bytes().all(|byte| byte == b'*') => return,
        Value::String(text) if text.len() <= LONGEST_SECRET => {
            taken.secrets.insert(pointer, SecretString::from(text));
            return;
        }
        Value::String(_) => "it is too long",
        _ => "text is needed",
    };
    taken.problems.push(Problem {
        pointer,
        reason: fault.to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    const INNER: Shape = Shape {
        name: "Inner",
        keys: &[optional("prompt", What::Text), secret("client_secret")],
        unknown: UnknownKeys::Refused,
    };
    const OUTER: Shape = Shape {
        name: "Outer",
        keys: &[
            needed("name", What::Text),
            read_only("id", What::Id),
            optional("config", What::Object(&INNER)),
        ],
        unknown: UnknownKeys::Kept,
    };

    #[test]
    fn a_body_is_taken_apart() {
        let body = json!({
            "id": "7", "name": "x", "colour/a": 1,
            "config": { "prompt": null, "client_secret": "s3cret", "promt": "login" },
        });
        let Value::Object(body) = body else { unreachable!() };
        let taken = OUTER.take(body);
        assert_eq!(
            Value::Object(taken.body),
            json!({ "name": "x", "colour/a": 1, "config": { "prompt": null } })
        );
        assert_eq!(taken.unknown, ["/colour~1a"]);
        assert_eq!(taken.problems[0].pointer, "/config/promt");
        assert_eq!(taken.secrets["/config/client_secret"].expose_secret(), "s3cret");
        assert_eq!(OUTER.needed().collect::<Vec<_>>(), ["name"]);
    }

    #[test]
    fn a_secret_shown_as_asterisks_is_none() {
        for shown in [json!("********"), json!(""), json!(null)] {
            let Value::Object(body) = json!({ "client_secret": shown }) else {
                unreachable!()
            };
            let taken = INNER.take(body);
            assert!(taken.secrets.is_empty() && taken.problems.is_empty() && taken.body.is_empty());
        }
    }
}
