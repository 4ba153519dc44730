//! Microsoft Entra ID as the identity provider: one login from the authorization address to a [`SignedIn`] person.
//!
//! 1. [`RelyingParty::authorization`] builds the address at Microsoft (PKCE, nonce, state, prompt).
//! 2. [`RelyingParty::finish`] redeems the code, checks the ID token ([`id_token`]), finds the e-mail address
//!    ([`email`]) and reads the groups from Graph ([`groups`]).
//! 3. Everything that goes wrong is an [`EntraError`], whose class says what the person can do ([`errors`]).
//! 4. [`delta`] reads what changed in a directory, in the background.
//! 5. [`check`] looks at a provider for its operator: a checklist, with a person's sign-in or without.
//!
//! Metadata and keys are remembered ([`cached`]): a login costs one request for the token and, with groups, one or more
//! to Graph. Nothing here writes, decides about access or holds a session.

mod aadsts;
mod cached;
pub mod check;
mod claims;
mod class;
mod client_auth;
mod contexts;
pub mod delta;
mod discovery;
mod email;
pub mod errors;
mod graph;
mod groups;
mod id_token;
mod keys;
pub mod outbound;
mod relying_party;
mod signed_in;
#[cfg(test)]
mod testing;
mod token_endpoint;
mod wall;

pub use contexts::{AuthenticationContext, claims_asking_for};
pub use errors::{AadstsAnswer, Class, EntraError, Explanation, TokenRejected};
pub(crate) use keys::KeySet;
pub use outbound::Outbound;
pub use relying_party::{RelyingParty, pkce};
pub use signed_in::{AuthorizationRequest, Redemption, Refresh, SignedIn};
