//! "Did you mean": the known word closest to one that is not known.

/// The closest of some words, if one is close: two slips at most, one in words of up to four letters. Spellings
/// that differ only in case, `-` and `_` count as the same, so that cloudflared's `noTLSVerify` finds its key.
pub(super) fn closest<'w>(written: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let written = plain(written);
    let allowed = if written.len() <= 4 { 1 } else { 2 };
    words
        .map(|word| (distance(&written, &plain(word)), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn plain(word: &str) -> Vec<char> {
    /// Longer words are no slips of ours, and the comparison is quadratic.
    const MAX_COMPARED: usize = 64;
    word.chars()
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .take(MAX_COMPARED)
        .collect()
}

/// Insertions, deletions and replacements from one word to the other (Levenshtein).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, a) in from.iter().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        let mut next = vec![left];
        for (b, &up) in to.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(a != b);
            left = replaced.min(up + 1).min(left + 1);
            diagonal = up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_other_spellings_find_their_word() {
        let words = ["session_duration", "no_tls_verify", "name", "domain"];
        for (written, found) in [
            ("sesion_duration", Some("session_duration")),
            ("noTLSVerify", Some("no_tls_verify")),
            ("nmae", None), // two slips in four letters
            ("nam", Some("name")),
            ("domian", Some("domain")),
            ("completely_else", None),
        ] {
            assert_eq!(closest(written, words.into_iter()), found, "{written}");
        }
    }
}
