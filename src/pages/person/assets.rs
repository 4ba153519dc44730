//! The style and the three small scripts, with the hashes by which the Content-Security-Policy knows them.
//!
//! They stand inline, so that a page works on any application's host and asks nothing of any other.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::crypto::digest::sha256;

/// The stylesheet of all pages.
pub(in crate::pages) const STYLE: &str = include_str!("../../../templates/static/style.css");

/// Keeps the fragment, then goes on.
pub(super) const CARRY: &str = include_str!("../../../templates/static/carry.js");

/// Gives the fragment back, then goes on.
pub(super) const LANDING: &str = include_str!("../../../templates/static/landing.js");

/// Hands the fragment on to the page that keeps it.
pub(super) const CHOOSER: &str = include_str!("../../../templates/static/chooser.js");

/// Which script a page carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// None, like nearly all pages.
    None,
    /// The one of the choice between identity providers.
    Chooser,
    /// The one of the page that leaves for the identity provider.
    Carry,
    /// The one of the page that comes back.
    Landing,
}

/// Who may show a page in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ancestors<'a> {
    /// Nobody.
    None,
    /// This origin: the identity provider's sign-out page loads ours in an `iframe`.
    Origin(&'a str),
}

/// Origins of pictures that a policy names; of more it names none.
const ORIGINS_NAMED: usize = 20;

/// The Content-Security-Policy of a page. `own_style` are the operator's colours; `images` are the origins that pictures
/// come from, besides the page's own data.
pub(in crate::pages) fn content_security_policy(
    script: Script,
    images: &[String],
    ancestors: Ancestors<'_>,
    own_style: Option<&str>,
) -> String {
    static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| source(STYLE));
    static CHOOSER_SOURCE: LazyLock<String> = LazyLock::new(|| source(CHOOSER));
    static CARRY_SOURCE: LazyLock<String> = LazyLock::new(|| source(CARRY));
    static LANDING_SOURCE: LazyLock<String> = LazyLock::new(|| source(LANDING));

    let own_style = own_style.map(source).unwrap_or_default();
    let style = format!("{} {own_style}", STYLE_SOURCE.as_str());
    let style = style.trim_end();
    let script = match script {
        Script::None => "'none'",
        Script::Chooser => CHOOSER_SOURCE.as_str(),
        Script::Carry => CARRY_SOURCE.as_str(),
        Script::Landing => LANDING_SOURCE.as_str(),
    };
    let ancestors = match ancestors {
        Ancestors::None => "'none'",
        Ancestors::Origin(origin) => origin,
    };
    // A proxy in front takes some kilobytes of headers and no more.
    let images: Vec<&str> = match images {
        [..] if images.len() > ORIGINS_NAMED => vec!["data:", "https:"],
        _ => std::iter::once("data:")
            .chain(images.iter().map(String::as_str))
            .collect(),
    };
    let images = images.join(" ");
    format!(
        "default-src 'none'; style-src {style}; script-src {script}; img-src {images}; \
         base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
    )
}

/// A hash source (CSP Level 3 §2.3.1).
fn source(inline: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(sha256(inline.as_bytes())))
}
