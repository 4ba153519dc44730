//! Pages of delta queries, each read whole and bounded before anything is done with it.
//!
//! What Graph left out is not what it said is empty: a property that never had a value is absent, one that lost it is
//! `null` (<https://learn.microsoft.com/graph/delta-query-overview>).

use serde_json::{Map, Value};

use crate::model::ids::ObjectId;

/// Longest name or address, in characters: four times what Entra lets anybody write.
const LONGEST_TEXT: usize = 1024;
/// Longest link, in bytes. Those of Graph have some hundred; the store keeps one for each list.
pub const LONGEST_LINK: usize = 32 * 1024;

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What it tells, in Graph's order.
    pub entries: Vec<T>,
    /// Where it goes on.
    pub next: Next,
}

/// Where a page leads, as Graph wrote it: nobody has looked yet whether that is Graph at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// To the next page of this round.
    Page(String),
    /// The round is over; the next one begins there.
    Done(String),
}

/// Why a page cannot be used. None of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON, or not a page.
    #[error("it is no page of a list")]
    NoPage,
    /// It has no link or several.
    #[error("it leads nowhere, or to several places")]
    NoLink,
    /// A link is too long.
    #[error("a link has more than {LONGEST_LINK} bytes")]
    LongLink,
    /// An entry has no object id.
    #[error("an entry has no object id")]
    NoId,
    /// A property is something else than it should be.
    #[error("{0} is not what it should be")]
    Property(&'static str),
}

/// What a list tells of.
pub trait Entry: Sized {
    /// Reads an entry.
    ///
    /// # Errors
    /// [`Unreadable`]
    fn read(entry: &Map<String, Value>) -> Result<Self, Unreadable>;

    /// How much there is to remember of it: one, and one for each member.
    fn weight(&self) -> usize {
        1
    }
}

/// How somebody or something is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Deleted, and restored perhaps.
    Softly,
    /// Deleted for good.
    ForGood,
}

/// What Graph says of a property.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    #[default]
    Nothing,
    /// It has no value.
    Empty,
    /// Its value.
    Value(String),
}

impl Said {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Nothing | Self::Empty => None,
        }
    }
}

/// A person, as far as a page tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonTold {
    /// The person's object.
    pub object: ObjectId,
    /// How the person is gone; `None` for those who are there.
    pub gone: Option<Gone>,
    /// Whether the account may sign in.
    pub enabled: Option<bool>,
    /// The name the person signs in with.
    pub principal_name: Said,
    /// The address.
    pub mail: Said,
    /// The name for people.
    pub display_name: Said,
    /// The given name.
    pub given_name: Said,
    /// The family name.
    pub surname: Said,
}

impl PersonTold {
    /// Somebody who is there no more, and nothing else is known.
    pub fn gone_for_good(object: ObjectId) -> Self {
        Self {
            object,
            gone: Some(Gone::ForGood),
            enabled: None,
            principal_name: Said::Nothing,
            mail: Said::Nothing,
            display_name: Said::Nothing,
            given_name: Said::Nothing,
            surname: Said::Nothing,
        }
    }
}

impl Entry for PersonTold {
    fn read(entry: &Map<String, Value>) -> Result<Self, Unreadable> {
        let enabled = match entry.get("accountEnabled") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(enabled)) => Some(*enabled),
            Some(_) => return Err(Unreadable::Property("accountEnabled")),
        };
        Ok(Self {
            object: object(entry)?,
            gone: gone(entry)?,
            enabled,
            principal_name: text(entry, "userPrincipalName")?,
            mail: text(entry, "mail")?,
            display_name: text(entry, "displayName")?,
            given_name: text(entry, "givenName")?,
            surname: text(entry, "surname")?,
        })
    }
}

/// A group, as far as a page tells. One with many members is told of several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTold {
    /// The group's object.
    pub object: ObjectId,
    /// How the group is gone; `None` for those that are there.
    pub gone: Option<Gone>,
    /// Its name.
    pub name: Said,
    /// Who came and who went, in Graph's order.
    pub moves: Vec<Move>,
}

/// Somebody or something came into a group or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Who or what.
    pub member: ObjectId,
    /// Whether it left.
    pub left: bool,
}

impl Entry for GroupTold {
    fn read(entry: &Map<String, Value>) -> Result<Self, Unreadable> {
        let moves = match entry.get("members@delta") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(members)) => moves(members)?,
            Some(_) => return Err(Unreadable::Property("members@delta")),
        };
        Ok(Self {
            object: object(entry)?,
            gone: gone(entry)?,
            name: text(entry, "displayName")?,
            moves,
        })
    }

    fn weight(&self) -> usize {
        self.moves.len().saturating_add(1)
    }
}

/// Kinds of members that nobody signs in as.
const NOBODY: [&str; 3] = [
    "#microsoft.graph.device",
    "#microsoft.graph.orgContact",
    "#microsoft.graph.servicePrincipal",
];

fn moves(members: &[Value]) -> Result<Vec<Move>, Unreadable> {
    let mut moves = Vec::with_capacity(members.len());
    for member in members {
        let member = member.as_object().ok_or(Unreadable::Property("members@delta"))?;
        let kind = member.get("@odata.type").and_then(Value::as_str);
        if kind.is_some_and(|kind| NOBODY.contains(&kind)) {
            continue;
        }
        moves.push(Move {
            member: object(member)?,
            left: gone(member)?.is_some(),
        });
    }
    Ok(moves)
}

impl<T: Entry> Page<T> {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let page: Value = serde_json::from_slice(body).map_err(|_| Unreadable::NoPage)?;
        let listed = page.get("value").and_then(Value::as_array);
        let mut entries = Vec::new();
        for entry in listed.ok_or(Unreadable::NoPage)? {
            entries.push(T::read(entry.as_object().ok_or(Unreadable::NoPage)?)?);
        }
        let next = match (page.get("@odata.nextLink"), page.get("@odata.deltaLink")) {
            (Some(next), None) => Next::Page(link(next)?),
            (None, Some(done)) => Next::Done(link(done)?),
            _ => return Err(Unreadable::NoLink),
        };
        Ok(Self { entries, next })
    }
}

fn link(link: &Value) -> Result<String, Unreadable> {
    let link = link.as_str().filter(|link| !link.is_empty());
    let link = link.ok_or(Unreadable::NoLink)?;
    if link.len() > LONGEST_LINK {
        return Err(Unreadable::LongLink);
    }
    Ok(link.to_owned())
}

fn object(entry: &Map<String, Value>) -> Result<ObjectId, Unreadable> {
    let id = entry.get("id").and_then(Value::as_str);
    id.and_then(|id| id.parse().ok()).ok_or(Unreadable::NoId)
}

/// `@removed`. What is not said to be restorable is gone for good.
fn gone(entry: &Map<String, Value>) -> Result<Option<Gone>, Unreadable> {
    let Some(removed) = entry.get("@removed") else {
        return Ok(None);
    };
    let removed = removed.as_object().ok_or(Unreadable::Property("@removed"))?;
    let reason = removed.get("reason").and_then(Value::as_str);
    Ok(Some(match reason {
        Some("changed") => Gone::Softly,
        _ => Gone::ForGood,
    }))
}

fn text(entry: &Map<String, Value>, name: &'static str) -> Result<Said, Unreadable> {
    let text = match entry.get(name) {
        None => return Ok(Said::Nothing),
        Some(Value::Null) => return Ok(Said::Empty),
        Some(Value::String(text)) => text,
        Some(_) => return Err(Unreadable::Property(name)),
    };
    // No store and no header can hold control characters.
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.chars().count() > LONGEST_TEXT {
        return Err(Unreadable::Property(name));
    }
    if text.is_empty() {
        return Ok(Said::Empty);
    }
    Ok(Said::Value(text))
}

#[cfg(test)]
mod tests;
