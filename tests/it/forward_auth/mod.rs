//! Other proxies that ask whether a request may pass.

mod asking;
mod caddy;
mod corpus;
mod nginx;
mod question;
mod samples;
mod scenario;
mod server;
mod validators;
