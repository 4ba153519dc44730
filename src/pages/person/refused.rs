//! Refused: who you are signed in as, what you may not open, and what you can do.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::action::Action;
use super::frame::{AppLabel, Frame, Shell};
use super::message::Badge;
use super::respond::Page;
use super::sentence::Sentence;
use super::words;
use crate::model::refusals::RequirementKind;

/// An application's policies do not let this request in.
#[derive(Debug)]
pub struct Refused<'a> {
    /// The application.
    pub app: AppLabel<'a>,
    /// The address or name the person is signed in as; `None` where nobody signed in (an application that asks no
    /// identity provider).
    pub who: Option<&'a str>,
    /// Why, as far as the person may know.
    pub because: Because<'a>,
    /// What the application asks for, and what of it is met.
    pub requirements: &'a [Requirement],
    /// The text its owner wrote for those who are refused.
    pub note: Option<&'a str>,
    /// Where it can be tried once more.
    pub again: Option<&'a str>,
    /// Where one signs in as somebody else.
    pub another_account: Option<&'a str>,
}

/// Why somebody was refused. Rules and group names are for the operator's log: they may be confidential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because<'a> {
    /// No rule let them in.
    NoRule,
    /// A rule keeps them out.
    Blocked,
    /// Groups were needed and could not be read completely.
    GroupsUnknown,
    /// The application's rules could not be read, so that nobody is let in.
    Broken,
    /// A stronger sign-in was asked for, and the identity provider did not confirm it.
    ContextUnmet {
        /// What the organization calls it.
        name: &'a str,
    },
    /// A stronger sign-in is needed, and the identity provider is not set up to be asked for one.
    ContextNotAsked,
    /// An external evaluation was needed and gave no valid answer.
    NotEvaluated,
}

impl Because<'_> {
    /// Whether trying once more may come out differently without anybody changing a rule.
    pub fn may_change(self) -> bool {
        matches!(self, Self::ContextUnmet { .. } | Self::NotEvaluated)
    }
}

/// One thing that an application asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What kinds of things would do.
    pub kinds: Vec<RequirementKind>,
    /// Whether it is met; `None` where that could not be found out.
    pub met: Option<bool>,
    /// What may be told of it by name.
    pub names: Vec<String>,
    /// The operator's sentences in the place of ours, by kind.
    pub own_words: Vec<Option<String>>,
}

impl Requirement {
    fn words(&self) -> String {
        let of_kind = |(position, kind): (usize, &RequirementKind)| {
            let own = self.own_words.get(position).cloned().flatten();
            own.unwrap_or_else(|| words::requirement(*kind).to_owned())
        };
        let kinds: Vec<String> = self.kinds.iter().enumerate().map(of_kind).collect();
        let sentence = kinds.join(words::REQUIREMENT_OR);
        if self.names.is_empty() {
            sentence
        } else {
            format!("{sentence} ({})", self.names.join(", "))
        }
    }

    fn line(&self) -> Line {
        let (tone, sign, state) = match self.met {
            Some(true) => ("ok", "✓", words::REQUIREMENT_MET),
            Some(false) => ("danger", "✕", words::REQUIREMENT_UNMET),
            None => ("warn", "?", words::REQUIREMENT_UNKNOWN),
        };
        Line {
            tone,
            sign,
            state,
            words: self.words(),
        }
    }
}

/// A requirement as the page shows it: a sign and a word, never colour alone.
struct Line {
    tone: &'static str,
    sign: &'static str,
    state: &'static str,
    words: String,
}

impl Refused<'_> {
    fn title(&self) -> Sentence<'_> {
        Sentence::new(words::REFUSED_TITLE).with("app", self.app.name)
    }

    fn paragraphs(&self) -> Vec<Sentence<'_>> {
        let who = self
            .who
            .map(|who| Sentence::new(self.about_who()).with("who", who));
        let mut because = Sentence::new(match (self.because, self.who) {
            (Because::NoRule, Some(_)) => words::REFUSED_NO_RULE,
            (Because::NoRule, None) => words::REFUSED_NO_RULE_NOBODY,
            (Because::Blocked, _) => words::REFUSED_BLOCKED,
            (Because::GroupsUnknown, _) => words::REFUSED_GROUPS_UNKNOWN,
            (Because::Broken, _) => words::REFUSED_BROKEN,
            (Because::ContextUnmet { .. }, _) => words::REFUSED_CONTEXT_UNMET,
            (Because::ContextNotAsked, _) => words::REFUSED_CONTEXT_NOT_ASKED,
            (Because::NotEvaluated, _) => words::REFUSED_NOT_EVALUATED,
        })
        .with("app", self.app.name)
        .with("host", self.app.host);
        if let Because::ContextUnmet { name } = self.because {
            because = because.with("context", name);
        }
        who.into_iter().chain([because]).collect()
    }

    /// Where the account is not what is wrong, the page does not say so.
    fn about_who(&self) -> &'static str {
        match self.because {
            Because::ContextUnmet { .. } | Because::ContextNotAsked | Because::NotEvaluated => {
                words::SIGNED_IN_AS
            }
            _ => words::REFUSED_WHO,
        }
    }

    fn actions(&self) -> Vec<Action<'_>> {
        let again = self
            .again
            .map(|href| Action::primary(Sentence::new(words::TRY_AGAIN), href));
        let another = self.another_account.map(|href| {
            let words = Sentence::new(words::ANOTHER_ACCOUNT);
            match self.again {
                Some(_) => Action::plain(words, href),
                None => Action::primary(words, href),
            }
        });
        again.into_iter().chain(another).collect()
    }
}

impl Page for Refused<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    fn code(&self) -> &'static str {
        "access_denied"
    }

    fn message(&self) -> String {
        self.title().plain()
    }

    fn details(&self) -> Map<String, Value> {
        let requirement = |asked: &Requirement| {
            let kinds: Vec<&str> = asked.kinds.iter().map(|kind| kind.as_str()).collect();
            json!({"kinds": kinds, "met": asked.met, "message": asked.words()})
        };
        let mut details = Map::new();
        if !self.requirements.is_empty() {
            let all = self.requirements.iter().map(requirement).collect();
            details.insert("requirements".to_owned(), Value::Array(all));
        }
        details
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        let view = View {
            shell: Shell::new(frame),
            badge: Badge::Refused,
            title: self.title(),
            paragraphs: self.paragraphs(),
            asks: words::REQUIREMENTS,
            requirements: self.requirements.iter().map(Requirement::line).collect(),
            note: self.note.filter(|note| !note.trim().is_empty()),
            actions: self.actions(),
        };
        view.render()
    }
}

#[derive(Template)]
#[template(path = "person/refused.html")]
struct View<'a> {
    shell: Shell<'a>,
    badge: Badge,
    title: Sentence<'a>,
    paragraphs: Vec<Sentence<'a>>,
    asks: &'static str,
    requirements: Vec<Line>,
    note: Option<&'a str>,
    actions: Vec<Action<'a>>,
}
