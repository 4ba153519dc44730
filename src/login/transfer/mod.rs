//! Tokens for a program at a command line, by way of the person's browser.
//!
//! ```text
//! program        makes a pair of keys, opens the browser, and waits at GET auth/transfer/<its public key>   collect
//! GET app …/cli  what the program wants, sealed                                      302 to the auth host    begin
//! GET auth …/transfer   nobody signed in, or the provider asks each time → the login, and back here          approve
//!                       live session that the application takes → the page that asks the person
//! POST auth …/transfer  a session of its own, tokens for it, in a box for the program's key                  grant
//! program        opens the box
//! ```
//!
//! # Why the page is never skipped
//! The first address is a link, and anybody can send one. Whoever made the key gets the tokens, so the one thing that
//! stands between a link and somebody else's session is a person who compares the code on the page with the one in
//! their own terminal. Access leaves the page out where the application says `skip_interstitial`; here nothing in a
//! request tells a link that the person's own program opened from one that came by mail, so it is always shown.
//!
//! The page is on the auth host, whose origin no application's script shares, and cannot be framed. Its form carries a
//! sealed text that names the session it was shown to; it comes with a cookie that other sites' requests do not bring.

mod approve;
mod begin;
mod collect;
mod grant;
mod request;
mod waiting;

pub(super) use approve::approve;
pub(super) use begin::begin;
pub(super) use collect::collect;
pub use request::{TransferRefused, TransferRequest};
pub use waiting::Transfers;

/// What follows `/cdn-cgi/access/` on the auth host.
pub(super) const NAME: &str = "transfer";

/// Where programs wait, before their key. As at Access, where it is on a host of its own.
pub(super) const COLLECT: &str = "/transfer/";
