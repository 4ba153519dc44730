//! What can go wrong in a login at Microsoft, and what the person and the operator are told.

use std::time::Duration;

use http::StatusCode;
use tracing::Level;

pub use super::aadsts::AadstsAnswer;
pub use super::class::Class;
pub use super::id_token::TokenRejected;

/// Why a login at Microsoft did not end with a person. `Display` is for the log and holds no text of Microsoft's,
/// no address besides the name of a host, and no secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EntraError {
    /// Microsoft refused, and said why.
    #[error("Microsoft refused: {0}")]
    Refused(Box<AadstsAnswer>),
    /// The ID token failed a check.
    #[error("the ID token is not acceptable: {0}")]
    IdToken(#[from] TokenRejected),
    /// Graph asks for an interactive login with these `claims` (continuous access evaluation). One is enough:
    /// the second time membership is unknown instead.
    #[error("Microsoft Graph asks for a new sign-in")]
    ClaimsChallenge(String),
    /// Microsoft could not be reached, or what came was no answer.
    #[error("{what} could not be read: {reason}")]
    Unavailable {
        /// What was asked for.
        what: &'static str,
        /// What happened.
        reason: String,
        /// How long to wait, where Microsoft said so.
        retry_after: Option<Duration>,
    },
    /// Our side cannot even ask: an unreadable certificate, a metadata document of another directory.
    #[error("the identity provider is not set up correctly: {0}")]
    Misconfigured(String),
}

/// How an error is shown: one page for the person, one line for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Heading of the page.
    pub title: &'static str,
    /// What happened.
    pub text: &'static str,
    /// What the person can do.
    pub advice: &'static str,
    /// Status of the page.
    pub status: StatusCode,
    /// Whether the page offers to try again.
    pub offer_retry: bool,
    /// Level of the log line.
    pub level: Level,
    /// What the operator should do, where it is known.
    pub operator: Option<&'static str>,
    /// Whether nobody can sign in until an operator acts: the client secret is wrong or has expired.
    pub alarm: bool,
}

impl EntraError {
    /// The class, which decides all that the caller does.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(answer) => answer.class,
            Self::IdToken(_) => Class::Restart,
            Self::ClaimsChallenge(_) => Class::Interactive,
            Self::Unavailable { .. } => Class::Transient,
            Self::Misconfigured(_) => Class::Config,
        }
    }

    /// How long Microsoft asks to be left alone, where it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(answer) => answer.retry_after,
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// How it is shown.
    pub fn explain(&self) -> Explanation {
        let class = self.class();
        let general = Explanation {
            title: class.title(),
            text: class.text(),
            advice: class.advice(),
            status: class.status(),
            offer_retry: class.offer_retry(),
            level: class.level(),
            operator: None,
            alarm: false,
        };
        match self {
            Self::Refused(answer) if answer.cancelled() => Explanation {
                title: "You did not sign in",
                text: answer.person_text(),
                advice: "Start again whenever you like.",
                offer_retry: true,
                operator: answer.operator_text(),
                ..general
            },
            Self::Refused(answer) => Explanation {
                text: answer.person_text(),
                operator: answer.operator_text(),
                alarm: answer.secret_refused(),
                // What anybody can say is no reason to wake somebody.
                level: if answer.by_browser {
                    class.level().max(Level::WARN)
                } else {
                    class.level()
                },
                ..general
            },
            // A token that fails a check is a sign of an attack or of a wrong setting: louder than a stale login.
            Self::IdToken(_) => Explanation {
                level: Level::WARN,
                ..general
            },
            _ => general,
        }
    }
}

/// Reads the error of a callback's query; `None` where it carries none.
pub fn read_callback_error(query: &str) -> Option<EntraError> {
    let answer = AadstsAnswer::from_callback(query)?;
    Some(EntraError::Refused(Box::new(AadstsAnswer {
        by_browser: true,
        ..answer
    })))
}
