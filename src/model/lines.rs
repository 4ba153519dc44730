//! Many short texts that are searched at once.

use memchr::memmem;

/// Texts in one piece of memory, each between two NULs, which none of them has.
#[derive(Debug)]
pub struct Lines {
    text: Vec<u8>,
    /// Where each begins.
    begins: Vec<usize>,
}

impl Lines {
    /// These texts. A NUL in one of them is left out.
    pub fn of(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let (mut text, mut begins) = (vec![0], Vec::new());
        for one in texts {
            begins.push(text.len());
            text.extend(one.as_ref().bytes().filter(|byte| *byte != 0));
            text.push(0);
        }
        Self { text, begins }
    }

    /// The numbers of those that contain a text, from 0, in order.
    pub fn containing(&self, part: &str) -> Vec<usize> {
        self.with(part).collect()
    }

    /// The same, found one after the other.
    pub fn with(&self, part: &str) -> impl Iterator<Item = usize> + use<'_> {
        let all = part.is_empty().then_some(0..self.begins.len());
        let some = (!part.is_empty() && !part.contains('\0')).then(|| self.found(part.as_bytes(), 0));
        all.into_iter().flatten().chain(some.into_iter().flatten())
    }

    /// The numbers of those that are this text.
    pub fn equal_to(&self, whole: &str) -> Vec<usize> {
        if whole.contains('\0') {
            return Vec::new();
        }
        self.found(format!("\0{whole}\0").as_bytes(), 1).collect()
    }

    /// `ahead` bytes of what is wanted stand in front of the text that is found.
    fn found(&self, wanted: &[u8], ahead: usize) -> Found<'_> {
        Found {
            lines: self,
            finder: memmem::Finder::new(wanted).into_owned(),
            ahead,
            from: 0,
            next: 0,
        }
    }

    /// How many texts begin at this place or before, where `least` do.
    fn begun(&self, place: usize, least: usize) -> usize {
        // Mostly it is one of the next few: of what is found often, none is searched for among all.
        let mut step = 1;
        while self.begins.get(least + step).is_some_and(|begin| *begin <= place) {
            step *= 2;
        }
        let end = self.begins.len().min(least + step);
        let some = self.begins.get(least..end).unwrap_or_default();
        least + some.partition_point(|begin| *begin <= place)
    }
}

/// Texts that are found, one after the other.
struct Found<'l> {
    lines: &'l Lines,
    finder: memmem::Finder<'static>,
    ahead: usize,
    /// Where the search goes on.
    from: usize,
    /// The text that begins there.
    next: usize,
}

impl Iterator for Found<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let rest = self.lines.text.get(self.from..)?;
        let place = self.from + self.finder.find(rest)? + self.ahead;
        self.next = self.lines.begun(place, self.next);
        // The NUL behind this text is the one in front of the next.
        self.from = match self.lines.begins.get(self.next) {
            Some(begin) => begin - 1,
            None => self.lines.text.len(),
        };
        self.next.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_found_as_one_by_one(texts in prop::collection::vec("[ab]{0,3}", 0..8), part in "[ab]{0,3}") {
            let lines = Lines::of(&texts);
            let those = |wanted: &dyn Fn(&String) -> bool| -> Vec<usize> {
                (0..texts.len()).filter(|number| wanted(&texts[*number])).collect()
            };
            prop_assert_eq!(lines.containing(&part), those(&|text| text.contains(&part)));
            prop_assert_eq!(lines.equal_to(&part), those(&|text| *text == part));
        }
    }

    #[test]
    fn nothing_is_found_across_two_texts() {
        let lines = Lines::of(["ab", "cd"]);
        assert!(lines.containing("b\0c").is_empty() && lines.equal_to("ab\0cd").is_empty());
    }
}
