//! The contrast of every pair of colours, recomputed from the stylesheet by the formula of WCAG 2.2 (relative
//! luminance and contrast ratio).

use std::collections::HashMap;

use super::super::assets::STYLE;
use crate::model::colour::Colour;

/// Text needs 4.5:1 (WCAG 2.2 SC 1.4.3).
const TEXT: f64 = 4.5;
/// Borders that make a control recognizable need 3:1 (SC 1.4.11).
const CONTROL: f64 = 3.0;

const PAIRS: [(&str, &str, f64); 26] = [
    ("text", "bg", TEXT),
    ("text", "surface", TEXT),
    ("text", "sunken", TEXT),
    ("muted", "bg", TEXT),
    ("muted", "surface", TEXT),
    ("muted", "sunken", TEXT),
    ("accent", "bg", TEXT),
    ("accent", "surface", TEXT),
    ("accent", "sunken", TEXT),
    ("accent-strong", "bg", TEXT),
    ("accent-strong", "surface", TEXT),
    ("accent-strong", "sunken", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("danger", "danger-bg", TEXT),
    ("danger", "bg", TEXT),
    ("danger", "surface", TEXT),
    ("ok", "ok-bg", TEXT),
    ("ok", "bg", TEXT),
    ("ok", "surface", TEXT),
    ("warn", "warn-bg", TEXT),
    ("warn", "bg", TEXT),
    ("warn", "surface", TEXT),
    ("control", "bg", CONTROL),
    ("control", "surface", CONTROL),
    ("control", "sunken", CONTROL),
];

#[test]
fn every_pair_of_colours_can_be_read_in_light_and_dark() {
    let (light, dark) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
    for (scheme, css) in [("light", light), ("dark", dark)] {
        let tokens = tokens(css);
        for (front, behind, least) in PAIRS {
            let ratio = tokens[front].contrast(tokens[behind]);
            assert!(ratio >= least, "{scheme}: --{front} on --{behind} is {ratio:.2}");
        }
    }
}

#[test]
fn the_formula_is_that_of_the_standard() {
    let contrast = |one: &str, other: &str| {
        let [one, other] = [one, other].map(|colour| colour.parse::<Colour>().unwrap());
        one.contrast(other)
    };
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    // From the table of the visual language: #15191f on #ffffff is 17.6.
    assert!((contrast("#15191f", "#ffffff") - 17.6).abs() < 0.05);
}

fn tokens(css: &str) -> HashMap<&str, Colour> {
    css.lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("--")?
                .strip_suffix(';')?
                .split_once(": ")
        })
        .filter(|(_, colour)| colour.starts_with('#'))
        .map(|(name, colour)| (name, colour.parse().unwrap()))
        .collect()
}
