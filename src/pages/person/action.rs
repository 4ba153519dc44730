//! What a person can do next: a link that looks like a button, and where it may lead.

use std::fmt;

use askama::filters::{Escaper as _, Html, HtmlSafe};

use super::sentence::Sentence;

/// The address of a link. Only http, https and paths on the own host are ever written out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Href<'a>(&'a str);

impl<'a> Href<'a> {
    /// An address made by the gateway. One of any other scheme, which the gateway never makes, leads to `/`: the last
    /// wall against `javascript:` and its like.
    pub(super) fn new(address: &'a str) -> Self {
        let on_this_host = address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
        if on_this_host || address.starts_with("https://") || address.starts_with("http://") {
            Self(address)
        } else {
            Self("/")
        }
    }
}

impl fmt::Display for Href<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Html.write_escaped_str(f, self.0)
    }
}

// `Display` escapes.
impl HtmlSafe for Href<'_> {}

/// A button.
#[derive(Debug, Clone)]
pub(super) struct Action<'a> {
    pub(super) words: Sentence<'a>,
    pub(super) href: Href<'a>,
    /// The one act that most people want; at most one on a page.
    pub(super) primary: bool,
}

impl<'a> Action<'a> {
    pub(super) fn primary(words: Sentence<'a>, href: &'a str) -> Self {
        Self {
            words,
            href: Href::new(href),
            primary: true,
        }
    }

    pub(super) fn plain(words: Sentence<'a>, href: &'a str) -> Self {
        Self {
            words,
            href: Href::new(href),
            primary: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_never_leaves_http() {
        for address in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "//evil.example",
            "/\\evil.example",
            "",
        ] {
            assert_eq!(Href::new(address).to_string(), "/", "{address:?}");
        }
        assert_eq!(
            Href::new("https://a.example/?x=1&y=\"").to_string(),
            "https://a.example/?x=1&#38;y=&#34;"
        );
        assert_eq!(
            Href::new("/cdn-cgi/access/login").to_string(),
            "/cdn-cgi/access/login"
        );
    }
}
