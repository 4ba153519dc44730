//! What pages wear of the operator's own: colours, a picture, texts.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::colour::Colour;
use super::web_address::WebAddress;

/// What every page of the gateway wears (Access: `login_design` of the organization). None of it need be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginDesign {
    /// The colour behind the page.
    pub background: Option<Colour>,
    /// The colour of what is written on it.
    pub text: Option<Colour>,
    /// A picture beside the organization's name.
    pub logo: Option<WebAddress>,
    /// A text above each page.
    pub header: Option<SlotText>,
    /// A text below each page.
    pub footer: Option<SlotText>,
}

impl LoginDesign {
    /// Nothing of one's own; a constant, so that it can be lent for as long as one likes.
    pub const PLAIN: Self = Self {
        background: None,
        text: None,
        logo: None,
        header: None,
        footer: None,
    };
}

/// What the launcher wears (Access: applications of type `app_launcher`). None of it need be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LauncherDesign {
    /// A picture in its header, in the place of the organization's.
    pub logo: Option<WebAddress>,
    /// The colour behind it.
    pub background: Option<Colour>,
    /// The colour of its header.
    pub header: Option<Colour>,
    /// Addresses at its foot.
    pub links: Vec<FooterLink>,
    /// The page before the sign-in; where absent, people sign in at once.
    pub welcome: Option<Welcome>,
}

/// An address at the foot of the launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FooterLink {
    /// What is written there.
    pub name: SlotText,
    /// Where it leads.
    pub address: WebAddress,
}

impl FooterLink {
    /// Most of them.
    pub const MOST: usize = 20;
}

/// The page that people see before they sign in to the launcher.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Welcome {
    /// Its title.
    pub title: Option<SlotText>,
    /// What it says.
    pub message: Option<SlotText>,
    /// A picture.
    pub image: Option<WebAddress>,
    /// The colour of its button.
    pub button: Option<Colour>,
    /// The colour of what is written on it.
    pub button_text: Option<Colour>,
}

/// A short plain text that an operator puts on pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlotText(Box<str>);

/// The longest such text, in bytes.
const LONGEST: usize = 1024;

/// A text that cannot be put there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plain text of at most {LONGEST} bytes is needed")]
pub struct SlotTextMalformed;

impl SlotText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SlotText {
    type Err = SlotTextMalformed;

    fn from_str(text: &str) -> Result<Self, SlotTextMalformed> {
        let plain = |c: char| !c.is_control() || c == '\n';
        if text.len() > LONGEST || !text.chars().all(plain) {
            return Err(SlotTextMalformed);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for SlotText {
    type Error = SlotTextMalformed;
    fn try_from(text: String) -> Result<Self, SlotTextMalformed> {
        text.parse()
    }
}

impl From<SlotText> for String {
    fn from(text: SlotText) -> String {
        text.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_for_pages_is_short_and_plain() {
        assert_eq!(
            "Call 7000\nor write".parse::<SlotText>().unwrap().as_str(),
            "Call 7000\nor write"
        );
        assert!(
            "<b>7000</b>".parse::<SlotText>().is_ok(),
            "pages escape what they show"
        );
        for text in ["\u{7}", "a\tb", "\u{1b}[0m", &"x".repeat(LONGEST + 1)] {
            assert_eq!(text.parse::<SlotText>(), Err(SlotTextMalformed), "{text:?}");
        }
    }
}
