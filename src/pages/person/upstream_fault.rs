//! The person was let in, but the application did not answer.

use http::StatusCode;

use super::frame::Frame;
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// What is wrong with an application's upstream. Each with the application's name.
#[derive(Debug, Clone, Copy)]
pub enum UpstreamFault<'a> {
    /// No connection (502).
    Unreachable(&'a str),
    /// An answer that is no HTTP, or one that broke off (502).
    BadAnswer(&'a str),
    /// No answer in time (504).
    TimedOut(&'a str),
    /// No upstream is configured (502).
    NotConfigured(&'a str),
}

impl<'a> UpstreamFault<'a> {
    fn build(&self) -> Message<'a> {
        let (app, what) = match *self {
            Self::Unreachable(app) => (app, words::UPSTREAM_UNREACHABLE),
            Self::BadAnswer(app) => (app, words::UPSTREAM_BAD_ANSWER),
            Self::TimedOut(app) => (app, words::UPSTREAM_TIMED_OUT),
            Self::NotConfigured(app) => (app, words::UPSTREAM_NOT_CONFIGURED),
        };
        let mend = match self {
            Self::NotConfigured(_) => words::ASK_ADMINISTRATOR,
            _ => words::TRY_LATER,
        };
        Message {
            badge: Some(Badge::Problem),
            title: Sentence::new(words::UPSTREAM_TITLE).with("app", app),
            paragraphs: vec![Sentence::new(what).with("app", app), Sentence::new(mend)],
            causes: Vec::new(),
            actions: Vec::new(),
        }
    }
}

impl Page for UpstreamFault<'_> {
    fn status(&self) -> StatusCode {
        match self {
            Self::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Unreachable(_) | Self::BadAnswer(_) | Self::NotConfigured(_) => StatusCode::BAD_GATEWAY,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "upstream_unreachable",
            Self::BadAnswer(_) => "upstream_bad_answer",
            Self::TimedOut(_) => "upstream_timed_out",
            Self::NotConfigured(_) => "upstream_not_configured",
        }
    }

    fn message(&self) -> String {
        self.build().title.plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}
