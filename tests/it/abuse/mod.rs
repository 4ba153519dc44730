//! The abuse cases: `cases.toml` lists all of them, `table` sends the bare requests, the others are here by subject.

mod cases;
mod flood;
mod http;
mod http2;
mod table;
mod tokens;
