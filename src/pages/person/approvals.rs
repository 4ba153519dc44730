//! Requests for leave that wait for the person at this browser, and leave that was given and still holds.

use askama::Template;
use http::StatusCode;

use super::action::Href;
use super::frame::{Frame, Shell};
use super::respond::Page;
use super::words;

/// What an approver sees.
#[derive(Debug)]
pub struct Approvals<'a> {
    /// Requests that wait for this person.
    pub waiting: &'a [Asked],
    /// Leave that this person may take back.
    pub granted: &'a [Asked],
    /// What became of what was just sent.
    pub said: Option<Said>,
    /// Where forms are sent.
    pub action: &'a str,
    /// The launcher.
    pub home: &'a str,
}

/// One request.
#[derive(Debug)]
pub struct Asked {
    /// Who asks, by an address that is verified, or by name.
    pub who: String,
    /// The application's name.
    pub app: String,
    /// Why.
    pub reason: String,
    /// When it was asked, or until when it is given.
    pub when: String,
    /// Lengths that may be given: minutes and words, the longest asked for last.
    pub lengths: Vec<(i64, &'static str)>,
    /// What the form sends back.
    pub form: String,
}

/// What became of what an approver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// More approvers are needed.
    Counted,
    /// Leave was given.
    Granted,
    /// It was refused.
    Refused,
    /// Leave was taken back.
    Withdrawn,
    /// Somebody else was faster, or it is over.
    Closed,
}

impl Said {
    fn words(self) -> &'static str {
        match self {
            Self::Counted => words::APPROVALS_COUNTED,
            Self::Granted => words::APPROVALS_GRANTED,
            Self::Refused => words::APPROVALS_REFUSED,
            Self::Withdrawn => words::APPROVALS_WITHDRAWN,
            Self::Closed => words::APPROVALS_CLOSED,
        }
    }

    fn tone(self) -> &'static str {
        if self == Self::Closed { "warn" } else { "ok" }
    }
}

impl Page for Approvals<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "approvals"
    }

    fn message(&self) -> String {
        words::APPROVALS_TITLE.to_owned()
    }

    fn sends(&self) -> bool {
        true
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let view = View {
            shell: Shell::new(frame),
            title: super::sentence::Sentence::new(words::APPROVALS_TITLE),
            said: self.said.map(|said| (said.tone(), said.words())),
            waiting: self.waiting,
            granted: self.granted,
            action: Href::new(self.action),
            home: Href::new(self.home),
            w: &WORDS,
        };
        view.render()
    }
}

/// The words of the template.
struct Words {
    none: &'static str,
    wants: &'static str,
    asked: &'static str,
    length: &'static str,
    word: &'static str,
    approve: &'static str,
    refuse: &'static str,
    granted: &'static str,
    until: &'static str,
    withdraw: &'static str,
    home: &'static str,
}

const WORDS: Words = Words {
    none: words::APPROVALS_NONE,
    wants: words::APPROVALS_WANTS,
    asked: words::APPROVALS_ASKED,
    length: words::HOW_LONG,
    word: words::APPROVALS_WORD,
    approve: words::APPROVALS_APPROVE,
    refuse: words::APPROVALS_REFUSE,
    granted: words::APPROVALS_HOLDS,
    until: words::APPROVALS_UNTIL,
    withdraw: words::APPROVALS_WITHDRAW,
    home: words::LAUNCHER_TITLE,
};

#[derive(Template)]
#[template(path = "person/approvals.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: super::sentence::Sentence<'a>,
    said: Option<(&'static str, &'static str)>,
    waiting: &'a [Asked],
    granted: &'a [Asked],
    action: Href<'a>,
    home: Href<'a>,
    w: &'static Words,
}
