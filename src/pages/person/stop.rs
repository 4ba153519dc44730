//! Stop: the third bounce between application and login within thirty seconds.

use http::StatusCode;

use super::action::Action;
use super::frame::{AppLabel, Frame};
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// A login that succeeds again and again without the application getting its cookie, stopped with the probable causes.
#[derive(Debug)]
pub struct Stop<'a> {
    /// The application.
    pub app: AppLabel<'a>,
    /// Where trying again starts.
    pub again: &'a str,
}

impl Stop<'_> {
    fn build(&self) -> Message<'_> {
        let cause = |text| Sentence::new(text).with("host", self.app.host);
        Message {
            badge: Some(Badge::Problem),
            title: Sentence::new(words::STOP_TITLE).with("app", self.app.name),
            paragraphs: vec![Sentence::new(words::STOP).with("host", self.app.host)],
            causes: words::STOP_CAUSES.iter().map(|text| cause(text)).collect(),
            actions: vec![Action::primary(Sentence::new(words::TRY_AGAIN), self.again)],
        }
    }
}

impl Page for Stop<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }

    fn code(&self) -> &'static str {
        "redirect_loop"
    }

    fn message(&self) -> String {
        self.build().title.plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}
