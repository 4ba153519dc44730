//! JSON as others send it, read so that one text has one meaning.
//!
//! Which of two equal keys counts is left open (RFC 8259 §4): whoever looked at a body before us may have seen another
//! one than we would take. So a key that stands twice in an object is refused, and named.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::pointer;

/// When two keys are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// By every character.
    Exact,
    /// Whatever the case of their letters: so are attributes of SCIM named (RFC 7643 §2.1).
    AnyCase,
}

/// Why a text is not taken.
#[derive(Debug, thiserror::Error)]
pub enum JsonRefused {
    /// It is no JSON, or nested beyond all measure.
    #[error("it is not JSON: {0}")]
    NoJson(#[from] serde_json::Error),
    /// A key stands twice in one object.
    #[error("the key {pointer} stands twice")]
    Repeated {
        /// Where, as a JSON pointer (RFC 6901); the first there is.
        pointer: String,
    },
}

/// Reads a text.
///
/// # Errors
/// [`JsonRefused`]
pub fn read(text: &[u8], keys: Keys) -> Result<Value, JsonRefused> {
    let repeated = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let whole = Part {
        keys,
        place: &Place::Root,
        repeated: &repeated,
    };
    let value = whole.deserialize(&mut deserializer)?;
    deserializer.end()?;
    match repeated.into_inner() {
        None => Ok(value),
        Some(pointer) => Err(JsonRefused::Repeated { pointer }),
    }
}

/// Where a value stands.
enum Place<'p> {
    Root,
    Key(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(above, key) => f.write_str(&pointer::below(&above.to_string(), key)),
            Self::Item(above, index) => write!(f, "{above}/{index}"),
        }
    }
}

/// A value that is about to be read.
struct Part<'r> {
    keys: Keys,
    place: &'r Place<'r>,
    /// The first key that stands twice.
    repeated: &'r RefCell<Option<String>>,
}

impl Part<'_> {
    fn below<'b>(&'b self, place: &'b Place<'b>) -> Part<'b> {
        Part {
            keys: self.keys,
            place,
            repeated: self.repeated,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let place = Place::Item(self.place, items.len());
            match sequence.next_element_seed(self.below(&place))? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut folded = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            let place = Place::Key(self.place, &key);
            let value = entries.next_value_seed(self.below(&place))?;
            let is_new = match self.keys {
                Keys::Exact => !map.contains_key(&key),
                Keys::AnyCase => folded.insert(key.to_ascii_lowercase()),
            };
            if !is_new {
                let mut repeated = self.repeated.borrow_mut();
                repeated.get_or_insert_with(|| place.to_string());
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_named_by_its_place() {
        let repeated = |text: &str, keys| match read(text.as_bytes(), keys) {
            Err(JsonRefused::Repeated { pointer }) => Some(pointer),
            _ => None,
        };
        for (text, pointer) in [
            (r#"{"a":1,"a":1}"#, "/a"),
            (r#"{"a":[0,{"b/c~":1,"b\/c\u007e":2}]}"#, "/a/1/b~1c~0"),
            (r#"{"x":{"y":1,"y":2},"x":3}"#, "/x/y"),
        ] {
            assert_eq!(repeated(text, Keys::Exact).as_deref(), Some(pointer), "{text}");
        }
        let cases = r#"{"active":true,"Active":false}"#;
        assert_eq!(repeated(cases, Keys::Exact), None);
        assert_eq!(repeated(cases, Keys::AnyCase).as_deref(), Some("/Active"));
        // In different objects they are different keys.
        assert_eq!(repeated(r#"[{"a":1},{"a":{"a":2}}]"#, Keys::AnyCase), None);
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in [
            "",
            "{",
            "[1,]",
            "{} {}",
            "nul",
            "1e999",
            "\"\\ud800\"",
            &"[".repeat(1000),
        ] {
            assert!(
                matches!(read(text.as_bytes(), Keys::Exact), Err(JsonRefused::NoJson(_))),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_serde_reads_is_read_the_same(text in r#"[\[\]{}",:0-9a-c.e+\-]{0,40}|(true|null|"\\u00e4"|1\.5e3|-0)"#) {
            let usual: Result<Value, _> = serde_json::from_str(&text);
            match (usual, read(text.as_bytes(), Keys::Exact)) {
                (Ok(usual), Ok(own)) => prop_assert_eq!(usual, own),
                (Ok(_), Err(JsonRefused::Repeated { .. })) | (Err(_), Err(JsonRefused::NoJson(_))) => {}
                (usual, own) => prop_assert!(false, "{usual:?} {own:?}"),
            }
        }
    }
}
