//! Sign in: which identity provider?

use askama::Template;
use http::StatusCode;

use super::action::Href;
use super::assets::{self, Script};
use super::frame::{AppLabel, Frame, Shell};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// The choice between several identity providers, or the one step before the only one.
#[derive(Debug)]
pub struct Chooser<'a> {
    /// What the person is about to open; `None` on the auth host's own pages.
    pub app: Option<AppLabel<'a>>,
    /// The providers, in the order in which they are shown.
    pub choices: &'a [Choice<'a>],
}

/// A provider to sign in with.
#[derive(Debug)]
pub struct Choice<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where its button leads.
    pub href: &'a str,
    /// Whether this browser signed in with it the last time. At most one of the choices.
    pub last_used: bool,
}

impl Chooser<'_> {
    fn title(&self) -> Sentence<'_> {
        match self.app {
            Some(app) => Sentence::new(words::CHOOSER_TITLE).with("app", app.name),
            None => Sentence::new(words::CHOOSER_TITLE_BARE),
        }
    }

    fn paragraphs(&self) -> Vec<Sentence<'_>> {
        let host = self
            .app
            .map(|app| Sentence::new(words::CHOOSER_HOST).with("host", app.host));
        host.into_iter().collect()
    }
}

impl Page for Chooser<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "sign_in_required"
    }

    fn message(&self) -> String {
        self.title().plain()
    }

    fn script(&self) -> Script {
        Script::Chooser
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let view = View {
            shell: Shell::new(frame),
            title: self.title(),
            paragraphs: self.paragraphs(),
            choices: self.choices,
            last_used: words::CHOOSER_LAST_USED,
            script: assets::CHOOSER,
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/chooser.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: Sentence<'a>,
    paragraphs: Vec<Sentence<'a>>,
    choices: &'a [Choice<'a>],
    last_used: &'static str,
    script: &'static str,
}

impl<'a> Choice<'a> {
    fn link(&self) -> Href<'a> {
        Href::new(self.href)
    }
}
