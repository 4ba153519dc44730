//! What stands around every page: whose gateway this is, and which request it answers.

use jiff::Timestamp;

use super::assets;
use super::sentence::Sentence;
use super::words;
use crate::model::time::{for_machines, to_the_minute};

/// What every page shows besides its own words.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The organization's name.
    pub organization: &'a str,
    /// The request's id, by which the help desk finds it in the log.
    pub request_id: &'a str,
    /// When the request was answered.
    pub at: Timestamp,
    /// The origin of the auth host, such as `https://login.example.com`.
    pub auth_origin: &'a str,
}

/// The application a page speaks of.
#[derive(Debug, Clone, Copy)]
pub struct AppLabel<'a> {
    /// Its name.
    pub name: &'a str,
    /// The host it was asked for at.
    pub host: &'a str,
}

/// The frame as the base template wants it.
pub(super) struct Shell<'a> {
    pub(super) frame: &'a Frame<'a>,
    pub(super) lang: &'static str,
    pub(super) style: &'static str,
    pub(super) help_desk: &'static str,
}

impl<'a> Shell<'a> {
    pub(super) fn new(frame: &'a Frame<'a>) -> Self {
        Self {
            frame,
            lang: words::LANGUAGE,
            style: assets::STYLE,
            help_desk: words::HELP_DESK,
        }
    }

    pub(super) fn guarded_by(&self) -> Sentence<'a> {
        let host = self.frame.auth_origin;
        let host = host.split_once("://").map_or(host, |(_, host)| host);
        Sentence::new(words::GUARDED_BY)
            .with("organization", self.frame.organization)
            .with("host", host)
    }

    pub(super) fn datetime(&self) -> String {
        for_machines(self.frame.at)
    }

    /// UTC, and says so: the viewer's zone is not known without script.
    pub(super) fn time(&self) -> String {
        to_the_minute(self.frame.at)
    }
}
