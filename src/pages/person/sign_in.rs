//! Sign in first: the answer to a request that cannot follow a redirect to a login.

use http::StatusCode;

use super::action::Action;
use super::frame::{AppLabel, Frame};
use super::message::Message;
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// A sign-in is needed (401).
#[derive(Debug)]
pub struct SignIn<'a> {
    /// The application.
    pub app: AppLabel<'a>,
    /// Where the login starts.
    pub login: &'a str,
}

impl SignIn<'_> {
    fn build(&self) -> Message<'_> {
        Message {
            badge: None,
            title: Sentence::new(words::CHOOSER_TITLE).with("app", self.app.name),
            paragraphs: vec![Sentence::new(words::SIGN_IN).with("host", self.app.host)],
            causes: Vec::new(),
            actions: vec![Action::primary(Sentence::new(words::SIGN_IN_GO_ON), self.login)],
        }
    }
}

impl Page for SignIn<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::UNAUTHORIZED
    }

    fn code(&self) -> &'static str {
        "sign_in_required"
    }

    fn message(&self) -> String {
        self.build().title.plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}
