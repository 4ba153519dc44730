//! The abuse cases: `cases.toml` lists all of them, `table` sends the bare requests, the others are here by subject.

pub(crate) mod cases;
mod flood;
mod http;
mod http2;
pub(crate) mod table;
pub(crate) mod tokens;
