//! A program at a command line wants to act for the person: may it? And: it may.

use askama::Template;
use http::StatusCode;

use super::action::{Action, Href};
use super::frame::{AppLabel, Frame, Shell};
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// The question, which is asked of the person each time.
#[derive(Debug)]
pub struct Approve<'a> {
    /// The application that the program wants to open.
    pub app: AppLabel<'a>,
    /// The address or name the person is signed in as.
    pub who: &'a str,
    /// What the program calls itself, which it may make up.
    pub agent: &'a str,
    /// The code that the program shows too.
    pub code: &'a str,
    /// How the key begins that stands in the address, for programs that show no code.
    pub key_start: &'a str,
    /// Where this browser is.
    pub here: &'a str,
    /// Where the program waits, as far as that is known.
    pub waits_at: Option<&'a str>,
    /// Whether the program gets tokens for every application that the person may open.
    pub everything: bool,
    /// What the form sends back.
    pub consent: &'a str,
    /// Where it sends it.
    pub action: &'a str,
    /// Where one signs in as somebody else.
    pub another_account: &'a str,
}

impl<'a> Approve<'a> {
    fn title(&self) -> Sentence<'a> {
        Sentence::new(words::APPROVE_TITLE).with("app", self.app.name)
    }

    fn before(&self) -> Vec<Sentence<'a>> {
        let reach = if self.everything {
            words::APPROVE_EVERYTHING
        } else {
            words::APPROVE_ONE
        };
        let asks = Sentence::new(words::APPROVE_ASKS)
            .with("agent", self.agent)
            .with("app", self.app.name)
            .with("host", self.app.host)
            .with("who", self.who);
        vec![
            asks,
            Sentence::new(reach).with("app", self.app.name),
            Sentence::new(words::APPROVE_CODE),
        ]
    }

    fn after(&self) -> Vec<Sentence<'a>> {
        let key = Sentence::new(words::APPROVE_NO_CODE).with("start", self.key_start);
        let place = match self.waits_at {
            Some(waits_at) => Sentence::new(words::APPROVE_PLACES)
                .with("here", self.here)
                .with("there", waits_at),
            None => Sentence::new(words::APPROVE_PLACE).with("here", self.here),
        };
        vec![key, place, Sentence::new(words::APPROVE_NOT_YOU)]
    }
}

impl Page for Approve<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "approval_needed"
    }

    fn message(&self) -> String {
        self.title().plain()
    }

    fn sends(&self) -> bool {
        true
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let view = View {
            shell: Shell::new(frame),
            title: self.title(),
            before: self.before(),
            code: self.code,
            after: self.after(),
            action: Href::new(self.action),
            consent: self.consent,
            approve: words::APPROVE_YES,
            another: words::ANOTHER_ACCOUNT,
            another_account: Href::new(self.another_account),
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/approve.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: Sentence<'a>,
    before: Vec<Sentence<'a>>,
    code: &'a str,
    after: Vec<Sentence<'a>>,
    action: Href<'a>,
    consent: &'a str,
    approve: &'static str,
    another: &'static str,
    another_account: Href<'a>,
}

/// The program has its tokens.
#[derive(Debug)]
pub struct Approved<'a> {
    /// The application that the program wanted to open.
    pub app: AppLabel<'a>,
    /// What the program calls itself.
    pub agent: &'a str,
    /// The application's address, for whoever wants to go on in the browser.
    pub href: &'a str,
}

impl Page for Approved<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "approved"
    }

    fn message(&self) -> String {
        words::APPROVED_TITLE.into()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let open = Sentence::new(words::APPROVED_OPEN).with("app", self.app.name);
        Message {
            badge: Some(Badge::Done),
            title: Sentence::new(words::APPROVED_TITLE),
            paragraphs: vec![
                Sentence::new(words::APPROVED).with("agent", self.agent),
                Sentence::new(words::APPROVED_END),
            ],
            causes: Vec::new(),
            actions: vec![Action::plain(open, self.href)],
        }
        .html(frame)
    }
}
