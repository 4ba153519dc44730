//! JSON pointers (RFC 6901).

/// The place of `key` in the object at `place`. `~` and `/` in keys are escaped (§3).
pub fn below(place: &str, key: &str) -> String {
    format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_escaped() {
        assert_eq!(super::below("/a", "b/c~d"), "/a/b~1c~0d");
    }
}
