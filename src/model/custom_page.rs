//! Pages that an operator wrote, shown in place of ours.

use std::fmt;
use std::str::FromStr;

use super::ids::CustomPageId;

/// A page of the operator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomPage {
    /// Its id.
    pub id: CustomPageId,
    /// Its name.
    pub name: String,
    /// When it is shown.
    pub kind: CustomPageKind,
    /// What it says.
    pub html: CustomHtml,
}

/// When a page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CustomPageKind {
    /// To people who are refused for who they are.
    IdentityDenied,
    /// To whoever is refused for where the request comes from, or without signing in.
    Forbidden,
}

/// A text that names no such kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one of identity_denied and forbidden is needed; our own pages of other types cannot be replaced")]
pub struct CustomPageKindMalformed;

impl CustomPageKind {
    /// As the API has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdentityDenied => "identity_denied",
            Self::Forbidden => "forbidden",
        }
    }
}

impl FromStr for CustomPageKind {
    type Err = CustomPageKindMalformed;

    fn from_str(text: &str) -> Result<Self, CustomPageKindMalformed> {
        [Self::IdentityDenied, Self::Forbidden]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(CustomPageKindMalformed)
    }
}

/// HTML of an operator's: some of it, and not more than a page can be.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomHtml(Box<str>);

/// A text that is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a page of 1 to {} bytes is needed", CustomHtml::LONGEST)]
pub struct CustomHtmlMalformed;

impl CustomHtml {
    /// Bytes of a page. Pictures and type faces are better fetched by it than part of it: it is sent again each time.
    pub const LONGEST: usize = 128 * 1024;

    /// Stands for the request's id in a page, as in other custom pages of Cloudflare's.
    pub const REQUEST_ID: &'static str = "::RAY_ID::";

    /// The page for a request.
    pub fn with_request_id(&self, id: &str) -> String {
        self.0.replace(Self::REQUEST_ID, id)
    }
}

impl FromStr for CustomHtml {
    type Err = CustomHtmlMalformed;

    fn from_str(text: &str) -> Result<Self, CustomHtmlMalformed> {
        let fine = !text.trim().is_empty() && text.len() <= Self::LONGEST;
        fine.then(|| Self(text.into())).ok_or(CustomHtmlMalformed)
    }
}

impl fmt::Debug for CustomHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomHtml({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_some_text_and_not_too_much() {
        let page: CustomHtml = "<p>::RAY_ID:: and ::RAY_ID::</p>".parse().unwrap();
        assert_eq!(page.with_request_id("7"), "<p>7 and 7</p>");
        for text in [
            String::new(),
            " \n".to_owned(),
            "x".repeat(CustomHtml::LONGEST + 1),
        ] {
            assert!(text.parse::<CustomHtml>().is_err());
        }
        assert!("login".parse::<CustomPageKind>().is_err());
    }
}
