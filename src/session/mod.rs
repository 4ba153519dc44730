//! Sessions and tokens: live table, signing, verification, revocation.
//!
//! An *organization session* is one login of one person in one browser. It lives in the store and, on each replica
//! that has seen it, in the [`table`]. Tokens are signed statements *about* a session: the organization token on the
//! auth host, one application token for each application. A token is worth no more than its session: every request
//! asks the session's flag, so that ending the session ends all of them at once.

pub mod binding;
pub mod common;
pub mod cookies;
pub mod door;
pub mod effects;
pub mod grace;
pub mod identify;
mod inherited;
pub mod keys;
pub mod limits;
pub mod lookup;
pub mod revoke;
pub mod sensor;
pub mod service_auth;
pub mod service_jwt;
pub mod service_mint;
pub mod service_uses;
pub mod table;
pub mod token;
