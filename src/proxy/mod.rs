//! Sending a permitted request on, and its answer back.
//!
//! The life of an exchange, top to bottom in [`forward()`]: register in [`open_streams`] → headers in place
//! ([`request_headers`]) → a connection from the [`pool`] or a new one ([`upstream`]) → the response's head
//! ([`response_headers`]) → bodies stream both ways ([`body`]), or both ends become a tunnel ([`upgrade`]). What goes
//! wrong is a [`Fault`] that says whose fault it is.
//!
//! This module never decides: `forward` takes a `Permit`, which only the evaluation of a policy can make. Everything
//! here lives on one core: nothing is `Send`, nothing is locked.

pub mod body;
pub mod fault;
mod forward;
pub mod open_streams;
mod pool;
mod request_cookies;
pub mod request_headers;
pub mod response_headers;
pub mod upgrade;
pub mod upstream;

pub use body::Body;
pub use fault::Fault;
pub use forward::{Core, Exchange, forward};
