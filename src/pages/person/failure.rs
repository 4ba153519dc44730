//! A login that did not finish: what happened in plain words, and what the person can do.

use http::StatusCode;

use super::action::Action;
use super::frame::Frame;
use super::message::{Badge, Message};
use super::respond::Page;
use super::sentence::Sentence;
use super::words;

/// A login that failed or was refused.
///
/// The constructors hold the cases that are the gateway's own; the identity provider's answers bring their words along.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// The status.
    pub status: StatusCode,
    /// A stable word for programs.
    pub code: &'a str,
    /// One line: what happened.
    pub title: &'a str,
    /// The same in a sentence or two.
    pub what: &'a str,
    /// What the person can do about it.
    pub mend: &'a str,
    /// Where trying again starts; `None` where it would not help.
    pub again: Option<&'a str>,
    /// Where one signs in as somebody else.
    pub another_account: Option<&'a str>,
    /// The provider's own id of the event (Microsoft: trace id), which its support asks for.
    pub provider_reference: Option<&'a str>,
}

impl<'a> Failure<'a> {
    /// The hand-over to an application does not fit this browser, or is too old, or was used before.
    pub fn invalid_login_session(again: Option<&'a str>) -> Self {
        Self {
            code: "invalid_login_session",
            title: words::INVALID_LOGIN_SESSION_TITLE,
            what: words::INVALID_LOGIN_SESSION,
            mend: words::INVALID_LOGIN_SESSION_MEND,
            ..Self::own(StatusCode::BAD_REQUEST, again)
        }
    }

    /// The login came back to a browser that did not start it, or whose cookies are gone.
    pub fn invalid_session(again: Option<&'a str>) -> Self {
        Self {
            code: "invalid_session",
            title: words::INVALID_SESSION_TITLE,
            what: words::INVALID_SESSION,
            mend: words::INVALID_SESSION_MEND,
            ..Self::own(StatusCode::BAD_REQUEST, again)
        }
    }

    /// The login came back to a browser that has started another since: many tabs opened at once.
    pub fn overtaken(again: &'a str) -> Self {
        Self {
            what: words::OVERTAKEN,
            mend: words::OVERTAKEN_MEND,
            ..Self::invalid_session(Some(again))
        }
    }

    /// The login took longer than it may.
    pub fn login_expired(again: Option<&'a str>) -> Self {
        Self {
            code: "login_expired",
            title: words::LOGIN_EXPIRED_TITLE,
            what: words::LOGIN_EXPIRED,
            mend: words::START_AGAIN,
            ..Self::own(StatusCode::BAD_REQUEST, again)
        }
    }

    /// This login was finished before (a page reloaded, a button pressed twice).
    pub fn login_used(again: Option<&'a str>) -> Self {
        Self {
            code: "login_used",
            title: words::LOGIN_USED_TITLE,
            what: words::LOGIN_USED,
            mend: words::START_AGAIN,
            ..Self::own(StatusCode::BAD_REQUEST, again)
        }
    }

    /// A program's request for tokens was approved before.
    pub fn transfer_used() -> Self {
        Self {
            code: "transfer_used",
            title: words::TRANSFER_USED_TITLE,
            what: words::TRANSFER_USED,
            mend: words::TRANSFER_MEND,
            ..Self::own(StatusCode::BAD_REQUEST, None)
        }
    }

    /// The page that tests a provider was opened without a link that was made for it.
    pub fn test_link_foreign() -> Self {
        Self {
            code: "test_link_foreign",
            title: words::TEST_LINK_FOREIGN_TITLE,
            what: words::TEST_LINK_FOREIGN,
            mend: words::TEST_LINK_MEND,
            ..Self::own(StatusCode::FORBIDDEN, None)
        }
    }

    /// The link to a provider's test is too old.
    pub fn test_link_expired() -> Self {
        Self {
            code: "test_link_expired",
            title: words::TEST_LINK_EXPIRED_TITLE,
            what: words::TEST_LINK_EXPIRED,
            mend: words::TEST_LINK_MEND,
            ..Self::own(StatusCode::FORBIDDEN, None)
        }
    }

    /// The link to a provider's test was used before.
    pub fn test_link_used() -> Self {
        Self {
            code: "test_link_used",
            title: words::TEST_LINK_USED_TITLE,
            what: words::TEST_LINK_USED,
            mend: words::TEST_LINK_MEND,
            ..Self::own(StatusCode::FORBIDDEN, None)
        }
    }

    /// A program's request for tokens is too old to be approved.
    pub fn transfer_expired() -> Self {
        Self {
            code: "transfer_expired",
            title: words::TRANSFER_EXPIRED_TITLE,
            what: words::TRANSFER_EXPIRED,
            mend: words::TRANSFER_MEND,
            ..Self::own(StatusCode::BAD_REQUEST, None)
        }
    }

    /// A form of ours that lay open too long, or came from another browser.
    pub fn form_refused(again: Option<&'a str>) -> Self {
        Self {
            code: "form_refused",
            title: words::FORM_REFUSED_TITLE,
            what: words::FORM_REFUSED,
            mend: words::START_AGAIN,
            ..Self::own(StatusCode::BAD_REQUEST, again)
        }
    }

    /// Somebody decides about a request that is not theirs to decide.
    pub fn not_an_approver() -> Self {
        Self {
            code: "not_an_approver",
            title: words::NOT_AN_APPROVER_TITLE,
            what: words::NOT_AN_APPROVER,
            mend: words::ASK_ADMINISTRATOR,
            ..Self::own(StatusCode::FORBIDDEN, None)
        }
    }

    /// The provider's answer failed one of our checks.
    pub fn answer_not_accepted(again: Option<&'a str>) -> Self {
        Self {
            code: "identity_not_accepted",
            title: words::NOT_ACCEPTED_TITLE,
            what: words::NOT_ACCEPTED,
            mend: words::NOT_ACCEPTED_MEND,
            ..Self::own(StatusCode::FORBIDDEN, again)
        }
    }

    /// The identity provider does not answer.
    pub fn provider_unavailable(again: Option<&'a str>) -> Self {
        Self {
            code: "identity_provider_unavailable",
            title: words::PROVIDER_UNAVAILABLE_TITLE,
            what: words::PROVIDER_UNAVAILABLE,
            mend: words::TRY_LATER,
            ..Self::own(StatusCode::BAD_GATEWAY, again)
        }
    }

    /// The application does not take this provider, or there is none.
    pub fn no_provider() -> Self {
        Self {
            code: "no_identity_provider",
            title: words::NO_PROVIDER_TITLE,
            what: words::NO_PROVIDER,
            mend: words::ASK_ADMINISTRATOR,
            ..Self::own(StatusCode::FORBIDDEN, None)
        }
    }

    /// The directory says that this account no longer works here.
    pub fn deprovisioned(another_account: Option<&'a str>) -> Self {
        Self {
            code: "deprovisioned",
            title: words::DEPROVISIONED_TITLE,
            what: words::DEPROVISIONED,
            mend: words::ASK_ADMINISTRATOR,
            another_account,
            ..Self::own(StatusCode::FORBIDDEN, None)
        }
    }

    /// The person's sessions were ended while this login was on its way.
    pub fn ended_meanwhile(again: Option<&'a str>) -> Self {
        Self {
            code: "session_ended",
            title: words::ENDED_MEANWHILE_TITLE,
            what: words::ENDED_MEANWHILE,
            mend: words::START_AGAIN,
            ..Self::own(StatusCode::FORBIDDEN, again)
        }
    }

    /// Something of ours went wrong. Nothing of it is shown.
    pub fn internal(again: Option<&'a str>) -> Self {
        Self {
            code: "internal_error",
            title: words::INTERNAL_TITLE,
            what: words::INTERNAL,
            mend: words::TRY_LATER,
            ..Self::own(StatusCode::INTERNAL_SERVER_ERROR, again)
        }
    }

    fn own(status: StatusCode, again: Option<&'a str>) -> Self {
        Self {
            status,
            code: "",
            title: "",
            what: "",
            mend: "",
            again,
            another_account: None,
            provider_reference: None,
        }
    }

    fn build(&self) -> Message<'_> {
        let again = self
            .again
            .map(|href| Action::primary(Sentence::new(words::TRY_AGAIN), href));
        let another = self.another_account.map(|href| Action {
            words: Sentence::new(words::ANOTHER_ACCOUNT),
            primary: again.is_none(),
            ..Action::plain(Sentence::new(""), href)
        });
        let reference = self
            .provider_reference
            .map(|id| Sentence::new(words::PROVIDER_REFERENCE).with("id", id));
        let texts = [self.what, self.mend].into_iter().filter(|text| !text.is_empty());
        Message {
            badge: Some(Badge::Problem),
            title: Sentence::new(self.title),
            paragraphs: texts.map(Sentence::new).chain(reference).collect(),
            causes: Vec::new(),
            actions: again.into_iter().chain(another).collect(),
        }
    }
}

impl Page for Failure<'_> {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn code(&self) -> &str {
        self.code
    }

    fn message(&self) -> String {
        self.title.into()
    }

    fn html(&self, frame: &Frame<'_>) -> askama::Result<String> {
        self.build().html(frame)
    }
}
