//! The file as a tree in which everything knows its line and its key, so that every mistake can be told with both.

use std::cell::RefCell;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::Surroundings;
use super::faults::Fault;
use super::suggest::closest;
use crate::model::plain;

/// Reads one file and gathers what is wrong with it.
pub(super) struct Reader<'a> {
    file: &'a str,
    directory: &'a Path,
    /// Where each line starts.
    lines: Vec<usize>,
    /// Whether parts of the file could not be read: then nothing can be called missing.
    pub(super) incomplete: bool,
    pub(super) surroundings: Surroundings<'a>,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a Path, file: &'a str, text: &'a str, surroundings: Surroundings<'a>) -> Self {
        Self {
            file,
            directory: path.parent().unwrap_or(Path::new("")),
            lines: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(index, _)| index + 1))
                .collect(),
            incomplete: false,
            surroundings,
            faults: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// A path of the file: relative ones start at the file's directory.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.directory.join(written)
    }

    pub(super) fn fault_at(
        &self,
        offset: usize,
        key: &str,
        reason: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let fault = self.telling(offset, key, reason.into(), mend.into());
        self.faults.borrow_mut().push(fault);
    }

    /// A warning about an object as a whole, by the line that it is declared at.
    pub(super) fn warn_on_line(
        &self,
        line: usize,
        key: &str,
        reason: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.warnings.borrow_mut().push(Fault {
            file: self.file.to_owned(),
            line,
            key: key.to_owned(),
            reason: reason.into(),
            mend: mend.into(),
        });
    }

    fn warn_at(&self, offset: usize, key: &str, reason: impl Into<String>, mend: impl Into<String>) {
        let warning = self.telling(offset, key, reason.into(), mend.into());
        self.warnings.borrow_mut().push(warning);
    }

    fn telling(&self, offset: usize, key: &str, reason: String, mend: String) -> Fault {
        Fault {
            file: self.file.to_owned(),
            line: self.line(offset),
            key: key.to_owned(),
            reason,
            mend,
        }
    }

    /// The line of an offset, counted from 1.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset)
    }

    /// The faults and the warnings, each by line.
    pub(super) fn findings(self) -> (Vec<Fault>, Vec<Fault>) {
        let in_order = |told: RefCell<Vec<Fault>>| {
            let mut told = told.into_inner();
            told.sort();
            told.dedup();
            told
        };
        (in_order(self.faults), in_order(self.warnings))
    }
}

/// The keys a table may have.
pub(super) struct Keys {
    pub(super) known: &'static [&'static str],
    /// Keys that are refused with a reason of their own: what Access has and this version has not.
    pub(super) refused: &'static [(&'static str, &'static str)],
}

/// Access's own limit (Zero Trust account limits).
const MAX_NAME: usize = 350;

/// A value with its place.
#[derive(Clone)]
pub(super) struct Node<'t> {
    pub(super) reader: &'t Reader<'t>,
    pub(super) key: String,
    offset: usize,
    value: &'t DeValue<'t>,
}

impl<'t> Node<'t> {
    pub(super) fn fault(&self, reason: impl Into<String>, mend: impl Into<String>) {
        self.reader.fault_at(self.offset, &self.key, reason, mend);
    }

    pub(super) fn warn(&self, reason: impl Into<String>, mend: impl Into<String>) {
        self.reader.warn_at(self.offset, &self.key, reason, mend);
    }

    /// The line, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.reader.line(self.offset)
    }

    /// The text, whatever the value is.
    pub(super) fn as_text(&self) -> Option<&'t str> {
        self.value.as_str()
    }

    /// The text; another type is a fault.
    pub(super) fn text(&self) -> Option<&'t str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a text", "put it in quotes");
        }
        text
    }

    /// A name: some characters, none of them a control character, as many as Access takes.
    pub(super) fn name(&self) -> Option<&'t str> {
        self.line_of(
            format_args!("a name has 1 to {MAX_NAME} visible characters"),
            "write a short name",
        )
    }

    /// A text that a rule compares with what is said of somebody: as many characters as a name.
    pub(super) fn compared(&self, mend: &str) -> Option<&'t str> {
        self.line_of(
            format_args!("1 to {MAX_NAME} visible characters are needed"),
            mend,
        )
    }

    fn line_of(&self, needed: std::fmt::Arguments<'_>, mend: &str) -> Option<&'t str> {
        let text = self.text()?;
        let fine =
            !text.trim().is_empty() && text.chars().count() <= MAX_NAME && plain::unseen(text).is_none();
        if !fine {
            self.fault(needed.to_string(), mend);
        }
        fine.then_some(text)
    }

    /// The text as what it stands for.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, mend: &str) -> Option<T> {
        match self.text()?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(error.to_string(), mend);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let mend = match closest(text, names.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => format!("write one of {}", names.join(", ")),
            };
            self.fault(format!("\"{text}\" is not one of {}", names.join(", ")), mend);
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.wrong_type("true or false", "write true or false, without quotes");
        }
        value
    }

    pub(super) fn integer(&self) -> Option<i64> {
        let integer = self.value.as_integer();
        let value = integer.and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
        if value.is_none() {
            self.wrong_type("a whole number", "write it without quotes");
        }
        value
    }

    /// A whole number within bounds.
    pub(super) fn whole_number(&self, bounds: std::ops::RangeInclusive<u16>, mend: &str) -> Option<u16> {
        let written = self.integer()?;
        let number = u16::try_from(written)
            .ok()
            .filter(|number| bounds.contains(number));
        if number.is_none() {
            self.fault(
                format!("{written} is outside {} to {}", bounds.start(), bounds.end()),
                mend,
            );
        }
        number
    }

    /// The value as JSON. Dates become text.
    pub(super) fn json(&self) -> Value {
        json(self.value)
    }

    pub(super) fn array(&self) -> Option<Vec<Node<'t>>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type("a list", "put it in square brackets");
            return None;
        };
        let nodes = array.iter().enumerate().map(|(index, value)| Node {
            reader: self.reader,
            key: format!("{}[{index}]", self.key),
            offset: value.span().start,
            value: value.get_ref(),
        });
        Some(nodes.collect())
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// A point in time as it is written: a TOML date and time, or a text that is one.
    pub(super) fn instant(&self) -> Option<String> {
        let written = match self.value.as_datetime() {
            Some(written) => written.to_string(),
            None => self.text()?.to_owned(),
        };
        let fine = written.parse::<jiff::Timestamp>().is_ok();
        if !fine {
            self.fault(
                format!("\"{written}\" is no point in time"),
                "write 2027-03-31T00:00:00Z",
            );
        }
        fine.then_some(written)
    }

    /// The table; keys that are not among `keys` are faults.
    pub(super) fn table(&self, keys: &Keys) -> Option<Table<'t>> {
        let table = self.any_table()?;
        table.check(keys);
        Some(table)
    }

    /// The table, whatever its keys are.
    pub(super) fn any_table(&self) -> Option<Table<'t>> {
        let Some(entries) = self.value.as_table() else {
            self.wrong_type("a table", "write { key = … }");
            return None;
        };
        Some(Table {
            reader: self.reader,
            key: self.key.clone(),
            offset: self.offset,
            entries,
        })
    }

    fn wrong_type(&self, wanted: &str, mend: &str) {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fault(format!("{wanted} is needed, not {found}"), mend);
    }
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(&**text),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::from(number.as_str()), Value::from),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| Value::from(number.as_str()), Value::from),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())));
            Value::Object(entries.collect())
        }
    }
}

/// A table with its place.
#[derive(Clone)]
pub(super) struct Table<'t> {
    pub(super) reader: &'t Reader<'t>,
    key: String,
    offset: usize,
    entries: &'t DeTable<'t>,
}

impl<'t> Table<'t> {
    /// The whole file.
    pub(super) fn root(reader: &'t Reader<'t>, entries: &'t DeTable<'t>, keys: &Keys) -> Self {
        let table = Self {
            reader,
            key: String::new(),
            offset: 0,
            entries,
        };
        table.check(keys);
        table
    }

    fn check(&self, keys: &Keys) {
        for name in self.entries.keys() {
            let written: &str = name.get_ref();
            if keys.known.contains(&written) {
                continue;
            }
            let place = self.key_of(written);
            if let Some((_, why)) = keys.refused.iter().find(|(key, _)| *key == written) {
                self.reader
                    .fault_at(name.span().start, &place, *why, "leave it out");
                continue;
            }
            let mend = match closest(written, keys.known.iter().copied()) {
                Some(key) => format!("did you mean {key}?"),
                None => format!("known here: {}", keys.known.join(", ")),
            };
            self.reader
                .fault_at(name.span().start, &place, "unknown key", mend);
        }
    }

    pub(super) fn fault(&self, reason: impl Into<String>, mend: impl Into<String>) {
        self.reader.fault_at(self.offset, &self.key, reason, mend);
    }

    /// The value of a key.
    pub(super) fn node(&self, key: &str) -> Option<Node<'t>> {
        let value = self.entries.get(key)?;
        Some(Node {
            reader: self.reader,
            key: self.key_of(key),
            offset: value.span().start,
            value: value.get_ref(),
        })
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &str, mend: &str) -> Option<Node<'t>> {
        let node = self.node(key);
        if node.is_none() && !self.reader.incomplete {
            self.reader
                .fault_at(self.offset, &self.key_of(key), "missing", mend);
        }
        node
    }

    /// Each key with its value.
    pub(super) fn nodes(&self) -> Vec<(&'t str, Node<'t>)> {
        let nodes = self.entries.iter().map(|(key, value)| {
            let node = Node {
                reader: self.reader,
                key: self.key_of(key.get_ref()),
                offset: value.span().start,
                value: value.get_ref(),
            };
            (&**key.get_ref(), node)
        });
        nodes.collect()
    }

    /// The list under a key; empty where the key is absent.
    pub(super) fn list(&self, key: &str) -> Vec<Node<'t>> {
        self.node(key).and_then(|node| node.array()).unwrap_or_default()
    }

    fn key_of(&self, key: &str) -> String {
        let plain = !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let name = if plain { key.to_owned() } else { format!("{key:?}") };
        if self.key.is_empty() {
            name
        } else {
            format!("{}.{name}", self.key)
        }
    }
}
