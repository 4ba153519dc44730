//! The parameters of a request, read strictly: what two readers could take in two ways is refused.

use std::borrow::Cow;

/// Query parameters, each name once.
#[derive(Debug, Default)]
pub struct Query<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

/// Why a query string is refused. Answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryRefused {
    /// A name stands twice, or as a list (`code[]=`): which of the values counts is anybody's guess.
    #[error("a parameter is given more than once")]
    Repeated,
    /// More than anybody has a reason to send.
    #[error("too many parameters")]
    TooMany,
}

/// Entra sends six at most; analytics add a handful.
const MAX_PARAMETERS: usize = 40;

impl<'q> Query<'q> {
    /// Reads a query string as forms are read (`application/x-www-form-urlencoded`).
    pub fn parse(raw: Option<&'q str>) -> Result<Self, QueryRefused> {
        let mut pairs: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            if pairs.len() == MAX_PARAMETERS {
                return Err(QueryRefused::TooMany);
            }
            if name.contains('[') || pairs.iter().any(|(known, _)| *known == name) {
                return Err(QueryRefused::Repeated);
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter; an empty one counts as absent.
    pub fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.as_ref()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_empty_ones_are_absent() {
        let query = Query::parse(Some("state=a%2Bb&code=&x=1+2")).unwrap();
        assert_eq!(query.value("state"), Some("a+b"));
        assert_eq!(query.value("code"), None);
        assert_eq!(query.value("x"), Some("1 2"));
        assert_eq!(query.value("error"), None);
    }

    #[test]
    fn repeated_parameters_are_refused() {
        for raw in [
            "state=a&state=b&code=c",
            "code[]=a",
            "code%5B%5D=a",
            "st%61te=a&state=b",
        ] {
            assert_eq!(
                Query::parse(Some(raw)).unwrap_err(),
                QueryRefused::Repeated,
                "{raw}"
            );
        }
        let many = (0..=MAX_PARAMETERS)
            .map(|n| format!("p{n}=1"))
            .collect::<Vec<_>>();
        assert_eq!(
            Query::parse(Some(&many.join("&"))).unwrap_err(),
            QueryRefused::TooMany
        );
    }
}
