//! Query parameters of the API.

use std::borrow::Cow;

use super::error::ApiError;

/// Parameters read of one request. More is no client of ours.
const MOST: usize = 200;
/// The longest value, in bytes.
const LONGEST: usize = 4096;

/// The parameters, in order; a list is a key that stands several times.
#[derive(Debug, Default)]
pub(super) struct Query<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Query<'q> {
    pub(super) fn parse(text: Option<&'q str>) -> Result<Self, ApiError> {
        let pairs = url::form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        let pairs: Vec<_> = pairs.take(MOST + 1).collect();
        if pairs.len() > MOST || pairs.iter().any(|(_, value)| value.len() > LONGEST) {
            return Err(ApiError::invalid("the query is too long"));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter that stands once; the empty one counts as absent.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value.as_ref())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u32>, ApiError> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| ApiError::invalid(format!("{key} must be a whole number")))
        };
        self.value(key).map(parse).transpose()
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.value(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::invalid(format!("{key} must be true or false"))),
        }
    }
}
