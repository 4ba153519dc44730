//! The test of an identity provider, for who runs the gateway: what is about to happen, and the checklist.

use askama::Template;
use http::StatusCode;

use super::action::Action;
use super::frame::{Frame, Shell};
use super::message::Badge;
use super::respond::Page;
use super::sentence::Sentence;
use super::words;
use crate::model::check::{Check, CheckState, Step};

/// A link was opened: the person says that the test may begin.
#[derive(Debug)]
pub struct TestIdp<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The redirect address, which must be registered at Microsoft.
    pub redirect_address: &'a str,
    /// Where the test begins.
    pub next: &'a str,
}

impl Page for TestIdp<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "test_ready"
    }

    fn message(&self) -> String {
        self.title().plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let go = Sentence::new(words::TEST_GO).with("provider", self.provider);
        let view = Ready {
            shell: Shell::new(frame),
            title: self.title(),
            what: words::TEST_WHAT,
            leaves_nothing: words::TEST_LEAVES_NOTHING,
            before: words::TEST_BEFORE,
            address: words::TEST_ADDRESS,
            redirect_address: self.redirect_address,
            stuck: words::TEST_STUCK,
            actions: vec![Action::primary(go, self.next)],
        };
        view.render()
    }
}

impl<'a> TestIdp<'a> {
    fn title(&self) -> Sentence<'a> {
        Sentence::new(words::TEST_TITLE).with("provider", self.provider)
    }
}

#[derive(Template)]
#[template(path = "person/test_idp.html")]
struct Ready<'a> {
    shell: Shell<'a>,
    title: Sentence<'a>,
    what: &'static str,
    leaves_nothing: &'static str,
    before: &'static str,
    address: &'static str,
    redirect_address: &'a str,
    stuck: &'static str,
    actions: Vec<Action<'a>>,
}

/// What a test has found.
#[derive(Debug)]
pub struct TestedIdp<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The checklist.
    pub checks: &'a [Check],
}

/// The parts of the checklist, in this order.
const SECTIONS: [(&str, &[Step]); 3] = [
    (
        words::TESTED_SETUP,
        &[
            Step::Discovery,
            Step::Clock,
            Step::RedirectAddress,
            Step::Credential,
            Step::CredentialExpiry,
        ],
    ),
    (
        words::TESTED_SIGN_IN,
        &[
            Step::SignIn,
            Step::IdToken,
            Step::Email,
            Step::Groups,
            Step::Claim,
            Step::Contexts,
        ],
    ),
    (
        words::TESTED_PERMISSIONS,
        &[Step::DelegatedPermission, Step::ApplicationPermission],
    ),
];

impl<'a> TestedIdp<'a> {
    fn count(&self, state: CheckState) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }

    fn works(&self) -> bool {
        self.count(CheckState::Bad) == 0
    }

    fn title(&self) -> Sentence<'a> {
        let title = match (self.works(), self.count(CheckState::Unknown)) {
            (false, _) => words::TESTED_BAD,
            (true, 0) => words::TESTED_GOOD,
            (true, _) => words::TESTED_UNKNOWN,
        };
        Sentence::new(title).with("provider", self.provider)
    }

    fn counted(&self) -> Vec<Counted> {
        let states = [
            CheckState::Bad,
            CheckState::Warning,
            CheckState::Unknown,
            CheckState::Good,
        ];
        let counted = states.into_iter().map(|state| Counted {
            tone: tone(state),
            word: words::tested(state),
            number: self.count(state),
        });
        counted.filter(|counted| counted.number > 0).collect()
    }

    fn sections(&self) -> Vec<Section<'a>> {
        let sections = SECTIONS.iter().map(|(title, steps)| Section {
            title,
            lines: steps.iter().flat_map(|step| self.lines(*step)).collect(),
        });
        sections.filter(|section| !section.lines.is_empty()).collect()
    }

    fn lines(&self, step: Step) -> impl Iterator<Item = Line<'a>> {
        let of_step = self.checks.iter().filter(move |check| check.step == step);
        of_step.map(|check| Line {
            tone: tone(check.state),
            sign: sign(check.state),
            state: words::tested(check.state),
            title: words::step(check.step),
            check,
        })
    }
}

impl Page for TestedIdp<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    fn code(&self) -> &'static str {
        "tested"
    }

    fn message(&self) -> String {
        self.title().plain()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let view = View {
            shell: Shell::new(frame),
            badge: if self.works() {
                Badge::Done
            } else {
                Badge::Attention
            },
            title: self.title(),
            counted: self.counted(),
            sections: self.sections(),
            mend: words::TESTED_MEND,
            again: words::TEST_AGAIN,
        };
        view.render()
    }
}

struct Counted {
    tone: &'static str,
    word: &'static str,
    number: usize,
}

struct Section<'a> {
    title: &'static str,
    lines: Vec<Line<'a>>,
}

/// A sign and a word, never colour alone.
struct Line<'a> {
    tone: &'static str,
    sign: &'static str,
    state: &'static str,
    title: &'static str,
    check: &'a Check,
}

fn tone(state: CheckState) -> &'static str {
    match state {
        CheckState::Good => "ok",
        CheckState::Warning | CheckState::Unknown => "warn",
        CheckState::Bad => "danger",
        CheckState::Off => "off",
    }
}

fn sign(state: CheckState) -> &'static str {
    match state {
        CheckState::Good => "✓",
        CheckState::Warning => "!",
        CheckState::Unknown => "?",
        CheckState::Bad => "✕",
        CheckState::Off => "–",
    }
}

#[derive(Template)]
#[template(path = "person/tested_idp.html")]
struct View<'a> {
    shell: Shell<'a>,
    badge: Badge,
    title: Sentence<'a>,
    counted: Vec<Counted>,
    sections: Vec<Section<'a>>,
    mend: &'static str,
    again: &'static str,
}
