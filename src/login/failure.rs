//! Why a step of the chain ends with a page instead of the next step: one page, one log line, one way to start again.

use http::HeaderValue;
use http::header::REFRESH;

use super::answer::{Answer, set_cookie};
use super::call::Call;
use super::landing::Landing;
use super::provider::ANOTHER_ACCOUNT;
use super::query::QueryRefused;
use super::state::StateRefused;
use super::ticket::TicketRefused;
use super::transfer::TransferRefused;
use crate::entra::errors::{Class, EntraError};
use crate::manage::TestLinkRefused;
use crate::model::ids::{IdpId, UserId};
use crate::pages::person::{BadRequest, Failure, NotFound, Unavailable};
use crate::session::cookies;
use crate::session::keys::KeyError;
use crate::store::{StoreError, User};

/// The check that failed. `Display` is for the log, which names it; the person gets a page in plain words.
#[derive(Debug, thiserror::Error)]
pub(super) enum Why {
    #[error("{0}")]
    Query(#[from] QueryRefused),
    #[error("the method is not served here")]
    Method,
    #[error("a sub-resource of another site asked")]
    CrossSite,
    #[error("state is missing")]
    StateMissing,
    #[error("{0}")]
    State(#[from] StateRefused),
    #[error("state was made for another browser, or its CF_Session cookie did not come")]
    ForeignBrowser,
    #[error("state was used before")]
    StateUsed,
    #[error("iss is not the issuer that was asked")]
    OtherIssuer,
    #[error("neither a code nor an error came")]
    NoCode,
    #[error("{0}")]
    Entra(Box<EntraError>),
    #[error("no such application covers the address")]
    NoApplication,
    #[error("no identity provider is allowed")]
    NoProvider,
    #[error("the person's sessions were ended during the login")]
    EndedMeanwhile,
    #[error("the person is deprovisioned")]
    Deprovisioned,
    #[error("another person signed in than whose identity was to be refreshed")]
    OtherPerson,
    #[error("there is no session to refresh")]
    NoSession,
    #[error("{0}")]
    Ticket(#[from] TicketRefused),
    #[error("the ticket was used before")]
    TicketUsed,
    #[error("the ticket is for another host or an application that no longer covers it")]
    TicketElsewhere,
    #[error("the ticket was made for another browser, or its CF_AppSession cookie did not come")]
    TicketForeignBrowser,
    #[error("{0}")]
    Transfer(#[from] TransferRefused),
    #[error("the form is not one that was made here for this browser, or too old")]
    Form,
    #[error("the person may not decide about the request")]
    NotAnApprover,
    #[error("{0}")]
    TestLink(#[from] TestLinkRefused),
    #[error("the session of the ticket is over")]
    SessionOver,
    #[error("sessions cannot be looked up")]
    SessionsUnavailable,
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Key(#[from] KeyError),
}

impl Why {
    /// The check that failed, as a word for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Query(_) | Self::Method | Self::NoCode | Self::StateMissing => "malformed",
            Self::CrossSite => "cross_site",
            Self::State(StateRefused::Foreign) => "state_foreign",
            Self::State(StateRefused::Expired(_)) => "state_expired",
            Self::ForeignBrowser => "other_browser",
            Self::StateUsed => "state_used",
            Self::OtherIssuer | Self::OtherPerson => "identity_mismatch",
            Self::Entra(error) => match error.class() {
                Class::Config => "provider_config",
                Class::Denied => "provider_denied",
                Class::Interactive => "provider_interactive",
                Class::Restart => "provider_restart",
                Class::Transient => "provider_transient",
                Class::Revoked => "provider_revoked",
                Class::Consent => "provider_consent",
                Class::UserAction => "provider_user_action",
            },
            Self::NoApplication => "no_application",
            Self::NoProvider => "no_provider",
            Self::EndedMeanwhile | Self::SessionOver | Self::NoSession => "session_over",
            Self::Deprovisioned => "deprovisioned",
            Self::Ticket(_) | Self::TicketUsed | Self::TicketElsewhere | Self::TicketForeignBrowser => {
                "ticket"
            }
            Self::Transfer(_) => "transfer",
            Self::TestLink(_) => "test_link",
            Self::Form => "form",
            Self::NotAnApprover => "not_an_approver",
            Self::SessionsUnavailable | Self::Store(_) => "store",
            Self::Key(_) => "signing_key",
        }
    }

    /// Whether it says no to somebody, rather than that something did not work.
    pub(super) fn refuses(&self) -> bool {
        match self {
            Self::Entra(error) => matches!(error.class(), Class::Denied | Class::Revoked),
            Self::Deprovisioned | Self::CrossSite | Self::NotAnApprover | Self::TestLink(_) => true,
            _ => false,
        }
    }
}

/// A step that ended, and what is known of the login it belonged to.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) why: Box<Why>,
    pub(super) landing: Option<Box<Landing>>,
    pub(super) provider: Option<IdpId>,
    /// Whether nobody was to be signed in: it was the test of a provider.
    pub(super) is_test: bool,
    /// Whether the browser has its `CF_Session` from this test alone.
    pub(super) forgets_browser: bool,
    pub(super) person: Option<Box<Who>>,
}

/// Whom the provider signed in, though no session came of it.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// The user, where one is known.
    pub(super) user: Option<UserId>,
    /// The address, where there is one.
    pub(super) email: Option<String>,
}

impl From<&User> for Who {
    fn from(user: &User) -> Self {
        Self {
            user: Some(user.id),
            email: user.email.clone(),
        }
    }
}

impl<E: Into<Why>> From<E> for Ended {
    fn from(why: E) -> Self {
        Self {
            why: Box::new(why.into()),
            landing: None,
            provider: None,
            is_test: false,
            forgets_browser: false,
            person: None,
        }
    }
}

impl From<EntraError> for Why {
    fn from(error: EntraError) -> Self {
        Self::Entra(Box::new(error))
    }
}

impl Ended {
    /// With where the login wanted to go: there it can start again.
    pub(super) fn on_the_way_to(mut self, landing: &Landing) -> Self {
        self.landing = Some(Box::new(landing.clone()));
        self
    }

    /// With the provider signed in at.
    pub(super) fn at(mut self, provider: IdpId) -> Self {
        self.provider = Some(provider);
        self
    }

    /// With who it is about.
    pub(super) fn of(mut self, person: Who) -> Self {
        self.person = Some(Box::new(person));
        self
    }

    /// In the test of a provider, which is no login that failed. A cookie that bound the browser to the test alone goes
    /// with it.
    pub(super) fn of_a_test(mut self, forgets_browser: bool) -> Self {
        self.is_test = true;
        self.forgets_browser = forgets_browser;
        self
    }

    /// The page. Sets no cookie; one that was there for a test alone goes.
    pub(super) fn page(&self, call: &Call<'_>) -> Answer {
        let mut answer = self.words(call);
        if self.forgets_browser {
            set_cookie(&mut answer, cookies::remove_session(call.auth()));
        }
        answer
    }

    fn words(&self, call: &Call<'_>) -> Answer {
        let again = self.landing.as_ref().map(|landing| landing.address(call.auth()));
        let again = again.as_deref();
        let another = self
            .landing
            .as_ref()
            .map(|landing| call.login_address(landing, ANOTHER_ACCOUNT));
        let another = another.as_deref();
        match &*self.why {
            Why::Query(refused) => call.page(&BadRequest::Malformed(&refused.to_string())),
            Why::Method => call.page(&BadRequest::Method("GET, HEAD")),
            Why::CrossSite => call.page(&BadRequest::CrossSite),
            Why::State(StateRefused::Expired(_)) => call.page(&Failure::login_expired(again)),
            Why::ForeignBrowser => foreign_browser(call, again),
            Why::StateUsed => call.page(&Failure::login_used(again)),
            Why::StateMissing
            | Why::State(StateRefused::Foreign)
            | Why::NoCode
            | Why::NoSession
            | Why::SessionOver => call.page(&Failure::invalid_session(again)),
            Why::Ticket(_) | Why::TicketUsed | Why::TicketElsewhere | Why::TicketForeignBrowser => {
                call.page(&Failure::invalid_login_session(again))
            }
            Why::Transfer(TransferRefused::Used) => call.page(&Failure::transfer_used()),
            Why::Transfer(TransferRefused::Expired) => call.page(&Failure::transfer_expired()),
            Why::Transfer(refused) => call.page(&BadRequest::Malformed(&refused.to_string())),
            Why::TestLink(refused) => call.page(&match refused {
                TestLinkRefused::Foreign => Failure::test_link_foreign(),
                TestLinkRefused::Expired => Failure::test_link_expired(),
                TestLinkRefused::Used => Failure::test_link_used(),
            }),
            Why::OtherIssuer | Why::OtherPerson => call.page(&Failure::answer_not_accepted(again)),
            Why::Entra(error) => call.page(&of_entra(error, again, another)),
            Why::Form => call.page(&Failure::form_refused(again)),
            Why::NotAnApprover => call.page(&Failure::not_an_approver()),
            Why::NoApplication => call.page(&NotFound::Application),
            Why::NoProvider => call.page(&Failure::no_provider()),
            Why::EndedMeanwhile => call.page(&Failure::ended_meanwhile(again)),
            Why::Deprovisioned => call.page(&Failure::deprovisioned(another)),
            Why::SessionsUnavailable | Why::Store(StoreError::Unavailable(_)) => {
                call.page(&Unavailable::Store(again))
            }
            Why::Store(_) | Why::Key(_) => call.page(&Failure::internal(again)),
        }
    }
}

/// Seconds after which a tab that was overtaken starts again: time to read a sentence.
const REFRESH_SECONDS: u8 = 3;

/// Not the browser that started this login, as far as its cookie tells. Where it has a cookie of ours, it may as well be
/// one whose tabs all began at once, each without a cookie yet: that tab starts again by itself. Nobody gains by it: what
/// it opens is the application's own address, as any link could.
fn foreign_browser(call: &Call<'_>, again: Option<&str>) -> Answer {
    let name = cookies::session_name(call.auth());
    let keeps_cookies = cookies::values(&call.parts.headers, name).next().is_some();
    let Some(again) = again.filter(|_| keeps_cookies) else {
        return call.page(&Failure::invalid_session(again));
    };
    let mut answer = call.page(&Failure::overtaken(again));
    if let Ok(refresh) = HeaderValue::from_str(&format!("{REFRESH_SECONDS}; url={again}")) {
        answer.headers_mut().insert(REFRESH, refresh);
    }
    answer
}

/// An answer of Microsoft's differs by its class in what the person can do; nothing of its text is shown.
fn of_entra<'a>(error: &'a EntraError, again: Option<&'a str>, another: Option<&'a str>) -> Failure<'a> {
    let said = error.explain();
    let reference = match error {
        EntraError::Refused(answer) => answer.trace_id.as_deref(),
        _ => None,
    };
    let page = match error {
        EntraError::IdToken(_) => Failure::answer_not_accepted(again),
        EntraError::Unavailable { .. } => Failure::provider_unavailable(again),
        _ => Failure {
            code: "identity_provider_refused",
            title: said.title,
            what: said.text,
            mend: said.advice,
            again: again.filter(|_| said.offer_retry),
            another_account: another.filter(|_| matches!(error.class(), Class::Denied | Class::Revoked)),
            ..Failure::internal(None)
        },
    };
    Failure {
        status: said.status,
        provider_reference: reference,
        ..page
    }
}
