//! What stands around every page: whose gateway this is, and which request it answers.

use jiff::Timestamp;

use super::assets;
use super::sentence::Sentence;
use super::wear::{self, Wear};
use super::words;
use crate::model::design::{LoginDesign, SlotText};
use crate::model::time::{for_machines, to_the_minute};
use crate::model::web_address::WebAddress;

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
    /// What every page wears.
    pub design: &'a LoginDesign,
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
    /// Colours of the operator's, if any.
    pub(super) own_style: Option<String>,
    pub(super) logo: Option<&'a str>,
    pub(super) header: Option<&'a str>,
    pub(super) footer: Option<&'a str>,
}

/// The stylesheet of the operator's colours on a page.
pub(super) fn own_style(frame: &Frame<'_>, wear: &Wear<'_>) -> Option<String> {
    let all = wear::login(frame.design).into_iter().chain(wear.style.clone());
    Some(all.collect::<String>()).filter(|style| !style.is_empty())
}

/// The picture in the header of a page.
pub(super) fn logo<'a>(frame: &Frame<'a>, wear: &Wear<'a>) -> Option<&'a WebAddress> {
    wear.logo.or(frame.design.logo.as_ref())
}

impl<'a> Shell<'a> {
    pub(super) fn new(frame: &'a Frame<'a>) -> Self {
        Self::wearing(frame, &Wear::default())
    }

    /// The same around a page that wears something of its own.
    pub(super) fn wearing(frame: &'a Frame<'a>, wear: &Wear<'a>) -> Self {
        let text = |slot: &'a Option<SlotText>| slot.as_ref().map(SlotText::as_str);
        Self {
            frame,
            lang: words::LANGUAGE,
            style: assets::STYLE,
            help_desk: words::HELP_DESK,
            own_style: own_style(frame, wear),
            logo: logo(frame, wear).map(WebAddress::as_str),
            header: text(&frame.design.header),
            footer: text(&frame.design.footer),
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
