//! The launcher: what a person may open, and where they are signed in.
//!
//! A section of its own has a field here, a part of the template, and its words; without script everything works.

use askama::Template;
use http::StatusCode;
use jiff::Timestamp;

use super::action::Href;
use super::frame::{Frame, Shell};
use super::respond::Page;
use super::sentence::Sentence;
use super::wear::{self, Wear};
use super::words;
use crate::model::design::LauncherDesign;
use crate::model::time::for_machines;

/// Where its forms are sent.
const ACTION: &str = "/cdn-cgi/access/launcher/sign-out";

/// From this many applications on a search helps more than it costs.
const SEARCHED_FROM: usize = 13;

/// The launcher of one person.
#[derive(Debug)]
pub struct Launcher<'a> {
    /// Who is signed in.
    pub who: &'a str,
    /// What of their applications is shown.
    pub tiles: &'a [Tile],
    /// How many more would be.
    pub left_out: usize,
    /// How many there are in all.
    pub all: usize,
    /// What was searched for.
    pub search: Option<&'a str>,
    /// The words that applications are sorted by.
    pub tags: &'a [TagLink],
    /// Their live sessions.
    pub sessions: &'a [SessionLine],
    /// How many requests for leave wait for the person.
    pub waiting: usize,
    /// What its forms must hold.
    pub form: &'a str,
    /// When it was made.
    pub now: Timestamp,
    /// What it wears.
    pub design: &'a LauncherDesign,
}

/// An application.
#[derive(Debug, Clone)]
pub struct Tile {
    /// Its name.
    pub name: String,
    /// The address it is known by.
    pub place: String,
    /// Where it opens; absent where its addresses stand for many.
    pub href: Option<String>,
    /// Its picture.
    pub logo: Option<String>,
    /// The origin of the picture, which the browser is told to load from.
    pub logo_origin: Option<String>,
}

/// A word that applications are sorted by.
#[derive(Debug, Clone)]
pub struct TagLink {
    /// The word.
    pub name: String,
    /// How many applications have it.
    pub count: usize,
    /// Whether only those are shown.
    pub chosen: bool,
    /// Where a click on it leads.
    pub href: String,
}

/// A session.
#[derive(Debug, Clone)]
pub struct SessionLine {
    /// Its key, by which it is ended; no credential.
    pub key: String,
    /// The browser, in words.
    pub browser: String,
    /// Where the browser was at the sign-in.
    pub address: String,
    /// The country of that.
    pub country: Option<String>,
    /// When the person signed in.
    pub since: Timestamp,
    /// When it was last used.
    pub used: Timestamp,
    /// Whether it is the one of this browser.
    pub this: bool,
}

impl Tile {
    fn link(&self) -> Option<Href<'_>> {
        self.href.as_deref().map(Href::new)
    }

    /// What stands in place of a picture.
    fn letter(&self) -> String {
        let letter = self.name.chars().find(|c| c.is_alphanumeric());
        letter.map_or_else(|| "•".to_owned(), |c| c.to_uppercase().collect())
    }
}

impl TagLink {
    fn link(&self) -> Href<'_> {
        Href::new(&self.href)
    }
}

impl Page for Launcher<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "launcher"
    }

    fn message(&self) -> String {
        words::LAUNCHER_TITLE.into()
    }

    fn images(&self) -> Vec<String> {
        let origins = self.tiles.iter().filter_map(|tile| tile.logo_origin.clone());
        origins.collect()
    }

    fn wear(&self) -> Wear<'_> {
        Wear {
            style: wear::launcher(self.design.background, self.design.header),
            logo: self.design.logo.as_ref(),
        }
    }

    fn sends(&self) -> bool {
        true
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let filtered = self.search.is_some() || self.tags.iter().any(|tag| tag.chosen);
        let left_out = self.left_out.to_string();
        let view = View {
            shell: Shell::wearing(frame, &self.wear()),
            title: Sentence::new(words::LAUNCHER_TITLE),
            who: Sentence::new(words::LAUNCHER_WHO).with("who", self.who),
            page: self,
            words: &WORDS,
            action: ACTION,
            search_shown: self.all >= SEARCHED_FROM || self.search.is_some(),
            filtered,
            nothing: Sentence::new(if filtered {
                words::LAUNCHER_NOT_FOUND
            } else {
                words::LAUNCHER_EMPTY
            }),
            more: (self.left_out > 0).then(|| Sentence::new(words::LAUNCHER_MORE).with("number", &left_out)),
            lines: self
                .sessions
                .iter()
                .map(|session| Line::new(session, self.now))
                .collect(),
        };
        view.render()
    }
}

/// The short words of the page.
struct Words {
    sign_out: &'static str,
    waiting: &'static str,
    search_label: &'static str,
    search: &'static str,
    tags: &'static str,
    show_all: &'static str,
    sessions: &'static str,
    this_browser: &'static str,
    since: &'static str,
    used: &'static str,
    end: &'static str,
    everywhere: &'static str,
    links: &'static str,
}

const WORDS: Words = Words {
    sign_out: words::LAUNCHER_SIGN_OUT,
    waiting: words::APPROVALS_TITLE,
    search_label: words::LAUNCHER_SEARCH_LABEL,
    search: words::LAUNCHER_SEARCH,
    tags: words::LAUNCHER_TAGS,
    show_all: words::LAUNCHER_SHOW_ALL,
    sessions: words::LAUNCHER_SESSIONS,
    this_browser: words::LAUNCHER_THIS_BROWSER,
    since: words::LAUNCHER_SINCE,
    used: words::LAUNCHER_USED,
    end: words::LAUNCHER_END,
    everywhere: words::LAUNCHER_EVERYWHERE,
    links: words::LAUNCHER_LINKS,
};

#[derive(Template)]
#[template(path = "person/launcher.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: Sentence<'a>,
    who: Sentence<'a>,
    page: &'a Launcher<'a>,
    words: &'static Words,
    action: &'static str,
    search_shown: bool,
    filtered: bool,
    nothing: Sentence<'a>,
    more: Option<Sentence<'a>>,
    lines: Vec<Line<'a>>,
}

/// A session as the template wants it: instants exact and in words.
struct Line<'a> {
    session: &'a SessionLine,
    place: String,
    since: (String, String),
    used: (String, String),
    label: String,
}

impl<'a> Line<'a> {
    fn new(session: &'a SessionLine, now: Timestamp) -> Self {
        let place = match &session.country {
            Some(country) => format!("{}, {country}", session.address),
            None => session.address.clone(),
        };
        let both = |at: Timestamp| (for_machines(at), ago(at, now));
        Self {
            session,
            place,
            since: both(session.since),
            used: both(session.used),
            label: Sentence::new(words::LAUNCHER_END_OF)
                .with("browser", &session.browser)
                .plain(),
        }
    }
}

/// How long ago something was, in words: the viewer's zone is not known without script.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.as_second().saturating_sub(at.as_second()).max(0) / 60;
    let (number, one, many) = match minutes {
        0 => return words::JUST_NOW.to_owned(),
        1..60 => (minutes, words::MINUTE_AGO, words::MINUTES_AGO),
        60..1440 => (minutes / 60, words::HOUR_AGO, words::HOURS_AGO),
        _ => (minutes / 1440, words::DAY_AGO, words::DAYS_AGO),
    };
    let number_text = number.to_string();
    let sentence = Sentence::new(if number == 1 { one } else { many });
    sentence.with("number", &number_text).plain()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_words() {
        let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        for (at, told) in [
            ("2026-11-25T10:00:30Z", "just now"),
            ("2026-11-25T09:59:30Z", "just now"),
            ("2026-11-25T09:59:00Z", "1 minute ago"),
            ("2026-11-25T09:01:00Z", "59 minutes ago"),
            ("2026-11-25T08:59:00Z", "1 hour ago"),
            ("2026-11-24T10:01:00Z", "23 hours ago"),
            ("2026-11-24T10:00:00Z", "1 day ago"),
            ("2026-10-26T10:00:00Z", "30 days ago"),
        ] {
            assert_eq!(ago(at.parse().unwrap(), now), told, "{at}");
        }
    }

    #[test]
    fn pictures_come_from_the_origins_of_the_tiles_and_from_nowhere_else() {
        let tile = |name: &str, logo: Option<&str>| Tile {
            name: name.to_owned(),
            place: String::new(),
            href: None,
            logo: logo.map(|path| format!("https://cdn.example.com/{path}")),
            logo_origin: logo.map(|_| "https://cdn.example.com".to_owned()),
        };
        let tiles = [
            tile("Wiki", Some("wiki.svg")),
            tile("Files", Some("files.svg")),
            tile("§", None),
        ];
        let page = Launcher {
            who: "ada@example.com",
            tiles: &tiles,
            left_out: 0,
            all: 3,
            search: None,
            tags: &[],
            sessions: &[],
            waiting: 2,
            form: "x",
            now: Timestamp::UNIX_EPOCH,
            design: &LauncherDesign::default(),
        };
        let answer = page.respond(&Frame {
            organization: "Example",
            request_id: "x",
            at: Timestamp::UNIX_EPOCH,
            auth_origin: "https://login.example.com",
            design: &crate::model::design::LoginDesign::PLAIN,
        });
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("; img-src data: https://cdn.example.com; "),
            "{policy}"
        );
        let html = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(
            html.contains("<img src=\"https://cdn.example.com/wiki.svg\" alt=\"\""),
            "{html}"
        );
        assert!(html.contains(">•</span>"), "{html}");
    }
}
