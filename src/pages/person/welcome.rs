//! The page that people see before they sign in to the launcher, where the operator wrote one.

use askama::Template;
use http::StatusCode;

use super::action::Action;
use super::frame::{Frame, Shell};
use super::respond::Page;
use super::sentence::Sentence;
use super::wear::{self, Wear};
use super::words;
use crate::model::design::{LauncherDesign, SlotText};
use crate::model::web_address::WebAddress;

/// The launcher before the sign-in.
#[derive(Debug)]
pub struct LauncherWelcome<'a> {
    /// The organization's name.
    pub organization: &'a str,
    /// What the launcher wears.
    pub design: &'a LauncherDesign,
    /// Where the sign-in begins.
    pub next: &'a str,
}

impl<'a> LauncherWelcome<'a> {
    fn title(&self) -> Sentence<'a> {
        let welcome = self.design.welcome.as_ref();
        match welcome.and_then(|welcome| welcome.title.as_ref()) {
            Some(title) => Sentence::new("{title}").with("title", title.as_str()),
            None => Sentence::new(words::WELCOME_TITLE).with("organization", self.organization),
        }
    }
}

impl Page for LauncherWelcome<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "sign_in"
    }

    fn message(&self) -> String {
        self.title().plain()
    }

    fn images(&self) -> Vec<String> {
        let welcome = self.design.welcome.as_ref();
        let image = welcome.and_then(|welcome| welcome.image.as_ref());
        image.map(WebAddress::origin).into_iter().collect()
    }

    fn wear(&self) -> Wear<'_> {
        let behind = wear::launcher(self.design.background, self.design.header);
        let button = self.design.welcome.as_ref().and_then(wear::welcome);
        let style = behind.into_iter().chain(button).collect::<String>();
        Wear {
            style: Some(style).filter(|style| !style.is_empty()),
            logo: self.design.logo.as_ref(),
        }
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let welcome = self.design.welcome.as_ref();
        let message = welcome.and_then(|welcome| welcome.message.as_ref());
        let image = welcome.and_then(|welcome| welcome.image.as_ref());
        let view = View {
            shell: Shell::wearing(frame, &self.wear()),
            title: self.title(),
            message: message.map(SlotText::as_str),
            image: image.map(WebAddress::as_str),
            actions: vec![Action::primary(Sentence::new(words::WELCOME_GO), self.next)],
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/welcome.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: Sentence<'a>,
    message: Option<&'a str>,
    image: Option<&'a str>,
    actions: Vec<Action<'a>>,
}
