//! The contrast of every pair of colours, recomputed from the stylesheet by the formula of WCAG 2.2 (relative
//! luminance and contrast ratio).

use std::collections::HashMap;

use super::super::assets::STYLE;

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
            let ratio = contrast(tokens[front], tokens[behind]);
            assert!(ratio >= least, "{scheme}: --{front} on --{behind} is {ratio:.2}");
        }
    }
}

#[test]
fn the_formula_is_that_of_the_standard() {
    assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 1e-9);
    // From the table of the visual language: #15191f on #ffffff is 17.6.
    assert!((contrast([0x15, 0x19, 0x1f], [255, 255, 255]) - 17.6).abs() < 0.05);
}

fn tokens(css: &str) -> HashMap<&str, [u8; 3]> {
    css.lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("--")?
                .strip_suffix(';')?
                .split_once(": #")
        })
        .map(|(name, hex)| {
            let channel = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (name, [channel(0), channel(2), channel(4)])
        })
        .collect()
}

fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(rgb: [u8; 3]) -> f64 {
    let [r, g, b] = rgb.map(|channel| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}
