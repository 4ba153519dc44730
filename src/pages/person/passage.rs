//! The two pages of the passage through the identity provider. They keep the part of the address after `#`, which no
//! server ever sees and which the redirects there and back would lose.

use askama::Template;
use http::StatusCode;

use super::action::Href;
use super::assets::{self, Script};
use super::frame::{AppLabel, Frame, Shell};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// Leaves for the identity provider.
#[derive(Debug)]
pub struct Carry<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// What the person is about to open.
    pub app: Option<AppLabel<'a>>,
    /// The name of this passage, under which the browser keeps the fragment; [`Landing`] gives the same.
    pub flow: &'a str,
    /// The provider's address.
    pub next: &'a str,
    /// Whether the address asked for was too long to be kept.
    pub path_dropped: bool,
}

/// Comes back from it.
#[derive(Debug)]
pub struct Landing<'a> {
    /// What the person is about to open.
    pub app: Option<AppLabel<'a>>,
    /// The name of this passage.
    pub flow: &'a str,
    /// Where the server sends the person; the fragment is added to it.
    pub next: &'a str,
}

impl Page for Carry<'_> {
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
        Script::Carry
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let back = match self.app {
            Some(app) => Sentence::new(words::CARRY_BACK).with("app", app.name),
            None => Sentence::new(words::CARRY_BACK_BARE),
        };
        let dropped = self.path_dropped.then(|| Sentence::new(words::PATH_DROPPED));
        let kept = Sentence::new(words::CARRY_KEPT);
        let view = View {
            shell: Shell::new(frame),
            title: self.title(),
            paragraphs: [back, kept].into_iter().chain(dropped).collect(),
            next: Href::new(self.next),
            flow: self.flow,
            action: Sentence::new(words::CARRY_GO_ON).with("provider", self.provider),
            script: assets::CARRY,
        };
        view.render()
    }
}

impl Carry<'_> {
    fn title(&self) -> Sentence<'_> {
        Sentence::new(words::CARRY_TITLE).with("provider", self.provider)
    }
}

impl Page for Landing<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "signed_in"
    }

    fn message(&self) -> String {
        words::LANDING_TITLE.into()
    }

    fn script(&self) -> Script {
        Script::Landing
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let (going, action) = match self.app {
            Some(app) => (
                Sentence::new(words::LANDING_GOING).with("app", app.name),
                Sentence::new(words::LANDING_GO_ON).with("app", app.name),
            ),
            None => (
                Sentence::new(words::LANDING_GOING_BARE),
                Sentence::new(words::LANDING_GO_ON_BARE),
            ),
        };
        let view = View {
            shell: Shell::new(frame),
            title: Sentence::new(words::LANDING_TITLE),
            paragraphs: vec![going],
            next: Href::new(self.next),
            flow: self.flow,
            action,
            script: assets::LANDING,
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/passage.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: Sentence<'a>,
    paragraphs: Vec<Sentence<'a>>,
    next: Href<'a>,
    flow: &'a str,
    action: Sentence<'a>,
    script: &'static str,
}
