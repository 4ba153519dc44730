//! What an answer of Microsoft's means for the person and for the operator: eight classes.

use http::StatusCode;
use serde::Deserialize;
use tracing::Level;

/// A class of answers. It decides status, log level, what the person is told to do and whether trying again is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The registration or our configuration is wrong: only an operator can help.
    Config,
    /// Final for this person.
    Denied,
    /// A silent or stale sign-in failed: one interactive sign-in helps.
    Interactive,
    /// This login is spent: a fresh one helps.
    Restart,
    /// Microsoft has a problem that passes.
    Transient,
    /// The account or its sessions were ended at Microsoft.
    Revoked,
    /// An administrator of the directory has to consent.
    Consent,
    /// The person has something to do on Microsoft's own pages.
    UserAction,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::Config,
        Self::Denied,
        Self::Interactive,
        Self::Restart,
        Self::Transient,
        Self::Revoked,
        Self::Consent,
        Self::UserAction,
    ];

    /// Status of the page. Never 401, which would owe the browser a challenge (RFC 9110 §15.5.2).
    pub fn status(self) -> StatusCode {
        match self {
            Self::Config => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Transient => StatusCode::SERVICE_UNAVAILABLE,
            Self::Restart => StatusCode::BAD_REQUEST,
            Self::Denied | Self::Interactive | Self::Revoked | Self::Consent | Self::UserAction => {
                StatusCode::FORBIDDEN
            }
        }
    }

    /// Level of the one log line.
    pub fn level(self) -> Level {
        match self {
            Self::Config => Level::ERROR,
            Self::Consent | Self::Transient => Level::WARN,
            Self::Denied | Self::Interactive | Self::Restart | Self::Revoked | Self::UserAction => {
                Level::INFO
            }
        }
    }

    /// Whether the page offers to try again.
    pub fn offer_retry(self) -> bool {
        !matches!(self, Self::Config | Self::Denied | Self::Consent)
    }

    /// Heading of the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Config => "Sign-in is not set up correctly",
            Self::Denied => "You cannot sign in here",
            Self::Interactive => "Please sign in again",
            Self::Restart => "This sign-in is no longer valid",
            Self::Transient => "Microsoft is not answering",
            Self::Revoked => "Your sign-in has ended",
            Self::Consent => "An administrator has to approve this",
            Self::UserAction => "Your account needs attention",
        }
    }

    /// What happened, where the answer has no text of its own.
    pub fn text(self) -> &'static str {
        match self {
            Self::Config => "Microsoft did not accept this gateway's settings. It is nothing you did.",
            Self::Denied => "Microsoft did not let this account sign in.",
            Self::Interactive => "Microsoft asks for you to sign in yourself.",
            Self::Restart => "The sign-in could not be completed.",
            Self::Transient => "Microsoft had a problem while signing you in.",
            Self::Revoked => "Microsoft has ended this account's sign-in.",
            Self::Consent => "This gateway has not been approved in your organization yet.",
            Self::UserAction => "Microsoft needs something from you before you can sign in.",
        }
    }

    /// What the person can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Config => {
                "Tell your administrator, with the request number below. Trying again will not help."
            }
            Self::Denied => "Ask your administrator for access, or sign in with another account.",
            Self::Interactive => "Start again and follow what Microsoft asks for.",
            Self::Restart => "Start again from here. The link you used can be used only once.",
            Self::Transient => "Wait a moment, then try again.",
            Self::Revoked => "Sign in again. If that fails, ask your administrator about your account.",
            Self::Consent => "Ask your administrator to grant consent to this application.",
            Self::UserAction => "Put your account in order at Microsoft, then try again.",
        }
    }
}
