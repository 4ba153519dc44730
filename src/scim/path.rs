//! Where a PATCH operation works: `PATH` of RFC 7644 §3.5.2.

use std::fmt;
use std::str::FromStr;

use super::attribute::AttrPath;
use super::filter::{Filter, LONGEST};

/// A place in a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchPath {
    /// The attribute. Its sub-attribute stands behind the brackets, where there are brackets.
    pub attribute: AttrPath,
    /// Which elements of a list are meant.
    pub which: Option<Filter>,
}

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path cannot be read: {0}")]
pub struct PathMalformed(String);

impl FromStr for PatchPath {
    type Err = PathMalformed;

    fn from_str(text: &str) -> Result<Self, PathMalformed> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(PathMalformed("it is too long".to_owned()));
        }
        let Some((name, filter)) = text.split_once('[') else {
            let attribute = text.parse().map_err(malformed)?;
            return Ok(Self {
                attribute,
                which: None,
            });
        };
        let mut attribute: AttrPath = name.parse().map_err(malformed)?;
        if attribute.sub.is_some() {
            return Err(PathMalformed("brackets stand behind an attribute".to_owned()));
        }
        let (which, rest) = Filter::parse_bracketed(filter).map_err(malformed)?;
        if !rest.is_empty() {
            let sub: AttrPath = rest
                .strip_prefix('.')
                .ok_or_else(|| PathMalformed("a sub-attribute follows brackets, behind a dot".to_owned()))?
                .parse()
                .map_err(malformed)?;
            if sub.schema.is_some() || sub.sub.is_some() {
                return Err(PathMalformed("a sub-attribute has a plain name".to_owned()));
            }
            attribute.sub = Some(sub.name);
        }
        Ok(Self {
            attribute,
            which: Some(which),
        })
    }
}

fn malformed(error: impl fmt::Display) -> PathMalformed {
    PathMalformed(error.to_string())
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(which) = &self.which else {
            return write!(f, "{}", self.attribute);
        };
        let list = AttrPath {
            sub: None,
            ..self.attribute.clone()
        };
        write!(f, "{list}[{which}]")?;
        match &self.attribute.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_paths_that_entra_sends_are_read() {
        for text in [
            "active",
            "name.familyName",
            r#"emails[type eq "work"].value"#,
            r#"roles[primary eq "True"].display"#,
            r#"members[value eq "2819c223-7f76-453a-919d-413861904646"]"#,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            r#"addresses[type eq "work" and primary eq true].formatted"#,
            r#"emails[display eq "a]b"].value"#,
        ] {
            let path: PatchPath = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(path.to_string(), text);
        }
        for text in [
            "",
            "members[",
            "members[value eq ]",
            r#"members[value eq "x"]."#,
            r#"members[value eq "x"]x"#,
            r#"name.x[value eq "x"]"#,
            r#"emails[type eq "work"].a.b"#,
            "[value pr]",
        ] {
            assert!(text.parse::<PatchPath>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_read_is_written_again(text in r#"[a-c.:\[\] "eqpr]{0,40}|.{0,60}"#) {
            if let Ok(path) = text.parse::<PatchPath>() {
                prop_assert_eq!(path.to_string().parse::<PatchPath>().unwrap(), path);
            }
        }
    }
}
