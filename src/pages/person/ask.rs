//! Something is asked of a person before an application opens: a reason, or leave from somebody.

use askama::Template;
use http::StatusCode;

use super::action::Href;
use super::frame::{AppLabel, Frame, Shell};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// The question.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The application.
    pub app: AppLabel<'a>,
    /// The address or name the person is signed in as.
    pub who: &'a str,
    /// What the administrator wants to know, in the administrator's words.
    pub prompt: Option<&'a str>,
    /// Whether approvers decide; else the reason alone opens.
    pub leave: bool,
    /// What became of the last time the person asked.
    pub before: Before,
    /// What the person wrote, where it cannot be taken.
    pub written: Option<&'a str>,
    /// What the form sends back.
    pub form: &'a str,
    /// Where it sends it.
    pub action: &'a str,
    /// Where one signs in as somebody else.
    pub another_account: &'a str,
}

/// What became of the last time the person asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It is the first time, or long ago.
    Nothing,
    /// Leave was refused.
    Refused,
    /// Leave has ended, or was taken back.
    Ended,
    /// What was written is empty or too long.
    Unfit,
    /// The person has asked too often today.
    TooOften,
}

/// For how long leave can be asked for: minutes, and how that is called.
pub const LENGTHS: [(i64, &str); 6] = [
    (15, "15 minutes"),
    (60, "1 hour"),
    (120, "2 hours"),
    (240, "4 hours"),
    (480, "8 hours"),
    (1440, "24 hours"),
];

/// The length that is offered first.
const USUAL_MINUTES: i64 = 60;

impl<'a> Ask<'a> {
    fn title(&self) -> Sentence<'a> {
        let title = if self.leave {
            words::ASK_LEAVE_TITLE
        } else {
            words::ASK_REASON_TITLE
        };
        Sentence::new(title).with("app", self.app.name)
    }

    fn paragraphs(&self) -> Vec<Sentence<'a>> {
        let what = if self.leave {
            words::ASK_LEAVE
        } else {
            words::ASK_REASON
        };
        vec![
            Sentence::new(what)
                .with("app", self.app.name)
                .with("host", self.app.host),
            Sentence::new(words::SIGNED_IN_AS).with("who", self.who),
        ]
    }

    fn fault(&self) -> Option<&'static str> {
        match self.before {
            Before::Nothing => None,
            Before::Refused => Some(words::ASK_REFUSED),
            Before::Ended => Some(words::ASK_ENDED),
            Before::Unfit => Some(words::ASK_UNFIT),
            Before::TooOften => Some(words::ASK_TOO_OFTEN),
        }
    }
}

impl Page for Ask<'_> {
    fn status(&self) -> StatusCode {
        match self.before {
            Before::Unfit => StatusCode::BAD_REQUEST,
            Before::TooOften => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::FORBIDDEN,
        }
    }

    fn code(&self) -> &'static str {
        if self.leave {
            "approval_required"
        } else {
            "purpose_justification_required"
        }
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
            paragraphs: self.paragraphs(),
            prompt: self.prompt.filter(|prompt| !prompt.trim().is_empty()),
            fault: self.fault(),
            label: words::ASK_LABEL,
            hint: if self.leave {
                words::ASK_LEAVE_HINT
            } else {
                words::ASK_REASON_HINT
            },
            written: self.written.unwrap_or_default(),
            length_label: words::HOW_LONG,
            lengths: if self.leave { &LENGTHS } else { &[] },
            usual: USUAL_MINUTES,
            form: self.form,
            action: Href::new(self.action),
            send: if self.leave {
                words::ASK_LEAVE_SEND
            } else {
                words::ASK_REASON_SEND
            },
            another: words::ANOTHER_ACCOUNT,
            another_account: Href::new(self.another_account),
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/ask.html")]
struct View<'a> {
    shell: Shell<'a>,
    title: Sentence<'a>,
    paragraphs: Vec<Sentence<'a>>,
    prompt: Option<&'a str>,
    fault: Option<&'static str>,
    label: &'static str,
    hint: &'static str,
    written: &'a str,
    length_label: &'static str,
    lengths: &'static [(i64, &'static str)],
    usual: i64,
    form: &'a str,
    action: Href<'a>,
    send: &'static str,
    another: &'static str,
    another_account: Href<'a>,
}
