//! The login chain under `/cdn-cgi/access/`.
//!
//! ```text
//! GET app/deep?x=1      challenge   302 to the login page with `meta`                  + CF_AppSession
//! GET auth …/login      start       live session → hand-over; one provider → there; else chooser
//!                       leave       302 to the provider with `state`                   + CF_Session
//! GET auth …/callback   callback    code → identity → session row → policy             + CF_Authorization (org)
//! GET app …/authorized  authorized  ticket → application token → the address asked for + CF_Authorization (app)
//! ```
//!
//! A program at a command line gets its tokens by way of the person's browser ([`transfer`]) or for an organization token
//! ([`metadata`] tells it which application it speaks to).
//!
//! Nothing is kept here between the steps: what a step needs travels in the sealed texts [`meta`], [`state`] and
//! [`ticket`], each bound to the browser by the [`fingerprint`] of a cookie. Where the browser is sent is always built
//! from parts the gateway knows ([`landing`]), never from a parameter.

mod answer;
mod approvers;
mod authorized;
pub mod bounce;
mod call;
mod callback;
mod certs;
pub mod challenge;
mod command_line;
mod denial;
mod directory;
pub mod eager;
mod evaluate;
mod failure;
pub mod fingerprint;
mod form;
mod front_channel;
mod get_identity;
mod hand_over;
pub mod landing;
mod launcher;
mod leave;
mod leave_to_enter;
mod logout;
pub mod meta;
pub mod metadata;
mod mint;
mod own_page;
pub mod protected_resource;
mod provider;
pub mod query;
mod reason;
mod record;
mod reference;
mod refresh;
pub mod renew;
pub mod requirements;
pub mod return_path;
mod routes;
mod sign_in;
mod start;
pub mod state;
mod step_up;
mod test_idp;
pub mod ticket;
pub mod transfer;
pub mod visit;

use std::sync::Arc;

pub use metadata::Metadata;
pub use routes::router;
pub use transfer::Transfers;
pub use visit::{Place, Visit};

use crate::clock::Clock;
use crate::crypto::seal::Sealer;
use crate::entra::RelyingParty;
use crate::evaluation::Evaluations;
use crate::mail::Mailer;
use crate::pages::reference::Reference;
use crate::session::effects::Effects;
use crate::session::keys::Signer;
use crate::session::limits::FailureLimit;
use crate::session::lookup::SessionLookup;
use crate::session::revoke::Revoker;
use crate::session::table::SessionTable;
use crate::snapshot::Published;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// What the login chain works with. Cheap to clone.
#[derive(Clone)]
pub struct Login {
    /// The configuration in force.
    pub published: Arc<Published>,
    /// Users, sessions, what is spent, logs.
    pub store: Store,
    /// The sessions this replica knows.
    pub sessions: SessionTable,
    /// Finds sessions it does not know.
    pub lookup: SessionLookup,
    /// Ends sessions.
    pub revoker: Revoker,
    /// Reads groups again that a directory took.
    pub effects: Effects,
    /// Signs tokens.
    pub signer: Signer,
    /// Talks to identity providers.
    pub relying_party: RelyingParty,
    /// Asks external evaluations.
    pub evaluations: Evaluations,
    /// Seals what travels through browsers.
    pub sealer: Sealer,
    /// The clock.
    pub clock: Clock,
    /// Tells approvers and those who wait.
    pub mailer: Mailer,
    /// Counts logins by how they end.
    pub metrics: Arc<Metrics>,
    /// Counts steps that ended with a page, which anybody can bring about.
    pub failed_steps: Arc<FailureLimit>,
    /// Programs that wait for their tokens.
    pub transfers: Transfers,
    /// What programs are told of applications.
    pub metadata: Metadata,
    /// The reference of the API, which stands among these pages.
    pub reference: Arc<Reference>,
}

#[cfg(test)]
mod tests;
