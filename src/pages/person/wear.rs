//! What a page wears of the operator's own: a stylesheet of colours, a picture in the header.
//!
//! Colours are digits and nothing else ([`Colour`]), so nothing of an operator's text stands in a stylesheet. What stands
//! on the middle of a page keeps our colours, and what is written outside is legible on whatever was chosen.

use std::fmt::Write as _;

use crate::model::colour::Colour;
use crate::model::design::{LoginDesign, Welcome};
use crate::model::web_address::WebAddress;

/// What one page wears besides what all of them do.
#[derive(Debug, Default)]
pub struct Wear<'a> {
    /// Rules that follow ours.
    pub(super) style: Option<String>,
    /// The picture in the header, in the place of the organization's.
    pub(super) logo: Option<&'a WebAddress>,
}

/// What every page wears.
pub(super) fn login(design: &LoginDesign) -> Option<String> {
    let (background, text) = match (design.background, design.text) {
        (None, None) => return None,
        (Some(background), text) => (background, background.text(text)),
        // What is behind is ours, light or dark: where only the text is chosen, it brings its own.
        (None, Some(text)) => (text.text(None), text),
    };
    Some(behind(background, text))
}

/// What the launcher wears.
pub(super) fn launcher(background: Option<Colour>, header: Option<Colour>) -> Option<String> {
    let mut style = String::new();
    if let Some(background) = background {
        style.push_str(&behind(background, background.text(None)));
    }
    if let Some(header) = header {
        let text = header.text(None);
        // Writing to a String cannot fail.
        let _ = write!(
            style,
            ".brand{{background:{header};color:{text};padding:12px 16px;border-radius:10px}}.brand svg{{color:{text}}}"
        );
    }
    (!style.is_empty()).then_some(style)
}

/// What the page before the sign-in to the launcher wears.
pub(super) fn welcome(welcome: &Welcome) -> Option<String> {
    let (button, text) = match (welcome.button, welcome.button_text) {
        (None, None) => return None,
        (Some(button), text) => (button, button.text(text)),
        (None, Some(text)) => (text.text(None), text),
    };
    Some(format!(
        ".button.primary,.button.primary:hover{{border-color:var(--control);background:{button};color:{text}}}"
    ))
}

fn behind(background: Colour, text: Colour) -> String {
    format!(
        "body{{background:{background};color:{text}}}main{{color:var(--text)}}.brand svg,footer{{color:{text}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_colour_brings_one_that_can_be_read_with_it() {
        let style = |background: Option<&str>, text: Option<&str>| {
            let colour = |text: &str| text.parse().unwrap();
            login(&LoginDesign {
                background: background.map(colour),
                text: text.map(colour),
                ..LoginDesign::PLAIN
            })
        };
        assert_eq!(style(None, None), None);
        for (background, text, begins) in [
            (Some("#000"), None, "body{background:#000000;color:#ffffff}"),
            (None, Some("#123"), "body{background:#ffffff;color:#112233}"),
            (
                Some("#eee"),
                Some("#333"),
                "body{background:#eeeeee;color:#333333}",
            ),
            (
                Some("#eee"),
                Some("#ddd"),
                "body{background:#eeeeee;color:#000000}",
            ),
        ] {
            let style = style(background, text).unwrap();
            assert!(style.starts_with(begins), "{style}");
        }
    }
}
