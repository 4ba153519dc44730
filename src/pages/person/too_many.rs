//! Too many requests that failed.

use http::StatusCode;

use super::frame::Frame;
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// Too many failures from one address (429).
#[derive(Debug, Clone, Copy)]
pub struct TooMany {
    /// Seconds until one more is heard.
    pub retry_after: u32,
}

impl Page for TooMany {
    fn status(&self) -> StatusCode {
        StatusCode::TOO_MANY_REQUESTS
    }

    fn code(&self) -> &'static str {
        "too_many_requests"
    }

    fn message(&self) -> String {
        words::TOO_MANY_TITLE.into()
    }

    fn retry_after(&self) -> Option<u32> {
        Some(self.retry_after)
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        Message {
            badge: Some(Badge::Problem),
            title: Sentence::new(words::TOO_MANY_TITLE),
            paragraphs: vec![Sentence::new(words::TOO_MANY)],
            causes: Vec::new(),
            actions: Vec::new(),
        }
        .html(frame)
    }
}
