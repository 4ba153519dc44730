//! The members of a JWT's JSON objects: read once, without ambiguity, and asked for by kind.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON object in which no two member names differ in case only. `tid` beside `TID` is how a token is made to mean one
/// thing to one reader and another to the next; RFC 7519 §4 forbids it for equal names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Claims(Map<String, Value>);

/// Why bytes are no such object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClaimsMalformed {
    /// Not a JSON object.
    NoObject,
    /// A member name stands there twice.
    Repeated,
}

/// What the visitor says of a repeated name, by which it is told from other faults.
const REPEATED: &str = "repeated member";

impl Claims {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ClaimsMalformed> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let members = json.deserialize_map(Members).map_err(|error| {
            if error.to_string().starts_with(REPEATED) {
                ClaimsMalformed::Repeated
            } else {
                ClaimsMalformed::NoObject
            }
        })?;
        json.end().map_err(|_| ClaimsMalformed::NoObject)?;
        Ok(Self(members))
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text; empty counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        self.value(name).and_then(Value::as_i64)
    }

    /// The texts of a claim that comes as one text or as an array of them: Entra sends both forms of the same claim.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        match self.value(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A truth as Entra spells it: `true`, 1, "1", "true" and their opposites; `None` where absent or something else.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(truth) => Some(*truth),
            Value::Number(number) => match number.as_i64() {
                Some(1) => Some(true),
                Some(0) => Some(false),
                _ => None,
            },
            Value::String(text) if text == "1" || text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text == "0" || text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The named claims as they are.
    pub(super) fn select(&self, names: &[String]) -> Map<String, Value> {
        let present = names
            .iter()
            .filter_map(|name| Some((name.clone(), self.value(name)?.clone())));
        present.collect()
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        let mut seen = HashSet::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(A::Error::custom(REPEATED));
            }
            members.insert(name, value);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Claims {
        Claims::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_name_may_not_come_twice_in_any_case() {
        for text in [
            r#"{"tid":1,"tid":1}"#,
            r#"{"tid":1,"TID":2}"#,
            r#"{"ti\u0064":1,"Tid":2}"#,
        ] {
            assert_eq!(
                Claims::parse(text.as_bytes()),
                Err(ClaimsMalformed::Repeated),
                "{text}"
            );
        }
        for text in ["[]", "", "{", "{}{}", "null"] {
            assert_eq!(
                Claims::parse(text.as_bytes()),
                Err(ClaimsMalformed::NoObject),
                "{text}"
            );
        }
    }

    #[test]
    fn truths_are_read_in_every_spelling_of_entra() {
        let spelled = |value: &str| claims(&format!(r#"{{"xms_edov":{value}}}"#)).truth("xms_edov");
        for yes in ["true", "1", r#""1""#, r#""True""#] {
            assert_eq!(spelled(yes), Some(true), "{yes}");
        }
        for no in ["false", "0", r#""0""#, r#""False""#] {
            assert_eq!(spelled(no), Some(false), "{no}");
        }
        for neither in ["null", "2", r#""yes""#, "[true]"] {
            assert_eq!(spelled(neither), None, "{neither}");
        }
    }
}
