//! Leave was asked for, and nobody has answered yet. The page looks again by itself.

use askama::Template;
use http::StatusCode;

use super::action::{Action, Href};
use super::frame::{AppLabel, Frame, Shell};
use super::message::Badge;
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// Waiting for leave.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// The application.
    pub app: AppLabel<'a>,
    /// When it was asked, such as `2026-11-26 09:30 UTC`.
    pub since: &'a str,
    /// Whether the relay has taken a mail to somebody who decides.
    pub mailed: bool,
    /// The application's own address, where the page goes on once there is an answer.
    pub again: &'a str,
}

/// Seconds between two looks.
const LOOK_AGAIN: u32 = 15;

impl<'a> Waiting<'a> {
    fn title(&self) -> Sentence<'a> {
        Sentence::new(words::WAITING_TITLE).with("app", self.app.name)
    }
}

impl Page for Waiting<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    fn code(&self) -> &'static str {
        "approval_pending"
    }

    fn message(&self) -> String {
        self.title().plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let told = if self.mailed {
            words::WAITING_MAILED
        } else {
            words::WAITING_LAUNCHER
        };
        let view = View {
            shell: Shell::new(frame),
            badge: Badge::Waiting,
            title: self.title(),
            paragraphs: vec![
                Sentence::new(words::WAITING_SINCE).with("since", self.since),
                Sentence::new(told),
                Sentence::new(words::WAITING_LOOKS),
            ],
            seconds: LOOK_AGAIN,
            again: Href::new(self.again),
            actions: vec![Action::primary(Sentence::new(words::WAITING_LOOK), self.again)],
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/waiting.html")]
struct View<'a> {
    shell: Shell<'a>,
    badge: Badge,
    title: Sentence<'a>,
    paragraphs: Vec<Sentence<'a>>,
    seconds: u32,
    again: Href<'a>,
    actions: Vec<Action<'a>>,
}
