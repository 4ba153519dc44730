//! The pages a person may meet on the way to an application, one file a page.
//!
//! Each page is a plain value that knows its status, its words and its template; [`Page::respond`] makes it an answer
//! with the headers every page carries: never cached, never framed, a Content-Security-Policy that allows the page's
//! own style and script by hash and nothing else. Every page works without script and shows the request id.

mod accept;
mod action;
mod approvals;
mod approve;
mod ask;
pub(super) mod assets;
mod bad_request;
mod bad_service_token;
mod chooser;
mod custom;
mod failure;
mod frame;
mod front_channel;
mod launcher;
mod message;
mod not_found;
mod passage;
mod refused;
mod respond;
mod sentence;
mod sign_in;
mod signed_out;
mod stop;
mod test_idp;
mod too_many;
mod unavailable;
mod upstream_fault;
mod waiting;
mod wear;
mod welcome;
mod words;

#[cfg(test)]
mod tests;

pub use accept::Accept;
pub use approvals::{Approvals, Asked, Said};
pub use approve::{Approve, Approved};
pub use ask::{Ask, Before, LENGTHS};
pub use assets::{Ancestors, Script};
pub use bad_request::BadRequest;
pub use bad_service_token::BadServiceToken;
pub use chooser::{Choice, Chooser};
pub use custom::{allow_framing, custom_page};
pub use failure::Failure;
pub use frame::{AppLabel, Frame};
pub use front_channel::FrontChannel;
pub use launcher::{Launcher, SessionLine, TagLink, Tile};
pub use not_found::NotFound;
pub use passage::{Carry, Landing};
pub use refused::{Because, Refused, Requirement};
pub use respond::{CACHE_CONTROL, EXPIRES, Page, forbid_storing};
pub use sign_in::SignIn;
pub use signed_out::{Back, Refreshed, Scope, SignedOut};
pub use stop::Stop;
pub use test_idp::{TestIdp, TestedIdp};
pub use too_many::TooMany;
pub use unavailable::Unavailable;
pub use upstream_fault::UpstreamFault;
pub use waiting::Waiting;
pub use wear::Wear;
pub use welcome::LauncherWelcome;
