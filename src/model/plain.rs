//! Text that people are shown: characters that are not seen themselves and change how the rest is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The first character of a text that is not seen and changes how the rest is shown: a control character (escape sequences
/// of terminals begin with one), an end of a line, or a control of the direction of writing
/// (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
pub fn unseen(text: &str) -> Option<char> {
    text.chars().find(|character| is_unseen(*character))
}

fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// A text on one line, as it is: what is unseen stands as `\u001b`, as JSON would write it.
pub fn visible(text: &str) -> Cow<'_, str> {
    written(text, is_unseen)
}

/// The same for a text of several lines.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    written(text, |character| character != '\n' && is_unseen(character))
}

fn written(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hidden(character) {
            let _ = write!(written, "\\u{:04x}", u32::from(character)); // writing to a String cannot fail
        } else {
            written.push(character);
        }
    }
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_found_and_written_out() {
        for (text, found, shown) in [
            (
                "Wiki \u{2014} Z\u{f6}e \u{1f600}",
                None,
                "Wiki \u{2014} Z\u{f6}e \u{1f600}",
            ),
            ("a\u{1b}[2Kb", Some('\u{1b}'), "a\\u001b[2Kb"),
            ("a\nb", Some('\n'), "a\\u000ab"),
            ("a\0", Some('\0'), "a\\u0000"),
            ("\u{9b}31m", Some('\u{9b}'), "\\u009b31m"),
            ("a\u{202e}b", Some('\u{202e}'), "a\\u202eb"),
            ("a\u{2067}", Some('\u{2067}'), "a\\u2067"),
        ] {
            assert_eq!((unseen(text), &*visible(text)), (found, shown));
        }
        assert_eq!(visible_lines("a\nb\u{1b}\n"), "a\nb\\u001b\n");
    }
}
