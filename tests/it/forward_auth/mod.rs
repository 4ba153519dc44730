//! Other proxies that ask whether a request may pass.

mod asking;
mod caddy;
mod corpus;
mod nginx;
pub(crate) mod question;
mod samples;
mod scenario;
mod server;
mod validators;
