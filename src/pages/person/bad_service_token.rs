//! A service token that opens nothing.

use http::StatusCode;

use super::frame::Frame;
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// The credentials of a machine are not good (401). Why is not said: to whoever tries, every reason looks the same.
#[derive(Debug, Clone, Copy)]
pub struct BadServiceToken;

impl Page for BadServiceToken {
    fn status(&self) -> StatusCode {
        StatusCode::UNAUTHORIZED
    }

    fn code(&self) -> &'static str {
        "bad_service_token"
    }

    fn message(&self) -> String {
        words::BAD_SERVICE_TOKEN.into()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        Message {
            badge: Some(Badge::Refused),
            title: Sentence::new(words::BAD_SERVICE_TOKEN_TITLE),
            paragraphs: vec![Sentence::new(words::BAD_SERVICE_TOKEN)],
            causes: Vec::new(),
            actions: Vec::new(),
        }
        .html(frame)
    }
}
