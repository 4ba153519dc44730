//! Signed out; and the page that says an identity was read again.

use http::StatusCode;

use super::action::Action;
use super::frame::Frame;
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// The end of a session.
#[derive(Debug)]
pub struct SignedOut<'a> {
    /// What ended.
    pub scope: Scope<'a>,
    /// Where one may want to go, or sign in again.
    pub back: Option<Back<'a>>,
    /// Where one signs out at the identity provider too.
    pub provider_sign_out: Option<&'a str>,
}

/// What a sign-out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The session of this browser, for every application.
    Everything,
    /// What this browser held for the application of this name.
    Application(&'a str),
    /// Every session of the person, in whichever browser.
    Everywhere,
    /// No cookie came, as Access says.
    Nothing,
}

/// A way back to an application.
#[derive(Debug, Clone, Copy)]
pub struct Back<'a> {
    /// The name of what is there.
    pub name: &'a str,
    /// The address.
    pub href: &'a str,
}

impl SignedOut<'_> {
    fn build(&self) -> Message<'_> {
        let back = self.back.map(|back| {
            Action::plain(
                Sentence::new(words::SIGNED_OUT_BACK).with("name", back.name),
                back.href,
            )
        });
        let provider = self
            .provider_sign_out
            .map(|href| Action::primary(Sentence::new(words::SIGNED_OUT_AT_PROVIDER), href));
        let stays = self
            .provider_sign_out
            .map(|_| Sentence::new(words::SIGNED_OUT_PROVIDER_STAYS));
        let (title, said) = match self.scope {
            Scope::Everything => (
                Sentence::new(words::SIGNED_OUT_TITLE),
                Sentence::new(words::SIGNED_OUT_EVERYTHING),
            ),
            Scope::Everywhere => (
                Sentence::new(words::SIGNED_OUT_TITLE),
                Sentence::new(words::SIGNED_OUT_EVERYWHERE),
            ),
            Scope::Application(app) => (
                Sentence::new(words::SIGNED_OUT_OF_TITLE).with("app", app),
                Sentence::new(words::SIGNED_OUT_OF).with("app", app),
            ),
            Scope::Nothing => (
                Sentence::new(words::NO_COOKIE_TITLE),
                Sentence::new(words::NO_COOKIE),
            ),
        };
        Message {
            badge: (self.scope != Scope::Nothing).then_some(Badge::SignedOut),
            title,
            paragraphs: std::iter::once(said).chain(stays).collect(),
            causes: Vec::new(),
            actions: provider.into_iter().chain(back).collect(),
        }
    }
}

impl Page for SignedOut<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        match self.scope {
            Scope::Nothing => "no_session",
            _ => "signed_out",
        }
    }

    fn message(&self) -> String {
        self.build().title.plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}

/// The identity was read again at the provider, groups included.
#[derive(Debug)]
pub struct Refreshed;

impl Page for Refreshed {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "identity_refreshed"
    }

    fn message(&self) -> String {
        words::REFRESHED_TITLE.into()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        Message {
            badge: Some(Badge::Done),
            title: Sentence::new(words::REFRESHED_TITLE),
            paragraphs: vec![Sentence::new(words::REFRESHED)],
            causes: Vec::new(),
            actions: Vec::new(),
        }
        .html(frame)
    }
}
