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
        if part.is_empty() {
            return (0..self.begins.len()).collect();
        }
        if part.contains('\0') {
            return Vec::new();
        }
        self.found(part.as_bytes(), 0)
    }

    /// The numbers of those that are this text.
    pub fn equal_to(&self, whole: &str) -> Vec<usize> {
        if whole.contains('\0') {
            return Vec::new();
        }
        self.found(format!("\0{whole}\0").as_bytes(), 1)
    }

    /// `ahead` bytes of what is wanted stand in front of the text that is found.
    fn found(&self, wanted: &[u8], ahead: usize) -> Vec<usize> {
        let finder = memmem::Finder::new(wanted);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = self.text.get(from..).and_then(|rest| finder.find(rest)) {
            let next = self.begins.partition_point(|begin| *begin <= from + at + ahead);
            found.extend(next.checked_sub(1));
            match self.begins.get(next) {
                // The NUL behind this text is the one in front of the next.
                Some(begin) => from = begin - 1,
                None => break,
            }
        }
        found
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
