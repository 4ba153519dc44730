//! Full sentences with named gaps. What fills a gap is escaped and isolated, so that neither markup nor writing
//! direction leaks out of a name.

use std::fmt;

use askama::filters::{Escaper as _, Html, HtmlSafe};

/// A sentence with its gaps filled. As `Display` it is HTML.
#[derive(Debug, Clone)]
pub(super) struct Sentence<'a> {
    text: &'a str,
    gaps: Vec<(&'static str, &'a str)>,
}

enum Part<'a> {
    Words(&'a str),
    Filled(&'a str),
}

impl<'a> Sentence<'a> {
    /// A sentence; `{name}` in it is a gap once [`Sentence::with`] fills it, and plain text otherwise.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            gaps: Vec::new(),
        }
    }

    /// Fills a gap.
    pub(super) fn with(mut self, gap: &'static str, value: &'a str) -> Self {
        self.gaps.push((gap, value));
        self
    }

    /// The sentence as plain text, for titles and for JSON.
    pub(super) fn plain(&self) -> String {
        let mut plain = String::new();
        self.each(|part| {
            let (Part::Words(text) | Part::Filled(text)) = part;
            plain.push_str(text);
            Ok(())
        })
        .map_or_else(|_| String::new(), |()| plain)
    }

    fn each(&self, mut take: impl FnMut(Part<'a>) -> fmt::Result) -> fmt::Result {
        let mut rest = self.text;
        while let Some((before, after)) = rest.split_once('{') {
            take(Part::Words(before))?;
            if let Some((value, beyond)) = self.gap_at(after) {
                take(Part::Filled(value))?;
                rest = beyond;
            } else {
                take(Part::Words("{"))?;
                rest = after;
            }
        }
        take(Part::Words(rest))
    }

    fn gap_at(&self, after_brace: &'a str) -> Option<(&'a str, &'a str)> {
        let (name, beyond) = after_brace.split_once('}')?;
        let (_, value) = self.gaps.iter().find(|(gap, _)| *gap == name)?;
        Some((value, beyond))
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.each(|part| match part {
            Part::Words(text) => Html.write_escaped_str(&mut *f, text),
            Part::Filled(value) => {
                f.write_str("<bdi>")?;
                Html.write_escaped_str(&mut *f, value)?;
                f.write_str("</bdi>")
            }
        })
    }
}

// `Display` escapes everything it did not write itself.
impl HtmlSafe for Sentence<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_gap_is_escaped_and_isolated() {
        let sentence = Sentence::new("You cannot open {app}.").with("app", "<b>R&D</b>");
        assert_eq!(
            sentence.to_string(),
            "You cannot open <bdi>&#60;b&#62;R&#38;D&#60;/b&#62;</bdi>."
        );
        assert_eq!(sentence.plain(), "You cannot open <b>R&D</b>.");
    }

    #[test]
    fn braces_of_a_value_open_no_gap() {
        let sentence = Sentence::new("{app} at {host}")
            .with("app", "{host}")
            .with("host", "wiki.example.com");
        assert_eq!(sentence.plain(), "{host} at wiki.example.com");
        assert_eq!(Sentence::new("a {b} {c").plain(), "a {b} {c");
    }
}
