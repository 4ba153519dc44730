//! All that requests need to know, in memory: one immutable value, replaced as a whole.
//!
//! [`read`] turns an object of the API into the domain's types or says what is wrong with it; [`Snapshot::build`] does
//! so for all that the store holds and compiles it. Building never fails: an object that cannot be read becomes one
//! that lets nobody pass and says why, so that a mistake in one application neither opens it nor stops the others.

mod asks;
mod authorities;
mod compile;
mod contents;
mod key_ring;
mod openings;
mod pages;
mod publish;
pub mod read;
pub mod secrets;
mod service_tokens;

pub use asks::Asks;
pub use authorities::ClientAuthorities;
pub use compile::Inputs;
pub use contents::{GuardedLauncher, ObjectFault, ProtectedApplication, Snapshot, Unroutable};
pub use key_ring::{KeyRing, VerificationKey};
pub use openings::is_preflight;
pub use pages::DenialPages;
pub use publish::Published;
pub use service_tokens::{KnownToken, ServiceTokens};
