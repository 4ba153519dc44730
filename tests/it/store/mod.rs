//! The store, on both databases.

mod approvals;
mod changes;
mod documents;
mod keys;
mod logs;
mod open;
pub(crate) mod people;
mod register;
mod scim;
mod scim_many;
mod scim_put_out;
mod scim_rounds;
mod service_token_uses;
mod sessions;
mod transfers;
mod trials;
mod unavailable;
