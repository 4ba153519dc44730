//! A request that no browser sends by itself.

use http::StatusCode;

use super::frame::Frame;
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// A request the gateway does not take.
#[derive(Debug, Clone, Copy)]
pub enum BadRequest<'a> {
    /// Malformed (400), and in which respect.
    Malformed(&'a str),
    /// A method that is not served here (405), with those that are (RFC 9110 §15.5.6).
    Method(&'static str),
    /// Another site asked for what only the person may ask for (403).
    CrossSite,
    /// A host that takes certificates was asked over a connection that was not asked for any (421, RFC 9110 §15.5.20).
    Misdirected(&'a str),
    /// A body longer than is read (413).
    TooLong,
    /// A body that took too long to come (408).
    TooSlow,
}

impl BadRequest<'_> {
    fn build(&self) -> Message<'_> {
        let (title, what) = match self {
            Self::Malformed(reason) => (
                words::MALFORMED_TITLE,
                Sentence::new(words::MALFORMED).with("reason", reason),
            ),
            Self::Method(_) => (words::METHOD_TITLE, Sentence::new(words::METHOD)),
            Self::CrossSite => (words::CROSS_SITE_TITLE, Sentence::new(words::CROSS_SITE)),
            Self::Misdirected(host) => (
                words::MISDIRECTED_TITLE,
                Sentence::new(words::MISDIRECTED).with("host", host),
            ),
            Self::TooLong => (words::TOO_LONG_TITLE, Sentence::new(words::TOO_LONG)),
            Self::TooSlow => (words::TOO_SLOW_TITLE, Sentence::new(words::TOO_SLOW)),
        };
        Message {
            badge: Some(Badge::Problem),
            title: Sentence::new(title),
            paragraphs: vec![what],
            causes: Vec::new(),
            actions: Vec::new(),
        }
    }
}

impl Page for BadRequest<'_> {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Method(allowed) => Some(allowed),
            _ => None,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "bad_request",
            Self::Method(_) => "method_not_allowed",
            Self::CrossSite => "cross_site_request",
            Self::Misdirected(_) => "misdirected_request",
            Self::TooLong => "content_too_large",
            Self::TooSlow => "request_timeout",
        }
    }

    fn message(&self) -> String {
        self.build()
            .paragraphs
            .first()
            .map(Sentence::plain)
            .unwrap_or_default()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}
