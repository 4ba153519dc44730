//! The gateway itself cannot answer now.

use http::StatusCode;

use super::action::Action;
use super::frame::Frame;
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// A part of the gateway is missing for the moment (503).
#[derive(Debug, Clone, Copy)]
pub enum Unavailable<'a> {
    /// The store does not answer. With where trying again starts.
    Store(Option<&'a str>),
    /// More requests wait for the control plane than may.
    Busy,
}

/// Long enough for a restart or a fail-over of the store, short enough to be waited for.
const RETRY_AFTER: u32 = 10;

impl<'a> Unavailable<'a> {
    fn build(&self) -> Message<'a> {
        let (what, again) = match *self {
            Self::Store(again) => (words::STORE_UNAVAILABLE, again),
            Self::Busy => (words::BUSY, None),
        };
        let again = again.map(|href| Action::primary(Sentence::new(words::TRY_AGAIN), href));
        Message {
            badge: Some(Badge::Problem),
            title: Sentence::new(words::UNAVAILABLE_TITLE),
            paragraphs: vec![Sentence::new(what), Sentence::new(words::TRY_LATER)],
            causes: Vec::new(),
            actions: again.into_iter().collect(),
        }
    }
}

impl Page for Unavailable<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store_unavailable",
            Self::Busy => "busy",
        }
    }

    fn message(&self) -> String {
        words::UNAVAILABLE_TITLE.into()
    }

    fn retry_after(&self) -> Option<u32> {
        Some(RETRY_AFTER)
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}
