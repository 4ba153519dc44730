//! The table of addresses: which entry covers a host and path.
//!
//! Access: the most specific host wins, then the most specific path, and the more specific application inherits
//! nothing. An exact host is more specific than a wildcard, which stands for one label only. Where an exact host has
//! no path that covers a request, a wildcard host that does cover it is used: each entry says what it covers.
//!
//! The cost of a look-up does not grow with the number of hosts, nor with the number of plain paths of a host; patterns
//! with `*` in the path are tried one after the other, the most specific first.

use hashbrown::HashMap;

use crate::model::destination::Destination;
use crate::model::host::Host;

use super::pattern::{LabelPattern, PathGlob};
use super::target::Target;

/// Entries by the addresses they cover.
#[derive(Debug, Clone)]
pub struct Table<T> {
    values: Vec<T>,
    exact: HashMap<Box<str>, Paths>,
    /// By what follows the first label; the most specific label first.
    wildcard: HashMap<Box<str>, Vec<(LabelPattern, Paths)>>,
}

/// What a table has for one host and path.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a, T> {
    /// This entry covers it.
    Match(&'a T),
    /// The host is known, but no entry covers the path.
    HostOnly,
    /// No entry covers the host.
    None,
}

/// What a table has for a target, in all its readings.
#[derive(Debug, PartialEq, Eq)]
pub enum Routed<'a, T> {
    /// This entry covers it, however it is read.
    Match(&'a T),
    /// The host is known, but no entry covers the path.
    HostOnly,
    /// No entry covers the host.
    None,
    /// The two readings of the path lead to different entries.
    Ambiguous,
}

/// An entry to build a table from.
#[derive(Debug)]
pub struct Entry<T> {
    /// The addresses it covers.
    pub destinations: Vec<Destination>,
    /// Whether its upstream reads paths without regard to case. Then every path of these hosts is read so, because the
    /// applications of one host share what is behind it.
    pub case_insensitive: bool,
    /// What is found.
    pub value: T,
}

impl<T> Table<T> {
    /// A table of entries. Where two cover the same address, the first keeps it.
    pub fn build(entries: impl IntoIterator<Item = Entry<T>>) -> Self {
        let mut table = Self {
            values: Vec::new(),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        };
        for entry in entries {
            let index = table.values.len();
            for destination in &entry.destinations {
                let paths = table.paths_of(destination.host());
                paths.patterns.push((destination.path().into(), index));
                paths.case_insensitive |= entry.case_insensitive;
            }
            table.values.push(entry.value);
        }
        table.exact.values_mut().for_each(Paths::arrange);
        for labels in table.wildcard.values_mut() {
            labels.sort_by_key(|(label, _)| std::cmp::Reverse(label.literals()));
            for (_, paths) in labels {
                paths.arrange();
            }
        }
        table
    }

    /// Puts another value in the place of one.
    pub fn replace(&mut self, is_it: impl Fn(&T) -> bool, value: T) {
        if let Some(place) = self.values.iter_mut().find(|known| is_it(known)) {
            *place = value;
        }
    }

    /// Adds an entry behind all others. Whether that could be: one that changes how the paths of others are read needs
    /// a table of its own.
    #[must_use]
    pub fn push(&mut self, entry: Entry<T>) -> bool {
        if entry.case_insensitive {
            return false;
        }
        let index = self.values.len();
        for destination in &entry.destinations {
            let paths = self.paths_of(destination.host());
            paths.patterns.push((destination.path().into(), index));
            paths.arrange();
            let (_, rest) = destination.host().split_once('.').unwrap_or_default();
            if let Some(labels) = self.wildcard.get_mut(rest) {
                labels.sort_by_key(|(label, _)| std::cmp::Reverse(label.literals()));
            }
        }
        self.values.push(entry.value);
        true
    }

    fn paths_of(&mut self, host: &str) -> &mut Paths {
        let (first, rest) = host.split_once('.').unwrap_or((host, ""));
        let Some(pattern) = LabelPattern::parse(first) else {
            return self.exact.entry(host.into()).or_default();
        };
        let labels = self.wildcard.entry(rest.into()).or_default();
        let position = labels.iter().position(|(known, _)| *known == pattern);
        let position = position.unwrap_or_else(|| {
            labels.push((pattern, Paths::default()));
            labels.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        let (_, paths) = &mut labels[position];
        paths
    }

    /// The entries, in the order given.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The entry that covers a host and path.
    pub fn find(&self, host: &Host, path: &str) -> Found<'_, T> {
        let (index, known) = self.index_of(host, path);
        match index.and_then(|index| self.values.get(index)) {
            Some(value) => Found::Match(value),
            None if known => Found::HostOnly,
            None => Found::None,
        }
    }

    /// The entry that covers a target, if every reading of it leads to the same one.
    pub fn route(&self, target: &Target) -> Routed<'_, T> {
        let (index, known) = self.index_of(target.host(), target.path());
        if let Some(second) = target.second_path()
            && self.index_of(target.host(), second).0 != index
        {
            return Routed::Ambiguous;
        }
        match index.and_then(|index| self.values.get(index)) {
            Some(value) => Routed::Match(value),
            None if known => Routed::HostOnly,
            None => Routed::None,
        }
    }

    /// Whether every path of a host leads to the same entry.
    pub fn is_uniform(&self, host: &Host) -> bool {
        let whole =
            |paths: &Paths| paths.whole_host.is_some() && paths.plain.is_empty() && paths.globs.is_empty();
        if let Some(paths) = self.exact.get(host.as_str()) {
            return whole(paths);
        }
        let (first, rest) = host.as_str().split_once('.').unwrap_or_default();
        let mut labels = self.wildcard.get(rest).into_iter().flatten();
        let covering = labels.find(|(label, _)| label.covers(first));
        covering.is_some_and(|(_, paths)| whole(paths))
    }

    /// The position of the entry, and whether the host is known at all.
    fn index_of(&self, host: &Host, path: &str) -> (Option<usize>, bool) {
        let host = host.as_str();
        let exact = self.exact.get(host);
        let found = exact.and_then(|paths| paths.find(path));
        if found.is_some() {
            return (found, true);
        }
        let mut known = exact.is_some();
        if let Some((first, rest)) = host.split_once('.')
            && let Some(labels) = self.wildcard.get(rest)
        {
            for (label, paths) in labels {
                if label.covers(first) {
                    known = true;
                    if let Some(index) = paths.find(path) {
                        return (Some(index), true);
                    }
                }
            }
        }
        (None, known)
    }
}

/// The paths of one host pattern.
#[derive(Debug, Clone, Default)]
struct Paths {
    /// As given, until [`Paths::arrange`] sorts them into the fields below.
    patterns: Vec<(Box<str>, usize)>,
    case_insensitive: bool,
    whole_host: Option<usize>,
    /// Paths without wildcard, which cover themselves and what is below.
    plain: HashMap<Box<str>, usize>,
    longest_plain: usize,
    /// The most specific first.
    globs: Vec<(PathGlob, usize)>,
}

impl Paths {
    fn arrange(&mut self) {
        for (pattern, index) in std::mem::take(&mut self.patterns) {
            let pattern: Box<str> = if self.case_insensitive {
                pattern.to_lowercase().into()
            } else {
                pattern
            };
            if pattern.is_empty() {
                self.whole_host.get_or_insert(index);
            } else if pattern.contains('*') {
                self.globs.push((PathGlob::new(&pattern), index));
            } else {
                self.longest_plain = self.longest_plain.max(pattern.len());
                self.plain.entry(pattern).or_insert(index);
            }
        }
        self.globs
            .sort_by_key(|(glob, _)| std::cmp::Reverse(glob.literals()));
    }

    fn find(&self, path: &str) -> Option<usize> {
        let folded;
        let path = if self.case_insensitive && !path.bytes().all(is_folded) {
            folded = path.to_lowercase();
            &folded
        } else {
            path
        };
        let (plain, given) = self
            .longest_plain(path)
            .map_or((self.whole_host, 0), |(index, given)| (Some(index), given));
        let glob = self
            .globs
            .iter()
            .take_while(|(glob, _)| glob.literals() > given)
            .find(|(glob, _)| glob.covers(path));
        glob.map(|&(_, index)| index).or(plain)
    }

    /// The longest plain path that covers `path`, and its length. A prefix ends where a segment ends.
    fn longest_plain(&self, path: &str) -> Option<(usize, usize)> {
        if self.plain.is_empty() {
            return None;
        }
        // Prefixes longer than every known path need no look: a path of many slashes costs no more than others.
        let mut end = path.len();
        loop {
            if end <= self.longest_plain
                && let Some(&index) = self.plain.get(path.get(..end)?)
            {
                return Some((index, end));
            }
            // Bytes, because the limit may fall into the middle of a character; a slash never does.
            let limit = end.min(self.longest_plain.saturating_add(1));
            let mut before = path.as_bytes().get(..limit)?.iter();
            end = before
                .rposition(|&byte| byte == b'/')
                .filter(|&slash| slash > 0)?;
        }
    }
}

fn is_folded(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_uppercase()
}

#[cfg(test)]
mod tests;
