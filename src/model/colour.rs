//! Colours that operators choose for pages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A colour, written `#rrggbb` or `#rgb`. Nothing else is one: it goes into a stylesheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour([u8; 3]);

/// A text that is no colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a colour such as #1f5fbf is needed")]
pub struct ColourMalformed;

/// The contrast that text needs (WCAG 2.2 SC 1.4.3).
const LEGIBLE: f64 = 4.5;

impl Colour {
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// White.
    pub const WHITE: Self = Self([255; 3]);

    /// A colour that can be read on this one: the one that was wanted where it can be, else black or white. One of the
    /// two always can.
    #[must_use]
    pub fn text(self, wanted: Option<Self>) -> Self {
        let legible = wanted.filter(|wanted| self.contrast(*wanted) >= LEGIBLE);
        legible.unwrap_or_else(|| {
            if self.contrast(Self::BLACK) >= self.contrast(Self::WHITE) {
                Self::BLACK
            } else {
                Self::WHITE
            }
        })
    }

    /// The contrast of two colours, from 1 to 21 (WCAG 2.2, contrast ratio).
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl FromStr for Colour {
    type Err = ColourMalformed;

    fn from_str(text: &str) -> Result<Self, ColourMalformed> {
        let digits = text.strip_prefix('#').ok_or(ColourMalformed)?;
        let digit = |digit: char| u8::try_from(digit.to_digit(16)?).ok();
        let digits: Option<Vec<u8>> = digits.chars().map(digit).collect();
        match digits.as_deref() {
            Some(&[red, green, blue]) => Ok(Self([red, green, blue].map(|digit| digit * 17))),
            Some(&[r, ed, g, reen, b, lue]) => Ok(Self([r * 16 + ed, g * 16 + reen, b * 16 + lue])),
            _ => Err(ColourMalformed),
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl TryFrom<String> for Colour {
    type Error = ColourMalformed;
    fn try_from(text: String) -> Result<Self, ColourMalformed> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> String {
        colour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_digits_and_nothing_else() {
        assert_eq!("#1F5fbf".parse::<Colour>().unwrap().to_string(), "#1f5fbf");
        assert_eq!("#abc".parse::<Colour>().unwrap().to_string(), "#aabbcc");
        for other in [
            "",
            "#",
            "red",
            "#1f5fb",
            "1f5fbf",
            "#1f5fbf;",
            "#1f5fbg",
            "#\u{661}\u{661}\u{661}",
            "url(x)",
            " #abc",
        ] {
            assert_eq!(other.parse::<Colour>(), Err(ColourMalformed), "{other}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_on_whatever_colour() {
        let colour = |text: &str| text.parse::<Colour>().unwrap();
        assert_eq!(colour("#102030").text(Some(colour("#fafafa"))), colour("#fafafa"));
        // Grey on grey becomes black or white.
        assert_eq!(colour("#808080").text(Some(colour("#858585"))), Colour::BLACK);
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let behind = Colour([red, green, blue]);
                    assert!(behind.contrast(behind.text(None)) >= LEGIBLE, "{behind}");
                }
            }
        }
    }
}
