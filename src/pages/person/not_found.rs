//! Nothing is here: an unknown host, path, application or page.

use http::StatusCode;

use super::frame::Frame;
use super::message::Message;
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// What was not found.
#[derive(Debug, Clone, Copy)]
pub enum NotFound<'a> {
    /// No application has this host.
    Host(&'a str),
    /// The host has applications, but none covers the path: 403, since nothing unmatched is let through.
    Path(&'a str),
    /// The login was asked for an application that does not exist.
    Application,
    /// The auth host has no such page.
    Page,
}

impl NotFound<'_> {
    fn build(&self) -> Message<'_> {
        let (title, what) = match self {
            Self::Host(host) => (
                words::NO_HOST_TITLE,
                Sentence::new(words::NO_HOST).with("host", host),
            ),
            Self::Path(host) => (
                words::NO_PATH_TITLE,
                Sentence::new(words::NO_PATH).with("host", host),
            ),
            Self::Application => (words::NO_APPLICATION_TITLE, Sentence::new(words::NO_APPLICATION)),
            Self::Page => (words::NO_PAGE_TITLE, Sentence::new(words::NO_PAGE)),
        };
        Message {
            badge: None,
            title: Sentence::new(title),
            paragraphs: vec![what],
            causes: Vec::new(),
            actions: Vec::new(),
        }
    }
}

impl Page for NotFound<'_> {
    fn status(&self) -> StatusCode {
        match self {
            Self::Path(_) => StatusCode::FORBIDDEN,
            Self::Host(_) | Self::Application | Self::Page => StatusCode::NOT_FOUND,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Host(_) => "host_not_found",
            Self::Path(_) => "path_not_covered",
            Self::Application => "application_not_found",
            Self::Page => "not_found",
        }
    }

    fn message(&self) -> String {
        self.build().title.plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}
