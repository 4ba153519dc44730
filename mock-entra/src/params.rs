//! Parameters of a request: `application/x-www-form-urlencoded`, in the query or in the body.

use std::collections::BTreeMap;

/// Parameters by name. Microsoft refuses a name that occurs twice, so the first repetition is remembered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params {
    values: BTreeMap<String, String>,
    repeated: Option<String>,
}

impl Params {
    /// Reads an encoded text.
    pub(crate) fn parse(encoded: &str) -> Self {
        let mut params = Self::default();
        params.add(encoded);
        params
    }

    /// Reads a further encoded text into the same parameters.
    pub(crate) fn add(&mut self, encoded: &str) {
        for (name, value) in url::form_urlencoded::parse(encoded.as_bytes()) {
            if self
                .values
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some()
            {
                self.repeated.get_or_insert(name.into_owned());
            }
        }
    }

    /// The value of a parameter; an empty one counts as absent (RFC 6749 §3.1).
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The name of a parameter that occurs twice.
    pub(crate) fn repeated(&self) -> Option<&str> {
        self.repeated.as_deref()
    }
}
