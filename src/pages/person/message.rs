//! The page that most pages are: what happened, why, and what to do next.

use askama::Template;

use super::action::Action;
use super::frame::{Frame, Shell};
use super::sentence::Sentence;
use super::words;

/// How a page feels at a glance: a sign and a word, never colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Badge {
    Refused,
    SignedOut,
    Problem,
    Done,
    /// There is something to do for who looks after it.
    Attention,
    Waiting,
}

impl Badge {
    pub(super) fn tone(self) -> &'static str {
        match self {
            Self::Refused | Self::Attention => "danger",
            Self::SignedOut | Self::Done => "ok",
            Self::Problem | Self::Waiting => "warn",
        }
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Refused | Self::Attention => "✕",
            Self::SignedOut | Self::Done => "✓",
            Self::Problem => "!",
            Self::Waiting => "…",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Refused => words::BADGE_REFUSED,
            Self::SignedOut => words::BADGE_SIGNED_OUT,
            Self::Problem => words::BADGE_PROBLEM,
            Self::Done => words::BADGE_DONE,
            Self::Attention => words::BADGE_ATTENTION,
            Self::Waiting => words::BADGE_WAITING,
        }
    }
}

/// A page of sentences.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) badge: Option<Badge>,
    pub(super) title: Sentence<'a>,
    pub(super) paragraphs: Vec<Sentence<'a>>,
    pub(super) causes: Vec<Sentence<'a>>,
    pub(super) actions: Vec<Action<'a>>,
}

impl Message<'_> {
    pub(super) fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let view = View {
            shell: Shell::new(frame),
            title: &self.title,
            message: self,
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/message.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: &'a Sentence<'a>,
    message: &'a Message<'a>,
}
