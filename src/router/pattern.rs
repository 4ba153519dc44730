//! Patterns of hosts and paths: which addresses one covers, and which of two is more specific.

/// A text with at most one wildcard, as in the first label of `*test.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelPattern {
    before: Box<str>,
    after: Box<str>,
}

impl LabelPattern {
    /// `None` where the label has no `*`.
    pub(super) fn parse(label: &str) -> Option<Self> {
        let (before, after) = label.split_once('*')?;
        Some(Self {
            before: before.into(),
            after: after.into(),
        })
    }

    pub(super) fn covers(&self, label: &str) -> bool {
        label.len() >= self.literals() && label.starts_with(&*self.before) && label.ends_with(&*self.after)
    }

    /// How many characters are given: the measure of being specific.
    pub(super) fn literals(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

/// A path with wildcards. `*` stands for any characters, slashes included (Access: `foo*/bar` may span segments), and
/// what lies below the pattern is covered too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathGlob {
    pattern: Box<str>,
}

impl PathGlob {
    pub(super) fn new(pattern: &str) -> Self {
        Self {
            pattern: pattern.into(),
        }
    }

    /// How many characters are given.
    pub(super) fn literals(&self) -> usize {
        self.pattern.len() - self.pattern.matches('*').count()
    }

    pub(super) fn covers(&self, path: &str) -> bool {
        let (pattern, path) = (self.pattern.as_bytes(), path.as_bytes());
        // The last `*` met, and how much of the path it has taken so far: one place to come back to is enough.
        let mut retry: Option<(usize, usize)> = None;
        let (mut at, mut reached) = (0, 0);
        loop {
            let given = pattern.get(at);
            match path.get(reached) {
                // The whole pattern is used up at the end of a segment: the rest lies below it.
                None | Some(b'/') if given.is_none() => return true,
                Some(_) if given == Some(&b'*') => {
                    retry = Some((at + 1, reached));
                    at += 1;
                }
                Some(byte) if given == Some(byte) => {
                    at += 1;
                    reached += 1;
                }
                None => {
                    return pattern
                        .get(at..)
                        .is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'));
                }
                Some(_) => {
                    let Some((after_star, taken)) = retry else {
                        return false;
                    };
                    retry = Some((after_star, taken + 1));
                    (at, reached) = (after_star, taken + 1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_wildcard_stands_for_any_characters_of_the_label() {
        for (pattern, label, covers) in [
            ("*", "wiki", true),
            ("*test", "test", true),
            ("*test", "alphatest", true),
            ("*test", "tester", false),
            ("test*", "test-1", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
        ] {
            assert_eq!(
                LabelPattern::parse(pattern).unwrap().covers(label),
                covers,
                "{pattern} {label}"
            );
        }
    }

    #[test]
    fn a_path_wildcard_may_span_segments_and_covers_what_is_below() {
        for (pattern, path, covers) in [
            ("/alpha/*", "/alpha", false),
            ("/alpha/*", "/alpha/", true),
            ("/alpha/*", "/alpha/one/two", true),
            ("/foo*/bar", "/foo/bar", true),
            ("/foo*/bar", "/foo1/x/bar", true),
            ("/foo*/bar", "/foo1/x/bar/below", true),
            ("/foo*/bar", "/foo1/x/barrel", false),
            ("/foo*/bar", "/foo/barrel/bar", true),
            ("/a*", "/a", true),
            ("/a*", "/b", false),
            ("/*/admin", "/x/y/admin", true),
            ("/*/admin", "/admin", false),
            ("/*.php", "/x/y.php", true),
            ("/*.php", "/x/y.phps", false),
        ] {
            assert_eq!(PathGlob::new(pattern).covers(path), covers, "{pattern} {path}");
        }
    }
}
